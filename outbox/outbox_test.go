package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"tocsin/alert"
)

func observed() (*zap.Logger, *observer.ObservedLogs) {
	core, lines := observer.New(zap.InfoLevel)
	return zap.New(core), lines
}

// lanes counts those that have a goroutine.
func (w *world) lanes() int { return len(w.box.active()) }

// metric reads one metric: the count of a histogram, the sum over all labels.
func (w *world) metric(t *testing.T, name string) (sum float64) {
	t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		found = true
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	if !found {
		t.Errorf("there is no metric %s", name)
	}
	return sum
}

func TestPendingDeliveriesAreSentAtTheStart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.post("ops", "a")
		w.post("dev", "b")
		w.start(t, Options{})
		w.wantState(t, "a", alert.Delivered)
		w.wantState(t, "b", alert.Delivered)
	})
}

func TestWakeBeforeRunIsNotLost(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.queue.fault = func(call string) error {
			if call == "lanes" {
				return errors.New("locked")
			}
			return nil
		}
		w.post("ops", "a")
		w.box = New(w.queue, w.slack, Options{})
		w.box.Wake("ops")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.box.Run(ctx) }()
		synctest.Wait()
		w.wantState(t, "a", alert.Delivered)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestStoreThatFailsAtTheStartIsAskedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.queue.fault = func(string) error {
			if time.Since(w.began) < 10*time.Second {
				return errors.New("locked")
			}
			return nil
		}
		w.post("ops", "a")
		w.start(t, Options{})
		pass(30 * time.Second)
		w.wantState(t, "a", alert.Delivered)
		if h := w.box.Health(); h.LastError != "" && h.Waiting != 0 {
			t.Errorf("health %+v", h)
		}
	})
}

func TestLaneThatNobodyWokeIsFoundWithinAMinute(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start(t, Options{})
		w.queue.add(alert.Delivery{ID: "a", Lane: "ops", Kind: alert.Post, Incident: "x"})
		pass(time.Minute)
		w.wantState(t, "a", alert.Delivered)
	})
}

func TestWakeBetweenNothingDueAndIdleIsNotLost(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		pushed := 0
		w.queue.asked = func(c alert.Claim) {
			if pushed < 50 && c.Posts {
				pushed++
				w.post("ops", fmt.Sprintf("late-%d", pushed))
			}
		}
		w.start(t, Options{Pace: time.Nanosecond, DigestAbove: 100})
		w.box.Wake("ops")
		pass(time.Second)
		if w.slack.count() != 50 {
			t.Errorf("sent %d of 50", w.slack.count())
		}
	})
}

func TestIdleLanesAreForgottenOnceTheirPaceAndWhatTheyHaveShownMatterNoMore(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start(t, Options{})
		for n := range 100 {
			w.post(fmt.Sprintf("lane-%d", n), fmt.Sprintf("%d-a", n), fmt.Sprintf("%d-b", n))
		}
		synctest.Wait()
		if n := w.lanes(); n != 100 {
			t.Errorf("%d lanes know their pace, want 100", n)
		}
		if n := w.box.Health().Waiting; n != 0 {
			t.Errorf("%d lanes seem to have something to send", n)
		}
		pass(alert.BusyWithin)
		if n := w.lanes(); n != 0 {
			t.Errorf("%d lanes are kept for nothing", n)
		}
		if n := w.metric(t, "tocsin_lanes_active"); n != 0 {
			t.Errorf("the gauge says %v", n)
		}
	})
}

func TestStopFinishesWhatIsInFlightAndBeginsNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = func(ctx context.Context, _ call) (bool, error) {
			select {
			case <-ctx.Done():
				return false, fail(alert.ClassUnsure, "canceled")
			case <-time.After(3 * time.Second):
				return true, nil
			}
		}
		w.start(t, Options{})
		w.post("ops", "a", "b")
		pass(time.Second)
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(w.began); took != 3*time.Second {
			t.Errorf("stopped after %v, want when the call was done", took)
		}
		w.wantState(t, "a", alert.Delivered)
		w.wantState(t, "b", alert.Pending)
	})
}

func TestStopDoesNotWaitForLanesThatWait(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = always(&alert.SendError{Class: alert.ClassThrottled, RetryAfter: time.Hour})
		w.start(t, Options{})
		w.post("ops", "a")
		synctest.Wait()
		_ = w.stop()
		if took := time.Since(w.began); took != 0 {
			t.Errorf("stopped after %v", took)
		}
	})
}

