// Package api is the HTTP API with JSON, over TCP and the Unix socket: it accepts
// alerts, acts and silences, and answers queries.
//
// It decides nothing and keeps no state: it checks the form of a request, passes
// changes to an Engine, and answers from a Store.
package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// Engine accepts alerts, and what people do about them. What it returns without an
// error is on disk.
type Engine interface {
	// Push accepts all alerts or none.
	Push(ctx context.Context, alerts []alert.Alert) ([]alert.Accepted, error)
	// Act performs acts and returns what each changed.
	Act(ctx context.Context, acts []alert.Act) ([]alert.Acted, error)
	// Silence creates a silence and returns it with its id, and how many open
	// incidents it matches.
	Silence(ctx context.Context, s alert.Silence) (alert.Silence, error)
	// Beat accepts signs of life and returns the heartbeats after them.
	Beat(ctx context.Context, beats []alert.Beat) ([]alert.Heard, error)
	// Forget deletes a heartbeat and returns it as it was.
	Forget(ctx context.Context, name string) (alert.Heartbeat, error)
	// Unsilence ends a silence early.
	Unsilence(ctx context.Context, id string, by alert.Person) (alert.Silence, error)
}

// Store answers queries, and retries and drops dead letters.
type Store interface {
	Incidents(ctx context.Context, f alert.IncidentFilter) ([]alert.Incident, error)
	// Count is how many incidents f keeps.
	Count(ctx context.Context, f alert.IncidentFilter) (int, error)
	Incident(ctx context.Context, id string) (alert.Incident, error)
	// History is the history of an incident, oldest first.
	History(ctx context.Context, incident string) ([]alert.Event, error)
	// Inhibits is how many unresolved incidents an incident inhibits.
	Inhibits(ctx context.Context, incident string) (int, error)
	Silences(ctx context.Context, f alert.SilenceFilter) ([]alert.Silence, error)
	// GroupMembers lists members of an incident's group, worst first, after the first offset.
	GroupMembers(ctx context.Context, incident string, offset, limit int) ([]alert.GroupMember, error)
	// Heartbeats lists all heartbeats by name.
	Heartbeats(ctx context.Context) ([]alert.Heartbeat, error)
	Stats(ctx context.Context, begins []time.Time) (alert.Stats, error)
	Ledger(ctx context.Context) (alert.Ledger, error)
	// Await returns the alert's record once it is not pending any more, or, when
	// ctx ends first, the record as it stands together with ctx's error.
	Await(ctx context.Context, id string) (alert.Record, error)

	// Deliveries lists deliveries, latest first.
	Deliveries(ctx context.Context, f alert.DeliveryFilter) ([]alert.Delivery, error)
	Delivery(ctx context.Context, id string) (alert.DeliveryDetail, error)
	// Retry makes dead letters pending again, Drop marks them as not needed any more,
	// and with an ID also a pending delivery. The error for any other delivery is
	// alert.ErrNotDead.
	Retry(ctx context.Context, l alert.DeadLetterSelector) (alert.RetryResult, error)
	Drop(ctx context.Context, l alert.DeadLetterSelector) (alert.RetryResult, error)
}

