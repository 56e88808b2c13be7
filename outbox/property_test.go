package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
)

// script is what happens to an outbox, at random, drawn before the bubble begins.
type script struct {
	steps []step
	// answers are Slack's in each lane, so that a script plays the same each time.
	answers [3][]answer
	// blind says that looks fail.
	blind bool
	// digestAbove is Options.DigestAbove.
	digestAbove int
	// fallback is Options.Fallback; empty for none.
	fallback string
}

// step is one thing that happens: a push, then time, then perhaps a restart.
type step struct {
	lane, incident int
	reply          bool
	wait           time.Duration
	end            string // "", "stop" or "kill"
}

// answer is what Slack does with one send.
type answer struct {
	class alert.Class
	shown bool // for an unsure answer
	takes time.Duration
	retry time.Duration
}

func drawScript(t *rapid.T) script {
	ms := func(most int) *rapid.Generator[time.Duration] {
		return rapid.Map(rapid.IntRange(0, most), func(n int) time.Duration { return time.Duration(n) * time.Millisecond })
	}
	aStep := rapid.Custom(func(t *rapid.T) step {
		return step{
			lane: rapid.IntRange(0, 2).Draw(t, "lane"), incident: rapid.IntRange(0, 7).Draw(t, "incident"),
			reply: rapid.Bool().Draw(t, "reply"), wait: ms(1500).Draw(t, "wait"),
			end: rapid.SampledFrom([]string{"", "", "", "", "", "", "", "stop", "kill"}).Draw(t, "end"),
		}
	})
	anAnswer := rapid.Custom(func(t *rapid.T) answer {
		return answer{
			class: rapid.SampledFrom([]alert.Class{
				"", "", alert.ClassThrottled, alert.ClassTransient, alert.ClassUnsure, alert.ClassUnsure,
				alert.ClassDestination, alert.ClassAuth, alert.ClassThread, alert.ClassGone,
			}).Draw(t, "class"),
			shown: rapid.Bool().Draw(t, "shown"), takes: ms(400).Draw(t, "takes"), retry: ms(20000).Draw(t, "retry"),
		}
	})
	s := script{steps: rapid.SliceOfN(aStep, 1, 40).Draw(t, "steps"), blind: rapid.Bool().Draw(t, "blind")}
	s.fallback = rapid.SampledFrom([]string{"", "fallback", laneName(0)}).Draw(t, "fallback")
	s.digestAbove = rapid.IntRange(1, 5).Draw(t, "digest above")
	for lane := range s.answers {
		s.answers[lane] = rapid.SliceOfN(anAnswer, 0, 12).Draw(t, "answers")
	}
	return s
}

// answering gives each lane its answers in order, and accepts everything after
// them. A class that makes no sense for the kind would end the delivery, so it is
// accepted too.
func (s script) answering() func(context.Context, call) (bool, error) {
	left := map[string]chan answer{}
	for lane, answers := range s.answers {
		queue := make(chan answer, len(answers))
		for _, a := range answers {
			queue <- a
		}
		left[laneName(lane)] = queue
	}
	return func(ctx context.Context, c call) (bool, error) {
		var a answer
		select {
		case a = <-left[c.job.Lane]:
		default:
		}
		select {
		case <-ctx.Done():
			return a.shown, fail(alert.ClassUnsure, "cut")
		case <-time.After(a.takes):
		}
		nonsense := a.class == alert.ClassGone && c.job.Kind != alert.Update ||
			a.class == alert.ClassThread && (c.job.Kind != alert.Reply || c.job.TopLevel)
		if a.class == "" || nonsense {
			return true, nil
		}
		return a.shown && a.class == alert.ClassUnsure,
			&alert.SendError{Class: a.class, Code: string(a.class), RetryAfter: a.retry}
	}
}

// play runs the script and lets everything settle.
func (s script) play(t *testing.T, w *world) {
	w.slack.answer = s.answering()
	if s.blind {
		w.slack.blind = func() error { return fail(alert.ClassDestination, "not_in_channel") }
	}
	w.start(t, s.options())
	for n, step := range s.steps {
		s.push(w, n, step)
		pass(step.wait)
		if step.end != "" {
			s.restart(t, w, step.end == "kill")
		}
	}
	pass(12 * time.Hour)
	if err := w.box.Moving(time.Now()); err != nil {
		t.Error(err)
	}
	_ = w.stop()
}

func laneName(n int) string { return fmt.Sprintf("lane-%d", n) }

