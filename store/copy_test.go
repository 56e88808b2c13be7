package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tocsin/alert"
)

// filled makes a store that has rows in each table, and closes it.
func filled(t *testing.T, url string) {
	t.Helper()
	d := reopen(t, url)
	for n := range 40 {
		i := incident(fmt.Sprintf("key-%d", n), fmt.Sprintf("#lane-%d", n%7), 1)
		i.Text = strings.Repeat("naïve 'text'\n", n*50)
		commit(t, d, fire(i))
	}
	for n := range 5 {
		must(t, deliverOne(d, fmt.Sprintf("#lane-%d", n)))
	}
	must(t, d.Close())
	each(t, url, func(db *sql.DB) {
		for _, row := range []string{
			"INSERT INTO aliases (spelling, lane) VALUES ('#Ünïcode', 1), ('#a', 2), ('#B', 3)",
			"INSERT INTO members (id, incident, key, n, rank, severity, began_at, last_at, ended_at, expires_at, silence, silenced_until, closed, due_at, body) VALUES (-5, 1, 7, 1, 2, 2, 1, 1, 0, 0, '', 0, 0, 0, '{}'), (4611686018427387904, 1, 8, 2, 2, 2, 1, 1, 0, 0, '', 0, 0, 0, '{}')",
			"INSERT INTO destinations (lane, code, hint, since, probe_at) VALUES (1, 'is_archived', '', 1, 2)",
			"INSERT INTO history (n, incident, silence, at, verb, by_whom, to_whom, text, once) VALUES (1, 1, '', 1, 'noted', 'U0ANN|ann', '', 'x', ''), (2, NULL, 's-a', 1, 'ended', '', '', '', '')",
			"INSERT INTO silences (n, id, matchers, created_at, ends_at, by_whom, why, ended_by, hidden) VALUES (1, 's-a', '[]', 1, 2, 'ann', '', '', 0)",
			"INSERT INTO subscriptions (n, person, matchers, created_at) VALUES (1, 'U0ANN', '[]', 1)",
			"INSERT INTO heartbeats (name, configured, began_at, last_at, due_at, missing_at, terms) VALUES ('b', 1, 1, 1, 1, 0, '{}'), ('B', 0, 1, 1, 1, 0, '{}')",
			"INSERT INTO homes (person, hash) VALUES ('U0ANN', 'x')",
			"INSERT INTO arrivals (id, request, arrived_at) VALUES ('b', '{}', 1), ('a', '{}', 2)",
		} {
			if _, err := db.Exec(row); err != nil {
				t.Fatalf("%s: %v", row, err)
			}
		}
		many := make([]string, 5*copiedRows/2)
		for n := range many {
			many[n] = fmt.Sprintf("(%d, 'U%d', '[]', 1)", n+2, n)
		}
		_, err := db.Exec("INSERT INTO subscriptions (n, person, matchers, created_at) VALUES " + strings.Join(many, ", "))
		must(t, err)
	})
	d = reopen(t, url)
	for n := range 3 {
		_, err := d.Receive(t.Context(), alert.Envelope{ID: fmt.Sprint("e", n), Type: "events_api", Payload: []byte{0, 255, byte(n)}, ReceivedAt: at(1)})
		must(t, err)
	}
	must(t, d.Close())
}

// each hands a closed store's database to do.
func each(t *testing.T, url string, do func(*sql.DB)) {
	t.Helper()
	driver, source := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, source = "sqlite", path
	}
	db, err := sql.Open(driver, source)
	must(t, err)
	do(db)
	must(t, db.Close())
}

// dumped is all that a closed store has, by table.
func dumped(t *testing.T, url string) map[string]string {
	t.Helper()
	dump := map[string]string{}
	each(t, url, func(db *sql.DB) {
		for _, table := range tables {
			dump[table.name] = dumpedTable(t, db, table.name)
		}
	})
	return dump
}

func dumpedTable(t *testing.T, db *sql.DB, table string) string {
	t.Helper()
	rows, err := db.Query("SELECT * FROM " + table)
	must(t, err)
	defer func() { must(t, rows.Close()) }()
	columns, err := rows.Columns()
	must(t, err)
	var lines []string
	for rows.Next() {
		row, err := values(rows, len(columns))
		must(t, err)
		cells := make([]string, len(row))
		for n, value := range row {
			cells[n] = fmt.Sprintf("%s=%v", columns[n], value)
		}
		slices.Sort(cells)
		lines = append(lines, strings.Join(cells, " "))
	}
	must(t, rows.Err())
	slices.Sort(lines)
	if len(lines) == 0 {
		t.Errorf("table %s has no rows, so that nothing is known of its copy", table)
	}
	return strings.Join(lines, "\n")
}

func wantSame(t *testing.T, url, other string) {
	t.Helper()
	have, want := dumped(t, url), dumped(t, other)
	for name := range want {
		if have[name] != want[name] {
			t.Errorf("table %s of the copy has\n%s\nand the store\n%s", name, have[name], want[name])
		}
	}
}

// engineURL makes the URL of a new store for each engine.
var engineURL = map[string]func(t *testing.T) string{
	"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "tocsin.db") },
	"postgres": func(t *testing.T) string { return postgresSchema(t) },
}

// onEachPair runs a test with each engine as the one that is copied and as the new one.
func onEachPair(t *testing.T, test func(t *testing.T, from, to string)) {
	for from, old := range engineURL {
		for to, fresh := range engineURL {
			t.Run(from+" to "+to, func(t *testing.T) { test(t, old(t), fresh(t)) })
		}
	}
}

