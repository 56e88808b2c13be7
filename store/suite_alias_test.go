package store

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"tocsin/alert"
)

const opsID = "C0123OPS1"

// inLanes is the change of an alert whose incident is shown in several lanes.
func inLanes(id string, lanes ...string) alert.Change {
	i := incident(id, lanes[0], 1)
	i.Lanes = lanes
	c := fire(i)
	for _, lane := range lanes[1:] {
		d := delivery(i, alert.Post, 1)
		d.Lane = lane
		c.Deliveries = append(c.Deliveries, d)
	}
	return c
}

// deliverTo finishes a job as posted to the conversation of this id.
func deliverTo(t *testing.T, d *DB, j alert.Job, id, ts string, seconds int) {
	t.Helper()
	o := outcome(j, alert.Delivered, at(seconds))
	o.Sent.Conversation, o.Sent.TS = id, ts
	must(t, d.Finish(t.Context(), o))
}

func wantLanes(t *testing.T, d *DB, want ...string) {
	t.Helper()
	lanes, err := d.Lanes(t.Context())
	must(t, err)
	if !slices.Equal(lanes, want) {
		t.Errorf("lanes %q have something pending, want %q", lanes, want)
	}
}

func testTwoNames(t *testing.T, d *DB) {
	both := commit(t, d, inLanes("both", "#ops", opsID))
	byID := commit(t, d, fire(incident("id", opsID, 1)))
	byName := commit(t, d, fire(incident("name", "#ops", 1)))
	deliverTo(t, d, claim(t, d, "#ops", at(1)), opsID, "100.1", 2)

	wantLanes(t, d, "#ops")
	idle(t, d, alert.Claim{Lane: opsID, Now: at(9), Posts: true, Updates: true})
	wantStanding(t, d, both, alert.StandDelivered)
	// The second post of the incident had become an edit of its card, which is current.
	j := claim(t, d, "#ops", at(2))
	if j.Incident.ID != "both" || j.Kind != alert.Update || j.Card.TS != "100.1" || len(j.Incident.Cards) != 1 || !slices.Equal(j.Incident.Lanes, []string{"#ops"}) {
		t.Errorf("claimed a %s of %+v", j.Kind, j.Incident)
	}
	finish(t, d, j, alert.Superseded, at(3))
	for _, c := range []alert.Change{byID, byName} {
		j := claim(t, d, "#ops", at(4))
		if j.Incident.ID != c.Incidents[0].ID || j.Kind != alert.Post || j.Known != opsID || j.Lane != "#ops" {
			t.Fatalf("claimed the %s of %s in %s, known as %q", j.Kind, j.Incident.ID, j.Lane, j.Known)
		}
		deliverTo(t, d, j, opsID, "100.2", 5)
		wantStanding(t, d, c, alert.StandDelivered)
	}
	wantLanes(t, d)
	if l := balanced(t, d); len(l.Lanes) != 1 || l.Lanes[0].Lane != "#ops" || l.Total.Delivered != 3 {
		t.Errorf("ledger is %+v", l)
	}
	tallies(t, d, 0, 0)
}

func testDigestOfTwoNames(t *testing.T, d *DB) {
	fires := func(lane, name string) {
		for k := range 8 {
			commit(t, d, fire(incident(fmt.Sprintf("%s-%d", name, k), lane, 1)))
		}
	}
	fires("#db", "before")
	commit(t, d, fire(incident("doubt", opsID, 1)))
	claim(t, d, opsID, at(1))
	fires("#db", "behind")
	must(t, d.Learn(t.Context(), "#db", opsID))
	first := claimDigest(t, d, 20, alert.Digest)
	if first.Digest.Total != 8 {
		t.Errorf("the first digest is of %d incidents, want those before the one in doubt", first.Digest.Total)
	}
	deliver(t, d, first, 20)
	if j := claimDigest(t, d, 21, alert.Post); j.Incident.ID != "doubt" || !j.Unsure {
		t.Errorf("then came %+v", j.Delivery)
	} else {
		deliver(t, d, j, 21)
	}
	if next := claimDigest(t, d, 22, alert.Digest); next.Digest.Total != 8 {
		t.Errorf("the next digest is of %d incidents", next.Digest.Total)
	}
}

