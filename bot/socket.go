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

// slots is how many connections are kept; Slack allows 10 for an app.
const slots = 2

// replaceAtOnce is how many connections that Slack recycles are replaced without
// a wait, before there is one each timing.replace. Slack allows 50 opens a minute
// (docs/slack.md §1.1).
const replaceAtOnce = 5

// Socket keeps two Socket Mode connections and hands what people do to a
// Handler. Each connection is replaced before Slack recycles it, and the
// replacement is up before the old one is closed.
type Socket struct {
	bot     *Bot
	inbox   Inbox
	handler Handler
	log     *zap.Logger
	metrics socketMetrics
	backlog *backlog
	room    chan struct{}
	timing  timing
	dialer  websocket.Dialer
	// replacements is the budget for connections that Slack recycles.
	replacements *rate.Limiter

	receivers sync.WaitGroup

	mu       sync.Mutex
	open     map[*connection]bool // all that are not closed
	sockets  int                  // those of open, and what is being opened
	current  [slots]*connection   // the one of each slot, or nil
	since    time.Time            // when the first of current came up after none was
	trouble  string
	troubled time.Time
	problem  alert.Problem
	strange  int // connections more than ours, at the latest hello
}

// timing holds what tests shorten.
type timing struct {
	idle    time.Duration // silence after which a connection is dead
	stagger time.Duration // how much later the second slot starts
	rotate  time.Duration // how long a connection is used; 0: by what Slack announces
	linger  time.Duration // how long a connection that Slack is recycling is still read
	refused time.Duration // wait after a refused token or a disabled Socket Mode
	crowded time.Duration // wait after too_many_websockets, at least
	replace time.Duration // how often a recycled connection is replaced at once
}

func realTiming() timing {
	return timing{
		idle: idleLimit, stagger: 2 * time.Second, linger: 12 * time.Second,
		refused: time.Minute, crowded: 30 * time.Second, replace: 3 * time.Second,
	}
}

type socketMetrics struct {
	envelopes  *prometheus.CounterVec
	ackSeconds prometheus.Histogram
	rotations  prometheus.Counter
	reconnects prometheus.Counter
	crossed    prometheus.Counter
	registered prometheus.Gauge
}

// NewSocket returns a Socket that has not connected yet.
func NewSocket(b *Bot, inbox Inbox, handler Handler) *Socket {
	s := &Socket{
		bot: b, inbox: inbox, handler: handler, log: b.opts.Log, backlog: newBacklog(),
		room: make(chan struct{}, receiveAtOnce), timing: realTiming(), dialer: newDialer(), open: map[*connection]bool{},
	}
	s.metrics = s.register(promauto.With(b.opts.Metrics))
	return s
}

func (s *Socket) register(f promauto.Factory) socketMetrics {
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "tocsin_slack_connections", Help: "Socket Mode connections that are up."},
		func() float64 { return float64(s.Status().Connections) })
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return socketMetrics{
		envelopes: f.NewCounterVec(prometheus.CounterOpts{Name: "tocsin_slack_envelopes_total",
			Help: "Envelopes from Slack by type."}, []string{"type"}),
		ackSeconds: f.NewHistogram(prometheus.HistogramOpts{Name: "tocsin_slack_ack_seconds",
			Help: "From an envelope's arrival until its ack is written.", Buckets: prometheus.ExponentialBuckets(0.0002, 2.5, 12)}),
		rotations:  counter("tocsin_slack_rotations_total", "Connections replaced before they ended."),
		reconnects: counter("tocsin_slack_reconnects_total", "Connections opened after one was lost or refused."),
		crossed:    counter("tocsin_slack_acks_crossed_total", "Acks sent on another connection than the envelope came on."),
		registered: f.NewGauge(prometheus.GaugeOpts{Name: "tocsin_slack_num_connections",
			Help: "Connections that Slack counts for the app; more than ours are ghosts or a second daemon."}),
	}
}

