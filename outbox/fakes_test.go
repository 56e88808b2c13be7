package outbox

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"tocsin/alert"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call is one Send as Slack saw it.
type call struct {
	job alert.Job
	at  time.Time
	run int
}

// slack is a scripted Sender that shows what it accepts.
type slack struct {
	mu    sync.Mutex
	run   int // how many outboxes have been started
	calls []call
	shown []call
	looks int
	// answer, when set, scripts a send: an error, and whether it is shown nevertheless.
	answer func(ctx context.Context, c call) (shown bool, err error)
	// lag is how long a look does not find what is shown.
	lag time.Duration
	// blind, when set, is the error of a look.
	blind func() error
	// probe, when set, answers probes.
	probe  func() error
	probes []time.Time
	// reach, when set, answers looks at broken destinations.
	reach   func(d alert.Destination) (bool, error)
	reaches []reach
	// announced are the lines about dead letters; mute, when set, is the answer to them.
	announced []announcement
	mute      error
}

// answers changes how sends are answered while the outbox runs; nil takes them all.
func (s *slack) answers(answer func(ctx context.Context, c call) (shown bool, err error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *slack) Send(ctx context.Context, job alert.Job) (alert.Sent, error) {
	shown, err := true, error(nil)
	s.mu.Lock()
	c := call{job, time.Now(), s.run}
	s.calls = append(s.calls, c)
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		shown, err = answer(ctx, c)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || shown {
		s.shown = append(s.shown, c)
	}
	if err != nil {
		return alert.Sent{}, err
	}
	return receipt(job), nil
}

func receipt(job alert.Job) alert.Sent {
	return alert.Sent{Conversation: "C-" + job.Place(), TS: "ts-" + job.ID, Version: job.Incident.Version}
}

func (s *slack) Find(_ context.Context, job alert.Job) (alert.Sent, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	if s.blind != nil {
		if err := s.blind(); err != nil {
			return alert.Sent{}, false, err
		}
	}
	for _, c := range s.shown {
		if c.job.ID == job.ID && c.job.Place() == job.Place() && time.Since(c.at) >= s.lag {
			return receipt(c.job), true, nil
		}
	}
	return alert.Sent{}, false, nil
}

func (s *slack) Probe(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probes = append(s.probes, time.Now())
	if s.probe == nil {
		return nil
	}
	return s.probe()
}

func (s *slack) Reach(_ context.Context, d alert.Destination) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reaches = append(s.reaches, reach{d.Lane, time.Now()})
	if s.reach == nil {
		return true, nil
	}
	return s.reach(d)
}

func (s *slack) Announce(_ context.Context, lane string, g alert.UnreportedDeadLetters) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.announced = append(s.announced, announcement{lane, g, time.Now()})
	return s.mute
}

// announcement is one line about dead letters.
type announcement struct {
	to   string
	dead alert.UnreportedDeadLetters
	at   time.Time
}

// reach is one look at a broken destination.
type reach struct {
	lane string
	at   time.Time
}

// sends lists the ids of what was sent, in order.
func (s *slack) sends() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, 0, len(s.calls))
	for _, c := range s.calls {
		ids = append(ids, c.job.ID)
	}
	return ids
}

// times lists when id was sent, counted from began.
func (s *slack) times(began time.Time, id string) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var at []time.Duration
	for _, c := range s.calls {
		if id == "" || c.job.ID == id {
			at = append(at, c.at.Sub(began))
		}
	}
	return at
}

func (s *slack) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// world is an outbox between a queue and a Slack, in a bubble of its own time.
type world struct {
	queue *memory
	slack *slack
	box   *Outbox
	began time.Time
	stop  func() error
	// registry holds the metrics of the outbox that was started last.
	registry *prometheus.Registry
}

// inWorld runs test in a bubble; the outbox is started by start.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, &world{queue: newMemory(), slack: &slack{}, began: time.Now()})
	})
}

// start runs an outbox until stop or the end of the test. Back-off is at its
// ceiling, so that times are exact.
func (w *world) start(t *testing.T, opts Options) {
	t.Helper()
	if opts.Rand == nil {
		opts.Rand = func() float64 { return 1 }
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.slack.run++
	w.registry = prometheus.NewRegistry()
	opts.Metrics = w.registry
	w.box = New(w.queue, w.slack, opts)
	ended := make(chan error, 1)
	go func() { ended <- w.box.Run(ctx) }()
	w.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	stop := w.stop
	t.Cleanup(func() { _ = stop() })
	synctest.Wait()
}

// post adds a delivery for the lane: a new card for an incident of its own.
func (w *world) post(lane string, ids ...string) {
	for _, id := range ids {
		w.queue.add(alert.Delivery{ID: id, Lane: lane, Kind: alert.Post, Incident: "i-" + id, Priority: 1})
	}
	w.wake(lane)
}

// more adds an update or a reply for an incident.
func (w *world) more(lane string, kind alert.Kind, incident string, ids ...string) {
	for _, id := range ids {
		w.queue.add(alert.Delivery{ID: id, Lane: lane, Kind: kind, Incident: incident, Priority: 1})
	}
	w.wake(lane)
}

// show adds an incident whose card is shown in lane.
func (w *world) show(lane string, incidents ...string) {
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	for _, id := range incidents {
		w.queue.incidents[id] = &alert.Incident{ID: id, Version: 1}
		w.queue.cards[id+" "+lane] = alert.Card{Lane: lane, Conversation: "C-" + lane, TS: "1.0", Version: 1}
	}
}

func (w *world) wake(lane string) {
	if w.box != nil {
		w.box.Wake(lane)
	}
}

// wantState fails unless the delivery is in state.
func (w *world) wantState(t *testing.T, id string, state alert.DeliveryState) {
	t.Helper()
	if r := w.queue.row(id); r.State != state {
		t.Errorf("%s is %s (%s), want %s", id, r.State, r.Reason, state)
	}
}

// wantTimes fails unless id (or with "" anything) was sent at these times from
// the beginning.
func (w *world) wantTimes(t *testing.T, id string, want ...time.Duration) {
	t.Helper()
	if got := w.slack.times(w.began, id); !slices.Equal(got, want) {
		t.Errorf("%q was sent at %v, want %v", id, got, want)
	}
}

// pass advances time by d and waits until all goroutines wait.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func fail(class alert.Class, code string) *alert.SendError {
	return &alert.SendError{Class: class, Code: code}
}
