// Package outbox delivers what is owed, lane by lane: in order, at Slack's
// pace, until Slack has taken it or there is a named reason to give up.
//
// It refuses to know how a delivery is drawn, stored or sent. Every time at
// which something is due is in the queue or in a bucket, so that no timer can
// be lost: a lane asks, and waits exactly until the earliest answer or a wake.
package outbox

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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

// Sender is the way to Slack. Its errors are *alert.SendError; any other one
// counts as unsure.
type Sender interface {
	// Send makes one attempt.
	Send(ctx context.Context, job alert.Job) (alert.Sent, error)
	// Find looks in the conversation for a message that carries the job's ID,
	// not older than its StartedAt. Sent.Version is the version that the message
	// shows; zero is taken for the newest. An error means: could not look.
	Find(ctx context.Context, job alert.Job) (alert.Sent, bool, error)
	// Probe returns nil when Slack knows the app (auth.test).
	Probe(ctx context.Context) error
	// Reach looks without a post whether a broken destination takes messages
	// again; if it has to, it joins. An error says that it is broken still;
	// without one, sure is false when only a post can tell.
	Reach(ctx context.Context, d alert.Destination) (sure bool, err error)
	// Announce tells a conversation of dead letters in one line.
	Announce(ctx context.Context, lane string, g alert.UnreportedDeadLetters) error
}

// Options are the pace and the patience of an Outbox, and where it reports to.
// A zero field takes the default named at it.
type Options struct {
	// Now is the clock: time.Now.
	Now func() time.Time
	// Rand returns numbers in [0,1) for back-off: math/rand/v2.
	Rand func() float64
	// Pace is the time between two posts in one lane: 1 s (slack-facts §3.2).
	Pace time.Duration
	// Burst is how many posts a rested lane may send at once: 3.
	Burst int
	// UpdatePace is the time between two edits in the workspace: 60 s / 45, so
	// that with the burst no minute has more than Slack's 50 (tier 3).
	UpdatePace time.Duration
	// UpdateBurst is how many edits may be made at once after a rest: 5.
	UpdateBurst int
	// DigestAbove is how many posts of one priority may wait in a lane before a
	// digest stands for them: 5. They have to have waited for DigestAfter, so
	// that a flood is gathered and a few alerts at once get their cards: 5 s.
	DigestAbove int
	DigestAfter time.Duration
	// GiveUpAfter is how long after it began to be owed a delivery that fails
	// is tried again: 24 h. While Slack can't be reached it is tried ten times
	// however old it is.
	GiveUpAfter time.Duration
	// HoldUnsure says of a job that may be shown already and can't be looked for
	// whether it is given up, for a person to decide; else it is sent again and
	// marked as possible duplicate. nil never gives up. It must be quick.
	HoldUnsure func(job alert.Job) bool
	// Fallback is the conversation that stands in for those that can't be reached;
	// empty: what is owed to them waits.
	Fallback string
	// LastResort tells somebody outside Slack what is stranded: nil when it was
	// taken. It is called for one lane at a time and never twice for a delivery
	// that it took. nil: there is none.
	LastResort func(ctx context.Context, s alert.Stranded) error
	// ReachEvery is how often a broken destination is looked at: 5 min.
	ReachEvery time.Duration
	// ProbeEvery is how often Slack is asked whether it knows the app again
	// while everything is held: 1 min.
	ProbeEvery time.Duration
	// Rescan is how often the queue is asked for lanes that nobody woke: 1 min.
	Rescan time.Duration
	// CallTimeout is the most that one call to Slack may take: 1 min.
	CallTimeout time.Duration
	// Grace is how long calls in flight may go on after the end of Run's context: 5 s.
	Grace time.Duration
	// StuckAfter is how long past its time a lane counts as not moving: 3 min.
	StuckAfter time.Duration
	// Log gets one line an event; nil is silent.
	Log *zap.Logger
	// Metrics is where the metrics are registered; nil keeps them private.
	Metrics prometheus.Registerer
}

func (o Options) withDefaults() Options {
	if o.HoldUnsure == nil {
		o.HoldUnsure = func(alert.Job) bool { return false }
	}
	orDefault(&o.Pace, time.Second)
	orDefault(&o.Burst, 3)
	orDefault(&o.UpdatePace, time.Minute/45)
	orDefault(&o.UpdateBurst, 5)
	orDefault(&o.DigestAbove, 5)
	orDefault(&o.DigestAfter, 5*time.Second)
	orDefault(&o.GiveUpAfter, 24*time.Hour)
	orDefault(&o.ReachEvery, 5*time.Minute)
	orDefault(&o.ProbeEvery, time.Minute)
	orDefault(&o.Rescan, time.Minute)
	orDefault(&o.CallTimeout, time.Minute)
	orDefault(&o.Grace, 5*time.Second)
	orDefault(&o.StuckAfter, 3*time.Minute)
	orDefault(&o.Log, zap.NewNop())
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return o
}

