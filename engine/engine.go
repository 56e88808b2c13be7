// Package engine decides what an alert, a person or the clock changes: it loads
// what is known, decides by pure rules, and commits the change.
//
// It refuses to deliver anything, to know Slack, and to keep state that is not
// in the store.
package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/alert"
)

// Store is what the engine remembers with.
type Store interface {
	// Load answers what is true now.
	Load(ctx context.Context, q alert.Question) (alert.Facts, error)
	// Commit writes all of c or nothing and returns nil only once it is durable.
	// The error is alert.ErrConflict if something c builds on has changed.
	Commit(ctx context.Context, c alert.Change) error
}

// Options are what the engine is built with; zero values get the defaults.
type Options struct {
	// DefaultLane is the conversation of alerts that name none.
	DefaultLane string
	// ReopenWithin is how long after its end an incident comes back in the same
	// thread; later the same key opens a new one. Default 30 min.
	ReopenWithin time.Duration
	// MaxPending is how many alerts may wait for Slack before further ones are
	// turned away with alert.ErrBacklog, and Pending says how many do; it must be
	// quick. Without Pending there is no limit.
	MaxPending int64
	Pending    func() int64
	// Owed is told which lanes a commit owes something to. It must not block.
	Owed func(lanes ...string)
	// Now is the clock. Default time.Now.
	Now     func() time.Time
	Metrics prometheus.Registerer
}

const (
	// maxWaiting is how many requests may wait for a commit; further ones are
	// turned away with alert.ErrOverloaded.
	maxWaiting = 4096
	// maxWaitingAlerts is the same in alerts, so that what waits has a bound in
	// memory too, however large the requests are.
	maxWaitingAlerts = 50_000
	// maxBatch is how many alerts one commit gathers from waiting requests.
	maxBatch = 512
	// maxTries bounds load-decide-commit rounds that end in a conflict.
	maxTries = 8
)

// Engine accepts alerts. Push may be called from any goroutine while Run runs.
type Engine struct {
	store   Store
	opts    Options
	waiting chan *request
	held    atomic.Int64 // alerts that wait or are being committed
	ended   chan struct{}
	metrics metrics
}

type request struct {
	alerts []alert.Alert
	done   chan result // has room for the one result
}

type result struct {
	accepted []alert.Accepted
	err      error
}

