package store

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"tocsin/alert"
)

// groupOf is the incident of a group.
func groupOf(id string, version int64) alert.Incident {
	i := incident(id, "#ops", version)
	i.Key, i.Title, i.Text = `{alertname="DiskFull"}`, "DiskFull", ""
	i.Labels = map[string]string{"alertname": "DiskFull"}
	i.Group = &alert.Group{
		Labels: i.Labels, Total: 3, Firing: map[alert.Severity]int{alert.Error: 2}, Silenced: map[alert.Severity]int{alert.Warning: 1},
		SilencedBy: "s-1", Titles: true, Texts: true, Latest: map[string]string{"alertname": "DiskFull", "host": "c"},
		Inhibited: map[alert.Severity]int{alert.Info: 1}, Withdrawn: 1, InhibitedBy: "k9",
		Said: 2, Ended: 1, Again: 1, SaidAt: at(1), SayAt: at(2), DueAt: at(3),
		Plain: &alert.Wording{
			Title: "disks", Text: "are full", Links: []alert.Link{{Label: "Graph", URL: "https://example.com"}}, Images: []alert.Image{{URL: "https://example.com/i.png"}},
		},
	}
	i.Unworded = "a template fails"
	i.Untold = &alert.Note{Topic: alert.TopicRefired, Text: "80 % used", Before: []alert.Note{{Topic: alert.TopicOthers, Count: 2}}}
	return i
}

func memberOf(incident, key string, n int) alert.GroupMember {
	return alert.GroupMember{
		Incident: incident, Key: key, N: n, Status: alert.Firing, Severity: alert.Error, Title: "disk full on " + key, Text: "90 %",
		Labels: map[string]string{"host": key}, Links: []alert.Link{{Label: "Graph", URL: "https://example.com/" + key}},
		Count: 2, BeganAt: at(n), LastAt: at(10), Annotations: map[string]string{"summary": "full: " + key},
	}
}

func keysOf(members []alert.GroupMember) string {
	var keys []string
	for _, m := range members {
		keys = append(keys, m.Key)
	}
	return fmt.Sprint(keys)
}

func testMembers(t *testing.T, d *DB) {
	i := groupOf("k1", 1)
	i.DueAt = at(20)
	a, b, c := memberOf("k1", "a", 1), memberOf("k1", "b", 2), memberOf("k1", "c", 3)
	a.Severity, a.ExpiresAt = alert.Critical, at(20)
	b.Status, b.EndedAt, b.Expired = alert.Resolved, at(9), true
	c.Silence, c.SilencedUntil = "s-1", at(30)
	firing := record(i, "")
	firing.Title, firing.Text = "disk full on c", "90 %"
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Members: []alert.GroupMember{a, b, c}, Alerts: []alert.Record{firing}})

	got, err := d.Incident(t.Context(), "k1")
	must(t, err)
	if !reflect.DeepEqual(got.Group, i.Group) || got.Unworded != i.Unworded || !reflect.DeepEqual(got.Untold, i.Untold) || got.Title != "DiskFull" || got.Text != "" || !reflect.DeepEqual(got.Labels, i.Labels) {
		t.Errorf("the incident is %+v of %+v", got, got.Group)
	}
	listed, err := d.GroupMembers(t.Context(), "k1", 0, 10)
	if err != nil || !reflect.DeepEqual(listed, []alert.GroupMember{a, c, b}) {
		t.Errorf("worst first are %+v, %v", listed, err)
	}
	if listed, err = d.GroupMembers(t.Context(), "k1", 1, 1); err != nil || keysOf(listed) != "[c]" {
		t.Errorf("the second is %s, %v", keysOf(listed), err)
	}

	f := load(t, d, alert.Query{Now: at(10), Keys: []string{"x", i.Key}, Members: []alert.MemberKey{{Group: i.Key, Key: "b"}, {Group: i.Key, Key: "x"}}})
	if !reflect.DeepEqual(f.Members, []alert.GroupMember{b}) || !reflect.DeepEqual(idsOf(f.Incidents), []string{"k1"}) {
		t.Errorf("asked for by group: %s of %v", keysOf(f.Members), idsOf(f.Incidents))
	}
	if f = load(t, d, alert.Query{Now: at(10), Keys: []string{"a", "b"}}); keysOf(f.Members) != "[a]" || !reflect.DeepEqual(idsOf(f.Incidents), []string{"k1"}) {
		t.Errorf("asked for by key: %s of %v", keysOf(f.Members), idsOf(f.Incidents))
	}
	if f = load(t, d, alert.Query{Now: at(20), Due: true}); keysOf(f.Members) != "[a c]" {
		t.Errorf("due are %s", keysOf(f.Members))
	}
}

