package store

import (
	"slices"
	"testing"
	"time"

	"tocsin/alert"
)

// rejection is the outcome of an attempt at a conversation that is broken.
func rejection(j alert.Job, now time.Time) alert.Outcome {
	o := outcome(j, alert.Pending, now)
	o.Class, o.NextAt = alert.ClassDestination, now.Add(time.Minute)
	o.Broken = &alert.Destination{Lane: j.Place(), Code: "is_archived", Hint: "unarchive it", Since: now, ProbeAt: now.Add(5 * time.Minute)}
	return o
}

// claimVia claims what comes next in a lane that something stands in for.
func claimVia(t *testing.T, d *DB, lane, via string, now time.Time) alert.Job {
	t.Helper()
	j, _, err := d.Claim(t.Context(), alert.Claim{Lane: lane, Now: now, Posts: true, Updates: true, Via: via})
	must(t, err)
	if j.ID == "" {
		t.Fatalf("lane %s has nothing to send", lane)
	}
	return j
}

func testDestination(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	must(t, d.Finish(t.Context(), rejection(claim(t, d, "#db", at(1)), at(1))))
	must(t, d.Mark(t.Context(), alert.Destination{Lane: "#db", Code: "channel_not_found", Hint: "look", Since: at(9), ProbeAt: at(10)}))
	all, err := d.Broken(t.Context())
	must(t, err)
	if len(all) != 1 || all[0] != (alert.Destination{Lane: "#db", Code: "channel_not_found", Hint: "look", Since: at(1), ProbeAt: at(10)}) {
		t.Errorf("broken are %+v", all)
	}
	if next := idle(t, d, alert.Claim{Lane: "#db", Now: at(2), Posts: true}); !next.After(at(2)) {
		t.Errorf("what was refused is due at %v", next)
	}
	must(t, d.Mark(t.Context(), alert.Destination{Lane: "#db", ProbeAt: at(3)}))
	if all, err := d.Broken(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("broken are %+v (%v), want none", all, err)
	}
	claim(t, d, "#db", at(3))
}

func testFallbackMended(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	must(t, d.Finish(t.Context(), rejection(claim(t, d, "#db", at(1)), at(1))))
	o := rejection(claimVia(t, d, "#db", "#fallback", at(120)), at(120))
	must(t, d.Finish(t.Context(), o))
	must(t, d.Mark(t.Context(), alert.Destination{Lane: "#fallback", ProbeAt: at(121)}))
	if j := claimVia(t, d, "#db", "#fallback", at(121)); j.Via != "#fallback" {
		t.Errorf("claimed %+v", j)
	}
}

func testVia(t *testing.T, d *DB) {
	c := commit(t, d, fire(incident("a", "#db", 1)))
	j := claimVia(t, d, "#db", "#fallback", at(1))
	if j.Via != "#fallback" || j.Known != "" {
		t.Errorf("claimed %+v, known as %q", j, j.Known)
	}
	if again := claimVia(t, d, "#db", "", at(2)); !again.Unsure || again.Via != "#fallback" {
		t.Errorf("where the attempt went is forgotten: %+v", again)
	}
	o := outcome(j, alert.Delivered, at(2))
	o.Sent.Conversation = "CFALLBACK"
	must(t, d.Finish(t.Context(), o))
	wantStanding(t, d, c, alert.StandDelivered)
	found, err := d.Incident(t.Context(), "a")
	must(t, err)
	if card := found.Card("#db"); card.Via != "#fallback" || card.Conversation != "CFALLBACK" {
		t.Errorf("the card is %+v", card)
	}
	commit(t, d, fire(incident("a", "#db", 2)))
	edit := claimVia(t, d, "#db", "", at(3))
	if edit.Kind != alert.Update || edit.Via != "#fallback" || edit.Known != "CFALLBACK" {
		t.Errorf("the edit goes via %q, known as %q", edit.Via, edit.Known)
	}
	finish(t, d, edit, alert.Delivered, at(3))
	commit(t, d, fire(incident("b", "#db", 1)))
	if j := claimVia(t, d, "#db", "", at(4)); j.Via != "" || j.Known != "" {
		t.Errorf("the lane is known as %q via %q, but was never reached", j.Known, j.Via)
	}
}

func testCardFirst(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	finish(t, d, claim(t, d, "#db", at(1)), alert.Delivered, at(1))
	reply := delivery(incident("a", "#db", 2), alert.Reply, 1)
	reply.Note = &alert.Note{Topic: alert.TopicMore, Text: "more"}
	commit(t, d, alert.Change{Incidents: []alert.Incident{incident("a", "#db", 2)}, Deliveries: []alert.Delivery{reply}})
	o := outcome(claim(t, d, "#db", at(2)), alert.Pending, at(2))
	o.CardFirst, o.NextAt = true, at(2)
	must(t, d.Finish(t.Context(), o))
	card := claimVia(t, d, "#db", "#fallback", at(3))
	if card.Kind != alert.Post || card.Incident.ID != "a" || card.ID == reply.ID {
		t.Fatalf("claimed %+v, want a new card", card)
	}
	if j, _, err := d.Claim(t.Context(), alert.Claim{Lane: "#other", Now: at(3), Posts: true}); err != nil || j.ID != "" {
		t.Errorf("claimed %+v (%v) elsewhere", j, err)
	}
	finish(t, d, card, alert.Delivered, at(3))
	if j := claim(t, d, "#db", at(4)); j.ID != reply.ID || j.Via != "#fallback" {
		t.Errorf("claimed %+v, want the reply", j)
	}
	balanced(t, d)
}

