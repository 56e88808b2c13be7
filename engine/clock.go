package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

const (
	// longestPause is the longest time between two looks at the clock: it may have
	// been set, and another daemon may have left something due in the same store.
	longestPause = time.Minute
	// duePause is how long to wait after an error.
	duePause = 5 * time.Second
)

// runDue processes the incidents and heartbeats that are due, and finds out when the next one is.
func (e *Engine) runDue(ctx context.Context) {
	e.due = time.Time{}
	idle := false
	var due alert.Snapshot
	var looked time.Time
	err := e.resume(ctx)
	if err == nil {
		err = e.commit(ctx, alert.Query{Due: true}, func(now time.Time, snapshot alert.Snapshot) alert.Change {
			due, looked = snapshot, now
			c := decideDue(e.rules(), now, snapshot)
			idle = empty(c)
			e.expectReminders(now, snapshot.Silences)
			return c
		})
	}
	if errors.Is(err, alert.ErrInternal) {
		err = errors.Join(e.runEach(ctx, due.Incidents, decideDue), e.runEachHeartbeat(ctx, due.Heartbeats))
	}
	e.deaf = e.deaf || errors.Is(err, alert.ErrUnavailable)
	e.logDue(ctx, err)
	// A store that reports something as due but does not return it must not make
	// this loop spin. What became due since it was asked is not that.
	if err != nil || idle && !e.due.IsZero() && !e.due.After(looked) {
		e.due = e.now().Add(duePause)
	}
}

// correctFutureTimes corrects incidents whose times are in the future because the clock was put back
// (see decideAhead). It is called seldom, so that a clock that is wrong only for a moment,
// while the machine starts, changes nothing.
func (e *Engine) correctFutureTimes(ctx context.Context) {
	for more := true; more; {
		err := e.commit(ctx, alert.Query{Ahead: true}, func(now time.Time, snapshot alert.Snapshot) alert.Change {
			c := decideAhead(e.rules(), now, snapshot)
			more = !empty(c)
			return c
		})
		if err != nil {
			e.opts.Log.Warn("incidents of a clock that was put back were not changed", zap.Error(err))
			return
		}
	}
}

// runEach decides the incidents one by one, so that one whose decision panics does not
// block the others.
func (e *Engine) runEach(ctx context.Context, all []alert.Incident, decide func(rules, time.Time, alert.Snapshot) alert.Change) (failed error) {
	for _, i := range all {
		err := e.commit(ctx, alert.Query{IDs: []string{i.ID}}, func(now time.Time, snapshot alert.Snapshot) alert.Change {
			return decide(e.rules(), now, snapshot)
		})
		if err != nil {
			if !e.stuck {
				e.logPanic(err)
			}
			failed = errors.Join(failed, fmt.Errorf("incident %s: %w", i.ID, err))
		}
	}
	return failed
}

// logDue logs the first error of a series, and its end.
func (e *Engine) logDue(ctx context.Context, err error) {
	switch {
	case err != nil && !e.stuck && ctx.Err() == nil:
		e.opts.Log.Warn("due incidents could not be processed", zap.Error(err))
		e.stuck = true
	case err == nil && e.stuck:
		e.opts.Log.Info("due incidents are processed again")
		e.stuck = false
	}
}

// expectDue remembers when the incidents, silences and heartbeats of a change are due.
func (e *Engine) expectDue(c alert.Change) {
	for _, i := range c.Incidents {
		e.dueBy(i.DueAt)
	}
	for _, h := range c.Heartbeats {
		e.dueBy(h.DueAt)
	}
	for _, w := range c.Woken {
		e.dueBy(w.At)
	}
	for _, s := range c.Silences {
		e.dueBy(s.EndsAt)
		at, _ := s.Reminder(e.now())
		e.dueBy(at)
	}
}

// dueBy remembers that something is due at a time. The earliest time counts.
func (e *Engine) dueBy(at time.Time) {
	if !at.IsZero() && (e.due.IsZero() || at.Before(e.due)) {
		e.due = at
	}
}

// pause is how long to wait until something is due.
func (e *Engine) pause() time.Duration {
	pause := longestPause
	if !e.due.IsZero() {
		pause = min(max(e.due.Sub(e.now()), 0), pause)
	}
	if wait, ok := e.inhibition.pause(e.now()); ok {
		pause = min(wait, pause)
	}
	return pause
}