// Options are what the API is built with. Engine, Store and Health are needed.
type Options struct {
	Engine Engine
	Store  Store
	// Person finds a person in Slack by @name or mail address; nil if nobody can be found.
	Person func(ctx context.Context, spelling string) (alert.Person, error)
	// Unreachable returns the conversation of an alert and why Slack refuses it, where the
	// alert would reach none; nil if that is unknown. It asks Slack.
	Unreachable func(ctx context.Context, a alert.Alert) (lane string, refused *alert.SendError)
	// Routing is what GET /v1/oncall shows.
	Routing alert.Routing
	// Wake is called with the lanes that have deliveries pending again. It must not block.
	Wake func(lanes ...string)
	// Health returns the state of the daemon; it must be quick.
	Health func() alert.Health
	// Doctor looks at everything that may be wrong. It may take minutes.
	Doctor func(ctx context.Context) alert.Checkup
	// Metrics serves /metrics; nil for none.
	Metrics http.Handler
	// Token is the bearer token that TCP callers must send, or one of Tokens; empty for none.
	Token alert.Secret
	// Tokens are those that restrict their senders.
	Tokens []alert.Token
	// Webhooks are the paths of other tools.
	Webhooks []Webhook
	// Services are the conversations of paths below /services/, which are served by the
	// webhook with the wildcard {channel}. Who knows such a path needs no token.
	Services map[alert.Secret]string
	// Recognize returns the name of the webhook whose body this looks like, or "".
	Recognize func(body []byte, header http.Header) string
	// TrustLoopback lets callers over TCP act without a token.
	TrustLoopback bool
	// Reload has the daemon read its configuration again; needed for that request alone.
	Reload Reload
	// Before is the API by the configuration before; nil for none. What has been spent of
	// the rates of its tokens stays spent.
	Before *API
	// Version is Tocsin's own.
	Version string
	Log     *zap.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// API is the HTTP API.
type API struct {
	opts Options
	// hooks has only the webhooks, to tell which requests are for one.
	hooks *http.ServeMux
	// credentials are the tokens that callers over TCP must send one of; none if they may
	// do without.
	credentials []*credential
	// refusalLogged is when a request without access was last logged, and limitLogged one
	// above the limits of its token, in nanoseconds since 1970.
	refusalLogged, limitLogged atomic.Int64
	started                    time.Time
}

// refusalEvery is how often requests without access are logged.
const refusalEvery = time.Minute

// New returns the API.
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
	a := &API{opts: opts, hooks: http.NewServeMux(), credentials: credentials(opts.Token, opts.Tokens), started: opts.Now()}
	if before := opts.Before; before != nil {
		a.started = before.started
		keepBudgets(a.credentials, before.credentials)
		a.opts.Before = nil // or none would ever be freed
	}
	a.handleWebhooks(a.hooks)
	a.handleHeartbeats(a.hooks)
	return a
}

// Handler serves the Unix socket. The mode of its file decides who may connect.
func (a *API) Handler() http.Handler {
	return a.refuseBrowsers(withPage(false, withProfiles(a.routes(true))))
}

// TCPHandler serves TCP: callers must send a token if there is one. Without one
// they must address this machine by a loopback name, which keeps out web pages that
// resolve their own name to 127.0.0.1 (DNS rebinding), and may send alerts and read,
// but act only with TrustLoopback: every user of the machine can connect.
func (a *API) TCPHandler() http.Handler {
	needed := len(a.credentials) > 0
	return a.refuseBrowsers(a.authorize(withPage(needed, a.routes(needed || a.opts.TrustLoopback))))
}

// RefusingHandler serves the Unix socket while there is no store: it answers health
// checks and serves metrics, and answers everything else with 503 because of err.
func (a *API) RefusingHandler(err error) http.Handler {
	return a.refuseBrowsers(withPage(false, a.refusals(err)))
}

// RefusingTCPHandler is RefusingHandler for TCP.
func (a *API) RefusingTCPHandler(err error) http.Handler {
	return a.refuseBrowsers(a.authorize(withPage(len(a.credentials) > 0, a.refusals(err))))
}

func (a *API) refusals(err error) http.Handler {
	mux := http.NewServeMux()
	a.handleHealth(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, fmt.Errorf("%w: %w", alert.ErrUnavailable, err))
	})
	return mux
}

// handleHealth serves what needs no store.
func (a *API) handleHealth(mux router) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, liveness{true}) })
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.HandleFunc("GET "+openAPIPath, serveOpenAPI)
	if a.opts.Metrics != nil {
		mux.Handle("GET /metrics", a.opts.Metrics)
	}
}

// routes serves every path. With mayAct false, requests that act are refused.
func (a *API) routes(mayAct bool) http.Handler {
	mux := http.NewServeMux()
	a.handleAll(mux, mayAct)
	if !mayAct {
		return markReadOnly(mux)
	}
	return mux
}

// router is what requests are given out by: an http.ServeMux.
type router interface {
	Handle(pattern string, h http.Handler)
	HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request))
}

