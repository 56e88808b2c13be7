package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"tocsin/alert"
)

func testIncidentRoundTrip(t *testing.T, d *DB) {
	i := incident("k7f2", "#db", 1)
	i.Source, i.Text, i.Mention = "prom", "it's \"full\" é\n", "@oncall"
	i.Labels = map[string]string{"host": "db-3", "ünï": "çode"}
	i.Links = []alert.Link{{Label: "runbook", URL: "https://example.org/?a=b&c=d"}}
	i.Images = []alert.Image{{URL: "https://example.org/graph.png", Alt: "a graph"}}
	i.Format, i.Annotations = alert.FormatMrkdwn, map[string]string{}
	i.Lanes = []string{"#db", "@ann"}
	i.AckedBy, i.AckedAt, i.ResolvedAt = alert.ParsePerson("U1|ann"), at(7), at(8)
	i.OpenedAt, i.Assignee, i.ResolvedBy = at(1), alert.Person{ID: "U1"}, alert.Person{Name: "ROOT1"}
	i.Silence, i.SilencedUntil, i.HeldUntil, i.DueAt = "s-k7f2", at(90), at(91), at(92)
	i.Waiting, i.RemindAt = true, at(93)
	i.Escalated, i.Mentions = 2, map[string][]string{"#db": {"here", "S123"}, "@ann": {"ann@example.org"}}
	i.BeganAt, i.EndedAt, i.ExpiresAt, i.ExpiresIn, i.Expired, i.NotifyAt = at(-90), at(8), at(94), time.Hour, true, at(95)
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}})
	got, err := d.Incident(t.Context(), "k7f2")
	must(t, err)
	if !reflect.DeepEqual(got, i) {
		t.Errorf("got  %+v\nwant %+v", got, i)
	}
	i.Version, i.State, i.Labels, i.Title = 2, alert.Acked, nil, "still full"
	i.OpenedAt, i.AckedBy, i.Assignee, i.ResolvedBy, i.Mentions = at(2), alert.Person{Name: "bob"}, alert.Person{}, alert.Person{}, nil
	i.Silence, i.SilencedUntil, i.HeldUntil, i.DueAt, i.Escalated = "", time.Time{}, time.Time{}, time.Time{}, 0
	i.Waiting, i.RemindAt = false, time.Time{}
	again := record(i, "")
	again.Standing = alert.StandFolded
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Alerts: []alert.Record{again}})
	got, err = d.Incident(t.Context(), "k7f2")
	must(t, err)
	if !reflect.DeepEqual(got, i) {
		t.Errorf("got  %+v\nwant %+v", got, i)
	}
	i.Version, i.State = 3, alert.Open
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}})
	got, err = d.Incident(t.Context(), "k7f2")
	must(t, err)
	if !reflect.DeepEqual(got, i) {
		t.Errorf("without an alert: got  %+v\nwant %+v", got, i)
	}
}

// testWorded: an incident that is worded by a template says that, until an alert comes that
// is shown as it was sent.
func testWorded(t *testing.T, d *DB) {
	i := incident("k7f2", "#db", 1)
	c := fire(i)
	c.Incidents[0].SentTitle, c.Incidents[0].Title, c.Incidents[0].Text = i.Title, "worded", "by a template"
	c.Incidents[0].Fields = []alert.Field{{Name: "Host", Value: "db-3"}}
	read := func(want alert.Incident) {
		t.Helper()
		got, err := d.Incident(t.Context(), "k7f2")
		must(t, err)
		if got.Title != want.Title || got.Text != want.Text || got.SentTitle != want.SentTitle || !reflect.DeepEqual(got.Fields, want.Fields) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	commit(t, d, c)
	i = c.Incidents[0]
	read(i)
	if rec, err := d.Await(ended(t), c.Alerts[0].ID); !errors.Is(err, context.Canceled) || rec.Title != i.SentTitle {
		t.Errorf("the alert is kept as %+v, %v", rec.Alert, err)
	}
	i.Version, i.State = 2, alert.Acked
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}})
	read(i)
	for _, text := range []string{"worded again", ""} {
		again := record(i, "")
		again.Standing = alert.StandFolded
		i.Version, i.Text = i.Version+1, text
		commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Alerts: []alert.Record{again}})
		read(i)
	}
	i.Version, i.Title, i.SentTitle, i.Fields = i.Version+1, i.SentTitle, "", nil
	plain := record(i, "")
	plain.Standing = alert.StandFolded
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Alerts: []alert.Record{plain}})
	read(i)
}

