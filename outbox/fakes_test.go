package outbox

import (
	"context"
	"errors"
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

// memory is a Queue in memory that follows the rules of Claim to the letter.
type memory struct {
	mu        sync.Mutex
	rows      []*alert.Delivery
	incidents map[string]*alert.Incident
	cards     map[string]alert.Card // by incident and lane
	claims    int
	// fault, when set, may refuse a call ("lanes", "claim", "finish").
	fault func(call string) error
	// asked, when set, is called after each claim that gave nothing, unlocked.
	asked func(c alert.Claim)
}

func newMemory() *memory {
	return &memory{incidents: map[string]*alert.Incident{}, cards: map[string]alert.Card{}}
}

// owe adds a delivery; an update is left out while an earlier post or update of
// its card is pending. A new delivery is a change, so the version rises.
func (m *memory) owe(d alert.Delivery) {
	m.mu.Lock()
	defer m.mu.Unlock()
	in := m.incidents[d.Incident]
	if in == nil {
		in = &alert.Incident{ID: d.Incident}
		m.incidents[d.Incident] = in
	}
	in.Version++
	for _, r := range m.rows {
		same := r.Lane == d.Lane && r.Incident == d.Incident && r.Kind != alert.Reply && r.State == alert.Pending
		if d.Kind == alert.Update && same {
			return
		}
	}
	d.Seq, d.State = int64(len(m.rows)+1), alert.Pending
	if d.CreatedAt.IsZero() {
		d.CreatedAt = time.Now()
	}
	m.rows = append(m.rows, &d)
}

func (m *memory) refused(call string) error {
	if m.fault == nil {
		return nil
	}
	return m.fault(call)
}

func (m *memory) Lanes(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refused("lanes"); err != nil {
		return nil, err
	}
	var lanes []string
	for _, r := range m.rows {
		if unfinished(r) && !slices.Contains(lanes, r.Lane) {
			lanes = append(lanes, r.Lane)
		}
	}
	return lanes, nil
}

func (m *memory) Claim(ctx context.Context, c alert.Claim) (alert.Job, time.Time, error) {
	job, next, err := m.claim(c)
	if err == nil && job.ID == "" && m.asked != nil {
		m.asked(c)
	}
	return job, next, errors.Join(err, ctx.Err())
}

func (m *memory) claim(c alert.Claim) (alert.Job, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.claims++
	if err := m.refused("claim"); err != nil {
		return alert.Job{}, time.Time{}, err
	}
	head := m.head(c)
	if head == nil {
		return alert.Job{}, time.Time{}, nil
	}
	if head.NextAt.After(c.Now) {
		return alert.Job{}, head.NextAt, nil
	}
	job := alert.Job{Delivery: *head, Incident: *m.incidents[head.Incident], Card: m.cards[head.Incident+" "+head.Lane]}
	job.Unsure = head.State == alert.Sending
	if !job.Unsure {
		head.StartedAt = c.Now
	}
	head.State = alert.Sending
	job.State, job.StartedAt = head.State, head.StartedAt
	return job, time.Time{}, nil
}

func (m *memory) head(c alert.Claim) *alert.Delivery {
	var head *alert.Delivery
	begun := map[string]bool{}
	for _, r := range m.rows {
		if r.Lane != c.Lane || !unfinished(r) {
			continue
		}
		wanted := c.Posts
		if r.Kind == alert.Update {
			wanted = c.Updates
		}
		if wanted && !begun[r.Incident] && (head == nil || r.Priority < head.Priority) {
			head = r
		}
		begun[r.Incident] = true
	}
	return head
}

func (m *memory) Finish(ctx context.Context, o alert.Outcome) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := errors.Join(m.refused("finish"), ctx.Err()); err != nil {
		return err
	}
	r := m.find(o.Delivery)
	if r == nil || r.State != alert.Sending {
		return alert.ErrNotFound
	}
	r.State, r.NextAt, r.Attempts, r.Kind, r.Plain = o.State, o.NextAt, o.Attempts, o.Kind, o.Plain
	r.TopLevel, r.PossibleDuplicate, r.Class, r.Reason = o.TopLevel, o.PossibleDuplicate, o.Class, o.Reason
	r.Conversation, r.TS = o.Sent.Conversation, o.Sent.TS
	if !unfinished(r) {
		r.DoneAt = o.Now
	}
	if o.State == alert.Delivered && r.Kind != alert.Reply {
		m.cards[r.Incident+" "+r.Lane] = alert.Card{
			Lane: r.Lane, Conversation: o.Sent.Conversation, TS: o.Sent.TS, Version: o.Sent.Version,
		}
	}
	return nil
}

// find needs the lock.
func (m *memory) find(id string) *alert.Delivery {
	for _, r := range m.rows {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func (m *memory) row(id string) alert.Delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *m.find(id)
}

func unfinished(d *alert.Delivery) bool {
	return d.State == alert.Pending || d.State == alert.Sending
}

// call is one Send as Slack saw it.
type call struct {
	job alert.Job
	at  time.Time
	run int
}

// slack is a scripted Sender that shows what it takes.
type slack struct {
	mu    sync.Mutex
	run   int // how many outboxes have been started
	calls []call
	shown []call
	looks int
	// answer, when set, scripts a send: an error, and whether it is shown even so.
	answer func(ctx context.Context, c call) (shown bool, err error)
	// blind, when set, is the error of a look.
	blind func() error
	// probe, when set, answers probes.
	probe  func() error
	probes []time.Time
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
	return alert.Sent{Conversation: "C-" + job.Lane, TS: "ts-" + job.ID, Version: job.Incident.Version}
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
		if c.job.ID == job.ID {
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

// post owes the lane a new card for an incident of its own.
func (w *world) post(lane string, ids ...string) {
	for _, id := range ids {
		w.queue.owe(alert.Delivery{ID: id, Lane: lane, Kind: alert.Post, Incident: "i-" + id, Priority: 1})
	}
	w.wake(lane)
}

// more owes the lane an update or a reply for an incident.
func (w *world) more(lane string, kind alert.Kind, incident string, ids ...string) {
	for _, id := range ids {
		w.queue.owe(alert.Delivery{ID: id, Lane: lane, Kind: kind, Incident: incident, Priority: 1})
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

// pass lets d go by, and then everything come to rest.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func fail(class alert.Class, code string) *alert.SendError {
	return &alert.SendError{Class: class, Code: code}
}
