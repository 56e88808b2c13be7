package trace

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/trace"

	"tocsin/alert"
)

// identity is the id of a span that others know without having seen it, because it follows
// from the id of an alert or a delivery: an attempt after a restart is a child of the span
// that accepted the alert. trace is that of a span without a parent.
type identity struct {
	trace trace.TraceID
	span  trace.SpanID
}

// identityOf is the one of an alert or a delivery.
func identityOf(id string) (known identity) {
	sum := sha256.Sum256([]byte(id))
	copy(known.trace[:], sum[:])
	copy(known.span[:], sum[len(known.trace):])
	return known
}

// identityKey is that of the next span's identity in a context.
type identityKey struct{}

// ids takes the ids of spans from their contexts.
type ids struct{}

// NewIDs implements sdk.IDGenerator for a span without a parent.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	known, _ := ctx.Value(identityKey{}).(identity)
	return known.trace, known.span
}

// NewSpanID implements sdk.IDGenerator for a span with a parent.
func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	known, _ := ctx.Value(identityKey{}).(identity)
	return known.span
}

// start begins a span that somebody else may know.
func (t *Tracer) start(ctx context.Context, name string, id identity, at time.Time, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	return t.tracer.Start(context.WithValue(ctx, identityKey{}, id), name, append(opts, trace.WithTimestamp(at))...)
}

// child begins a span that nobody else knows.
func (t *Tracer) child(ctx context.Context, name string, at time.Time, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	var id identity
	binary.BigEndian.PutUint64(id.span[:], rand.Uint64()|1) // all zeros are no id
	return t.start(ctx, name, id, at, opts...)
}

// remote is the sender's span, or an invalid one for none.
func remote(t alert.Traceparent) trace.SpanContext {
	if t == "" {
		return trace.SpanContext{}
	}
	traceID, _ := trace.TraceIDFromHex(t.TraceID()) // a Traceparent is valid
	spanID, _ := trace.SpanIDFromHex(t.Parent())
	var flags trace.TraceFlags
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: flags.WithSampled(t.Sampled()), Remote: true})
}
