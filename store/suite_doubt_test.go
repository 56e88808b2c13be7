package store

import (
	"testing"

	"tocsin/alert"
)

func testClockPutBackInDoubt(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	first := claim(t, d, "#db", at(1000))
	o := outcome(first, alert.Sending, at(1000))
	o.NextAt = at(1010)
	must(t, d.Finish(t.Context(), o))
	for _, seconds := range []int{500, 1030} { // put back, and after the clock has caught up
		j := claim(t, d, "#db", at(seconds))
		if j.ID != first.ID || !j.Unsure || !j.StartedAt.IsZero() {
			t.Errorf("claimed at %d s: %+v, want a start that nobody knows", seconds, j.Delivery)
		}
	}
}

func testPossibleDuplicate(t *testing.T, d *DB) {
	c := commit(t, d, fire(incident("a", "#db", 1)))
	sure := commit(t, d, fire(incident("b", "#db", 1)))
	for n, state := range []alert.DeliveryState{alert.Sending, alert.Pending, alert.Delivered} {
		o := outcome(claim(t, d, "#db", at(n+1)), state, at(n+1))
		o.PossibleDuplicate = true
		must(t, d.Finish(t.Context(), o))
	}
	finish(t, d, claim(t, d, "#db", at(9)), alert.Delivered, at(9))
	if l := balanced(t, d); l.PossibleDuplicates != 1 || l.Lanes[0].PossibleDuplicates != 1 || l.Total.Accepted != 2 {
		t.Errorf("the ledger is %+v, want one possible duplicate", l)
	}
	for record, want := range map[string]bool{c.Alerts[0].ID: true, sure.Alerts[0].ID: false} {
		if r, err := d.Await(t.Context(), record); err != nil || r.PossibleDuplicate != want {
			t.Errorf("%s is a possible duplicate: %t (%v), want %t", r.Title, r.PossibleDuplicate, err, want)
		}
	}
}
