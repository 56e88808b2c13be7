package store

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tocsin/alert"
)

// mustSay checks that an error is one line and says what it has to.
func mustSay(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", want)
	}
	for _, w := range append(want, "open store") {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q doesn't say %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error has more than one line: %q", err)
	}
}

func TestOpenMakesAPrivateFolderAndFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "tocsin %41?#.db")
	d := reopen(t, "sqlite:"+path)
	commit(t, d, fire(incident("a", "#db", 1)))
	for name, want := range map[string]os.FileMode{
		filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600, path + ".lock": 0o600,
	} {
		info, err := os.Stat(name)
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
}

func TestOpenRefusesASecondDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	first := reopen(t, "sqlite:"+path)
	_, err := Open(t.Context(), "sqlite:"+path, Options{})
	mustSay(t, err, path, "another tocsin uses it (process ", "stop that one")
	must(t, first.Close())
	second := reopen(t, "sqlite:"+path)
	must(t, second.Ping(t.Context()))
}

func TestOpenRefusesASecondDaemonUnderAnotherName(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "tocsin.db"), filepath.Join(dir, "link.db")
	must(t, reopen(t, "sqlite:"+path).Close())
	must(t, os.Symlink(path, link))
	reopen(t, "sqlite:"+link)
	_, err := Open(t.Context(), "sqlite:"+path, Options{})
	mustSay(t, err, path, "another tocsin")
}

func TestOpenLeavesTheDatabaseOfAnotherProgramAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "places.sqlite")
	db := sql.OpenDB(onlookerConnector("file:" + path))
	_, err := db.ExecContext(t.Context(), "CREATE TABLE bookmarks (url TEXT)")
	must(t, err)
	must(t, db.Close())
	before, err := os.ReadFile(path)
	must(t, err)
	_, err = Open(t.Context(), "sqlite:"+path, Options{})
	mustSay(t, err, path, "another program", "TOCSIN_STORE")
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed (%v)", err)
	}
}

func TestOpenRefusesWhatItCannotUse(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	text := write("notes.txt", "these are my notes, not a database\n")
	cut := write("cut.db", "SQLite format 3\x00"+strings.Repeat("\xff", 4080))
	pipe := filepath.Join(dir, "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	for name, c := range map[string]struct {
		url  string
		want []string
	}{
		"a pipe":         {"sqlite:" + pipe, []string{pipe, "not a file", "TOCSIN_STORE"}},
		"another kind":   {"mysql://x", []string{"sqlite:PATH"}},
		"no path":        {"sqlite:", []string{"no file"}},
		"no database":    {"sqlite:" + text, []string{text, "not a SQLite database", "move it away"}},
		"a damaged one":  {"sqlite:" + cut, []string{cut, "damaged", "move it away"}},
		"no folder":      {"sqlite:" + text + "/tocsin.db", []string{text, "TOCSIN_STORE"}},
		"a folder":       {"sqlite:" + dir, []string{dir}},
		"not a writable": {"sqlite:/proc/tocsin/tocsin.db", []string{"/proc/tocsin", "right to write"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), c.url, Options{})
			mustSay(t, err, c.want...)
		})
	}
	if got, err := os.ReadFile(text); err != nil || !strings.HasPrefix(string(got), "these are my notes") {
		t.Errorf("a foreign file was changed: %q %v", got, err)
	}
}

func TestOpenOnAFullDiskAsksForRoom(t *testing.T) {
	disk := smallDisk(t)
	if err := os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, 5<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	_, err := Open(t.Context(), "sqlite:"+filepath.Join(disk, "tocsin.db"), Options{})
	mustSay(t, err, disk, "make room")
}

func TestOpenRefusesADamagedPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	d := reopen(t, "sqlite:"+path)
	for n := range 50 {
		commit(t, d, fire(incident(alert.NewID(), "#db", 1)))
		_ = n
	}
	must(t, d.Close())
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	for page := int64(3); page < 20; page++ {
		_, err = f.WriteAt([]byte(strings.Repeat("\xee", 2000)), page*4096)
		must(t, err)
	}
	must(t, f.Close())
	_, err = Open(t.Context(), "sqlite:"+path, Options{})
	mustSay(t, err, path, "damaged", "restore it from a backup")
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	d := reopen(t, "sqlite:"+path)
	must(t, d.write(t.Context(), func(w *writer, ctx context.Context) error {
		_, err := w.exec(ctx, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (900, 1)")
		return err
	}))
	must(t, d.Close())
	_, err := Open(t.Context(), "sqlite:"+path, Options{})
	mustSay(t, err, path, "newer tocsin", "schema 900")
}

func TestEveryConnectionIsDurable(t *testing.T) {
	d := openTemp(t)
	want := map[string]string{
		"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "5000",
		"auto_vacuum": "2", "journal_size_limit": "67108864", "wal_autocheckpoint": "8000",
	}
	for pragma, value := range want {
		var got string
		must(t, d.write(t.Context(), func(w *writer, ctx context.Context) error {
			return w.each(ctx, "PRAGMA "+pragma, func(s scanner) error { return s.Scan(&got) })
		}))
		if got != value {
			t.Errorf("%s is %s, want %s", pragma, got, value)
		}
	}
	if _, err := d.readers.Exec("DELETE FROM alerts"); err == nil {
		t.Error("a reader can write")
	}
}

func TestConnectionThatIsNotDurableIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	c := sqliteConnector{dsn: strings.Replace(sqliteDSN(path, false), "FULL", "NORMAL", 1)}
	if _, err := c.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "synchronous") {
		t.Errorf("got %v, want an error about synchronous", err)
	}
}

func TestClosedStoreRefusesEverything(t *testing.T) {
	d := openTemp(t)
	must(t, d.Close())
	must(t, d.Close())
	mustBe(t, d.Commit(t.Context(), fire(incident("a", "#db", 1))), alert.ErrUnavailable)
	mustBe(t, d.Ping(t.Context()), alert.ErrUnavailable)
}
