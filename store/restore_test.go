package store

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/alert"
)

// storeOf makes a closed store with alerts of these keys.
func storeOf(t *testing.T, path string, keys ...string) {
	t.Helper()
	d := reopen(t, "sqlite:"+path)
	for _, key := range keys {
		commit(t, d, fire(incident(key, "#db", 1)))
	}
	must(t, d.Close())
}

func accepted(t *testing.T, path string) int64 {
	t.Helper()
	d := reopen(t, "sqlite:"+path)
	defer func() { must(t, d.Close()) }()
	return balanced(t, d).Total.Accepted
}

func TestRestorePutsABackupInPlaceAndKeepsWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	path, file := filepath.Join(dir, "tocsin.db"), filepath.Join(dir, "b.db")
	storeOf(t, path, "a")
	_, err := backUp(t, "sqlite:"+path, file)
	must(t, err)
	storeOf(t, path, "b", "c")
	r, err := Restore(t.Context(), "sqlite:"+path, file, at(0), noProgress)
	must(t, err)
	if r.Ledger != (alert.Counts{Accepted: 1, Pending: 1}) || !strings.HasPrefix(r.Before, path+".20") {
		t.Errorf("it says %+v", r)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the store is %v, %v", info, err)
	}
	if n := accepted(t, path); n != 1 {
		t.Errorf("the store has %d alerts", n)
	}
	if n := accepted(t, r.Before); n != 3 {
		t.Errorf("what was there has %d alerts", n)
	}
	if n := accepted(t, file); n != 1 {
		t.Errorf("the backup has %d alerts", n)
	}
	again, err := Restore(t.Context(), "sqlite:"+path, file, at(0), noProgress)
	must(t, err)
	if n := accepted(t, r.Before); n != 3 || again.Before == r.Before {
		t.Errorf("after a second one in the same moment, what was there at the first has %d alerts, and at the second is %s", n, again.Before)
	}
}

func TestRestoreWhereThereIsNoStore(t *testing.T) {
	dir := t.TempDir()
	path, file := filepath.Join(dir, "state", "tocsin.db"), filepath.Join(dir, "b.db")
	storeOf(t, file, "a")
	r, err := Restore(t.Context(), "sqlite:"+path, file, at(0), noProgress)
	must(t, err)
	if n := accepted(t, path); n != 1 || r.Before != "" {
		t.Errorf("the store has %d alerts, before it was %q", n, r.Before)
	}
}

func TestRestoreReplacesADamagedStoreAndKeepsItWithItsWAL(t *testing.T) {
	dir := t.TempDir()
	path, file := filepath.Join(dir, "tocsin.db"), filepath.Join(dir, "b.db")
	storeOf(t, file, "a")
	must(t, os.WriteFile(path, []byte(strings.Repeat("rubbish ", 1000)), 0o600))
	must(t, os.WriteFile(path+"-wal", []byte("more rubbish"), 0o600))
	r, err := Restore(t.Context(), "sqlite:"+path, file, at(0), noProgress)
	must(t, err)
	if n := accepted(t, path); n != 1 {
		t.Errorf("the store has %d alerts", n)
	}
	for name, want := range map[string]string{r.Before: "rubbish rubbish", r.Before + "-wal": "more rubbish"} {
		if got, err := os.ReadFile(name); err != nil || !strings.HasPrefix(string(got), want) {
			t.Errorf("%s has %.20q, %v", name, got, err)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tocsin.db")
	storeOf(t, path, "a", "b")
	file := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(file("notes.txt"), []byte("these are my notes, not a database\n"), 0o600))
	must(t, os.WriteFile(file("empty.db"), nil, 0o600))
	foreign := sql.OpenDB(onlookerConnector("file:" + file("places.db")))
	_, err := foreign.ExecContext(t.Context(), "CREATE TABLE bookmarks (url TEXT)")
	must(t, errors.Join(err, foreign.Close()))
	storeOf(t, file("newer.db"), "n")
	newer := sql.OpenDB(onlookerConnector("file:" + file("newer.db")))
	_, err = newer.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (900, 1)")
	must(t, errors.Join(err, newer.Close()))
	for name, want := range map[string]string{
		file("notes.txt"): "not a SQLite database", file("empty.db"): "empty", file("places.db"): "tocsin has not written it", file("newer.db"): "newer tocsin",
		file("none.db"): "there is none", dir: "not a file", damagedStore(t): "damaged", path: "the store itself",
	} {
		_, err := Restore(t.Context(), "sqlite:"+path, name, at(0), noProgress)
		wantRefused(t, err, name, want)
	}
	if n := accepted(t, path); n != 2 {
		t.Errorf("the store has %d alerts", n)
	}
	if names := listed(t, dir); strings.Contains(names, "tocsin.db.2") || strings.Contains(names, "restoring") {
		t.Errorf("the folder has %s", names)
	}
}

func TestRestoreAndVacuumRefuseAStoreInUse(t *testing.T) {
	dir := t.TempDir()
	path, file := filepath.Join(dir, "tocsin.db"), filepath.Join(dir, "b.db")
	storeOf(t, file, "b")
	d := reopen(t, "sqlite:"+path)
	commit(t, d, fire(incident("a", "#db", 1)))
	_, err := Restore(t.Context(), "sqlite:"+path, file, at(0), noProgress)
	wantRefused(t, err, "another tocsin uses it (process ", "stop the daemon first")
	_, err = Vacuum(t.Context(), "sqlite:"+path, noProgress)
	wantRefused(t, err, "stop the daemon first", "every hour")
	must(t, d.Close())

	reader := sql.OpenDB(onlookerConnector("file:" + path)) // as of a shell
	must(t, reader.PingContext(t.Context()))
	must(t, reader.QueryRowContext(t.Context(), "SELECT count(*) FROM alerts").Scan(new(int64)))
	_, err = Restore(t.Context(), "sqlite:"+path, file, at(0), noProgress)
	wantRefused(t, err, "another program has the store open")
	_, err = Vacuum(t.Context(), "sqlite:"+path, noProgress)
	wantRefused(t, err, "another program has the store open")
	must(t, reader.Close())
	if n := accepted(t, path); n != 1 {
		t.Errorf("the store has %d alerts", n)
	}
}

func TestVacuumMakesTheFileSmallerAndKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tocsin.db")
	d := reopen(t, "sqlite:"+path)
	for range 100 {
		commit(t, d, bigFire())
	}
	must(t, d.Close())
	db := sql.OpenDB(onlookerConnector("file:" + path))
	_, err := db.ExecContext(t.Context(), "CREATE TABLE filler (x TEXT); INSERT INTO filler VALUES (zeroblob(1000000)); DROP TABLE filler")
	must(t, errors.Join(err, db.Close()))
	v, err := Vacuum(t.Context(), "sqlite:"+path, noProgress)
	must(t, err)
	if v.After >= v.Before || v.After != sizeOf(path) {
		t.Errorf("it says %+v, and the file has %d bytes", v, sizeOf(path))
	}
	if names := listed(t, dir); names != "tocsin.db tocsin.db.lock" {
		t.Errorf("the folder has %s", names)
	}
	if n := accepted(t, path); n != 100 {
		t.Errorf("the store has %d alerts", n)
	}
	var mode string
	b := reopen(t, "sqlite:"+path)
	must(t, b.readers.QueryRowContext(t.Context(), "PRAGMA auto_vacuum").Scan(&mode))
	if mode != "2" {
		t.Errorf("auto_vacuum is %s", mode)
	}
}