func testFoundByMembers(t *testing.T, d *DB) {
	i, over := groupOf("k1", 1), groupOf("k2", 1)
	over.State = alert.StateResolved
	a, b, c := memberOf("k1", "a", 1), memberOf("k1", "b", 2), memberOf("k1", "c", 0)
	a.Severity = alert.Warning
	b.Status, b.EndedAt = alert.Resolved, at(9)
	c.InhibitedBy = "k9"
	opened := func(i alert.Incident) alert.Record {
		r := record(i, "")
		r.Title, r.Labels = "disk full", i.Labels
		return r
	}
	commit(t, d, alert.Change{
		Incidents: []alert.Incident{i, over}, Alerts: []alert.Record{opened(i), opened(over)},
		Members: []alert.GroupMember{a, b, c, memberOf("k2", "x", 1)},
	})
	for name, c := range map[string]struct {
		f    alert.IncidentFilter
		want []string
	}{
		"what fires":                {alert.IncidentFilter{Matchers: matchers(t, `host="a"`)}, []string{"k1"}},
		"what is over":              {alert.IncidentFilter{Matchers: matchers(t, `host="b"`)}, nil},
		"what is inhibited":         {alert.IncidentFilter{Matchers: matchers(t, `host="c"`)}, []string{"k1"}},
		"of what is over":           {alert.IncidentFilter{Matchers: matchers(t, `host="x"`)}, nil},
		"all of one member":         {alert.IncidentFilter{Matchers: matchers(t, `host="a", severity=warning`)}, []string{"k1"}},
		"of two members":            {alert.IncidentFilter{Matchers: matchers(t, `host="c", severity=warning`)}, nil},
		"the group's own key":       {alert.IncidentFilter{Matchers: matchers(t, `host="a", key=~".*DiskFull.*"`)}, []string{"k1"}},
		"what its labels rule out":  {alert.IncidentFilter{Matchers: matchers(t, `host="a", alertname="Other"`)}, nil},
		"a word":                    {alert.IncidentFilter{Words: []string{"a"}, Wholes: true, Matchers: matchers(t, `severity=warning`)}, []string{"k1"}},
		"what all have in common":   {alert.IncidentFilter{Matchers: matchers(t, `alertname="DiskFull"`)}, []string{"k1", "k2"}},
		"one that nobody in it has": {alert.IncidentFilter{Matchers: matchers(t, `host="z"`)}, nil},
	} {
		c.f.Members = true
		found, err := d.IDs(t.Context(), c.f)
		must(t, err)
		n, err := d.Count(t.Context(), c.f)
		must(t, err)
		if slices.Sort(found); !slices.Equal(found, c.want) || n != len(c.want) {
			t.Errorf("%s: found are %v, counted %d, want %v", name, found, n, c.want)
		}
	}
	if found, err := d.IDs(t.Context(), alert.IncidentFilter{Matchers: matchers(t, `host="a"`)}); err != nil || len(found) > 0 {
		t.Errorf("to act on are %v, %v", found, err)
	}
}

