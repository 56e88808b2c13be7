package store

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"tocsin/alert"
)

func load(t *testing.T, d *DB, q alert.Query) alert.Snapshot {
	t.Helper()
	f, err := d.Load(t.Context(), q)
	must(t, err)
	return f
}

func idsOf(incidents []alert.Incident) []string {
	ids := []string{}
	for _, i := range incidents {
		ids = append(ids, i.ID)
	}
	return ids
}

func wantIDs(t *testing.T, what string, got []alert.Incident, want ...string) {
	t.Helper()
	if ids := idsOf(got); fmt.Sprint(ids) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, ids, want)
	}
}

func matchers(t *testing.T, text string) alert.Matchers {
	t.Helper()
	ms, err := alert.ParseMatchers(text)
	must(t, err)
	return ms
}

func silence(t *testing.T, id string, ends int) alert.Silence {
	t.Helper()
	return alert.Silence{
		ID: id, Matchers: matchers(t, `host=~"db-.*", key!="x"`), CreatedAt: at(1), EndsAt: at(ends),
		By: alert.ParsePerson("U1|ann"), Why: "it's \"moving\"",
	}
}

func silenceIDs(silences []alert.Silence) string {
	ids := []string{}
	for _, s := range silences {
		ids = append(ids, s.ID)
	}
	return fmt.Sprint(ids)
}

func testAhead(t *testing.T, d *DB) {
	slack := int(alert.ClockSlack.Seconds())
	for id, change := range map[string]func(i *alert.Incident){
		"opened":  func(i *alert.Incident) { i.OpenedAt = at(slack + 101) },
		"acked":   func(i *alert.Incident) { i.State, i.AckedAt = alert.Acked, at(slack+101) },
		"close":   func(i *alert.Incident) { i.OpenedAt = at(slack + 100) },
		"nothing": func(i *alert.Incident) { i.OpenedAt, i.DueAt = at(slack+101), time.Time{} },
	} {
		i := incident(id, "#db", 1)
		i.DueAt = at(slack + 200)
		change(&i)
		commit(t, d, fire(i))
	}
	f := load(t, d, alert.Query{Now: at(100), Ahead: true})
	slices.SortFunc(f.Incidents, func(a, b alert.Incident) int { return cmp.Compare(a.ID, b.ID) })
	wantIDs(t, "opened after now", f.Incidents, "acked", "opened")
}

func testNamed(t *testing.T, d *DB) {
	for _, id := range []string{"a", "b", "c"} {
		commit(t, d, fire(incident(id, "#db", 1)))
	}
	finish(t, d, claim(t, d, "#db", at(1)), alert.Delivered, at(1))
	f := load(t, d, alert.Query{IDs: []string{"c", "nope", "a"}})
	wantIDs(t, "named", f.Incidents, "a", "c")
	if f.Incidents[0].Card("#db").TS == "" {
		t.Error("the card is missing")
	}
	f = load(t, d, alert.Query{Keys: []string{"key-c"}, IDs: []string{"c", "b"}})
	wantIDs(t, "latest of keys and named", f.Incidents, "c", "b")
	if job, _ := flood7(t, d); job.Digest != nil {
		if f := load(t, d, alert.Query{IDs: []string{job.Incident.ID}}); len(f.Incidents) != 0 {
			t.Error("a digest is no incident that people name")
		}
	}
}

// flood7 gathers seven posts in a digest.
func flood7(t *testing.T, d *DB) (alert.Job, time.Time) {
	t.Helper()
	for n := range 7 {
		commit(t, d, fire(incident(fmt.Sprint("flood", n), "#flood", 1)))
	}
	job, next, err := d.Claim(t.Context(), alert.Claim{Lane: "#flood", Now: at(30), Posts: true, Updates: true, DigestAbove: 2})
	must(t, err)
	return job, next
}