// Run connects, and handles what people do until ctx ends; then it finishes the
// acks, says goodbye to Slack, and gives the handlers a moment. What is not done
// by then is done after the next start. It returns nil.
func (s *Socket) Run(ctx context.Context) error {
	working, stop := outlive(ctx, finishLimit)
	defer stop()
	s.replacements = rate.NewLimiter(rate.Every(s.timing.replace), replaceAtOnce)
	s.recall(ctx)
	hands := s.startWorkers(working)
	var group sync.WaitGroup
	for n := range slots {
		group.Go(func() { newSlot(s, n).run(ctx) })
	}
	group.Wait()
	s.receivers.Wait()
	s.backlog.close()
	hands.Wait()
	return nil
}

// Status is how the connections are doing.
type Status struct {
	// Connections is how many are up, of two.
	Connections int
	// Since is when there was last none; zero while there is none.
	Since       time.Time
	LastError   string
	LastErrorAt time.Time
	// Problems are what a person has to put right, until a connection is up.
	Problems []alert.Problem
}

// Status returns how the connections are doing now.
func (s *Socket) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Connections: s.alive(), LastError: s.trouble, LastErrorAt: s.troubled}
	if st.Connections > 0 {
		st.Since = s.since
	}
	if s.problem.What != "" {
		st.Problems = []alert.Problem{s.problem}
	}
	return st
}

// alive counts the slots whose connection is up. The caller holds mu.
func (s *Socket) alive() int {
	n := 0
	for _, c := range s.current {
		if c != nil && !c.over() {
			n++
		}
	}
	return n
}

// connect returns a connection that has received hello.
func (s *Socket) connect(ctx context.Context) (*connection, hello, error) {
	address, err := s.bot.socketURL(ctx)
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
		case greeting := <-c.hello: // and then the end
			return c, greeting, nil
		default:
			return nil, hello{}, c.err
		}
	case <-ctx.Done():
		c.close()
		return nil, hello{}, ctx.Err()
	}
}

// start dials and runs a connection, which ends by close and not with ctx.
func (s *Socket) start(ctx context.Context, address string) (*connection, error) {
	s.count(+1)
	// An upgrade that is under way gets a moment: a connection that Slack knows has
	// to be closed in order.
	dialing, cancel := outlive(ctx, drainLimit)
	defer cancel()
	ws, err := dial(dialing, s.dialer, address)
	if err != nil {
		s.count(-1)
		return nil, err
	}
	steady := context.WithoutCancel(ctx)
	c := newConnection(ws, s.log, s.timing.idle, func(c *connection, r socketmode.Request) { s.envelope(steady, c, r) })
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

// count keeps the number of our connections, from the dial to the end.
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

// siblings are the connections that may carry an ack instead of c.
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

// ready notes that a slot's connection is up, and how many Slack counts.
func (s *Socket) ready(slot int, c *connection, h hello) {
	s.metrics.registered.Set(float64(h.connections))
	s.mu.Lock()
	if s.alive() == 0 {
		s.since = h.at
	}
	s.current[slot] = c
	s.problem = alert.Problem{}
	strange := max(h.connections-s.sockets, 0)
	changed := strange != s.strange
	s.strange = strange
	s.mu.Unlock()
	s.log.Info("slack connection is up", zap.Int("slot", slot+1), zap.Int("num_connections", h.connections))
	if changed && strange > 0 {
		s.log.Warn("slack counts more connections than ours", zap.Int("num_connections", h.connections), zap.Int("more", strange),
			zap.String("hint", "another process uses the same app token and takes a share of what people do, or connections were lost and Slack keeps them for some hours"))
	}
}

// failed keeps an error for Status.
func (s *Socket) failed(err error, problem alert.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble, s.troubled = err.Error(), s.bot.opts.Now()
	if problem.What != "" {
		s.problem = problem
	}
}
