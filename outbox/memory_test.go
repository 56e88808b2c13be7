package outbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tocsin/alert"
)

// memory is a Queue in memory that follows exactly the rules of Claim.
type memory struct {
	mu        sync.Mutex
	rows      []*alert.Delivery
	incidents map[string]*alert.Incident
	cards     map[string]alert.Card // by incident and lane
	claims    int
	// members are the posts that each digest stands for.
	members map[string][]*alert.Delivery
	broken  map[string]alert.Destination
	rescued map[string]int
	told    map[string]bool
	aliases atomic.Pointer[alert.Aliases]
	// fault, when set, may refuse a call ("lanes", "claim", "finish").
	fault func(call string) error
	// asked, when set, is called, unlocked, after each claim that returned nothing.
	asked func(c alert.Claim)
}

func newMemory() *memory {
	return &memory{incidents: map[string]*alert.Incident{}, cards: map[string]alert.Card{}, members: map[string][]*alert.Delivery{}, broken: map[string]alert.Destination{}, rescued: map[string]int{}, told: map[string]bool{}}
}

// add adds a delivery; an update is left out while an earlier post or update of
// its card is pending. A new delivery is a change, so the version rises.
func (m *memory) add(d alert.Delivery) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d.Lane = m.Aliases().Lane(d.Lane)
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
	first := m.head(c)
	var held time.Time
	if first != nil && c.Due(*first) {
		if held = c.HeldUntil(*first); !held.IsZero() {
			c.Posts = false
			first = m.head(c)
		}
	}
	head := m.gather(c, first)
	if head == nil {
		return alert.Job{}, held, nil
	}
	if !c.Due(*head) {
		return alert.Job{}, earliest(held, head.NextAt), nil
	}
	job := alert.Job{Delivery: *head, Incident: *m.incidents[head.Incident], Card: m.cards[head.Incident+" "+head.Lane]}
	if _, ok := m.members[head.Incident]; ok {
		job.Digest = &alert.Summary{Total: len(m.members[head.Incident])}
	}
	job.Unsure = head.State == alert.Sending
	job.Followed = slices.ContainsFunc(m.rows, func(r *alert.Delivery) bool { return r != head && r.Lane == head.Lane && unfinished(r) })
	if !job.Unsure {
		head.StartedAt, head.Via = c.Now, c.Via
		if (head.Kind == alert.Update || head.Kind.InThread() && !head.TopLevel) && job.Card.TS != "" {
			head.Via = job.Card.Via
		}
	}
	head.State = alert.Sending
	job.State, job.StartedAt, job.Via = head.State, head.StartedAt, head.Via
	return job, time.Time{}, nil
}

// gather returns first, or a digest that stands for it and all posts like it.
func (m *memory) gather(c alert.Claim, first *alert.Delivery) *alert.Delivery {
	if c.DigestAbove == 0 || first == nil || first.Kind != alert.Post || first.State != alert.Pending || !c.Due(*first) {
		return first
	}
	c = c.ForPriority(first.Priority)
	var posts []*alert.Delivery
	waiting, begun := 0, map[string]bool{}
	for _, r := range m.rows {
		if r.Lane != c.Lane || !unfinished(r) || begun[r.Incident] {
			continue
		}
		begun[r.Incident] = true
		if r.Kind == alert.Post && r.State == alert.Pending && r.Priority == first.Priority && c.Due(*r) {
			posts = append(posts, r)
			if !r.CreatedAt.After(c.Now.Add(-c.DigestAfter)) {
				waiting++
			}
		}
	}
	if waiting <= c.DigestAbove {
		return first
	}
	return m.newDigest(posts)
}

// newDigest replaces the posts in the lane.
func (m *memory) newDigest(posts []*alert.Delivery) *alert.Delivery {
	d := *posts[0]
	d.ID, d.Incident, d.Kind = "digest-of-"+d.ID, "digest-of-"+d.Incident, alert.Digest
	m.members[d.Incident] = posts
	m.incidents[d.Incident] = &alert.Incident{ID: d.Incident, Version: 1, State: alert.StateDigest}
	gathered := map[string]bool{}
	for _, p := range posts {
		gathered[p.Incident+p.Lane] = true
	}
	for _, r := range m.rows {
		if gathered[r.Incident+r.Lane] && unfinished(r) {
			r.State = alert.Superseded
		}
	}
	m.rows = slices.Insert(m.rows, slices.Index(m.rows, posts[0]), &d)
	return &d
}

// list adds the list of a digest that was shown, and the update that links to it.
func (m *memory) list(d *alert.Delivery) {
	m.incidents[d.Incident].Version++
	for _, kind := range []alert.Kind{alert.List, alert.Update} {
		next := alert.Delivery{
			ID: fmt.Sprint(kind, "-of-", d.ID, "-", len(m.rows)), Lane: d.Lane, Incident: d.Incident, Kind: kind, State: alert.Pending, Priority: 1,
			Seq: int64(len(m.rows) + 1), CreatedAt: d.CreatedAt, Note: &alert.Note{Topic: alert.TopicFile},
		}
		m.rows = append(m.rows, &next)
	}
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
		if wanted && !begun[r.Incident] && (head == nil || rank(c, r) < rank(c, head)) {
			head = r
		}
		begun[r.Incident] = true
	}
	return head
}