func (a *API) handleAll(mux router, mayAct bool) {
	for pattern, answer := range a.reads() {
		mux.Handle(pattern, a.handle(http.StatusOK, answer))
	}
	for pattern, answer := range a.acts() {
		status := http.StatusOK
		if pattern == createSilence {
			status = http.StatusCreated
		}
		if !mayAct {
			answer = refuseAct
		}
		mux.Handle(pattern, a.handle(status, answer))
	}
	mux.Handle("POST /v1/alerts", a.handle(http.StatusAccepted, a.postAlerts))
	mux.Handle("PUT /v1/alerts", a.handle(http.StatusAccepted, a.postAlerts)) // as curl -T sends a file
	a.handleHeartbeats(mux)
	a.handleWebhooks(mux)
	a.handleAlertmanager(mux, mayAct)
	a.handleHealth(mux)
	mux.HandleFunc("/", a.unknown)
}

// reads are the requests that change nothing.
func (a *API) reads() map[string]answer {
	return map[string]answer{
		"GET /v1/alerts/{id}":     a.readAlert,
		"GET /v1/incidents":       a.listIncidents,
		"GET /v1/incidents/{id}":  a.readIncident,
		"GET /v1/silences":        a.listSilences,
		"GET /v1/heartbeats":      a.listHeartbeats,
		"GET /v1/stats":           a.readStats,
		"GET /v1/oncall":          a.readOnCall,
		"GET /v1/ledger":          a.readLedger,
		"GET /v1/doctor":          a.readDoctor,
		"GET /v1/deliveries":      a.listDeliveries,
		"GET /v1/deliveries/{id}": a.readDelivery,
	}
}

const createSilence = "POST /v1/silences"

// acts are the requests that change what becomes of alerts.
func (a *API) acts() map[string]answer {
	return map[string]answer{
		"POST /v1/incidents/{id}/ack":     a.act(alert.VerbAck),
		"POST /v1/incidents/{id}/unack":   a.act(alert.VerbUnack),
		"POST /v1/incidents/{id}/resolve": a.act(alert.VerbResolve),
		"POST /v1/incidents/{id}/reopen":  a.act(alert.VerbReopen),
		"POST /v1/incidents/{id}/assign":  a.act(alert.VerbAssign),
		"POST /v1/incidents/{id}/note":    a.act(alert.VerbNote),
		createSilence:                     a.postSilence,
		"DELETE /v1/silences/{id}":        a.endSilence,
		"DELETE " + heartbeatPath:         a.forgetHeartbeat,
		"POST /v1/deliveries/{id}/retry":  a.decide(a.opts.Store.Retry),
		"POST /v1/deliveries/{id}/drop":   a.decide(a.opts.Store.Drop),
		"POST /v1/deliveries/retry":       a.decide(a.opts.Store.Retry),
		"POST /v1/deliveries/drop":        a.decide(a.opts.Store.Drop),
		"POST /v1/config/reload":          a.reload,
	}
}

// answer returns what a request is answered with, as JSON.
type answer func(r *http.Request) (any, error)

// handle makes a handler of answer; status is that of success. A body above
// maxBody is answered with 413.
func (a *API) handle(status int, answer answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		value, err := answer(r)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		writeJSON(w, status, value)
	})
}

// unknown answers requests that match no route, including wrong methods.
func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	hint := "the paths are POST /v1/alerts, POST /v1/webhooks/{name}, POST /v2/enqueue, POST /slack/webhook/{channel}, /api/v2/… (Alertmanager's API), GET /v1/alerts/{id}, /v1/incidents, /v1/incidents/{id} (POST …/ack, …/unack, …/resolve, …/reopen, …/assign, …/note), /v1/silences (POST, DELETE …/{id}), /v1/heartbeats, /v1/heartbeats/{name} (POST, PUT or GET sends it; DELETE), /v1/stats, /v1/oncall, /v1/deliveries, /v1/deliveries/{id} (POST …/retry, …/drop), /v1/ledger, /v1/doctor, POST /v1/config/reload, /v1/openapi.json (all of this for programs), /healthz, /readyz, /metrics"
	if r.URL.Path == "/v1/alerts" {
		a.fail(w, r, &httpError{http.StatusMethodNotAllowed, r.Method + " is not allowed for /v1/alerts", "use POST, as in: curl -d 'disk full on db-3' …/v1/alerts"})
		return
	}
	a.fail(w, r, &httpError{http.StatusNotFound, "there is nothing at " + r.Method + " " + r.URL.Path, hint})
}

// Serve returns the http.Server for one listener, with timeouts so that a slow or
// silent caller does not hold a connection forever.
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
	_ = json.NewEncoder(w).Encode(v) // the caller has gone
}
