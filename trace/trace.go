// Package trace records what becomes of alerts as spans of OpenTelemetry: accepting and
// committing them, waiting in the lane, and each attempt at Slack.
//
// It is configured by OpenTelemetry's variables of the environment, and sends OTLP over HTTP
// as JSON. It decides nothing, and keeps nobody waiting: what a collector does not take in
// time is dropped.
package trace

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
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
	Store  Store
	// Version is Tocsin's.
	Version string
	Log     *zap.Logger
}

// Tracer records spans; a nil one records nothing. Its methods may be called from any
// goroutine.
type Tracer struct {
	store    Store
	tracer   trace.Tracer
	provider *sdk.TracerProvider
	stop     chan struct{} // closed once exports have to end
}

// New returns a Tracer, or nil if the environment names no collector. It starts a goroutine
// that ends with Close.
func New(opts Options) (*Tracer, error) {
	to, err := readTarget(opts.Getenv)
	if err != nil || to.endpoint == "" {
		return nil, err
	}
	about, err := resource.Merge(
		resource.NewSchemaless(attribute.String("service.name", "tocsin"), attribute.String("service.version", opts.Version)),
		resource.Environment())
	if err != nil {
		return nil, fmt.Errorf("read OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	// OpenTelemetry has one handler of errors in a process, which writes to standard error.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { opts.Log.Warn("tracing", zap.Error(err)) }))
	t := &Tracer{store: opts.Store, stop: make(chan struct{})}
	t.provider = sdk.NewTracerProvider(sdk.WithResource(about), sdk.WithIDGenerator(ids{}), sdk.WithBatcher(newExporter(to, t.stop, opts.Log)))
	t.tracer = t.provider.Tracer("tocsin", trace.WithInstrumentationVersion(opts.Version))
	opts.Log.Info("traces are sent", zap.String("to", to.endpoint))
	return t, nil
}

// flushTime is how long the last spans may take to be sent.
const flushTime = time.Second / 2

// Close sends what is left, as far as the collector takes it at once.
func (t *Tracer) Close() error {
	if t == nil {
		return nil
	}
	late := time.AfterFunc(flushTime, func() { close(t.stop) })
	defer late.Stop()
	return t.provider.Shutdown(context.Background())
}
