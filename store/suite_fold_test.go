package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

// shownCards are incidents with a card in #db.
func shownCards(t *testing.T, d *DB, ids ...string) {
	t.Helper()
	for _, id := range ids {
		commit(t, d, fire(incident(id, "#db", 1)))
		finish(t, d, claim(t, d, "#db", at(1)), alert.Delivered, at(1))
	}
}

// quiet is a reply that notifies nobody.
func quiet(id string, topic alert.Topic) alert.Delivery {
	r := delivery(incident(id, "#db", 1), alert.Reply, alert.PriorityQuiet)
	r.Note = &alert.Note{Topic: topic, At: at(1)}
	return r
}

func edit(id string) alert.Delivery {
	return delivery(incident(id, "#db", 1), alert.Update, alert.PriorityNormal)
}

// said claims and finishes everything in #db, and lists what was said.
func said(t *testing.T, d *DB, c alert.Claim) (all []string) {
	t.Helper()
	for {
		j, _, err := d.Claim(t.Context(), c)
		must(t, err)
		if j.ID == "" {
			return all
		}
		line := j.Incident.ID + " " + string(j.Kind)
		if j.Note != nil {
			for _, n := range j.Note.Notes() {
				line += " " + string(n.Topic)
			}
		}
		all = append(all, line)
		finish(t, d, j, alert.Delivered, c.Now)
	}
}

func testNotesFold(t *testing.T, d *DB) {
	shownCards(t, d, "a", "b")
	note := quiet("a", alert.TopicNote)
	note.Note.Text = "on it"
	reply(t, d, "a", edit("a"), quiet("a", alert.TopicRefired))
	reply(t, d, "b", quiet("b", alert.TopicRefired))
	reply(t, d, "a", note, quiet("a", alert.TopicRefired))
	for range 100 {
		reply(t, d, "a", edit("a"), quiet("a", alert.TopicRefired))
	}
	if n := rows(t, d, "deliveries WHERE stage IS NOT NULL"); n != 3 {
		t.Errorf("%d deliveries wait, want an edit and a reply for each incident", n)
	}
	got := said(t, d, alert.Claim{Lane: "#db", Now: at(2), Posts: true, Updates: true})
	if want := []string{"a update", "a reply note refired", "b reply refired"}; !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
	balanced(t, d)
}

func testLaterText(t *testing.T, d *DB) {
	shownCards(t, d, "a", "b")
	text := func(id, says string, topic alert.Topic) alert.Delivery {
		r := quiet(id, topic)
		r.Note.Text, r.Note.Latest = says, true
		return r
	}
	reply(t, d, "a", text("a", "first", alert.TopicRefired), text("a", "first, page 2", alert.TopicMore), text("a", "first, page 3", alert.TopicMore))
	reply(t, d, "b", text("b", "of another incident", alert.TopicText))
	begun := claim(t, d, "#db", at(2))
	ack := quiet("a", alert.TopicAcked)
	reply(t, d, "a", ack)
	for _, says := range []string{strings.Repeat("second ", 100), "third"} {
		i, err := d.Incident(t.Context(), "a")
		must(t, err)
		i.Version++
		commit(t, d, alert.Change{
			Incidents: []alert.Incident{i}, Retold: map[string]time.Time{"a": at(3)},
			Deliveries: []alert.Delivery{edit("a"), text("a", says, alert.TopicRefired), text("a", says+", page 2", alert.TopicMore)},
		})
	}
	finish(t, d, begun, alert.Delivered, at(4))
	if n := rows(t, d, `deliveries WHERE state = {pending} AND note LIKE '%"cut":true%'`); n != 1 {
		t.Errorf("of %d replies only the beginning is left, want that of the second", n)
	}
	got := said(t, d, alert.Claim{Lane: "#db", Now: at(5), Posts: true, Updates: true})
	want := []string{"b reply text", "a reply acked refired refired", "a update", "a reply more"}
	if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("said %q, want %q", got, want)
	}
	balanced(t, d)
}

