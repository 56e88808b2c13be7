package trace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"tocsin/alert"
)

// place is where a span is: the ids of its trace and of itself, hexadecimal, and what the
// sender's systems say of the trace. The ids of the
// spans of alerts and deliveries follow from those of the alerts and deliveries, so that an
// attempt after a restart is below the span that accepted the alert. The zero value is no
// place.
type place struct {
	trace, span string
	state       alert.Tracestate
	sampled     bool
}

// placeOf is the place of an alert's or a delivery's span in a trace, or, with a zero one, in
// a trace of its own.
func (t *Tracer) placeOf(id string, in place) place {
	sum := sha256.Sum256([]byte(id))
	at := place{hex.EncodeToString(sum[:16]), hex.EncodeToString(sum[16:24]), in.state, in.sampled}
	if in.trace != "" {
		at.trace = in.trace
	} else {
		at.sampled = t.samples(at.trace)
	}
	return at
}

// sender is the place of the sender's span; zero for none.
func (t *Tracer) sender(a alert.Alert) place {
	sent := a.Traceparent
	if sent == "" {
		return place{}
	}
	at := place{sent.TraceID(), sent.Parent(), a.Tracestate, sent.Sampled()}
	if !t.parentBased {
		at.sampled = t.samples(at.trace)
	}
	return at
}

// samples reports whether a trace is one of those that are recorded.
func (t *Tracer) samples(trace string) bool {
	lower, _ := strconv.ParseUint(trace[16:], 16, 64) // of its own, or valid
	return t.ratio >= 1 || float64(lower>>1) < t.ratio*(1<<63)
}

// recording is a span that has begun. One that is not sampled is only a place for others.
type recording struct {
	place
	tracer *Tracer
	span   span
}

// The kinds of spans, as OTLP numbers them.
const (
	kindInternal = 1
	kindServer   = 2
	kindClient   = 3
	kindProducer = 4
)

// begin begins a span at a place below parent, which is zero for none.
func (t *Tracer) begin(at, parent place, name string, kind int, began time.Time) *recording {
	return &recording{place: at, tracer: t, span: span{
		TraceID: at.trace, SpanID: at.span, TraceState: at.state, ParentSpanID: parent.span, Flags: 1, Name: name, Kind: kind, StartTimeUnixNano: nanos(began),
	}}
}

// child begins a span that nobody else needs to know.
func (t *Tracer) child(parent place, name string, kind int, began time.Time) *recording {
	at := parent
	at.span = fmt.Sprintf("%016x", rand.Uint64()|1) // all zeros are not an id
	return t.begin(at, parent, name, kind, began)
}

// set adds an attribute: a text or a whole number.
func (r *recording) set(name string, v any) {
	if r.sampled {
		r.span.Attributes = append(r.span.Attributes, attribute(name, v))
	}
}

// fail says that it did not succeed, and why.
func (r *recording) fail(why string) { r.span.Status = status{statusError, short(why)} }

// end ends the span, and passes it on unless the queue is full.
func (r *recording) end(at time.Time) {
	if !r.sampled {
		return
	}
	r.span.EndTimeUnixNano = nanos(at)
	select {
	case r.tracer.queue <- r.span:
	default: // the collector is too slow
		r.tracer.dropped.Inc()
	}
}

// longestText is how many bytes of a text are sent.
const longestText = 1 << 10

func short(text string) string {
	if len(text) <= longestText {
		return text
	}
	return strings.ToValidUTF8(text[:longestText], "") + "…"
}

// placeKey is that of the place of the span that a context belongs to.
type placeKey struct{}

func within(ctx context.Context, at place) context.Context {
	return context.WithValue(ctx, placeKey{}, at)
}