// push adds a card for an incident's first step, and an update or reply for later ones.
// Incident 0 of each lane is critical.
func (s script) push(w *world, n int, step step) {
	lane := laneName(step.lane)
	d := alert.Delivery{
		ID: fmt.Sprintf("d%02d", n), Lane: lane, Kind: alert.Update,
		Incident: fmt.Sprintf("%s-i%d", lane, step.incident), Priority: min(step.incident, 1),
	}
	if step.reply {
		d.Kind = alert.Reply
	}
	if w.queue.incidents[d.Incident] == nil {
		d.Kind = alert.Post
	}
	w.queue.add(d)
	w.box.Wake(lane)
}

// restart ends the outbox, orderly or so that nothing more is recorded.
func (s script) restart(t *testing.T, w *world, kill bool) {
	if kill {
		w.queue.mu.Lock()
		w.queue.fault = func(string) error { return errors.New("killed") }
		w.queue.mu.Unlock()
	}
	_ = w.stop()
	w.queue.mu.Lock()
	w.queue.fault = nil
	w.queue.mu.Unlock()
	w.start(t, s.options())
}

func (s script) options() Options {
	return Options{Grace: 200 * time.Millisecond, DigestAbove: s.digestAbove, Fallback: s.fallback}
}

// faults lists what went wrong in w.
func (s script) faults(w *world) (wrong []string) {
	shown, messages := map[string]bool{}, map[string]int{}
	for _, c := range w.slack.shown {
		shown[c.job.ID] = true
		if c.job.Kind != alert.Update { // an edit made twice shows nothing twice
			messages[c.job.ID]++
		}
	}
	for _, r := range w.queue.rows {
		switch {
		case r.State != alert.Delivered && r.State != alert.Superseded:
			wrong = append(wrong, fmt.Sprintf("%s is %s: %s", r.ID, r.State, r.Reason))
		case r.State == alert.Delivered && !shown[r.ID]:
			wrong = append(wrong, r.ID+" was never shown")
		case messages[r.ID] > 1 && !(s.blind && r.PossibleDuplicate):
			wrong = append(wrong, fmt.Sprintf("%s was shown %d times", r.ID, messages[r.ID]))
		}
	}
	return slices.Concat(wrong, outOfOrder(w), tooFast(w.slack.calls))
}

// outOfOrder lists deliveries that were first shown after a later one of their
// incident, and new cards shown after later ones of their priority.
func outOfOrder(w *world) (wrong []string) {
	last, seen := map[string]int64{}, map[string]bool{}
	for _, c := range w.slack.shown {
		r := w.queue.find(c.job.ID)
		if seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		lines := []string{"incident " + r.Incident}
		if opened(w, r) {
			lines = append(lines, fmt.Sprintf("cards of %s with priority %d", r.Lane, r.Priority))
		}
		for _, line := range lines {
			if r.Seq < last[line] {
				wrong = append(wrong, line+": "+r.ID+" came late")
			}
			last[line] = max(last[line], r.Seq)
		}
	}
	return wrong
}

// opened reports whether r is the post that opened its incident in the lane.
func opened(w *world, r *alert.Delivery) bool {
	i := slices.IndexFunc(w.queue.rows, func(o *alert.Delivery) bool { return o.Incident == r.Incident })
	return w.queue.rows[i] == r
}

// tooFast lists posts in a lane beyond a burst of 3 and 1/s. Counting starts again
// after a restart.
func tooFast(calls []call) (wrong []string) {
	sent := map[string][]time.Time{}
	for _, c := range calls {
		if c.job.Kind != alert.Update {
			lane := fmt.Sprint(c.job.Place(), " in run ", c.run)
			sent[lane] = append(sent[lane], c.at)
		}
	}
	for lane, at := range sent {
		for i := range at {
			for n, to := range at[i:] {
				if most := 3 + int(to.Sub(at[i])/time.Second); n+1 > most {
					wrong = append(wrong, fmt.Sprintf("%s: %d posts in %v", lane, n+1, to.Sub(at[i])))
				}
			}
		}
	}
	return wrong
}

func TestWhateverHappensNothingIsLostOrDoubledOrOutOfOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScript(rt)
		var wrong []string
		synctest.Test(t, func(t *testing.T) {
			w := &world{queue: newMemory(), slack: &slack{}, began: time.Now()}
			s.play(t, w)
			wrong = s.faults(w)
		})
		if len(wrong) > 0 {
			rt.Fatalf("%q", wrong)
		}
	})
}
