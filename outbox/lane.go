package outbox

import (
	"context"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// minWait keeps a queue that says "now" but gives nothing from being asked in a
// tight loop.
const minWait = 20 * time.Millisecond

// lane is the goroutine of one conversation and what it has to remember between
// two deliveries. Only status is touched by others.
type lane struct {
	outbox *Outbox
	name   string
	wake   chan struct{}
	// status says to watchers what it does.
	status status

	pace     *pacer    // of posts to the lane itself
	paused   time.Time // nothing before
	doubt    doubt
	failures int // claims that failed in a row
}

func newLane(o *Outbox, name string) *lane {
	l := &lane{outbox: o, name: name, wake: make(chan struct{}, 1), pace: o.fallback}
	if name != o.opts.Fallback {
		l.pace = o.opts.newPacer()
	}
	return l
}

func (l *lane) now() time.Time { return l.outbox.opts.Now() }

// pacer is the pacer of posts that are sent via the fallback in place of the lane,
// or to the lane itself.
func (l *lane) pacer(via string) *pacer {
	if via != "" && via == l.outbox.opts.Fallback {
		return l.outbox.fallback
	}
	return l.pace
}

// leave gives up all places in queues, for a lane that can't send for a while.
func (l *lane) leave() {
	l.outbox.updates.leave(l.wake)
	l.outbox.fallback.leave(l.wake)
}

// pause is what a lane does after a delivery: wait until a time. Zero goes on at once.
type pause struct {
	until time.Time
	doing string
	// ignoreWake does not let a wake end the wait.
	ignoreWake bool
	// idle ends the goroutine when the wait is over.
	idle bool
}

// run delivers until the lane is idle or stop ends, which is the end of the
// outbox, too; calls is the context of what has begun.
func (l *lane) run(stop, calls context.Context) {
	for l.waitForGate(stop) {
		r := l.deliverNext(calls)
		if r.idle && !r.until.After(l.now()) && l.outbox.retire(l) {
			return
		}
		if !l.wait(stop, r) {
			return
		}
	}
}

// waitForGate waits while everything is held; false when stop has ended.
func (l *lane) waitForGate(stop context.Context) bool {
	open := l.outbox.gate.wait()
	if open == nil {
		return stop.Err() == nil
	}
	l.leave()
	l.status.set(doingHeld, time.Time{})
	select {
	case <-stop.Done():
		return false
	case <-open:
		return true
	}
}

// wait rests; false when stop has ended.
func (l *lane) wait(stop context.Context, r pause) bool {
	now := l.now()
	d := r.until.Sub(now)
	if r.until.IsZero() || d <= 0 {
		return stop.Err() == nil
	}
	// Not r.until: what the queue said is wall time, and a lane that sleeps on
	// while the wall clock is put forward is not stuck.
	l.status.set(r.doing, now.Add(d))
	wake := l.wake
	if r.ignoreWake {
		wake = nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-stop.Done():
		return false
	case <-timer.C:
	case <-wake:
	}
	return true
}

// deliverNext makes at most one delivery.
func (l *lane) deliverNext(calls context.Context) pause {
	select { // what woke the lane until here, the claim below will see
	case <-l.wake:
	default:
	}
	now := l.now()
	if l.paused.After(now) {
		l.leave()
		return pause{until: l.paused, doing: "waiting as Slack asked", ignoreWake: true}
	}
	reach := l.outbox.destinations.known()
	claim, later := l.allowed(now, reach.fallbackFor(l.name))
	if !claim.Posts && !claim.Updates {
		return pause{until: later, doing: "keeping the pace"}
	}
	l.status.set("claiming", now.Add(l.outbox.opts.CallTimeout))
	job, next, err := l.outbox.queue.Claim(calls, claim)
	l.giveBack(claim, job)
	if err != nil {
		return l.claimFailed(calls, now, err)
	}
	l.failures = 0
	if job.ID == "" {
		return l.afterEmptyClaim(now, next, later)
	}
	l.deliver(calls, claimed{job: job, reach: reach, pacer: l.pacer(claim.Via)})
	return pause{}
}

// giveBack returns the tokens that were taken for a claim and not for its job,
// which is empty when nothing was claimed.
func (l *lane) giveBack(claim alert.Claim, job alert.Job) {
	if claim.Updates && job.Kind != alert.Update {
		l.outbox.updates.giveBack()
	}
	if claim.Posts && (job.ID == "" || job.Kind == alert.Update) {
		l.pacer(claim.Via).giveBack()
	}
}

// claimed is a job and what it was claimed with: what was known about
// destinations, and the pace of which a token was taken if it is no edit.
type claimed struct {
	job   alert.Job
	reach reachability
	pacer *pacer
}

// allowed says what may be claimed now, and when that which may not can be
// asked for again. It holds a token for each kind that is allowed.
func (l *lane) allowed(now time.Time, via string) (claim alert.Claim, later time.Time) {
	claim = alert.Claim{
		Lane: l.name, Now: now, DigestAbove: l.outbox.opts.DigestAbove, DigestAfter: l.outbox.opts.DigestAfter, Via: via,
	}
	claim.Posts, later = l.pacer(via).acquire(now, l.wake)
	ok, again := l.outbox.updates.acquire(now, l.wake)
	claim.Updates = ok
	return claim, earliest(later, again)
}

// afterEmptyClaim waits after a claim that returned nothing: until the queue's next, or
// until a kind that was left out may be asked for. With neither, the lane is
// idle, but keeps its pace in mind as long as that matters.
func (l *lane) afterEmptyClaim(now, next, later time.Time) pause {
	if !next.IsZero() {
		next = latest(next, now.Add(minWait))
	}
	if until := earliest(next, later); !until.IsZero() {
		return pause{until: until, doing: "waiting until the next is due"}
	}
	l.outbox.fallback.leave(l.wake)
	return pause{until: l.pace.full(), doing: doingIdle, idle: true}
}

// claimFailed rests after the store failed. A context that has ended is the end
// of the run and no news.
func (l *lane) claimFailed(calls context.Context, now time.Time, err error) pause {
	if calls.Err() != nil {
		return pause{}
	}
	l.leave()
	wait := retryAfter(l.failures, l.outbox.opts.Rand)
	l.failures++
	l.outbox.recent.set(now, "claim: "+err.Error())
	l.outbox.log.Warn("claim", zap.String("lane", l.name), zap.Error(err), zap.Duration("again_in", wait))
	return pause{until: now.Add(wait), doing: "waiting for the store", ignoreWake: true}
}
