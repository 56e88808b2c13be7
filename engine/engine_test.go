package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"tocsin/alert"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running starts an engine over m and returns its Push and a stop.
func running(m *memory, wake func(...string)) (push func(...alert.Alert) ([]alert.Accepted, error), stop func()) {
	e, stop := runWith(m, Options{Routing: alert.Routing{Default: "#alerts"}, Wake: wake})
	return func(alerts ...alert.Alert) ([]alert.Accepted, error) { return e.Push(context.Background(), alerts) }, stop
}

// runWith runs an engine until stop is called.
func runWith(s Store, opts Options) (e *Engine, stop func()) {
	e = New(s, opts)
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = e.Run(ctx) }) // it has no error to give
	return e, func() {
		cancel()
		done.Wait()
	}
}

func TestWhatComesDuringACommitSharesTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, gate := newMemory(), make(chan struct{})
		m.enter = func(alert.Change) error { <-gate; return nil }
		push, stop := running(m, nil)
		var group sync.WaitGroup
		for n := range 100 {
			group.Go(func() {
				if _, err := push(alert.Alert{Title: "t", Key: fmt.Sprint(n % 10)}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(gate)
		group.Wait()
		stop()
		if m.commits > 2 || len(m.alerts) != 100 || len(m.incidents) != 10 {
			t.Errorf("%d commits, %d alerts, %d incidents; want at most 2, 100, 10", m.commits, len(m.alerts), len(m.incidents))
		}
	})
}

func TestAReceiptComesOnlyAfterTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, gate := newMemory(), make(chan struct{})
		m.enter = func(alert.Change) error { <-gate; return nil }
		push, stop := running(m, nil)
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			if _, err := push(alert.Alert{Title: "t"}); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		select {
		case <-answered:
			t.Error("the receipt came before the commit")
		default:
		}
		close(gate)
		<-answered
		stop()
	})
}

func TestAnAlertThatCannotBeWrittenDoesNotFailItsNeighbours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, gate := newMemory(), make(chan struct{})
		m.enter = func(c alert.Change) error {
			<-gate
			for _, a := range c.Alerts {
				if a.Key == "bad" {
					return errors.New("no such row")
				}
			}
			return nil
		}
		push, stop := running(m, nil)
		results := make([]error, 4)
		var group sync.WaitGroup
		for n, key := range []string{"a", "bad", "b", "c"} {
			group.Go(func() { _, results[n] = push(alert.Alert{Title: "t", Key: key}) })
		}
		synctest.Wait()
		close(gate)
		group.Wait()
		stop()
		for n, err := range results {
			if (err != nil) != (n == 1) {
				t.Errorf("alert %d got %v", n, err)
			}
		}
	})
}

func TestAChangeBySomebodyElseIsLoadedAgain(t *testing.T) {
	m := newMemory()
	others := 0
	m.enter = func(c alert.Change) error {
		if others++; others == 1 {
			other := alert.Incident{ID: "other", Key: "k", Route: alert.DefaultRoute, Version: 1, State: alert.Open, Count: 1, Lanes: []string{"#alerts"}}
			m.write(alert.Change{Incidents: []alert.Incident{other}})
			return alert.ErrConflict
		}
		return nil
	}
	push, stop := running(m, nil)
	defer stop()
	got, err := push(alert.Alert{Title: "t", Key: "k"})
	if err != nil || got[0].Incident != "other" || got[0].Effect != alert.EffectFolded {
		t.Errorf("got %+v, %v; want it folded into the other's incident", got, err)
	}
}

// The first messages to many conversations tell their names one after the other.
func TestNamesThatAreLearntMeanwhileRefuseNothing(t *testing.T) {
	m := newMemory()
	learnt := 0
	m.enter = func(alert.Change) error {
		if learnt++; learnt <= 5*maxTries {
			m.aliases = alert.NewAliases(map[string]string{fmt.Sprint("C0", learnt): "#ops"})
			return alert.ErrConflict
		}
		return nil
	}
	push, stop := running(m, nil)
	defer stop()
	if _, err := push(alert.Alert{Title: "t", Key: "k"}); err != nil {
		t.Error(err)
	}
}