func testTurnedGroup(t *testing.T, d *DB) {
	i := groupOf("k1", 1)
	a, b, c := memberOf("k1", "a", 1), memberOf("k1", "b", 2), memberOf("k1", "c", 3)
	a.ExpiresAt = at(20)
	b.Status, b.EndedAt = alert.Resolved, at(9)
	c.Silence, c.SilencedUntil = "s-1", at(30)
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Members: []alert.GroupMember{a, b, c}})
	late := memberOf("k1", "d", 4)
	commit(t, d, alert.Change{Turned: []alert.TurnedGroup{{Incident: "k1", Status: alert.Resolved, At: at(12)}}, Members: []alert.GroupMember{late}})
	for _, m := range []*alert.GroupMember{&a, &c} {
		m.Status, m.EndedAt, m.Closed, m.Silence, m.SilencedUntil = alert.Resolved, at(12), true, "", time.Time{}
	}
	if listed, err := d.GroupMembers(t.Context(), "k1", 0, 10); err != nil || !reflect.DeepEqual(listed, []alert.GroupMember{late, a, b, c}) {
		t.Errorf("resolved by a person they are %+v, %v", listed, err)
	}
	commit(t, d, alert.Change{Incidents: []alert.Incident{groupOf("k1", 2)}, Turned: []alert.TurnedGroup{{Incident: "k1", Status: alert.Firing, At: at(13)}}})
	for _, m := range []*alert.GroupMember{&a, &c} {
		m.Status, m.EndedAt, m.Closed, m.LookAt = alert.Firing, time.Time{}, false, at(13)
	}
	if listed, err := d.GroupMembers(t.Context(), "k1", 0, 10); err != nil || !reflect.DeepEqual(listed, []alert.GroupMember{a, c, late, b}) {
		t.Errorf("reopened they are %+v, %v", listed, err)
	}
}

func testMembersWake(t *testing.T, d *DB) {
	i := groupOf("k1", 1)
	i.DueAt = at(30)
	a := memberOf("k1", "a", 1)
	a.Silence, a.SilencedUntil = "s-1", at(30)
	s := alert.Silence{ID: "s-1", Matchers: matchers(t, `host="a"`), CreatedAt: at(1), EndsAt: at(30)}
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Members: []alert.GroupMember{a}, Silences: []alert.Silence{s}})
	s.EndsAt = at(11)
	commit(t, d, alert.Change{Silences: []alert.Silence{s}})
	f := load(t, d, alert.Query{Now: at(11), Due: true})
	if keysOf(f.Members) != "[a]" || !f.Members[0].DueAt().Equal(at(11)) || f.Incidents[0].Version != 2 {
		t.Errorf("due are %+v of %+v", f.Members, f.Incidents)
	}
}

func testInhibitedMembers(t *testing.T, d *DB) {
	i := groupOf("k1", 1)
	a, b, c, over, never := memberOf("k1", "a", 1), memberOf("k1", "b", 2), memberOf("k1", "c", 0), memberOf("k1", "d", 3), memberOf("k1", "e", 0)
	b.InhibitedBy, b.ExpiresAt, c.InhibitedBy = "k9", at(30), "k9"
	for _, m := range []*alert.GroupMember{&over, &never} {
		m.Status, m.EndedAt = alert.Resolved, at(9)
	}
	post, reply := delivery(i, alert.Post, 1), delivery(i, alert.Reply, 1)
	reply.Note = &alert.Note{Topic: alert.TopicMembers, From: 0, Count: 2}
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Members: []alert.GroupMember{a, b, c, over, never}, Deliveries: []alert.Delivery{post, reply}})
	if listed, err := d.GroupMembers(t.Context(), "k1", 0, 10); err != nil || !reflect.DeepEqual(listed, []alert.GroupMember{a, c, b, over}) {
		t.Errorf("all are %+v, %v", listed, err)
	}
	job, _, err := d.Claim(t.Context(), alert.Claim{Lane: "#ops", Now: at(20), Posts: true})
	must(t, err)
	if got := keysOf(job.Incident.Group.Top); got != "[a d]" {
		t.Errorf("the card lists %s", got)
	}
	must(t, d.Finish(t.Context(), alert.Outcome{Delivery: post.ID, State: alert.Delivered, Sent: alert.Sent{Conversation: "C1", TS: "1.0", Version: 1}, Now: at(20)}))
	job, _, err = d.Claim(t.Context(), alert.Claim{Lane: "#ops", Now: at(20), Posts: true})
	must(t, err)
	if listed, err := job.Members(t.Context()); err != nil || keysOf(listed) != "[a]" {
		t.Errorf("the reply lists %s, %v", keysOf(listed), err)
	}
	if n, err := d.Inhibits(t.Context(), "k9"); n != 1 || err != nil {
		t.Errorf("it inhibits some of %d incidents (%v)", n, err)
	}
	if f := load(t, d, alert.Query{Inhibitors: true}); !slices.Equal(f.Inhibitors, []string{"k9"}) {
		t.Errorf("others are inhibited by %v", f.Inhibitors)
	}

	commit(t, d, alert.Change{Woken: []alert.Wake{{By: "k9", At: at(12)}, {By: "k8", At: at(12)}}})
	f := load(t, d, alert.Query{Now: at(12), Due: true})
	if keysOf(f.Members) != "[b c]" && keysOf(f.Members) != "[c b]" || !f.Members[0].LookAt.Equal(at(12)) || !f.Members[0].DueAt().Equal(at(12)) {
		t.Errorf("due are %+v", f.Members)
	}
	commit(t, d, alert.Change{Woken: []alert.Wake{{Incident: "k1", At: at(12)}}})
	if f = load(t, d, alert.Query{Now: at(12), Due: true}); len(f.Members) != 3 {
		t.Errorf("then due are %s", keysOf(f.Members))
	}
	c.N, c.InhibitedBy = 4, ""
	commit(t, d, alert.Change{Incidents: []alert.Incident{groupOf("k1", 3)}, Members: []alert.GroupMember{c}})
	if listed, err := d.GroupMembers(t.Context(), "k1", 0, 10); err != nil || keysOf(listed) != "[a c b d]" || listed[1].N != 4 {
		t.Errorf("once it is shown all are %s, %v", keysOf(listed), err)
	}
}

