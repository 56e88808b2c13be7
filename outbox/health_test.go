package outbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
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

// late lists since when each lane's oldest due delivery waits, and why.
func (w *world) late() (all []string) {
	for _, u := range w.box.Undelivered(time.Now()) {
		all = append(all, fmt.Sprintf("%s since %v: %s", u.Lane, u.Since.Sub(w.began), u.Reason))
	}
	return all
}

func TestPostsThatGetOnlyShortPausesAreLate(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = always(tooMuch(2 * time.Second))
		w.start(t, Options{})
		w.post("ops", "a")
		pass(10 * time.Minute)
		if got := w.late(); !slices.Equal(got, []string{"ops since 0s: Slack answers only with pauses"}) {
			t.Errorf("late: %q", got)
		}
		w.slack.answers(always(tooMuch(5 * time.Minute))) // message_limit_exceeded
		pass(10 * time.Minute)
		if got, notes := w.late(), w.box.Health().Notes; len(got) != 0 || len(notes) != 1 {
			t.Errorf("late: %q, and the notes are %v", got, notes)
		}
	})
}

func TestADeliveryIsNotLateDuringOnePauseButAfterTheNextAnswerIsOne(t *testing.T) {
	for _, c := range []struct {
		pauses int
		late   bool
	}{{1, false}, {2, true}} {
		inWorld(t, func(t *testing.T, w *world) {
			asked := 0
			w.slack.answer = func(context.Context, call) (bool, error) {
				if asked++; asked <= c.pauses {
					return false, tooMuch(3 * time.Minute)
				}
				return true, nil
			}
			problems := func() []alert.Problem {
				now := time.Now()
				return alert.Progress{Connected: now, Undelivered: w.box.Undelivered(now)}.Problems(now, alert.Limits{Delivery: 2 * time.Minute})
			}
			w.start(t, Options{})
			w.post("ops", "a")
			pass(179 * time.Second)
			if got := problems(); len(got) != 0 {
				t.Errorf("during the first pause: %+v", got)
			}
			pass(2 * time.Second)
			if got := problems(); len(got) == 1 != c.late || c.late && !got[0].Since.Equal(w.began) {
				t.Errorf("with %d pauses, after the first: %+v, late is %t", c.pauses, got, c.late)
			}
			pass(3 * time.Minute)
			w.wantState(t, "a", alert.Delivered)
			if got := problems(); len(got) != 0 {
				t.Errorf("once it is delivered: %+v", got)
			}
		})
	}
}

func TestAFallbackThatFailsIsLateAndNotSaidToWork(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = func(_ context.Context, c call) (bool, error) {
			if c.job.Place() == "ops" {
				return false, fail(alert.ClassDestination, "is_archived")
			}
			return false, fail(alert.ClassTransient, "service_unavailable")
		}
		w.slack.reach = func(alert.Destination) (bool, error) { return false, fail(alert.ClassDestination, "is_archived") }
		w.start(t, Options{Fallback: "random"})
		w.post("ops", "a")
		pass(3 * time.Minute)
		if got := w.late(); !slices.Equal(got, []string{"ops since 0s: service_unavailable"}) {
			t.Errorf("late: %q", got)
		}
		if notes := w.box.Health().Notes; len(notes) != 1 || !strings.Contains(notes[0].What, "alerts for it are sent to random, which fails at the moment: service_unavailable") {
			t.Errorf("the notes are %v", notes)
		}
		w.slack.answers(nil)
		pass(5 * time.Minute)
		if notes := w.box.Health().Notes; len(w.late()) != 0 || len(notes) != 1 || strings.Contains(notes[0].What, "fails") {
			t.Errorf("once the fallback works: late %q, notes %v", w.late(), notes)
		}
	})
}

func TestRestartsDoNotHideThatADeliveryIsLate(t *testing.T) {
	for name, answer := range map[string]*alert.SendError{"it fails": fail(alert.ClassTransient, "service_unavailable"), "only pauses": tooMuch(time.Second)} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.slack.answer = always(answer)
				w.start(t, Options{})
				w.post("ops", "a")
				for range 3 {
					pass(time.Minute)
					_ = w.stop()
					w.start(t, Options{})
				}
				pass(time.Second)
				if got := w.box.Undelivered(time.Now()); len(got) != 1 || !got[0].Since.Equal(w.began) {
					t.Errorf("late: %+v, want it since %v", got, w.began)
				}
				w.slack.answers(nil)
				pass(5 * time.Minute)
				w.wantState(t, "a", alert.Delivered)
				if got := w.late(); len(got) != 0 {
					t.Errorf("once it is delivered: %q", got)
				}
			})
		})
	}
}
