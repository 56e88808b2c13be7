package outbox

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/alert"
)

var archived = &alert.SendError{Class: alert.ClassDestination, Code: "is_archived", Hint: "unarchive it"}

// closed refuses what is sent to these conversations before until.
func (w *world) closed(until time.Duration, places ...string) {
	open := func(place string) bool { return !slices.Contains(places, place) || time.Since(w.began) >= until }
	w.slack.answer = func(_ context.Context, c call) (bool, error) {
		if open(c.job.Place()) {
			return true, nil
		}
		return false, archived
	}
	w.slack.reach = func(d alert.Destination) (bool, error) {
		if open(d.Lane) {
			return true, nil
		}
		return false, archived
	}
}

// places lists where id was sent, in order.
func (s *slack) places(id string) (places []string) {
	for _, c := range s.calls {
		if c.job.ID == id {
			places = append(places, c.job.Place())
		}
	}
	return places
}

func TestABrokenLaneIsProbedEachFiveMinutesAndReturnsByItself(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.closed(12*time.Minute, "ops")
		w.start(t, Options{Fallback: "fallback"})
		w.post("ops", "a")
		pass(time.Second)
		if got := w.slack.places("a"); !slices.Equal(got, []string{"ops", "fallback"}) {
			t.Errorf("a was sent to %v", got)
		}
		if h := w.box.Health(); len(h.Problems) != 0 || len(h.Notes) != 1 || h.Notes[0].Fix != "unarchive it" {
			t.Errorf("health %+v", h)
		}
		if n := w.metric(t, "tocsin_broken_destinations"); n != 1 {
			t.Errorf("%v broken destinations are counted", n)
		}
		w.post("ops", "b")
		pass(16 * time.Minute)
		w.post("ops", "c")
		pass(time.Second)
		if b, c := w.slack.places("b"), w.slack.places("c"); !slices.Equal(b, []string{"fallback"}) || !slices.Equal(c, []string{"ops"}) {
			t.Errorf("b was sent to %v, c to %v", b, c)
		}
		var at []time.Duration
		for _, r := range w.slack.reaches {
			at = append(at, r.at.Sub(w.began))
		}
		if !slices.Equal(at, []time.Duration{5 * time.Minute, 10 * time.Minute, 15 * time.Minute}) {
			t.Errorf("probed at %v", at)
		}
		if h := w.box.Health(); len(h.Notes) != 0 || w.metric(t, "tocsin_broken_destinations") != 0 {
			t.Errorf("health %+v", h)
		}
	})
}

func TestWhatOnlyAPostCanTellIsTriedAfterTheProbe(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.closed(7*time.Minute, "ops")
		w.slack.reach = func(alert.Destination) (bool, error) { return false, nil }
		w.start(t, Options{Fallback: "fallback"})
		w.post("ops", "a")
		pass(6 * time.Minute)
		w.post("ops", "b", "c")
		pass(5 * time.Minute)
		w.post("ops", "d")
		pass(time.Second)
		for id, want := range map[string][]string{
			"b": {"ops", "fallback"}, "c": {"fallback"}, "d": {"ops"},
		} {
			if got := w.slack.places(id); !slices.Equal(got, want) {
				t.Errorf("%s was sent to %v, want %v", id, got, want)
			}
		}
		if n := w.metric(t, "tocsin_broken_destinations"); n != 0 {
			t.Errorf("%v broken destinations are counted", n)
		}
	})
}

func TestManyBrokenLanesShareThePaceAndThePausesOfTheFallback(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lanes := []string{"a", "b", "c", "d", "e", "f"}
		w.closed(time.Hour, lanes...)
		throttled := false
		answer := w.slack.answer
		w.slack.answer = func(ctx context.Context, c call) (bool, error) {
			if c.job.Place() == "fallback" && c.job.ID != "own" && !throttled {
				throttled = true
				return false, &alert.SendError{Class: alert.ClassThrottled, Code: "ratelimited", RetryAfter: 10 * time.Second}
			}
			return answer(ctx, c)
		}
		w.start(t, Options{Fallback: "fallback"})
		for _, lane := range lanes {
			w.post(lane, "in-"+lane)
		}
		pass(time.Second)
		w.post("fallback", "own")
		pass(30 * time.Second)
		var at []time.Duration
		for _, c := range w.slack.calls {
			if c.job.Place() == "fallback" {
				at = append(at, c.at.Sub(w.began))
			}
		}
		if len(at) != len(lanes)+2 {
			t.Fatalf("the fallback was called at %v", at)
		}
		if wrong := tooFast(w.slack.calls); len(wrong) > 0 {
			t.Errorf("%q", wrong)
		}
		for _, d := range at[3:] {
			if d < 10*time.Second {
				t.Errorf("the fallback was called at %v, in its pause", d)
			}
		}
	})
}

