package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
)

// doomsday is when held incidents of the model are due.
const doomsday = 1_000_000

// commit fires or resolves one key, with the deliveries an engine would ask for.
func (m *model) commit(t *rapid.T) {
	i, known, shown := m.happens(t)
	c := alert.Change{Incidents: []alert.Incident{i}}
	reply := known && rapid.Bool().Draw(t, "reply")
	for _, lane := range i.Lanes {
		switch {
		case i.HeldUntil.IsZero():
			begins := !shown || !slices.Contains(m.incidents[i.ID].Lanes, lane)
			c.Deliveries = append(c.Deliveries, m.owed(i, lane, !begins, reply)...)
		case reply:
			beside := delivery(i, alert.Reply, 0)
			beside.Lane, beside.TopLevel = lane, true
			c.Deliveries = append(c.Deliveries, beside)
		}
	}
	asks := !known || rapid.Bool().Draw(t, "asks")
	for n := range rapid.IntRange(1, 3).Draw(t, "alerts") {
		opened := ""
		if !shown && i.HeldUntil.IsZero() && n == 0 && asks {
			opened = c.Deliveries[0].ID
		}
		c.Alerts = append(c.Alerts, record(i, opened))
	}
	if rapid.Bool().Draw(t, "hide one") {
		hidden := record(i, "")
		hidden.Standing, hidden.Silence = alert.StandSilenced, "s-1"
		c.Alerts = append(c.Alerts, hidden)
	}
	m.ok(m.d.Commit(context.Background(), c))
	stale := alert.Change{Incidents: []alert.Incident{i}}
	if err := m.d.Commit(context.Background(), stale); !errors.Is(err, alert.ErrConflict) {
		m.t.Fatalf("a stale version got %v", err)
	}
	m.write(c, known)
}

// happens is an incident as it is to be now: new, changed, held back, shown at
// last, or in one more lane. shown says whether a card of it was owed before.
func (m *model) happens(t *rapid.T) (i alert.Incident, known, shown bool) {
	id := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "incident")
	i, known = m.incidents[id]
	shown = known && i.HeldUntil.IsZero()
	if !known {
		i = incident(id, "#x", 0)
		i.Lanes = [][]string{{"#x"}, {"#y"}, {"#x", "#y"}}[rapid.IntRange(0, 2).Draw(t, "lanes")]
	}
	i.Version++
	i.Severity = rapid.SampledFrom([]alert.Severity{alert.Critical, alert.Error}).Draw(t, "severity")
	i.HeldUntil, i.DueAt = time.Time{}, time.Time{}
	if !shown && rapid.IntRange(0, 2).Draw(t, "hold") > 0 {
		i.HeldUntil, i.DueAt = at(doomsday), at(doomsday)
	}
	if known && rapid.IntRange(0, 3).Draw(t, "join") == 0 {
		i.Lanes = alert.Union(i.Lanes, []string{"#y"})
	}
	return i, known, shown
}

// asked tells whether an alert of this change asked for the post.
func asked(c alert.Change, post string) bool {
	return slices.ContainsFunc(c.Alerts, func(a alert.Record) bool { return a.Delivery == post })
}

// adopt gives a post to the alert that has waited longest, if it has none.
func (m *model) adopt(d alert.Delivery) {
	var first *modelAlert
	for _, a := range m.alerts {
		waits := a.incident == d.Incident && a.lane == d.Lane && a.standing == alert.StandPending
		if waits && (first == nil || a.version < first.version) {
			first = a
		}
	}
	if first != nil && first.delivery == "" {
		first.delivery = d.ID
	}
}

// compareRules holds what silences have hidden, and what is due, against the model.
func (m *model) compareRules(t *rapid.T) {
	f, err := m.d.Load(context.Background(), alert.Query{Now: at(doomsday), Due: true, Silence: "s-1"})
	m.ok(err)
	var held []string
	hidden := int64(0)
	for id, i := range m.incidents {
		if !i.HeldUntil.IsZero() {
			held = append(held, id)
		}
	}
	for _, a := range m.alerts {
		if a.standing == alert.StandSilenced {
			hidden++
		}
	}
	due := idsOf(f.Incidents)
	slices.Sort(due)
	slices.Sort(held)
	if !slices.Equal(due, held) || f.NextDue.IsZero() != (len(held) == 0) {
		t.Fatalf("%v are due (next %v), want %v", due, f.NextDue, held)
	}
	if f.Silences[0].Hidden != hidden {
		t.Fatalf("the silence has hidden %d, want %d", f.Silences[0].Hidden, hidden)
	}
}
