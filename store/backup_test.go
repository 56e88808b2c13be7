package store

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"tocsin/alert"
)

func noProgress(int64, int64) {}

// backUp backs a store up as it is now.
func backUp(t *testing.T, url, file string) (Report, error) {
	t.Helper()
	s, err := OpenSnapshot(t.Context(), url)
	must(t, err)
	r, err := s.Backup(t.Context(), file, noProgress)
	return r, errors.Join(err, s.Close())
}

// listed are the names in a folder.
func listed(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	names := make([]string, len(entries))
	for n, e := range entries {
		names[n] = e.Name()
	}
	return strings.Join(names, " ")
}

// wantRefused checks that an error is one line that says what it has to.
func wantRefused(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q doesn't say %q in one line", err, w)
		}
	}
}

func TestABackupUnderLoadHasWhatWasAcceptedAndBalances(t *testing.T) {
	dir := t.TempDir()
	url, file := "sqlite:"+filepath.Join(dir, "tocsin.db"), filepath.Join(dir, "backup.db")
	d := reopen(t, url)
	load, stop := context.WithCancel(t.Context())
	var pushers sync.WaitGroup
	var mu sync.Mutex
	var accepted []string
	enough := make(chan struct{})
	for range 4 {
		pushers.Go(func() {
			for load.Err() == nil {
				c := bigFire()
				if d.Commit(load, c) != nil {
					continue
				}
				mu.Lock()
				if accepted = append(accepted, c.Alerts[0].ID); len(accepted) == 200 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	pushers.Go(func() {
		for load.Err() == nil && deliverOne(d, "#db") == nil {
		}
	})
	<-enough
	mu.Lock()
	before := accepted
	mu.Unlock()
	r, err := backUp(t, url, file)
	stop()
	pushers.Wait()
	must(t, err)
	if !r.OK || r.Ledger.Accepted < int64(len(before)) {
		t.Errorf("the report is %+v, and %d were accepted before", r, len(before))
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup has %v, %v", info, err)
	}
	if names := listed(t, dir); names != "backup.db tocsin.db tocsin.db-shm tocsin.db-wal tocsin.db.lock" {
		t.Errorf("the folder has %s", names)
	}
	b := reopen(t, "sqlite:"+file)
	if l := balanced(t, b); l.Total != r.Ledger {
		t.Errorf("the backup's ledger is %+v, reported were %+v", l.Total, r.Ledger)
	}
	for _, id := range before {
		if _, _, err := b.record(t.Context(), id); err != nil {
			t.Errorf("alert %s was accepted before the backup began: %v", id, err)
		}
	}
}

func TestABackupReplacesNothing(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	url := "sqlite:" + filepath.Join(dir, "tocsin.db")
	commit(t, reopen(t, url), fire(incident("a", "#db", 1)))
	precious := filepath.Join(out, "precious")
	must(t, os.WriteFile(precious, []byte("not a backup"), 0o644))
	must(t, os.Symlink("nowhere", filepath.Join(out, "link")))
	for name, want := range map[string]string{
		precious: "already", out: "folder", filepath.Join(out, "link"): "already", filepath.Join(dir, "tocsin.db"): "already",
		filepath.Join(out, "none", "b.db"): "folder first", filepath.Join(out, "none") + "/": "no such folder", "": "name a file",
	} {
		_, err := backUp(t, url, name)
		wantRefused(t, err, name, want)
	}
	if got, err := os.ReadFile(precious); err != nil || string(got) != "not a backup" {
		t.Errorf("the file that was there has %q, %v", got, err)
	}
	if names := listed(t, out); names != "link precious" {
		t.Errorf("the folder has %s", names)
	}
}

func TestABackupOnAFullDiskLeavesNothingBehind(t *testing.T) {
	disk := smallDisk(t)
	url := "sqlite:" + filepath.Join(t.TempDir(), "tocsin.db")
	d := reopen(t, url)
	for range 300 {
		commit(t, d, bigFire())
	}
	_, err := backUp(t, url, filepath.Join(disk, "b.db"))
	wantRefused(t, err, "b.db", "the disk is full")
	if names := listed(t, disk); names != "" {
		t.Errorf("the disk has %s", names)
	}
}

func TestABackupIsMadeOneAtATime(t *testing.T) {
	dir := t.TempDir()
	url := "sqlite:" + filepath.Join(dir, "tocsin.db")
	commit(t, reopen(t, url), fire(incident("a", "#db", 1)))
	s, err := OpenSnapshot(t.Context(), url)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	var second error
	_, err = s.Backup(t.Context(), filepath.Join(dir, "one.db"), func(int64, int64) {
		_, second = backUp(t, url, filepath.Join(dir, "one.db"))
	})
	must(t, err)
	wantRefused(t, second, "another backup")
}

func TestABackupThatIsInterruptedLeavesNothingBehind(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	url := "sqlite:" + filepath.Join(dir, "tocsin.db")
	commit(t, reopen(t, url), fire(incident("a", "#db", 1)))
	s, err := OpenSnapshot(t.Context(), url)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = s.Backup(ctx, filepath.Join(out, "b.db"), func(int64, int64) { cancel() })
	mustBe(t, err, context.Canceled)
	if names := listed(t, out); names != "" {
		t.Errorf("the folder has %s", names)
	}
}

// checked is what Check says of a store.
func checked(t *testing.T, url string) Report {
	t.Helper()
	s, err := OpenSnapshot(t.Context(), url)
	must(t, err)
	r, err := s.Check(t.Context())
	must(t, errors.Join(err, s.Close()))
	return r
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	for name, e := range engineTests() {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct{ change, says string }{
				{"UPDATE counts SET pending = 7", "the ledger of #db has 7 pending"},
				{"DELETE FROM alerts WHERE n = (SELECT min(n) FROM alerts)", "incidents whose alert is missing: 1"},
				{"DELETE FROM deliveries WHERE n IN (SELECT shown FROM alerts)", "alerts whose delivery is missing: 2"},
				{"DELETE FROM alerts", "there are no alerts, of 2 in the ledger"},
			} {
				url, db := e.begin(t)
				must(t, db.Close())
				d := reopen(t, url)
				for n, key := range []string{"a", "b"} {
					commit(t, d, fire(incident(key, "#db", 1)))
					finish(t, d, claim(t, d, "#db", at(10*n)), alert.Delivered, at(10*n+1))
				}
				if r := checked(t, url); !r.OK || len(r.Problems) > 0 || r.Ledger != (alert.Counts{Accepted: 2, Delivered: 2}) {
					t.Errorf("of a good store it says %+v", r)
				}
				must(t, d.write(t.Context(), func(w *writer, ctx context.Context) error {
					_, err := w.exec(ctx, c.change)
					return err
				}))
				if r := checked(t, url); r.OK || !strings.Contains(strings.Join(r.Problems, "\n"), c.says) {
					t.Errorf("after %s it says %+v", c.change, r)
				}
			}
		})
	}
}

func TestCheckMissesNothingThatWasForgottenAfterItsRetention(t *testing.T) {
	for name, e := range engineTests() {
		t.Run(name, func(t *testing.T) {
			url, db := e.begin(t)
			must(t, db.Close())
			d := reopen(t, url)
			commit(t, d, fire(incident("a", "#db", 1)))
			finish(t, d, claim(t, d, "#db", at(1)), alert.Delivered, at(2))
			commit(t, d, fire(incident("b", "#db", 1)))
			must(t, d.Prune(t.Context(), at(100*24*3600))) // the ledger goes on counting
			if r := checked(t, url); !r.OK || len(r.Problems) > 0 || r.Ledger != (alert.Counts{Accepted: 2, Pending: 1, Delivered: 1}) {
				t.Errorf("it says %+v", r)
			}
		})
	}
}

func TestCheckFindsADamagedFile(t *testing.T) {
	s, err := OpenSnapshot(t.Context(), "sqlite:"+damagedStore(t))
	must(t, err)
	r, err := s.Check(t.Context())
	must(t, errors.Join(err, s.Close()))
	if r.OK || len(r.Problems) == 0 {
		t.Errorf("it says %+v", r)
	}
}

// damagedStore is a store that opens, with pages of rubbish.
func damagedStore(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "damaged.db")
	d := reopen(t, "sqlite:"+path)
	for range 100 {
		commit(t, d, bigFire())
	}
	must(t, d.Close())
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	info, err := f.Stat()
	must(t, err)
	for page := info.Size()/4096 - 40; page < info.Size()/4096-10; page++ {
		_, err = f.WriteAt([]byte(strings.Repeat("\xee", 2000)), page*4096)
		must(t, err)
	}
	must(t, f.Close())
	return path
}

func TestSizesCountEveryTable(t *testing.T) {
	for name, e := range engineTests() {
		t.Run(name, func(t *testing.T) {
			url, db := e.begin(t)
			must(t, db.Close())
			d := reopen(t, url)
			for range 3 {
				commit(t, d, bigFire())
			}
			s, err := OpenSnapshot(t.Context(), url)
			must(t, err)
			z, err := s.Sizes(t.Context())
			must(t, errors.Join(err, s.Close()))
			rows := map[string]int64{}
			for _, table := range z.Tables {
				rows[table.Name] = table.Rows
				if table.Bytes > z.Bytes {
					t.Errorf("%+v is larger than the store, which has %d", table, z.Bytes)
				}
			}
			if rows["alerts"] != 3 || rows["deliveries"] != 3 || rows["incidents"] != 3 || z.Bytes == 0 || z.Ledger.Pending != 3 {
				t.Errorf("sizes are %+v", z)
			}
			if z.OldestAlert.IsZero() || !z.OldestPending.Equal(z.OldestAlert) || z.NewestAlert.Before(z.OldestAlert) || !z.OldestDead.IsZero() {
				t.Errorf("ages are %+v", z)
			}
		})
	}
}

func TestPostgreSQLIsLeftToItsOwnTools(t *testing.T) {
	url := postgresSchema(t)
	must(t, reopen(t, url).Close())
	_, err := backUp(t, url, "b.db")
	wantRefused(t, err, "pg_dump")
	_, err = Restore(t.Context(), url, "b.db", at(0), noProgress)
	wantRefused(t, err, "pg_restore")
	_, err = Vacuum(t.Context(), url, noProgress)
	wantRefused(t, err, "autovacuum")
}

// TestTheViewsShowWhatIsThere reads the documented columns of both engines.
func TestTheViewsShowWhatIsThere(t *testing.T) {
	for name, e := range engineTests() {
		t.Run(name, func(t *testing.T) {
			url, db := e.begin(t)
			must(t, db.Close())
			d := reopen(t, url)
			commit(t, d, fire(incident("a", "#db", 1)))
			finish(t, d, claim(t, d, "#db", at(1)), alert.Delivered, at(2))
			commit(t, d, fire(incident("b", "#db", 1)))
			for query, want := range map[string]string{
				"SELECT key, state, severity, alerts FROM v_incidents ORDER BY first_at, key":                                      "key-a open error 1;key-b open error 1;",
				"SELECT key, status, standing, lane, delivered_at IS NULL FROM v_alerts ORDER BY accepted_at, key":                 "key-a firing delivered #db no;key-b firing pending #db yes;",
				"SELECT lane, kind, state, conversation, next_at IS NULL FROM v_deliveries ORDER BY state":                         "#db post delivered C1 yes;#db post pending none yes;",
				"SELECT i.title, d.ts FROM v_deliveries d JOIN v_incidents i ON i.id = d.incident WHERE d.state = 'delivered'":     "disk full 100.1;",
				"SELECT a.title, a.labels, i.labels FROM v_alerts a JOIN v_incidents i ON i.id = a.incident WHERE i.key = 'key-a'": "",
				"SELECT id, source, route, lanes, last_at, acked_at, acked_by, assignee, resolved_by, hidden_by FROM v_incidents":  "",
				"SELECT id, reason, text, source, idempotency_key, delivery FROM v_alerts":                                         "",
				"SELECT id, created_at, started_at, done_at, attempts, class, reason, via, possible_duplicate FROM v_deliveries":   "",
			} {
				rows, err := d.readers.QueryContext(t.Context(), query)
				must(t, err)
				if got := inLines(t, rows); want != "" && got != want || got == "" {
					t.Errorf("%s\ngives %q, want %q", query, got, want)
				}
			}
		})
	}
}

// TestTheViewsAreAsDocumented compares the columns of docs/sql.md with those of the views, and
// runs its examples.
func TestTheViewsAreAsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/sql.md")
	must(t, err)
	for name, e := range engineTests() {
		t.Run(name, func(t *testing.T) {
			url, db := e.begin(t)
			must(t, db.Close())
			db = reopen(t, url).readers
			views, examples := 0, 0
			for part := range strings.SplitSeq(string(doc), "\n## ") {
				view, text, _ := strings.Cut(part, "\n")
				if strings.HasPrefix(view, "v_") {
					views++
					sameColumns(t, db, view, text)
				}
				for section := range strings.SplitSeq(text, "\n### ") {
					if heading, _, _ := strings.Cut(section, "\n"); strings.HasPrefix(heading, "In ") && heading != "In "+name {
						continue
					}
					for _, block := range strings.Split(section, "```sql\n")[1:] {
						query, _, _ := strings.Cut(block, "```")
						examples++
						if _, err := db.ExecContext(t.Context(), query); err != nil {
							t.Errorf("%s\n%v", query, err)
						}
					}
				}
			}
			if views != 3 || examples < 5 {
				t.Errorf("found %d views and %d examples", views, examples)
			}
		})
	}
}

