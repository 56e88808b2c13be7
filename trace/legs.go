package trace

import (
	"context"
	"net/http"
	"path"
	"time"

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

// alertAt is the place of the span that accepts an alert, which is the parent of all others
// about it: in the sender's trace, or in one of its own.
func (t *Tracer) alertAt(a alert.Alert, id string) place {
	return t.placeOf(id, t.sender(a))
}

// Pushed records that alerts were accepted: of a request with this context, or by a call that
// began then.
func (t *Tracer) Pushed(ctx context.Context, began time.Time, alerts []alert.Alert, receipts []alert.Accepted) {
	if t == nil {
		return
	}
	if received, ok := ctx.Value(receivedKey{}).(time.Time); ok {
		began = received
	}
	now := time.Now()
	each(alerts, receipts, func(a alert.Alert, receipt alert.Accepted) {
		accepted := t.begin(t.alertAt(a, receipt.ID), t.sender(a), "accept alert", kindServer, began)
		accepted.set("tocsin.alert", receipt.ID)
		accepted.set("tocsin.incident", receipt.Incident)
		accepted.set("tocsin.effect", string(receipt.Effect))
		accepted.end(now)
	})
}

// Committed records that alerts were decided and written since began, together with others.
func (t *Tracer) Committed(began time.Time, together int, alerts []alert.Alert, receipts []alert.Accepted) {
	if t == nil {
		return
	}
	now := time.Now()
	each(alerts, receipts, func(a alert.Alert, receipt alert.Accepted) {
		commit := t.child(t.alertAt(a, receipt.ID), "commit", kindInternal, began)
		commit.set("tocsin.commit.alerts", together)
		commit.end(now)
	})
}

// each calls record for the alerts that are new in the ledger.
func each(alerts []alert.Alert, receipts []alert.Accepted, record func(alert.Alert, alert.Accepted)) {
	for n, receipt := range receipts {
		if receipt.ID != "" && receipt.Effect != alert.EffectDuplicate {
			record(alerts[n], receipt)
		}
	}
}

// deliver begins the span of a delivery, in the trace of the first alert that it shows. A
// digest, and what shows no new alert, have a trace of their own.
func (t *Tracer) deliver(job alert.Job, shows []alert.Record) *recording {
	var parent place
	if len(shows) > 0 && job.Digest == nil {
		parent = t.alertAt(shows[0].Alert, shows[0].ID)
	}
	delivery := t.begin(t.placeOf(job.ID, parent), parent, "deliver "+string(job.Kind), kindProducer, job.CreatedAt)
	delivery.set("tocsin.delivery", job.ID)
	delivery.set("tocsin.lane", job.Lane)
	delivery.set("tocsin.incident", job.Incident.ID)
	return delivery
}

// Attempt begins an attempt at a job, and before the first one records how long the job has
// waited. The context that it returns is for the attempt's calls of Slack. ended is called
// with the outcome and its name once it is written.
func (t *Tracer) Attempt(ctx context.Context, job alert.Job) (calls context.Context, ended func(name string, o alert.Outcome)) {
	if t == nil {
		return ctx, func(string, alert.Outcome) {}
	}
	began := time.Now()
	delivery := t.deliver(job, t.shows(ctx, job.ID))
	if job.Attempts == 0 && job.Reason == "" && !job.Unsure {
		t.child(delivery.place, "wait in lane", kindInternal, job.CreatedAt).end(began)
	}
	attempt := t.child(delivery.place, "attempt", kindInternal, began)
	attempt.set("tocsin.attempt", job.Attempts+1)
	return within(ctx, attempt.place), func(name string, o alert.Outcome) {
		now := time.Now()
		attempt.describe(name, o)
		if o.State == alert.Pending || o.State == alert.Sending {
			attempt.span.Events = []event{{nanos(now), "retry", []keyValue{
				attribute("tocsin.reason", o.Reason), attribute("tocsin.next_at", o.NextAt.UTC().Format(time.RFC3339Nano)),
			}}}
			attempt.end(now)
			return
		}
		attempt.end(now)
		delivery.describe(name, o)
		t.linkAll(ctx, delivery, job.ID)
		delivery.end(now)
	}
}

// describe says how an attempt or its delivery ended.
func (r *recording) describe(name string, o alert.Outcome) {
	r.set("tocsin.outcome", name)
	switch o.State {
	case alert.Delivered:
		r.set("tocsin.conversation", o.Sent.Conversation)
		r.set("tocsin.ts", o.Sent.TS)
	case alert.Superseded:
	default:
		r.fail(o.Reason)
	}
}

// linkAll links a delivery to the alerts that it has shown, as far as the store lists them.
func (t *Tracer) linkAll(ctx context.Context, delivery *recording, id string) {
	if !delivery.sampled {
		return
	}
	for _, shown := range t.shows(ctx, id) {
		at := t.alertAt(shown.Alert, shown.ID)
		delivery.span.Links = append(delivery.span.Links, link{at.trace, at.span, at.state, []keyValue{attribute("tocsin.alert", shown.ID)}})
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
	at, ok := r.Context().Value(placeKey{}).(place)
	if !ok {
		return t.next.RoundTrip(r)
	}
	name := "upload" // to an address that is a secret
	if method := path.Base(r.URL.Path); path.Base(path.Dir(r.URL.Path)) == "api" {
		name = method
	}
	call := t.tracer.child(at, name, kindClient, time.Now())
	call.set("http.request.method", r.Method)
	call.set("server.address", r.URL.Hostname())
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		call.fail("no answer")
	} else {
		call.set("http.response.status_code", resp.StatusCode)
		if resp.StatusCode >= http.StatusBadRequest {
			call.fail("")
		}
	}
	call.end(time.Now())
	return resp, err
}
