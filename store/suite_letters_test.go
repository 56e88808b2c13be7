package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tocsin/alert"
)

// die commits the change and has its first delivery die at second now.
func die(t *testing.T, d *DB, c alert.Change, now int) string {
	t.Helper()
	commit(t, d, c)
	lane := c.Deliveries[0].Lane
	j := claim(t, d, lane, at(now))
	finish(t, d, j, alert.Dead, at(now))
	return j.ID
}

func retry(t *testing.T, d *DB, l alert.DeadLetterSelector) alert.RetryResult {
	t.Helper()
	m, err := d.Retry(t.Context(), l)
	must(t, err)
	return m
}

func tallies(t *testing.T, d *DB, pending, letters int64) {
	t.Helper()
	if d.Pending() != pending || d.DeadLetters() != letters {
		t.Errorf("%d pending and %d dead letters, want %d and %d", d.Pending(), d.DeadLetters(), pending, letters)
	}
}

func testRetryDead(t *testing.T, d *DB) {
	a := incident("a", "#db", 1)
	first := fire(a)
	commit(t, d, first)
	a.Version = 2
	second := commit(t, d, fire(a))
	j := claim(t, d, "#db", at(1))
	o := outcome(j, alert.Dead, at(1))
	o.Plain, o.TopLevel, o.Class = true, true, alert.ClassPayload
	must(t, d.Finish(t.Context(), o))
	commit(t, d, fire(incident("later", "#db", 1)))
	tallies(t, d, 1, 1)

	m := retry(t, d, alert.DeadLetterSelector{ID: j.ID})
	if m.Deliveries != 1 || m.Alerts != 2 || !slices.Equal(m.Lanes, []string{"#db"}) {
		t.Errorf("moved %+v", m)
	}
	tallies(t, d, 3, 0)
	wantStanding(t, d, first, alert.StandPending)
	wantStanding(t, d, second, alert.StandPending)
	balanced(t, d)

	again := claim(t, d, "#db", d.now())
	if again.ID != j.ID || again.Unsure || again.Attempts != 0 || again.Plain || again.TopLevel || again.Class != "" || again.Incident.Version != 2 {
		t.Errorf("claimed %+v, want the retried one as new", again)
	}
	if age := d.now().Sub(again.CreatedAt); age > time.Hour {
		t.Errorf("it began to be owed %v ago: it would be given up at once", age)
	}
	finish(t, d, again, alert.Delivered, at(5))
	wantStanding(t, d, first, alert.StandDelivered)
	wantStanding(t, d, second, alert.StandFolded)
	if l := balanced(t, d); l.Total != (alert.Counts{Accepted: 3, Pending: 1, Delivered: 1, Folded: 1}) {
		t.Errorf("ledger is %+v", l.Total)
	}
}

func testRetryUnsure(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	began := fromMicros(micros(d.now()))
	j := claim(t, d, "#db", began)
	o := outcome(j, alert.Dead, began)
	o.Class = alert.ClassUnsure
	must(t, d.Finish(t.Context(), o))
	retry(t, d, alert.DeadLetterSelector{ID: j.ID})
	again := claim(t, d, "#db", d.now())
	if again.ID != j.ID || !again.Unsure || !again.StartedAt.Equal(began) {
		t.Errorf("claimed %+v, want it unsure since its first attempt", again.Delivery)
	}
}

func testRetryBefore(t *testing.T, d *DB) {
	a := incident("a", "#db", 1)
	post := die(t, d, fire(a), 1)
	a.Version = 2
	update := commit(t, d, fire(a))
	flying := claim(t, d, "#db", at(2))
	retry(t, d, alert.DeadLetterSelector{ID: post})
	o := outcome(flying, alert.Pending, at(2))
	o.NextAt = at(2)
	must(t, d.Finish(t.Context(), o))
	j := claim(t, d, "#db", d.now())
	if j.ID != post {
		t.Fatalf("claimed %s %s, want the retried post", j.Kind, j.ID)
	}
	finish(t, d, j, alert.Delivered, at(4))
	wantStanding(t, d, update, alert.StandFolded)
	if j := claim(t, d, "#db", d.now()); j.ID != flying.ID {
		t.Errorf("claimed %s, want the update that stood behind it", j.ID)
	}
	balanced(t, d)
}

