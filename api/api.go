// Package api takes alerts in and answers questions, over TCP and the Unix
// socket, as HTTP with JSON.
//
// It refuses to decide or to remember: it checks the form of a request, hands
// alerts to an Engine, and puts what a Reader knows into words.
package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// Engine accepts alerts, and what people do about them; see docs/design.md §1 for
// what its receipts promise.
type Engine interface {
	// Push accepts all alerts or none.
	Push(ctx context.Context, alerts []alert.Alert) ([]alert.Accepted, error)
	// Act does what people want done, and says of each act what it changed.
	Act(ctx context.Context, acts []alert.Act) ([]alert.Acted, error)
	// Silence begins a silence and returns it with its id, and how many open
	// incidents it keeps quiet.
	Silence(ctx context.Context, s alert.Silence) (alert.Silence, int, error)
	// Unsilence ends a silence before its time.
	Unsilence(ctx context.Context, id string, by alert.Person) (alert.Silence, error)
}

// Store answers what is known, and does what a person decides about dead letters.
type Store interface {
	Incidents(ctx context.Context, f alert.IncidentFilter) ([]alert.Incident, error)
	// Count is how many incidents f keeps: exact up to 1,000, and 1,000 for more.
	Count(ctx context.Context, f alert.IncidentFilter) (int, error)
	Incident(ctx context.Context, id string) (alert.Incident, error)
	// History is what was done to an incident, the oldest first.
	History(ctx context.Context, incident string) ([]alert.Event, error)
	Silences(ctx context.Context, f alert.SilenceFilter) ([]alert.Silence, error)
	Stats(ctx context.Context, from, till time.Time, buckets int) (alert.Stats, error)
	Ledger(ctx context.Context) (alert.Ledger, error)
	// Await returns the alert's record once it is not pending any more, or, when
	// ctx ends first, the record as it stands together with ctx's error.
	Await(ctx context.Context, id string) (alert.Record, error)

	// Deliveries lists deliveries, the latest first.
	Deliveries(ctx context.Context, f alert.DeliveryFilter) ([]alert.Delivery, error)
	Delivery(ctx context.Context, id string) (alert.DeliveryDetail, error)
	// Retry makes dead letters pending again, Drop marks them as not needed any
	// more. The error for any other delivery is alert.ErrNotDead.
	Retry(ctx context.Context, l alert.DeadLetterSelector) (alert.RetryResult, error)
	Drop(ctx context.Context, l alert.DeadLetterSelector) (alert.RetryResult, error)
}

// Options are what the API is built with. Engine, Store and Health are needed.
type Options struct {
	Engine Engine
	Store  Store
	// Wake is called with the lanes that have deliveries pending again. It must not block.
	Wake func(lanes ...string)
	// Health says how the daemon is doing; it must be quick.
	Health func() alert.Health
	// Metrics serves /metrics; nil serves none.
	Metrics http.Handler
	// Token is what callers over TCP must show; empty asks for none.
	Token alert.Secret
	Log   *zap.Logger
	// Now is the clock: time.Now.
	Now func() time.Time
}

// API is Tocsin's HTTP interface.
type API struct {
	opts Options
}

// New returns the API over opts.
func New(opts Options) *API {
	if opts.Log == nil {
		opts.Log = zap.NewNop()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Wake == nil {
		opts.Wake = func(...string) {}
	}
	return &API{opts: opts}
}

// Handler serves callers whom the Unix socket's file mode has let in.
func (a *API) Handler() http.Handler { return refuseBrowsers(a.routes()) }

// TCPHandler serves callers over TCP: they show the token if there is one, and
// without one must address this machine by a loopback name, which keeps web
// pages out that resolve their own name to 127.0.0.1.
func (a *API) TCPHandler() http.Handler { return refuseBrowsers(a.authorize(a.routes())) }

func (a *API) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/alerts", a.postAlerts)
	mux.HandleFunc("GET /v1/alerts/{id}", a.readAlert)
	mux.HandleFunc("GET /v1/incidents", a.listIncidents)
	mux.HandleFunc("GET /v1/incidents/{id}", a.readIncident)
	for _, verb := range []alert.Verb{alert.VerbAck, alert.VerbResolve, alert.VerbAssign, alert.VerbNote} {
		mux.HandleFunc("POST /v1/incidents/{id}/"+string(verb), a.act(verb))
	}
	mux.HandleFunc("GET /v1/silences", a.listSilences)
	mux.HandleFunc("POST /v1/silences", a.postSilence)
	mux.HandleFunc("DELETE /v1/silences/{id}", a.endSilence)
	mux.HandleFunc("GET /v1/stats", a.readStats)
	mux.HandleFunc("GET /v1/ledger", a.readLedger)
	mux.HandleFunc("GET /v1/deliveries", a.listDeliveries)
	mux.HandleFunc("GET /v1/deliveries/{id}", a.readDelivery)
	mux.HandleFunc("POST /v1/deliveries/{id}/retry", a.decideLetter(a.opts.Store.Retry))
	mux.HandleFunc("POST /v1/deliveries/{id}/drop", a.decideLetter(a.opts.Store.Drop))
	mux.HandleFunc("POST /v1/deliveries/retry", a.decideLetters(a.opts.Store.Retry))
	mux.HandleFunc("POST /v1/deliveries/drop", a.decideLetters(a.opts.Store.Drop))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, map[string]bool{"ok": true}) })
	mux.HandleFunc("GET /readyz", a.readyz)
	if a.opts.Metrics != nil {
		mux.Handle("GET /metrics", a.opts.Metrics)
	}
	mux.HandleFunc("/", a.unknown)
	return mux
}

// unknown answers what no route takes; a known path with another method too.
func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	hint := "the paths are POST /v1/alerts, GET /v1/alerts/{id}, /v1/incidents, /v1/incidents/{id} (POST …/ack, …/resolve, …/assign, …/note), /v1/silences (POST, DELETE …/{id}), /v1/stats, /v1/deliveries, /v1/deliveries/{id} (POST …/retry, …/drop), /v1/ledger, /healthz, /readyz, /metrics"
	if r.URL.Path == "/v1/alerts" {
		a.fail(w, r, &httpError{http.StatusMethodNotAllowed, r.Method + " is not for /v1/alerts", "use POST, as in: curl -d 'disk full on db-3' …/v1/alerts"})
		return
	}
	a.fail(w, r, &httpError{http.StatusNotFound, "there is nothing at " + r.Method + " " + r.URL.Path, hint})
}

// Serve is the http.Server for one listener, with the limits that keep a slow
// or silent caller from holding a connection for ever.
func Serve(h http.Handler, log *zap.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      maxWait + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          zap.NewStdLog(log),
		ConnContext:       withPeer,
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller went away; there is nobody to tell
}
