package outbox

import (
	"context"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// The fallback conversation is told of a lane's dead letters no more often than
// this, and asked again after announceAgain when it could not be reported.
const (
	announceEvery = 5 * time.Minute
	announceAgain = time.Minute
)

// announce tells the fallback conversation of dead letters, with one line for
// all of a lane, until ctx ends.
func (o *Outbox) announce(ctx context.Context) {
	if o.opts.Fallback == "" {
		return
	}
	announcedAt := map[string]time.Time{}
	for ctx.Err() == nil {
		var again <-chan time.Time
		if wait := o.announceAll(ctx, announcedAt); wait > 0 {
			again = time.After(wait)
		}
		select {
		case <-ctx.Done():
		case <-o.newDeadLetter:
		case <-again:
		}
	}
}

// announceAll reports what may be reported now, and says when to look again for what
// may not; zero: when there is more.
func (o *Outbox) announceAll(ctx context.Context, announcedAt map[string]time.Time) (wait time.Duration) {
	unreported, err := o.queue.UnreportedDeadLetters(ctx)
	if err != nil {
		o.log.Warn("look for dead letters", zap.Error(err))
		return announceAgain
	}
	for _, g := range unreported {
		now := o.opts.Now()
		if since := now.Sub(announcedAt[g.Lane]); !announcedAt[g.Lane].IsZero() && since < announceEvery {
			wait = sooner(wait, announceEvery-since)
			continue
		}
		if !o.announceLane(ctx, g) {
			wait = sooner(wait, announceAgain)
			continue
		}
		announcedAt[g.Lane] = now
	}
	return wait
}

// sooner is the shorter of two times to wait; zero is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// announceLane posts one line to the fallback conversation, at its pace. A post that
// may have been taken counts as done.
func (o *Outbox) announceLane(ctx context.Context, g alert.UnreportedDeadLetters) bool {
	if !o.destinations.known().reachable(o.opts.Fallback) || o.gate.wait() != nil || !o.awaitToken(ctx) {
		return false
	}
	call, cancel := context.WithTimeout(ctx, o.opts.CallTimeout)
	defer cancel()
	if err := o.sender.Announce(call, o.opts.Fallback, g); err != nil && failure(err).Class != alert.ClassUnsure {
		if fail := failure(err); fail.Class == alert.ClassThrottled {
			o.fallback.pause(o.opts.Now().Add(max(fail.RetryAfter, throttleMin)))
		}
		o.log.Warn("report dead letters", zap.String("lane", g.Lane), zap.Error(err))
		return false
	}
	if err := o.queue.MarkReported(ctx, g); err != nil {
		o.log.Warn("report dead letters", zap.String("lane", g.Lane), zap.Error(err))
	}
	return true
}

// awaitToken waits until the fallback's pace lets one more message through.
func (o *Outbox) awaitToken(ctx context.Context) bool {
	who := make(chan struct{}, 1)
	for {
		ok, at := o.fallback.acquire(o.opts.Now(), who)
		if ok {
			return true
		}
		if !sleep(ctx, at.Sub(o.opts.Now())) {
			o.fallback.leave(who)
			return false
		}
	}
}
