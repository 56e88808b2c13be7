package outbox

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"tocsin/alert"
)

// destinations holds the broken destinations, as the queue has stored them.
type destinations struct {
	log   *zap.Logger
	gauge prometheus.Gauge
	// changed tells probeBroken, and worse tells rescue, that broken has changed.
	changed, worse chan struct{}

	// now is what is known now. It is replaced with mu held and read without: load holds
	// mu while it asks the queue, which may hang.
	now atomic.Pointer[reachability]

	mu    sync.Mutex
	names *alert.Aliases
	// configured is the fallback as it is configured.
	configured string
	probeEvery time.Duration
}

func newDestinations(opts Options, gauge prometheus.Gauge) *destinations {
	d := &destinations{configured: opts.Fallback, probeEvery: opts.ReachEvery, log: opts.Log, gauge: gauge, changed: make(chan struct{}, 1), worse: make(chan struct{}, 1)}
	d.now.Store(&reachability{fallback: opts.Fallback})
	return d
}

// reload uses the fallback and the time between checks of other options.
func (d *destinations) reload(opts Options) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.configured, d.probeEvery = opts.Fallback, opts.ReachEvery
	now := d.known()
	soon := time.Now().Add(d.probeEvery)
	for _, m := range now.sorted() {
		m.ProbeAt = earliest(m.ProbeAt, soon)
		now.broken = withMark(now.broken, m)
	}
	d.replace(reachability{d.names.Lane(d.configured), now.broken})
}

// known returns what is known now.
func (d *destinations) known() reachability { return *d.now.Load() }

// update applies a recorded outcome.
func (d *destinations) update(o alert.Outcome) {
	switch {
	case o.Broken != nil:
		if d.setBroken(mark{Destination: *o.Broken}) {
			d.log.Error("a conversation can't be reached", zap.String("lane", o.Broken.Lane), zap.String("reason", o.Broken.Code),
				zap.String("hint", o.Broken.Hint), zap.String("fallback", d.known().fallback))
		}
	case o.Mended != "":
		d.setWorking(o.Mended)
	}
}

// setBroken adds or replaces a mark and reports whether its lane had none.
func (d *destinations) setBroken(m mark) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	m.Lane = d.names.Lane(m.Lane)
	now := d.known()
	_, known := now.broken[m.Lane]
	d.replace(reachability{now.fallback, withMark(now.broken, m)})
	return !known
}

// withMark returns a copy of broken with one more mark.
func withMark(broken map[string]mark, m mark) map[string]mark {
	all := maps.Clone(broken)
	if all == nil {
		all = map[string]mark{}
	}
	all[m.Lane] = m
	return all
}

// setWorking removes a lane's mark.
func (d *destinations) setWorking(lane string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	lane = d.names.Lane(lane)
	now := d.known()
	m, known := now.broken[lane]
	if !known {
		return
	}
	now.broken = maps.Clone(now.broken)
	delete(now.broken, lane)
	d.replace(now)
	d.log.Info("a conversation can be reached again", zap.String("lane", lane), zap.Time("broken_since", m.Since))
}

func (d *destinations) replace(now reachability) {
	d.now.Store(&now)
	d.gauge.Set(float64(len(now.broken)))
	signal(d.changed)
	signal(d.worse)
}

// sorted returns the marks in the order of their lanes.
func (r reachability) sorted() []mark {
	all := make([]mark, 0, len(r.broken))
	for _, lane := range slices.Sorted(maps.Keys(r.broken)) {
		all = append(all, r.broken[lane])
	}
	return all
}

// refused returns Slack's code for why the job's lane can't be reached, if the job
// goes elsewhere.
func (r reachability) refused(job alert.Job) string {
	if job.Via == "" {
		return ""
	}
	return r.broken[job.Lane].Code
}

// loadDestinations loads what an earlier run knew and retries until it can. It
// returns false when ctx ends first.
func (o *Outbox) loadDestinations(ctx context.Context) bool {
	return o.retry(ctx, "load broken destinations", func() error {
		o.naming.Lock()
		defer o.naming.Unlock()
		names := o.queue.Aliases()
		o.names.Store(names)
		return o.destinations.load(ctx, names, o.queue)
	})
}

// load replaces what is known by what the queue knows, under the present names.
func (d *destinations) load(ctx context.Context, names *alert.Aliases, queue Queue) error {
	d.mu.Lock() // what is recorded meanwhile is applied afterwards
	defer d.mu.Unlock()
	broken, err := queue.Broken(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	before, all := d.known().broken, map[string]mark{}
	for _, b := range broken {
		// If the clock was put back, or is put back later, the next check still comes in time.
		b.ProbeAt = now.Add(min(b.ProbeAt.Sub(now), d.probeEvery))
		all[b.Lane] = mark{Destination: b, trial: before[b.Lane].trial}
	}
	d.names = names
	d.replace(reachability{names.Lane(d.configured), all})
	return nil
}

// probeBroken checks broken destinations, each every Options.ReachEvery, until
// they accept messages again.
func (o *Outbox) probeBroken(ctx context.Context) {
	for ctx.Err() == nil {
		now := time.Now()
		next := now.Add(time.Hour)
		for _, m := range o.destinations.known().sorted() {
			if !m.ProbeAt.After(now) {
				m.ProbeAt = o.check(ctx, m)
			}
			next = earliest(next, m.ProbeAt)
		}
		timer := time.NewTimer(max(time.Until(next), minWait))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-o.destinations.changed:
		}
		timer.Stop()
	}
}

// check asks Slack about one destination, records the result, and returns when to check
// again.
func (o *Outbox) check(ctx context.Context, m mark) time.Time {
	at := time.Now().Add(o.opts.Load().ReachEvery)
	if o.gate.wait() != nil { // Slack refuses the app itself
		return at
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	sure, err := o.sender.Reach(ctx, m.Destination)
	now := time.Now()
	found := m
	found.ProbeAt, found.trial = at, err == nil
	if fail := failure(err); err != nil && fail.Class == alert.ClassDestination {
		found.Code, found.Hint = fail.Code, fail.Hint
	}
	abandoned := !now.Before(m.Since.Add(o.opts.Load().GiveUpAfter)) && !o.hasPending(m.Lane)
	if err == nil && sure || abandoned {
		found.Destination = alert.Destination{Lane: m.Lane, ProbeAt: now}
	}
	if err := o.queue.Mark(ctx, found.Destination); err != nil {
		o.log.Warn("mark a destination", zap.String("lane", m.Lane), zap.Error(err))
		return at
	}
	if !found.Since.IsZero() {
		o.destinations.setBroken(found)
		return at
	}
	o.destinations.setWorking(m.Lane)
	o.wakeBroken(m.Lane)
	return at
}

// wakeBroken wakes the lanes that may go on now that some work again, or have another fallback.
func (o *Outbox) wakeBroken(lanes ...string) {
	for _, m := range o.destinations.known().sorted() {
		lanes = append(lanes, m.Lane)
	}
	o.Wake(lanes...)
}

// hasPending reports whether a lane has pending deliveries.
func (o *Outbox) hasPending(lane string) bool {
	o.mu.Lock()
	l := o.lanes[lane]
	o.mu.Unlock()
	if l == nil {
		return false
	}
	doing, _ := l.status.read()
	return doing != doingIdle
}
