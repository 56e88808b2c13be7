// Package outbox delivers pending messages, lane by lane: in order, at Slack's
// pace, until Slack has accepted them or there is a reason to give up.
//
// It does not know how a delivery is rendered, stored or sent. Every due time is
// stored in the queue or follows from a token bucket, so no timer can be lost: a
// lane asks both when it may go on, and waits until then or until it is woken.
package outbox

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// Queue stores deliveries and what is known about destinations.
type Queue interface {
	// Lanes lists the lanes that have pending deliveries.
	Lanes(ctx context.Context) ([]string, error)
	// Claim marks the lane's next delivery as being sent, durably, and returns
	// it. A job without an ID means that nothing may be sent now; next is when
	// (zero: nothing of these kinds is pending). A delivery that was being sent
	// already comes back with Unsure set and its earlier StartedAt.
	Claim(ctx context.Context, c alert.Claim) (job alert.Job, next time.Time, err error)
	// Finish records the outcome of a claimed delivery, durably.
	// alert.ErrNotFound means that the delivery is no longer pending.
	Finish(ctx context.Context, o alert.Outcome) error
	// Aliases are the spellings of conversations that are known: what is for one of them
	// is in the lane that they have. It is quick, and returns the same value until that
	// changes.
	Aliases() *alert.Aliases
	// Broken lists the destinations that are known to be broken.
	Broken(ctx context.Context) ([]alert.Destination, error)
	// Mark records the result of checking a destination, durably. With a zero
	// Since it is no longer broken, and what waited for it may be sent.
	Mark(ctx context.Context, d alert.Destination) error
	// Stranded lists what waits for a lane and was not rescued yet, the most
	// urgent first, at most so many.
	Stranded(ctx context.Context, lane string, most int) ([]alert.Job, error)
	// Rescued records durably that the last resort has taken these deliveries.
	Rescued(ctx context.Context, ids []string) error
	// UnreportedDeadLetters counts the unreported dead letters of each lane.
	UnreportedDeadLetters(ctx context.Context) ([]alert.UnreportedDeadLetters, error)
	// MarkReported records durably that these were reported.
	MarkReported(ctx context.Context, dead alert.UnreportedDeadLetters) error
}

// Sender sends to Slack. Its errors are *alert.SendError; any other error counts
// as unsure.
type Sender interface {
	// Send makes one attempt.
	Send(ctx context.Context, job alert.Job) (alert.Sent, error)
	// Find looks in the conversation for a message with the job's ID that is not
	// older than its StartedAt. Sent.Version is the version that the message
	// shows; zero means the newest. An error means that it could not look.
	Find(ctx context.Context, job alert.Job) (alert.Sent, bool, error)
	// Probe returns nil when Slack accepts the app (auth.test).
	Probe(ctx context.Context) error
	// Reach checks without a post whether a broken destination accepts messages
	// again, and joins it if necessary. An error means that it is still broken.
	// Without one, sure is false when only a post can tell.
	Reach(ctx context.Context, d alert.Destination) (sure bool, err error)
	// Announce posts one line about dead letters to a conversation.
	Announce(ctx context.Context, conversation string, dead alert.UnreportedDeadLetters) error
}

// Outbox delivers pending messages. New creates one and Run does the work.
type Outbox struct {
	queue   Queue
	sender  Sender
	opts    atomic.Pointer[Options]
	log     *zap.Logger
	metrics *metrics
	updates pacer
	looks   lookTimes
	// fallback is the pacer of posts to Options.Fallback, which lanes share.
	fallback     *pacer
	destinations *destinations
	// lastResortError is the latest failure of the last resort, and since when it has been
	// failing; empty once it works again.
	lastResortError lastError
	// rescueAgain signals that there may be another last resort.
	rescueAgain chan struct{}
	// newDeadLetter signals that a delivery was given up.
	newDeadLetter chan struct{}
	gate          gate
	outage        outage
	longPauses    longPauses
	recent        lastError
	scan          status
	loaded        chan struct{}
	// began is when Run began, as the queue stores times: without nanoseconds.
	began time.Time

	// names are the aliases that lanes and destinations follow; naming is held while
	// they change.
	naming sync.Mutex
	names  atomic.Pointer[alert.Aliases]

	mu    sync.Mutex
	lanes map[string]*lane // those with something to send or a pace that matters
	start func(*lane)      // begins a lane's goroutine; nil before and after Run
}

// New returns an Outbox, which sends nothing before Run.
func New(queue Queue, sender Sender, opts Options) *Outbox {
	opts = opts.withDefaults()
	metrics := newMetrics(opts.Metrics)
	o := &Outbox{
		queue: queue, sender: sender, log: opts.Log,
		metrics:       metrics,
		looks:         lookTimes{bucket: bucket{every: lookPace, burst: lookBurst}},
		updates:       pacer{bucket: bucket{every: updatePace, burst: updateBurst}},
		fallback:      opts.newPacer(),
		destinations:  newDestinations(opts, metrics.broken),
		rescueAgain:   make(chan struct{}, 1),
		newDeadLetter: make(chan struct{}, 1),
		gate:          gate{closed: make(chan struct{}, 1)},
		outage:        outage{tooSoon: make(chan struct{}, 1)},
		lanes:         map[string]*lane{},
		loaded:        make(chan struct{}),
	}
	o.opts.Store(&opts)
	return o
}

// Reload uses other options from now on, except for Pace, Log and Metrics. What waits because
// of the old ones follows.
func (o *Outbox) Reload(opts Options) {
	opts = opts.withDefaults()
	o.naming.Lock()
	defer o.naming.Unlock()
	o.opts.Store(&opts)
	o.destinations.reload(opts)
	o.renameLanes()
	o.wakeBroken()
	signal(o.newDeadLetter)
	signal(o.rescueAgain)
}