func testDue(t *testing.T, d *DB) {
	for id, due := range map[string]int{"late": 9, "now": 5, "soon": 3, "never": 0} {
		i := incident(id, "#db", 1)
		if due > 0 {
			i.DueAt = at(due)
		}
		commit(t, d, fire(i))
	}
	f := load(t, d, alert.Query{Now: at(5), Due: true})
	wantIDs(t, "due", f.Incidents, "soon", "now")
	if !f.NextDue.Equal(at(3)) {
		t.Errorf("next due at %v, want %v", f.NextDue, at(3))
	}
	for _, i := range f.Incidents {
		i.Version, i.DueAt = 2, time.Time{}
		commit(t, d, alert.Change{Incidents: []alert.Incident{i}})
	}
	if f = load(t, d, alert.Query{Now: at(5), Due: true}); len(f.Incidents) != 0 || !f.NextDue.Equal(at(9)) {
		t.Errorf("due are %v, next %v", idsOf(f.Incidents), f.NextDue)
	}
	if f = load(t, d, alert.Query{Now: at(5)}); len(f.Incidents) != 0 || !f.NextDue.IsZero() {
		t.Errorf("nobody asked for %v, %v", idsOf(f.Incidents), f.NextDue)
	}
}

func testOpen(t *testing.T, d *DB) {
	for n, state := range []alert.State{alert.Open, alert.Acked, alert.StateResolved, alert.Open} {
		i := incident(fmt.Sprint("i", n), "#db", 1)
		if i.State = state; n == 3 {
			i.Severity, i.DueAt = alert.Critical, at(1)
		}
		commit(t, d, fire(i))
	}
	q := alert.Query{Open: true}
	wantIDs(t, "open", load(t, d, q).Incidents, "i3", "i1", "i0")
	q.Keys, q.IDs, q.Due, q.Now = []string{"key-i2"}, []string{"i0"}, true, at(1)
	wantIDs(t, "open and others", load(t, d, q).Incidents, "i2", "i0", "i3", "i1")
}

func testRulesSilences(t *testing.T, d *DB) {
	if f := load(t, d, alert.Query{Now: at(5)}); len(f.Silences) != 0 || f.LastSilence != "" {
		t.Errorf("snapshot of an empty store are %+v", f)
	}
	a, b, c := silence(t, "s-a", 5), silence(t, "s-b", 9), silence(t, "s-c", 7)
	a.CreatedAt, b.CreatedAt, c.CreatedAt = at(1), at(2), at(3)
	commit(t, d, alert.Change{Silences: []alert.Silence{a, b}})
	commit(t, d, alert.Change{Silences: []alert.Silence{c}})
	for _, want := range []struct {
		second int
		ids    string
	}{{1, "[s-c s-b s-a]"}, {5, "[s-c s-b]"}, {8, "[s-b]"}, {4, "[s-c s-b s-a]"}, {9, "[]"}} {
		f := load(t, d, alert.Query{Now: at(want.second)})
		if silenceIDs(f.Silences) != want.ids || f.LastSilence != "s-c" {
			t.Errorf("at %d s: %s, latest %s; want %s", want.second, silenceIDs(f.Silences), f.LastSilence, want.ids)
		}
		for _, s := range f.Silences {
			if s.ID == "s-b" && !reflect.DeepEqual(s, b) {
				t.Errorf("got  %+v\nwant %+v", s, b)
			}
		}
	}
	f := load(t, d, alert.Query{Now: at(8), Silence: "s-a"})
	if silenceIDs(f.Silences) != "[s-b s-a]" {
		t.Errorf("silences are %s, want the named one besides", silenceIDs(f.Silences))
	}
	if f := load(t, d, alert.Query{Keys: []string{"x"}}); len(f.Silences)+len(f.Subscriptions) != 0 {
		t.Errorf("nobody asked for %+v", f)
	}
}

func testSilences(t *testing.T, d *DB) {
	for n := range 3 {
		s := silence(t, fmt.Sprint("s-", n), 5+n)
		s.CreatedAt = at(n)
		commit(t, d, alert.Change{Silences: []alert.Silence{s}})
	}
	for _, c := range []struct {
		filter alert.SilenceFilter
		want   string
	}{
		{alert.SilenceFilter{}, "[s-2 s-1 s-0]"},
		{alert.SilenceFilter{Limit: 2}, "[s-2 s-1]"},
		{alert.SilenceFilter{At: at(6)}, "[s-2]"},
		{alert.SilenceFilter{ID: "s-1"}, "[s-1]"},
		{alert.SilenceFilter{ID: "s-1", At: at(6)}, "[]"},
		{alert.SilenceFilter{ID: "nope"}, "[]"},
	} {
		got, err := d.Silences(t.Context(), c.filter)
		must(t, err)
		if silenceIDs(got) != c.want {
			t.Errorf("%+v lists %s, want %s", c.filter, silenceIDs(got), c.want)
		}
	}
}

