package outbox

import (
	"context"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// A lane's dead letters are announced in the fallback conversation at most every
// announceEvery, and after announceAgain when that failed.
const (
	announceEvery = 5 * time.Minute
	announceAgain = time.Minute
)

// announce announces dead letters in the fallback conversation, with one line for
// all of a lane, until ctx ends.
func (o *Outbox) announce(ctx context.Context) {
	announcedAt := map[string]time.Time{}
	for ctx.Err() == nil {
		var again <-chan time.Time
		if next := o.announceAll(ctx, announcedAt); !next.IsZero() {
			again = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
		case <-o.newDeadLetter:
		case <-again:
		}
	}
}

// announceAll announces what may be announced now and returns when to try the
// rest; zero when there is no rest.
func (o *Outbox) announceAll(ctx context.Context, announcedAt map[string]time.Time) (next time.Time) {
	if o.opts.Load().Fallback == "" {
		return next
	}
	unreported, err := o.queue.UnreportedDeadLetters(ctx)
	if err != nil {
		o.log.Warn("list unreported dead letters", zap.Error(err))
		return time.Now().Add(announceAgain)
	}
	for _, g := range unreported {
		now := time.Now()
		last, announced := announcedAt[g.Lane]
		switch {
		case announced && now.Before(last.Add(announceEvery)):
			next = earliest(next, last.Add(announceEvery))
		case o.announceLane(ctx, g):
			announcedAt[g.Lane] = now
		default:
			next = earliest(next, time.Now().Add(announceAgain))
		}
	}
	return next
}

// announceLane posts one line to the fallback conversation, at its pace. A post that
// may have been taken counts as done.
func (o *Outbox) announceLane(ctx context.Context, g alert.UnreportedDeadLetters) bool {
	if !o.destinations.known().fallbackReachable() || o.gate.wait() != nil || !o.awaitToken(ctx) {
		return false
	}
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := o.sender.Announce(call, o.opts.Load().Fallback, g); err != nil && failure(err).Class != alert.ClassUnsure {
		if fail := failure(err); fail.Class == alert.ClassThrottled {
			o.fallback.pause(time.Now().Add(throttle(fail)))
		}
		o.log.Warn("announce dead letters", zap.String("lane", g.Lane), zap.Error(err))
		return false
	}
	if err := o.queue.MarkReported(ctx, g); err != nil {
		o.log.Warn("announce dead letters", zap.String("lane", g.Lane), zap.Error(err))
	}
	return true
}

// awaitToken waits for a token of the fallback's pacer. It returns false when ctx
// ends first.
func (o *Outbox) awaitToken(ctx context.Context) bool {
	who := make(chan struct{}, 1)
	for {
		ok, at := o.fallback.acquire(time.Now(), who)
		if ok {
			return true
		}
		if !sleep(ctx, time.Until(at)) {
			o.fallback.leave(who)
			return false
		}
	}
}