func TestRefusedAppHoldsEverythingUntilAProbeSucceeds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		revoked := &alert.SendError{Class: alert.ClassAuth, Code: "token_revoked", Hint: "install the app again"}
		ok := func() bool { return time.Since(w.began) > 90*time.Second }
		answer := func() error {
			if ok() {
				return nil
			}
			return revoked
		}
		w.slack.answer = func(context.Context, call) (bool, error) { err := answer(); return err == nil, err }
		w.slack.probe = answer
		w.start(t, Options{})
		w.post("ops", "a")
		pass(time.Second)
		w.post("dev", "b")
		pass(80 * time.Second)
		w.wantTimes(t, "b")
		h := w.box.Health()
		if h.Held != "Slack refuses the app: token_revoked" || len(h.Problems) == 0 || h.Problems[0].Fix != "install the app again" || !h.Problems[0].Since.Equal(w.began) {
			t.Errorf("health %+v, want why and what to do", h)
		}
		pass(time.Minute)
		w.wantState(t, "a", alert.Delivered)
		w.wantState(t, "b", alert.Delivered)
		w.wantTimes(t, "b", 2*time.Minute)
		if n := len(w.slack.probes); n != 3 {
			t.Errorf("%d probes, want at once, after one and after two minutes", n)
		}
		if r := w.queue.row("a"); r.Attempts != 1 {
			t.Errorf("%d attempts counted, want the one that Slack took", r.Attempts)
		}
		if h := w.box.Health(); h.Held != "" || len(h.Problems) != 0 {
			t.Errorf("after it: %+v", h)
		}
	})
}

func TestLaneThatIsRefusedWhileTheAppIsKnownWaitsAlone(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = func(_ context.Context, c call) (bool, error) {
			if c.job.Lane == "secret" {
				return false, fail(alert.ClassAuth, "ekm_access_denied")
			}
			return true, nil
		}
		w.start(t, Options{})
		w.post("secret", "s")
		synctest.Wait()
		w.post("ops", "a")
		pass(10 * time.Second)
		w.wantTimes(t, "a", 0)
		pass(50*time.Second + time.Millisecond)
		w.wantTimes(t, "s", 0, time.Minute)
		if h := w.box.Health(); len(h.Problems) != 0 || len(h.Notes) != 1 || h.Notes[0].Code != alert.ProblemRefused || h.Notes[0].What != "Slack refuses the app in secret: ekm_access_denied" {
			t.Errorf("health %+v", h)
		}
	})
}

func TestMovingNoticesACallThatNeverEnds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		release := make(chan struct{})
		w.slack.answer = func(context.Context, call) (bool, error) { <-release; return true, nil }
		w.start(t, Options{})
		w.post("ops", "a")
		pass(2 * time.Minute)
		if err := w.box.Moving(time.Now()); err != nil {
			t.Errorf("too early: %v", err)
		}
		pass(3 * time.Minute)
		if late := w.box.Undelivered(time.Now()); len(late) != 1 || late[0].Lane != "ops" || time.Since(late[0].Since) < 2*time.Minute {
			t.Errorf("undelivered: %+v", late)
		}
		if err := w.box.Moving(time.Now()); err == nil || !strings.Contains(err.Error(), "lane ops is stuck: sending") {
			t.Errorf("got %v", err)
		}
		close(release)
		synctest.Wait()
		if err := w.box.Moving(time.Now()); err != nil {
			t.Errorf("after it went on: %v", err)
		}
	})
}

func TestMovingIsContentWhileHeldOrThrottledOrIdle(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.probe = func() error { return fail(alert.ClassAuth, "invalid_auth") }
		w.slack.answer = func(_ context.Context, c call) (bool, error) {
			if c.job.Lane == "slow" {
				return false, &alert.SendError{Class: alert.ClassThrottled, RetryAfter: time.Hour}
			}
			return false, fail(alert.ClassAuth, "invalid_auth")
		}
		w.start(t, Options{})
		w.post("slow", "s")
		synctest.Wait()
		w.post("ops", "a")
		pass(30 * time.Minute)
		if err := w.box.Moving(time.Now()); err != nil {
			t.Error(err)
		}
	})
}

func TestMetricsHaveTheirNames(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start(t, Options{})
		w.post("ops", "a")
		synctest.Wait()
		for name, want := range map[string]float64{
			"tocsin_deliveries_total": 1, "tocsin_delivery_seconds": 1, "tocsin_send_seconds": 1,
			"tocsin_lanes_active": 1, "tocsin_possible_duplicates_total": 0,
		} {
			if got := w.metric(t, name); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
	})
}
