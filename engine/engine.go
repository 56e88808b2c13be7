// Package engine decides what an alert, a person or the clock changes: it loads
// what is known, decides by pure rules, and commits the change.
//
// It delivers nothing, knows nothing of Slack's API, and keeps no state but
// what is in the store, except for the requests that wait for a commit and an index of
// the incidents that inhibit others.
package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"tocsin/alert"
)

// Store keeps everything that decisions build on.
type Store interface {
	// Load returns what q asks for, as it is now.
	Load(ctx context.Context, q alert.Query) (alert.Snapshot, error)
	// Commit writes all of c or nothing and returns nil only once it is durable.
	// The error is alert.ErrConflict if something c builds on has changed.
	Commit(ctx context.Context, c alert.Change) error
	// Arrivals lists what other replicas have accepted and nobody has decided, in the order
	// it came, and most at most.
	Arrivals(ctx context.Context, most int) ([]alert.Arrival, error)
}

// Options are what the engine is built with; zero values get the defaults. Reload can replace
// Routing, Heartbeats, ImageHosts, Flapping, MaxPending and TraceURL.
type Options struct {
	// TraceURL is the address of a trace (see alert.Traceparent.Link); empty for no links.
	TraceURL string
	// Routing says where alerts go and how they escalate. Its Default must be set.
	Routing alert.Routing
	// Heartbeats are those of the configuration, by name.
	Heartbeats map[string]alert.Terms
	// ImageHosts are those from which images are fetched.
	ImageHosts alert.ImageHosts
	// Aliases are the spellings of people that Slack has said to be the same; it must be quick.
	// nil: there are none.
	Aliases func() *alert.Aliases
	// Flapping says when an incident flaps.
	Flapping Flapping
	// MaxPending is how many alerts may be pending before further ones are refused
	// with alert.ErrBacklog. Pending returns how many are; it must be quick. Without
	// Pending there is no limit.
	MaxPending int64
	Pending    func() int64
	// Wake is called with the lanes for which a commit has added deliveries. It must
	// not block.
	Wake func(lanes ...string)
	// Committed is called with the alerts of each request that was written, and their receipts:
	// when deciding them began, and how many were written together. It must be quick. nil:
	// nobody is told.
	Committed func(began time.Time, together int, alerts []alert.Alert, receipts []alert.Accepted)
	// Front has another replica decide all requests, and Run is not called. nil: this one does.
	Front Front
	// Arrived tells that there may be arrivals. Those of before the start need no sign.
	Arrived <-chan struct{}
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Log gets panics, and errors that no caller gets. Default: none.
	Log     *zap.Logger
	Metrics prometheus.Registerer
}

const (
	// maxWaiting is how many requests may wait for a commit; further ones are
	// refused with alert.ErrOverloaded.
	maxWaiting = 4096
	// maxWaitingAlerts is the same in alerts, which bounds the memory whatever the
	// size of the requests.
	maxWaitingAlerts = 50_000
	// maxBatch is how many alerts and acts of waiting requests share one commit.
	maxBatch = 512
	// maxTries is how often a change is decided again after conflicts.
	maxTries = 8
	// maxSkip is the largest distance between the ids of two new incidents. With gaps,
	// a mistyped id is likely to be unknown.
	maxSkip = 15
)

// Engine accepts alerts, acts and silences, and processes what is due. Its methods
// may be called from any goroutine while Run runs.
type Engine struct {
	store   Store
	opts    Options
	waiting chan *request
	// latest are the options as of the latest Reload, and current those that decisions
	// follow. Only Run uses these, so that a decision sees one configuration. reloaded
	// wakes Run up.
	latest   atomic.Pointer[Options]
	current  *Options
	reloaded chan struct{}
	queued   atomic.Int64 // alerts and acts that wait or are being committed
	ended    chan struct{}
	metrics  metrics
	// due is when something is due next, and stuck is set while due incidents can't
	// be processed. Only Run uses them.
	due   time.Time
	stuck bool
	// deaf is set when signs of life may have been lost, as they are before the start.
	// lookedAt and lookedSince are the clock at the last look, and how long it was then
	// since started.
	deaf bool
	// resumed is set once the heartbeats have been looked at after the start.
	resumed bool
	// renewed is set until everything that is due by new rules at another time is known.
	renewed     bool
	lookedAt    time.Time
	lookedSince time.Duration
	started     time.Time
	inhibition  inhibition
}