// policy is what decisions depend on now.
func (o *Outbox) policy() policy {
	opts := o.opts.Load()
	return policy{giveUpAfter: opts.GiveUpAfter, probeEvery: opts.ProbeEvery, holdUnsure: opts.HoldUnsure, jitter: opts.Rand}
}

// Run delivers until ctx ends. Then it begins nothing new, gives the calls in
// flight Options.Grace to finish and be recorded, and returns nil. Calls that were
// cut off are looked for in Slack after the next start.
func (o *Outbox) Run(ctx context.Context) error {
	calls, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	o.began = time.Now().Truncate(time.Microsecond)
	if !o.loadDestinations(ctx) {
		return nil
	}
	close(o.loaded)
	var work sync.WaitGroup
	for name, loop := range map[string]func(){
		"find lanes":            func() { o.findLanes(ctx) },
		"probe the app":         func() { o.probeWhenHeld(ctx) },
		"probe destinations":    func() { o.probeBroken(ctx) },
		"call the last resort":  func() { o.rescue(ctx, calls) },
		"announce dead letters": func() { o.announce(ctx) },
		"repeat wakes":          func() { o.repeatWakes(ctx) },
	} {
		work.Go(func() { o.keepRunning(ctx, name, loop) })
	}
	o.startWith(func(l *lane) { work.Go(func() { l.run(ctx, calls) }) })
	<-ctx.Done()
	o.startWith(nil)
	grace := time.AfterFunc(o.opts.Load().Grace, cutOff)
	defer grace.Stop()
	work.Wait()
	return nil
}

// keepRunning starts loop again after a panic, until ctx ends.
func (o *Outbox) keepRunning(ctx context.Context, name string, loop func()) {
	for o.panics(name, loop) && sleep(ctx, panicPause) {
	}
}

func (o *Outbox) panics(name string, loop func()) (panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			o.log.Error("loop panicked", zap.String("loop", name), zap.Any("panic", p), zap.Stack("stack"))
			panicked = true
		}
	}()
	loop()
	return false
}

// Loaded is closed once Run has loaded which destinations are broken. From then
// on Health lists them.
func (o *Outbox) Loaded() <-chan struct{} { return o.loaded }

// Wake tells the outbox that these lanes may have something new to send. It never
// blocks.
func (o *Outbox) Wake(lanes ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, name := range lanes {
		name = o.names.Load().Lane(name)
		if l := o.lanes[name]; l != nil {
			signal(l.wake)
			continue
		}
		o.addLane(name)
	}
}

// wakeIdle wakes the lanes that have no goroutine. The others know when to ask. What an
// earlier run left waiting because Slack was away is tried at once. So is what it left
// throttled (see alert.Claim.Began).
func (o *Outbox) wakeIdle(lanes []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, name := range lanes {
		name = o.names.Load().Lane(name)
		if o.lanes[name] == nil {
			o.addLane(name)
			signal(o.lanes[name].retry)
		}
	}
}

// addLane adds a lane and starts its goroutine, if Run has begun. o.mu is held.
func (o *Outbox) addLane(name string) {
	l := newLane(o, name)
	o.lanes[name] = l
	o.metrics.lanes.Inc()
	if o.start != nil {
		l.started = true
		o.start(l)
	}
}

// startWith has start begin the goroutines of the lanes, those that were woken
// already included; nil begins no more.
func (o *Outbox) startWith(start func(*lane)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.start = start
	if start == nil {
		return
	}
	for _, l := range o.lanes {
		l.started = true
		start(l)
	}
}

// retire removes a lane that has nothing to do and reports true, unless the lane
// was woken meanwhile. Wake holds the same lock, so no wake is lost in between.
func (o *Outbox) retire(l *lane) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(l.wake) > 0 || l.isOver() {
		return false
	}
	delete(o.lanes, l.name)
	o.metrics.lanes.Dec()
	return true
}

// findLanes wakes the lanes that have pending deliveries: at once, for those that
// an earlier run left, and then every rescanEvery.
func (o *Outbox) findLanes(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		o.scan.set("finding lanes", time.Now().Add(callTimeout))
		wait := rescanEvery
		lanes, err := o.queue.Lanes(ctx)
		switch {
		case err == nil:
			failures = 0
			o.wakeIdle(lanes)
		case ctx.Err() == nil:
			wait = min(wait, retryAfter(failures, o.opts.Load().Rand))
			failures++
			o.log.Warn("listing lanes failed", zap.Error(err), zap.Duration("again_in", wait))
		}
		o.scan.set("waiting to find lanes", time.Now().Add(wait))
		sleep(ctx, wait)
	}
	o.scan.set("ended", time.Time{})
}

// retry calls f until it succeeds, backing off and logging each failure. It
// returns false when ctx ends first.
func (o *Outbox) retry(ctx context.Context, step string, f func() error, fields ...zap.Field) bool {
	for failures := 0; ; failures++ {
		err := f()
		if err == nil {
			return true
		}
		wait := retryAfter(failures, o.opts.Load().Rand)
		o.log.Warn(step+" failed", append(fields, zap.Error(err), zap.Duration("again_in", wait))...)
		if !sleep(ctx, wait) {
			return false
		}
	}
}

// retryAfter is the back-off after the store has failed.
func retryAfter(failures int, jitter func() float64) time.Duration {
	ceiling := min(storeRetryFirst<<min(failures, 10), storeRetryMost)
	return ceiling/2 + time.Duration(jitter()*float64(ceiling/2))
}

const (
	storeRetryFirst = 100 * time.Millisecond
	storeRetryMost  = 10 * time.Second
)

// sleep waits for d. It returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