func testLearn(t *testing.T, d *DB) {
	byID := commit(t, d, fire(incident("id", opsID, 1)))
	if got := d.Aliases().Lane("#ops"); got != "#ops" {
		t.Errorf("#ops is %s already", got)
	}
	must(t, d.Learn(t.Context(), "#ops", opsID))
	if known := d.Aliases(); known.Lane(opsID) != "#ops" || known != d.Aliases() {
		t.Errorf("%s is %s", opsID, known.Lane(opsID))
	}
	before := d.Aliases()
	must(t, d.Learn(t.Context(), "#ops", opsID))
	must(t, d.Learn(t.Context(), "#ops", "C0123DB01")) // a new channel that has the old name
	if d.Aliases() != before {
		t.Error("what was known is learnt again, or #ops means two channels")
	}
	if j := claim(t, d, "#ops", at(1)); j.Incident.ID != byID.Incidents[0].ID || j.Known != opsID || !slices.Equal(j.Incident.Lanes, []string{"#ops"}) {
		t.Errorf("claimed %+v", j)
	}
	// Renamed: the lane has its new name, and is found by all of them.
	must(t, d.Learn(t.Context(), "#operations", opsID))
	wantLanes(t, d, "#operations")
	for _, spelling := range []string{"#ops", opsID, "#operations"} {
		found, err := d.Deliveries(t.Context(), alert.DeliveryFilter{Lane: spelling})
		must(t, err)
		if len(found) != 1 || found[0].Lane != "#operations" {
			t.Errorf("%s has %+v", spelling, found)
		}
	}
	later := commit(t, d, fire(incident("later", "#ops", 1)))
	if r, err := d.Await(ended(t), later.Alerts[0].ID); r.Lane != "#operations" {
		t.Errorf("the alert is in %q (%v)", r.Lane, err)
	}
}

// ended is a context that has ended.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func testPeopleStayTwo(t *testing.T, d *DB) {
	must(t, d.Learn(t.Context(), "@ann", "U0123ANN1"))
	must(t, d.Learn(t.Context(), "@bob", "U0123BOB1"))
	must(t, d.Learn(t.Context(), "U0123ANN1", "D0123ANN1"))
	must(t, d.Learn(t.Context(), "ann@example.com", "U0123ANN1"))
	must(t, d.Learn(t.Context(), "@ann", "U0123BOB1"))
	known := d.Aliases()
	for spelling, want := range map[string]string{
		"D0123ANN1": "@ann", "ann@example.com": "@ann", "U0123ANN1": "@ann", "U0123BOB1": "@bob", "@ann": "@ann",
	} {
		if got := known.Lane(spelling); got != want {
			t.Errorf("%s is %s, want %s", spelling, got, want)
		}
	}
	commit(t, d, fire(incident("a", "U0123ANN1", 1)))
	if j := claim(t, d, "@ann", at(1)); j.Known != "D0123ANN1" {
		t.Errorf("she is known as %q", j.Known)
	}
	// A first post adds the conversation to what a lookup has told.
	commit(t, d, fire(incident("b", "U0123BOB1", 1)))
	deliverTo(t, d, claim(t, d, "@bob", at(1)), "D0123BOB1", "100.1", 1)
	for _, spelling := range []string{"@bob", "U0123BOB1", "D0123BOB1"} {
		if got := d.Aliases().Lane(spelling); got != "@bob" {
			t.Errorf("%s is %s", spelling, got)
		}
	}
}

func testTwoCards(t *testing.T, d *DB) {
	first := commit(t, d, inLanes("a", opsID, "#ops"))
	byID := claim(t, d, opsID, at(1))
	deliverTo(t, d, claim(t, d, "#ops", at(1)), "", "100.2", 2) // Slack does not say where
	deliverTo(t, d, byID, "", "100.1", 2)
	i, err := d.Incident(t.Context(), "a")
	must(t, err)
	if len(i.Cards) != 2 {
		t.Fatalf("there are cards %+v", i.Cards)
	}
	must(t, d.Learn(t.Context(), "#ops", opsID))
	i, err = d.Incident(t.Context(), "a")
	must(t, err)
	if len(i.Cards) != 1 || i.Card("#ops").TS != "100.1" {
		t.Errorf("the cards are %+v, want the earlier one", i.Cards)
	}
	commit(t, d, fire(incident("a", "#ops", 2)))
	if j := claim(t, d, "#ops", at(3)); j.Kind != alert.Update || j.Card.TS != "100.1" {
		t.Errorf("claimed a %s of %+v", j.Kind, j.Card)
	}
	wantStanding(t, d, first, alert.StandDelivered)
	balanced(t, d)
}

