package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"

	"tocsin/alert"
)

// Where Slack sends its requests. They are the request URLs of the app.
const (
	EventsPath      = "/slack/events"
	CommandsPath    = "/slack/commands"
	InteractivePath = "/slack/interactive"
)

const (
	maxRequest = 1 << 20
	// requestLimit is how long a request may take to arrive. Slack gives up after 3 s.
	requestLimit = 5 * time.Second
	// maxSignature is longer than v0= and 64 digits.
	maxSignature = 100
	// signatureLimit is how long a signature is valid, before and after its time.
	signatureLimit = 5 * time.Minute
)

// Requests receives what people do by HTTP, in place of a Socket, where a workspace does
// not allow Socket Mode. Each request has to bear Slack's signature (docs/slack.md §7).
type Requests struct {
	*dispatcher

	listener net.Listener
	secret   func() alert.Secret

	stopping sync.RWMutex // held by each request, so that the last one is over before the workers end
	stopped  bool

	mu       sync.Mutex
	since    time.Time
	seen     map[string]time.Time // by signature, until when it is valid
	swept    time.Time            // when those that are not were forgotten
	refused  int                  // requests since that was logged
	loggedAt time.Time
	unsigned unsigned
}

// unsigned are the requests that look like Slack's and that secret did not sign, since the
// latest one that it did.
type unsigned struct {
	secret      alert.Secret
	why         error // of the latest one
	count       int
	since, last time.Time
}

// NewRequests returns a receiver of the requests that come to l. secret is the app's
// signing secret, read for each request.
func NewRequests(b *Bot, inbox Inbox, handler Handler, l net.Listener, secret func() alert.Secret) *Requests {
	return &Requests{
		dispatcher: newDispatcher(b, inbox, handler, promauto.With(b.opts.Metrics)),
		listener:   l, secret: secret, seen: map[string]time.Time{},
	}
}

// NewFrontRequests returns a receiver of a standby, which stores and acks what people do, and
// leaves it to the active replica. Of the handler it only has dialogs validated.
func NewFrontRequests(b *Bot, inbox Inbox, handler Handler, l net.Listener, secret func() alert.Secret) *Requests {
	q := NewRequests(b, inbox, handler, l, secret)
	q.front = true
	return q
}

// Run answers requests until ctx ends. Then it finishes those that have arrived and gives
// the handlers three seconds. What is not done by then is done after the next start. It
// returns nil unless the listener fails.
func (q *Requests) Run(ctx context.Context) (err error) {
	q.mu.Lock()
	q.since = q.bot.opts.Now()
	q.mu.Unlock()
	q.run(ctx, func() { err = q.serve(ctx) })
	return err
}

func (q *Requests) serve(ctx context.Context) error {
	srv := &http.Server{Handler: q.routes(), ReadTimeout: requestLimit, IdleTimeout: time.Minute, MaxHeaderBytes: 1 << 16, ConnState: q.bot.opts.Track, ErrorLog: zap.NewStdLog(q.log)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(q.listener) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		limited, cancel := outlive(ctx, drainLimit)
		defer cancel()
		if srv.Shutdown(limited) != nil {
			err = srv.Close()
		}
	}
	q.stopping.Lock()
	q.stopped = true
	q.stopping.Unlock()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// Status is the state of the receiver, which is connected while it listens.
func (q *Requests) Status() Status {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Status{Since: q.since, Usable: q.bot.opts.Now()}
	if !q.since.IsZero() {
		s.Connections = 1
	}
	if q.unsigned.count > 0 && q.unsigned.secret == q.secret() {
		s.Notes = []alert.Problem{q.unsigned.note()}
	}
	return s
}

// Replace does nothing: there are no connections that need the app token.
func (q *Requests) Replace() {}

// routes answers each of Slack's request URLs.
func (q *Requests) routes() http.Handler {
	mux := http.NewServeMux()
	for path, read := range map[string]func(body []byte) (incoming, error){
		EventsPath: readEvent, CommandsPath: readCommand, InteractivePath: readInteractive,
	} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { q.answer(w, r, read) })
	}
	return mux
}

// incoming is what a request holds: an envelope, or what to answer at once.
type incoming struct {
	socketmode.Request
	answer any
}

// answer verifies a request, makes it durable, and acks it.
func (q *Requests) answer(w http.ResponseWriter, r *http.Request, read func(body []byte) (incoming, error)) {
	q.stopping.RLock()
	defer q.stopping.RUnlock()
	if q.stopped {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	verifier, err := q.verifier(r.Header) // before what may be a large body
	if err != nil {
		q.refuse(w, r, err)
		return
	}
	body, err := io.ReadAll(io.TeeReader(http.MaxBytesReader(w, r.Body, maxRequest), verifier))
	if err != nil {
		status := http.StatusBadRequest
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, http.StatusText(status), status)
		return
	}
	if err := verifier.Ensure(); err != nil {
		q.refuse(w, r, err)
		return
	}
	if err := q.once(strings.ToLower(r.Header.Get("X-Slack-Signature"))); err != nil {
		q.refuse(w, r, err)
		return
	}
	got, err := read(body)
	if err != nil {
		q.log.Error("a request from Slack can't be read", zap.String("path", r.URL.Path), zap.Error(err))
		http.Error(w, "unreadable", http.StatusBadRequest)
		return
	}
	if got.Type == "" {
		writeAck(w, got.answer)
		return
	}
	got.EnvelopeID = alert.NewID()
	acked := make(chan any, 1)
	q.accept(context.WithoutCancel(r.Context()), got.Request, func(payload any) { acked <- payload }, func() { close(acked) })
	payload, ok := <-acked
	if !ok { // Slack sends it again
		http.Error(w, "not stored", http.StatusServiceUnavailable)
		return
	}
	writeAck(w, payload)
}

