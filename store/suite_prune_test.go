package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"tocsin/alert"
)

// later is when everything from the tests' day is over by more than retention.
func later(d *DB) time.Time { return at(60).Add(d.keep.Load().finished) }

// rows counts a table.
func rows(t *testing.T, d *DB, table string) (n int64) {
	t.Helper()
	must(t, d.each(t.Context(), "SELECT count(*) FROM "+table, func(s scanner) error { return s.Scan(&n) }))
	return n
}

// live fires and resolves an incident, both shown.
func live(t *testing.T, d *DB, id, lane string, second int) {
	t.Helper()
	i := incident(id, lane, 1)
	commit(t, d, fire(i))
	finish(t, d, claim(t, d, lane, at(second)), alert.Delivered, at(second))
	i.Version, i.State, i.ResolvedAt = 2, alert.StateResolved, at(second)
	commit(t, d, fire(i))
	finish(t, d, claim(t, d, lane, at(second)), alert.Delivered, at(second))
}

// guard is a last row of each table, which is never forgotten.
func guard(t *testing.T, d *DB) { live(t, d, "guard", "#guard", 50) }

func ledgerOf(t *testing.T, d *DB) alert.Ledger {
	t.Helper()
	l, err := d.Ledger(t.Context())
	must(t, err)
	for _, c := range append([]alert.LaneCounts{{Counts: l.Total}}, l.Lanes...) {
		if c.Accepted != c.Pending+c.Delivered+c.Folded+c.Silenced+c.Dead {
			t.Errorf("the ledger does not balance: %+v", c)
		}
	}
	return l
}

func testRetention(t *testing.T, d *DB) {
	const many = pruneBatch/2 + 20 // of two alerts and two deliveries each
	for n := range many {
		live(t, d, fmt.Sprintf("a%03d", n), "#db", 1)
	}
	guard(t, d)
	before := ledgerOf(t, d)
	must(t, d.Prune(t.Context(), at(30)))
	if n := rows(t, d, "alerts"); n != 2*many+2 {
		t.Errorf("%d alerts are left of %d that are not old", n, 2*many+2)
	}
	must(t, d.Prune(t.Context(), later(d)))
	must(t, d.write(t.Context(), (*writer).flushKeys))
	for table, want := range map[string]int64{"alerts": 1, "deliveries": 1, "incidents": 1, "cards": 1, "latest": 1} {
		if n := rows(t, d, table); n != want {
			t.Errorf("%d rows of %s are left, want %d", n, table, want)
		}
	}
	after := ledgerOf(t, d)
	if after.Total != before.Total || !slices.Equal(after.Lanes, before.Lanes) || after.Total.Accepted != 2*many+2 {
		t.Errorf("the ledger was %+v and is %+v", before.Total, after.Total)
	}
}

func testNeverForgotten(t *testing.T, d *DB) {
	dead := fire(incident("dead", "#dead", 1))
	letter := die(t, d, dead, 1)
	resolved := incident("dead", "#dead", 2)
	resolved.State, resolved.ResolvedAt = alert.StateResolved, at(1)
	commit(t, d, alert.Change{Incidents: []alert.Incident{resolved}})
	pending := commit(t, d, fire(incident("pending", "#pending", 1)))
	sending := commit(t, d, fire(incident("sending", "#sending", 1)))
	claim(t, d, "#sending", at(1))
	open := commit(t, d, fire(incident("open", "#open", 1)))
	finish(t, d, claim(t, d, "#open", at(1)), alert.Delivered, at(1))
	guard(t, d)
	must(t, d.Prune(t.Context(), later(d)))
	wantStanding(t, d, dead, alert.StandDead)
	wantStanding(t, d, pending, alert.StandPending)
	wantStanding(t, d, sending, alert.StandPending)
	for _, id := range []string{"dead", "pending", "sending", "open"} {
		_, err := d.Incident(t.Context(), id)
		must(t, err)
	}
	if i, err := d.Incident(t.Context(), "open"); err != nil || i.Card("#open").TS == "" {
		t.Errorf("an open incident lost its card: %+v %v", i, err)
	}
	_, err := d.Await(t.Context(), open.Alerts[0].ID)
	mustBe(t, err, alert.ErrNotFound)
	retry(t, d, alert.DeadLetterSelector{ID: letter})
	finish(t, d, claim(t, d, "#dead", d.now()), alert.Delivered, at(70))
	wantStanding(t, d, dead, alert.StandDelivered)
	ledgerOf(t, d)
}

