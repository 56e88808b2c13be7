package store

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"testing"
	"time"

	"tocsin/alert"
)

func testDelivered(t *testing.T, d *DB) {
	a := incident("a", "#db", 1)
	first := commit(t, d, fire(a))
	a.Version = 2
	second := commit(t, d, fire(a))
	finish(t, d, claim(t, d, "#db", at(3)), alert.Delivered, at(4))
	wantStanding(t, d, second, alert.StandFolded)
	r, err := d.Await(t.Context(), first.Alerts[0].ID)
	must(t, err)
	want := first.Alerts[0]
	want.Standing, want.StartedAt, want.DeliveredAt, want.Conversation, want.TS = alert.StandDelivered, at(3), at(4), "C1", "100.1"
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got  %+v\nwant %+v", r, want)
	}
	l := balanced(t, d)
	if want := (alert.Counts{Accepted: 2, Delivered: 1, Folded: 1}); l.Total != want || len(l.Lanes) != 1 || l.Lanes[0].Counts != want {
		t.Errorf("ledger is %+v", l)
	}
	i, err := d.Incident(t.Context(), "a")
	must(t, err)
	if card := i.Card("#db"); card.TS != "100.1" || card.Version != 2 {
		t.Errorf("card is %+v", card)
	}
}

func testFoldedAtOnce(t *testing.T, d *DB) {
	i := incident("a", "#db", 1)
	commit(t, d, fire(i))
	finish(t, d, claim(t, d, "#db", at(1)), alert.Delivered, at(2))
	again := record(i, "")
	again.Standing = alert.StandFolded
	commit(t, d, alert.Change{Alerts: []alert.Record{again}})
	r, err := d.Await(t.Context(), again.ID)
	must(t, err)
	if r.Standing != alert.StandFolded || r.Conversation != "C1" || r.TS != "100.1" {
		t.Errorf("it is %s at %q %q, want the place of its card", r.Standing, r.Conversation, r.TS)
	}
}

func testDeadPost(t *testing.T, d *DB) {
	a := incident("a", "#db", 1)
	first := commit(t, d, fire(a))
	j := claim(t, d, "#db", at(1))
	a.Version = 2
	second := commit(t, d, fire(a))
	other := commit(t, d, fire(incident("b", "#db", 1)))
	finish(t, d, j, alert.Dead, at(1))
	r, err := d.Await(t.Context(), first.Alerts[0].ID)
	must(t, err)
	if r.Standing != alert.StandDead || r.Reason != "is_archived" || !r.DeliveredAt.IsZero() {
		t.Errorf("record is %+v", r)
	}
	wantStanding(t, d, second, alert.StandDead)
	wantStanding(t, d, other, alert.StandPending)
	balanced(t, d)
}

func testDeadUpdate(t *testing.T, d *DB) {
	a := incident("a", "#db", 1)
	commit(t, d, fire(a))
	finish(t, d, claim(t, d, "#db", at(1)), alert.Delivered, at(1))
	a.Version = 2
	drawn := commit(t, d, fire(a))
	j := claim(t, d, "#db", at(2))
	a.Version = 3
	waiting := commit(t, d, fire(a))
	finish(t, d, j, alert.Dead, at(2))
	wantStanding(t, d, drawn, alert.StandPending)
	wantStanding(t, d, waiting, alert.StandPending)
	finish(t, d, claim(t, d, "#db", at(3)), alert.Dead, at(3))
	wantStanding(t, d, drawn, alert.StandDead)
	wantStanding(t, d, waiting, alert.StandDead)
	balanced(t, d)
}

func testSuperseded(t *testing.T, d *DB) {
	a := incident("a", "#db", 1)
	commit(t, d, fire(a))
	post := claim(t, d, "#db", at(1))
	a.Version = 2
	folded := commit(t, d, fire(a))
	o := outcome(post, alert.Pending, at(1))
	o.NextAt = at(2)
	must(t, d.Finish(t.Context(), o))
	finish(t, d, claim(t, d, "#db", at(2)), alert.Delivered, at(2))
	wantStanding(t, d, folded, alert.StandFolded)
	update := claim(t, d, "#db", at(3))
	if update.Kind != alert.Update || update.Card.Version != update.Incident.Version {
		t.Fatalf("claimed %+v, want an update with nothing new", update)
	}
	finish(t, d, update, alert.Superseded, at(3))
	r, err := d.Await(t.Context(), folded.Alerts[0].ID)
	must(t, err)
	if r.TS != "100.1" || !r.DeliveredAt.Equal(at(2)) {
		t.Errorf("record is %+v", r)
	}
	balanced(t, d)
}