func testInFlightWhileMerged(t *testing.T, d *DB) {
	c := commit(t, d, inLanes("a", "#ops", opsID))
	sending := claim(t, d, opsID, at(1))
	must(t, d.Learn(t.Context(), "#ops", opsID))
	if j := claim(t, d, "#ops", at(2)); j.ID != sending.ID || !j.Unsure {
		t.Errorf("claimed %+v, want what is being sent", j)
	}
	deliverTo(t, d, sending, opsID, "100.1", 2)
	wantStanding(t, d, c, alert.StandFolded)
	if j := claim(t, d, "#ops", at(3)); j.Kind != alert.Update || j.Card.TS != "100.1" {
		t.Errorf("claimed a %s of %+v, want an edit of the one card", j.Kind, j.Card)
	}
	balanced(t, d)
}

func testOneMark(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#ops", 1)))
	must(t, d.Finish(t.Context(), rejection(claim(t, d, "#ops", at(1)), at(1))))
	must(t, d.Mark(t.Context(), alert.Destination{Lane: opsID, Code: "is_archived", Since: at(2), ProbeAt: at(100)}))
	must(t, d.Learn(t.Context(), "#ops", opsID))
	all, err := d.Broken(t.Context())
	must(t, err)
	if len(all) != 1 || all[0].Lane != "#ops" || !all[0].Since.Equal(at(1)) || all[0].Known != opsID {
		t.Fatalf("broken are %+v", all)
	}
	must(t, d.Mark(t.Context(), alert.Destination{Lane: opsID, ProbeAt: at(3)})) // by its other name
	if all, err := d.Broken(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("broken are %+v (%v)", all, err)
	}
	claim(t, d, "#ops", at(3))
}

func testPostMendsBoth(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", opsID, 1)))
	must(t, d.Mark(t.Context(), alert.Destination{Lane: "#ops", Code: "channel_not_found", Since: at(1), ProbeAt: at(100)}))
	deliverTo(t, d, claim(t, d, opsID, at(2)), opsID, "100.1", 2)
	commit(t, d, fire(incident("b", "#ops", 1)))
	deliverTo(t, d, claim(t, d, "#ops", at(3)), opsID, "100.2", 3)
	if all, err := d.Broken(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("broken are %+v (%v), but it has just taken a message", all, err)
	}
}

func testForgotten(t *testing.T, d *DB) {
	must(t, d.Learn(t.Context(), "#ops", opsID))
	must(t, d.Learn(t.Context(), "#operations", opsID))
	must(t, d.Mark(t.Context(), alert.Destination{Lane: "#ops", Code: "channel_not_found", Since: at(1), ProbeAt: at(9)}))
	known := d.Aliases()
	for _, spelling := range []string{"#ops", opsID, "#operations"} {
		if got := known.Lane(spelling); got != spelling {
			t.Errorf("%s is still %s", spelling, got)
		}
	}
	commit(t, d, fire(incident("a", "#operations", 1)))
	commit(t, d, fire(incident("b", "#ops", 1)))
	wantLanes(t, d, "#operations", "#ops")
	if j := claim(t, d, "#operations", at(2)); j.Known != "" {
		t.Errorf("its id is still known: %q", j.Known)
	}
	must(t, d.Learn(t.Context(), "#ops", "C0456OPS1")) // a new channel of the old name
	if got := d.Aliases().Lane("C0456OPS1"); got != "#ops" {
		t.Errorf("the new channel is %s", got)
	}
}

