package outbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"tocsin/alert"
)

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
