package store

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
)

// modelDelivery is a delivery as the simplest possible store would keep it.
type modelDelivery struct {
	alert.Delivery
	seq int
}

// modelAlert is an alert as the simplest possible store would keep it.
type modelAlert struct {
	id, incident, lane, delivery string
	version                      int64
	standing                     alert.Standing
	// letter is the delivery that it died with.
	letter string
}

// model is the store in two lists, with every rule as a loop over them.
type model struct {
	t          *rapid.T
	d          *DB
	clock      int
	incidents  map[string]alert.Incident
	deliveries []*modelDelivery
	alerts     []*modelAlert
	cards      map[[2]string]int64
}

func TestStoreAgreesWithASimpleModel(t *testing.T) {
	dir := t.TempDir()
	empty := emptyStore(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		path := filepath.Join(dir, fmt.Sprintf("%d.db", round))
		if err := os.WriteFile(path, empty, 0o600); err != nil {
			rt.Fatal(err)
		}
		url := "sqlite:" + path
		d, err := Open(context.Background(), url, Options{freshKeys: 2})
		if err != nil {
			rt.Fatal(err)
		}
		m := &model{t: rt, d: d, incidents: map[string]alert.Incident{}, cards: map[[2]string]int64{}}
		defer func() { m.ok(m.d.Close()) }()
		m.ok(d.Commit(context.Background(), alert.Change{Silences: []alert.Silence{{ID: "s-1", EndsAt: at(doomsday)}}}))
		rt.Repeat(map[string]func(*rapid.T){
			"commit": m.commit, "attempt": m.attempt, "attempt again": m.attempt, "wait": m.wait,
			"retry": m.retry, "drop": m.drop,
			"reopen": func(*rapid.T) {
				m.ok(m.d.Close())
				m.d, err = Open(context.Background(), url, Options{freshKeys: 2})
				m.ok(err)
			},
			"": m.compare,
		})
	})
}

func (m *model) ok(err error) {
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) now() time.Time { return at(m.clock) }

func (m *model) wait(*rapid.T) { m.clock += 5 }

func (m *model) owed(i alert.Incident, lane string, known, reply bool) []alert.Delivery {
	priority := min(i.Severity.Rank(), 1)
	make := func(kind alert.Kind) alert.Delivery {
		d := delivery(i, kind, priority)
		d.Lane = lane
		return d
	}
	if !known {
		return []alert.Delivery{make(alert.Post)}
	}
	owed := []alert.Delivery{make(alert.Update)}
	if reply {
		owed = append(owed, make(alert.Reply))
	}
	return owed
}

// write does to the model what a commit has to do.
func (m *model) write(c alert.Change, known bool) {
	i := c.Incidents[0]
	m.incidents[i.ID] = i
	for _, a := range c.Alerts {
		m.alerts = append(m.alerts, &modelAlert{a.ID, a.Incident, a.Lane, a.Delivery, a.Version, a.Standing, ""})
	}
	for _, d := range c.Deliveries {
		covered := slices.ContainsFunc(m.line(d.Incident, d.Lane), func(e *modelDelivery) bool {
			return e.State == alert.Pending && e.Kind != alert.Reply
		})
		if d.Kind != alert.Update || !covered {
			m.deliveries = append(m.deliveries, &modelDelivery{d, len(m.deliveries)})
		}
	}
	for _, d := range c.Deliveries {
		if known && d.Kind == alert.Post && !asked(c, d.ID) {
			m.adopt(d)
		}
	}
	for _, d := range m.deliveries {
		if known && i.Severity == alert.Critical && i.State != alert.StateResolved && d.Incident == i.ID && !finished(d.State) {
			d.Priority = 0
		}
	}
}

// line is what is owed to one card, first accepted first.
func (m *model) line(incident, lane string) []*modelDelivery {
	var line []*modelDelivery
	for _, d := range m.deliveries {
		if d.Incident == incident && d.Lane == lane && !finished(d.State) {
			line = append(line, d)
		}
	}
	return line
}

// head is the delivery that a claim has to find, or nil.
func (m *model) head(c alert.Claim) *modelDelivery {
	var first *modelDelivery
	for _, d := range m.deliveries {
		wanted := c.Updates && d.Kind == alert.Update || c.Posts && d.Kind != alert.Update
		if d.Lane != c.Lane || finished(d.State) || !wanted || m.line(d.Incident, d.Lane)[0] != d {
			continue
		}
		if first == nil || cmp.Or(cmp.Compare(d.Priority, first.Priority), cmp.Compare(d.seq, first.seq)) < 0 {
			first = d
		}
	}
	return first
}

// attempt claims in a lane, and perhaps finishes what it got.
func (m *model) attempt(t *rapid.T) {
	c := alert.Claim{Lane: rapid.SampledFrom([]string{"#x", "#y"}).Draw(t, "lane"), Now: m.now()}
	kinds := rapid.IntRange(0, 4).Draw(t, "kinds")
	c.Posts, c.Updates = kinds != 1, kinds != 2
	job, next, err := m.d.Claim(context.Background(), c)
	m.ok(err)
	want := m.head(c)
	switch {
	case want == nil:
		if job.ID != "" || !next.IsZero() {
			m.t.Fatalf("claimed %q, next %v; want nothing", job.ID, next)
		}
		return
	case want.NextAt.After(m.now()):
		if job.ID != "" || !next.Equal(want.NextAt) {
			m.t.Fatalf("claimed %q, next %v; want to wait until %v", job.ID, next, want.NextAt)
		}
		return
	case job.ID != want.ID || job.Unsure != (want.State == alert.Sending):
		m.t.Fatalf("claimed %s of %s (unsure %v), want %s of %s in state %s",
			job.ID, job.Delivery.Incident, job.Unsure, want.ID, want.Incident, want.State)
	}
	if job.Incident.Version != m.incidents[want.Incident].Version {
		m.t.Fatalf("job shows version %d, want the newest", job.Incident.Version)
	}
	want.State = alert.Sending
	m.finish(t, job, want)
}