func testSilenceChanged(t *testing.T, d *DB) {
	odd := alert.Silence{ID: "s-odd", CreatedAt: at(1), UpdatedAt: at(1), StartsAt: at(2), EndsAt: at(9), By: alert.Person{Name: "root"}, Channel: "C1"}
	for _, value := range []string{"it’s „odd“", "tab\tand\nline", `back\slash "quote"`, "", "a, b=c"} {
		m, err := alert.NewMatcher("l’abel, x", "=", value)
		must(t, err)
		odd.Matchers = append(odd.Matchers, m)
	}
	commit(t, d, alert.Change{Silences: []alert.Silence{odd, silence(t, "s-last", 9)}})
	hide(t, d, incident("a", "#db", 1), "s-odd")
	odd.StartsAt, odd.UpdatedAt, odd.Why = at(3), at(3), "later"
	odd.EndsAt, odd.EndedBy, odd.AnnouncedIn, odd.RemindedOf = at(3), alert.ParsePerson("U2|bob"), []string{"#db", "@ann"}, at(2)
	commit(t, d, alert.Change{Silences: []alert.Silence{odd}})
	got, err := d.Silences(t.Context(), alert.SilenceFilter{ID: "s-odd"})
	must(t, err)
	odd.Hidden = 1
	if len(got) != 1 || !reflect.DeepEqual(got[0], odd) {
		t.Errorf("got  %+v\nwant %+v", got, odd)
	}
	if f := load(t, d, alert.Query{Now: at(2)}); f.LastSilence != "s-last" || silenceIDs(f.Silences) != "[s-last s-odd]" {
		t.Errorf("the latest is %s of %s", f.LastSilence, silenceIDs(f.Silences))
	}
}

// hide commits an alert that a silence keeps out.
func hide(t *testing.T, d *DB, i alert.Incident, silence string) alert.Change {
	t.Helper()
	c := fire(i)
	c.Deliveries, c.Alerts[0].Delivery = nil, ""
	c.Alerts[0].Standing, c.Alerts[0].Silence, c.Alerts[0].Reason = alert.StandSilenced, silence, "silenced by "+silence
	return commit(t, d, c)
}

func testHidden(t *testing.T, d *DB) {
	commit(t, d, alert.Change{Silences: []alert.Silence{silence(t, "s-a", 9), silence(t, "s-b", 9)}})
	i := incident("a", "#db", 1)
	first := hide(t, d, i, "s-a")
	for i.Version = 2; i.Version < 5; i.Version++ {
		hide(t, d, i, "s-a")
	}
	hide(t, d, incident("b", "#other", 1), "s-b")
	wantStanding(t, d, first, alert.StandSilenced)
	f := load(t, d, alert.Query{Now: at(1), Silence: "s-a"})
	if named := f.Silences[len(f.Silences)-1]; named.Hidden != 4 {
		t.Errorf("the silence has hidden %d alerts, want 4", named.Hidden)
	}
	if l := balanced(t, d); l.Total != (alert.Counts{Accepted: 5, Silenced: 5}) {
		t.Errorf("ledger is %+v", l.Total)
	}
	tallies(t, d, 0, 0)
	if lanes, err := d.Lanes(t.Context()); err != nil || len(lanes) != 0 {
		t.Errorf("lanes with something owed are %v, %v", lanes, err)
	}
}

func testSilenceWakes(t *testing.T, d *DB) {
	s := silence(t, "s-a", 9)
	quiet := func(id string, due int) alert.Incident {
		i := incident(id, "#db", 1)
		i.Silence, i.SilencedUntil, i.DueAt = "s-a", at(9), at(due)
		return i
	}
	other := quiet("other", 9)
	other.Silence = "s-b"
	commit(t, d, alert.Change{
		Silences:  []alert.Silence{s},
		Incidents: []alert.Incident{quiet("a", 9), quiet("sooner", 2), other, incident("loud", "#db", 1)},
	})
	s.EndsAt = at(4)
	commit(t, d, alert.Change{Silences: []alert.Silence{s}})
	f := load(t, d, alert.Query{Now: at(5), Due: true})
	wantIDs(t, "due", f.Incidents, "sooner", "a")
	stale := quiet("a", 9)
	stale.Version = 2
	mustBe(t, d.Commit(t.Context(), alert.Change{Incidents: []alert.Incident{stale}}), alert.ErrConflict)
	again := f.Incidents[1]
	again.Version++
	commit(t, d, alert.Change{Incidents: []alert.Incident{again}})
}

