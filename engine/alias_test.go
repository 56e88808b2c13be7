package engine

import (
	"context"
	"slices"
	"testing"
	"time"

	"tocsin/alert"
)

// learn has the store know that spellings name the lane.
func (m *memory) learn(lane string, spellings ...string) {
	known := map[string]string{lane: lane}
	for _, s := range spellings {
		known[s] = lane
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.aliases = alert.NewAliases(known)
}

func lanesOf(d decided, kind alert.Kind) []string {
	var lanes []string
	for _, del := range d.change.Deliveries {
		if del.Kind == kind {
			lanes = append(lanes, del.Lane)
		}
	}
	return lanes
}

func TestAnIncidentIsShownOnceInAConversationWithTwoNames(t *testing.T) {
	w := newWorld(t,
		alert.Route{Name: "both", To: []string{"#ops", "C0123OPS1"}, Mention: []string{"here"}, Continue: true},
		alert.Route{Name: "ann", To: []string{"@ann"}, Mention: []string{"channel"}, Continue: true},
		alert.Route{Name: "id", To: []string{"C0123OPS1"}, Mention: []string{"U0123BOB1"}})
	w.subscriptions = []alert.Subscription{{Person: "U0123ANN1"}}
	w.aliases = alert.NewAliases(map[string]string{"#ops": "#ops", "C0123OPS1": "#ops", "@ann": "@ann", "U0123ANN1": "@ann"})
	d := w.push(alert.Alert{Key: "db", Title: "disk full"})
	if got := lanesOf(d, alert.Post); !slices.Equal(got, []string{"#ops", "@ann"}) {
		t.Fatalf("posted to %q", got)
	}
	i := d.change.Incidents[0]
	if !slices.Equal(i.Lanes, []string{"#ops", "@ann"}) || !slices.Equal(i.Mentions["#ops"], []string{"here", "U0123BOB1"}) {
		t.Errorf("got lanes %q, mentions %v", i.Lanes, i.Mentions)
	}
	if d.change.Alerts[0].Lane != "#ops" {
		t.Errorf("the alert is in lane %q", d.change.Alerts[0].Lane)
	}
}

func TestAnIncidentOfTwoLanesIsOneOnceTheyAreKnownToBe(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "both", To: []string{"#ops", "C0123OPS1"}})
	first := w.push(alert.Alert{Key: "db", Title: "disk full"})
	if got := lanesOf(first, alert.Post); len(got) != 2 {
		t.Fatalf("posted to %q", got)
	}
	w.learn("#ops", "C0123OPS1")
	again := w.push(alert.Alert{Key: "db", Title: "disk fuller", Severity: alert.Critical})
	if got := lanesOf(again, alert.Update); !slices.Equal(got, []string{"#ops"}) || len(lanesOf(again, alert.Post)) != 0 {
		t.Errorf("edits %q and posts %q, want one edit", got, lanesOf(again, alert.Post))
	}
	if again.receipts[0].Effect != alert.EffectFolded {
		t.Errorf("it was %s", again.receipts[0].Effect)
	}
}

func TestAnAlertToTheIDFoldsIntoTheIncidentOfTheName(t *testing.T) {
	w := newWorld(t)
	first := w.push(alert.Alert{Key: "db", Title: "disk full", Channel: "#ops"})
	w.learn("#ops", "C0123OPS1")
	again := w.push(alert.Alert{Key: "db", Title: "disk full", Channel: "C0123OPS1"})
	if again.receipts[0].Incident != first.receipts[0].Incident || again.receipts[0].Effect != alert.EffectFolded {
		t.Fatalf("got %+v after %+v", again.receipts, first.receipts)
	}
	over := w.push(alert.Alert{Key: "db", Status: alert.Resolved, Title: "disk full", Channel: "C0123OPS1"})
	if over.receipts[0].Effect != alert.EffectResolved || over.receipts[0].Incident != first.receipts[0].Incident {
		t.Fatalf("got %+v", over.receipts)
	}
}