func testRetryKeeps(t *testing.T, d *DB) {
	c := commit(t, d, fire(incident("a", "#db", 1)))
	j := claim(t, d, "#db", at(1))
	o := outcome(j, alert.Pending, at(1))
	o.NextAt, o.TopLevel, o.Class, o.Plain, o.Attempts, o.Reason = at(2), true, alert.ClassUnknown, true, 3, "new_code"
	must(t, d.Finish(t.Context(), o))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := d.Await(over, c.Alerts[0].ID); !errors.Is(err, context.Canceled) || r.Standing != alert.StandPending || r.Reason != "new_code" {
		t.Errorf("while it waits: %+v, %v", r, err)
	}
	again := claim(t, d, "#db", at(2))
	if again.ID != j.ID || !again.TopLevel || again.Class != alert.ClassUnknown || !again.Plain || again.Attempts != 3 || again.Reason != "new_code" {
		t.Errorf("claimed again as %+v", again.Delivery)
	}
}

func testSentAgain(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	j := claim(t, d, "#db", at(1))
	o := outcome(j, alert.Sending, at(30))
	o.NextAt, o.StartedAt, o.PossibleDuplicate = at(32), at(30), true
	must(t, d.Finish(t.Context(), o))
	again := claim(t, d, "#db", at(40))
	if again.ID != j.ID || !again.Unsure || !again.PossibleDuplicate || !again.StartedAt.Equal(at(30)) {
		t.Errorf("claimed again as %+v", again.Delivery)
	}
}

func testFinishTwice(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	j := claim(t, d, "#db", at(1))
	finish(t, d, j, alert.Delivered, at(1))
	finish(t, d, j, alert.Delivered, at(2))
	mustBe(t, d.Finish(t.Context(), outcome(j, alert.Pending, at(3))), alert.ErrNotFound)
	idle(t, d, alert.Claim{Lane: "#db", Now: at(4), Posts: true, Updates: true})
	if l := balanced(t, d); l.Total.Delivered != 1 {
		t.Errorf("ledger is %+v", l)
	}
}

func testAwait(t *testing.T, d *DB) {
	c := commit(t, d, fire(incident("a", "#db", 1)))
	const waiters = 50
	standings := make(chan alert.Standing, waiters)
	for range waiters {
		go func() {
			r, err := d.Await(t.Context(), c.Alerts[0].ID)
			if err != nil {
				t.Error(err)
			}
			standings <- r.Standing
		}()
	}
	finish(t, d, claim(t, d, "#db", at(1)), alert.Delivered, at(1))
	for range waiters {
		if s := <-standings; s != alert.StandDelivered {
			t.Errorf("woken while %s", s)
		}
	}
	if len(d.waiters.byCard) != 0 {
		t.Errorf("%d waiters are left over", len(d.waiters.byCard))
	}
}

func testAwaitEnds(t *testing.T, d *DB) {
	c := commit(t, d, fire(incident("a", "#db", 1)))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	r, err := d.Await(ctx, c.Alerts[0].ID)
	if !errors.Is(err, context.DeadlineExceeded) || r.Standing != alert.StandPending || r.Title != "disk full" {
		t.Errorf("got %+v, %v", r, err)
	}
	if len(d.waiters.byCard) != 0 {
		t.Errorf("%d waiters are left over", len(d.waiters.byCard))
	}
}

func testAwaitEndsWithTheNewest(t *testing.T, d *DB) {
	c := commit(t, d, fire(incident("a", "#db", 1)))
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan alert.Record)
	go func() {
		r, _ := d.Await(ctx, c.Alerts[0].ID)
		got <- r
	}()
	for waiting := false; !waiting; runtime.Gosched() {
		d.waiters.mu.Lock()
		waiting = len(d.waiters.byCard) == 1
		d.waiters.mu.Unlock()
	}
	o := outcome(claim(t, d, "#db", at(1)), alert.Pending, at(1))
	o.NextAt, o.Reason = at(2), "is_archived"
	must(t, d.Finish(t.Context(), o))
	cancel()
	if r := <-got; r.Reason != "is_archived" {
		t.Errorf("what happened meanwhile is not told: %+v", r)
	}
}
