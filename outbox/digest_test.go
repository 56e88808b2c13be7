package outbox

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

// kinds lists the kinds of what was sent, in order.
func (w *world) kinds() string {
	w.slack.mu.Lock()
	defer w.slack.mu.Unlock()
	var all []string
	for _, c := range w.slack.calls {
		all = append(all, string(c.job.Kind))
	}
	return strings.Join(all, " ")
}

// firstOf fails the first send of a kind, shown or not.
func firstOf(kind alert.Kind, shown bool, err error) func(context.Context, call) (bool, error) {
	left := err
	return func(_ context.Context, c call) (bool, error) {
		if c.job.Kind != kind || left == nil {
			return true, nil
		}
		left = nil
		return shown, err
	}
}

func manyPosts(w *world, n int) {
	for i := range n {
		w.post("ops", fmt.Sprintf("p%02d", i))
	}
}

func TestAFloodIsGatheredAndThenSentAsOneDigest(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start(t, Options{})
		manyPosts(w, 40)
		pass(time.Minute)
		if want := "post post post post post post digest list update"; w.kinds() != want {
			t.Errorf("sent %s, want %s", w.kinds(), want)
		}
		w.wantTimes(t, "digest-of-p06", 5*time.Second)
	})
}

func TestAFewPostsAreNoDigest(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start(t, Options{})
		manyPosts(w, 7)
		pass(time.Minute)
		if kinds := w.kinds(); strings.Contains(kinds, "digest") || strings.Count(kinds, "post") != 7 {
			t.Errorf("sent %s, want seven posts", kinds)
		}
	})
}

func TestADozenWithinTenSecondsEndInADigestAndTheFirstAreNotDelayed(t *testing.T) {
	for priority, gathered := range map[int]string{alert.PriorityCritical: "digest list digest list", alert.PriorityNormal: "digest list"} {
		inWorld(t, func(t *testing.T, w *world) {
			w.start(t, Options{})
			for n := range 12 {
				id := fmt.Sprintf("p%02d", n)
				w.queue.add(alert.Delivery{ID: id, Lane: "ops", Kind: alert.Post, Incident: "i-" + id, Priority: priority})
				w.box.Wake("ops")
				if pass(0); n < 6 {
					w.wantTimes(t, id, time.Duration(n)*830*time.Millisecond)
				}
				pass(830 * time.Millisecond)
			}
			pass(time.Minute)
			if want, got := "post post post post post post "+gathered, strings.ReplaceAll(w.kinds(), " update", ""); got != want {
				t.Errorf("with priority %d it sent %s, want %s", priority, got, want)
			}
			begun := w.slack.count()
			w.queue.add(alert.Delivery{ID: "calm", Lane: "ops", Kind: alert.Post, Incident: "i-calm", Priority: priority})
			w.box.Wake("ops")
			if pass(0); w.slack.count() != begun+1 {
				t.Error("a minute later a post still waits for others")
			}
		})
	}
}

func TestABusyLaneHoldsUpNoUpdateAndNoOtherPriority(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.show("ops", "x")
		w.start(t, Options{})
		manyPosts(w, 6)
		pass(3 * time.Second)
		manyPosts(w, 7)
		w.queue.add(alert.Delivery{ID: "edit", Lane: "ops", Kind: alert.Update, Incident: "x", Priority: alert.PriorityNormal})
		w.queue.add(alert.Delivery{ID: "fire", Lane: "ops", Kind: alert.Post, Incident: "i-fire", Priority: alert.PriorityCritical})
		w.box.Wake("ops")
		pass(time.Second)
		for _, id := range []string{"edit", "fire"} {
			w.wantState(t, id, alert.Delivered)
		}
	})
}

func TestADozenCriticalsAtOnceAreADigest(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start(t, Options{})
		for n := range 12 {
			id := fmt.Sprintf("p%02d", n)
			w.queue.add(alert.Delivery{ID: id, Lane: "ops", Kind: alert.Post, Incident: "i-" + id, Priority: alert.PriorityCritical})
		}
		w.box.Wake("ops")
		pass(time.Minute)
		if want := "post post post post digest list update"; w.kinds() != want {
			t.Errorf("sent %s, want %s", w.kinds(), want)
		}
		w.wantTimes(t, "digest-of-p04", 2*time.Second)
	})
}

func TestADigestWhoseAnswerWasLostIsFoundAndThenListed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		manyPosts(w, 40)
		pass(10 * time.Second)
		w.slack.answer = firstOf(alert.Digest, true, fail(alert.ClassUnsure, "no_answer"))
		w.start(t, Options{})
		pass(time.Minute)
		if want := "digest list update"; w.kinds() != want {
			t.Errorf("sent %s, want %s", w.kinds(), want)
		}
	})
}

func TestADigestThatWasDeletedIsPostedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		manyPosts(w, 40)
		pass(10 * time.Second)
		w.slack.answer = firstOf(alert.Update, false, fail(alert.ClassGone, "message_not_found"))
		w.start(t, Options{})
		pass(time.Minute)
		if want := "digest list update digest list update"; w.kinds() != want {
			t.Errorf("sent %s, want %s", w.kinds(), want)
		}
	})
}