func (o Options) newPacer() *pacer {
	return &pacer{bucket: bucket{every: o.Pace, burst: o.Burst}}
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Outbox delivers what is owed. Make one with New and let Run do the work.
type Outbox struct {
	queue   Queue
	sender  Sender
	opts    Options
	policy  policy
	log     *zap.Logger
	metrics *metrics
	updates pacer
	looks   lookTimes
	// fallback is the pace of posts to the conversation that stands in for others.
	fallback     *pacer
	destinations *destinations
	// lastResortError is the latest failure of the last resort; empty once it works again.
	lastResortError lastError
	// newDeadLetter signals that a delivery was given up.
	newDeadLetter chan struct{}
	gate          gate
	recent        lastError
	scan          status
	// startSignal says that toStart is not empty.
	startSignal chan struct{}

	mu      sync.Mutex
	lanes   map[string]*lane    // have a goroutine
	toStart map[string]struct{} // are to get one

	loaded chan struct{}
}

// New returns an Outbox that sends nothing before Run.
func New(queue Queue, sender Sender, opts Options) *Outbox {
	opts = opts.withDefaults()
	metrics := newMetrics(opts.Metrics)
	return &Outbox{
		queue: queue, sender: sender, opts: opts, log: opts.Log,
		policy:        policy{giveUpAfter: opts.GiveUpAfter, probeEvery: opts.ProbeEvery, holdUnsure: opts.HoldUnsure, jitter: opts.Rand},
		metrics:       metrics,
		looks:         lookTimes{bucket: bucket{every: lookPace, burst: lookBurst}},
		updates:       pacer{bucket: bucket{every: opts.UpdatePace, burst: opts.UpdateBurst}},
		fallback:      opts.newPacer(),
		destinations:  newDestinations(opts, metrics.broken),
		newDeadLetter: make(chan struct{}, 1),
		gate:          gate{closed: make(chan struct{}, 1)},
		startSignal:   make(chan struct{}, 1),
		lanes:         map[string]*lane{},
		toStart:       map[string]struct{}{},
		loaded:        make(chan struct{}),
	}
}

// Run delivers until ctx ends. Then it begins nothing new, gives the calls in
// flight Options.Grace to finish and to be written down, and returns nil. What
// was cut off even so is looked for in Slack after the next start.
func (o *Outbox) Run(ctx context.Context) error {
	calls, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	if !o.loadBroken(ctx) {
		return nil
	}
	close(o.loaded)
	var work sync.WaitGroup
	work.Go(func() { o.findLanes(ctx) })
	work.Go(func() { o.probeWhenHeld(ctx) })
	work.Go(func() { o.probeBroken(ctx) })
	work.Go(func() { o.rescue(ctx, calls) })
	work.Go(func() { o.announce(ctx) })
	o.startLanes(ctx, func(l *lane) { work.Go(func() { l.run(ctx, calls) }) })
	grace := time.AfterFunc(o.opts.Grace, cutOff)
	defer grace.Stop()
	work.Wait()
	return nil
}

// Loaded is closed once Run knows what an earlier run knew of destinations:
// from then on Health tells of those that are broken.
func (o *Outbox) Loaded() <-chan struct{} { return o.loaded }

// Wake says that these lanes may have something new to send. It never blocks.
func (o *Outbox) Wake(lanes ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, name := range lanes {
		if l := o.lanes[name]; l != nil {
			signal(l.wake)
			continue
		}
		o.toStart[name] = struct{}{}
	}
	if len(o.toStart) > 0 {
		signal(o.startSignal)
	}
}

// startLanes gives each woken lane that has none a goroutine, until ctx ends.
func (o *Outbox) startLanes(ctx context.Context, start func(*lane)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.startSignal:
		}
		o.mu.Lock()
		for name := range o.toStart {
			if o.lanes[name] == nil {
				l := newLane(o, name)
				o.lanes[name] = l
				o.metrics.lanes.Inc()
				start(l)
			}
		}
		clear(o.toStart)
		o.mu.Unlock()
	}
}

// retire forgets a lane that has nothing to do, unless it was woken meanwhile.
// Wake holds the same lock, so no wake falls between the look and the end.
func (o *Outbox) retire(l *lane) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(l.wake) > 0 {
		return false
	}
	delete(o.lanes, l.name)
	o.metrics.lanes.Dec()
	return true
}

// findLanes wakes the lanes that the queue says are owed something: at once,
// for what an earlier run left, and then now and again.
func (o *Outbox) findLanes(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		o.scan.set("finding lanes", o.opts.Now().Add(o.opts.CallTimeout))
		wait := o.opts.Rescan
		lanes, err := o.queue.Lanes(ctx)
		switch {
		case err == nil:
			failures = 0
			o.wakeIdle(lanes)
		case ctx.Err() == nil:
			wait = min(wait, retryAfter(failures, o.opts.Rand))
			failures++
			o.log.Warn("find lanes", zap.Error(err), zap.Duration("again_in", wait))
		}
		o.scan.set("waiting to find lanes", o.opts.Now().Add(wait))
		sleep(ctx, wait)
	}
	o.scan.set("ended", time.Time{})
}

// wakeIdle wakes those of the lanes that have no goroutine; the others know
// themselves when to look.
func (o *Outbox) wakeIdle(lanes []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, name := range lanes {
		if o.lanes[name] == nil {
			o.toStart[name] = struct{}{}
		}
	}
	signal(o.startSignal)
}

// retry calls f until it succeeds, backing off and logging each failure. It
// returns false when ctx ends first.
func (o *Outbox) retry(ctx context.Context, step string, f func() error, fields ...zap.Field) bool {
	for failures := 0; ; failures++ {
		err := f()
		if err == nil {
			return true
		}
		wait := retryAfter(failures, o.opts.Rand)
		o.log.Warn(step, append(fields, zap.Error(err), zap.Duration("again_in", wait))...)
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

// sleep waits for d and says whether ctx still goes on.
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
