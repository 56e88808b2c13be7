package engine

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/alert"
)

func TestAReloadDecidesWhatComesAfterItAndWhatIsOpenByTheNewRules(t *testing.T) {
	always := []alert.Times{{Name: "always", Intervals: []alert.Interval{{}}}}
	climbs := climbing()
	climbs.Escalate = climbs.Escalate[1:2]
	for name, c := range map[string]struct {
		before, after alert.Route
		inhibit       []alert.InhibitRule // before
		// at once are the deliveries of the first minute after the reload, later those of the
		// following hour.
		atOnce, later []string
	}{
		"another conversation":     {before: alert.Route{To: []string{"#a"}}, after: alert.Route{To: []string{"#b"}}, atOnce: []string{"#b post"}},
		"a step":                   {before: alert.Route{To: []string{"#a"}}, after: climbs, atOnce: []string{"#a post"}, later: []string{"#a reply unanswered @U1 broadcast", "#a reply unanswered @U1 broadcast", "#a reply unanswered @U1 broadcast"}},
		"a step less":              {before: climbs, after: alert.Route{To: []string{"#a"}}, atOnce: []string{"#a post"}},
		"times that mute no more":  {before: alert.Route{To: []string{"#a"}, Mute: always}, after: alert.Route{To: []string{"#a"}}, atOnce: []string{"#a post", "#a post", "#a post"}},
		"times that mute now":      {before: alert.Route{To: []string{"#a"}}, after: alert.Route{To: []string{"#a"}, Mute: always}},
		"a rule that hid another":  {before: alert.Route{To: []string{"#a"}}, after: alert.Route{To: []string{"#a"}}, inhibit: []alert.InhibitRule{hides(t)}, atOnce: []string{"#a post", "#a post"}},
		"the same rules as before": {before: climbs, after: climbs, atOnce: []string{"#a post"}, later: []string{"#a reply unanswered @U1 broadcast", "#a reply unanswered @U1 broadcast", "#a reply unanswered @U1 broadcast"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.before.Name, c.after.Name = "all", "all"
				m := newMemory()
				e, stop := runWith(m, Options{Routing: alert.Routing{Default: "#alerts", Routes: []alert.Route{c.before}, Inhibit: c.inhibit}})
				defer stop()
				for _, a := range []alert.Alert{{Key: "db", Title: "t", Severity: alert.Critical}, {Key: "web", Title: "t", Severity: alert.Warning}} {
					if _, err := e.Push(t.Context(), []alert.Alert{a}); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				from := m.count()
				e.Reload(Options{Routing: alert.Routing{Default: "#alerts", Routes: []alert.Route{c.after}}})
				if _, err := e.Push(t.Context(), []alert.Alert{{Key: "new", Title: "t", Severity: alert.Warning}}); err != nil {
					t.Fatal(err)
				}
				pass(time.Minute)
				if got := m.since(from); !slices.Equal(got, c.atOnce) {
					t.Errorf("after the reload it delivers %q, want %q", got, c.atOnce)
				}
				from = m.count()
				pass(time.Hour)
				if got := m.since(from); !slices.Equal(got, c.later) {
					t.Errorf("later it delivers %q, want %q", got, c.later)
				}
			})
		})
	}
}

// hides has critical alerts hide warnings.
func hides(t *testing.T) alert.InhibitRule {
	t.Helper()
	return alert.InhibitRule{Source: matchers(t, `severity="critical"`), Target: matchers(t, `severity="warning"`)}
}

// count is how many deliveries there are, and since describes those after the first n.
func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.deliveries)
}

func (m *memory) since(n int) (all []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.deliveries[n:] {
		all = append(all, describe(d))
	}
	return all
}

func TestAReloadChangesWhichHeartbeatsAreExpectedAndLosesNoneThatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		routing := alert.Routing{Default: "#alerts"}
		e, stop := runWith(m, Options{Routing: routing, Heartbeats: map[string]alert.Terms{"kept": every(time.Hour), "gone": every(time.Hour)}})
		defer stop()
		synctest.Wait()
		after := Options{Routing: routing, Heartbeats: map[string]alert.Terms{"kept": every(time.Hour), "new": every(2 * time.Hour)}}
		for range 9 {
			pass(10 * time.Minute)
			e.Reload(after) // again and again: this is no reason to wait longer
		}
		pass(time.Minute)
		if got := openKeys(m); !slices.Equal(got, []string{"heartbeat:kept"}) {
			t.Errorf("after an hour and a half, %q are missing", got)
		}
		pass(2 * time.Hour)
		if got := openKeys(m); !slices.Equal(got, []string{"heartbeat:kept", "heartbeat:new"}) {
			t.Errorf("after three and a half, %q are missing", got)
		}
	})
}

func openKeys(m *memory) (keys []string) {
	for _, i := range m.all() {
		keys = append(keys, i.Key)
	}
	return keys
}

func TestAReloadWhileAlertsComeLosesNoneAndEveryBatchFollowsOneOfTheTwo(t *testing.T) {
	m := newMemory()
	rules := [2]Options{}
	for n, lane := range []string{"#a", "#b"} {
		rules[n].Routing = alert.Routing{Default: lane, Routes: []alert.Route{{Name: "all", To: []string{lane}}}}
	}
	e, stop := runWith(m, rules[0])
	defer stop()
	var done atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := 1; !done.Load(); n++ {
			e.Reload(rules[n%2])
		}
	}()
	for range 300 {
		if _, err := e.Push(t.Context(), []alert.Alert{{Key: alert.NewID(), Title: "t"}, {Key: alert.NewID(), Title: "t"}}); err != nil {
			t.Fatal(err)
		}
	}
	done.Store(true)
	<-ended
	posts := m.since(0)
	if len(posts) != 600 {
		t.Fatalf("%d cards of 600 alerts", len(posts))
	}
	for n := 0; n < len(posts); n += 2 {
		if posts[n] != posts[n+1] {
			t.Errorf("one request went to %s and %s", posts[n], posts[n+1])
		}
	}
}
