// Package trace records what becomes of alerts as spans of OpenTelemetry: accepting and
// committing them, waiting in the lane, and each attempt at Slack.
//
// It is configured by OpenTelemetry's variables of the environment, and sends OTLP over HTTP
// as JSON. OpenTelemetry's own packages do much more, and would make the binary a megabyte
// larger. It decides nothing, and keeps nobody waiting: what a collector does not take in time
// is dropped.
package trace

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.uber.org/zap"

	"tocsin/alert"
)

// Store knows which alerts a delivery shows.
type Store interface {
	Delivery(ctx context.Context, id string) (alert.DeliveryDetail, error)
}

// Options are what a Tracer is built with.
type Options struct {
	// Getenv returns a variable or the empty string.
	Getenv func(string) string
	// ReadFile reads the certificates that the variables name.
	ReadFile func(string) ([]byte, error)
	Store    Store
	// Version is Tocsin's.
	Version string
	Log     *zap.Logger
	Metrics prometheus.Registerer
}

// Tracer records spans; a nil one records nothing. Its methods may be called from any
// goroutine.
type Tracer struct {
	settings
	store Store
	// queue has the spans that have ended. One that finds it full is dropped.
	queue   chan span
	dropped prometheus.Counter
	// closing is closed once what is in the queue has to be sent, stop once sending has to
	// end, and ended when it has.
	closing, stop, ended chan struct{}
}

// New returns a Tracer, or nil if the environment names no collector. It starts a goroutine
// that ends with Close.
func New(opts Options) (*Tracer, error) {
	s, err := readSettings(opts.Getenv, opts.ReadFile, opts.Version)
	if err != nil || s.endpoint == "" {
		return nil, err
	}
	t := &Tracer{
		settings: s, store: opts.Store, queue: make(chan span, s.queueSize),
		dropped: promauto.With(opts.Metrics).NewCounter(prometheus.CounterOpts{
			Name: "tocsin_trace_spans_dropped_total", Help: "Spans of OpenTelemetry that the collector did not take in time.",
		}),
		closing: make(chan struct{}), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	opts.Log.Info("traces are sent", zap.String("to", s.place()))
	go t.send(newExporter(s.target, opts.Log))
	return t, nil
}

// flushTime is how long the last spans may take to be sent.
const flushTime = time.Second / 2

// Close sends what is left, as far as the collector takes it at once. It is called once.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	close(t.closing)
	late := time.AfterFunc(flushTime, func() { close(t.stop) })
	defer late.Stop()
	<-t.ended
}

// send passes spans on in batches until Close, and then those that are left.
func (t *Tracer) send(to *exporter) {
	defer close(t.ended)
	defer to.client.CloseIdleConnections()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-t.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	for closing := false; !closing; {
		batch, over := t.gather()
		closing = over
		for len(batch) > 0 {
			n := min(len(batch), t.batchSize)
			t.export(ctx, to, batch[:n])
			batch = batch[n:]
		}
	}
}

// export sends a batch in the time that one may take.
func (t *Tracer) export(ctx context.Context, to *exporter, batch []span) {
	ctx, cancel := context.WithTimeout(ctx, t.exportTimeout)
	defer cancel()
	if !to.export(ctx, t.resource, batch) {
		t.dropped.Add(float64(len(batch)))
	}
}

// gather waits for a full batch, or for as long as spans may wait. closing is true if there
// will be no more.
func (t *Tracer) gather() (batch []span, closing bool) {
	timer := time.NewTimer(t.delay)
	defer timer.Stop()
	for len(batch) < t.batchSize {
		select {
		case s := <-t.queue:
			batch = append(batch, s)
		case <-timer.C:
			return batch, false
		case <-t.closing:
			for {
				select {
				case s := <-t.queue:
					batch = append(batch, s)
				default:
					return batch, true
				}
			}
		}
	}
	return batch, false
}
