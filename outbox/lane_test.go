package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/alert"
)

// always answers every send with err.
func always(err error) func(context.Context, call) (bool, error) {
	return func(context.Context, call) (bool, error) { return false, err }
}

// first answers the first sends of id with errs, in order, and shows nothing
// for them.
func first(id string, errs ...error) func(context.Context, call) (bool, error) {
	return func(_ context.Context, c call) (bool, error) {
		if c.job.ID != id || len(errs) == 0 {
			return true, nil
		}
		err := errs[0]
		errs = errs[1:]
		return false, err
	}
}

func TestPostsAreSentInOrderAtOneASecondAfterABurstOfThree(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start(t, Options{})
		w.post("ops", "a", "b", "c", "d", "e")
		pass(10 * time.Second)
		if got := w.slack.sends(); !slices.Equal(got, []string{"a", "b", "c", "d", "e"}) {
			t.Errorf("sent %v", got)
		}
		w.wantTimes(t, "", 0, 0, 0, time.Second, 2*time.Second)
	})
}

func TestCriticalGoesAheadOfWhatWaits(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start(t, Options{})
		w.post("ops", "a", "b", "c", "d", "e")
		synctest.Wait()
		w.queue.add(alert.Delivery{ID: "fire", Lane: "ops", Kind: alert.Post, Incident: "i-fire"})
		w.wake("ops")
		pass(10 * time.Second)
		if got := w.slack.sends(); !slices.Equal(got, []string{"a", "b", "c", "fire", "d", "e"}) {
			t.Errorf("sent %v", got)
		}
	})
}

func TestPostsGoBeforeQuietRepliesWhichAreSentAllTheSame(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.show("ops", "x", "y", "z")
		w.start(t, Options{DigestAbove: 100})
		for _, incident := range []string{"x", "y", "z"} {
			w.queue.add(alert.Delivery{ID: "reply-" + incident, Lane: "ops", Kind: alert.Reply, Incident: incident, Priority: alert.PriorityQuiet, Note: &alert.Note{}})
		}
		w.post("ops", "a", "b", "c", "d", "e", "f", "g", "h", "i")
		pass(20 * time.Second)
		want := []string{"a", "b", "c", "d", "reply-x", "e", "f", "g", "h", "reply-y", "i", "reply-z"}
		if got := w.slack.sends(); !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
	})
}

func TestPaceIsKeptAcrossIdleMoments(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start(t, Options{})
		w.post("ops", "a", "b", "c")
		pass(500 * time.Millisecond)
		w.post("ops", "d")
		pass(10 * time.Second)
		w.wantTimes(t, "d", time.Second)
	})
}

func TestAThrottledLaneWaitsAsSlackAsksAndTheAttemptDoesNotCount(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = first("a", &alert.SendError{Class: alert.ClassThrottled, Code: "ratelimited", RetryAfter: 30 * time.Second})
		w.start(t, Options{})
		w.post("ops", "a", "b")
		w.post("dev", "x")
		pass(10 * time.Second)
		w.queue.add(alert.Delivery{ID: "fire", Lane: "ops", Kind: alert.Post, Incident: "i-fire"})
		w.wake("ops")
		pass(time.Minute)
		w.wantTimes(t, "a", 0, 30*time.Second)
		w.wantTimes(t, "fire", 30*time.Second)
		w.wantTimes(t, "x", 0)
		if r := w.queue.row("a"); r.Attempts != 1 {
			t.Errorf("counted %d attempts, want the one that was not throttled", r.Attempts)
		}
	})
}

func TestOneThrottledLaneDoesNotSlowNineOthers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = func(_ context.Context, c call) (bool, error) {
			if c.job.Lane == "lane-0" {
				return false, &alert.SendError{Class: alert.ClassThrottled, Code: "ratelimited", RetryAfter: time.Minute}
			}
			return true, nil
		}
		w.start(t, Options{})
		for n := range 10 {
			lane := fmt.Sprintf("lane-%d", n)
			w.post(lane, lane+"a", lane+"b", lane+"c", lane+"d", lane+"e")
		}
		pass(2 * time.Second)
		for n := 1; n < 10; n++ {
			w.wantState(t, fmt.Sprintf("lane-%de", n), alert.Delivered)
		}
		w.wantState(t, "lane-0a", alert.Pending)
	})
}

