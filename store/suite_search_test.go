package store

import (
	"slices"
	"testing"
	"time"

	"tocsin/alert"
)

// testSearch selects incidents by words, by how long they have been in their state, and
// the latest ones.
func testSearch(t *testing.T, d *DB) {
	c := alert.Change{}
	add := func(id, title, host string, opened int, change func(i *alert.Incident)) {
		i := incident(id, "#db", 1)
		i.Title, i.OpenedAt, i.Labels = title, at(opened), map[string]string{"host": host}
		if change != nil {
			change(&i)
		}
		c.Incidents = append(c.Incidents, i)
	}
	add("a", "Disk full", "db-3", 10, nil)
	add("b", "Disk full", "db-30", 20, nil)
	add("c", "replica lags", "db-3", 30, func(i *alert.Incident) {
		i.State, i.AckedAt, i.AckedBy = alert.Acked, at(90), alert.ParsePerson("U1|ann")
	})
	add("d", "Disk full", "DB-3", 40, func(i *alert.Incident) { i.State, i.ResolvedAt = alert.StateResolved, at(95) })
	add("e", "cpu hot", "web-1", 50, func(i *alert.Incident) { i.Severity = alert.Critical })
	commit(t, d, c)
	open := []alert.State{alert.Open}
	unresolved := []alert.State{alert.Open, alert.Acked}
	for name, test := range map[string]struct {
		f    alert.IncidentFilter
		want []string
	}{
		"a label":                 {alert.IncidentFilter{Words: []string{"DB-3"}}, []string{"a", "c", "d"}},
		"two words":               {alert.IncidentFilter{Words: []string{"disk", "db-3"}, States: unresolved}, []string{"a"}},
		"a key":                   {alert.IncidentFilter{Words: []string{"key-e"}}, []string{"e"}},
		"words and matchers":      {alert.IncidentFilter{Words: []string{"disk"}, Matchers: matchers(t, `host="db-30"`)}, []string{"b"}},
		"nothing":                 {alert.IncidentFilter{Words: []string{"b-3 "}}, nil},
		"open for some time":      {alert.IncidentFilter{States: open, Before: at(20)}, []string{"a", "b"}},
		"acked for some time":     {alert.IncidentFilter{States: unresolved, Before: at(60)}, []string{"a", "b", "e"}},
		"the latest open one":     {alert.IncidentFilter{States: open, Latest: true, Limit: 1}, []string{"e"}},
		"the latest two with it":  {alert.IncidentFilter{States: unresolved, Words: []string{"db-3"}, Latest: true, Limit: 2}, []string{"a", "c"}},
		"the latest resolved one": {alert.IncidentFilter{States: []alert.State{alert.StateResolved}, Latest: true, Limit: 1}, []string{"d"}},
	} {
		ids, err := d.IDs(t.Context(), test.f)
		must(t, err)
		if test.f.Latest && len(test.want) > 1 && (len(ids) != 2 || ids[0] != "c") {
			t.Errorf("%s come in the order %v", name, ids)
		}
		if slices.Sort(ids); !slices.Equal(ids, test.want) {
			t.Errorf("%s: got %v, want %v", name, ids, test.want)
		}
		found, err := d.Incidents(t.Context(), test.f)
		must(t, err)
		n, err := d.Count(t.Context(), test.f)
		must(t, err)
		if len(found) != len(test.want) || !test.f.Latest && n != len(test.want) {
			t.Errorf("%s: listed %d and counted %d, want %d", name, len(found), n, len(test.want))
		}
	}
	counts, err := d.Tally(t.Context(), unresolved...)
	must(t, err)
	if len(counts) != 2 || counts[alert.Error] != 3 || counts[alert.Critical] != 1 {
		t.Errorf("counted %v", counts)
	}
}

