package store

import (
	"fmt"
	"testing"

	"tocsin/alert"
)

// flooded is a lane with n posts of a severity that wait.
func flooded(t *testing.T, d *DB, severity alert.Severity, n int) (all []alert.Change) {
	t.Helper()
	for k := range n {
		i := incident(fmt.Sprintf("%s-%d", severity, k), "#db", 1)
		i.Severity = severity
		all = append(all, commit(t, d, fire(i)))
	}
	return all
}

// digestClaim asks for digests of more than five.
func digestClaim(seconds int) alert.Claim {
	return alert.Claim{Lane: "#db", Now: at(seconds), Posts: true, Updates: true, DigestAbove: 5, DigestAfter: secondsLong(5)}
}

func claimDigest(t *testing.T, d *DB, seconds int, want alert.Kind) alert.Job {
	t.Helper()
	j, next, err := d.Claim(t.Context(), digestClaim(seconds))
	must(t, err)
	if j.Kind != want {
		t.Fatalf("claimed a %q (next at %v), want a %s", j.Kind, next, want)
	}
	return j
}

// deliver finishes a job as shown at a ts of its own, or of the card it edits.
func deliver(t *testing.T, d *DB, j alert.Job, seconds int) string {
	t.Helper()
	o := outcome(j, alert.Delivered, at(seconds))
	o.Sent.TS = fmt.Sprintf("%d.%d", seconds, j.Seq)
	if j.Kind == alert.Update {
		o.Sent.TS = j.Card.TS
	}
	must(t, d.Finish(t.Context(), o))
	return o.Sent.TS
}

// drain delivers everything that is pending and returns the kinds.
func drain(t *testing.T, d *DB, seconds int) string {
	t.Helper()
	got := ""
	for {
		j, _, err := d.Claim(t.Context(), digestClaim(seconds))
		must(t, err)
		if j.ID == "" {
			return got
		}
		got += string(j.Kind) + " "
		deliver(t, d, j, seconds)
	}
}

func happen(t *testing.T, d *DB, id string, with func(i *alert.Incident)) alert.Change {
	t.Helper()
	i, err := d.Incident(t.Context(), id)
	must(t, err)
	i.Version++
	with(&i)
	c := fire(i)
	c.Deliveries = append(c.Deliveries, delivery(i, alert.Reply, c.Deliveries[0].Priority))
	return commit(t, d, c)
}

func resolve(i *alert.Incident) { i.State = alert.StateResolved }

// testDigestPings: a digest pings everybody whom its cards would have pinged.
func testDigestPings(t *testing.T, d *DB) {
	for k := range 8 {
		i := incident(fmt.Sprint("pings-", k), "#db", 1)
		i.Mentions = map[string][]string{"#db": {"here", fmt.Sprint("U0", k%2)}, "#other": {"channel"}}
		commit(t, d, fire(i))
	}
	j := claimDigest(t, d, 10, alert.Digest)
	if got := fmt.Sprint(j.Digest.Mention); got != "[here U00 U01]" {
		t.Errorf("the digest pings %s", got)
	}
}

func testDigest(t *testing.T, d *DB) {
	all := flooded(t, d, alert.Error, 8)
	j := claimDigest(t, d, 10, alert.Digest)
	if j.Digest.Total != 8 || j.Digest.Severities[alert.Error] != 8 || j.Digest.Listed || j.Card.TS != "" || j.Unsure {
		t.Errorf("the digest is %+v of %+v", j.Digest, j.Delivery)
	}
	ts := deliver(t, d, j, 10)
	for _, c := range all {
		wantStanding(t, d, c, alert.StandFolded)
		i, err := d.Incident(t.Context(), c.Incidents[0].ID)
		must(t, err)
		if card := i.Card("#db"); card.TS != ts || !card.Digest || card.Version != 1 {
			t.Errorf("the card of %s is %+v, want the digest's", i.ID, card)
		}
	}
	list := claimDigest(t, d, 11, alert.List)
	if lines := readList(t, list); list.Card.TS != ts || len(lines) != 8 || lines[7].ID != "error-7" || list.Note.Topic != alert.TopicList {
		t.Errorf("the list is %+v of %+v", list.Note, list.Digest)
	}
	listed := deliver(t, d, list, 11)
	edit := claimDigest(t, d, 12, alert.Update)
	if edit.Digest == nil || !edit.Digest.Listed || edit.Digest.ListTS != listed || edit.Card.TS != ts {
		t.Errorf("the edit shows %+v", edit.Digest)
	}
	deliver(t, d, edit, 12)
	idle(t, d, digestClaim(13))
	if l := balanced(t, d); l.Total.Folded != 8 || l.Total.Pending != 0 {
		t.Errorf("the ledger is %+v", l.Total)
	}
}

