package bot

import (
	"context"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"tocsin/alert"
)

// slots is how many connections are kept open; Slack allows an app 10.
const slots = 2

// replaceAtOnce is how many connections that Slack closes are replaced without a
// wait; after that, one every timing.replace is. Slack allows 50 opens a minute
// (docs/slack.md §1.1).
const replaceAtOnce = 5

// Socket keeps two Socket Mode connections open and passes what people do to a
// Handler. It replaces each connection before Slack closes it, and the replacement
// is ready before the old one is closed.
type Socket struct {
	*dispatcher

	metrics socketMetrics
	timing  timing
	dialer  websocket.Dialer
	// replacements is the budget for replacing connections that Slack closes.
	replacements *rate.Limiter
	// replace has a slot replace its connection.
	replace [slots]chan struct{}

	mu          sync.Mutex
	open        map[*connection]bool // all that are not closed yet
	sockets     int                  // the open ones and those being opened
	current     [slots]*connection   // the one of each slot, or nil
	since       time.Time            // when the first of current came up after none was
	usable      time.Time            // until when an earlier one was usable; at first when Run began
	lastError   string
	lastErrorAt time.Time
	problem     alert.Problem
	known       appState // what the latest hello said
}

// appState is what a hello says about the app.
type appState struct {
	app     string // A…, or empty
	unknown int    // how many connections Slack counts that are not ours
}

// timing holds the durations that tests shorten.
type timing struct {
	idle    time.Duration // silence after which a connection is dead
	stagger time.Duration // how much later the second slot starts
	rotate  time.Duration // how long a connection is used; 0: what Slack announces decides
	linger  time.Duration // how long a replaced connection that Slack will close is read
	refused time.Duration // wait after an error that a person has to fix
	token   time.Duration // how often another app token is looked for after one was refused
	tooMany time.Duration // least wait after too_many_websockets
	replace time.Duration // how often the budget allows another replacement
}

func realTiming() timing {
	return timing{
		idle: idleLimit, stagger: 2 * time.Second, linger: 12 * time.Second,
		refused: time.Minute, token: 5 * time.Second, tooMany: 30 * time.Second, replace: 3 * time.Second,
	}
}

type socketMetrics struct {
	rotations  prometheus.Counter
	reconnects prometheus.Counter
	crossed    prometheus.Counter
	registered prometheus.Gauge
	unknown    prometheus.Gauge
}

// NewSocket returns a Socket that has not connected yet.
func NewSocket(b *Bot, inbox Inbox, handler Handler) *Socket {
	metrics := promauto.With(b.opts.Metrics)
	s := &Socket{dispatcher: newDispatcher(b, inbox, handler, metrics), timing: realTiming(), dialer: newDialer(b.opts.Authorities), open: map[*connection]bool{}}
	for n := range s.replace {
		s.replace[n] = make(chan struct{}, 1)
	}
	s.metrics = s.register(metrics)
	return s
}

// NewFrontSocket returns a Socket of a standby, which stores and acks what people do, and leaves
// it to the active replica. Of the handler it only has dialogs validated.
func NewFrontSocket(b *Bot, inbox Inbox, handler Handler) *Socket {
	s := NewSocket(b, inbox, handler)
	s.front = true
	return s
}

func (s *Socket) register(f promauto.Factory) socketMetrics {
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "tocsin_slack_connections", Help: "Socket Mode connections that are up."},
		func() float64 { return float64(s.Status().Connections) })
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "tocsin_slack_last_frame_timestamp_seconds", Help: "When Slack sent the latest frame on a Socket Mode connection that is open; 0 if there is none."},
		func() float64 { return float64(s.lastFrame()) / 1000 })
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return socketMetrics{
		rotations:  counter("tocsin_slack_rotations_total", "Connections replaced before they ended."),
		reconnects: counter("tocsin_slack_reconnects_total", "Connections opened after one was lost or refused."),
		crossed:    counter("tocsin_slack_acks_crossed_total", "Acks sent on another connection than the one the envelope came on."),
		registered: f.NewGauge(prometheus.GaugeOpts{Name: "tocsin_slack_num_connections",
			Help: "Connections that Slack counts for the app. If there are more than ours, they were lost or belong to a second daemon."}),
		unknown: f.NewGauge(prometheus.GaugeOpts{Name: "tocsin_slack_unknown_connections",
			Help: "Connections that Slack counted, at the latest hello, in addition to ours."}),
	}
}

// Run connects, and handles what people do until ctx ends. Then it finishes the
// acks, closes the connections and gives the handlers three seconds. What is not
// done by then is done after the next start. It returns nil.
func (s *Socket) Run(ctx context.Context) error {
	s.begin(time.Now())
	s.replacements = rate.NewLimiter(rate.Every(s.timing.replace), replaceAtOnce)
	s.run(ctx, func() {
		var group sync.WaitGroup
		for n := range slots {
			group.Go(func() { newSlot(s, n).run(ctx) })
		}
		group.Wait()
	})
	return nil
}

// Replace replaces the connections by ones of the app token as it is now. The old ones are
// used until the new ones are ready.
func (s *Socket) Replace() {
	for _, slot := range s.replace {
		select {
		case slot <- struct{}{}:
		default: // it is about to do so
		}
	}
}

// Status is the state of the connections.
type Status struct {
	// Connections is how many of the two are up.
	Connections int
	// Since is since when at least one has been up; zero while none is.
	Since time.Time
	// Usable is when a connection was usable last, which is now while one is. One that
	// ends right after its hello is not. Until there was one, it is when Run began.
	Usable      time.Time
	LastError   string
	LastErrorAt time.Time
	// Unknown is how many connections Slack counted at the latest hello that are not ours.
	Unknown int
	// Problems are what a person has to fix; none once a connection is up.
	Problems []alert.Problem
	// Notes are what a person should look at.
	Notes []alert.Problem
}