func TestThrottledEditHoldsUpEditsAndNoPosts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.show("ops", "x")
		w.show("dev", "y")
		w.slack.answer = first("edit", &alert.SendError{Class: alert.ClassThrottled, Code: "ratelimited", RetryAfter: 20 * time.Second})
		w.start(t, Options{})
		w.more("ops", alert.Update, "x", "edit")
		synctest.Wait()
		w.more("dev", alert.Update, "y", "other")
		w.post("ops", "a")
		pass(time.Minute)
		w.wantTimes(t, "a", 0)
		w.wantTimes(t, "edit", 0, 20*time.Second)
		if at := w.slack.times(w.began, "other"); len(at) != 1 || at[0] < 20*time.Second {
			t.Errorf("the other lane's edit was sent at %v, want once and not before 20 s", at)
		}
	})
}

func TestTransientFailureBacksOffAndIsDelivered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		down := fail(alert.ClassTransient, "service_unavailable")
		w.slack.answer = first("a", down, down, down)
		w.start(t, Options{})
		w.post("ops", "a", "b")
		pass(time.Minute)
		w.wantTimes(t, "a", 0, time.Second, 3*time.Second, 7*time.Second)
		w.wantTimes(t, "b", 7*time.Second)
		w.wantState(t, "a", alert.Delivered)
	})
}

func TestUpdatesShareAPacerAndPostsOfTheirLaneGoOn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start(t, Options{})
		for n := range 7 {
			lane := fmt.Sprintf("lane-%d", n)
			w.show(lane, lane)
			w.more(lane, alert.Update, lane, "edit-"+lane)
			synctest.Wait()
		}
		w.post("lane-6", "post")
		w.more("lane-6", alert.Reply, "lane-6", "reply")
		pass(time.Minute)
		w.wantTimes(t, "edit-lane-4", 0)
		w.wantTimes(t, "edit-lane-5", updatePace)
		w.wantTimes(t, "edit-lane-6", 2*updatePace)
		w.wantTimes(t, "post", 0)
		w.wantTimes(t, "reply", 2*updatePace) // after the update of its own card
	})
}

func TestManyEditsStayWithinSlacksMinute(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start(t, Options{})
		for n := range 12 {
			lane := fmt.Sprintf("lane-%d", n)
			for i := range 20 {
				card := fmt.Sprintf("%s-%d", lane, i)
				w.show(lane, card)
				w.more(lane, alert.Update, card, "edit-"+card)
			}
			w.post(lane, "post-"+lane)
		}
		pass(10 * time.Minute)
		at := w.slack.times(w.began, "")
		if len(at) != 252 {
			t.Fatalf("%d sends, want 252", len(at))
		}
		for i := 12; i+50 < len(at); i++ { // the 12 posts are among the first
			if at[i+50]-at[i] < time.Minute {
				t.Fatalf("51 edits within %v", at[i+50]-at[i])
			}
		}
		if last := at[len(at)-1]; last > 5*time.Minute+20*time.Second {
			t.Errorf("the tokens were not used up: last edit after %v", last)
		}
	})
}

func TestEditThatIsShownAlreadyMakesNoCall(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.show("ops", "x")
		w.more("ops", alert.Update, "x", "edit")
		w.queue.cards["x ops"] = alert.Card{Lane: "ops", TS: "1.0", Version: 2}
		w.start(t, Options{})
		w.wantState(t, "edit", alert.Superseded)
		w.wantTimes(t, "")
	})
}

func TestEditOfACardThatIsGonePostsAFreshOne(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.show("ops", "x")
		w.slack.answer = first("edit", fail(alert.ClassGone, "message_not_found"))
		w.start(t, Options{})
		w.more("ops", alert.Update, "x", "edit")
		synctest.Wait()
		r := w.queue.row("edit")
		if r.State != alert.Delivered || r.Kind != alert.Post || w.slack.count() != 2 {
			t.Errorf("%s as %s after %d calls, want delivered as post after 2", r.State, r.Kind, w.slack.count())
		}
	})
}

func TestReplyOutsideItsThreadIsPostedBesideTheCard(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.show("ops", "x")
		w.slack.answer = first("note", fail(alert.ClassThread, "restricted_action_thread_locked"))
		w.start(t, Options{})
		w.more("ops", alert.Reply, "x", "note")
		synctest.Wait()
		w.wantState(t, "note", alert.Delivered)
		if last := w.slack.shown[0].job; !last.TopLevel {
			t.Error("the reply was sent into the thread again")
		}
	})
}