// testBusyLane: a lane that has just shown many waits a little for others, without holding
// up updates, and shows them together.
func testBusyLane(t *testing.T, d *DB) {
	shown := commit(t, d, fire(incident("shown", "#db", 1)))
	deliver(t, d, claimDigest(t, d, 1, alert.Post), 1)
	flooded(t, d, alert.Error, 2)
	created := shown.Deliveries[0].CreatedAt
	c := digestClaim(2)
	c.Shown[alert.PriorityNormal] = 6
	if j, next, err := d.Claim(t.Context(), c); err != nil || j.ID != "" || !next.Equal(created.Add(c.DigestAfter)) {
		t.Fatalf("claimed %+v, next at %v: %v", j.Delivery, next, err)
	}
	happen(t, d, "shown", resolve)
	if j, _, err := d.Claim(t.Context(), c); err != nil || j.Kind != alert.Update {
		t.Fatalf("claimed %+v (%v), want the update", j.Delivery, err)
	}
	c.Now, c.Updates = at(10), false
	j, _, err := d.Claim(t.Context(), c)
	if must(t, err); j.Kind != alert.Digest || j.Digest.Total != 2 {
		t.Errorf("claimed %+v, want a digest of two", j.Delivery)
	}
}

func testNoDigest(t *testing.T, d *DB) {
	flooded(t, d, alert.Error, 5)
	flooded(t, d, alert.Critical, 5)
	deliver(t, d, claimDigest(t, d, 10, alert.Post), 10)
	late := incident("late", "#db", 1)
	c := fire(late)
	c.Deliveries[0].CreatedAt = at(8)
	commit(t, d, c)
	if got := drain(t, d, 10); got != "post post post post post post post post post post " {
		t.Errorf("five of each, and one that came just now, became %s", got)
	}
}

func testDigestRetry(t *testing.T, d *DB) {
	flooded(t, d, alert.Error, 7)
	postpone(t, d, alert.Pending, alert.ClassTransient, at(300))
	c := digestClaim(20)
	c.Retry = true
	j, _, err := d.Claim(t.Context(), c)
	must(t, err)
	if j.Kind != alert.Digest || j.Digest.Total != 7 {
		t.Errorf("claimed a %s of %+v, want a digest of all seven", j.Kind, j.Digest)
	}
}

func testDigestOrder(t *testing.T, d *DB) {
	flooded(t, d, alert.Error, 7)
	flooded(t, d, alert.Critical, 6)
	j := claimDigest(t, d, 10, alert.Digest)
	if j.Digest.Severities[alert.Critical] != 6 || j.Digest.Total != 6 {
		t.Errorf("first comes %+v, want the criticals", j.Digest)
	}
	o := outcome(j, alert.Pending, at(10))
	o.NextAt, o.Reason = at(30), "throttled"
	must(t, d.Finish(t.Context(), o))
	flooded(t, d, alert.Warning, 1)
	if next := idle(t, d, digestClaim(11)); !next.Equal(at(30)) {
		t.Errorf("the lane waits until %v, want the digest's time", next)
	}
	deliver(t, d, claimDigest(t, d, 30, alert.Digest), 30)
	if got := drain(t, d, 31); got != "digest list update list update " {
		t.Errorf("then came %s", got)
	}
}

func testDigestUnsure(t *testing.T, d *DB) {
	flooded(t, d, alert.Error, 8)
	first := claimDigest(t, d, 10, alert.Digest)
	late := happen(t, d, "error-3", resolve)
	again := claimDigest(t, d, 20, alert.Digest)
	if !again.Unsure || again.ID != first.ID || !again.StartedAt.Equal(at(10)) || again.Digest.Total != 8 {
		t.Errorf("after a crash: %+v", again.Delivery)
	}
	deliver(t, d, again, 20)
	wantStanding(t, d, late, alert.StandPending)
	if got := drain(t, d, 21); got != "list update " {
		t.Errorf("then came %s", got)
	}
	wantStanding(t, d, late, alert.StandFolded)
}