func testDrop(t *testing.T, d *DB) {
	c := fire(incident("a", "#db", 1))
	id := die(t, d, c, 1)
	m, err := d.Drop(t.Context(), alert.DeadLetterSelector{ID: id})
	must(t, err)
	if m.Deliveries != 1 || m.Alerts != 1 {
		t.Errorf("moved %+v", m)
	}
	r, err := d.Await(t.Context(), c.Alerts[0].ID)
	must(t, err)
	if r.Standing != alert.StandDead || r.Reason != "dropped by a person" {
		t.Errorf("record is %+v", r)
	}
	l, err := d.Delivery(t.Context(), id)
	must(t, err)
	if l.State != alert.Dropped || l.Reason != "is_archived" || l.AlertCount != 1 {
		t.Errorf("letter is %+v", l)
	}
	tallies(t, d, 0, 0)
	idle(t, d, alert.Claim{Lane: "#db", Now: d.now(), Posts: true, Updates: true})
	if l := balanced(t, d); l.Total.Dead != 1 {
		t.Errorf("ledger is %+v", l.Total)
	}
}

func testDropPending(t *testing.T, d *DB) {
	a := incident("a", "#db", 1)
	post := commit(t, d, fire(a))
	a.Version = 2
	again := commit(t, d, fire(a)) // an edit behind it
	j := claim(t, d, "#db", at(1))
	_, err := d.Drop(t.Context(), alert.DeadLetterSelector{ID: j.ID})
	mustBe(t, err, alert.ErrNotDead) // it is being sent
	o := outcome(j, alert.Pending, at(1))
	o.Reason, o.Class, o.Attempts, o.NextAt = "channel_not_found", alert.ClassDestination, 1, at(600)
	must(t, d.Finish(t.Context(), o))

	m, err := d.Drop(t.Context(), alert.DeadLetterSelector{ID: j.ID})
	must(t, err)
	if m.Deliveries != 1 || m.Alerts != 2 || !slices.Equal(m.Lanes, []string{"#db"}) {
		t.Errorf("moved %+v", m)
	}
	for _, c := range []alert.Change{post, again} {
		r, err := d.Await(t.Context(), c.Alerts[0].ID)
		must(t, err)
		if r.Standing != alert.StandDead || r.Reason != "dropped by a person" {
			t.Errorf("record is %+v", r)
		}
	}
	l, err := d.Delivery(t.Context(), j.ID)
	must(t, err)
	if l.State != alert.Dropped || l.Reason != "channel_not_found" || l.Attempts != 1 {
		t.Errorf("delivery is %+v", l)
	}
	tallies(t, d, 0, 0)
	if l := balanced(t, d); l.Total.Dead != 2 {
		t.Errorf("ledger is %+v", l.Total)
	}
	_, err = d.Drop(t.Context(), alert.DeadLetterSelector{ID: j.ID})
	mustBe(t, err, alert.ErrNotDead)
}

func testDropDigest(t *testing.T, d *DB) {
	posts := flooded(t, d, alert.Error, 7)
	digest := claimDigest(t, d, 10, alert.Digest)
	o := outcome(digest, alert.Pending, at(10))
	o.NextAt = at(600)
	must(t, d.Finish(t.Context(), o))
	_, err := d.Drop(t.Context(), alert.DeadLetterSelector{ID: posts[0].Deliveries[0].ID})
	mustBe(t, err, alert.ErrNotDead) // it waits in the digest
	m, err := d.Drop(t.Context(), alert.DeadLetterSelector{ID: digest.ID})
	must(t, err)
	if m.Alerts != 7 {
		t.Errorf("moved %+v", m)
	}
	tallies(t, d, 0, 0)
	for _, p := range posts {
		l, err := d.Delivery(t.Context(), p.Deliveries[0].ID)
		must(t, err)
		if l.State != alert.Dropped {
			t.Errorf("delivery is %+v", l)
		}
	}
	idle(t, d, digestClaim(1000))
	if l := balanced(t, d); l.Total.Dead != 7 {
		t.Errorf("ledger is %+v", l.Total)
	}
}

func testNotDead(t *testing.T, d *DB) {
	c := commit(t, d, fire(incident("a", "#db", 1)))
	id := c.Deliveries[0].ID
	_, err := d.Retry(t.Context(), alert.DeadLetterSelector{ID: id})
	mustBe(t, err, alert.ErrNotDead)
	_, err = d.Drop(t.Context(), alert.DeadLetterSelector{ID: "nobody"})
	mustBe(t, err, alert.ErrNotFound)
	_, err = d.Delivery(t.Context(), "nobody")
	mustBe(t, err, alert.ErrNotFound)
	wantStanding(t, d, c, alert.StandPending)
}