func TestALookIsMadeWhereTheAttemptWentAlsoAfterARestartAndWhenTheLaneIsBack(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.closed(time.Minute, "ops")
		answer := w.slack.answer
		w.slack.answer = func(ctx context.Context, c call) (bool, error) {
			if c.job.Place() == "fallback" {
				w.queue.mu.Lock()
				w.queue.fault = func(string) error { return errors.New("killed") }
				w.queue.mu.Unlock()
				return true, fail(alert.ClassUnsure, "no_answer")
			}
			return answer(ctx, c)
		}
		w.start(t, Options{Fallback: "fallback", Grace: time.Second})
		w.post("ops", "a")
		pass(time.Second)
		_ = w.stop()
		w.queue.fault = nil
		pass(2 * time.Minute)
		delete(w.queue.broken, "ops")
		w.start(t, Options{Fallback: "fallback"})
		pass(time.Minute)
		if got := w.slack.places("a"); !slices.Equal(got, []string{"ops", "fallback"}) {
			t.Errorf("a was sent to %v", got)
		}
		if r := w.queue.row("a"); r.State != alert.Delivered || r.Conversation != "C-fallback" {
			t.Errorf("%+v, want it found in the fallback", r)
		}
	})
}

func TestAReplyToACardNobodyCanSeeComesBehindANewCard(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.show("ops", "x")
		w.closed(time.Hour, "ops")
		w.start(t, Options{Fallback: "fallback"})
		w.more("ops", alert.Reply, "x", "said", "said-again")
		pass(5 * time.Second)
		var kinds []alert.Kind
		for _, c := range w.slack.shown {
			if c.job.Place() != "fallback" || c.job.Incident.ID != "x" {
				t.Errorf("%s of %s went to %s", c.job.Kind, c.job.Incident.ID, c.job.Place())
			}
			kinds = append(kinds, c.job.Kind)
		}
		if !slices.Equal(kinds, []alert.Kind{alert.Post, alert.Reply, alert.Reply}) {
			t.Errorf("the fallback shows %v", kinds)
		}
	})
}

func TestWithLaneAndFallbackBrokenAlertsWaitAndTheProblemIsNamed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.closed(20*time.Minute, "ops", "fallback")
		w.start(t, Options{Fallback: "fallback"})
		w.post("ops", "a", "b")
		pass(time.Minute)
		if h := w.box.Health(); len(h.Problems) != 0 || len(h.Notes) != 2 || h.Notes[0].Fix != "unarchive it" || !h.Notes[0].Blocks {
			t.Errorf("health %+v", h)
		}
		if got := w.late(); len(got) != 0 {
			t.Errorf("late: %q, although only conversations are broken", got)
		}
		pass(30 * time.Minute)
		synctest.Wait()
		w.wantState(t, "a", alert.Delivered)
		w.wantState(t, "b", alert.Delivered)
		if h := w.box.Health(); len(h.Problems)+len(h.Notes) != 0 {
			t.Errorf("health %+v", h)
		}
	})
}

func TestADestinationThatNobodyWantsAnyMoreIsForgottenAfterADay(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.closed(1000*time.Hour, "typo")
		w.start(t, Options{Fallback: "fallback"})
		w.post("typo", "a")
		pass(23 * time.Hour)
		if n := w.metric(t, "tocsin_broken_destinations"); n != 1 {
			t.Errorf("%v broken destinations are counted", n)
		}
		pass(2 * time.Hour)
		if n := w.metric(t, "tocsin_broken_destinations"); n != 0 {
			t.Errorf("%v broken destinations are counted", n)
		}
	})
}

func TestAClockThatWasPutBackBeforeARestartDoesNotPutOffTheLook(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.queue.broken["ops"] = alert.Destination{Lane: "ops", Code: "is_archived", Since: w.began.Add(23 * time.Hour), ProbeAt: w.began.Add(24 * time.Hour)}
		w.start(t, Options{Fallback: "fallback"})
		pass(6 * time.Minute)
		if n := w.metric(t, "tocsin_broken_destinations"); n != 0 {
			t.Errorf("%v destinations are still broken after a look that is due each five minutes", n)
		}
	})
}