// strandedIn lists the incidents that are stranded in a lane.
func strandedIn(t *testing.T, d *DB, lane string) (incidents []string) {
	t.Helper()
	jobs, err := d.Stranded(t.Context(), lane, 10)
	must(t, err)
	for _, j := range jobs {
		incidents = append(incidents, j.Incident.ID)
	}
	return incidents
}

func testStranded(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	commit(t, d, fire(incident("elsewhere", "#x", 1)))
	worst := incident("b", "#db", 1)
	worst.Severity = alert.Critical
	commit(t, d, fire(worst))
	if got := strandedIn(t, d, "#db"); !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("stranded are %v, want the critical one first", got)
	}
	j := claim(t, d, "#db", at(1))
	must(t, d.Rescued(t.Context(), []string{j.ID}))
	if got := strandedIn(t, d, "#db"); !slices.Equal(got, []string{"a"}) {
		t.Errorf("stranded are %v, want the one that was not taken", got)
	}
	finish(t, d, j, alert.Dead, at(1))
	retry(t, d, alert.DeadLetterSelector{ID: j.ID})
	if got := strandedIn(t, d, "#db"); len(got) != 2 {
		t.Errorf("stranded are %v, want the one that a person retried as well", got)
	}
	testStrandedDigest(t, d)
}

// testStrandedDigest: what was taken before it was gathered is not handed over
// again, and a digest that was shown has a list.
func testStrandedDigest(t *testing.T, d *DB) {
	t.Helper()
	for n := range 6 {
		commit(t, d, fire(incident(string(rune('m'+n)), "#flood", 1)))
	}
	first, err := d.Stranded(t.Context(), "#flood", 2)
	must(t, err)
	must(t, d.Rescued(t.Context(), []string{first[0].ID, first[1].ID}))
	digest, _, err := d.Claim(t.Context(), alert.Claim{Lane: "#flood", Now: at(60), Posts: true, DigestAbove: 5})
	must(t, err)
	if got := strandedIn(t, d, "#flood"); digest.Kind != alert.Digest || !slices.Equal(got, []string{"o", "p", "q", "r"}) {
		t.Fatalf("with a %s, stranded are %v, want the four that were not taken", digest.Kind, got)
	}
	finish(t, d, digest, alert.Delivered, at(61))
	jobs, err := d.Stranded(t.Context(), "#flood", 10)
	must(t, err)
	if len(jobs) != 1 || jobs[0].Kind != alert.Update || jobs[0].Digest == nil {
		t.Fatalf("stranded are %+v, want the edit of the digest", jobs)
	}
	if lines, err := jobs[0].Digest.Read(t.Context()); err != nil || len(lines) != 6 {
		t.Errorf("it stands for %+v (%v), want six incidents", lines, err)
	}
}

func testUnreportedDeadLetters(t *testing.T, d *DB) {
	for _, id := range []string{"a", "b", "c"} {
		commit(t, d, fire(incident(id, "#db", 1)))
	}
	first := claim(t, d, "#db", at(1))
	finish(t, d, first, alert.Dead, at(1))
	finish(t, d, claim(t, d, "#db", at(2)), alert.Dead, at(2))
	unreported := func() []alert.UnreportedDeadLetters {
		t.Helper()
		all, err := d.UnreportedDeadLetters(t.Context())
		must(t, err)
		return all
	}
	reports := unreported()
	if len(reports) != 1 || reports[0].Lane != "#db" || reports[0].Count != 2 || reports[0].Reason != "is_archived" {
		t.Fatalf("unreported are %+v", reports)
	}
	finish(t, d, claim(t, d, "#db", at(3)), alert.Dead, at(3))
	must(t, d.MarkReported(t.Context(), reports[0]))
	if left := unreported(); len(left) != 1 || left[0].Count != 1 {
		t.Errorf("unreported are %+v, want the one that died meanwhile", left)
	}
	must(t, d.MarkReported(t.Context(), unreported()[0]))
	retry(t, d, alert.DeadLetterSelector{ID: first.ID})
	finish(t, d, claim(t, d, "#db", at(1000)), alert.Dead, at(1000))
	if left := unreported(); len(left) != 1 || left[0].Count != 1 {
		t.Errorf("unreported are %+v, want the one that died again", left)
	}
}
