package outbox

import (
	"context"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

func tooMuch(pause time.Duration) *alert.SendError {
	return &alert.SendError{Class: alert.ClassThrottled, Code: "ratelimited", RetryAfter: pause}
}

func TestALongRetryAfterIsANoteAndTriedAgainAfterAnHour(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = first("a", tooMuch(6*time.Minute), tooMuch(12*time.Hour))
		log, lines := observed()
		w.start(t, Options{Log: log})
		w.post("ops", "a")
		note := func(want string) {
			t.Helper()
			notes := w.box.Health().Notes
			if want == "" && len(notes) == 0 {
				return
			}
			if len(notes) != 1 || notes[0].Lane != "ops" || !strings.Contains(notes[0].What, want) {
				t.Errorf("the notes are %v, want %q", notes, want)
			} else if !notes[0].Since.Equal(w.began) && !notes[0].Since.Equal(w.began.Add(6*time.Minute)) {
				t.Errorf("the note is since %v", notes[0].Since)
			}
		}
		pass(5 * time.Minute)
		note("ops waits until " + w.began.Add(6*time.Minute).Format("15:04 MST") + ", because Slack asked for a pause of 6m0s")
		pass(2 * time.Minute)
		note("until " + w.began.Add(66*time.Minute).Format("15:04 MST") + ", because Slack asked for a pause of 12h0m0s")
		if r := w.queue.row("a"); r.Reason != "throttled: Slack asked for a pause of 12h0m0s" || !r.NextAt.Equal(w.began.Add(66*time.Minute)) {
			t.Errorf("the queue shows %q until %v", r.Reason, r.NextAt)
		}
		if n := lines.FilterMessage("will be tried again").Len(); n != 2 {
			t.Errorf("%d lines in the log", n)
		}
		pass(time.Hour)
		w.wantTimes(t, "a", 0, 6*time.Minute, 66*time.Minute)
		w.wantState(t, "a", alert.Delivered)
		note("")
	})
}

func TestAPauseForAllEditsIsANote(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.show("ops", "x")
		w.slack.answer = first("edit", tooMuch(time.Hour))
		w.start(t, Options{})
		w.more("ops", alert.Update, "x", "edit")
		pass(time.Minute)
		if notes := w.box.Health().Notes; len(notes) != 1 || notes[0].Lane != "" || !strings.Contains(notes[0].What, "every edit of a message waits until") {
			t.Errorf("the notes are %v", notes)
		}
	})
}

func TestWhatIsThrottledForADayIsGivenUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.slack.answer = always(tooMuch(time.Minute))
		w.start(t, Options{})
		w.post("ops", "a")
		pass(24*time.Hour - time.Minute)
		w.wantState(t, "a", alert.Pending)
		pass(2 * time.Minute)
		w.wantState(t, "a", alert.Dead)
		if r := w.queue.row("a"); r.Reason != "gave up after 24h0m0s: throttled" {
			t.Errorf("the reason is %q", r.Reason)
		}
	})
}

func TestAfterAWeekendWithoutADaemonAPauseGivesUpNothingForAnHour(t *testing.T) {
	for name, c := range map[string]struct {
		pause time.Duration
		state alert.DeliveryState
	}{
		"throttled for 50 minutes": {50 * time.Minute, alert.Delivered},
		"throttled for longer":     {61 * time.Minute, alert.Dead},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.queue.add(alert.Delivery{ID: "a", Lane: "ops", Kind: alert.Post, Incident: "i-a", Priority: 1, CreatedAt: w.began.Add(-72 * time.Hour)})
				w.slack.answer = func(context.Context, call) (bool, error) {
					if time.Since(w.began) < c.pause {
						return false, tooMuch(time.Minute)
					}
					return true, nil
				}
				w.start(t, Options{})
				pass(2 * time.Hour)
				w.wantState(t, "a", c.state)
			})
		})
	}
}

func TestAWaitThatHasBegunDoesNotChangeWithTheWallClock(t *testing.T) {
	began := time.Now()
	wall := began.Round(0)
	named := wall.Add(time.Hour)
	for name, turned := range map[string]time.Duration{"put back": -50 * time.Minute, "put forward": 50 * time.Minute, "left alone": 0} {
		var d dueTime
		comes := d.wait(began, wall, named)
		now := began.Add(59 * time.Minute)
		if again := d.wait(now, wall.Add(59*time.Minute+turned), named); !again.Equal(comes) || again.Sub(began) != time.Hour {
			t.Errorf("%s: the wait ends after %v", name, again.Sub(began))
		}
		if shown := wall.Add(59*time.Minute + turned); !d.clock(now, shown).Equal(shown) {
			t.Errorf("%s: another time than the wall clock's is used before the wait is over", name)
		}
		now = began.Add(time.Hour)
		if shown := wall.Add(time.Hour + turned); d.clock(now, shown).Before(named) {
			t.Errorf("%s: it is not due at its time", name)
		}
	}
}

func TestARestartInsideALongPauseTriesOnceAndSaysWhatIsStillPaused(t *testing.T) {
	for name, over := range map[string]bool{"the pause is over": true, "Slack still asks for it": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.slack.answer = always(tooMuch(2 * time.Hour))
				w.start(t, Options{})
				w.queue.add(alert.Delivery{ID: "a", Lane: "ops", Kind: alert.Post, Incident: "i-a"})
				w.wake("ops")
				pass(time.Minute)
				_ = w.stop()
				if over {
					w.slack.answer = nil
				}
				w.start(t, Options{})
				w.post("ops", "b")
				pass(time.Minute)
				w.wantTimes(t, "a", 0, time.Minute)
				if notes := w.box.Health().Notes; over != (len(notes) == 0) {
					t.Errorf("the notes are %v", notes)
				}
				for _, id := range []string{"a", "b"} {
					if (w.queue.row(id).State == alert.Delivered) != over {
						t.Errorf("%s is %s", id, w.queue.row(id).State)
					}
				}
			})
		})
	}
}
