package engine

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"tocsin/alert"
)

// spoil puts an incident into the store about which no decision can be made
// without a panic.
func spoil(m *memory, i alert.Incident) {
	i.Version, i.State, i.Route, i.Severity = 1, alert.Open, "all", alert.Error
	m.write(alert.Change{Incidents: []alert.Incident{i}})
}

func TestAPanicInADecisionFailsOnlyItsOwnRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, gate := newMemory(), make(chan struct{})
		spoil(m, alert.Incident{ID: "b222", Key: "bad"}) // in no lane
		m.enter = func(alert.Change) error { <-gate; return nil }
		core, logs := observer.New(zap.ErrorLevel)
		e, stop := runWith(m, Options{Routing: alert.Routing{Default: "#a", Routes: []alert.Route{{Name: "all"}}}, Log: zap.New(core)})
		results := make([]error, 4)
		var group sync.WaitGroup
		for n, key := range []string{"a", "bad", "b", "c"} {
			group.Go(func() { _, results[n] = e.Push(context.Background(), []alert.Alert{{Title: "t", Key: key}}) })
			synctest.Wait()
		}
		close(gate)
		group.Wait()
		for n, err := range results {
			if errors.Is(err, alert.ErrInternal) != (n == 1) || (err != nil) != (n == 1) {
				t.Errorf("request %d got %v", n, err)
			}
		}
		if _, err := e.Push(context.Background(), []alert.Alert{{Title: "t", Key: "d"}}); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		stop()
		if len(m.alerts) != 4 {
			t.Errorf("%d alerts are kept, want 4", len(m.alerts))
		}
		if logs.Len() != 1 || logs.All()[0].ContextMap()["stack"] == "" {
			t.Errorf("logged is %+v", logs.All())
		}
	})
}

func TestAnIncidentThatCannotBeDecidedAboutDoesNotStopTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		due := time.Now().Add(time.Minute)
		spoil(m, alert.Incident{ID: "b222", Key: "bad", Lanes: []string{"#a"}, DueAt: due, Escalated: -2})
		spoil(m, alert.Incident{ID: "b223", Key: "good", Lanes: []string{"#a"}, DueAt: due, OpenedAt: due.Add(-10 * time.Minute)})
		core, logs := observer.New(zap.ErrorLevel)
		_, stop := runWith(m, Options{Routing: alert.Routing{Default: "#a", Routes: []alert.Route{climbing()}}, Log: zap.New(core)})
		<-time.After(2 * time.Minute)
		synctest.Wait()
		stop()
		if got := m.incidents[1].Escalated; got != 1 {
			t.Errorf("%d steps were taken for the other incident, want 1", got)
		}
		if logs.Len() != 1 {
			t.Errorf("logged is %+v", logs.All())
		}
	})
}
