package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
)

// groupModel says which alerts fire, and which groups are open, in the simplest way.
type groupModel struct {
	// firing are the alerts that fire, each with when it expires; zero for never.
	firing map[place]time.Time
	// closed are those that a person has resolved with their group, with when that was and
	// when they expire.
	closed map[place]closedAlert
	groups map[string]*modelGroup
	// by is the label by which each route groups.
	by map[string]string
}

// place is an alert in a group of a route. A person who reopens a group can have it fire in two.
type place struct{ group, key string }

// groupName is a group of a route, whose alerts have the same value of its label.
func (m *groupModel) groupName(route string, labels map[string]string) string {
	return route + " " + labels[m.by[route]]
}

// placesOf are where an alert belongs, one for each route.
func (m *groupModel) placesOf(a alert.Alert) (all []place) {
	for _, route := range slices.Sorted(maps.Keys(m.by)) {
		all = append(all, place{m.groupName(route, a.Labels), a.Key})
	}
	return all
}

// sameRoute reports whether two places are in groups of the same route.
func sameRoute(a, b place) bool {
	route, _, _ := strings.Cut(a.group, " ")
	other, _, _ := strings.Cut(b.group, " ")
	return route == other
}

type closedAlert struct{ at, expires time.Time }

type modelGroup struct {
	open       bool
	resolvedAt time.Time
}

func (m *groupModel) group(name string, now time.Time) *modelGroup {
	g := m.groups[name]
	if g == nil || !g.open && now.Sub(g.resolvedAt) > 30*time.Minute {
		g = &modelGroup{}
		m.groups[name] = g
		maps.DeleteFunc(m.closed, func(p place, _ closedAlert) bool { return p.group == name })
	}
	return g
}

func (m *groupModel) fire(a alert.Alert, now time.Time) {
	for _, at := range m.placesOf(a) {
		m.fireAt(at, a, now)
	}
}

func (m *groupModel) fireAt(at place, a alert.Alert, now time.Time) {
	g := m.group(at.group, now)
	_, fires := m.firing[at]
	if c, closed := m.closed[at]; closed && !fires && a.Refreshes && !a.At.After(c.at) {
		return
	}
	delete(m.closed, at)
	for _, other := range m.places(a.Key) {
		if other != at && sameRoute(other, at) {
			m.leave(other, now)
		}
	}
	m.firing[at] = a.EndsAt
	g.open = true
}

// places are where an alert fires.
func (m *groupModel) places(key string) (all []place) {
	for p := range m.firing {
		if p.key == key {
			all = append(all, p)
		}
	}
	return all
}

// leave ends an alert in one group.
func (m *groupModel) leave(p place, now time.Time) {
	delete(m.firing, p)
	if g := m.groups[p.group]; g.open && len(m.fires(p.group)) == 0 {
		g.open, g.resolvedAt = false, now
	}
}

func (m *groupModel) end(a alert.Alert, now time.Time) {
	if places := m.places(a.Key); len(places) > 0 {
		for _, p := range places {
			m.leave(p, now)
		}
		return
	}
	for _, at := range m.placesOf(a) {
		if g := m.group(at.group, now); g.resolvedAt.IsZero() && !g.open {
			g.resolvedAt = now // it is heard of when it is over
		}
		delete(m.closed, at)
	}
}

func (m *groupModel) expire(now time.Time) {
	for p, at := range m.firing {
		if !at.IsZero() && !at.After(now) {
			m.leave(p, now)
		}
	}
}

// close and reopen are what a person does to a group.
func (m *groupModel) close(c string, now time.Time) {
	for _, p := range m.fires(c) {
		m.closed[p] = closedAlert{now, m.firing[p]}
		delete(m.firing, p)
	}
	m.groups[c].open, m.groups[c].resolvedAt = false, now
}

func (m *groupModel) reopen(c string) {
	for p, was := range m.closed {
		if p.group == c {
			m.firing[p] = was.expires
			delete(m.closed, p)
		}
	}
	m.groups[c].open = true
}

func (m *groupModel) fires(group string) (all []place) {
	for p := range m.firing {
		if p.group == group {
			all = append(all, p)
		}
	}
	return all
}

// check compares the model with what is stored, and the counts of each group with its members.
func (m *groupModel) check(t *rapid.T, w *world) {
	t.Helper()
	firing, names := map[place]bool{}, map[string]string{}
	for _, i := range w.incidents {
		names[i.ID] = m.groupName(i.Route, i.Group.Labels)
	}
	counted := map[string]*alert.Group{}
	for _, one := range w.members {
		if one.Status == alert.Firing {
			firing[place{names[one.Incident], one.Key}] = true
		}
		if counted[one.Incident] == nil {
			counted[one.Incident] = &alert.Group{}
		}
		g := counted[one.Incident]
		g.Total++
		g.Count(one, 1)
	}
	if !maps.EqualFunc(firing, m.firing, func(bool, time.Time) bool { return true }) {
		t.Fatalf("%v fire, want %v", firing, m.firing)
	}
	latest := map[string]alert.Incident{}
	for _, i := range w.incidents {
		latest[names[i.ID]] = i
		want := counted[i.ID]
		if got := i.Group; got.Total != want.Total || !maps.Equal(got.Firing, want.Firing) || !maps.Equal(got.Silenced, want.Silenced) || !maps.Equal(got.Closed, want.Closed) {
			t.Fatalf("%s counts %+v, want %+v", i.ID, got, want)
		}
		if worst := i.Group.Worst(); worst != "" && worst != i.Severity {
			t.Fatalf("%s is %s, want %s", i.ID, i.Severity, worst)
		}
		if i.State == alert.StateResolved && i.Group.Lasts() {
			t.Fatalf("%s is resolved while %v fire", i.ID, i.Group.Firing)
		}
		m.checkMembers(t, w, i)
	}
	for c, g := range m.groups {
		if open := latest[c].State != alert.StateResolved; open != g.open {
			t.Fatalf("the group of %s is open: %t, want %t", c, open, g.open)
		}
	}
}