// note says what is wrong if the requests are Slack's. Anybody can send such requests, so it is
// not a problem.
func (u unsigned) note() alert.Problem {
	why, fix := "are not signed with the signing secret", "copy the secret from the app's settings, Basic Information > Signing Secret, to SLACK_SIGNING_SECRET or slack.signing_secret, and reload or restart"
	if errors.Is(u.why, slack.ErrExpiredTimestamp) {
		why, fix = "were signed more than five minutes before or after the time of this machine", clockHint
	}
	return alert.Problem{
		Code: alert.ProblemConnection, Since: u.since,
		What: fmt.Sprintf("requests from Slack are refused, because they %s: %d, the last at %s", why, u.count, u.last.Format(time.DateTime+" MST")),
		Fix:  fix + "; if somebody else sends them, ignore this until Slack's next request, which ends it",
	}
}

// refusedEvery is how often it is logged that requests are refused, which anybody may send.
const refusedEvery = time.Minute

// refuse answers 401. The error says nothing that came with the request.
func (q *Requests) refuse(w http.ResponseWriter, r *http.Request, err error) {
	http.Error(w, "not signed by Slack", http.StatusUnauthorized)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refused++
	now := time.Now()
	if errors.Is(err, slack.ErrInvalidSignature) || errors.Is(err, slack.ErrExpiredTimestamp) {
		if secret := q.secret(); q.unsigned.secret != secret || q.unsigned.count == 0 {
			q.unsigned = unsigned{secret: secret, since: now}
		}
		q.unsigned.count++
		q.unsigned.why, q.unsigned.last = err, now
	}
	if now.Sub(q.loggedAt) >= refusedEvery {
		q.log.Warn("a request is not from Slack", zap.String("path", r.URL.Path), zap.String("from", r.RemoteAddr), zap.Int("refused", q.refused), zap.Error(err),
			zap.String("hint", "if it is, slack.signing_secret is not that of the app: Basic Information > Signing Secret"))
		q.refused, q.loggedAt = 0, now
	}
}

// writeAck answers 200, with what Slack is to show, or with nothing.
func writeAck(w http.ResponseWriter, payload any) {
	if payload == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(payload) // whoever has gone asks again
}

// The reasons to refuse a request that the library has no errors for.
var (
	errNoSecret = errors.New("there is no signing secret")
	errHeaders  = errors.New("its headers are not as Slack writes them")
	errReplayed = errors.New("its signature was used before")
)

// verifier checks the signature of the body that is written to it. The signature has to be at
// most five minutes old.
func (q *Requests) verifier(header http.Header) (*slack.SecretsVerifier, error) {
	secret := q.secret()
	if secret == "" {
		return nil, errNoSecret
	}
	for _, name := range []string{"X-Slack-Signature", "X-Slack-Request-Timestamp"} {
		if values := header.Values(name); len(values) > 1 || len(values) == 1 && len(values[0]) > maxSignature {
			return nil, errHeaders // the library's error would repeat it
		}
	}
	verifier, err := slack.NewSecretsVerifier(header, string(secret))
	return &verifier, err
}

// once refuses a right signature that was used before.
func (q *Requests) once(signature string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unsigned = unsigned{}
	now := time.Now()
	if _, used := q.seen[signature]; used {
		return errReplayed
	}
	if now.Sub(q.swept) > signatureLimit {
		maps.DeleteFunc(q.seen, func(_ string, until time.Time) bool { return now.After(until) })
		q.swept = now
	}
	q.seen[signature] = now.Add(2 * signatureLimit) // it may be of a clock that is ahead
	return nil
}

// readEvent reads a request of the Events API.
func readEvent(body []byte) (incoming, error) {
	var p struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
	}
	if err := lenient(body, &p); err != nil {
		return incoming{}, fmt.Errorf("read event: %w", err)
	}
	if p.Type == "url_verification" {
		return incoming{answer: map[string]string{"challenge": p.Challenge}}, nil
	}
	return incoming{Request: socketmode.Request{Type: socketmode.RequestTypeEventsAPI, Payload: body}}, nil
}

// readCommand reads a slash command. As JSON it has the same fields as in Socket Mode.
func readCommand(body []byte) (incoming, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return incoming{}, fmt.Errorf("read command: %w", err)
	}
	if form.Get("ssl_check") == "1" {
		return incoming{}, nil
	}
	fields := make(map[string]string, len(form))
	for name := range form {
		fields[name] = form.Get(name)
	}
	payload, err := json.Marshal(fields)
	return incoming{Request: socketmode.Request{Type: socketmode.RequestTypeSlashCommands, Payload: payload}}, err
}

// readInteractive reads a click or a dialog.
func readInteractive(body []byte) (incoming, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return incoming{}, fmt.Errorf("read interaction: %w", err)
	}
	payload := []byte(form.Get("payload"))
	if !json.Valid(payload) {
		return incoming{}, errors.New("read interaction: its payload is not JSON")
	}
	return incoming{Request: socketmode.Request{Type: socketmode.RequestTypeInteractive, Payload: payload, AcceptsResponsePayload: true}}, nil
}