// New returns an engine that accepts nothing until Run is called.
func New(store Store, opts Options) *Engine {
	if opts.ReopenWithin == 0 {
		opts.ReopenWithin = 30 * time.Minute
	}
	if opts.Owed == nil {
		opts.Owed = func(...string) {}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Engine{
		store: store, opts: opts, metrics: newMetrics(opts.Metrics),
		waiting: make(chan *request, maxWaiting), ended: make(chan struct{}),
	}
}

// Push accepts alerts, all or none: once it returns receipts they are on disk
// and will be delivered. The error is an *alert.InputError for a bad alert, or
// wraps alert.ErrBacklog, alert.ErrOverloaded or alert.ErrUnavailable. If ctx ends first, its
// error is returned and the alerts may have been accepted or not.
func (e *Engine) Push(ctx context.Context, alerts []alert.Alert) ([]alert.Accepted, error) {
	prepared, err := e.prepare(alerts)
	if err != nil {
		return nil, err
	}
	if e.opts.Pending != nil && e.opts.Pending()+int64(len(alerts)) > e.opts.MaxPending {
		return nil, fmt.Errorf("accept: %w (at most %d may)", alert.ErrBacklog, e.opts.MaxPending)
	}
	r := &request{alerts: prepared, done: make(chan result, 1)}
	if err := e.enqueue(r); err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	select {
	case got := <-r.done:
		return got.accepted, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-e.ended:
		return e.lastWord(r)
	}
}

// enqueue hands r to Run, unless too much waits there already. A request that
// is too large by itself is let in when nothing else waits.
func (e *Engine) enqueue(r *request) error {
	select {
	case <-e.ended:
		return fmt.Errorf("shutting down: %w", alert.ErrUnavailable)
	default:
	}
	size := int64(len(r.alerts))
	if held := e.held.Add(size); held > maxWaitingAlerts && held > size {
		e.held.Add(-size)
		return alert.ErrOverloaded
	}
	select {
	case e.waiting <- r:
		return nil
	default:
		e.held.Add(-size)
		return alert.ErrOverloaded
	}
}

// lastWord looks once more for a result that came as the engine ended.
func (e *Engine) lastWord(r *request) ([]alert.Accepted, error) {
	select {
	case got := <-r.done:
		return got.accepted, got.err
	default:
		return nil, fmt.Errorf("accept: shutting down: %w", alert.ErrUnavailable)
	}
}

// prepare checks and completes copies of the alerts.
func (e *Engine) prepare(alerts []alert.Alert) ([]alert.Alert, error) {
	if len(alerts) == 0 {
		return nil, &alert.InputError{Message: "there is no alert in the request", Hint: `write at least {"title": "disk full on db-3"}`}
	}
	now := e.opts.Now()
	prepared := make([]alert.Alert, len(alerts))
	for i, a := range alerts {
		a = a.Clone()
		if err := a.Prepare(now); err != nil {
			var bad *alert.InputError
			if errors.As(err, &bad) && len(alerts) > 1 {
				bad.Item = i + 1
			}
			return nil, err
		}
		prepared[i] = a
	}
	return prepared, nil
}

// Run commits what Push brings until ctx ends; what was waiting by then is
// still committed.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.ended)
	for {
		select {
		case first := <-e.waiting:
			e.serve(e.gather(first))
		case <-ctx.Done():
			e.drain()
			return nil
		}
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

// gather takes what came while the last commit was being synced, so that one
// sync carries many alerts.
func (e *Engine) gather(first *request) []*request {
	batch, alerts := []*request{first}, len(first.alerts)
	for alerts < maxBatch {
		select {
		case r := <-e.waiting:
			batch = append(batch, r)
			alerts += len(r.alerts)
		default:
			return batch
		}
	}
	return batch
}

// serve commits a batch. One bad neighbour must not fail the others, so a batch
// that can't be committed is tried again request by request.
func (e *Engine) serve(batch []*request) {
	receipts, err := e.commit(batch)
	if err != nil && len(batch) > 1 {
		for _, r := range batch {
			e.serve([]*request{r})
		}
		return
	}
	for _, r := range batch {
		got := result{err: err}
		if err == nil {
			got.accepted, receipts = receipts[:len(r.alerts)], receipts[len(r.alerts):]
		}
		e.held.Add(-int64(len(r.alerts)))
		r.done <- got
	}
}

// commit loads, decides and commits, again while somebody else was faster. It
// is not cut short by a sender that went away: others wait for the same sync.
func (e *Engine) commit(batch []*request) ([]alert.Accepted, error) {
	var alerts []alert.Alert
	for _, r := range batch {
		alerts = append(alerts, r.alerts...)
	}
	ctx := context.Background()
	for try := 1; ; try++ {
		facts, err := e.store.Load(ctx, question(alerts))
		if err != nil {
			return nil, fmt.Errorf("load incidents: %w", err)
		}
		d := e.decide(facts, alerts)
		err = e.store.Commit(ctx, d.change)
		if errors.Is(err, alert.ErrConflict) && try < maxTries {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("commit alerts: %w", err)
		}
		e.metrics.committed(d.receipts)
		e.opts.Owed(d.change.Lanes()...)
		return d.receipts, nil
	}
}

// question asks for what deciding about alerts needs.
func question(alerts []alert.Alert) alert.Question {
	var q alert.Question
	seen := make(map[string]bool, len(alerts))
	for _, a := range alerts {
		if !seen[a.Key] {
			seen[a.Key] = true
			q.Keys = append(q.Keys, a.Key)
		}
		if a.IdempotencyKey != "" {
			q.IdempotencyKeys = append(q.IdempotencyKeys, a.IdempotencyKey)
		}
	}
	return q
}