// checkMembers checks that members are numbered in order, and that none that is not due yet
// will be before its group.
func (m *groupModel) checkMembers(t *rapid.T, w *world, i alert.Incident) {
	t.Helper()
	seen := map[int]bool{}
	for _, one := range w.members {
		if one.Incident != i.ID {
			continue
		}
		if one.N < 1 || one.N > i.Group.Total || seen[one.N] {
			t.Fatalf("%s has the number %d of %d", one.Key, one.N, i.Group.Total)
		}
		seen[one.N] = true
		due := one.DueAt()
		if !due.IsZero() && (i.Group.DueAt.IsZero() || i.Group.DueAt.After(due) && i.Group.DueAt.After(w.now)) {
			t.Fatalf("%s is due at %s, its group at %s", one.Key, due, i.Group.DueAt)
		}
	}
}

func TestGroupsBehaveLikeASimpleModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { behaveLikeASimpleModel(t, map[string]string{"all": "cluster"}) })
}

func TestGroupsOfSeveralRoutesBehaveLikeASimpleModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		behaveLikeASimpleModel(t, map[string]string{"all": "cluster", "racks": "rack", "same": "cluster"})
	})
}

func behaveLikeASimpleModel(t *rapid.T, by map[string]string) {
	var routes []alert.Route
	for _, name := range slices.Sorted(maps.Keys(by)) {
		routes = append(routes, alert.Route{Name: name, GroupBy: []string{by[name]}, Continue: true})
	}
	w := newWorld(t, routes...)
	m := &groupModel{firing: map[place]time.Time{}, closed: map[place]closedAlert{}, groups: map[string]*modelGroup{}, by: by}
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		m.step(t, w)
		m.check(t, w)
	}
	for _, i := range w.incidents { // whoever waits for it hears of each group
		if posts := slices.ContainsFunc(w.deliveries, func(d alert.Delivery) bool { return d.Incident == i.ID && d.Kind == alert.Post }); !posts && i.HeldUntil.IsZero() {
			t.Fatalf("%s was never posted", i.ID)
		}
	}
}

// step has one thing happen, in the model and in the engine.
func (m *groupModel) step(t *rapid.T, w *world) {
	switch what := rapid.SampledFrom([]string{"fire", "fire", "fire", "repeat", "repeat", "end", "end", "close", "reopen", "silence", "wait", "wait"}).Draw(t, "what"); what {
	case "fire", "repeat", "end":
		var all []alert.Alert
		for range rapid.IntRange(1, 4).Draw(t, "alerts") {
			all = append(all, m.draw(t, w, what))
		}
		for _, a := range all {
			if a.Status == alert.Resolved {
				m.end(a, w.now)
			} else {
				m.fire(a, w.now)
			}
		}
		d := w.push(all...)
		var ids []string
		for _, r := range d.receipts {
			if r.ID != "" {
				ids = append(ids, r.ID)
			}
		}
		var recorded []string
		for _, r := range d.change.Alerts {
			recorded = append(recorded, r.ID)
		}
		if !slices.Equal(ids, recorded) { // each alert counts once, in however many groups it is
			t.Fatalf("%v are recorded of %v", recorded, ids)
		}
	case "close", "reopen":
		if len(w.incidents) == 0 {
			return
		}
		i := w.incidents[rapid.IntRange(0, len(w.incidents)-1).Draw(t, "incident")]
		verb := alert.VerbResolve
		if what == "reopen" {
			verb = alert.VerbReopen
		}
		d := w.decide(input{acts: []alert.Act{{Verb: verb, Incident: i.ID, By: ann}}, keys: []string{i.Key}})
		if d.acted[0].Effect != alert.ActDone {
			return
		}
		if c := m.groupName(i.Route, i.Group.Labels); verb == alert.VerbResolve {
			m.close(c, w.now)
		} else {
			m.reopen(c)
		}
	case "silence":
		w.silence(fmt.Sprintf(`key=%q`, drawKey(t)), time.Duration(rapid.IntRange(1, 40).Draw(t, "minutes"))*time.Minute)
	case "wait":
		w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{1, 20, 40, 130, 300, 2000}).Draw(t, "seconds")) * time.Second)
		m.expire(w.now)
		w.tick()
	}
}

func drawKey(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "first") + rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(t, "second")
}

// draw is an alert: a firing one, one that is repeated as long as it lasts, or the end of one.
// Now and then it has another cluster than usual.
func (m *groupModel) draw(t *rapid.T, w *world, what string) alert.Alert {
	key := drawKey(t)
	cluster := key[:1]
	if rapid.IntRange(0, 4).Draw(t, "moves") == 0 {
		cluster = "c"
	}
	a := alert.Alert{
		Key: key, Title: "disk full on " + key, Severity: rapid.SampledFrom(alert.Severities()[:3]).Draw(t, "severity"),
		Labels: map[string]string{"cluster": cluster, "rack": key[1:], "host": key},
	}
	switch what {
	case "repeat":
		a.Refreshes, a.EndsAt = true, w.now.Add(4*time.Minute)
		a.At = w.now.Add(-time.Duration(rapid.SampledFrom([]int{0, 1, 100}).Draw(t, "age")) * time.Minute)
	case "end":
		a.Status = alert.Resolved
	}
	return a
}