func testForgottenKey(t *testing.T, d *DB) {
	live(t, d, "old", "#db", 1)
	guard(t, d)
	must(t, d.Prune(t.Context(), later(d)))
	f, err := d.Load(t.Context(), alert.Query{Keys: []string{"key-old"}})
	must(t, err)
	if len(f.Incidents) != 0 {
		t.Errorf("the key still has %+v", f.Incidents)
	}
	// What was decided before the incident was forgotten has to be decided again.
	i := incident("old", "#db", 3)
	mustBe(t, d.Commit(t.Context(), fire(i)), alert.ErrConflict)
	mustBe(t, d.Commit(t.Context(), alert.Change{Alerts: []alert.Record{record(i, "")}}), alert.ErrConflict)
	again := incident("new", "#db", 1)
	again.Key = "key-old"
	commit(t, d, fire(again))
	f, err = d.Load(t.Context(), alert.Query{Keys: []string{"key-old"}})
	must(t, err)
	if len(f.Incidents) != 1 || f.Incidents[0].ID != "new" {
		t.Errorf("the key has %+v", f.Incidents)
	}
}

func testDeadRetention(t *testing.T, d *DB) {
	a := incident("many", "#db", 1)
	commit(t, d, fire(a))
	for a.Version = 2; a.Version <= pruneBatch+10; a.Version++ {
		commit(t, d, fire(a))
	}
	finish(t, d, claim(t, d, "#db", at(1)), alert.Dead, at(1))
	for n := range 20 {
		die(t, d, fire(incident(fmt.Sprintf("a%02d", n), "#db", 1)), 1)
	}
	young := fire(incident("young", "#db", 1))
	die(t, d, young, 40)
	dropped := die(t, d, fire(incident("dropped", "#db", 1)), 1)
	_, err := d.Drop(t.Context(), alert.DeadLetterSelector{ID: dropped})
	must(t, err)
	guard(t, d)
	before := ledgerOf(t, d)
	must(t, d.Prune(t.Context(), later(d)))
	if n := d.DeadLetters(); n != 22 {
		t.Fatalf("%d dead letters are left of 22 that are kept for ever", n)
	}
	core, log := observer.New(zap.WarnLevel)
	d.log = zap.New(core)
	must(t, d.pruneDeadLetters(t.Context(), micros(at(30))))
	if n := d.DeadLetters(); n != 1 || rows(t, d, "alerts WHERE standing = {dead}") != 1 {
		t.Errorf("%d dead letters are left, and %d alerts", n, rows(t, d, "alerts WHERE standing = {dead}"))
	}
	wantStanding(t, d, young, alert.StandDead)
	if said := log.FilterMessageSnippet("forgotten").All(); len(said) != 1 || said[0].ContextMap()["deliveries"] != int64(21) || said[0].ContextMap()["alerts"] != int64(pruneBatch+30) {
		t.Errorf("the log says %+v", said)
	}
	if after := ledgerOf(t, d); after.Total != before.Total {
		t.Errorf("the ledger was %+v and is %+v", before.Total, after.Total)
	}
}

func testNumbers(t *testing.T, d *DB) {
	live(t, d, "last", "#db", 1)
	var last int64
	highest := func(s scanner) error { return s.Scan(&last) }
	must(t, d.each(t.Context(), "SELECT max(n) FROM deliveries", highest))
	given := last
	must(t, d.Prune(t.Context(), later(d)))
	must(t, d.write(t.Context(), func(w *writer, ctx context.Context) error {
		w.deliveries = 0
		return w.each(ctx, "SELECT coalesce(max(n), 0) FROM deliveries", func(s scanner) error { return s.Scan(&w.deliveries) })
	}))
	commit(t, d, fire(incident("next", "#db", 1)))
	must(t, d.each(t.Context(), "SELECT max(n) FROM deliveries", highest))
	if last <= given {
		t.Errorf("number %d came after %d", last, given)
	}
}

func TestSpaceIsGivenBackToTheDisk(t *testing.T) {
	d := openTemp(t)
	big := func(id string) alert.Change {
		c := fire(incident(id, "#db", 1))
		c.Alerts[0].Text = strings.Repeat("x", 50_000)
		return c
	}
	for n := range 60 {
		i := commit(t, d, big(fmt.Sprintf("a%02d", n))).Incidents[0]
		finish(t, d, claim(t, d, "#db", at(1)), alert.Delivered, at(1))
		i.Version, i.State, i.ResolvedAt = 2, alert.StateResolved, at(2)
		commit(t, d, alert.Change{Incidents: []alert.Incident{i}})
	}
	guard(t, d)
	pages := func(pragma string) (n int64) {
		must(t, d.each(t.Context(), "PRAGMA "+pragma, func(s scanner) error { return s.Scan(&n) }))
		return n
	}
	before := pages("page_count")
	must(t, d.Prune(t.Context(), later(d)))
	if after, free := pages("page_count"), pages("freelist_count"); after > before/4 || free != 0 {
		t.Errorf("the file had %d pages and has %d, %d of them free", before, after, free)
	}
}