func testSubscriptions(t *testing.T, d *DB) {
	ann := alert.Subscription{Person: "U1", Matchers: matchers(t, `severity="critical"`), CreatedAt: at(1)}
	bob := alert.Subscription{Person: "U2", CreatedAt: at(2)}
	again := ann
	again.CreatedAt = at(3)
	more := alert.Subscription{Person: "U1", Matchers: matchers(t, `host="db"`), CreatedAt: at(4)}
	for _, s := range []alert.Subscription{ann, bob, again, more} {
		load(t, d, alert.Query{Now: at(1)})
		must(t, d.Subscribe(t.Context(), s))
	}
	if f := load(t, d, alert.Query{Now: at(1)}); !reflect.DeepEqual(f.Subscriptions, []alert.Subscription{ann, bob, more}) {
		t.Errorf("subscriptions are %+v", f.Subscriptions)
	}
	if got, err := d.Subscriptions(t.Context(), "U1"); err != nil || !reflect.DeepEqual(got, []alert.Subscription{ann, more}) {
		t.Errorf("ann's are %+v, %v", got, err)
	}
	if n, err := d.Unsubscribe(t.Context(), "U1"); n != 2 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	if n, err := d.Unsubscribe(t.Context(), "U1"); n != 0 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	if f := load(t, d, alert.Query{Now: at(1)}); !reflect.DeepEqual(f.Subscriptions, []alert.Subscription{bob}) {
		t.Errorf("subscriptions are %+v", f.Subscriptions)
	}
}

func testHistory(t *testing.T, d *DB) {
	ann, bob := alert.ParsePerson("U1|ann"), alert.ParsePerson("U2|bob")
	i := incident("a", "#db", 1)
	i.Source = "prom"
	s := silence(t, "s-a", 9)
	commit(t, d, alert.Change{Silences: []alert.Silence{s}, History: []alert.Event{{Silence: "s-a", At: at(-1), Verb: alert.VerbSilence, By: ann, Text: s.Why}}})
	commit(t, d, fire(i))
	commit(t, d, fire(incident("b", "#db", 1)))
	lines := []alert.Event{
		{Incident: "a", At: at(2), Verb: alert.VerbAck, By: ann, Text: "mine", RequestID: "click-1"},
		{Incident: "a", Silence: "s-b", At: at(3), Verb: alert.VerbSilence, By: bob},
		{Incident: "a", At: at(4), Verb: alert.VerbAssign, By: ann, To: bob},
	}
	i.Version, i.State, i.Silence = 2, alert.Acked, "s-a"
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}, History: append(lines, alert.Event{Incident: "b", At: at(2), Verb: alert.VerbNote}, alert.Event{Incident: "a", At: at(4), Verb: alert.VerbNothing, RequestID: "click-2"})})
	commit(t, d, alert.Change{History: []alert.Event{{Silence: "s-b", At: at(3), Verb: alert.VerbSilence, By: bob}, {Silence: "s-b", At: at(5), Verb: alert.VerbUnsilence, By: ann}}})
	got, err := d.History(t.Context(), "a")
	must(t, err)
	want := append([]alert.Event{
		{Silence: "s-a", At: at(-1), Verb: alert.VerbSilence, By: ann, Text: s.Why},
		{Incident: "a", At: at(0), Verb: alert.VerbOpen, By: alert.Person{Name: "prom"}},
	}, append(lines, alert.Event{Silence: "s-b", At: at(5), Verb: alert.VerbUnsilence, By: ann})...)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	_, err = d.History(t.Context(), "nope")
	mustBe(t, err, alert.ErrNotFound)
	mustBe(t, d.Commit(t.Context(), alert.Change{History: []alert.Event{{Incident: "nope", Verb: alert.VerbNote}}}), alert.ErrConflict)
}

