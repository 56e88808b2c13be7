package outbox

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/alert"
)

// away answers every send and look with a refused connection until back, and tells
// the outbox of every success, as the bot does.
func (w *world) away(back time.Duration) {
	down := func() error {
		if time.Since(w.began) < back {
			return fail(alert.ClassTransient, "connection refused")
		}
		w.box.SlackAnswered()
		return nil
	}
	w.slack.answer = func(context.Context, call) (bool, error) {
		err := down()
		return err == nil, err
	}
	w.slack.blind = down
}

func TestAfterAnOutageEverythingGoesOutAtOnceAndWithinThePace(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.away(10 * time.Minute)
		w.start(t, Options{})
		for n := range 20 {
			lane := fmt.Sprintf("lane-%d", n)
			w.post(lane, lane+"-a", lane+"-b", lane+"-c", lane+"-d")
		}
		pass(10*time.Minute - time.Millisecond)
		w.box.SlackAnswered() // a connection is up, a moment before posts are taken
		sent := w.slack.count()
		pass(4 * time.Second)
		if n := len(w.slack.shown); n != 80 {
			t.Errorf("%d of 80 are shown", n)
		}
		if wrong := tooFast(w.slack.calls[sent:]); len(wrong) > 0 {
			t.Errorf("the pace was not kept: %q", wrong)
		}
	})
}

func TestTheFirstSuccessOfAnyLaneWakesTheOthers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.away(10 * time.Minute)
		w.start(t, Options{})
		w.post("ops", "a")
		w.post("dev", "b")
		pass(10 * time.Minute)
		w.wantState(t, "a", alert.Pending)
		w.post("new", "c")
		pass(time.Second)
		for _, id := range []string{"a", "b", "c"} {
			w.wantState(t, id, alert.Delivered)
		}
	})
}

// A first connection is up while posts still fail, a second one when they work.
func TestAWakeThatComesTooSoonIsMadeUpFor(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.away(10*time.Minute + 900*time.Millisecond)
		w.start(t, Options{Rand: func() float64 { return 0.3 }})
		w.post("ops", "a")
		w.queue.add(alert.Delivery{ID: "fire", Lane: "fire", Kind: alert.Post, Incident: "i-fire"})
		w.wake("fire")
		pass(10 * time.Minute)
		w.box.SlackAnswered()
		pass(950 * time.Millisecond)
		w.wantState(t, "fire", alert.Pending)
		w.box.SlackAnswered()
		pass(5 * time.Second)
		w.wantState(t, "fire", alert.Delivered)
		w.wantState(t, "a", alert.Delivered)
	})
}

func TestAfterAnOutageCriticalsGoFirst(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.away(10 * time.Minute)
		w.start(t, Options{})
		for n := range 5 {
			w.post(fmt.Sprintf("lane-%d", n), fmt.Sprintf("error-%d", n))
			w.queue.add(alert.Delivery{ID: fmt.Sprintf("fire-%d", n), Lane: fmt.Sprintf("fire-%d", n), Kind: alert.Post, Incident: fmt.Sprintf("i-fire-%d", n)})
			w.wake(fmt.Sprintf("fire-%d", n))
		}
		pass(10 * time.Minute)
		w.box.SlackAnswered()
		pass(time.Second)
		if len(w.slack.shown) != 10 {
			t.Fatalf("%d of 10 are shown", len(w.slack.shown))
		}
		for n, c := range w.slack.shown {
			if critical := c.job.Priority == 0; critical != (n < 5) {
				t.Errorf("place %d shows %s", n, c.job.ID)
			}
		}
	})
}

func TestAThrottledLaneKeepsItsWaitWhenSlackIsBack(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = first("a", fail(alert.ClassTransient, "dial"), &alert.SendError{Class: alert.ClassThrottled, Code: "ratelimited", RetryAfter: time.Minute})
		w.start(t, Options{})
		w.post("ops", "a")
		pass(30 * time.Second)
		w.box.outage.failing.Store(true)
		w.box.SlackAnswered()
		pass(2 * time.Minute)
		w.wantTimes(t, "a", 0, time.Second, time.Minute+time.Second)
	})
}

// Slack answers, and refuses every post: each lane tries less and less often.
func TestALaneThatFailsAgainAfterEachWakeTriesLessAndLessOften(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = always(fail(alert.ClassTransient, "service_unavailable"))
		w.start(t, Options{})
		w.post("ops", "a")
		for range 30 * 60 {
			pass(time.Second)
			w.box.SlackAnswered()
		}
		if n := w.slack.count(); n > 25 {
			t.Errorf("it was tried %d times within half an hour", n)
		}
		if at := w.slack.times(w.began, "a"); at[len(at)-1] < 20*time.Minute {
			t.Errorf("it was tried last after %v", at[len(at)-1])
		}
		w.slack.answers(nil)
		w.post("ops", "b")
		pass(5 * time.Minute)
		w.wantState(t, "a", alert.Delivered)
		w.wantState(t, "b", alert.Delivered)
	})
}

func TestALookForALostMessageIsMadeAgainWhenSlackIsBack(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.away(10 * time.Minute)
		w.slack.answer = lost(1, true)
		w.start(t, Options{})
		w.post("ops", "a")
		pass(10 * time.Minute)
		w.wantState(t, "a", alert.Sending)
		w.box.SlackAnswered()
		pass(time.Second)
		w.wantState(t, "a", alert.Delivered)
		w.wantTimes(t, "a", 0)
	})
}

func TestALookThatWaitsForHistoryIsNotMadeEarlyAgainAndAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = lost(1, false)
		w.start(t, Options{})
		w.post("ops", "a")
		for range 29 {
			pass(time.Second)
			w.box.outage.failing.Store(true)
			w.box.SlackAnswered()
		}
		if w.slack.looks > 3 {
			t.Errorf("%d looks", w.slack.looks)
		}
	})
}

func TestARestartDuringAnOutageTriesAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.away(10 * time.Minute)
		w.start(t, Options{})
		w.post("ops", "a")
		pass(10 * time.Minute)
		_ = w.stop()
		w.start(t, Options{})
		pass(time.Second)
		w.wantState(t, "a", alert.Delivered)
		synctest.Wait()
	})
}