func testAwaitMerged(t *testing.T, d *DB) {
	commit(t, d, fire(incident("older", opsID, 1)))
	c := commit(t, d, fire(incident("a", "#ops", 1)))
	done := make(chan alert.Record, 1)
	go func() {
		r, _ := d.Await(t.Context(), c.Alerts[0].ID)
		done <- r
	}()
	for d.waiting() == 0 {
		runtime.Gosched()
	}
	must(t, d.Learn(t.Context(), "#ops", opsID))
	deliverTo(t, d, claim(t, d, "#ops", at(1)), opsID, "100.1", 1)
	deliverTo(t, d, claim(t, d, "#ops", at(2)), opsID, "100.2", 2)
	if r := <-done; r.Standing != alert.StandDelivered || r.Lane != "#ops" {
		t.Errorf("got %+v", r)
	}
}

func testStaleAliases(t *testing.T, d *DB) {
	f, err := d.Load(t.Context(), alert.Query{})
	must(t, err)
	must(t, d.Learn(t.Context(), "#ops", opsID))
	c := fire(incident("a", opsID, 1))
	c.Aliases = f.Aliases
	mustBe(t, d.Commit(t.Context(), c), alert.ErrConflict)
	f, err = d.Load(t.Context(), alert.Query{})
	must(t, err)
	c.Aliases = f.Aliases
	must(t, d.Commit(t.Context(), c))
	wantLanes(t, d, "#ops")
}

func testDeadLettersMerged(t *testing.T, d *DB) {
	c := commit(t, d, fire(incident("a", opsID, 1)))
	commit(t, d, fire(incident("older", "#ops", 1)))
	finish(t, d, claim(t, d, opsID, at(1)), alert.Dead, at(1))
	must(t, d.Learn(t.Context(), "#ops", opsID))
	reports, err := d.UnreportedDeadLetters(t.Context())
	must(t, err)
	if len(reports) != 1 || reports[0].Lane != "#ops" || reports[0].Count != 1 {
		t.Errorf("unreported are %+v", reports)
	}
	balanced(t, d)
	if m := retry(t, d, alert.DeadLetterSelector{Lane: opsID}); m.Deliveries != 1 || !slices.Equal(m.Lanes, []string{"#ops"}) {
		t.Fatalf("retried %+v", m)
	}
	balanced(t, d)
	deliverTo(t, d, claim(t, d, "#ops", at(2)), opsID, "100.1", 2)
	deliverTo(t, d, claim(t, d, "#ops", at(3)), opsID, "100.2", 3)
	wantStanding(t, d, c, alert.StandDelivered)
	balanced(t, d)
	tallies(t, d, 0, 0)
}

func testDigestsMerged(t *testing.T, d *DB) {
	var all []alert.Change
	for _, lane := range []string{opsID, "#db"} {
		for n := range 7 {
			all = append(all, commit(t, d, fire(incident(string(rune('a'+n))+lane, lane, 1))))
		}
	}
	flood := alert.Claim{Lane: opsID, Now: at(60), Posts: true, Updates: true, DigestAbove: 5, DigestAfter: time.Second}
	first, _, err := d.Claim(t.Context(), flood)
	must(t, err)
	flood.Lane = "#db"
	second, _, err := d.Claim(t.Context(), flood)
	must(t, err)
	if first.Kind != alert.Digest || second.Kind != alert.Digest {
		t.Fatalf("claimed %s and %s", first.Kind, second.Kind)
	}
	must(t, d.Learn(t.Context(), "#db", opsID))
	commit(t, d, fire(incident("a"+opsID, "#db", 2)))
	deliverTo(t, d, first, opsID, "100.1", 61)
	balanced(t, d)
	deliverTo(t, d, second, opsID, "100.2", 62)
	balanced(t, d)
	for n := 63; ; n++ {
		j, _, err := d.Claim(t.Context(), alert.Claim{Lane: "#db", Now: at(n), Posts: true, Updates: true})
		must(t, err)
		if j.ID == "" {
			break
		}
		deliverTo(t, d, j, opsID, "100.3", n)
		balanced(t, d)
	}
	for _, c := range all {
		wantStanding(t, d, c, alert.StandFolded)
	}
	tallies(t, d, 0, 0)
}

// waiting is how many cards are waited for.
func (d *DB) waiting() int {
	d.waiters.mu.Lock()
	defer d.waiters.mu.Unlock()
	return len(d.waiters.byCard)
}
