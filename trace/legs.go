package trace

import (
	"context"
	"net/http"
	"path"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"tocsin/alert"
)

// receivedKey is that of the time at which a request has come, in its context.
type receivedKey struct{}

// Handler notes when requests to next come.
func (t *Tracer) Handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), receivedKey{}, time.Now())))
	})
}

// accept begins the span of accepting an alert, which is the parent of all others about it:
// in the sender's trace, or in one of its own. One that is not ended is only a parent.
func (t *Tracer) accept(ctx context.Context, id string, sent alert.Traceparent, at time.Time) (context.Context, trace.Span) {
	ctx = trace.ContextWithRemoteSpanContext(ctx, remote(sent))
	return t.start(ctx, "accept alert", identityOf(id), at, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("tocsin.alert", id)))
}

// Pushed records that alerts were accepted, of a request with this context or by this call,
// which began then.
func (t *Tracer) Pushed(ctx context.Context, began time.Time, alerts []alert.Alert, receipts []alert.Accepted) {
	if t == nil {
		return
	}
	if received, ok := ctx.Value(receivedKey{}).(time.Time); ok {
		began = received
	}
	t.each(alerts, receipts, func(a alert.Alert, receipt alert.Accepted) {
		_, span := t.accept(ctx, receipt.ID, a.Traceparent, began)
		span.SetAttributes(attribute.String("tocsin.incident", receipt.Incident), attribute.String("tocsin.effect", string(receipt.Effect)))
		span.End()
	})
}

// Committed records that alerts were decided and written since began, together with others.
func (t *Tracer) Committed(began time.Time, together int, alerts []alert.Alert, receipts []alert.Accepted) {
	if t == nil {
		return
	}
	t.each(alerts, receipts, func(a alert.Alert, receipt alert.Accepted) {
		ctx, _ := t.accept(context.Background(), receipt.ID, a.Traceparent, began)
		_, span := t.child(ctx, "commit", began, trace.WithAttributes(attribute.Int("tocsin.commit.alerts", together)))
		span.End()
	})
}

// each calls record for the alerts that are new in the ledger.
func (t *Tracer) each(alerts []alert.Alert, receipts []alert.Accepted, record func(alert.Alert, alert.Accepted)) {
	for n, receipt := range receipts {
		if receipt.ID != "" && receipt.Effect != alert.EffectDuplicate {
			record(alerts[n], receipt)
		}
	}
}

// deliver begins the span of a delivery, in the trace of the first alert that it shows. A
// digest, and an edit that shows no new alert, have a trace of their own.
func (t *Tracer) deliver(ctx context.Context, job alert.Job, shows []alert.Record) (context.Context, trace.Span) {
	if len(shows) > 0 && job.Digest == nil {
		ctx, _ = t.accept(ctx, shows[0].ID, shows[0].Traceparent, shows[0].AcceptedAt)
	} else {
		ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	}
	return t.start(ctx, "deliver "+string(job.Kind), identityOf(job.ID), job.CreatedAt, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("tocsin.delivery", job.ID), attribute.String("tocsin.lane", job.Lane), attribute.String("tocsin.incident", job.Incident.ID)))
}

// Attempt begins an attempt at a job, and before the first one records how long the job has
// waited. The context that it returns is for the attempt's calls of Slack. ended is called
// with the outcome and its name once it is written.
func (t *Tracer) Attempt(ctx context.Context, job alert.Job) (calls context.Context, ended func(name string, o alert.Outcome)) {
	if t == nil {
		return ctx, func(string, alert.Outcome) {}
	}
	began := time.Now()
	parent, delivery := t.deliver(ctx, job, t.shows(ctx, job.ID))
	if job.Attempts == 0 && job.Reason == "" && !job.Unsure {
		_, wait := t.child(parent, "wait in lane", job.CreatedAt)
		wait.End(trace.WithTimestamp(began))
	}
	calls, attempt := t.child(parent, "attempt", began, trace.WithAttributes(attribute.Int("tocsin.attempt", job.Attempts+1)))
	return calls, func(name string, o alert.Outcome) {
		describe(attempt, name, o)
		if o.State == alert.Pending || o.State == alert.Sending {
			attempt.AddEvent("retry", trace.WithAttributes(attribute.String("tocsin.reason", o.Reason), attribute.String("tocsin.next_at", o.NextAt.UTC().Format(time.RFC3339Nano))))
			attempt.End()
			return
		}
		attempt.End()
		describe(delivery, name, o)
		t.linkAll(ctx, delivery, job)
		delivery.End()
	}
}

// describe says on a span how it ended.
func describe(span trace.Span, name string, o alert.Outcome) {
	span.SetAttributes(attribute.String("tocsin.outcome", name))
	if o.State != alert.Delivered && o.State != alert.Superseded {
		span.SetStatus(codes.Error, o.Reason)
	}
	if o.State == alert.Delivered {
		span.SetAttributes(attribute.String("tocsin.conversation", o.Sent.Conversation), attribute.String("tocsin.ts", o.Sent.TS))
	}
}

// linkAll links a delivery to the alerts that it has shown, as far as the store lists them.
func (t *Tracer) linkAll(ctx context.Context, delivery trace.Span, job alert.Job) {
	if !delivery.IsRecording() {
		return
	}
	for _, shown := range t.shows(ctx, job.ID) {
		alertCtx, _ := t.accept(ctx, shown.ID, shown.Traceparent, shown.AcceptedAt)
		delivery.AddLink(trace.Link{
			SpanContext: trace.SpanContextFromContext(alertCtx), Attributes: []attribute.KeyValue{attribute.String("tocsin.alert", shown.ID)},
		})
	}
}

// shows are the alerts that a delivery shows; none if the store can't say now.
func (t *Tracer) shows(ctx context.Context, id string) []alert.Record {
	detail, err := t.store.Delivery(ctx, id)
	if err != nil {
		return nil
	}
	return detail.Alerts
}

// Transport records the calls of Slack that next makes for attempts.
func (t *Tracer) Transport(next http.RoundTripper) http.RoundTripper {
	if t == nil {
		return next
	}
	return transport{t, next}
}

type transport struct {
	tracer *Tracer
	next   http.RoundTripper
}

// CloseIdleConnections is what http.Client's method of that name calls.
func (t transport) CloseIdleConnections() {
	if next, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !trace.SpanContextFromContext(r.Context()).IsValid() {
		return t.next.RoundTrip(r)
	}
	name := "upload" // to an address that is a secret
	if method := path.Base(r.URL.Path); path.Base(path.Dir(r.URL.Path)) == "api" {
		name = method
	}
	_, span := t.tracer.child(r.Context(), name, time.Now(), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("server.address", r.URL.Hostname())))
	defer span.End()
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		span.SetStatus(codes.Error, "no answer")
		return resp, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", resp.StatusCode))
	if resp.StatusCode >= http.StatusBadRequest {
		span.SetStatus(codes.Error, "")
	}
	return resp, nil
}