func TestADiskThatIsFullRefusesAndThenTakesAgain(t *testing.T) {
	m := newMemory()
	full := true
	m.enter = func(alert.Change) error {
		if full {
			return fmt.Errorf("disk full: %w", alert.ErrUnavailable)
		}
		return nil
	}
	push, stop := running(m, nil)
	defer stop()
	if _, err := push(alert.Alert{Title: "t"}); !errors.Is(err, alert.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	full = false
	if _, err := push(alert.Alert{Title: "t"}); err != nil {
		t.Errorf("after room was made: %v", err)
	}
}

func TestTheLanesOwedToAreWokenOnceEach(t *testing.T) {
	var woken []string
	push, stop := running(newMemory(), func(lanes ...string) { woken = append(woken, lanes...) })
	if _, err := push(alert.Alert{Title: "a"}, alert.Alert{Title: "b"}, alert.Alert{Title: "c", Channel: "#ops"}); err != nil {
		t.Fatal(err)
	}
	stop()
	if !slices.Equal(woken, []string{"#alerts", "#ops"}) {
		t.Errorf("woken were %v", woken)
	}
}

func TestABadAlertInABatchRefusesTheBatchAndIsNamed(t *testing.T) {
	m := newMemory()
	push, stop := running(m, nil)
	defer stop()
	_, err := push(alert.Alert{Title: "a"}, alert.Alert{Title: "b", Severity: "bad", Strict: true})
	var bad *alert.InputError
	if !errors.As(err, &bad) || bad.Item != 2 || len(m.alerts) != 0 {
		t.Errorf("got %v with %d alerts accepted", err, len(m.alerts))
	}
	if _, err := push(); !errors.As(err, &bad) {
		t.Errorf("an empty batch got %v", err)
	}
}

func TestWhatWaitsHasABoundInAlerts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, gate := newMemory(), make(chan struct{})
		m.enter = func(alert.Change) error { <-gate; return nil }
		push, stop := running(m, nil)
		large := make([]alert.Alert, 30_000)
		for n := range large {
			large[n] = alert.Alert{Title: "t", Key: fmt.Sprint(n)}
		}
		var group sync.WaitGroup
		results := make([]error, 2)
		for n := range results {
			group.Go(func() { _, results[n] = push(large...) })
			synctest.Wait()
		}
		if !errors.Is(results[1], alert.ErrOverloaded) {
			t.Errorf("the second large batch got %v", results[1])
		}
		close(gate)
		group.Wait()
		if _, err := push(large...); results[0] != nil || err != nil {
			t.Errorf("the first large batch got %v, one after it %v", results[0], err)
		}
		stop()
	})
}

func TestAboveTheMostThatMayWaitNothingIsAcceptedAndNothingIsDropped(t *testing.T) {
	m := newMemory()
	var waiting atomic.Int64
	e := New(m, Options{Routing: alert.Routing{Default: "#alerts"}, MaxPending: 10, Pending: waiting.Load})
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = e.Run(ctx) }) // it has no error to give
	defer run.Wait()
	defer cancel()
	two := []alert.Alert{{Title: "a"}, {Title: "b"}}
	for _, c := range []struct {
		waiting  int64
		accepted bool
	}{{8, true}, {9, false}, {10, false}, {0, true}} {
		waiting.Store(c.waiting)
		_, err := e.Push(ctx, two)
		if accepted := err == nil; accepted != c.accepted || !accepted && !errors.Is(err, alert.ErrBacklog) {
			t.Errorf("two more than %d of 10 got %v", c.waiting, err)
		}
	}
	if len(m.alerts) != 4 {
		t.Errorf("%d alerts are kept, want 4", len(m.alerts))
	}
}

func TestAfterTheEndNothingIsAccepted(t *testing.T) {
	push, stop := running(newMemory(), nil)
	stop()
	if _, err := push(alert.Alert{Title: "a"}); !errors.Is(err, alert.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}