func testHistoryForgotten(t *testing.T, d *DB) {
	old := silence(t, "s-old", 2)
	commit(t, d, alert.Change{Silences: []alert.Silence{old}})
	live(t, d, "gone", "#db", 1)
	commit(t, d, fire(incident("stays", "#stays", 1)))
	commit(t, d, alert.Change{History: []alert.Event{
		{Incident: "gone", At: at(1), Verb: alert.VerbAck}, {Incident: "stays", Silence: "s-old", At: at(1), Verb: alert.VerbSilence},
		{Silence: "s-old", At: at(1), Verb: alert.VerbSilence, RequestID: "once"}, {Silence: "s-long", At: at(1), Verb: alert.VerbSilence},
	}})
	long := silence(t, "s-long", 2)
	long.EndsAt = later(d).Add(time.Hour)
	commit(t, d, alert.Change{Silences: []alert.Silence{long}})
	commit(t, d, alert.Change{Silences: []alert.Silence{silence(t, "s-last", 2)}})
	guard(t, d)
	must(t, d.Prune(t.Context(), later(d)))
	if got, err := d.Silences(t.Context(), alert.SilenceFilter{}); err != nil || silenceIDs(got) != "[s-last s-long]" {
		t.Errorf("silences left are %s, %v", silenceIDs(got), err)
	}
	if n := rows(t, d, "history"); n != 2 {
		t.Errorf("%d lines are left, want 2", n)
	}
	if f := load(t, d, alert.Query{Now: at(1)}); silenceIDs(f.Silences) != "[s-last s-long]" {
		t.Errorf("a decision sees %s", silenceIDs(f.Silences))
	}
}

func testOnce(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	commit(t, d, fire(incident("b", "#db", 1)))
	ack := func(id, once string) alert.Change {
		i := incident(id, "#db", 2)
		i.State = alert.Acked
		return alert.Change{Incidents: []alert.Incident{i}, History: []alert.Event{{Incident: id, At: at(1), Verb: alert.VerbAck, RequestID: once}}}
	}
	commit(t, d, ack("a", "click"))
	commit(t, d, ack("b", "click"))
	again := ack("a", "click")
	again.Incidents[0].Version = 3
	mustBe(t, d.Commit(t.Context(), again), alert.ErrConflict)
	if i, err := d.Incident(t.Context(), "a"); err != nil || i.Version != 2 {
		t.Errorf("the incident is %+v, %v", i, err)
	}
	again.History[0].RequestID = ""
	commit(t, d, again)
	f := load(t, d, alert.Query{Acts: []string{"click", "other"}})
	want := []alert.Event{{Incident: "a", At: at(1), Verb: alert.VerbAck, RequestID: "click"}, {Incident: "b", At: at(1), Verb: alert.VerbAck, RequestID: "click"}}
	if !reflect.DeepEqual(f.Done, want) {
		t.Errorf("done are %+v", f.Done)
	}
}

// holdBack commits an alert of an incident whose card is not owed yet.
func holdBack(t *testing.T, d *DB, i alert.Incident) alert.Change {
	t.Helper()
	i.HeldUntil, i.DueAt = at(50), at(50)
	c := fire(i)
	c.Deliveries, c.Alerts[0].Delivery = nil, ""
	return commit(t, d, c)
}

// release owes the card of a held incident in all its lanes.
func release(t *testing.T, d *DB, i alert.Incident) {
	t.Helper()
	i.HeldUntil, i.DueAt = time.Time{}, time.Time{}
	c := alert.Change{Incidents: []alert.Incident{i}}
	for _, lane := range i.Lanes {
		post := delivery(i, alert.Post, 1)
		post.Lane = lane
		c.Deliveries = append(c.Deliveries, post)
	}
	commit(t, d, c)
}

// testHushed: what was held back and will never be shown is silenced.
func testHushed(t *testing.T, d *DB) {
	commit(t, d, alert.Change{Silences: []alert.Silence{silence(t, "s-a", 9)}})
	i := incident("a", "#db", 1)
	opened, other := holdBack(t, d, i), holdBack(t, d, incident("b", "#db", 1))
	i.Version, i.State, i.ResolvedAt, i.HeldUntil = 2, alert.StateResolved, at(2), at(50)
	end := record(i, "")
	end.Standing, end.Silence, end.Reason = alert.StandSilenced, "s-a", "silence s-a"
	ended := commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Alerts: []alert.Record{end}, NeverShown: []alert.NeverShown{{Incident: "a", Silence: "s-a", Reason: "silence s-a"}}})
	wantStanding(t, d, opened, alert.StandSilenced)
	wantStanding(t, d, ended, alert.StandSilenced)
	wantStanding(t, d, other, alert.StandPending)
	if r, err := d.Await(t.Context(), opened.Alerts[0].ID); err != nil || r.Reason != "silence s-a" {
		t.Errorf("the alert is %+v, %v", r, err)
	}
	f := load(t, d, alert.Query{Now: at(1), Silence: "s-a"})
	if named := f.Silences[len(f.Silences)-1]; named.Hidden != 2 {
		t.Errorf("the silence has hidden %d alerts, want 2", named.Hidden)
	}
	if l := balanced(t, d); l.Total != (alert.Counts{Accepted: 3, Pending: 1, Silenced: 2}) {
		t.Errorf("ledger is %+v", l.Total)
	}
	tallies(t, d, 1, 0)
}

