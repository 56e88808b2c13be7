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
	// longestPause is how long the clock is left alone at most: it may have been
	// set, and another daemon at the same store may have left something due.
	longestPause = time.Minute
	// duePause is how long to wait when what is due can't be done.
	duePause = 5 * time.Second
)

// runDue does what is due now, and finds out when something is due next.
func (e *Engine) runDue(ctx context.Context) {
	e.due = time.Time{}
	idle := false
	var due []alert.Incident
	err := e.commit(ctx, alert.Query{Due: true}, func(now time.Time, snapshot alert.Snapshot) alert.Change {
		due = snapshot.Incidents
		c := decideDue(e.rules(), now, snapshot)
		idle = empty(c)
		return c
	})
	if errors.Is(err, alert.ErrInternal) {
		err = e.runEachDue(ctx, due)
	}
	e.logDue(ctx, err)
	// Should the store say that something is due which it does not give, that must
	// not spin either.
	if err != nil || idle && e.pause() == 0 {
		e.due = e.now().Add(duePause)
	}
}

// runEachDue does what each incident is due for by itself, so that one that
// nobody can decide about does not hold up the others.
func (e *Engine) runEachDue(ctx context.Context, due []alert.Incident) error {
	var all error
	for _, i := range due {
		err := e.commit(ctx, alert.Query{IDs: []string{i.ID}}, func(now time.Time, snapshot alert.Snapshot) alert.Change {
			return decideDue(e.rules(), now, snapshot)
		})
		if err != nil {
			if !e.stuck {
				e.logPanic(err)
			}
			all = errors.Join(all, fmt.Errorf("incident %s: %w", i.ID, err))
		}
	}
	return all
}

// logDue logs that what is due can't be done, once until it can.
func (e *Engine) logDue(ctx context.Context, err error) {
	switch {
	case err != nil && !e.stuck && ctx.Err() == nil:
		e.opts.Log.Warn("what is due waits", zap.Error(err))
		e.stuck = true
	case err == nil && e.stuck:
		e.opts.Log.Info("what is due is done again")
		e.stuck = false
	}
}

// expectDue remembers when what a change leaves behind is due.
func (e *Engine) expectDue(c alert.Change) {
	for _, i := range c.Incidents {
		e.dueBy(i.DueAt)
	}
	for _, s := range c.Silences {
		e.dueBy(s.EndsAt)
	}
}

// dueBy remembers at as when something is due, unless something is before.
func (e *Engine) dueBy(at time.Time) {
	if !at.IsZero() && (e.due.IsZero() || at.Before(e.due)) {
		e.due = at
	}
}

// pause is how long nothing is due.
func (e *Engine) pause() time.Duration {
	if e.due.IsZero() {
		return longestPause
	}
	return min(max(e.due.Sub(e.now()), 0), longestPause)
}
