package outbox

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

// reload has the outbox use other options.
func (w *world) reload(opts Options) {
	opts.Rand = func() float64 { return 1 }
	w.box.Reload(opts)
	pass(time.Second)
}

func TestAReloadedFallbackTakesWhatWaitsAndTellsOfDeadLetters(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.closed(time.Hour, "ops", "old")
		w.start(t, Options{})
		w.post("ops", "a")
		pass(time.Minute)
		if got := slices.Compact(w.slack.places("a")); !slices.Equal(got, []string{"ops"}) {
			t.Errorf("without a fallback a was sent to %v", got)
		}
		w.reload(Options{Fallback: "old"})
		pass(5 * time.Minute)
		w.reload(Options{Fallback: "new"})
		pass(5 * time.Minute)
		if got := slices.Compact(w.slack.places("a")); !slices.Equal(got, []string{"ops", "old", "ops", "new"}) {
			t.Errorf("a was sent to %v", got)
		}
		w.wantState(t, "a", alert.Delivered)
		w.slack.answer = func(context.Context, call) (bool, error) {
			return false, &alert.SendError{Class: alert.ClassPayload, Code: "invalid_blocks"}
		}
		w.post("new", "dead")
		pass(time.Minute)
		w.wantState(t, "dead", alert.Dead)
		if len(w.slack.announced) == 0 {
			t.Error("the fallback does not hear of the dead letter")
		}
		w.reload(Options{})
		w.post("ops", "b")
		pass(time.Minute)
		if got := slices.Compact(w.slack.places("b")); !slices.Equal(got, []string{"ops"}) {
			t.Errorf("once there is no fallback, b was sent to %v", got)
		}
	})
}

func TestAReloadedLastResortGetsWhatIsStrandedAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.closed(time.Hour, "ops")
		w.start(t, Options{})
		w.post("ops", "a")
		pass(time.Minute)
		wrong := &helper{fail: func() error { return errors.New("no such program") }}
		w.reload(Options{LastResort: wrong.run})
		pass(time.Hour / 2)
		right := &helper{}
		w.reload(Options{LastResort: right.run})
		if got := right.told(); len(wrong.calls) == 0 || !slices.Equal(got, []string{"a"}) {
			t.Errorf("the wrong program was called %d times, the right one got %v", len(wrong.calls), got)
		}
		w.reload(Options{})
		w.post("ops", "b")
		pass(time.Minute)
		if got := right.told(); len(got) != 1 {
			t.Errorf("once there is none it got %v", got)
		}
	})
}

func TestReloadedTimesCountForWhatWaits(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.closed(time.Hour, "ops")
		w.start(t, Options{Fallback: "fallback"})
		w.post("ops", "a")
		pass(time.Second)
		w.reload(Options{Fallback: "fallback", ReachEvery: time.Minute})
		pass(2 * time.Minute)
		if n := len(w.slack.reaches); n != 2 {
			t.Errorf("it was checked %d times in two minutes", n)
		}
		w.slack.answer = func(context.Context, call) (bool, error) {
			return false, &alert.SendError{Class: alert.ClassTransient, Code: "internal_error"}
		}
		w.post("web", "b")
		pass(2 * time.Hour)
		w.wantState(t, "b", alert.Pending)
		w.reload(Options{GiveUpAfter: time.Hour})
		pass(10 * time.Minute)
		w.wantState(t, "b", alert.Dead)
	})
}

func TestAReloadedLimitMakesADigestOfWhatWaits(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start(t, Options{DigestAbove: 100})
		w.reload(Options{DigestAbove: 2})
		w.post("ops", "a", "b", "c", "d", "e", "f")
		pass(time.Minute)
		if got := w.kinds(); !strings.Contains(got, "digest") {
			t.Errorf("sent as %s", got)
		}
	})
}
