package store

import (
	"fmt"
	"slices"
	"testing"

	"tocsin/alert"
)

func testInhibited(t *testing.T, d *DB) {
	hidden := func(id, by string, state alert.State) {
		i := incident(id, "#db", 1)
		i.State, i.InhibitedBy, i.HeldUntil = state, by, at(5)
		commit(t, d, fire(i))
	}
	source := incident("b234", "#db", 1)
	source.Severity, source.Labels = alert.Critical, map[string]string{"cluster": "x"}
	commit(t, d, fire(source))
	finish(t, d, claim(t, d, "#db", at(1)), alert.Delivered, at(1))
	hidden("b235", "b234", alert.Open)
	hidden("b236", "b239", alert.Acked)
	hidden("b237", "b234", alert.StateResolved)
	hidden("b238", "b234", alert.Acked)
	silenced := incident("b239", "#db", 1)
	silenced.Silence, silenced.SilencedUntil = "s-b234", at(50)
	commit(t, d, fire(silenced))

	all := load(t, d, alert.Query{Inhibitors: true}).Inhibitors
	if slices.Sort(all); fmt.Sprint(all) != "[b234 b239]" {
		t.Errorf("others are inhibited by %v, want b234 and b239", all)
	}
	f := load(t, d, alert.Query{InhibitedBy: []string{"b234", "b999"}})
	wantIDs(t, "inhibited by it", f.Incidents, "b235", "b238")
	if i := f.Incidents[0]; i.InhibitedBy != "b234" || i.Silence != "" || !i.HeldUntil.Equal(at(5)) {
		t.Errorf("an inhibited incident is read as %+v", i)
	}
	wantIDs(t, "after the first", load(t, d, alert.Query{InhibitedBy: []string{"b234", "b239"}, After: "b235"}).Incidents, "b236", "b238")
	wantIDs(t, "after the last", load(t, d, alert.Query{InhibitedBy: []string{"b234"}, After: "b238"}).Incidents)
	for id, want := range map[string]int{"b234": 2, "b239": 1, "b235": 0, "": 0} {
		if n, err := d.Inhibits(t.Context(), id); n != want || err != nil {
			t.Errorf("%q inhibits %d incidents, want %d (%v)", id, n, want, err)
		}
	}
	if i := load(t, d, alert.Query{IDs: []string{"b239"}}).Incidents[0]; i.Silence != "s-b234" || i.InhibitedBy != "" {
		t.Errorf("a silenced incident is read as %+v", i)
	}
	shown := f.Incidents[1]
	shown.Version, shown.InhibitedBy = 2, ""
	commit(t, d, fire(shown))
	wantIDs(t, "still inhibited by it", load(t, d, alert.Query{InhibitedBy: []string{"b234"}}).Incidents, "b235")
}

func testSources(t *testing.T, d *DB) {
	for n, state := range []alert.State{alert.Open, alert.Acked, alert.StateResolved, alert.Open, alert.Open} {
		i := incident(fmt.Sprint("b23", n+4), "#db", 1)
		i.State, i.Labels = state, map[string]string{"cluster": []string{"x", "y", "x", "z", "y"}[n]}
		if n == 1 {
			i.Group = &alert.Group{Total: 2}
		}
		commit(t, d, fire(i))
	}
	f := load(t, d, alert.Query{Sources: []alert.Matchers{matchers(t, `cluster="x"`), matchers(t, `cluster="y", title="disk full"`)}})
	slices.SortFunc(f.Sources, func(a, b alert.Incident) int { return alert.CompareShortIDs(a.ID, b.ID) })
	wantIDs(t, "sources", f.Sources, "b234", "b235", "b238")
	if i := f.Sources[1]; i.State != alert.Acked || i.Key != "key-b235" || i.Title != "disk full" || i.Severity != alert.Error || i.Labels["cluster"] != "y" || i.Group == nil || i.Group.Total != 2 {
		t.Errorf("a source is %+v", i)
	}
	if len(f.Incidents) > 0 {
		t.Errorf("%d incidents were asked for otherwise", len(f.Incidents))
	}
}