func testAnInhibitedGroupNamesItsMembers(t *testing.T, d *DB) {
	for id, whole := range map[string]bool{"k1": true, "k2": false} {
		i := groupOf(id, 1)
		i.Lanes = []string{"#" + id}
		if whole { // otherwise it was not yet when it was claimed
			i.InhibitedBy = "k9"
		}
		a, b, never := memberOf(id, "a", 1), memberOf(id, "b", 2), memberOf(id, "c", 0)
		a.InhibitedBy, b.InhibitedBy, never.InhibitedBy = "k9", "k9", "k9"
		post := delivery(i, alert.Post, 1)
		commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Members: []alert.GroupMember{a, b, never}, Deliveries: []alert.Delivery{post}})
		job, _, err := d.Claim(t.Context(), alert.Claim{Lane: post.Lane, Now: at(20), Posts: true})
		must(t, err)
		if got := keysOf(job.Incident.Group.Top); got != "[a b]" {
			t.Errorf("the card of %s lists %s", id, got)
		}
	}
}

func testSourceMembers(t *testing.T, d *DB) {
	i, other := groupOf("k1", 1), groupOf("k2", 1)
	other.Key = "{}"
	a, b, c, over := memberOf("k1", "a", 1), memberOf("k1", "b", 2), memberOf("k2", "a", 1), memberOf("k2", "b", 2)
	over.Status = alert.Resolved
	commit(t, d, alert.Change{Incidents: []alert.Incident{i, other}, Members: []alert.GroupMember{c, over, b, a}})
	f := load(t, d, alert.Query{Sources: []alert.Matchers{matchers(t, `host="a"`), matchers(t, `key="b", title="disk full on b"`)}})
	for _, m := range []*alert.GroupMember{&a, &b, &c} {
		m.Text, m.Links = "", nil
	}
	if !reflect.DeepEqual(f.SourceMembers, []alert.GroupMember{a, b, c}) {
		t.Errorf("sources are %+v", f.SourceMembers)
	}
	wantIDs(t, "of these", f.Sources, "k1", "k2")
}