type request struct {
	input
	// arrival is the one that it is, or empty.
	arrival alert.Arrival
	done    chan result // has room for the one result
}

// size is the number of alerts and acts in a request.
func (in input) size() int { return max(1, len(in.alerts)+len(in.acts)+len(in.beats)) }

// New returns an engine that accepts nothing until Run is called.
func New(store Store, opts Options) *Engine {
	opts = opts.withDefaults()
	e := &Engine{
		store: store, opts: opts, current: &opts, metrics: newMetrics(opts.Metrics), deaf: true, started: time.Now(),
		waiting: make(chan *request, maxWaiting), ended: make(chan struct{}), reloaded: make(chan struct{}, 1),
	}
	e.latest.Store(&opts)
	return e
}

func (opts Options) withDefaults() Options {
	if opts.Routing.ReopenWithin == 0 {
		opts.Routing.ReopenWithin = 30 * time.Minute
	}
	if opts.Flapping.Times == 0 {
		opts.Flapping.Times = 5
	}
	if opts.Flapping.Within == 0 {
		opts.Flapping.Within = 5 * time.Minute
	}
	if opts.Wake == nil {
		opts.Wake = func(...string) {}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = zap.NewNop()
	}
	return opts
}

// Reload has every request that comes after it, and what is due, decided by the Routing,
// Heartbeats, ImageHosts, Flapping, MaxPending and TraceURL of opts.
func (e *Engine) Reload(opts Options) {
	opts = opts.withDefaults()
	e.latest.Store(&opts)
	select {
	case e.reloaded <- struct{}{}:
	default: // it is about to wake up
	}
}

// follow lets the next decisions follow the latest rules.
func (e *Engine) follow() {
	latest := e.latest.Load()
	if latest == e.current {
		return
	}
	e.current, e.renewed = latest, true
	e.inhibition.known = nil // it is by the old ones
	e.due = e.now()
}

// Push accepts alerts, all or none: once it returns receipts, they are on disk and
// will be delivered. The error is an *alert.InputError for a bad alert, an
// *alert.ForbiddenError for one that its sender may not send, or wraps
// alert.ErrBacklog, alert.ErrOverloaded, alert.ErrUnavailable or alert.ErrInternal.
// If ctx ends first, its error is returned, and the alerts may have been accepted
// or not. The alerts' labels and links must not be changed afterwards.
func (e *Engine) Push(ctx context.Context, alerts []alert.Alert) ([]alert.Accepted, error) {
	rules := e.latest.Load()
	prepared, err := prepare(rules, e.opts.Now(), alerts)
	if err != nil {
		return nil, err
	}
	if e.opts.Pending != nil && e.opts.Pending()+int64(len(alerts)) > rules.MaxPending {
		return nil, fmt.Errorf("accept: %w (at most %d may)", alert.ErrBacklog, rules.MaxPending)
	}
	r, err := e.submit(ctx, input{alerts: prepared})
	if err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	for n := range prepared {
		r.accepted[n].Notes = slices.Concat(prepared[n].Notes, r.accepted[n].Notes)
	}
	return r.accepted, nil
}

// submit passes in to Run and waits for the result.
func (e *Engine) submit(ctx context.Context, in input) (result, error) {
	if e.opts.Front != nil {
		return e.forward(ctx, in)
	}
	r := &request{input: in, done: make(chan result, 1)}
	if err := e.enqueue(r); err != nil {
		return result{}, err
	}
	select {
	case got := <-r.done:
		return got, got.err
	case <-ctx.Done():
		return result{}, ctx.Err()
	case <-e.ended:
		return e.finalResult(r)
	}
}