func sameColumns(t *testing.T, db *sql.DB, view, text string) {
	t.Helper()
	var documented []string
	for _, row := range strings.Split(text, "\n| `")[1:] {
		column, _, _ := strings.Cut(row, "`")
		documented = append(documented, column)
	}
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+view+" WHERE 1 = 0")
	must(t, err)
	defer func() { must(t, rows.Close()) }()
	columns, err := rows.Columns()
	must(t, errors.Join(err, rows.Err()))
	if !slices.Equal(columns, documented) {
		t.Errorf("%s has the columns %q, documented are %q", view, columns, documented)
	}
}

// inLines are the rows of an answer as text.
func inLines(t *testing.T, rows *sql.Rows) string {
	t.Helper()
	var b strings.Builder
	columns, err := rows.Columns()
	must(t, err)
	must(t, scanAll(rows, func(s scanner) error {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for n := range values {
			into[n] = &values[n]
		}
		err := s.Scan(into...)
		words := make([]string, len(values))
		for n, v := range values {
			switch words[n] = fmt.Sprint(v); {
			case v == nil:
				words[n] = "none"
			case strings.HasSuffix(columns[n], "column?") || strings.HasSuffix(columns[n], "NULL"):
				words[n] = map[string]string{"true": "yes", "1": "yes", "false": "no", "0": "no"}[words[n]]
			}
		}
		b.WriteString(strings.Join(words, " ") + ";")
		return err
	}))
	return b.String()
}

