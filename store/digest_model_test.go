package store

import (
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

// flood is a random life of one lane that makes digests of more than two.
type flood struct {
	model
	next int
}

// TestDigestsLoseNothingWhateverHappens holds that, whatever was committed,
// held back, silenced, claimed, finished and cut off: the ledger agrees with the
// rows at any instant, nothing is claimed that a digest stands for, no incident
// overtakes itself, no digest replaces a reply that has to be sent, and once
// everything succeeds nothing is pending.
func TestDigestsLoseNothingWhateverHappens(t *testing.T) {
	dir := t.TempDir()
	empty := emptyStore(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		path := filepath.Join(dir, fmt.Sprintf("%d.db", round))
		if err := os.WriteFile(path, empty, 0o600); err != nil {
			rt.Fatal(err)
		}
		d, err := Open(context.Background(), "sqlite:"+path, Options{})
		if err != nil {
			rt.Fatal(err)
		}
		f := &flood{model: model{t: rt, d: d, clock: 100, incidents: map[string]alert.Incident{}}}
		defer func() { f.ok(f.d.Close()) }()
		rt.Repeat(map[string]func(*rapid.T){
			"fire": f.fire, "change": f.change, "change more": f.change, "send": f.send, "send more": f.send, "wait": f.wait, "": f.check,
			"retry": f.retry,
		})
		f.settle()
	})
}

// fire opens a few incidents.
func (f *flood) fire(t *rapid.T) {
	for range rapid.IntRange(1, 6).Draw(t, "posts") {
		f.next++
		i := incident(fmt.Sprint("i", f.next), "#db", 1)
		i.Severity = rapid.SampledFrom([]alert.Severity{alert.Critical, alert.Error, alert.Error}).Draw(t, "severity")
		if rapid.IntRange(0, 3).Draw(t, "hold") == 0 {
			i.HeldUntil = at(doomsday)
		}
		f.commit(i, false)
	}
}

// change fires one again, or ends it.
func (f *flood) change(t *rapid.T) {
	if f.next == 0 {
		return
	}
	i := f.incidents[fmt.Sprint("i", rapid.IntRange(1, f.next).Draw(t, "incident"))]
	i.Version++
	if rapid.Bool().Draw(t, "quiet hours end") {
		f.release(i)
		return
	}
	i.Silence = rapid.SampledFrom([]string{"", "", "s-1"}).Draw(t, "silence")
	i.State = rapid.SampledFrom([]alert.State{alert.Open, alert.StateResolved}).Draw(t, "state")
	if i.State == alert.Open {
		i.Severity = rapid.SampledFrom([]alert.Severity{alert.Critical, alert.Error}).Draw(t, "severity")
	}
	f.commit(i, rapid.Bool().Draw(t, "reply"))
}

// release posts the card of an incident that was held back; its alerts wait for it.
func (f *flood) release(i alert.Incident) {
	c := alert.Change{Incidents: []alert.Incident{i}}
	if !i.HeldUntil.IsZero() {
		c.Incidents[0].HeldUntil = time.Time{}
		c.Deliveries = []alert.Delivery{delivery(i, alert.Post, min(i.Severity.Rank(), 1))}
	}
	f.ok(f.d.Commit(context.Background(), c))
	f.incidents[i.ID] = c.Incidents[0]
}

func (f *flood) commit(i alert.Incident, reply bool) {
	c := fire(i)
	if reply {
		r := delivery(i, alert.Reply, c.Deliveries[0].Priority)
		r.Note = &alert.Note{Topic: rapid.SampledFrom([]alert.Topic{alert.TopicRefired, alert.TopicUnanswered}).Draw(f.t, "topic")}
		c.Deliveries = append(c.Deliveries, r)
	}
	if !i.HeldUntil.IsZero() {
		c.Deliveries, c.Alerts[0].Delivery = nil, ""
	}
	if i.Silence != "" {
		c.Alerts[0].Standing, c.Alerts[0].Silence = alert.StandSilenced, i.Silence
		c.Deliveries = slices.DeleteFunc(c.Deliveries, func(d alert.Delivery) bool { return d.Kind == alert.Reply })
	}
	f.ok(f.d.Commit(context.Background(), c))
	f.incidents[i.ID] = i
}