// enqueue puts r into the queue of Run unless that is full. A request that is above
// the limit by itself is accepted when the queue is empty.
func (e *Engine) enqueue(r *request) error {
	select {
	case <-e.ended:
		return fmt.Errorf("shutting down: %w", alert.ErrUnavailable)
	default:
	}
	size := int64(r.size())
	if held := e.queued.Add(size); held > maxWaitingAlerts && held > size {
		e.queued.Add(-size)
		return alert.ErrOverloaded
	}
	select {
	case e.waiting <- r:
		return nil
	default:
		e.queued.Add(-size)
		return alert.ErrOverloaded
	}
}

// finalResult returns the result if it came while the engine ended.
func (e *Engine) finalResult(r *request) (result, error) {
	select {
	case got := <-r.done:
		return got, got.err
	default:
		return result{}, fmt.Errorf("shutting down: %w", alert.ErrUnavailable)
	}
}

// prepare returns checked and completed copies of the alerts.
func prepare(rules *Options, now time.Time, alerts []alert.Alert) ([]alert.Alert, error) {
	if len(alerts) == 0 {
		return nil, &alert.InputError{Message: "there is no alert in the request", Hint: `write at least {"title": "disk full on db-3"}`}
	}
	prepared := make([]alert.Alert, len(alerts))
	for i, a := range alerts {
		rules.permitMention(&a)
		if link, ok := a.Traceparent.Link(rules.TraceURL); ok {
			a.Links = append(slices.Clip(a.Links), link)
		}
		a.Images = rules.ImageHosts.Mark(a.Images)
		a.Message = a.Message.WithMentions(rules.permits)
		if err := a.Prepare(now); err != nil {
			var bad *alert.InputError
			if errors.As(err, &bad) && len(alerts) > 1 {
				bad.Item = i + 1
			}
			var forbidden *alert.ForbiddenError
			if errors.As(err, &forbidden) && len(alerts) > 1 {
				forbidden.Item = i + 1
			}
			return nil, err
		}
		prepared[i] = a
	}
	return prepared, nil
}

// permits reports whether senders may notify by a mention.
func (opts *Options) permits(mention string) bool {
	return opts.Routing.Permits(mention) || opts.lists(mention)
}

// lists reports whether a mention, or another spelling of it, is one of those permitted.
func (opts *Options) lists(mention string) bool {
	var known *alert.Aliases
	if opts.Aliases != nil {
		known = opts.Aliases()
	}
	return slices.ContainsFunc(opts.Routing.Mentionable, func(who string) bool { return known.Lane(who) == known.Lane(mention) })
}

// permitMention lets those whom an alert mentions be notified if that is permitted. The
// others stay in Mention, and are noted.
func (opts *Options) permitMention(a *alert.Alert) {
	mentions, unknown := alert.ParseMentions(a.Mention)
	if name := "@" + strings.ToLower(a.Mention); len(mentions) == 0 && opts.lists(name) {
		mentions, unknown = []string{name}, nil // bob is @bob where he is listed
	}
	denied := slices.DeleteFunc(slices.Clone(mentions), opts.permits)
	a.Pings = slices.DeleteFunc(mentions, func(who string) bool { return slices.Contains(denied, who) })
	if len(a.Pings) > 0 {
		a.Mention = strings.Join(append(slices.Clone(denied), unknown...), ", ")
	}
	note := func(who, why string) {
		whom := "notifies nobody"
		if len(a.Pings)+len(denied)+len(unknown) > 1 {
			whom = fmt.Sprintf("does not notify %q", who)
		}
		a.Notes = append(slices.Clip(a.Notes), fmt.Sprintf("mention %s: %s", whom, why))
	}
	for _, who := range denied {
		note(who, fmt.Sprintf("permissions.mention does not list %q", who))
	}
	for _, who := range unknown {
		_, err := alert.ParseMention(who)
		note(who, err.Error())
	}
}

