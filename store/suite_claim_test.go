package store

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"tocsin/alert"
)

func testClaimOrder(t *testing.T, d *DB) {
	low, high := incident("low", "#db", 1), incident("high", "#db", 1)
	high.Severity = alert.Critical
	later := incident("later", "#db", 1)
	for _, i := range []alert.Incident{low, later, high} {
		commit(t, d, fire(i))
	}
	commit(t, d, fire(incident("elsewhere", "#web", 1)))
	for _, want := range []string{"high", "low", "later"} {
		j := claim(t, d, "#db", at(1))
		if j.Delivery.Incident != want {
			t.Fatalf("claimed %s, want %s", j.Delivery.Incident, want)
		}
		finish(t, d, j, alert.Delivered, at(1))
	}
	if next := idle(t, d, alert.Claim{Lane: "#db", Now: at(2), Posts: true, Updates: true}); !next.IsZero() {
		t.Errorf("an empty lane is to be looked at again at %v", next)
	}
}

func testNoOvertaking(t *testing.T, d *DB) {
	a, b := incident("a", "#db", 1), incident("b", "#db", 1)
	commit(t, d, fire(a))
	commit(t, d, fire(b))
	reply := delivery(a, alert.Reply, 0)
	reply.Note = &alert.Note{Topic: alert.TopicMore, Text: "and on", Count: 3, At: at(1)}
	a.Version = 2
	commit(t, d, alert.Change{Incidents: []alert.Incident{a}, Deliveries: []alert.Delivery{reply}})
	var got []string
	for range 3 {
		j := claim(t, d, "#db", at(1))
		got = append(got, j.Delivery.Incident+" "+string(j.Kind))
		if j.Kind == alert.Reply && !reflect.DeepEqual(j.Note, reply.Note) {
			t.Errorf("note is %+v, want %+v", j.Note, reply.Note)
		}
		finish(t, d, j, alert.Delivered, at(1))
	}
	if want := []string{"a post", "a reply", "b post"}; !reflect.DeepEqual(got, want) {
		t.Errorf("claimed %v, want %v", got, want)
	}
}

func testHeadWaits(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	commit(t, d, fire(incident("b", "#db", 1)))
	j := claim(t, d, "#db", at(1))
	o := outcome(j, alert.Pending, at(1))
	o.NextAt, o.Reason = at(60), "throttled"
	must(t, d.Finish(t.Context(), o))
	if next := idle(t, d, alert.Claim{Lane: "#db", Now: at(2), Posts: true, Updates: true}); !next.Equal(at(60)) {
		t.Errorf("lane waits until %v, want %v", next, at(60))
	}
	critical := incident("c", "#db", 1)
	critical.Severity = alert.Critical
	commit(t, d, fire(critical))
	if j := claim(t, d, "#db", at(2)); j.Delivery.Incident != "c" {
		t.Errorf("claimed %s, want the critical one", j.Delivery.Incident)
	}
}

func testClockPutBack(t *testing.T, d *DB) {
	c := fire(incident("a", "#db", 1))
	c.Deliveries[0].CreatedAt, c.Deliveries[0].NextAt = at(100_000), at(100_000)
	commit(t, d, c)
	claim(t, d, "#db", at(1)) // never tried
	j := claim(t, d, "#db", at(100_010))
	o := outcome(j, alert.Pending, at(100_010))
	o.NextAt = at(100_060)
	must(t, d.Finish(t.Context(), o))
	if next := idle(t, d, alert.Claim{Lane: "#db", Now: at(100_020), Posts: true}); !next.Equal(at(100_060)) {
		t.Errorf("the lane waits until %v, want %v", next, at(100_060))
	}
	j = claim(t, d, "#db", at(20)) // tried by a clock that was ahead
	o = outcome(j, alert.Sending, at(20))
	o.NextAt = at(100_000)
	must(t, d.Finish(t.Context(), o))
	idle(t, d, alert.Claim{Lane: "#db", Now: at(99_200), Posts: true})
	claim(t, d, "#db", at(30)) // in doubt
}

// postpone claims the lane's next delivery and has it wait until a time, because of a
// failure of this class.
func postpone(t *testing.T, d *DB, state alert.DeliveryState, class alert.Class, until time.Time) alert.Job {
	t.Helper()
	j := claim(t, d, "#db", at(1))
	o := outcome(j, state, at(1))
	o.NextAt, o.Class = until, class
	must(t, d.Finish(t.Context(), o))
	return j
}

