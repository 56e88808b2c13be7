package outbox

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// minWait keeps a lane from asking in a tight loop when the queue says that a
// delivery is due and then returns none.
const minWait = 20 * time.Millisecond

// lane is the goroutine of one conversation and what it remembers between two
// deliveries. Other goroutines use only wake, retry and status, and what is said below.
type lane struct {
	outbox *Outbox
	name   string
	wake   chan struct{}
	// retry tells the lane that Slack is back.
	retry  chan struct{}
	status status
	// over is closed when another lane goes on for this one, ended when its goroutine
	// has ended. From then on that lane may read everything.
	over, ended chan struct{}
	// started and predecessors, the lanes that go on as this one, belong to the outbox's
	// mutex.
	started      bool
	predecessors []*lane

	pace     *pacer    // of posts to the lane itself
	paused   time.Time // nothing is sent before
	next     dueTime   // of the delivery that is waited for
	doubt    doubt
	early    early
	throttle throttling
	failures int // claims that failed in a row
	loud     int // messages sent since a quiet reply had its turn
	shown    [2]shown
}

func newLane(o *Outbox, name string) *lane {
	l := &lane{outbox: o, name: name, wake: make(chan struct{}, 1), retry: make(chan struct{}, 1), over: make(chan struct{}), ended: make(chan struct{}), pace: o.fallback}
	if name != o.destinations.known().fallback {
		l.pace = o.opts.Load().newPacer()
	}
	return l
}

// pacer returns the pacer for posts that are sent via another conversation, or
// to the lane itself when via is empty.
func (l *lane) pacer(via string) *pacer {
	if via != "" && via == l.outbox.destinations.known().fallback {
		return l.outbox.fallback
	}
	return l.pace
}

// leaveQueues gives up the places in the shared pacers' queues, for a lane that
// can't send for a while.
func (l *lane) leaveQueues() {
	l.outbox.updates.leave(l.wake)
	l.outbox.fallback.leave(l.wake)
}

// dueTime is a time that the queue has named, by the wall clock, and when it comes by one
// that nobody sets: a wait that has begun does not change with the wall clock.
type dueTime struct{ named, comes time.Time }

// wait returns when a time that the queue names comes. The wall clock shows wall now.
func (d *dueTime) wait(now, wall, named time.Time) time.Time {
	if !named.Equal(d.named) {
		*d = dueTime{named: named, comes: now.Add(named.Sub(wall))}
	}
	return d.comes
}

// clock returns wall, or the time that was waited for if the wall clock was put back
// meanwhile.
func (d *dueTime) clock(now, wall time.Time) time.Time {
	if d.comes.After(now) {
		return wall
	}
	return latest(wall, d.named)
}

// delay is how long a lane waits before its next delivery, and why. The zero
// value does not wait.
type delay struct {
	until time.Time
	doing string
	// ignoreWake keeps a wake from ending the wait.
	ignoreWake bool
	// retire ends the goroutine after the wait.
	retire bool
}

// run delivers until the lane has nothing to do or stop ends, or another lane goes on
// for it. calls is the context of deliveries that have begun, which outlives stop.
func (l *lane) run(stop, calls context.Context) {
	defer close(l.ended)
	for l.waitForGate(stop) && l.awaitPredecessors(stop) {
		if l.isOver() {
			l.leaveQueues()
			return
		}
		d := l.deliverNextSafely(calls)
		if d.retire && !d.until.After(time.Now()) && l.outbox.retire(l) {
			return
		}
		if !l.wait(stop, d) {
			return
		}
	}
}

// deliverNextSafely lets the lane pause after a panic, and all others go on. What was
// being sent is looked for before it is sent again.
func (l *lane) deliverNextSafely(calls context.Context) (d delay) {
	defer func() {
		if p := recover(); p != nil {
			l.outbox.log.Error("delivery panicked", zap.String("lane", l.name), zap.Any("panic", p), zap.Stack("stack"))
			d = delay{until: time.Now().Add(panicPause), doing: "pausing after a panic", ignoreWake: true}
		}
	}()
	return l.deliverNext(calls)
}

