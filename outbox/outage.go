package outbox

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"tocsin/alert"
)

// retrySpread is the time over which lanes try again after an outage, so that they
// don't all call Slack at once.
const retrySpread = time.Second

// outage is what is known about attempts that failed because Slack was away.
type outage struct {
	// failing is set while such a failure is newer than the latest wake of the lanes.
	failing atomic.Bool
	// tooSoon signals that a wake was refused because the latest one is too recent.
	tooSoon chan struct{}
	mu      sync.Mutex
	wokenAt time.Time
}

// SlackAnswered tells the outbox that a call to Slack has succeeded or that a
// connection is up. After an outage, the lanes that wait because Slack was away try
// again within a second, those with a critical alert first. It never blocks.
func (o *Outbox) SlackAnswered() {
	if !o.outage.failing.Load() || !o.outage.end(time.Now()) {
		return
	}
	for _, l := range o.active() {
		signal(l.retry)
	}
}

// repeatWakes makes up for wakes that came too soon after another one, until ctx ends.
// Slack may have come back in between.
func (o *Outbox) repeatWakes(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.outage.tooSoon:
		}
		if !sleep(ctx, o.outage.left(time.Now())) {
			return
		}
		o.SlackAnswered()
	}
}

// left is how long no wake is possible.
func (g *outage) left(now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.wokenAt.Add(retrySpread).Sub(now)
}

// end reports whether lanes are to be woken now; not more often than once in retrySpread.
// What is too soon is made up for by repeatWakes.
func (g *outage) end(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.wokenAt.IsZero() && now.Sub(g.wokenAt) < retrySpread {
		signal(g.tooSoon)
		return false
	}
	g.wokenAt = now
	return g.failing.Swap(false)
}

// early is what a lane knows about trying again before the time that its back-off has
// set. An early attempt that fails leaves the back-off growing, and the next one has to
// wait twice as long since the failure.
type early struct {
	// at is when the lane tries early; zero for not.
	at       time.Time
	failedAt time.Time
	failures int // of early attempts in a row
	urgent   bool
	// settling is set while the head waits for history to settle, not for Slack to come back.
	settling bool
}

// plan sets when to try early, unless that is set.
func (e *early) plan(now time.Time, jitter float64) {
	if !e.at.IsZero() {
		return
	}
	spread := retrySpread / 2
	e.at = now.Add(time.Duration(jitter * float64(spread)))
	if !e.urgent {
		e.at = e.at.Add(spread)
	}
	if e.failures > 0 {
		e.at = latest(e.at, e.failedAt.Add(min(backoffFirst<<min(e.failures, 9), backoffMost)))
	}
}

// note notes what became of an attempt, which was made early or not. It reports whether
// it failed because Slack was away.
func (e *early) note(v verdict, job alert.Job, wasEarly bool) (away bool) {
	e.settling = v.name == nameLookAgain && v.fail == nil
	away = v.fail != nil && (v.fail.Class == alert.ClassTransient || v.fail.Class == alert.ClassUnsure)
	switch {
	case away:
		e.at, e.failedAt, e.urgent = time.Time{}, v.Now, job.Priority == 0
		if wasEarly {
			e.failures++
		}
	case v.State == alert.Delivered:
		e.failures = 0
	}
	return away
}

// due reports whether to try early now.
func (e *early) due(now time.Time) bool {
	return !e.at.IsZero() && !e.at.After(now) && !e.settling
}