// restoreChild tells the test binary to back up or restore a store. It prints a line for each
// step, and goes on when it is answered by one.
const restoreChild = "TOCSIN_RESTORE_CHILD"

// TestRestoreChild does nothing unless another test starts it.
func TestRestoreChild(t *testing.T) {
	words := strings.Fields(os.Getenv(restoreChild))
	if len(words) == 0 {
		return
	}
	answers := bufio.NewScanner(os.Stdin)
	show := func(int64, int64) {
		_, _ = fmt.Fprintln(os.Stdout, "step") // the parent reads it
		answers.Scan()
	}
	if words[0] == "backup" {
		s, err := OpenSnapshot(context.Background(), words[1])
		must(t, err)
		_, err = s.Backup(context.Background(), words[2], show)
		must(t, err)
		return
	}
	_, err := Restore(context.Background(), words[1], words[2], at(0), show)
	must(t, err)
	show(0, 0)
}

// killedAt runs a child, kills it after so many steps, and reports whether it was done before.
func killedAt(t *testing.T, step int, words ...string) (done bool) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRestoreChild$")
	child.Env = append(os.Environ(), restoreChild+"="+strings.Join(words, " "))
	out, err := child.StdoutPipe()
	must(t, err)
	in, err := child.StdinPipe()
	must(t, err)
	must(t, child.Start())
	n := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "step" {
			if n++; n == step {
				must(t, child.Process.Kill())
			} else {
				_, _ = fmt.Fprintln(in) // it waits for this
			}
		}
	}
	return child.Wait() == nil
}