func (m *model) finish(t *rapid.T, job alert.Job, d *modelDelivery) {
	states := []alert.DeliveryState{
		"crash", alert.Delivered, alert.Delivered, alert.Delivered, alert.Dead, alert.Pending, alert.Sending,
	}
	if job.Kind == alert.Update && job.Card.TS != "" && job.Card.Version == job.Incident.Version {
		states = append(states, alert.Superseded)
	}
	state := rapid.SampledFrom(states).Draw(t, "outcome")
	if state == "crash" {
		return
	}
	o := outcome(job, state, m.now())
	if !finished(state) {
		o.NextAt = m.now().Add(time.Duration(rapid.IntRange(0, 9).Draw(t, "wait")) * time.Second)
		d.NextAt = o.NextAt
	}
	m.ok(m.d.Finish(context.Background(), o))
	d.State = state
	m.settle(d, o)
}

// settle does to the model's alerts what a finish has to do.
func (m *model) settle(d *modelDelivery, o alert.Outcome) {
	card := [2]string{d.Incident, d.Lane}
	drawn := d.Kind != alert.Reply
	if d.State == alert.Delivered && drawn {
		m.cards[card] = o.Sent.Version
	}
	shown := d.State == alert.Delivered && drawn || d.State == alert.Superseded || d.State == alert.Dead && d.Kind != alert.Post
	more := slices.ContainsFunc(m.line(d.Incident, d.Lane), func(e *modelDelivery) bool { return e.Kind != alert.Reply })
	for _, a := range m.alerts {
		if a.incident != d.Incident || a.lane != d.Lane || a.standing != alert.StandPending {
			continue
		}
		switch {
		case shown && a.version <= m.cards[card] && a.delivery == d.ID:
			a.standing = alert.StandDelivered
		case shown && a.version <= m.cards[card]:
			a.standing = alert.StandFolded
		case d.State == alert.Dead && (d.Kind == alert.Post || !more && m.incidents[d.Incident].HeldUntil.IsZero()):
			a.standing, a.letter = alert.StandDead, d.ID
		}
	}
}

// retry has a person try a dead letter again, or all of a lane.
func (m *model) retry(t *rapid.T) {
	m.decide(t, m.d.Retry, func(d *modelDelivery) {
		d.State, d.NextAt = alert.Pending, time.Time{}
		for _, a := range m.alerts {
			if a.letter == d.ID {
				a.standing, a.letter = alert.StandPending, ""
			}
		}
	})
}

// drop has a person forgo a dead letter, or all of a lane.
func (m *model) drop(t *rapid.T) {
	m.decide(t, m.d.Drop, func(d *modelDelivery) { d.State = alert.Dropped })
}

func (m *model) decide(t *rapid.T, do func(context.Context, alert.DeadLetterSelector) (alert.RetryResult, error), then func(*modelDelivery)) {
	lane := rapid.SampledFrom([]string{"#x", "#y", ""}).Draw(t, "lane")
	all := rapid.Bool().Draw(t, "all")
	chosen := alert.DeadLetterSelector{Lane: lane}
	var want []*modelDelivery
	for _, d := range m.deliveries {
		if d.State == alert.Dead && (d.Lane == lane || lane == "") {
			want = append(want, d)
		}
	}
	if !all {
		if len(want) == 0 {
			return
		}
		want = want[:1]
		chosen = alert.DeadLetterSelector{ID: want[0].ID}
	}
	moved, err := do(context.Background(), chosen)
	m.ok(err)
	if moved.Deliveries != len(want) {
		m.t.Fatalf("moved %d dead letters, want %d", moved.Deliveries, len(want))
	}
	for _, d := range want {
		then(d)
	}
}

// compare holds the ledger and every standing against the model.
func (m *model) compare(t *rapid.T) {
	m.compareRules(t)
	got := map[string]alert.Standing{}
	m.ok(m.d.each(context.Background(), "SELECT id, standing FROM alerts", func(s scanner) error {
		var id string
		var standing alert.Standing
		err := s.Scan(&id, word(&standing))
		got[id] = standing
		return err
	}))
	want := map[column]int64{}
	for _, a := range m.alerts {
		want[column{a.lane, a.standing}]++
		if got[a.id] != a.standing {
			t.Fatalf("alert of %s version %d is %s, want %s", a.incident, a.version, got[a.id], a.standing)
		}
	}
	l, err := m.d.Ledger(context.Background())
	m.ok(err)
	dead := 0
	for _, d := range m.deliveries {
		if d.State == alert.Dead {
			dead++
		}
	}
	if m.d.Pending() != l.Total.Pending || m.d.DeadLetters() != int64(dead) {
		t.Fatalf("the tally says %d pending and %d dead letters, want %d and %d", m.d.Pending(), m.d.DeadLetters(), l.Total.Pending, dead)
	}
	var sum alert.Counts
	for _, lane := range l.Lanes {
		for standing, n := range byStanding(lane.Counts) {
			if n != want[column{lane.Lane, standing}] {
				t.Fatalf("ledger says %d %s in %s, want %d", n, standing, lane.Lane, want[column{lane.Lane, standing}])
			}
			add(&sum, standing, n)
			sum.Accepted += n
		}
	}
	if sum != l.Total || int(sum.Accepted) != len(m.alerts) {
		t.Fatalf("ledger's total is %+v, its lanes add up to %+v, %d were accepted", l.Total, sum, len(m.alerts))
	}
}