// waitForGate waits while all lanes are held, unless the lane is over. It returns false
// when stop ends.
func (l *lane) waitForGate(stop context.Context) bool {
	open := l.outbox.gate.wait()
	if open == nil {
		return stop.Err() == nil
	}
	l.leaveQueues()
	l.status.set(doingHeld, time.Time{})
	select {
	case <-stop.Done():
		return false
	case <-open:
	case <-l.over:
	}
	return true
}

// wait waits for d. It returns false when stop ends.
func (l *lane) wait(stop context.Context, d delay) bool {
	now := time.Now()
	left := d.until.Sub(now)
	if d.until.IsZero() || left <= 0 {
		return stop.Err() == nil
	}
	// Not d.until: the queue's times are wall time, and a lane that keeps
	// sleeping after the wall clock was set forward is not stuck.
	until := now.Add(left)
	l.status.set(d.doing, until)
	wake, retry := l.wake, l.retry
	if d.ignoreWake {
		wake, retry = nil, nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	for {
		select {
		case <-stop.Done():
			return false
		case <-retry:
			l.early.plan(time.Now(), l.outbox.opts.Load().Rand())
			timer.Reset(time.Until(earliest(until, l.early.at)))
			continue
		case <-timer.C:
		case <-wake:
		case <-l.over:
		}
		return true
	}
}

// panicPause is how long a lane or a loop rests after a panic.
const panicPause = 10 * time.Second

// deliverNext makes at most one delivery.
func (l *lane) deliverNext(calls context.Context) delay {
	select { // the claim below sees everything that has woken the lane so far
	case <-l.wake:
	default:
	}
	now := time.Now()
	if l.paused.After(now) {
		l.leaveQueues()
		return delay{until: l.paused, doing: "waiting as Slack asked", ignoreWake: true}
	}
	reach := l.outbox.destinations.known()
	claim, later := l.acquireTokens(now, reach.fallbackFor(l.name))
	if !claim.Posts && !claim.Updates {
		return delay{until: later, doing: "keeping the pace"}
	}
	l.status.set("claiming", now.Add(callTimeout))
	job, next, err := l.outbox.queue.Claim(calls, claim)
	l.returnUnusedTokens(claim, job)
	if err != nil {
		return l.afterFailedClaim(calls, now, err)
	}
	l.failures = 0
	l.countLoud(claim, job)
	if job.ID == "" {
		return l.afterEmptyClaim(claim, now, next, later)
	}
	l.next = dueTime{}
	if job.Unsure && l.outbox.changesHands(calls, l) {
		// Perhaps a lane that has become this one is sending it now.
		l.returnToken(claimed{job: job, pacer: l.pacer(claim.Via)})
		return delay{}
	}
	l.deliver(calls, claimed{job: job, reach: reach, pacer: l.pacer(claim.Via), early: claim.Retry})
	return delay{}
}

// acquireTokens returns a claim for the kinds of delivery that may be sent now,
// holding a token for each, and when the other kinds can be asked for again.
func (l *lane) acquireTokens(now time.Time, via string) (claim alert.Claim, later time.Time) {
	opts := l.outbox.opts.Load()
	claim = alert.Claim{
		Lane: l.name, Now: l.next.clock(now, now), Retry: l.early.due(now), Began: l.outbox.began, DigestAbove: opts.DigestAbove, DigestAfter: digestAfter, DigestUrgentAfter: digestUrgentAfter, Via: via,
	}
	for priority, s := range l.shown {
		claim.Shown[priority] = s.since(now.Add(-alert.BusyWithin))
	}
	var postsAt, updatesAt time.Time
	claim.Posts, postsAt = l.pacer(via).acquire(now, l.wake)
	claim.Updates, updatesAt = l.outbox.updates.acquire(now, l.wake)
	claim.QuietFirst = claim.Posts && l.loud >= loudMost
	return claim, earliest(postsAt, updatesAt)
}

// returnUnusedTokens returns the tokens of a claim that its job does not need.
// An empty job needs none.
func (l *lane) returnUnusedTokens(claim alert.Claim, job alert.Job) {
	if claim.Updates && job.Kind != alert.Update {
		l.outbox.updates.giveBack()
	}
	if claim.Posts && (job.ID == "" || job.Kind == alert.Update) {
		l.pacer(claim.Via).giveBack()
	}
}

// loudMost is how many messages are sent at most before a quiet reply that waits: posts
// go first, and can't hold up replies forever.
const loudMost = 4

// countLoud counts what is sent before a quiet reply.
func (l *lane) countLoud(claim alert.Claim, job alert.Job) {
	switch {
	case claim.QuietFirst, job.Priority == alert.PriorityQuiet:
		l.loud = 0
	case job.ID != "" && job.Kind != alert.Update:
		l.loud++
	}
}

// claimed is a job and what it was claimed with: what was known about
// destinations, the pacer that gave the token, unless the job is an update, and
// whether it may be before its time.
type claimed struct {
	job   alert.Job
	reach reachability
	pacer *pacer
	early bool
}

// afterEmptyClaim waits until the queue's next delivery is due or until a kind
// that was left out may be asked for. With neither, the goroutine ends as soon
// as the lane's pace no longer matters.
func (l *lane) afterEmptyClaim(claim alert.Claim, now, next, later time.Time) delay {
	if claim.Retry && claim.Posts && claim.Updates { // nothing is left that waits for Slack
		l.early.at = time.Time{}
	}
	if next.IsZero() {
		l.next = dueTime{}
	} else {
		next = latest(l.next.wait(now, now, next), now.Add(minWait))
	}
	if l.early.at.After(now) {
		later = earliest(later, l.early.at)
	}
	if until := earliest(next, later); !until.IsZero() {
		return delay{until: until, doing: "waiting until the next is due"}
	}
	l.outbox.fallback.leave(l.wake)
	l.status.idle()
	return delay{until: latest(l.pace.full(), l.calm()), doing: doingIdle, retire: true}
}

// calm returns when the lane need not remember what it has shown.
func (l *lane) calm() (at time.Time) {
	for _, s := range l.shown {
		if len(s) > 0 {
			at = latest(at, s[len(s)-1].Add(alert.BusyWithin))
		}
	}
	return at
}

// countShown remembers the new incidents that a delivery has shown.
func (l *lane) countShown(job alert.Job, v verdict) {
	if v.State != alert.Delivered || job.Priority >= len(l.shown) {
		return
	}
	n := 0
	switch {
	case job.Kind == alert.Post:
		n = 1
	case job.Kind == alert.Digest && job.Digest != nil:
		n = job.Digest.Total
	}
	l.shown[job.Priority].add(v.Now, n, l.outbox.opts.Load().DigestAbove+1)
}

// shown are the times at which a lane has shown its latest new incidents.
type shown []time.Time

func (s *shown) add(at time.Time, n, most int) {
	for range min(n, most) {
		*s = append(*s, at)
	}
	*s = slices.Clone((*s)[max(0, len(*s)-most):])
}

func (s shown) since(t time.Time) (n int) {
	for _, at := range s {
		if at.After(t) {
			n++
		}
	}
	return n
}

// afterFailedClaim waits after the store has failed. When calls has ended, the
// error only says so.
func (l *lane) afterFailedClaim(calls context.Context, now time.Time, err error) delay {
	if calls.Err() != nil {
		return delay{}
	}
	l.leaveQueues()
	wait := retryAfter(l.failures, l.outbox.opts.Load().Rand)
	l.failures++
	l.outbox.recent.set(now, "claim: "+err.Error())
	l.outbox.log.Warn("claim failed", zap.String("lane", l.name), zap.Error(err), zap.Duration("again_in", wait))
	return delay{until: now.Add(wait), doing: "waiting for the store", ignoreWake: true}
}