func (f *flood) claim(posts, updates bool) alert.Job {
	job, _, err := f.d.Claim(context.Background(), alert.Claim{Lane: "#db", Now: f.now(), Posts: posts, Updates: updates, DigestAbove: 2})
	f.ok(err)
	if job.ID != "" && job.Digest == nil {
		gathered := 0
		f.ok(f.d.each(context.Background(), "SELECT count(*) FROM deliveries WHERE stage = 3 AND id = ?",
			func(s scanner) error { return s.Scan(&gathered) }, job.ID))
		if gathered > 0 {
			f.t.Fatalf("claimed a %s of %s, which a digest stands for", job.Kind, job.Incident.ID)
		}
	}
	return job
}

// send makes an attempt that ends in any way.
func (f *flood) send(t *rapid.T) {
	kinds := rapid.IntRange(0, 4).Draw(t, "kinds")
	job := f.claim(kinds != 1, kinds != 2)
	if job.ID == "" {
		return
	}
	state := rapid.SampledFrom([]alert.DeliveryState{
		"crash", alert.Delivered, alert.Delivered, alert.Delivered, alert.Delivered, alert.Dead, alert.Pending, alert.Sending,
	}).Draw(t, "outcome")
	if state == "crash" {
		return
	}
	if job.Kind == alert.Update && job.Card.TS == "" {
		state = alert.Dead // the outbox would post a new card; here it is enough that it ends
	}
	o := outcome(job, state, f.now())
	o.Plain = state == alert.Pending && job.Kind == alert.List
	if state == alert.Pending && job.Kind == alert.Update && rapid.Bool().Draw(t, "deleted") {
		o.Kind = job.NewCardKind()
	}
	o.NextAt = f.now()
	f.ok(f.d.Finish(context.Background(), o))
}

// retry has a person try all dead letters again.
func (f *flood) retry(*rapid.T) {
	_, err := f.d.Retry(context.Background(), alert.DeadLetterSelector{})
	f.ok(err)
}

// check holds the ledger against the rows.
func (f *flood) check(t *rapid.T) {
	rows := map[alert.Standing]int64{}
	f.ok(f.d.each(context.Background(), "SELECT standing, count(*) FROM alerts GROUP BY standing", func(s scanner) error {
		var standing alert.Standing
		var n int64
		err := s.Scan(word(&standing), &n)
		rows[standing] = n
		return err
	}))
	l, err := f.d.Ledger(context.Background())
	f.ok(err)
	var letters int64
	f.ok(f.d.each(context.Background(), "SELECT count(*) FROM deliveries WHERE state = {dead}", func(s scanner) error { return s.Scan(&letters) }))
	if f.d.Pending() != l.Total.Pending || f.d.DeadLetters() != letters {
		t.Fatalf("the tally says %d pending and %d dead letters, want %d and %d", f.d.Pending(), f.d.DeadLetters(), l.Total.Pending, letters)
	}
	covered := 0
	f.ok(f.d.each(context.Background(), "SELECT count(*) FROM deliveries WHERE state = {superseded} AND kind = {reply} AND note LIKE '%unanswered%' AND reason = 'listed in a digest'",
		func(s scanner) error { return s.Scan(&covered) }))
	if covered > 0 {
		t.Fatalf("%d replies that have to be sent were superseded", covered)
	}
	for standing, n := range byStanding(l.Total) {
		if n != rows[standing] {
			t.Fatalf("ledger says %d %s, the rows say %d", n, standing, rows[standing])
		}
	}
}

// settle lets everything go well, and then nothing may be left.
func (f *flood) settle() {
	for n := range f.next {
		i := f.incidents[fmt.Sprint("i", n+1)]
		i.Version++
		f.release(i)
	}
	for {
		f.clock += 10
		job := f.claim(true, true)
		if job.ID == "" {
			break
		}
		o := outcome(job, alert.Delivered, f.now())
		f.ok(f.d.Finish(context.Background(), o))
	}
	f.check(f.t)
	l, err := f.d.Ledger(context.Background())
	f.ok(err)
	left := 0
	f.ok(f.d.each(context.Background(), "SELECT count(*) FROM deliveries WHERE stage IS NOT NULL OR state IN ({pending}, {sending})",
		func(s scanner) error { return s.Scan(&left) }))
	if l.Total.Pending != 0 || left != 0 {
		f.t.Fatalf("%d alerts and %d deliveries are pending for ever", l.Total.Pending, left)
	}
}
