package outbox

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"tocsin/alert"
)

// helper is a last resort that records what it is given.
type helper struct {
	calls []alert.Stranded
	at    []time.Time
	fail  func() error
}

func (h *helper) run(_ context.Context, s alert.Stranded) error {
	h.calls, h.at = append(h.calls, s), append(h.at, time.Now())
	if h.fail == nil {
		return nil
	}
	return h.fail()
}

func (h *helper) told() (ids []string) {
	for _, s := range h.calls {
		for _, j := range s.Jobs {
			ids = append(ids, j.ID)
		}
	}
	return ids
}

func TestStrandedDeliveriesGoToTheLastResortOnceAndStayPending(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.closed(time.Hour, "ops", "fallback")
		h := &helper{}
		w.start(t, Options{Fallback: "fallback", LastResort: h.run})
		w.post("ops", "a")
		pass(time.Second)
		if len(h.calls) != 1 || h.calls[0].Lane != "ops" || h.calls[0].Code != "is_archived" || h.calls[0].Fallback.Lane != "fallback" {
			t.Fatalf("the last resort got %+v", h.calls)
		}
		w.post("ops", "b", "c")
		pass(time.Minute)
		if got := h.told(); !slices.Equal(got, []string{"a", "b", "c"}) || len(h.calls) != 2 {
			t.Errorf("the last resort got %v in %d calls", got, len(h.calls))
		}
		w.wantState(t, "c", alert.Pending)
		_ = w.stop()
		w.start(t, Options{Fallback: "fallback", LastResort: h.run})
		pass(2 * time.Hour)
		if got := h.told(); len(got) != 3 {
			t.Errorf("after a restart the last resort got %v", got)
		}
		w.wantState(t, "c", alert.Delivered)
		if n := w.metric(t, "tocsin_broken_destinations"); n != 0 {
			t.Errorf("%v destinations are still broken", n)
		}
	})
}

func TestAReachableFallbackKeepsTheLastResortOut(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.closed(time.Hour, "ops")
		h := &helper{}
		w.start(t, Options{Fallback: "fallback", LastResort: h.run})
		w.post("ops", "a")
		pass(time.Minute)
		if len(h.calls) != 0 {
			t.Errorf("the last resort got %+v", h.calls)
		}
	})
}

func TestALastResortThatFailsIsTriedAgainMoreAndMoreSlowlyAndReported(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.closed(100*time.Hour, "ops")
		h := &helper{}
		h.fail = func() error {
			if len(h.calls) < 4 {
				return errors.New("exit status 1")
			}
			return nil
		}
		w.start(t, Options{LastResort: h.run})
		w.post("ops", "a")
		pass(time.Minute)
		if p := w.box.Health().Problems; !slices.ContainsFunc(p, func(p alert.Problem) bool {
			return p.What == "the last resort fails: exit status 1" && p.Since.Equal(w.began)
		}) {
			t.Errorf("problems %v", p)
		}
		pass(time.Hour)
		var at []time.Duration
		for _, c := range h.at {
			at = append(at, c.Sub(w.began).Round(time.Second))
		}
		if !slices.Equal(at, []time.Duration{0, 10 * time.Second, 30 * time.Second, 70 * time.Second}) {
			t.Errorf("it was run at %v", at)
		}
		if h := w.box.Health(); len(h.Problems) != 0 || len(h.Notes) != 1 {
			t.Errorf("health %+v", h)
		}
	})
}

func TestAStoreThatFailsDoesNotHaveTheLastResortRunAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.closed(100*time.Hour, "ops")
		w.queue.fault = func(call string) error {
			if call == "rescued" && time.Since(w.began) < time.Minute {
				return errors.New("disk full")
			}
			return nil
		}
		h := &helper{}
		w.start(t, Options{LastResort: h.run})
		w.post("ops", "a")
		pass(time.Hour)
		if len(h.calls) != 1 {
			t.Errorf("it was run %d times", len(h.calls))
		}
	})
}

func TestDeadLettersAreAnnouncedInTheFallbackInOneLineAndNotOften(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = func(_ context.Context, c call) (bool, error) {
			if c.job.Lane == "ops" {
				return false, fail(alert.ClassPayload, "invalid_blocks")
			}
			return true, nil
		}
		w.start(t, Options{Fallback: "fallback"})
		w.post("ops", "a", "b", "c", "d")
		pass(10 * time.Minute)
		var told int64
		for _, a := range w.slack.announced {
			if a.to != "fallback" || a.dead.Lane != "ops" || a.dead.Reason == "" {
				t.Errorf("announced %+v", a)
			}
			told += a.dead.Count
		}
		if told != 4 || len(w.slack.announced) > 2 {
			t.Errorf("announced %+v", w.slack.announced)
		}
		if n := len(w.slack.announced); n == 2 && w.slack.announced[1].at.Sub(w.slack.announced[0].at) < announceEvery {
			t.Error("told twice within five minutes")
		}
	})
}

func TestDeadLettersAreAnnouncedOnceTheFallbackAcceptsMessages(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.mute = fail(alert.ClassTransient, "dial")
		w.slack.answer = always(fail(alert.ClassPayload, "invalid_blocks"))
		w.start(t, Options{Fallback: "fallback"})
		w.post("ops", "a")
		pass(10 * time.Minute)
		w.slack.mute = nil
		_ = w.stop()
		before := len(w.slack.announced)
		w.start(t, Options{Fallback: "fallback"})
		pass(time.Hour)
		if n := len(w.slack.announced) - before; n != 1 {
			t.Errorf("told %d times after the restart", n)
		}
	})
}

func TestAThrottledLineAboutDeadLettersHoldsUpTheFallback(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.mute = &alert.SendError{Class: alert.ClassThrottled, Code: "ratelimited", RetryAfter: 90 * time.Second}
		w.slack.answer = func(_ context.Context, c call) (bool, error) {
			if c.job.Lane == "ops" {
				return false, fail(alert.ClassPayload, "invalid_blocks")
			}
			return true, nil
		}
		w.start(t, Options{Fallback: "fallback"})
		w.post("ops", "a")
		pass(time.Second)
		w.post("fallback", "b")
		pass(80 * time.Second)
		w.wantTimes(t, "b")
		w.slack.mu.Lock()
		n := len(w.slack.announced)
		w.slack.mu.Unlock()
		if n != 1 {
			t.Errorf("it was said %d times within the time that Slack asked for", n)
		}
		pass(time.Minute)
		w.wantState(t, "b", alert.Delivered)
	})
}
