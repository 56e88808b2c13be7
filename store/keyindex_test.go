package store

import (
	"fmt"
	"path/filepath"
	"testing"

	"tocsin/alert"
)

// TestAKeyIsFoundWhereverTheIndexHasIt opens incidents until some keys are in
// memory, some are being written, and some are in the table.
func TestAKeyIsFoundWhereverTheIndexHasIt(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "tocsin.db")
	open := func() *DB {
		d, err := Open(t.Context(), url, Options{freshKeys: 3 * leastKeys})
		must(t, err)
		return d
	}
	d := open()
	keys := 0
	for rows(t, d, "latest") == 0 || len(d.keys.fresh) == 0 || len(d.keys.queue) == 0 {
		commit(t, d, fire(incident(fmt.Sprint("first-", keys), "#db", 1)))
		if keys%3 == 0 {
			second := incident(fmt.Sprint("second-", keys), "#db", 1)
			second.Key = fmt.Sprint("key-first-", keys)
			commit(t, d, fire(second))
		}
		if keys++; keys > 1000 {
			t.Fatal("the keys never were in all three places")
		}
	}
	find := func(where string) {
		t.Helper()
		for n := range keys {
			want := fmt.Sprint("first-", n)
			if n%3 == 0 {
				want = fmt.Sprint("second-", n)
			}
			f, err := d.Load(t.Context(), alert.Query{Keys: []string{fmt.Sprint("key-first-", n)}})
			must(t, err)
			if len(f.Incidents) != 1 || f.Incidents[0].ID != want {
				t.Fatalf("%s: key %d has %+v, want %s", where, n, f.Incidents, want)
			}
		}
	}
	find("at work")
	must(t, d.write(t.Context(), (*writer).readKeys))
	find("after a crash")
	must(t, d.Close())
	d = open()
	defer func() { must(t, d.Close()) }()
	if written := rows(t, d, "latest"); written != int64(keys) || len(d.keys.fresh) != 0 {
		t.Errorf("%d keys are in the table of a store that was closed, want %d", written, keys)
	}
	find("after a restart")
}
