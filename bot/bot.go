// Package bot is the Slack client, both directions: it calls the Web API for the
// outbox and the handlers, and receives what people do over Socket Mode.
//
// It makes no decision about alerts. It repeats a failed call only after joining
// the channel that the call needs; otherwise it returns an *alert.SendError, and
// the caller decides. It logs no token, no response_url and no address of a
// socket.
package bot

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"tocsin/alert"
)

// defaultTimeout bounds one Web API call from its first byte to its last.
const defaultTimeout = 15 * time.Second

// Options says how to reach Slack. The zero value of each field but Tokens has
// a sensible meaning.
type Options struct {
	// APIURL is the root of the Web API; empty means Slack's own.
	APIURL string
	// Authorities are those whose certificates Slack's addresses may have; nil means the
	// system's.
	Authorities *x509.CertPool
	// Tokens returns the app-level token (xapp-…) and the bot token (xoxb-…). It is
	// called for each probe and each new connection, and when Slack refuses the bot
	// token, so that a corrected token is used without a restart.
	Tokens func() (app, bot alert.Secret)
	// Timeout bounds one Web API call; zero means 15 s.
	Timeout time.Duration
	// Learn is told which id Slack has for a conversation (#name, or U… for a direct
	// message) or a person (@name, user@mail), whenever an answer, an event or a
	// command says so. nil: nobody is told.
	Learn func(ctx context.Context, spelling, id string) error
	// ImageHosts are those from which images are fetched; only while FetchImages runs.
	ImageHosts alert.ImageHosts
	// Answered is called after each call that succeeded, with the token that Slack accepted
	// for it, and when a connection is up, with an empty one. It must not block. nil: nobody
	// is told.
	Answered func(accepted alert.Secret)
	// Connections says how many Socket Mode connections to keep, at most two, and how many
	// other replicas may have. nil: two, and none.
	Connections func() (own, others int)
	// Track bounds the connections on which Slack's requests come (http.Server.ConnState); nil for
	// no bound.
	Track func(net.Conn, http.ConnState)
	// Fenced is why this process may not do what it has taken from the store: another replica
	// may have taken it since. It is asked before each call for that. nil: there is none.
	Fenced func() error
	// Transport makes the calls of the Web API, by next, which is the usual one. nil: next alone.
	Transport func(next http.RoundTripper) http.RoundTripper
	Log       *zap.Logger
	Metrics   prometheus.Registerer
	Now       func() time.Time
}

func (o Options) withDefaults() Options {
	if o.APIURL == "" {
		o.APIURL = slack.APIURL
	}
	// The root and the method are joined without another slash.
	o.APIURL = strings.TrimSuffix(o.APIURL, "/") + "/"
	if o.Tokens == nil {
		o.Tokens = func() (app, bot alert.Secret) { return "", "" }
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Answered == nil {
		o.Answered = func(alert.Secret) {}
	}
	if o.Fenced == nil {
		o.Fenced = func() error { return nil }
	}
	if o.Connections == nil {
		o.Connections = func() (own, others int) { return slots, 0 }
	}
	if o.Transport == nil {
		o.Transport = func(next http.RoundTripper) http.RoundTripper { return next }
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Bot calls Slack's Web API as one app in one workspace. It is safe for use by
// several goroutines.
type Bot struct {
	opts  Options
	http  *http.Client
	calls *prometheus.CounterVec
	// Ids and mentioned ids by spelling, profiles by user id, members by group or
	// conversation, and the ids of all user groups by handle.
	ids      *cache[string]
	profiles *cache[profile]
	members  *cache[[]string]
	mentions *cache[string]
	groups   *cache[map[string]string]
	// listSlots bounds how many lists are rendered and uploaded at once.
	listSlots chan struct{}
	images    *images
	// nameless are the channels that LearnNames asks about; asked has all of this run.
	nameless chan string
	asked    sync.Map

	mu       sync.Mutex
	token    alert.Secret
	identity Identity
}

// New returns a Bot. It makes no call yet.
func New(opts Options) *Bot {
	opts = opts.withDefaults()
	_, token := opts.Tokens()
	ids := newCache[string](idTTL, opts.Now)
	ids.retry = true
	return &Bot{
		opts:      opts,
		listSlots: make(chan struct{}, listsAtOnce),
		images:    newImages(opts.ImageHosts, opts.Now),
		nameless:  make(chan string, mostNameless),
		http: &http.Client{
			Timeout:   opts.Timeout,
			Transport: opts.Transport(transport(opts.Authorities)),
			// A redirect is a captive portal or a wrong address, never Slack: the
			// token must not follow it.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		calls: promauto.With(opts.Metrics).NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_slack_calls_total",
			Help: "Web API calls by method and result: ok or the class of the error.",
		}, []string{"method", "result"}),

		ids:      ids,
		profiles: newCache[profile](peopleTTL, opts.Now),
		members:  newCache[[]string](membersTTL, opts.Now),
		mentions: newCache[string](peopleTTL, opts.Now),
		groups:   newCache[map[string]string](membersTTL, opts.Now),

		token: token,
	}
}

// transport keeps enough connections for lanes that post at the same time, and
// detects a dead one: over HTTP/2 it would block all calls.
func transport(authorities *x509.CertPool) http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t := standard.Clone()
	t.MaxIdleConnsPerHost = 32
	t.TLSClientConfig = clientTLS(authorities)
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second}
	return t
}