// largeStore is a store with enough for several steps of progress.
func largeStore(t *testing.T, path string) {
	t.Helper()
	d := reopen(t, "sqlite:"+path)
	for range largeAlerts {
		c := fire(incident(alert.NewID(), "#db", 1))
		c.Alerts[0].Text = strings.Repeat("x", 250_000)
		commit(t, d, c)
	}
	must(t, d.Close())
}

const largeAlerts = 60

func TestAKilledBackupIsNoBackupAndDoesNotHinderTheNext(t *testing.T) {
	dir := t.TempDir()
	path, file := filepath.Join(dir, "tocsin.db"), filepath.Join(dir, "b.db")
	largeStore(t, path)
	for step := 1; step <= 3; step++ {
		if killedAt(t, step, "backup", "sqlite:"+path, file) {
			t.Fatalf("the backup was done before step %d", step)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("there is a backup after a kill at step %d", step)
		}
	}
	r, err := backUp(t, "sqlite:"+path, file)
	must(t, err)
	if r.Ledger.Accepted != largeAlerts {
		t.Errorf("the backup has %+v", r.Ledger)
	}
	if names := listed(t, dir); strings.Contains(names, "partial") {
		t.Errorf("the folder has %s", names)
	}
}

func TestAKilledRestoreLeavesTheOldStoreOrTheNewOne(t *testing.T) {
	dir := t.TempDir()
	path, file := filepath.Join(dir, "tocsin.db"), filepath.Join(dir, "b.db")
	largeStore(t, path)
	_, err := backUp(t, "sqlite:"+path, file)
	must(t, err)
	d := reopen(t, "sqlite:"+path)
	commit(t, d, fire(incident("after the backup", "#db", 1)))
	must(t, d.Close())
	for step := 1; ; step++ {
		done := killedAt(t, step, "restore", "sqlite:"+path, file)
		d := reopen(t, "sqlite:"+path)
		accepted := balanced(t, d).Total.Accepted
		must(t, d.Close())
		if accepted != largeAlerts+1 && accepted != largeAlerts || done && accepted != largeAlerts {
			t.Fatalf("killed at step %d (done: %v) the store has %d alerts", step, done, accepted)
		}
		if accepted == largeAlerts {
			if step < 4 {
				t.Errorf("it was restored at step %d", step)
			}
			return
		}
	}
}