func TestAResolvedAlertResolvesTheIncidentsOfBothNames(t *testing.T) {
	w := newWorld(t)
	byName := w.push(alert.Alert{Key: "db", Title: "disk full", Channel: "#ops"})
	byID := w.push(alert.Alert{Key: "db", Title: "disk full", Channel: "C0123OPS1"})
	if byName.receipts[0].Incident == byID.receipts[0].Incident {
		t.Fatal("nobody knows yet that they are one")
	}
	w.learn("#ops", "C0123OPS1")
	over := w.push(alert.Alert{Key: "db", Status: alert.Resolved, Title: "disk full", Channel: "#ops"})
	if len(over.change.Incidents) != 2 || over.receipts[0].Incident != byID.receipts[0].Incident {
		t.Fatalf("resolved %+v, want both, the later one first", over.change.Incidents)
	}
}

func TestAnAlertToTheDefaultChannelByItsIDIsOfTheDefaultRoute(t *testing.T) {
	w := newWorld(t)
	byID := w.push(alert.Alert{Key: "db", Title: "disk full", Channel: "C0123ALL1"})
	w.learn("#alerts", "C0123ALL1")
	again := w.push(alert.Alert{Key: "db", Title: "disk full"})
	if again.receipts[0].Incident != byID.receipts[0].Incident || again.receipts[0].Effect != alert.EffectFolded {
		t.Fatalf("got %+v after %+v", again.receipts, byID.receipts)
	}
	other := w.push(alert.Alert{Key: "cpu", Title: "cpu hot", Channel: "C0123ALL1"})
	if got := other.change.Incidents[0]; got.Route != alert.DefaultRoute || !slices.Equal(got.Lanes, []string{"#alerts"}) {
		t.Errorf("got route %q to %q", got.Route, got.Lanes)
	}
}

func TestASilenceOfTheIDHidesAlertsToTheName(t *testing.T) {
	w := newWorld(t)
	w.learn("#ops", "C0123OPS1")
	w.silence(`channel="C0123OPS1"`, time.Hour)
	d := w.push(alert.Alert{Key: "db", Title: "disk full", Channel: "#ops"})
	if d.change.Alerts[0].Standing != alert.StandSilenced {
		t.Errorf("the alert is %s", d.change.Alerts[0].Standing)
	}
}

func TestAnEscalationToTheIDRepliesInTheNamesThread(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "ops", To: []string{"#ops"}, Escalate: []alert.Step{{After: time.Minute, To: []string{"C0123OPS1", "#ops"}, Mention: []string{"here"}}}})
	w.learn("#ops", "C0123OPS1")
	w.push(alert.Alert{Key: "db", Title: "disk full"})
	d := w.after(2 * time.Minute)
	if got := lanesOf(d, alert.Reply); !slices.Equal(got, []string{"#ops"}) || len(lanesOf(d, alert.Post)) != 0 {
		t.Errorf("replies in %q, posts in %q", got, lanesOf(d, alert.Post))
	}
}

// What is learnt between load and commit makes the decision be made again.
func TestADecisionIsMadeAgainWhenAnAliasIsLearntMeanwhile(t *testing.T) {
	m := newMemory()
	m.learn("#db")
	tries := 0
	m.before(func(alert.Change) error {
		if tries++; tries == 1 {
			m.learn("#ops", "C0123OPS1")
		}
		return nil
	})
	e, stop := runWith(m, Options{Routing: alert.Routing{Default: "#alerts", Routes: []alert.Route{{Name: "both", To: []string{"#ops", "C0123OPS1"}}}}})
	defer stop()
	if _, err := e.Push(context.Background(), []alert.Alert{{Key: "db", Title: "disk full"}}); err != nil {
		t.Fatal(err)
	}
	if tries != 2 || len(m.deliveries) != 1 || m.deliveries[0].Lane != "#ops" {
		t.Errorf("after %d tries there is %+v, want one post to #ops", tries, m.deliveries)
	}
}