// Run decides and commits requests, and processes what is due, until ctx ends.
// Requests that wait at that time are still committed.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.ended)
	clock := time.NewTimer(0) // something may have become due before the start
	defer clock.Stop()
	putBack := time.NewTicker(alert.ClockSlack)
	defer putBack.Stop()
	e.runDue(ctx) // before the first request, which may be about a heartbeat of the configuration
	more, now := e.decideArrivals(ctx), make(chan struct{})
	close(now)
	for {
		arrived := e.opts.Arrived
		if more {
			arrived = now
		}
		select {
		case first := <-e.waiting:
			e.serve(e.gather(first))
		case <-arrived:
			more = e.decideSomeArrivals(ctx)
		case <-e.reloaded:
			e.follow()
		case <-clock.C:
			e.follow()
			e.runDue(ctx)
			e.decideInhibited(ctx)
		case <-putBack.C:
			e.correctFutureTimes(ctx)
		case <-ctx.Done():
			e.drain()
			return nil
		}
		clock.Reset(e.pause())
	}
}

func (e *Engine) drain() {
	for {
		select {
		case first := <-e.waiting:
			e.serve(e.gather(first))
		default:
			return
		}
	}
}

// gather collects the requests that arrived during the last commit, so that they
// share the next one and its sync.
func (e *Engine) gather(first *request) []*request {
	batch, size := []*request{first}, first.size()
	// A query names at most one silence, so a commit changes or ends at most one.
	for size < maxBatch && batch[len(batch)-1].named() == "" {
		select {
		case r := <-e.waiting:
			batch = append(batch, r)
			size += r.size()
		default:
			return batch
		}
	}
	return batch
}

// serve decides and commits a batch. If that fails, every request is tried again by
// itself, so that a bad one does not fail the others; but not because of the store.
func (e *Engine) serve(batch []*request) {
	e.follow()
	began := e.opts.Now()
	results, err := e.decideBatch(batch)
	if err != nil && len(batch) > 1 && !errors.Is(err, alert.ErrUnavailable) && !errors.Is(err, alert.ErrInDoubt) {
		for _, r := range batch {
			e.serve([]*request{r})
		}
		return
	}
	if lasting(err) && batch[0].arrival.ID != "" && !e.settle(batch[0].arrival, err) { // it is alone by now
		err = fmt.Errorf("%w: it waits: %w", alert.ErrUnavailable, err)
	}
	e.logPanic(err)
	e.noteDeaf(batch, err)
	e.reportCommitted(began, batch, results) // before the callers get their receipts, which they change
	for n, r := range batch {
		got := result{err: err}
		if err == nil {
			got = results[n]
		}
		e.queued.Add(-int64(r.size()))
		r.done <- got
	}
}

// reportCommitted passes to Options.Committed what has become of a batch; results are none if it
// was not written.
func (e *Engine) reportCommitted(began time.Time, batch []*request, results []result) {
	if e.opts.Committed == nil {
		return
	}
	together := 0
	for _, r := range results {
		together += len(r.accepted)
	}
	for n, r := range results {
		e.opts.Committed(began, together, batch[n].alerts, r.accepted)
	}
}

// logPanic logs the stack trace of a panic, which the caller does not get.
func (e *Engine) logPanic(err error) {
	var p *panicError
	if errors.As(err, &p) {
		e.opts.Log.Error("a decision panicked", zap.Any("panic", p.value), zap.ByteString("stack", p.stack))
	}
}

// decideBatch decides all requests of a batch in one commit. It has no context of a
// request, because the others still wait when one caller has gone.
func (e *Engine) decideBatch(batch []*request) ([]result, error) {
	inputs := make([]input, len(batch))
	for n, r := range batch {
		inputs[n] = r.input
	}
	var results []result
	err := e.commit(context.Background(), query(e.current.Routing, inputs), func(now time.Time, snapshot alert.Snapshot) (c alert.Change) {
		c, results = decide(e.rules(), now, snapshot, inputs)
		c.Receipts = receipts(batch, results)
		return c
	})
	if err != nil {
		return nil, err
	}
	e.metrics.committed(inputs, results)
	e.logArrivals(batch, results)
	return results, nil
}