func testHeld(t *testing.T, d *DB) {
	i := incident("a", "#db", 1)
	i.Lanes = []string{"#db", "#ops"}
	opened := holdBack(t, d, i)
	i.Version = 2
	folded := holdBack(t, d, i)
	tallies(t, d, 2, 0)
	i.Version = 3
	release(t, d, i)
	post := claim(t, d, "#db", at(51))
	if r, _, err := d.record(t.Context(), opened.Alerts[0].ID); err != nil || r.Delivery != post.ID {
		t.Errorf("the alert that opened it waits for %q, %v; want the post %s", r.Delivery, err, post.ID)
	}
	finish(t, d, post, alert.Delivered, at(51))
	wantStanding(t, d, opened, alert.StandDelivered)
	wantStanding(t, d, folded, alert.StandFolded)
	finish(t, d, claim(t, d, "#ops", at(51)), alert.Delivered, at(51))
	if l := balanced(t, d); l.Total != (alert.Counts{Accepted: 2, Delivered: 1, Folded: 1}) {
		t.Errorf("ledger is %+v", l.Total)
	}
}

func testHeldReply(t *testing.T, d *DB) {
	i := incident("a", "#db", 1)
	held := holdBack(t, d, i)
	reply := delivery(i, alert.Reply, 0)
	reply.TopLevel = true
	i.Version, i.HeldUntil, i.DueAt = 2, at(50), at(50)
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Deliveries: []alert.Delivery{reply}})
	finish(t, d, claim(t, d, "#db", at(1)), alert.Dead, at(1))
	wantStanding(t, d, held, alert.StandPending)
	i.Version = 3
	release(t, d, i)
	finish(t, d, claim(t, d, "#db", at(51)), alert.Dead, at(51))
	wantStanding(t, d, held, alert.StandDead)
	moved := retry(t, d, alert.DeadLetterSelector{Lane: "#db"})
	if moved.Deliveries != 2 || moved.Alerts != 1 {
		t.Errorf("retried %+v", moved)
	}
	balanced(t, d)
}

func testTopLevel(t *testing.T, d *DB) {
	i := incident("a", "#db", 1)
	reply := delivery(i, alert.Reply, 0)
	reply.TopLevel, reply.Note = true, &alert.Note{Topic: alert.TopicHidden, Text: "s-a", At: at(9), Mention: []string{"here"}, Broadcast: true}
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Deliveries: []alert.Delivery{reply}})
	j := claim(t, d, "#db", at(1))
	if !j.TopLevel || !reflect.DeepEqual(j.Note, reply.Note) {
		t.Errorf("claimed %+v, note %+v", j.Delivery, j.Note)
	}
}

func testBoardFiltered(t *testing.T, d *DB) {
	const many = boardChunk + 30
	c := alert.Change{}
	for n := range many {
		i := incident(fmt.Sprintf("i%04d", n), "#db", 1)
		i.LastAt, i.Labels = at(n/3), map[string]string{"host": fmt.Sprint("db-", n%5)}
		switch {
		case n%7 == 0:
			i.State, i.AckedBy = alert.Acked, alert.ParsePerson("U1|ann")
			if n%2 == 0 {
				i.Assignee = alert.Person{ID: "U2"}
			}
		case n%7 == 1:
			i.State, i.Assignee = alert.StateResolved, alert.Person{ID: "U1"}
		case n%100 == 2:
			i.Severity, i.Route = alert.Critical, "channel:#db"
		}
		c.Incidents = append(c.Incidents, i)
	}
	commit(t, d, c)
	open := []alert.State{alert.Open, alert.Acked}
	for name, f := range map[string]alert.IncidentFilter{
		"all":        {},
		"by state":   {States: open},
		"by label":   {Matchers: matchers(t, `host=~"db-[12]"`)},
		"by channel": {Matchers: matchers(t, `channel="#db", severity=critical`), States: open},
		"mine":       {Mine: "U1"},
		"mine open":  {Mine: "U1", States: open, Matchers: matchers(t, `host!="db-0"`)},
		"handed on":  {Mine: "U2"},
		"nobody's":   {Mine: "U3"},
	} {
		want := []string{}
		for _, i := range sorted(c.Incidents) {
			if wanted(f, i) {
				want = append(want, i.ID)
			}
		}
		for offset := 0; offset <= len(want); offset += 100 {
			f.Offset, f.Limit = offset, 100
			got, err := d.Incidents(t.Context(), f)
			must(t, err)
			wantIDs(t, name, got, want[offset:min(offset+100, len(want))]...)
		}
		if n, err := d.Count(t.Context(), f); err != nil || n != len(want) {
			t.Errorf("%s: counted %d, %v; want %d", name, n, err, len(want))
		}
	}
}

