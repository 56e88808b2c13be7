package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/alert"
)

// beating is an engine over a store that may be used again by the next one.
func beating(m *memory, configured map[string]alert.Terms, steps func(e *Engine)) {
	e, stop := runWith(m, Options{Routing: alert.Routing{Default: "#alerts"}, Heartbeats: configured})
	synctest.Wait()
	steps(e)
	stop()
}

// states lists the states of the incidents, in the order of their beginning.
func states(m *memory) string {
	var all []string
	for _, i := range m.all() {
		all = append(all, string(i.State))
	}
	return strings.Join(all, " ")
}

func every(d time.Duration) alert.Terms { return alert.Terms{Every: d, Grace: d / 2} }

// pass lets time pass in steps that no engine takes for a clock that was set.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestAHeartbeatIsMissingAfterItsPeriodAndGraceAndTheNextOneResolvesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		beating(m, nil, func(e *Engine) {
			for range 3 {
				if _, err := e.Beat(context.Background(), []alert.Beat{{Name: "backup", Terms: every(time.Minute)}}); err != nil {
					t.Fatal(err)
				}
				pass(89 * time.Second)
			}
			if got := states(m); got != "" {
				t.Errorf("it fires too early: %s", got)
			}
			pass(2 * time.Second)
			if got := states(m); got != "open" {
				t.Errorf("missing, its incidents are %q", got)
			}
			i := m.all()[0]
			if i.Key != "heartbeat:backup" || i.Severity != alert.Critical || i.Labels["heartbeat"] != "backup" || !strings.Contains(i.Text, "expected every 1m") {
				t.Errorf("the incident is %+v", i)
			}
			pass(time.Hour)
			heard, err := e.Beat(context.Background(), []alert.Beat{{Name: "backup"}})
			if err != nil || heard[0].Status(time.Now()) != alert.HeartbeatUp || states(m) != "resolved" {
				t.Errorf("back, it is %+v, %v, and its incidents %s", heard, err, states(m))
			}
		})
	})
}

func TestAHeartbeatOfTheConfigurationCountsFromTheFirstStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		configured := map[string]alert.Terms{"backup": {Every: 4 * time.Hour, Severity: alert.Warning}}
		begun := time.Now()
		beating(m, configured, func(*Engine) { pass(time.Hour) })
		beating(m, configured, func(e *Engine) {
			heard := m.beats()["backup"]
			if due := begun.Add(5 * time.Hour); !heard.DueAt.Equal(due.UTC()) || !heard.BeganAt.Equal(begun.UTC()) {
				t.Errorf("it is due at %s, not %s", heard.DueAt, due)
			}
			pass(4*time.Hour + time.Second)
			if got := states(m); got != "open" {
				t.Errorf("never heard, its incidents are %q", got)
			}
			got, err := e.Beat(context.Background(), []alert.Beat{{Name: "backup", Terms: every(time.Minute)}})
			if err != nil || got[0].Every != 4*time.Hour || len(got[0].Notes) != 2 {
				t.Errorf("the configuration does not win: %+v, %v", got, err)
			}
			if _, err := e.Forget(context.Background(), "backup"); !errors.Is(err, alert.ErrConfigured) {
				t.Errorf("it is forgotten: %v", err)
			}
		})
		beating(m, nil, func(*Engine) {})
		if len(m.beats()) != 0 {
			t.Errorf("it outlives its configuration: %+v", m.beats())
		}
	})
}

func TestMoreHeartbeatsThanThereMayBeAreRefusedButThoseOfTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		ctx := context.Background()
		beating(m, nil, func(e *Engine) {
			all := make([]alert.Beat, alert.MaxHeartbeats)
			for n := range all {
				all[n] = alert.Beat{Name: fmt.Sprint("job-", n), Terms: every(24 * time.Hour)}
			}
			if _, err := e.Beat(ctx, all); err != nil {
				t.Fatal(err)
			}
		})
		beating(m, map[string]alert.Terms{"backup": every(time.Hour)}, func(e *Engine) {
			_, err := e.Beat(ctx, []alert.Beat{{Name: "one-more", Terms: every(time.Hour)}})
			bad, ok := errors.AsType[*alert.InputError](err)
			if !ok || !strings.Contains(bad.Message, "10001 heartbeats") || !strings.Contains(bad.Hint, "tocsin heartbeats forget") {
				t.Errorf("one more is answered with %v", err)
			}
			for _, name := range []string{"backup", "job-7"} {
				if _, err := e.Beat(ctx, []alert.Beat{{Name: name}}); err != nil {
					t.Errorf("%s, which is known: %v", name, err)
				}
			}
			for _, name := range []string{"job-1", "job-2"} {
				if _, err := e.Forget(ctx, name); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := e.Beat(ctx, []alert.Beat{{Name: "one-more", Terms: every(time.Hour)}}); err != nil {
				t.Errorf("once there is room: %v", err)
			}
		})
	})
}