func testRetryAll(t *testing.T, d *DB) {
	const many = deadLetterBatch*2 + 5
	for n := range many {
		die(t, d, fire(incident(fmt.Sprintf("a%03d", n), "#db", 1)), 1)
	}
	die(t, d, fire(incident("other", "#web", 1)), 1)
	tallies(t, d, 0, many+1)
	if m := retry(t, d, alert.DeadLetterSelector{Lane: "#db"}); m.Deliveries != many || m.Alerts != many || !slices.Equal(m.Lanes, []string{"#db"}) {
		t.Errorf("moved %+v", m)
	}
	tallies(t, d, many, 1)
	for n := range many {
		j := claim(t, d, "#db", d.now())
		if want := fmt.Sprintf("a%03d", n); j.Incident.ID != want {
			t.Fatalf("claimed incident %s, want %s: first accepted, first shown", j.Incident.ID, want)
		}
		finish(t, d, j, alert.Delivered, d.now())
	}
	if m := retry(t, d, alert.DeadLetterSelector{}); m.Deliveries != 1 || !slices.Equal(m.Lanes, []string{"#web"}) {
		t.Errorf("moved %+v", m)
	}
	balanced(t, d)
}

func testDeliveries(t *testing.T, d *DB) {
	dead := die(t, d, fire(incident("a", "#db", 1)), 1)
	commit(t, d, fire(incident("b", "#db", 1)))
	sending := claim(t, d, "#db", at(2)).ID
	commit(t, d, fire(incident("c", "#web", 1)))
	shown := claim(t, d, "#web", at(3))
	finish(t, d, shown, alert.Delivered, at(3))
	waiting := commit(t, d, fire(incident("d", "#web", 1))).Deliveries[0].ID
	for _, c := range []struct {
		name   string
		filter alert.DeliveryFilter
		want   []string
	}{
		{"all", alert.DeliveryFilter{}, []string{waiting, shown.ID, sending, dead}},
		{"dead", alert.DeliveryFilter{States: []alert.DeliveryState{alert.Dead}}, []string{dead}},
		{"owed", alert.DeliveryFilter{States: []alert.DeliveryState{alert.Pending, alert.Sending}}, []string{waiting, sending}},
		{"a lane", alert.DeliveryFilter{Lane: "#db"}, []string{sending, dead}},
		{"the first two", alert.DeliveryFilter{Limit: 2}, []string{waiting, shown.ID}},
		{"the next two", alert.DeliveryFilter{Limit: 2, Before: shown.Seq}, []string{sending, dead}},
		{"none", alert.DeliveryFilter{Lane: "#nobody"}, nil},
	} {
		got, err := d.Deliveries(t.Context(), c.filter)
		must(t, err)
		var ids []string
		for _, one := range got {
			ids = append(ids, one.ID)
			if one.Incident == "" || one.Lane == "" {
				t.Errorf("%s: %+v is not complete", c.name, one)
			}
		}
		if !slices.Equal(ids, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, ids, c.want)
		}
	}
	if _, err := d.Deliveries(t.Context(), alert.DeliveryFilter{States: []alert.DeliveryState{"lost"}}); err == nil {
		t.Error("an unknown state is no error")
	}
}

func testLetter(t *testing.T, d *DB) {
	a := incident("a", "#db", 1)
	first := fire(a)
	first.Alerts[0].Text, first.Alerts[0].Labels = "all of it", map[string]string{"host": "db-3"}
	id := die(t, d, first, 1)
	l, err := d.Delivery(t.Context(), id)
	must(t, err)
	if l.State != alert.Dead || l.Reason != "is_archived" || l.Attempts != 1 || !l.DoneAt.Equal(at(1)) || l.About == nil || l.About.Title != "disk full" {
		t.Errorf("letter is %+v", l)
	}
	if l.AlertCount != 1 || len(l.Alerts) != 1 || l.Alerts[0].Text != "all of it" || l.Alerts[0].Labels["host"] != "db-3" {
		t.Errorf("its alerts are %+v", l.Alerts)
	}
	b := commit(t, d, fire(incident("b", "#db", 1)))
	waiting, err := d.Delivery(t.Context(), b.Deliveries[0].ID)
	must(t, err)
	if waiting.State != alert.Pending || waiting.AlertCount != 1 || len(waiting.Alerts) != 1 || waiting.Alerts[0].ID != b.Alerts[0].ID {
		t.Errorf("what waits is %+v", waiting)
	}
}
