package outbox

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/alert"
)

// lost gives no answer to the first n sends of each job, shown or not.
func lost(n int, shown bool) func(context.Context, call) (bool, error) {
	seen := map[string]int{}
	return func(_ context.Context, c call) (bool, error) {
		if seen[c.job.ID]++; seen[c.job.ID] <= n {
			return shown, fail(alert.ClassUnsure, "timeout")
		}
		return true, nil
	}
}

func TestLostAnswerIsFoundAndNotSentAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = lost(1, true)
		w.start(t, Options{})
		w.post("ops", "a")
		synctest.Wait()
		w.wantState(t, "a", alert.Sending)
		pass(2 * time.Second)
		w.wantTimes(t, "a", 0)
		if r := w.queue.row("a"); r.State != alert.Delivered || r.TS != "ts-a" || r.PossibleDuplicate {
			t.Errorf("%+v, want delivered with the ts that was found", r)
		}
	})
}

func TestLostAttemptIsSentAgainAfterThreeLooksAndMarked(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = lost(1, false)
		w.start(t, Options{})
		w.post("ops", "a")
		pass(time.Minute)
		w.wantTimes(t, "a", 0, 30*time.Second)
		if w.slack.looks != 3 {
			t.Errorf("%d looks, want 3", w.slack.looks)
		}
		if r := w.queue.row("a"); r.State != alert.Delivered || !r.PossibleDuplicate || !w.slack.calls[1].job.PossibleDuplicate {
			t.Errorf("%+v, want delivered as a possible duplicate", r)
		}
	})
}

func TestACriticalWhoseAnswerWasLostIsSentAgainAfterTenSeconds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = lost(1, false)
		w.start(t, Options{})
		w.queue.add(alert.Delivery{ID: "fire", Lane: "ops", Kind: alert.Post, Incident: "i-fire"})
		w.wake("ops")
		pass(time.Minute)
		w.wantTimes(t, "fire", 0, 10*time.Second)
	})
}

func TestWhatWaitsBehindADeliveryInDoubtIsSentInOrderAndACriticalAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = func(_ context.Context, c call) (bool, error) {
			if c.job.ID == "a" && !c.job.PossibleDuplicate {
				return false, fail(alert.ClassUnsure, "timeout")
			}
			return true, nil
		}
		w.start(t, Options{})
		w.post("ops", "a", "b")
		pass(3 * time.Second)
		w.queue.add(alert.Delivery{ID: "fire", Lane: "ops", Kind: alert.Post, Incident: "i-fire"})
		w.wake("ops")
		pass(time.Minute)
		w.wantTimes(t, "fire", 3*time.Second)
		w.wantTimes(t, "a", 0, 10*time.Second)
		w.wantTimes(t, "b", 10*time.Second)
	})
}

func TestHistoryThatLagsEightSecondsMakesNoDuplicates(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = lost(1, true)
		w.slack.lag = 8 * time.Second
		w.start(t, Options{})
		w.post("busy", "a", "b", "c")
		w.post("quiet", "d")
		w.queue.add(alert.Delivery{ID: "fire", Lane: "urgent", Kind: alert.Post, Incident: "i-fire"})
		w.wake("urgent")
		pass(2 * time.Minute)
		for _, id := range []string{"a", "b", "c", "d", "fire"} {
			w.wantState(t, id, alert.Delivered)
			if n := len(w.slack.times(w.began, id)); n != 1 {
				t.Errorf("%s was sent %d times", id, n)
			}
		}
	})
}

func TestWhatCannotBeLookedForIsSentAgainAndMarked(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = lost(1, true)
		w.slack.blind = func() error { return fail(alert.ClassDestination, "missing_scope") }
		log, lines := observed()
		w.start(t, Options{Log: log})
		w.post("ops", "a")
		pass(time.Minute)
		w.wantTimes(t, "a", 0, 2*time.Second)
		if !w.slack.calls[1].job.PossibleDuplicate || !w.queue.row("a").PossibleDuplicate {
			t.Error("the second attempt is not marked as possible duplicate")
		}
		if n := w.metric(t, "tocsin_possible_duplicates_total"); n != 1 {
			t.Errorf("counted %v possible duplicates", n)
		}
		if lines.FilterMessageSnippet("may be a duplicate").Len() != 1 {
			t.Error("no warning")
		}
		if w.box.Health().Held != "" {
			t.Error("a missing history scope holds everything")
		}
	})
}

func TestWhatIsShownLateInHistoryIsFoundByALaterLook(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = lost(1, true)
		w.slack.lag = 5 * time.Second
		w.start(t, Options{})
		w.post("ops", "a")
		pass(time.Minute)
		w.wantTimes(t, "a", 0)
		w.wantState(t, "a", alert.Delivered)
	})
}