// wanted is the filter, said plainly.
func wanted(f alert.IncidentFilter, i alert.Incident) bool {
	return (len(f.States) == 0 || slices.Contains(f.States, i.State)) && f.Matchers.Match(i.Subject()) &&
		(f.Mine == "" || i.Assignee.ID == f.Mine || i.Assignee.ID == "" && i.AckedBy.ID == f.Mine)
}

// sorted is how people read incidents: worst first, then latest first.
func sorted(incidents []alert.Incident) []alert.Incident {
	all := slices.Clone(incidents)
	slices.SortFunc(all, func(a, b alert.Incident) int {
		return cmp.Or(cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), b.LastAt.Compare(a.LastAt), cmp.Compare(b.ID, a.ID))
	})
	return all
}

func testCountIsExact(t *testing.T, d *DB) {
	const all = 2*boardChunk + 5
	c := alert.Change{}
	for n := range all {
		c.Incidents = append(c.Incidents, incident(fmt.Sprint("i", n), "#db", 1))
	}
	commit(t, d, c)
	severity := matchers(t, "severity!=info")
	if n, err := d.Count(t.Context(), alert.IncidentFilter{Matchers: severity, Limit: 3, Offset: 7}); err != nil || n != all {
		t.Errorf("counted %d, %v", n, err)
	}
	if n, err := d.Count(t.Context(), alert.IncidentFilter{Limit: 3, Offset: 7}); err != nil || n != all {
		t.Errorf("counted %d of all, %v", n, err)
	}
}

func testHeldNeverForgotten(t *testing.T, d *DB) {
	commit(t, d, alert.Change{Silences: []alert.Silence{silence(t, "s-a", 50), silence(t, "s-b", 50)}})
	i := incident("held", "#db", 1)
	held := holdBack(t, d, i)
	i.Version, i.HeldUntil, i.DueAt, i.State, i.ResolvedAt = 2, at(50), at(50), alert.StateResolved, at(2)
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}})
	loud := incident("silenced", "#db", 1)
	loud.Silence, loud.SilencedUntil, loud.HeldUntil, loud.DueAt = "s-a", at(50), at(50), at(50)
	silenced := hide(t, d, loud, "s-a")
	over := incident("over", "#db", 1)
	over.State, over.ResolvedAt = alert.StateResolved, at(2)
	hide(t, d, over, "s-a")
	guard(t, d)
	before := ledgerOf(t, d)
	must(t, d.Prune(t.Context(), later(d)))
	for id, want := range map[string]error{"held": nil, "silenced": nil, "over": alert.ErrNotFound} {
		_, err := d.Incident(t.Context(), id)
		mustBe(t, err, want)
	}
	wantStanding(t, d, held, alert.StandPending)
	_, err := d.Await(t.Context(), silenced.Alerts[0].ID)
	mustBe(t, err, alert.ErrNotFound)
	if after := ledgerOf(t, d); after.Total != before.Total || after.Total.Silenced != 2 || after.Total.Pending != 1 {
		t.Errorf("the ledger was %+v and is %+v", before.Total, after.Total)
	}
	f := load(t, d, alert.Query{Now: later(d), Due: true})
	wantIDs(t, "still due", f.Incidents, "held", "silenced")
	i.Version = 3
	release(t, d, i)
	finish(t, d, claim(t, d, "#db", later(d)), alert.Delivered, later(d))
	wantStanding(t, d, held, alert.StandDelivered)
}