// testIncidentAt finds incidents by their cards and by the digest that shows them.
// testNotice has the reminder of a silence beside an incident that is over.
func testNotice(t *testing.T, d *DB) {
	over := incident("over", "#db", 1)
	over.State, over.ResolvedAt, over.Severity = alert.StateResolved, at(1), alert.Info
	notice := alert.Silence{ID: "s-a", Matchers: matchers(t, `key="a"`), EndsAt: at(2000)}.RemindingIncident(at(1000))
	notice.ID, notice.Version, notice.Route, notice.Lanes = "notice", 1, alert.DefaultRoute, []string{"#ops"}
	notice.FirstAt, notice.OpenedAt, notice.LastAt, notice.ResolvedAt = at(0), at(0), at(0), at(0)
	commit(t, d, alert.Change{Incidents: []alert.Incident{over, notice}, Deliveries: []alert.Delivery{delivery(notice, alert.Post, 1)}})
	j := claim(t, d, "#ops", at(1))
	if j.Incident.Message == nil || j.Incident.Message.Begins.Silence != "s-a" {
		t.Errorf("what is posted is %+v", j.Incident)
	}
	ts := deliver(t, d, j, 1)
	for name, f := range map[string]alert.IncidentFilter{
		"all":        {},
		"resolved":   {States: []alert.State{alert.StateResolved}},
		"asked for":  {States: []alert.State{alert.StateResolved, alert.StateNotice}},
		"the latest": {States: []alert.State{alert.StateResolved}, Latest: true},
		"older":      {Before: at(500)},
	} {
		found, err := d.Incidents(t.Context(), f)
		must(t, err)
		n, err := d.Count(t.Context(), f)
		must(t, err)
		if len(found) != 1 || found[0].ID != "over" || n != 1 {
			t.Errorf("%s: counted %d and listed %+v", name, n, found)
		}
	}
	for _, f := range []alert.IncidentFilter{{Words: []string{"begins"}}, {Matchers: matchers(t, `source="silence"`)}} {
		if ids, err := d.IDs(t.Context(), f); err != nil || len(ids) > 0 {
			t.Errorf("found %v, %v", ids, err)
		}
	}
	if s, err := d.Stats(t.Context(), []time.Time{at(-10), at(10)}); err != nil || s.Incidents != 1 {
		t.Errorf("statistics are %+v, %v", s, err)
	}
	isNoIncident(t, d, notice.ID, outcome(j, alert.Delivered, at(1)).Sent.Conversation, ts)
	about, err := d.Delivery(t.Context(), j.ID)
	if err != nil || about.About.State != alert.StateNotice {
		t.Errorf("the delivery is about %+v, %v", about.About, err)
	}
	var viewed string
	must(t, d.each(t.Context(), "SELECT max(id) FROM v_incidents HAVING count(*) = 1", func(s scanner) error { return s.Scan(&viewed) }))
	if viewed != "over" {
		t.Errorf("the view has %q", viewed)
	}
}

// isNoIncident checks that an id, which is the latest that was given, and a message are found
// as those of no incident.
func isNoIncident(t *testing.T, d *DB, id, conversation, ts string) {
	t.Helper()
	_, err := d.Incident(t.Context(), id)
	mustBe(t, err, alert.ErrNotFound)
	_, err = d.History(t.Context(), id)
	mustBe(t, err, alert.ErrNotFound)
	_, err = d.IncidentAt(t.Context(), conversation, ts)
	mustBe(t, err, alert.ErrNotFound)
	if f := load(t, d, alert.Query{IDs: []string{id}}); len(f.Incidents) > 0 || f.LastID != id {
		t.Errorf("the latest id is %q, and found is %+v", f.LastID, f.Incidents)
	}
}

func testIncidentAt(t *testing.T, d *DB) {
	own := incident("own", "#ops", 1)
	commit(t, d, fire(own))
	j, _, err := d.Claim(t.Context(), alert.Claim{Lane: "#ops", Now: at(1), Posts: true})
	must(t, err)
	ts := deliver(t, d, j, 1)
	conversation := outcome(j, alert.Delivered, at(1)).Sent.Conversation
	flooded(t, d, alert.Error, 8)
	digest := claimDigest(t, d, 10, alert.Digest)
	if digest.Digest.ID != digest.Incident.ID || digest.Digest.ID == "" {
		t.Errorf("the digest is called %q, want %q", digest.Digest.ID, digest.Incident.ID)
	}
	digestTS := deliver(t, d, digest, 10)
	i, err := d.IncidentAt(t.Context(), conversation, ts)
	if err != nil || i.ID != "own" || len(i.Cards) != 1 {
		t.Errorf("the card is that of %+v, %v", i, err)
	}
	for _, no := range [][2]string{{conversation, "9.9"}, {"C0OTHER", ts}, {outcome(digest, alert.Delivered, at(10)).Sent.Conversation, digestTS}} {
		_, err := d.IncidentAt(t.Context(), no[0], no[1])
		mustBe(t, err, alert.ErrNotFound)
	}
	id, err := d.DigestAt(t.Context(), outcome(digest, alert.Delivered, at(10)).Sent.Conversation, digestTS)
	if err != nil || id != digest.Digest.ID {
		t.Errorf("the digest is %q, %v, want %q", id, err, digest.Digest.ID)
	}
	_, err = d.DigestAt(t.Context(), conversation, ts)
	mustBe(t, err, alert.ErrNotFound)
	f := alert.IncidentFilter{States: []alert.State{alert.Open}, Digest: digest.Digest.ID}
	ids, err := d.IDs(t.Context(), f)
	if err != nil || len(ids) != 8 || slices.Contains(ids, "own") {
		t.Errorf("the digest shows %v, %v", ids, err)
	}
	f.Digest = "digest-of-another"
	ids, err = d.IDs(t.Context(), f)
	if err != nil || len(ids) != 0 {
		t.Errorf("an unknown digest shows %v, %v", ids, err)
	}
}