func testDigestEdits(t *testing.T, d *DB) {
	flooded(t, d, alert.Error, 8)
	drain(t, d, 10)
	var ends []alert.Change
	for k := range 5 {
		ends = append(ends, happen(t, d, fmt.Sprint("error-", k), resolve))
	}
	again := happen(t, d, "error-7", func(i *alert.Incident) { i.Count++ })
	wantStanding(t, d, again, alert.StandPending)
	j := claimDigest(t, d, 20, alert.Update)
	if j.Digest == nil || j.Digest.Resolved != 5 || j.Digest.Severities[alert.Error] != 3 {
		t.Errorf("the edit shows %+v", j.Digest)
	}
	meanwhile := happen(t, d, "error-5", resolve)
	deliver(t, d, j, 20)
	for _, c := range append(ends, again) {
		wantStanding(t, d, c, alert.StandFolded)
	}
	wantStanding(t, d, meanwhile, alert.StandPending)
	if got := drain(t, d, 21); got != "update " {
		t.Errorf("then came %s", got)
	}
	wantStanding(t, d, meanwhile, alert.StandFolded)
	balanced(t, d)
}

func worsen(i *alert.Incident) { i.Severity, i.Count = alert.Critical, i.Count+1 }

func testDigestLeft(t *testing.T, d *DB) {
	flooded(t, d, alert.Error, 8)
	drain(t, d, 10)
	worse, again := happen(t, d, "error-3", worsen), happen(t, d, "error-3", worsen)
	j := claimDigest(t, d, 20, alert.Post)
	if j.Incident.ID != "error-3" || j.Priority != 0 || j.Incident.Version != 3 {
		t.Errorf("claimed %+v", j.Delivery)
	}
	ts := deliver(t, d, j, 20)
	wantStanding(t, d, worse, alert.StandFolded)
	wantStanding(t, d, again, alert.StandFolded)
	if got := drain(t, d, 21); got != "reply reply update " {
		t.Errorf("then came %s", got)
	}
	happen(t, d, "error-3", resolve)
	if j = claimDigest(t, d, 22, alert.Update); j.Card.TS != ts || j.Digest != nil {
		t.Errorf("the end edits %+v", j.Card)
	}
	deliver(t, d, j, 22)
	if got := drain(t, d, 23); got != "reply " {
		t.Errorf("then came %s", got)
	}
	balanced(t, d)
}

func testDigestLeftOnTheWay(t *testing.T, d *DB) {
	flooded(t, d, alert.Error, 8)
	j := claimDigest(t, d, 10, alert.Digest)
	ended, worse := happen(t, d, "error-1", resolve), happen(t, d, "error-2", worsen)
	deliver(t, d, j, 10)
	wantStanding(t, d, ended, alert.StandPending)
	wantStanding(t, d, worse, alert.StandPending)
	if got := drain(t, d, 11); got != "post reply list update " {
		t.Errorf("then came %s", got)
	}
	wantStanding(t, d, ended, alert.StandFolded)
	wantStanding(t, d, worse, alert.StandFolded)
	i, err := d.Incident(t.Context(), "error-2")
	must(t, err)
	if card := i.Card("#db"); card.Digest {
		t.Errorf("the critical one's card is %+v", card)
	}
}

func testDigestDies(t *testing.T, d *DB) {
	all := flooded(t, d, alert.Error, 8)
	j := claimDigest(t, d, 10, alert.Digest)
	finish(t, d, j, alert.Dead, at(10))
	finish(t, d, j, alert.Dead, at(10))
	for _, c := range all {
		wantStanding(t, d, c, alert.StandDead)
	}
	dead := 0
	must(t, d.each(t.Context(), "SELECT count(*) FROM deliveries WHERE state = {dead} AND kind = {post} AND reason <> ''",
		func(s scanner) error { return s.Scan(&dead) }))
	if dead != 8 {
		t.Errorf("%d posts are dead letters, want each", dead)
	}
	idle(t, d, digestClaim(11))
	balanced(t, d)
}

func testDigestAnew(t *testing.T, d *DB) {
	all := flooded(t, d, alert.Error, 8)
	drain(t, d, 10)
	all = append(all, happen(t, d, "error-0", resolve))
	j := claimDigest(t, d, 20, alert.Update)
	o := outcome(j, alert.Pending, at(20))
	o.Kind, o.NextAt = j.NewCardKind(), at(20) // its message was deleted
	must(t, d.Finish(t.Context(), o))
	ts := deliver(t, d, claimDigest(t, d, 21, alert.Digest), 21)
	i, err := d.Incident(t.Context(), "error-5")
	must(t, err)
	if got := i.Card("#db").TS; got != ts {
		t.Errorf("the card is %s, want the new digest %s", got, ts)
	}
	for _, c := range all {
		r, err := d.Await(t.Context(), c.Alerts[0].ID)
		must(t, err)
		if r.TS != ts || r.Standing != alert.StandFolded {
			t.Errorf("the alert %s is %s at %s, want it in the new digest %s", r.ID, r.Standing, r.TS, ts)
		}
	}
	if got := drain(t, d, 22); got != "list update " {
		t.Errorf("then came %s", got)
	}
}