func TestWhatCannotBeLookedForIsHeldForAPersonIfWanted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = lost(1, true)
		w.slack.blind = func() error { return fail(alert.ClassDestination, "missing_scope") }
		w.start(t, Options{HoldUnsure: func(job alert.Job) bool { return job.Lane == "ops" }})
		w.post("ops", "a", "b")
		pass(time.Minute)
		w.wantTimes(t, "a", 0)
		w.wantState(t, "a", alert.Dead)
		if reason := w.queue.row("a").Reason; !strings.Contains(reason, "perhaps shown") {
			t.Errorf("the reason is %q", reason)
		}
	})
}

func TestLastAttemptThatIsNotThereIsNotFollowedByAnother(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		tries := 0
		w.slack.answer = func(context.Context, call) (bool, error) {
			if tries++; tries < fewestTries {
				return false, fail(alert.ClassTransient, "dial")
			}
			return false, fail(alert.ClassUnsure, "cut")
		}
		w.start(t, Options{GiveUpAfter: time.Second})
		w.post("ops", "a")
		pass(12 * time.Hour)
		if tries != fewestTries {
			t.Errorf("it was tried %d times, want %d", tries, fewestTries)
		}
		w.wantState(t, "a", alert.Dead)
	})
}

func TestLookThatFailsForAMomentIsMadeAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = lost(1, true)
		w.slack.blind = func() error {
			if time.Since(w.began) < 10*time.Second {
				return fail(alert.ClassTransient, "connection refused")
			}
			return nil
		}
		w.start(t, Options{})
		w.post("ops", "a")
		pass(time.Minute)
		w.wantTimes(t, "a", 0)
		w.wantState(t, "a", alert.Delivered)
	})
}

func TestEditWithALostAnswerIsMadeAgainWithoutALook(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.show("ops", "x")
		w.slack.answer = lost(1, true)
		w.start(t, Options{})
		w.more("ops", alert.Update, "x", "edit")
		pass(time.Minute)
		w.wantTimes(t, "edit", 0, time.Second)
		if w.slack.looks != 0 || w.queue.row("edit").PossibleDuplicate {
			t.Errorf("%d looks, possible duplicate %t; want neither", w.slack.looks, w.queue.row("edit").PossibleDuplicate)
		}
	})
}

func TestUnsureForADayEndsWithALook(t *testing.T) {
	for name, shown := range map[string]bool{"shown": true, "not shown": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.slack.answer = func(context.Context, call) (bool, error) {
					late := time.Since(w.began) >= 24*time.Hour
					return shown && late, fail(alert.ClassUnsure, "timeout")
				}
				w.start(t, Options{})
				w.post("ops", "a")
				pass(25 * time.Hour)
				want := alert.Dead
				if shown {
					want = alert.Delivered
				}
				w.wantState(t, "a", want)
			})
		})
	}
}

func TestCutOffAttemptIsLookedForAfterTheRestart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = func(ctx context.Context, _ call) (bool, error) {
			<-ctx.Done()
			return true, fail(alert.ClassUnsure, "canceled")
		}
		w.start(t, Options{})
		w.post("ops", "a")
		synctest.Wait()
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(w.began); took != 5*time.Second {
			t.Errorf("stopped after %v, want the grace of 5 s", took)
		}
		w.wantState(t, "a", alert.Sending)
		w.start(t, Options{})
		w.wantState(t, "a", alert.Delivered)
		w.wantTimes(t, "a", 0)
	})
}

// Of several attempts before a restart only the first is known, which may be long ago.
func TestAfterARestartHistoryMayLagBehindTheLatestAttempt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		attempts := 0
		w.slack.answer = func(context.Context, call) (bool, error) {
			attempts++
			return attempts == 2, fail(alert.ClassUnsure, "timeout") // Slack has not taken the first one
		}
		w.slack.lag = 8 * time.Second
		w.start(t, Options{})
		w.post("ops", "a")
		pass(31 * time.Second)
		if err := w.stop(); err != nil || attempts != 2 {
			t.Fatalf("%d attempts, %v", attempts, err)
		}
		w.start(t, Options{})
		pass(time.Minute)
		w.wantState(t, "a", alert.Delivered)
		if attempts != 2 {
			t.Errorf("it was sent %d times", attempts)
		}
	})
}

func TestALookRightAfterACrashWaitsUntilSlackListsThePost(t *testing.T) {
	job := alert.Job{Delivery: alert.Delivery{ID: "a", Kind: alert.Post, CreatedAt: noon, StartedAt: noon, Unsure: true}}
	v, ok := testPolicy().decideWithoutCall(noon.Add(300*time.Millisecond), job)
	if !ok || v.State != alert.Sending || !v.NextAt.Equal(noon.Add(2*time.Second)) {
		t.Errorf("decided %t %+v, want to look 2 s after the attempt", ok, v.Outcome)
	}
	if v, ok := testPolicy().decideWithoutCall(noon.Add(2*time.Second), job); ok {
		t.Errorf("decided %+v, want a look", v.Outcome)
	}
}