// Close closes idle connections to the Web API. The Bot can still be used.
func (b *Bot) Close() error {
	b.http.CloseIdleConnections()
	return nil
}

// Identity is who the bot is in Slack, by the latest auth.test.
type Identity struct {
	Name   string `json:"user"`    // the bot user's name, without @
	UserID string `json:"user_id"` // U…
	BotID  string `json:"bot_id"`  // B…
	Team   string `json:"team"`
	TeamID string `json:"team_id"` // T…
	// EnterpriseID is the id of the organization that the workspace is in (E…), or empty.
	EnterpriseID string `json:"enterprise_id"`
	// AppID is the app's id (A…), or empty; ExpiresIn is in how many seconds the token ends,
	// or 0.
	AppID     string `json:"app_id"`
	ExpiresIn int64  `json:"expires_in"`
	// Scopes are granted; Missing are needed and not granted.
	Scopes  []string `json:"-"`
	Missing []string `json:"-"`
}

// Identity returns the result of the last successful Probe, or an empty one.
func (b *Bot) Identity() Identity {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.identity
}

// Probe calls auth.test with the current token, keeps the answer as the Identity,
// and logs missing scopes when they change. Its error is an *alert.SendError.
func (b *Bot) Probe(ctx context.Context) error {
	_, err := b.authTest(ctx)
	return err
}

// authTest is Probe that also returns the header of Slack's answer.
func (b *Bot) authTest(ctx context.Context) (http.Header, error) {
	b.readToken()
	var tested struct {
		reply
		Identity
	}
	if err := b.call(ctx, request{method: "auth.test"}, &tested); err != nil {
		return tested.header, err
	}
	tested.setScopes(tested.header.Get("X-OAuth-Scopes"))
	b.setIdentity(tested.Identity)
	return tested.header, nil
}

// Try asks Slack whether it accepts other tokens (empty: the present one stays) for the
// same workspace, and uses none of them. Its error is an *alert.SendError, or ErrWorkspace.
func (b *Bot) Try(ctx context.Context, app, bot alert.Secret) error {
	if bot != "" {
		var tested struct {
			reply
			Identity
		}
		if err := b.callAs(ctx, bot, request{method: "auth.test"}, &tested); err != nil {
			return fmt.Errorf("check the bot token: %w", err)
		}
		if known := b.Identity().TeamID; known != "" && tested.TeamID != known {
			return fmt.Errorf("check the bot token: %w: %s", ErrWorkspace, tested.Team)
		}
	}
	if app != "" {
		if _, err := b.socketURL(ctx, app); err != nil {
			return fmt.Errorf("check the app token: %w", err)
		}
	}
	return nil
}

// ErrWorkspace is the error of a token for another workspace than the one in use.
var ErrWorkspace = errors.New("it is for another workspace")

// readToken takes up the bot token as it is now.
func (b *Bot) readToken() {
	_, token := b.opts.Tokens()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.token = token
}

// setScopes reads the header with the granted scopes.
func (id *Identity) setScopes(header string) {
	for scope := range strings.SplitSeq(header, ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			id.Scopes = append(id.Scopes, scope)
		}
	}
	if len(id.Scopes) == 0 {
		return
	}
	for _, s := range wantedScopes() {
		if !slices.Contains(id.Scopes, s.name) {
			id.Missing = append(id.Missing, s.name)
		}
	}
}

func (b *Bot) setIdentity(id Identity) {
	b.mu.Lock()
	old := b.identity
	b.identity = id
	b.mu.Unlock()
	if old.UserID != id.UserID || old.TeamID != id.TeamID {
		b.opts.Log.Info("slack accepted the bot token", zap.String("team", id.Team), zap.String("user", id.Name), zap.String("user_id", id.UserID))
	}
	if slices.Equal(old.Missing, id.Missing) {
		return
	}
	for _, s := range wantedScopes() {
		if slices.Contains(id.Missing, s.name) {
			b.opts.Log.Warn("bot token lacks a scope", zap.String("scope", s.name), zap.String("needed_for", s.use),
				zap.String("hint", "add it under OAuth & Permissions, then reinstall the app"))
		}
	}
}
