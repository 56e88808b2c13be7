package outbox

import (
	"testing"
	"time"

	"tocsin/alert"
)

func TestAPanicPausesItsLaneAndNoOther(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = lost(1, true)
		w.slack.blind = func() error { return fail(alert.ClassDestination, "missing_scope") }
		panicked := 0
		w.start(t, Options{HoldUnsure: func(job alert.Job) bool {
			if job.Lane == "ops" && panicked == 0 {
				panicked++
				panic("a decision went wrong")
			}
			return false
		}})
		w.post("ops", "a")
		w.post("db", "b")
		pass(5 * time.Second)
		w.wantState(t, "b", alert.Delivered)
		pass(time.Minute)
		w.wantState(t, "a", alert.Delivered)
		if panicked != 1 {
			t.Errorf("it panicked %d times", panicked)
		}
	})
}

func TestALoopThatPanickedRunsAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		o := New(w.queue, w.slack, Options{})
		runs := 0
		o.keepRunning(t.Context(), "test", func() {
			if runs++; runs == 1 {
				panic("it went wrong")
			}
		})
		if runs != 2 {
			t.Errorf("it ran %d times", runs)
		}
	})
}