// rank is the priority of a delivery for a claim.
func rank(c alert.Claim, d *alert.Delivery) int {
	if c.QuietFirst && d.Priority == alert.PriorityQuiet {
		return alert.PriorityCritical
	}
	return d.Priority
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
	if !o.StartedAt.IsZero() {
		r.StartedAt = o.StartedAt
	}
	if o.Broken != nil {
		m.mark(*o.Broken)
	} else if o.Mended != "" {
		m.mark(alert.Destination{Lane: o.Mended, ProbeAt: o.Now})
	}
	if o.CardFirst {
		card := alert.Delivery{ID: fmt.Sprint("card-", len(m.rows), "-before-", r.ID), Lane: r.Lane, Incident: r.Incident, Kind: alert.Post, State: alert.Pending,
			Priority: r.Priority, Seq: r.Seq, CreatedAt: r.CreatedAt, NextAt: o.Now, Class: o.Class}
		m.rows = slices.Insert(m.rows, slices.Index(m.rows, r), &card)
	}
	if !unfinished(r) {
		r.DoneAt = o.Now
	}
	if o.State == alert.Delivered && r.Kind == alert.Digest {
		for _, p := range m.members[r.Incident] {
			m.cards[p.Incident+" "+p.Lane] = alert.Card{
				Lane: r.Lane, Conversation: o.Sent.Conversation, TS: o.Sent.TS, Version: m.incidents[p.Incident].Version, Via: r.Via,
			}
		}
		m.list(r)
	}
	if o.State == alert.Delivered && !r.Kind.InThread() {
		m.cards[r.Incident+" "+r.Lane] = alert.Card{
			Lane: r.Lane, Conversation: o.Sent.Conversation, TS: o.Sent.TS, Version: o.Sent.Version, Via: r.Via,
		}
	}
	return nil
}

// mark needs the lock.
func (m *memory) mark(d alert.Destination) {
	d.Lane = m.Aliases().Lane(d.Lane)
	if !d.Since.IsZero() {
		m.broken[d.Lane] = d
		return
	}
	delete(m.broken, d.Lane)
	for _, r := range m.rows {
		_, waits := m.broken[r.Lane]
		if (waits || r.Lane == d.Lane) && r.State == alert.Pending && r.Class == alert.ClassDestination && r.NextAt.After(d.ProbeAt) {
			r.NextAt = d.ProbeAt
		}
	}
}

func (m *memory) Mark(_ context.Context, d alert.Destination) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refused("mark"); err != nil {
		return err
	}
	m.mark(d)
	return nil
}

func (m *memory) Aliases() *alert.Aliases { return m.aliases.Load() }

// learn has what is in the other lanes be in the lane of this name.
func (m *memory) learn(lane string, others ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := map[string]string{lane: lane}
	for _, s := range others {
		known[s] = lane
		if b, ok := m.broken[s]; ok {
			delete(m.broken, s)
			b.Lane = lane
			m.broken[lane] = b
		}
	}
	names := alert.NewAliases(known)
	for _, r := range m.rows {
		card, shown := m.cards[r.Incident+" "+r.Lane]
		r.Lane, r.Via = names.Lane(r.Lane), names.Lane(r.Via)
		if shown {
			card.Lane, card.Via = names.Lane(card.Lane), names.Lane(card.Via)
			m.cards[r.Incident+" "+r.Lane] = card
		}
	}
	m.aliases.Store(names)
}

func (m *memory) Broken(context.Context) ([]alert.Destination, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []alert.Destination
	for _, d := range m.broken {
		all = append(all, d)
	}
	return all, m.refused("broken")
}

func (m *memory) Stranded(_ context.Context, lane string, most int) ([]alert.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var jobs []alert.Job
	for _, r := range m.rows {
		if r.Lane == lane && unfinished(r) && !r.Kind.InThread() && m.rescued[r.ID] == 0 && len(jobs) < most {
			jobs = append(jobs, alert.Job{Delivery: *r, Incident: *m.incidents[r.Incident]})
		}
	}
	return jobs, m.refused("stranded")
}

func (m *memory) Rescued(_ context.Context, ids []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refused("rescued"); err != nil {
		return err
	}
	for _, id := range ids {
		m.rescued[id]++
	}
	return nil
}

func (m *memory) UnreportedDeadLetters(context.Context) ([]alert.UnreportedDeadLetters, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	byLane := map[string]*alert.UnreportedDeadLetters{}
	for _, r := range m.rows {
		if r.State != alert.Dead || m.told[r.ID] {
			continue
		}
		if byLane[r.Lane] == nil {
			byLane[r.Lane] = &alert.UnreportedDeadLetters{Lane: r.Lane}
		}
		g := byLane[r.Lane]
		g.Count, g.Reason, g.Last = g.Count+1, r.Reason, max(g.Last, r.Seq)
	}
	var all []alert.UnreportedDeadLetters
	for _, lane := range slices.Sorted(maps.Keys(byLane)) {
		all = append(all, *byLane[lane])
	}
	return all, m.refused("untold")
}

func (m *memory) MarkReported(_ context.Context, g alert.UnreportedDeadLetters) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.State == alert.Dead && r.Lane == g.Lane && r.Seq <= g.Last {
			m.told[r.ID] = true
		}
	}
	return m.refused("told")
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