func testDueMembersAreBounded(t *testing.T, d *DB) {
	i := groupOf("k1", 1)
	i.DueAt = at(20)
	var all []alert.GroupMember
	for n := range alert.MaxDueMembers + 5 {
		m := memberOf("k1", fmt.Sprint("m", n), n+1)
		m.ExpiresAt = at(n)
		all = append(all, m)
	}
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Members: all})
	f := load(t, d, alert.Query{Now: at(20), Due: true})
	if len(f.Members) != alert.MaxDueMembers+1 || !slices.IsSortedFunc(f.Members, func(a, b alert.GroupMember) int { return a.DueAt().Compare(b.DueAt()) }) {
		t.Errorf("due are %d", len(f.Members))
	}
}

func testMembersThatTemplatesSee(t *testing.T, d *DB) {
	i := groupOf("k1", 1)
	var all []alert.GroupMember
	for n := range 4 * alert.TemplateMembers {
		m := memberOf("k1", fmt.Sprint("m", n), n+1)
		switch n % 4 {
		case 0:
			m.Status, m.EndedAt = alert.Resolved, at(10)
		case 1:
			m.Silence, m.SilencedUntil = "s1", at(30)
		case 2:
			m.Severity = alert.Critical
		}
		all = append(all, m)
	}
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Members: all})
	f := load(t, d, alert.Query{Now: at(10), Keys: []string{i.Key}, Members: []alert.MemberKey{{Group: i.Key, Key: "m0"}, {Group: i.Key, Key: "m3"}}, Listed: true})
	var critical, others, over int
	for _, m := range f.Members {
		switch {
		case m.Status == alert.Resolved:
			over++
		case m.Severity == alert.Critical:
			critical++
		case m.Silence == "":
			others++
		}
	}
	if want := alert.TemplateMembers; critical != want || others != 2 || over != want || len(f.Members) != critical+others+over {
		t.Errorf("there are %d critical, %d others, %d resolved ones: %s", critical, others, over, keysOf(f.Members))
	}
}

func testClaimedGroup(t *testing.T, d *DB) {
	i := groupOf("k1", 1)
	var all []alert.GroupMember
	for n := range alert.CardMembers + 5 {
		all = append(all, memberOf("k1", fmt.Sprint("m", n), n+1))
	}
	all[12].Severity = alert.Critical
	post, reply := delivery(i, alert.Post, 1), delivery(i, alert.Reply, 1)
	reply.Note = &alert.Note{Topic: alert.TopicMembers, From: 10, Count: 3}
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Members: all, Deliveries: []alert.Delivery{post, reply}})
	job, _, err := d.Claim(t.Context(), alert.Claim{Lane: "#ops", Now: at(20), Posts: true})
	must(t, err)
	if top := job.Incident.Group.Top; len(top) != alert.CardMembers || top[0].Key != "m12" || top[1].Key != "m0" {
		t.Errorf("the card lists %s", keysOf(job.Incident.Group.Top))
	}
	must(t, d.Finish(t.Context(), alert.Outcome{Delivery: post.ID, State: alert.Delivered, Sent: alert.Sent{Conversation: "C1", TS: "1.0", Version: 1}, Now: at(20)}))
	job, _, err = d.Claim(t.Context(), alert.Claim{Lane: "#ops", Now: at(20), Posts: true})
	must(t, err)
	if job.Members == nil {
		t.Fatal("the reply lists nothing")
	}
	if listed, err := job.Members(t.Context()); err != nil || keysOf(listed) != "[m10 m11 m12]" {
		t.Errorf("the reply lists %s, %v", keysOf(listed), err)
	}
}

func testMembersForgotten(t *testing.T, d *DB) {
	i := groupOf("k1", 1)
	i.State, i.ResolvedAt = alert.StateResolved, at(2)
	over := memberOf("k1", "a", 1)
	over.Status = alert.Resolved
	commit(t, d, alert.Change{Incidents: []alert.Incident{i}, Members: []alert.GroupMember{over}})
	commit(t, d, alert.Change{Incidents: []alert.Incident{incident("k2", "#ops", 1)}})
	must(t, d.Prune(t.Context(), at(0).AddDate(1, 0, 0)))
	n := 0
	must(t, d.each(t.Context(), "SELECT count(*) FROM members", func(s scanner) error { return s.Scan(&n) }))
	if n != 0 {
		t.Errorf("%d members outlive their incident", n)
	}
}