// testApart: an incident says what an alert says that is recorded with another one, also once
// that is forgotten, until it has an alert of its own.
func testApart(t *testing.T, d *DB) {
	one, other := incident("a", "#db", 1), incident("b", "#ops", 1)
	read := func(want alert.Incident) {
		t.Helper()
		got, err := d.Incident(t.Context(), want.ID)
		must(t, err)
		if got.Title != want.Title || got.Text != want.Text || !reflect.DeepEqual(got.Labels, want.Labels) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	for version := int64(1); version <= 3; version++ {
		one.Version, one.Title = version, fmt.Sprint("disk full ", version)
		one.Text, one.Labels = "on "+one.Title, map[string]string{"try": one.Title}
		other.Version, other.Title, other.Text, other.Labels = version, one.Title, one.Text, one.Labels
		r := record(one, "")
		r.Standing = alert.StandFolded
		commit(t, d, alert.Change{Incidents: []alert.Incident{one, other}, Alerts: []alert.Record{r}, Apart: []string{"b"}})
		read(one)
		read(other)
	}
	must(t, d.Prune(t.Context(), at(0).Add(365*24*time.Hour)))
	read(other)
	other.Version, other.Title, other.Text = 4, "its own", ""
	own := record(other, "")
	own.Standing = alert.StandFolded
	commit(t, d, alert.Change{Incidents: []alert.Incident{other}, Alerts: []alert.Record{own}})
	read(other)
}

func testRecordRoundTrip(t *testing.T, d *DB) {
	c := fire(incident("a", "#db", 1))
	a := &c.Alerts[0]
	a.Source, a.Text, a.Channel, a.Mention, a.IdempotencyKey = "cron", "long\ntext", "#db", "@ann", "once"
	a.Labels, a.Links = map[string]string{"a": "b"}, []alert.Link{{Label: "l", URL: "u"}}
	a.Images = []alert.Image{{URL: "u", Alt: "a"}}
	a.Format, a.Annotations = alert.FormatMarkdown, map[string]string{"summary": "it is"}
	a.Standing, a.Reason = alert.StandSilenced, "by ann until noon"
	commit(t, d, c)
	got, err := d.Await(t.Context(), a.ID)
	must(t, err)
	if !reflect.DeepEqual(got, *a) {
		t.Errorf("got  %+v\nwant %+v", got, *a)
	}
}

func testConflict(t *testing.T, d *DB) {
	commit(t, d, fire(incident("a", "#db", 1)))
	for name, i := range map[string]alert.Incident{
		"the same again": incident("a", "#db", 1),
		"a skipped one":  incident("a", "#db", 3),
		"an unknown one": incident("b", "#db", 2),
	} {
		c := fire(i)
		c.Incidents = append([]alert.Incident{incident("new", "#db", 1)}, c.Incidents...)
		t.Log(name)
		mustBe(t, d.Commit(t.Context(), c), alert.ErrConflict)
	}
	if _, err := d.Incident(t.Context(), "new"); err == nil {
		t.Error("a conflicting change wrote its first incident")
	}
	if l := balanced(t, d); l.Total.Accepted != 1 {
		t.Errorf("%d alerts accepted, want 1", l.Total.Accepted)
	}
	commit(t, d, fire(incident("a", "#db", 2)))
}

func testLatest(t *testing.T, d *DB) {
	in := func(id, key, route string) alert.Incident {
		i := incident(id, "#db", 1)
		i.Key, i.Route = key, route
		return i
	}
	for _, i := range []alert.Incident{in("a1", "a", "default"), in("a2", "a", "default"), in("a3", "a", "night"), in("b1", "b", "default")} {
		commit(t, d, alert.Change{Incidents: []alert.Incident{i}})
	}
	f, err := d.Load(t.Context(), alert.Query{Keys: []string{"a", "c"}})
	must(t, err)
	var ids []string
	for _, i := range f.Incidents {
		ids = append(ids, i.ID)
	}
	if !reflect.DeepEqual(ids, []string{"a2", "a3"}) {
		t.Errorf("latest of a are %v, want a2 and a3", ids)
	}
}

func testSeen(t *testing.T, d *DB) {
	c := fire(incident("a", "#db", 1))
	c.Alerts[0].IdempotencyKey = "one"
	commit(t, d, c)
	f, err := d.Load(t.Context(), alert.Query{IdempotencyKeys: []string{"one", "two", ""}})
	must(t, err)
	want := map[string]alert.Accepted{
		"one": {ID: c.Alerts[0].ID, Key: "key-a", Incident: "a", Effect: alert.EffectOpened},
	}
	if !reflect.DeepEqual(f.Seen, want) {
		t.Errorf("got %v, want %v", f.Seen, want)
	}
}

func testIdempotencyConflict(t *testing.T, d *DB) {
	for n, id := range []string{"a", "b"} {
		c := fire(incident(id, "#db", 1))
		c.Alerts[0].IdempotencyKey = "one"
		err := d.Commit(t.Context(), c)
		if n == 0 {
			must(t, err)
			continue
		}
		mustBe(t, err, alert.ErrConflict)
	}
	balanced(t, d)
}

func testBoard(t *testing.T, d *DB) {
	for n, i := range []struct {
		id       string
		severity alert.Severity
		state    alert.State
		last     time.Time
	}{
		{"w", alert.Warning, alert.Open, at(9)},
		{"c1", alert.Critical, alert.Acked, at(1)},
		{"c2", alert.Critical, alert.Open, at(2)},
		{"r", alert.Critical, alert.StateResolved, at(8)},
		{"i", alert.Info, alert.Open, at(5)},
	} {
		in := incident(i.id, "#db", 1)
		in.Severity, in.State, in.LastAt, in.Count = i.severity, i.state, i.last, n
		commit(t, d, alert.Change{Incidents: []alert.Incident{in}})
	}
	for _, c := range []struct {
		filter alert.IncidentFilter
		want   []string
	}{
		{alert.IncidentFilter{}, []string{"r", "c2", "c1", "w", "i"}},
		{alert.IncidentFilter{States: []alert.State{alert.Open, alert.Acked, alert.Open}}, []string{"c2", "c1", "w", "i"}},
		{alert.IncidentFilter{States: []alert.State{alert.Open}, Limit: 2}, []string{"c2", "w"}},
	} {
		got, err := d.Incidents(t.Context(), c.filter)
		must(t, err)
		var ids []string
		for _, i := range got {
			ids = append(ids, i.ID)
		}
		if !reflect.DeepEqual(ids, c.want) {
			t.Errorf("%+v lists %v, want %v", c.filter, ids, c.want)
		}
	}
}

func testNotFound(t *testing.T, d *DB) {
	_, err := d.Incident(t.Context(), "nope")
	mustBe(t, err, alert.ErrNotFound)
	_, err = d.Await(t.Context(), "nope")
	mustBe(t, err, alert.ErrNotFound)
	mustBe(t, d.Finish(t.Context(), alert.Outcome{Delivery: "nope", State: alert.Dead}), alert.ErrNotFound)
	mustBe(t, d.Handled(t.Context(), "nope"), alert.ErrNotFound)
	c := fire(incident("a", "#db", 1))
	c.Incidents = nil
	mustBe(t, d.Commit(t.Context(), c), alert.ErrNotFound)
	must(t, d.Ping(t.Context()))
}