// testFoldedAge: a reply that others are folded into all the time is given up in time, and
// one from the future, by a clock that was put back since, is as old as what was added.
func testFoldedAge(t *testing.T, d *DB) {
	shownCards(t, d, "a")
	for n, c := range []struct{ created, want int }{{5, 5}, {9, 5}, {7, 5}, {2, 2}} {
		r := quiet("a", alert.TopicRefired)
		r.CreatedAt, r.NextAt = at(c.created), at(c.created)
		reply(t, d, "a", r)
		if waiting := rows(t, d, fmt.Sprintf("deliveries WHERE stage IS NOT NULL AND created_at = %d", micros(at(c.want)))); waiting != 1 {
			t.Errorf("after %d replies there is none of %s", n+1, at(c.want))
		}
		if late := rows(t, d, fmt.Sprintf("deliveries WHERE stage IS NOT NULL AND next_at > %d", micros(at(c.created)))); late != 0 {
			t.Errorf("after %d replies one waits until after %s", n+1, at(c.created))
		}
	}
}

// testFoldedIntoTheFuture: a reply from the future, by a clock that was put back since,
// does not wait until then when a note is added to it.
func testFoldedIntoTheFuture(t *testing.T, d *DB) {
	shownCards(t, d, "a")
	r := quiet("a", alert.TopicRefired)
	r.CreatedAt, r.NextAt = at(1200), at(1200)
	reply(t, d, "a", r)
	r = quiet("a", alert.TopicAcked)
	r.CreatedAt, r.NextAt = at(2), at(2)
	reply(t, d, "a", r)
	got := said(t, d, alert.Claim{Lane: "#db", Now: at(2), Posts: true, Updates: true})
	if want := []string{"a reply refired acked"}; !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
}

// testNotesUndone: what is undone before it was sent is not sent, in one change or in
// several, and what waits behind it goes on.
func testNotesUndone(t *testing.T, d *DB) {
	shownCards(t, d, "a", "b")
	reply(t, d, "a", quiet("a", alert.TopicResolved))
	reply(t, d, "a", edit("a"), quiet("a", alert.TopicReopened))
	reply(t, d, "b", quiet("b", alert.TopicResolved), edit("b"), quiet("b", alert.TopicReopened), quiet("b", alert.TopicRefired))
	got := said(t, d, alert.Claim{Lane: "#db", Now: at(2), Posts: true, Updates: true})
	if want := []string{"a update", "b update", "b reply refired"}; !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
	if n := rows(t, d, "deliveries WHERE stage IS NOT NULL"); n != 0 {
		t.Errorf("%d deliveries wait", n)
	}
	balanced(t, d)
}

// testNotesBeingSent: a reply that is being sent, or may have been, says what it said.
func testNotesBeingSent(t *testing.T, d *DB) {
	shownCards(t, d, "a")
	reply(t, d, "a", quiet("a", alert.TopicResolved))
	sending := claim(t, d, "#db", at(2))
	reply(t, d, "a", quiet("a", alert.TopicReopened))
	if again := claim(t, d, "#db", at(3)); again.ID != sending.ID || len(again.Note.Notes()) != 1 || !again.Unsure {
		t.Errorf("claimed %+v", again.Delivery)
	}
	finish(t, d, sending, alert.Delivered, at(4))
	if got := said(t, d, alert.Claim{Lane: "#db", Now: at(5), Posts: true}); !slices.Equal(got, []string{"a reply reopened"}) {
		t.Errorf("said %q", got)
	}
}

func testQuietReplies(t *testing.T, d *DB) {
	shownCards(t, d, "a", "b", "c")
	loud := delivery(incident("c", "#db", 1), alert.Reply, alert.PriorityNormal)
	loud.Note = &alert.Note{Topic: alert.TopicUnanswered, At: at(1)}
	reply(t, d, "a", quiet("a", alert.TopicRefired))
	reply(t, d, "b", quiet("b", alert.TopicRefired))
	reply(t, d, "c", quiet("c", alert.TopicRefired), loud)
	for n := range 4 {
		commit(t, d, fire(incident(fmt.Sprint("new-", n), "#db", 1)))
	}
	critical := incident("critical", "#db", 1)
	critical.Severity = alert.Critical
	commit(t, d, fire(critical))
	c := alert.Claim{Lane: "#db", Now: at(2), Posts: true, QuietFirst: true}
	var got []string
	for range 3 { // criticals, and then one quiet reply
		j, _, err := d.Claim(t.Context(), c)
		must(t, err)
		got = append(got, j.Incident.ID)
		finish(t, d, j, alert.Delivered, at(2))
		c.QuietFirst = len(got) == 1
	}
	got = append(got, said(t, d, c)...)
	want := []string{"critical", "a", "c", "c reply unanswered", "new-0 post", "new-1 post", "new-2 post", "new-3 post", "b reply refired"}
	if !slices.Equal(got, want) {
		t.Errorf("claimed %q, want %q", got, want)
	}
}