func TestACopyHasEveryRowAndTheDaemonGoesOnWithIt(t *testing.T) {
	onEachPair(t, func(t *testing.T, from, to string) {
		filled(t, from)
		r, err := copyStore(t, from, to, noProgress)
		must(t, err)
		if !r.OK || r.Ledger.Accepted != 40 || r.Ledger.Delivered != 5 || r.Kept != 0 {
			t.Errorf("it says %+v", r)
		}
		wantSame(t, to, from)
		d := reopen(t, to)
		if l := balanced(t, d); l.Total != r.Ledger {
			t.Errorf("the ledger is %+v, reported were %+v", l.Total, r.Ledger)
		}
		commit(t, d, fire(incident("after", "#lane-1", 1)))
		fresh, err := d.Receive(t.Context(), alert.Envelope{ID: "after", Type: "events_api", ReceivedAt: at(1)})
		if must(t, err); !fresh {
			t.Error("a new envelope counts as known")
		}
	})
}

// copyStore waits for a server that has not ended the session of a closed store yet.
func copyStore(t *testing.T, from, to string, p Progress) (Copied, error) {
	for {
		if r, err := Copy(t.Context(), from, to, p); !errors.Is(err, ErrHeld) {
			return r, err
		}
	}
}

// A copy that is interrupted after any row goes on where it was, also when the store has
// changed meanwhile, and is used by no daemon before it is complete.
func TestAnInterruptedCopyGoesOnAndIsUsedByNobody(t *testing.T) {
	onEachPair(t, func(t *testing.T, from, to string) {
		filled(t, from)
		var all int64
		_, err := copyStore(t, from, engineURL["sqlite"](t), func(_, total int64) { all = total })
		must(t, err)
		var kept int64
		for stop := int64(1); stop < all; stop += all / 3 {
			ctx, cancel := context.WithCancel(t.Context())
			_, err := Copy(ctx, from, to, func(done, _ int64) {
				if done == stop {
					cancel()
				}
			})
			if errors.Is(err, ErrHeld) {
				stop -= all / 3
				continue
			}
			mustBe(t, err, context.Canceled)
			_, err = Open(t.Context(), to, Options{})
			for errors.Is(err, ErrHeld) {
				_, err = Open(t.Context(), to, Options{})
			}
			wantRefused(t, err, "unfinished copy of ")
			d := reopen(t, from)
			must(t, deliverOne(d, "#lane-6"))
			must(t, d.Close())
		}
		r, err := copyStore(t, from, to, func(done, total int64) { kept = total })
		must(t, err)
		if r.Rows != kept || r.Kept == 0 || r.Kept == r.Rows {
			t.Errorf("it says %+v of %d rows", r, kept)
		}
		wantSame(t, to, from)
	})
}

func TestACopyReplacesNothingAndRefusesWhatIsInUse(t *testing.T) {
	fresh := func() string { return engineURL["sqlite"](t) }
	old, used, other := fresh(), fresh(), fresh()
	filled(t, old)
	filled(t, other)
	unfinished := fresh()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Copy(ctx, old, unfinished, noProgress)
	if err == nil {
		t.Fatal("a copy whose context has ended succeeds")
	}
	ctx, cancel = context.WithCancel(t.Context())
	_, err = Copy(ctx, old, unfinished, func(int64, int64) { cancel() })
	mustBe(t, err, context.Canceled)
	reopenAnswering(t, used, time.Minute)
	for _, c := range []struct{ from, to, want string }{
		{old, old, "onto itself"},
		{old, other, "not empty"},
		{other, unfinished, "an unfinished copy of " + strings.TrimPrefix(old, "sqlite:")},
		{unfinished, fresh(), "unfinished copy of"},
		{used, fresh(), "another tocsin uses it"},
		{old, used, "another tocsin uses it"},
		{fresh(), fresh(), "there is none"},
		{old, "mysql:x", "unknown kind"},
	} {
		_, err := Copy(t.Context(), c.from, c.to, noProgress)
		wantRefused(t, err, c.want)
	}
	d := reopen(t, other)
	if n := balanced(t, d).Total.Accepted; n != 40 {
		t.Errorf("the store that is not empty has %d alerts", n)
	}
}

// Root copies for the daemon, which has a user of its own.
func TestACopyBelongsToTheOwnerOfItsFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, path := "sqlite:"+filepath.Join(dir, "old.db"), filepath.Join(dir, "tocsin", "new.db")
	filled(t, from)
	must(t, os.Mkdir(filepath.Dir(path), 0o700))
	if os.Getuid() == 0 {
		must(t, os.Chown(filepath.Dir(path), 4242, 4243))
	}
	want := owner(t, filepath.Dir(path))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Copy(ctx, from, "sqlite:"+path, func(done, _ int64) {
		if done < 100 {
			return
		}
		cancel()
		for _, ending := range []string{"", "-wal", "-shm", ".lock"} {
			if got := owner(t, path+ending); got != want {
				t.Errorf("while it is written, %s belongs to %s, and its folder to %s", "new.db"+ending, got, want)
			}
		}
	})
	if err == nil {
		t.Fatal("it was not interrupted")
	}
	_, err = Copy(t.Context(), from, "sqlite:"+path, func(int64, int64) {})
	must(t, err)
	for _, name := range walkFolder(t, filepath.Dir(path)) {
		if got := owner(t, name); got != want {
			t.Errorf("%s belongs to %s, and its folder to %s", name, got, want)
		}
	}
}

// owner is the user and group of a file.
func owner(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatalf("%s has no owner", path)
	}
	return fmt.Sprintf("%d:%d", stat.Uid, stat.Gid)
}

func walkFolder(t *testing.T, dir string) (paths []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	must(t, err)
	for _, one := range all {
		paths = append(paths, filepath.Join(dir, one.Name()))
	}
	return paths
}