func TestSendersGetAChanceAfterADowntime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		beating(m, nil, func(e *Engine) {
			for _, name := range []string{"lives", "dead"} {
				if _, err := e.Beat(context.Background(), []alert.Beat{{Name: name, Terms: every(time.Minute)}}); err != nil {
					t.Fatal(err)
				}
			}
		})
		pass(time.Hour)
		beating(m, nil, func(e *Engine) {
			pass(59 * time.Second)
			if got := states(m); got != "" {
				t.Errorf("a sender that could not be heard is missing: %s", got)
			}
			if _, err := e.Beat(context.Background(), []alert.Beat{{Name: "lives"}}); err != nil {
				t.Fatal(err)
			}
			pass(32 * time.Second)
			if all := m.all(); len(all) != 1 || all[0].Key != "heartbeat:dead" {
				t.Errorf("missing are %+v", all)
			}
		})
		beating(m, nil, func(*Engine) { pass(time.Second) })
		if got := states(m); got != "open" {
			t.Errorf("after another start the incidents are %s", got)
		}
	})
}

func TestADueTimeThatIsToComeStaysAtAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		var due time.Time
		beating(m, nil, func(e *Engine) {
			heard, err := e.Beat(context.Background(), []alert.Beat{{Name: "backup", Terms: alert.Terms{Every: 10 * time.Second, Grace: 20 * time.Second}}})
			if err != nil {
				t.Fatal(err)
			}
			due = heard[0].DueAt
			pass(12 * time.Second)
		})
		pass(500 * time.Millisecond)
		beating(m, nil, func(*Engine) {
			if got := m.beats()["backup"].DueAt; !got.Equal(due) {
				t.Errorf("it is due at %s, and was at %s", got, due)
			}
			pass(time.Until(due) + time.Second)
			if got := states(m); got != "open" {
				t.Errorf("its incidents are %q a second later", got)
			}
		})
	})
}

func TestAClockThatIsSetRaisesNoAlarm(t *testing.T) {
	for name, step := range map[string]time.Duration{"forward": 3 * time.Hour, "a little forward": 70 * time.Second, "back": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				var set atomic.Int64
				e, stop := runWith(m, Options{Routing: alert.Routing{Default: "#alerts"}, Now: func() time.Time { return time.Now().Add(time.Duration(set.Load())) }})
				defer stop()
				beat := func() {
					if _, err := e.Beat(context.Background(), []alert.Beat{{Name: "backup", Terms: every(time.Minute)}}); err != nil {
						t.Fatal(err)
					}
				}
				beat()
				synctest.Wait()
				set.Store(int64(step))
				for range 5 {
					pass(time.Minute)
					beat()
				}
				if got := states(m); got != "" {
					t.Errorf("incidents are %s", got)
				}
				pass(91 * time.Second)
				if got := states(m); got != "open" {
					t.Errorf("missing by the new clock, its incidents are %q", got)
				}
			})
		})
	}
}

func TestAHeartbeatThatIsForgottenOrStoppedSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		beating(m, nil, func(e *Engine) {
			beat := alert.Beat{Name: "watchdog", Default: every(time.Hour), Stopped: true}
			for range 2 {
				if _, err := e.Beat(context.Background(), []alert.Beat{beat}); err != nil {
					t.Fatal(err)
				}
			}
			if got := states(m); got != "open" || m.all()[0].Count != 1 {
				t.Errorf("stopped, its incidents are %q", got)
			}
			if _, err := e.Forget(context.Background(), "watchdog"); err != nil || states(m) != "resolved" || len(m.beats()) != 0 {
				t.Errorf("forgotten (%v), its incidents are %q", err, states(m))
			}
			if _, err := e.Forget(context.Background(), "watchdog"); !errors.Is(err, alert.ErrNotFound) {
				t.Errorf("forgotten twice: %v", err)
			}
			var bad *alert.InputError
			if _, err := e.Beat(context.Background(), []alert.Beat{{Name: "new"}}); !errors.As(err, &bad) || !strings.Contains(bad.Hint, "?every=5m") {
				t.Errorf("without a period: %v", err)
			}
		})
	})
}

func TestAnAlarmThatCouldNotBeStoredIsRaisedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		beating(m, nil, func(e *Engine) {
			if _, err := e.Beat(context.Background(), []alert.Beat{{Name: "backup", Terms: every(time.Minute)}}); err != nil {
				t.Fatal(err)
			}
			m.before(func(alert.Change) error { return alert.ErrUnavailable })
			pass(10 * time.Minute)
			m.before(nil)
			pass(10 * time.Minute)
			if all := m.all(); len(all) != 1 || all[0].Count != 1 {
				t.Errorf("incidents are %+v", all)
			}
		})
	})
}

// late is a store that takes a while to read.
type late struct{ *memory }

func (l late) Load(ctx context.Context, q alert.Query) (alert.Snapshot, error) {
	s, err := l.memory.Load(ctx, q)
	<-time.After(4 * time.Millisecond)
	return s, err
}

func TestHeartbeatsThatFallDueDuringAReadAreMissingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		e, stop := runWith(late{m}, Options{Routing: alert.Routing{Default: "#alerts"}})
		defer stop()
		synctest.Wait()
		begun := time.Now()
		for n := range 30 {
			if _, err := e.Beat(context.Background(), []alert.Beat{{Name: fmt.Sprint("job", n), Terms: every(time.Minute)}}); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Duration(n%7) * time.Millisecond)
		}
		pass(time.Until(begun.Add(91 * time.Second)))
		if got := len(m.all()); got != 30 {
			t.Errorf("%d of 30 heartbeats are missing a second after they were due", got)
		}
	})
}