func TestRefusedBlocksAreSentPlainOnceAndThenDead(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = always(fail(alert.ClassPayload, "invalid_blocks"))
		w.start(t, Options{})
		w.post("ops", "a")
		synctest.Wait()
		w.wantState(t, "a", alert.Dead)
		if len(w.slack.calls) != 2 || w.slack.calls[0].job.Plain || !w.slack.calls[1].job.Plain {
			t.Errorf("calls: %+v, want one with blocks and one plain", w.slack.calls)
		}
	})
}

func TestSenderThatPanicsLosesOneDeliveryAndNoOther(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = func(_ context.Context, c call) (bool, error) {
			if c.job.ID == "bad" {
				panic("nil map")
			}
			return true, nil
		}
		w.start(t, Options{})
		w.post("ops", "bad", "good")
		pass(time.Second)
		w.wantState(t, "bad", alert.Dead)
		w.wantState(t, "good", alert.Delivered)
	})
}

func TestBrokenDestinationIsGivenUpAfterADay(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		archived := &alert.SendError{Class: alert.ClassDestination, Code: "is_archived", Hint: "unarchive it"}
		w.slack.answer = always(archived)
		w.slack.reach = func(alert.Destination) (bool, error) { return false, archived }
		log, lines := observed()
		w.start(t, Options{Log: log})
		w.post("ops", "a")
		pass(23 * time.Hour)
		w.wantState(t, "a", alert.Pending)
		h := w.box.Health()
		if len(h.Problems) != 0 || len(h.Notes) != 1 || h.Notes[0].Fix != "unarchive it" || !h.Notes[0].Blocks || !strings.Contains(h.Notes[0].What, "alerts for it wait") {
			t.Errorf("health %+v, want one note: the conversation with what to do", h)
		}
		if got := w.late(); len(got) != 0 {
			t.Errorf("late: %q, although only its conversation is broken", got)
		}
		if n := lines.FilterMessage("will be tried again").Len(); n != 1 {
			t.Errorf("warned %d times about one reason", n)
		}
		pass(2 * time.Hour)
		w.wantState(t, "a", alert.Dead)
		if r := w.queue.row("a"); r.Reason != "gave up after 24h0m0s: is_archived (unarchive it)" {
			t.Errorf("reason %q", r.Reason)
		}
		if late := w.queue.row("a").DoneAt.Sub(w.began) - 24*time.Hour; late < 0 || late > 5*time.Minute {
			t.Errorf("given up %v after its time", late)
		}
	})
}

func TestFailingFinishSendsNothingTwiceAndHoldsTheLane(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		full := errors.New("disk full")
		w.queue.fault = func(call string) error {
			if call == "finish" && time.Since(w.began) < time.Hour {
				return full
			}
			return nil
		}
		w.start(t, Options{})
		w.post("ops", "a", "b")
		pass(59 * time.Minute)
		w.wantTimes(t, "", 0)
		if err := w.box.Moving(time.Now()); err != nil {
			t.Errorf("a full disk is no reason to restart: %v", err)
		}
		pass(2 * time.Minute)
		w.wantTimes(t, "a", 0)
		w.wantState(t, "a", alert.Delivered)
		w.wantState(t, "b", alert.Delivered)
	})
}

func TestADeliveryThatIsNoLongerPendingDoesNotHoldTheLane(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = func(_ context.Context, c call) (bool, error) {
			w.queue.mu.Lock()
			defer w.queue.mu.Unlock()
			if c.job.ID == "a" {
				w.queue.find("a").State = alert.Dead
			}
			return true, nil
		}
		w.start(t, Options{})
		w.post("ops", "a", "b")
		pass(2 * time.Second)
		w.wantTimes(t, "a", 0)
		w.wantState(t, "b", alert.Delivered)
	})
}

func TestWaitingIsMeasuredByAClockThatDoesNotJump(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := newLane(New(nil, nil, Options{}), "#db")
	l.wait(ctx, delay{until: time.Now().Add(time.Hour).Round(0), doing: "waiting until the next is due"})
	if _, by := l.status.read(); by == by.Round(0) {
		t.Error("a watcher would take a clock that is put forward for a lane that is stuck")
	}
}
