package outbox

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/alert"
)

// learn has the queue learn that the others are the lane, and tells the outbox.
func (w *world) learn(lane string, others ...string) {
	w.queue.learn(lane, others...)
	w.box.UpdateNames(context.Background())
	synctest.Wait()
}

func TestLanesThatBecomeOneGoOnInOrderAtOnePace(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start(t, Options{DigestAbove: 100})
		w.post("COPS", "a", "b", "c")
		w.post("#ops", "d", "e", "f")
		synctest.Wait()
		for _, id := range []string{"g", "h", "i", "j"} {
			w.post(map[bool]string{true: "COPS", false: "#ops"}[id < "i"], id)
		}
		w.learn("#ops", "COPS")
		pass(10 * time.Second)
		if got := w.slack.sends()[6:]; !slices.Equal(got, []string{"g", "h", "i", "j"}) {
			t.Errorf("then it sent %v", got)
		}
		if got := w.slack.times(w.began, "")[6:]; !slices.Equal(got, []time.Duration{1e9, 2e9, 3e9, 4e9}) {
			t.Errorf("at %v, want one a second", got)
		}
		pass(time.Hour)
		if n := len(w.box.active()); n != 0 {
			t.Errorf("%d lanes are left", n)
		}
	})
}

func TestWhatIsBeingSentWhenLanesBecomeOneIsSentOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = func(_ context.Context, c call) (bool, error) {
			if c.job.ID == "slow" {
				<-time.After(20 * time.Second)
			}
			return true, nil
		}
		w.start(t, Options{})
		w.post("COPS", "slow", "later")
		w.post("#ops", "a")
		pass(time.Second)
		// As when somebody else has learnt the name, and the lane claims at once.
		w.queue.learn("#ops", "COPS")
		w.post("#ops", "b")
		pass(time.Second)
		w.box.UpdateNames(t.Context())
		pass(time.Minute)
		w.wantTimes(t, "slow", 0)
		w.wantState(t, "slow", alert.Delivered)
		w.wantTimes(t, "later", 20*time.Second)
		w.wantTimes(t, "b", 20*time.Second)
		if w.slack.looks > 0 {
			t.Errorf("%d looks for what was never in doubt", w.slack.looks)
		}
	})
}

func TestALaneThatBecomesAnotherTakesItsPauseAlong(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		throttled := &alert.SendError{Class: alert.ClassThrottled, Code: "ratelimited", RetryAfter: 30 * time.Second}
		w.slack.answer = first("a", throttled)
		w.start(t, Options{})
		w.post("COPS", "a", "b")
		synctest.Wait()
		w.learn("#ops", "COPS")
		w.post("#ops", "c")
		pass(time.Minute)
		w.wantTimes(t, "a", 0, 30*time.Second)
		if got := w.slack.times(w.began, "c"); len(got) != 1 || got[0] < 30*time.Second {
			t.Errorf("c was sent at %v, while Slack had asked for a pause", got)
		}
	})
}

func TestAnAliasThatADeliveryTeachesIsFollowedAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = func(_ context.Context, c call) (bool, error) {
			if c.job.ID == "a" {
				w.queue.learn("#ops", "COPS")
			}
			return true, nil
		}
		w.start(t, Options{})
		w.post("COPS", "a", "b", "c")
		pass(time.Second)
		for _, id := range []string{"a", "b", "c"} {
			w.wantState(t, id, alert.Delivered)
		}
		if got := w.slack.places("c"); !slices.Equal(got, []string{"#ops"}) {
			t.Errorf("c was sent to %v", got)
		}
	})
}

func TestABrokenLaneHasOneMarkUnderItsNewName(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.closed(12*time.Minute, "COPS", "#ops")
		w.start(t, Options{Fallback: "fallback"})
		w.post("COPS", "a")
		pass(time.Second)
		w.learn("#ops", "COPS")
		if h := w.box.Health(); len(h.Notes) != 1 || h.Notes[0].Lane != "#ops" {
			t.Errorf("health %+v", h)
		}
		w.post("#ops", "b")
		pass(time.Second)
		if got := w.slack.places("b"); !slices.Equal(got, []string{"fallback"}) {
			t.Errorf("b was sent to %v", got)
		}
		pass(16 * time.Minute)
		if h := w.box.Health(); len(h.Notes)+len(h.Problems) != 0 {
			t.Errorf("health %+v", h)
		}
	})
}

func TestTheFallbackIsFoundUnderAnotherName(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.closed(time.Hour, "#ops")
		w.start(t, Options{Fallback: "CFALLBACK"})
		w.post("CFALLBACK", "own1")
		pass(10 * time.Second)
		w.learn("#fallback", "CFALLBACK")
		w.post("#ops", "a", "b")
		w.post("#fallback", "own2", "own3")
		pass(10 * time.Second)
		if got := w.slack.places("b"); !slices.Equal(got, []string{"#fallback"}) {
			t.Errorf("b was sent to %v", got)
		}
		var fallback []time.Duration
		for _, c := range w.slack.calls {
			if c.job.Place() == "#fallback" {
				fallback = append(fallback, c.at.Sub(w.began)-10*time.Second)
			}
		}
		if want := []time.Duration{0, 0, 0, 1e9}; !slices.Equal(fallback, want) {
			t.Errorf("the fallback got posts at %v, want %v: one pace for all", fallback, want)
		}
	})
}

func TestAnOutboxThatStopsWhileLanesBecomeOneEnds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = func(ctx context.Context, c call) (bool, error) {
			if c.job.ID == "slow" {
				<-ctx.Done()
			}
			return true, ctx.Err()
		}
		w.start(t, Options{Grace: time.Second})
		w.post("COPS", "slow")
		w.post("#ops", "a")
		pass(time.Second)
		w.learn("#ops", "COPS")
		if err := w.stop(); err != nil {
			t.Error(err)
		}
		w.box.UpdateNames(t.Context())
		w.box.Wake("COPS")
	})
}