func testClaimRetry(t *testing.T, d *DB) {
	retry := alert.Claim{Lane: "#db", Now: at(2), Posts: true, Updates: true, Retry: true}
	waits := retry
	waits.Retry = false
	for n, c := range []struct {
		state alert.DeliveryState
		class alert.Class
		due   bool
	}{
		{alert.Pending, alert.ClassTransient, true},
		{alert.Sending, alert.ClassUnsure, true},
		{alert.Pending, alert.ClassThrottled, false},
		{alert.Pending, alert.ClassDestination, false},
	} {
		commit(t, d, fire(incident(fmt.Sprint(n), "#db", 1)))
		j := postpone(t, d, c.state, c.class, at(300))
		idle(t, d, waits)
		got, _, err := d.Claim(t.Context(), retry)
		must(t, err)
		if claimed := got.ID == j.ID; claimed != c.due {
			t.Errorf("%s %s is claimed: %t", c.state, c.class, claimed)
		}
		finish(t, d, j, alert.Delivered, at(3))
	}
}

func testClaimAfterAStart(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	j := postpone(t, d, alert.Pending, alert.ClassThrottled, at(7200))
	c := alert.Claim{Lane: "#db", Now: at(2), Posts: true, Updates: true, Began: at(1)}
	idle(t, d, c)
	c.Began = at(2)
	got, _, err := d.Claim(t.Context(), c)
	must(t, err)
	if got.ID != j.ID {
		t.Error("what an earlier run left throttled is not claimed")
	}
	o := outcome(got, alert.Pending, at(2))
	o.NextAt, o.Class = at(7200), alert.ClassThrottled
	must(t, d.Finish(t.Context(), o))
	idle(t, d, c)
}

func testFollowed(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	commit(t, d, fire(incident("other", "#web", 1)))
	claim(t, d, "#db", at(1))
	if j := claim(t, d, "#db", at(2)); !j.Unsure || j.Followed {
		t.Errorf("alone in its lane it is unsure %t, followed %t", j.Unsure, j.Followed)
	}
	commit(t, d, fire(incident("b", "#db", 1)))
	if j := claim(t, d, "#db", at(3)); !j.Unsure || !j.Followed {
		t.Errorf("with another behind it, it is unsure %t, followed %t", j.Unsure, j.Followed)
	}
}

func testKinds(t *testing.T, d *DB) {
	a := incident("a", "#db", 1)
	commit(t, d, fire(a))
	finish(t, d, claim(t, d, "#db", at(1)), alert.Delivered, at(1))
	a.Version = 2
	commit(t, d, fire(a))
	a.Version = 3
	commit(t, d, alert.Change{Incidents: []alert.Incident{a}, Deliveries: []alert.Delivery{delivery(a, alert.Reply, 1)}})
	idle(t, d, alert.Claim{Lane: "#db", Now: at(2), Posts: true})
	commit(t, d, fire(incident("b", "#db", 1)))
	j, _, err := d.Claim(t.Context(), alert.Claim{Lane: "#db", Now: at(2), Posts: true})
	must(t, err)
	if j.Delivery.Incident != "b" {
		t.Errorf("claimed %s %s, want b's post: a's reply stands behind a's update", j.Delivery.Incident, j.Kind)
	}
	finish(t, d, j, alert.Delivered, at(2))
	j, _, err = d.Claim(t.Context(), alert.Claim{Lane: "#db", Now: at(2), Updates: true})
	must(t, err)
	if j.Kind != alert.Update {
		t.Errorf("claimed a %s, want the update", j.Kind)
	}
}

func testUnsure(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	first := claim(t, d, "#db", at(1))
	if first.Unsure || !first.StartedAt.Equal(at(1)) || first.State != alert.Sending {
		t.Errorf("first claim: %+v", first.Delivery)
	}
	again := claim(t, d, "#db", at(9))
	if !again.Unsure || again.ID != first.ID || !again.StartedAt.Equal(at(1)) {
		t.Errorf("second claim: %+v, want unsure since the first attempt", again.Delivery)
	}
	o := outcome(again, alert.Sending, at(9))
	o.NextAt = at(20)
	must(t, d.Finish(t.Context(), o))
	if next := idle(t, d, alert.Claim{Lane: "#db", Now: at(10), Posts: true}); !next.Equal(at(20)) {
		t.Errorf("lane waits until %v, want %v", next, at(20))
	}
	if j := claim(t, d, "#db", at(20)); !j.Unsure || j.Attempts != 1 {
		t.Errorf("third claim: %+v, want unsure with one attempt", j.Delivery)
	}
}

