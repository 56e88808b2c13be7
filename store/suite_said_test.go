package store

import (
	"fmt"
	"strings"
	"testing"

	"tocsin/alert"
)

// notes are replies of every topic, in every form.
func notes(i alert.Incident) (all []alert.Delivery) {
	for _, topic := range []alert.Topic{
		alert.TopicMore, alert.TopicResolved, alert.TopicReopened, alert.TopicEscalated, alert.TopicRefired, alert.TopicAcked,
		alert.TopicAssigned, alert.TopicNote, alert.TopicSilenced, alert.TopicUnanswered, alert.TopicReminder, alert.TopicHidden,
	} {
		for _, form := range []func(*alert.Delivery){
			func(*alert.Delivery) {},
			func(d *alert.Delivery) { d.Note.Text = `"mention":[ {"topic":"note"` },
			func(d *alert.Delivery) { d.Note.Mention = []string{"here"} },
			func(d *alert.Delivery) { d.TopLevel = true },
		} {
			d := delivery(i, alert.Reply, 1)
			d.Note = &alert.Note{Topic: topic, By: alert.Person{Name: "ann"}, At: at(1)}
			form(&d)
			all = append(all, d)
		}
	}
	return append(all, delivery(i, alert.Reply, 1))
}

// reply adds replies to an incident.
func reply(t *testing.T, d *DB, id string, replies ...alert.Delivery) {
	t.Helper()
	i, err := d.Incident(t.Context(), id)
	must(t, err)
	i.Version++
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Deliveries: replies})
}

func testSaidBehindDigest(t *testing.T, d *DB) {
	all := notes(incident("error-3", "#db", 1))
	flooded(t, d, alert.Error, len(all))
	want := ""
	for n := range all {
		r := &all[n]
		r.Incident = fmt.Sprint("error-", n)
		reply(t, d, r.Incident, *r)
		if r.MustSay() {
			want += r.ID + " "
		}
	}
	if n := strings.Count(want, " "); n <= 20 || n >= len(all)-10 {
		t.Fatalf("%d of %d must be said", n, len(all))
	}
	deliver(t, d, claimDigest(t, d, 10, alert.Digest), 10)
	sent, others := "", ""
	for {
		j, _, err := d.Claim(t.Context(), digestClaim(11))
		must(t, err)
		if j.ID == "" {
			break
		}
		if j.Kind == alert.Reply {
			sent += j.ID + " "
			if !j.Card.Digest {
				t.Errorf("a reply goes to the card %+v, want the digest", j.Card)
			}
		} else {
			others += string(j.Kind) + " "
		}
		deliver(t, d, j, 11)
	}
	if sent != want {
		t.Errorf("the replies were\n%s, want\n%s", sent, want)
	}
	if others != "list list list update " {
		t.Errorf("the others were %s", others)
	}
	if l := balanced(t, d); l.Total.Folded != int64(len(all)) {
		t.Errorf("ledger is %+v", l.Total)
	}
}

func testSaidInDigest(t *testing.T, d *DB) {
	flooded(t, d, alert.Error, 8)
	drain(t, d, 10)
	for _, topic := range []alert.Topic{alert.TopicAcked, alert.TopicUnanswered} {
		r := delivery(incident("error-3", "#db", 1), alert.Reply, 1)
		r.Note = &alert.Note{Topic: topic, At: at(1)}
		reply(t, d, "error-3", r)
	}
	edit := claimDigest(t, d, 20, alert.Update)
	waits := happen(t, d, "error-3", func(i *alert.Incident) { i.Count++ })
	deliver(t, d, edit, 20)
	j := claimDigest(t, d, 20, alert.Reply)
	if j.Note.Topic != alert.TopicUnanswered || !j.Card.Digest {
		t.Errorf("claimed %+v in %+v", j.Note, j.Card)
	}
	finish(t, d, j, alert.Dead, at(20))
	wantStanding(t, d, waits, alert.StandPending)
	if got := drain(t, d, 21); got != "update " {
		t.Errorf("then came %s", got)
	}
	wantStanding(t, d, waits, alert.StandFolded)
	balanced(t, d)
}

func testSilencedStaysInDigest(t *testing.T, d *DB) {
	flooded(t, d, alert.Critical, 8)
	drain(t, d, 10)
	for n := range 8 {
		happen(t, d, fmt.Sprint("critical-", n), func(i *alert.Incident) { i.Silence = "s-a" })
	}
	if got := drain(t, d, 20); got != "update " {
		t.Errorf("eight silenced criticals of one digest became %s", got)
	}
	happen(t, d, "critical-2", func(i *alert.Incident) { i.Silence = "" })
	if got := drain(t, d, 30); got != "post reply update " {
		t.Errorf("one that is loud again became %s", got)
	}
}

// testAskedOnce: a digest's incidents together ask the same people once.
func testAskedOnce(t *testing.T, d *DB) {
	flooded(t, d, alert.Error, 8)
	ask := func(n int, mention ...string) {
		r := delivery(incident(fmt.Sprint("error-", n), "#db", 1), alert.Reply, 1)
		r.Note = &alert.Note{Topic: alert.TopicUnanswered, Count: n, At: at(n), Mention: mention}
		reply(t, d, fmt.Sprint("error-", n), r)
	}
	for n := range 6 {
		ask(n, "here")
	}
	ask(6, "U1")
	deliver(t, d, claimDigest(t, d, 10, alert.Digest), 10)
	if got := drain(t, d, 11); got != "reply reply list update " {
		t.Errorf("behind the digest came %s", got)
	}
	for n := range 8 {
		ask(n, "here")
		happen(t, d, fmt.Sprint("error-", n), func(i *alert.Incident) { i.Count++ })
	}
	ask(3, "U1", "here")
	if got := drain(t, d, 20); got != "reply update reply " && got != "update reply reply " && got != "reply reply update " {
		t.Errorf("later came %s", got)
	}
	if l := balanced(t, d); l.Total.Pending != 0 || rows(t, d, "deliveries WHERE stage IS NOT NULL") != 0 {
		t.Errorf("something is left: %+v", l.Total)
	}
}
