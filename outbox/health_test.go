package outbox

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/alert"
)

func TestALaneIsUndeliveredFromItsFirstFailureUntilSomethingGetsThrough(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var failing atomic.Pointer[alert.SendError]
		w.slack.answer = func(_ context.Context, c call) (bool, error) {
			if c.job.Kind == alert.Update {
				return true, nil
			}
			if fail := failing.Load(); fail != nil {
				return false, fail
			}
			return true, nil
		}
		undelivered := func() []alert.Undelivered { return w.box.Undelivered(time.Now()) }
		w.start(t, Options{})
		w.post("ops", "a")
		pass(time.Second)
		if got := undelivered(); len(got) != 0 {
			t.Fatalf("with a working Slack: %+v", got)
		}

		failing.Store(fail(alert.ClassTransient, "no_answer"))
		began := time.Now()
		w.post("ops", "b")
		pass(time.Minute)
		w.more("ops", alert.Update, "i-a", "u") // it works, and says nothing about posts
		pass(2 * time.Minute)
		got := undelivered()
		if len(got) != 1 || got[0].Lane != "ops" || got[0].Since.Sub(began) > time.Second || got[0].Reason == "" {
			t.Errorf("with a failing Slack: %+v, want it since %v", got, began)
		}

		throttled := fail(alert.ClassThrottled, "ratelimited")
		throttled.RetryAfter = 10 * time.Minute
		failing.Store(throttled)
		pass(5 * time.Minute)
		if got := undelivered(); len(got) != 0 {
			t.Errorf("while Slack asks for a pause: %+v", got)
		}
		failing.Store(nil)
		pass(20 * time.Minute)
		w.wantState(t, "b", alert.Delivered)
		if got := undelivered(); len(got) != 0 {
			t.Errorf("after that: %+v", got)
		}
	})
}
