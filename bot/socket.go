package bot

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"

	"tocsin/alert"
)

// slots is how many connections are kept; Slack allows 10 for an app.
const slots = 2

// Socket keeps two Socket Mode connections and hands what people do to a
// Handler. Each connection is replaced before Slack recycles it, and the
// replacement is up before the old one goes.
type Socket struct {
	bot     *Bot
	inbox   Inbox
	handler Handler
	log     *zap.Logger
	metrics socketMetrics
	backlog *backlog
	room    chan struct{}
	timing  timing
	dialer  dialer

	receivers sync.WaitGroup

	mu       sync.Mutex
	links    map[*link]bool // all that have not ended
	current  [slots]*link   // the one of each slot, or nil
	since    time.Time      // when the first of current came up after none was
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
}

func realTiming() timing {
	return timing{
		idle: idleLimit, stagger: 2 * time.Second, linger: 12 * time.Second,
		refused: time.Minute, crowded: 30 * time.Second,
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
		room: make(chan struct{}, receiveAtOnce), timing: realTiming(), dialer: secureDialer(), links: map[*link]bool{},
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
			Help: "From an envelope's arrival until its ack is handed over for writing.", Buckets: prometheus.ExponentialBuckets(0.0002, 2.5, 12)}),
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
	steady := context.WithoutCancel(ctx)
	working, stop := context.WithCancel(steady)
	defer stop()
	s.recall(ctx)
	hands := s.startWorkers(working)
	defer context.AfterFunc(ctx, func() { time.AfterFunc(finishLimit, stop) })()
	var group sync.WaitGroup
	for n := range slots {
		group.Go(func() { s.slot(n).run(ctx) })
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
	for _, l := range s.current {
		if l != nil && !l.over() {
			n++
		}
	}
	return n
}

// begin starts a connection and forgets it when it has ended.
func (s *Socket) begin(ctx context.Context) *link {
	steady := context.WithoutCancel(ctx)
	l := s.bot.newLink(s.dialer, s.timing.idle, linkEvents{
		envelope: func(l *link, r socketmode.Request) { s.envelope(steady, l, r) },
		unsent:   func(l *link, r *socketmode.Response) { s.unsent(steady, l, r) },
	})
	s.mu.Lock()
	s.links[l] = true
	s.mu.Unlock()
	s.receivers.Go(func() {
		l.run(steady)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.links, l)
	})
	return l
}

// others are the connections that may carry an ack instead of l.
func (s *Socket) others(not *link) []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*link
	for l := range s.links {
		if l != not && l.ready.Load() {
			found = append(found, l)
		}
	}
	return found
}

// ready notes that a slot's connection is up, and how many Slack counts.
func (s *Socket) ready(slot int, l *link, h hello) {
	s.metrics.registered.Set(float64(h.connections))
	s.mu.Lock()
	if s.alive() == 0 {
		s.since = h.at
	}
	s.current[slot] = l
	s.problem = alert.Problem{}
	strange := max(h.connections-len(s.links), 0)
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