// postedAgain is a digest whose message was deleted, while own waits for the card
// of an incident that has left it, and listed for the digest.
func postedAgain(t *testing.T, d *DB) (digest alert.Job, own, listed alert.Change) {
	t.Helper()
	flooded(t, d, alert.Error, 8)
	drain(t, d, 10)
	happen(t, d, "error-3", worsen)
	drain(t, d, 11)
	listed = happen(t, d, "error-0", resolve)
	j := claimDigest(t, d, 20, alert.Update)
	o := outcome(j, alert.Pending, at(20))
	o.Kind, o.NextAt = j.NewCardKind(), at(20)
	must(t, d.Finish(t.Context(), o))
	own = happen(t, d, "error-3", worsen)
	c := digestClaim(21)
	c.Updates = false
	digest, _, err := d.Claim(t.Context(), c)
	must(t, err)
	if digest.Kind != alert.Digest {
		t.Fatalf("claimed a %s", digest.Kind)
	}
	return digest, own, listed
}

func testDigestLeavesCardsAlone(t *testing.T, d *DB) {
	digest, own, listed := postedAgain(t, d)
	deliver(t, d, digest, 21)
	wantStanding(t, d, listed, alert.StandFolded)
	wantStanding(t, d, own, alert.StandPending)
	if got := drain(t, d, 22); got != "update reply list update " {
		t.Errorf("then came %s", got)
	}
	wantStanding(t, d, own, alert.StandFolded)
	balanced(t, d)
}

func testDeadDigestLeavesCardsAlone(t *testing.T, d *DB) {
	digest, own, listed := postedAgain(t, d)
	finish(t, d, digest, alert.Dead, at(21))
	wantStanding(t, d, listed, alert.StandDead)
	wantStanding(t, d, own, alert.StandPending)
	if got := drain(t, d, 22); got != "update reply " {
		t.Errorf("then came %s", got)
	}
	wantStanding(t, d, own, alert.StandFolded)
	balanced(t, d)
}

func testDigestFile(t *testing.T, d *DB) {
	flooded(t, d, alert.Error, 130)
	deliver(t, d, claimDigest(t, d, 10, alert.Digest), 10)
	j := claimDigest(t, d, 11, alert.List)
	if j.Note.Topic != alert.TopicFile || len(readList(t, j)) != 130 {
		t.Errorf("the list of 130 is %+v", j.Note)
	}
	o := outcome(j, alert.Pending, at(11))
	o.Plain, o.NextAt = true, at(11) // Slack refuses files
	must(t, d.Finish(t.Context(), o))
	listed := 0
	for range 2 {
		j = claimDigest(t, d, 12, alert.List)
		listed += len(readList(t, j))
		deliver(t, d, j, 12)
	}
	if listed != 130 {
		t.Errorf("the text lists %d", listed)
	}
	if got := drain(t, d, 13); got != "update " {
		t.Errorf("then came %s", got)
	}
}

func testDigestOfManyLanes(t *testing.T, d *DB) {
	for k := range 8 {
		i := incident(fmt.Sprint("i-", k), "#db", 1)
		i.Lanes = []string{"#db", "#web"}
		c := fire(i)
		second := delivery(i, alert.Post, 1)
		second.Lane = "#web"
		c.Deliveries = append(c.Deliveries, second)
		commit(t, d, c)
	}
	drain(t, d, 10)
	c := digestClaim(10)
	c.Lane = "#web"
	j, _, err := d.Claim(t.Context(), c)
	must(t, err)
	if j.Kind != alert.Digest || j.Digest.Total != 8 {
		t.Errorf("the other lane has a %s of %+v", j.Kind, j.Digest)
	}
}

func testDigestHasNoID(t *testing.T, d *DB) {
	all := flooded(t, d, alert.Error, 6)
	claimDigest(t, d, 10, alert.Digest)
	snapshot, err := d.Load(t.Context(), alert.Query{})
	must(t, err)
	if want := all[5].Incidents[0].ID; snapshot.LastID != want {
		t.Errorf("the latest id is %q, want that of the latest incident, %q", snapshot.LastID, want)
	}
}