func testJob(t *testing.T, d *DB) {
	a := incident("a", "#db", 1)
	commit(t, d, fire(a))
	a.Version, a.Title = 2, "worse"
	commit(t, d, fire(a))
	j := claim(t, d, "#db", at(1))
	if j.Incident.Version != 2 || j.Incident.Title != "worse" || j.Card.TS != "" || j.Known != "" {
		t.Errorf("first job: %+v", j)
	}
	finish(t, d, j, alert.Delivered, at(1))
	a.Version = 3
	commit(t, d, fire(a))
	j = claim(t, d, "#db", at(2))
	card := alert.Card{Lane: "#db", Conversation: "C1", TS: "100.1", Version: 2}
	if j.Kind != alert.Update || j.Card != card || j.Known != "C1" || !reflect.DeepEqual(j.Incident.Cards, []alert.Card{card}) {
		t.Errorf("second job: %+v", j)
	}
	if j.Seq == 0 {
		t.Error("a delivery has no number")
	}
}

func testUpdateLeftOut(t *testing.T, d *DB) {
	a := incident("a", "#db", 1)
	commit(t, d, fire(a))
	a.Version = 2
	folded := commit(t, d, fire(a))
	j := claim(t, d, "#db", at(1))
	a.Version = 3
	late := commit(t, d, fire(a))
	finish(t, d, j, alert.Delivered, at(1))
	wantStanding(t, d, folded, alert.StandFolded)
	wantStanding(t, d, late, alert.StandPending)
	j = claim(t, d, "#db", at(2))
	if j.Kind != alert.Update {
		t.Fatalf("claimed a %s, want the update that came while the post was being sent", j.Kind)
	}
	finish(t, d, j, alert.Delivered, at(2))
	wantStanding(t, d, late, alert.StandFolded)
	idle(t, d, alert.Claim{Lane: "#db", Now: at(3), Posts: true, Updates: true})
	balanced(t, d)
}

func testHurry(t *testing.T, d *DB) {
	commit(t, d, fire(incident("first", "#db", 1)))
	a := incident("a", "#db", 1)
	commit(t, d, fire(a))
	a.Version, a.Severity = 2, alert.Critical
	commit(t, d, fire(a))
	if j := claim(t, d, "#db", at(1)); j.Delivery.Incident != "a" || j.Priority != 0 || j.Kind != alert.Post {
		t.Errorf("claimed %s of %s with priority %d", j.Kind, j.Delivery.Incident, j.Priority)
	}
}

func testRetry(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	commit(t, d, fire(incident("b", "#db", 1)))
	j := claim(t, d, "#db", at(1))
	o := outcome(j, alert.Pending, at(1))
	o.NextAt, o.Attempts, o.Plain, o.PossibleDuplicate, o.Reason = at(2), 4, true, true, "invalid_blocks"
	must(t, d.Finish(t.Context(), o))
	again := claim(t, d, "#db", at(2))
	if again.ID != j.ID || again.Unsure || again.Attempts != 4 || !again.Plain || !again.PossibleDuplicate ||
		again.Reason != "invalid_blocks" || !again.StartedAt.Equal(at(2)) {
		t.Errorf("second attempt: %+v", again.Delivery)
	}
}

func testLanes(t *testing.T, d *DB) {
	for _, lane := range []string{"#web", "#db", "@ann", "#done"} {
		commit(t, d, fire(incident("i-"+lane, lane, 1)))
		commit(t, d, fire(incident("j-"+lane, lane, 1)))
	}
	for range 2 {
		finish(t, d, claim(t, d, "#done", at(1)), alert.Delivered, at(1))
	}
	claim(t, d, "#web", at(1))
	got, err := d.Lanes(t.Context())
	must(t, err)
	if want := []string{"#db", "#web", "@ann"}; !reflect.DeepEqual(got, want) {
		t.Errorf("lanes are %v, want %v", got, want)
	}
}