// Status returns the current state of the connections.
func (s *Socket) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Connections: s.connected(), Usable: s.lastUsable(time.Now()), Unknown: s.known.unknown, LastError: s.lastError, LastErrorAt: s.lastErrorAt}
	if st.Connections > 0 {
		st.Since = s.since
	}
	if s.problem.What != "" {
		st.Problems = []alert.Problem{s.problem}
	}
	return st
}

// lastFrame is when the latest frame came, in Unix milliseconds; 0 without a connection.
func (s *Socket) lastFrame() (at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.current {
		if c != nil {
			at = max(at, c.heard.Load())
		}
	}
	return at
}

func (s *Socket) begin(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usable = now
}

// settled is how long connections have to be up without a gap to count as usable.
const settled = 3 * time.Second

// lastUsable returns when a connection was usable last. The caller holds mu.
func (s *Socket) lastUsable(now time.Time) time.Time {
	until := now
	if s.connected() == 0 {
		until = s.since
		for _, c := range s.current {
			if c != nil && c.endedAt.After(until) {
				until = c.endedAt
			}
		}
	}
	if s.since.IsZero() || until.Sub(s.since) < settled {
		return s.usable
	}
	return until
}

// connected counts the slots whose connection is up. The caller holds mu.
func (s *Socket) connected() int {
	n := 0
	for _, c := range s.current {
		if c != nil && !isClosed(c.ended) {
			n++
		}
	}
	return n
}

// connect returns a connection that has received hello.
func (s *Socket) connect(ctx context.Context, app alert.Secret) (*connection, hello, error) {
	// A proxy that can't be used is named before a call through it fails.
	if _, err := proxyFor(s.dialer.Proxy, s.bot.opts.APIURL); err != nil {
		return nil, hello{}, err
	}
	address, err := s.bot.socketURL(ctx, app)
	if err != nil {
		return nil, hello{}, err
	}
	c, err := s.start(ctx, address)
	if err != nil {
		return nil, hello{}, err
	}
	select {
	case greeting := <-c.hello:
		return c, greeting, nil
	case <-c.ended:
		select {
		case greeting := <-c.hello: // it ended right after
			return c, greeting, nil
		default:
			return nil, hello{}, c.err
		}
	case <-ctx.Done():
		c.close()
		return nil, hello{}, ctx.Err()
	}
}

// start opens a connection, which ends by close and not with ctx.
func (s *Socket) start(ctx context.Context, address string) (*connection, error) {
	s.count(+1)
	// When ctx ends during the upgrade, the upgrade gets a moment to finish: a
	// connection that Slack has registered needs a close frame.
	dialing, cancel := outlive(ctx, drainLimit)
	defer cancel()
	ws, err := dial(dialing, s.dialer, address)
	if err != nil {
		s.count(-1)
		return nil, err
	}
	detached := context.WithoutCancel(ctx)
	c := newConnection(ws, s.log, s.timing.idle, func(c *connection, r socketmode.Request) {
		s.accept(detached, r, func(payload any) { s.ack(c, r.EnvelopeID, payload) }, c.acked)
	})
	s.mu.Lock()
	s.open[c] = true
	s.mu.Unlock()
	s.receivers.Go(func() {
		defer s.count(-1)
		c.run()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, c)
	})
	return c, nil
}

// count changes the number of our connections, from the dial to the end.
func (s *Socket) count(change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sockets += change
}

// outlive returns a context that ends d after ctx does.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(d, cancel) })
	return longer, func() {
		stop()
		cancel()
	}
}

// ack acks on the connection the envelope came on or, if that fails, on another.
func (s *Socket) ack(c *connection, envelope string, payload any) {
	err := c.ack(envelope, payload)
	if err == nil {
		return
	}
	for _, other := range s.siblings(c) {
		if other.ack(envelope, payload) == nil {
			s.metrics.crossed.Inc()
			return
		}
	}
	s.log.Warn("ack lost", zap.String("envelope", envelope), zap.Error(err))
}

// siblings returns the connections that can send an ack instead of c.
func (s *Socket) siblings(c *connection) []*connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*connection
	for other := range s.open {
		if other != c && other.isReady() {
			found = append(found, other)
		}
	}
	return found
}

// ready records that a slot's connection is up, and how many Slack counts.
func (s *Socket) ready(slot int, c *connection, h hello) {
	s.metrics.registered.Set(float64(h.connections))
	_, others := s.bot.opts.Connections()
	s.mu.Lock()
	if s.connected() == 0 {
		s.usable, s.since = s.lastUsable(h.at), h.at
	}
	s.current[slot] = c
	s.problem = alert.Problem{}
	unknown := max(h.connections-s.sockets-others, 0)
	s.metrics.unknown.Set(float64(unknown))
	changed := unknown != s.known.unknown
	s.known = appState{app: h.app, unknown: unknown}
	s.mu.Unlock()
	s.bot.opts.Answered("")
	s.log.Info("slack connection is up", zap.Int("slot", slot+1), zap.Int("num_connections", h.connections))
	if changed && unknown > 0 {
		s.log.Warn("slack counts more connections than ours", zap.Int("num_connections", h.connections), zap.Int("more", unknown),
			zap.String("hint", alert.UnknownConnectionsHint))
	}
}

// app returns the app (A…) that the latest hello named, and how many connections are up.
func (s *Socket) app() (id string, connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known.app, s.connected()
}

// setError keeps an error for Status.
func (s *Socket) setError(err error, problem alert.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastError, s.lastErrorAt = err.Error(), s.bot.opts.Now()
	if problem.What != "" {
		s.problem = problem
	}
}
