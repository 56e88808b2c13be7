package engine

import (
	"context"
	"maps"
	"slices"
	"sync"

	"tocsin/alert"
)

// memory is a store in maps. enter is called at the start of each commit and
// may hold it or fail it.
type memory struct {
	enter func(c alert.Change) error

	mu            sync.Mutex
	incidents     []alert.Incident // in the order of their beginning
	places        map[string]int   // of incidents by id
	alerts        []alert.Record
	deliveries    []alert.Delivery
	silences      []alert.Silence
	subscriptions []alert.Subscription
	history       []alert.Event
	seen          map[string]alert.Accepted
	commits       int
	aliases       *alert.Aliases
	heartbeats    map[string]alert.Heartbeat
	members       map[memberRef]alert.GroupMember
}

func newMemory() *memory {
	return &memory{seen: map[string]alert.Accepted{}, places: map[string]int{}, heartbeats: map[string]alert.Heartbeat{}, members: map[memberRef]alert.GroupMember{}}
}

// before has enter called at the start of each commit from now on.
func (m *memory) before(enter func(c alert.Change) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.enter = enter
}

func (m *memory) Load(_ context.Context, q alert.Query) (alert.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := alert.Snapshot{Seen: map[string]alert.Accepted{}, Subscriptions: m.subscriptions, Aliases: m.aliases}
	f.Heartbeats, f.HeartbeatCount = m.beating(&q), len(m.heartbeats)
	f.Incidents = m.asked(q)
	m.inhibition(q, &f)
	m.addMembers(&f, q)
	for n, i := range f.Incidents {
		f.Incidents[n] = m.aliases.Incident(i)
	}
	for _, k := range q.IdempotencyKeys {
		if receipt, ok := m.seen[k]; ok {
			f.Seen[k] = receipt
		}
	}
	for _, line := range m.history {
		if line.RequestID != "" && slices.Contains(q.Acts, line.RequestID) {
			f.Done = append(f.Done, line)
		}
	}
	for _, s := range slices.Backward(m.silences) {
		if !s.Over(q.Now) || s.ID == q.Silence {
			f.Silences = append(f.Silences, s)
		}
	}
	if n := len(m.incidents); n > 0 {
		f.LastID = m.incidents[n-1].ID
	}
	if n := len(m.silences); n > 0 {
		f.LastSilence = m.silences[n-1].ID
	}
	if q.Due {
		for _, i := range m.incidents {
			if !i.DueAt.IsZero() && (f.NextDue.IsZero() || i.DueAt.Before(f.NextDue)) {
				f.NextDue = i.DueAt
			}
		}
		for _, h := range m.heartbeats {
			if !h.DueAt.IsZero() && (f.NextDue.IsZero() || h.DueAt.Before(f.NextDue)) {
				f.NextDue = h.DueAt
			}
		}
	}
	return f, nil
}

// addMembers adds the members that a query is about, and the incidents of those that fire.
func (m *memory) addMembers(f *alert.Snapshot, q alert.Query) {
	due := map[string][]alert.GroupMember{}
	for at, one := range m.members {
		i := m.incidents[m.places[at.incident]]
		asked := slices.ContainsFunc(q.Members, func(k alert.MemberKey) bool { return k == alert.MemberKey{Group: i.Key, Key: one.Key} })
		known := slices.ContainsFunc(f.Incidents, func(have alert.Incident) bool { return have.ID == i.ID })
		fires := one.Status == alert.Firing && slices.Contains(q.Keys, one.Key)
		if fires && !known {
			f.Incidents = append(f.Incidents, i)
		}
		if fires || asked && known {
			f.Members = append(f.Members, one)
		} else if q.Listed && known {
			f.Members = append(f.Members, one)
		} else if q.Due && known && !one.DueAt().IsZero() {
			due[i.ID] = append(due[i.ID], one)
		}
	}
	for _, all := range due {
		slices.SortFunc(all, func(a, b alert.GroupMember) int { return a.DueAt().Compare(b.DueAt()) })
		f.Members = append(f.Members, all[:min(len(all), alert.MaxDueMembers+1)]...)
	}
}

// turn resolves or reopens all members of a group at once.
func (m *memory) turn(t alert.TurnedGroup) {
	for at, one := range m.members {
		switch {
		case one.Incident != t.Incident:
		case t.Status == alert.Resolved && one.Status == alert.Firing:
			one.Status, one.Closed, one.EndedAt = alert.Resolved, true, t.At
			one.Unhide()
		case t.Status == alert.Firing && one.Closed:
			one.Status, one.Closed, one.EndedAt, one.LookAt = alert.Firing, false, noTime, t.At
		}
		m.members[at] = one
	}
}

// beating are the heartbeats that a query is about, whose keys are added to it.
func (m *memory) beating(q *alert.Query) []alert.Heartbeat {
	var found []alert.Heartbeat
	q.Keys = slices.Clone(q.Keys)
	for _, name := range slices.Sorted(maps.Keys(m.heartbeats)) {
		h := m.heartbeats[name]
		due := q.Due && !h.DueAt.IsZero() && !h.DueAt.After(q.Now)
		if q.AllHeartbeats || due || slices.Contains(q.Heartbeats, name) {
			found = append(found, h)
			q.Keys = append(q.Keys, alert.HeartbeatKey(name))
		}
	}
	return found
}

// inhibition adds what a query asks for about incidents that inhibit others.
func (m *memory) inhibition(q alert.Query, f *alert.Snapshot) {
	bite := 0
	for at, i := range m.incidents {
		subject := m.aliases.Subject(i.Subject())
		if i.State == alert.StateResolved {
			continue
		}
		if len(q.Sources) > 0 && (i.Group != nil || slices.ContainsFunc(q.Sources, func(ms alert.Matchers) bool { return ms.Match(subject) })) {
			f.Sources = append(f.Sources, i)
		}
		if q.Inhibitors && i.InhibitedBy != "" {
			f.Inhibitors = alert.Union(f.Inhibitors, []string{i.InhibitedBy})
		}
		if i.InhibitedBy != "" && slices.Contains(q.InhibitedBy, i.InhibitedBy) && at > m.place(q.After) && bite < alert.MaxInhibited {
			bite++
			f.Incidents = append(f.Incidents, i)
		}
	}
	for at, one := range m.members {
		i := m.incidents[m.places[at.incident]]
		subject := m.aliases.Subject(one.Subject(i))
		if one.Status == alert.Firing && slices.ContainsFunc(q.Sources, func(ms alert.Matchers) bool { return ms.Match(subject) }) {
			f.SourceMembers = append(f.SourceMembers, one)
		}
		if q.Inhibitors && one.InhibitedBy != "" {
			f.Inhibitors = alert.Union(f.Inhibitors, []string{one.InhibitedBy})
		}
	}
}

// wake makes members due that are to be looked at, and their groups.
func (m *memory) wake(w alert.Wake) {
	for at, one := range m.members {
		hidden := w.By != "" && (one.InhibitedBy == w.By || one.Silence == w.By)
		if fires := one.Incident == w.Incident && one.Status == alert.Firing && !one.Hidden(); !hidden && !fires {
			continue
		}
		one.LookAt = w.At
		m.members[at] = one
		if i := &m.incidents[m.places[at.incident]]; hidden && (i.DueAt.IsZero() || i.DueAt.After(w.At)) {
			i.DueAt = w.At
			i.Version++
		}
	}
}

// asked are the incidents that a query is about, each once.
func (m *memory) asked(q alert.Query) []alert.Incident {
	var found []alert.Incident
	latest := map[ref]bool{}
	due := 0
	keys := map[string]bool{}
	for _, k := range q.Keys {
		keys[k] = true
	}
	for _, i := range slices.Backward(m.incidents) {
		at := ref{i.Key, i.Route}
		late := q.Due && due < alert.MaxFound && !i.DueAt.IsZero() && !i.DueAt.After(q.Now)
		if late {
			due++
		}
		limit := q.Now.Add(alert.ClockSlack)
		ahead := q.Ahead && !i.DueAt.IsZero() && (i.OpenedAt.After(limit) || i.AckedAt.After(limit) || i.LastAt.After(limit))
		if ahead || keys[i.Key] && !latest[at] || slices.Contains(q.IDs, i.ID) || q.Open && i.State != alert.StateResolved || late {
			found = append(found, i)
		}
		latest[at] = true
	}
	return found
}

func (m *memory) Commit(_ context.Context, c alert.Change) error {
	m.mu.Lock()
	enter := m.enter
	m.mu.Unlock()
	if enter != nil {
		if err := enter(c); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.Aliases != nil && c.Aliases != m.aliases {
		return alert.ErrConflict
	}
	for _, i := range c.Incidents {
		if at := m.place(i.ID); at < 0 && i.Version != 1 || at >= 0 && m.incidents[at].Version != i.Version-1 {
			return alert.ErrConflict
		}
	}
	for _, line := range c.History {
		if line.RequestID != "" && slices.ContainsFunc(m.history, func(have alert.Event) bool { return have.RequestID == line.RequestID && have.Incident == line.Incident }) {
			return alert.ErrConflict
		}
	}
	m.write(c)
	m.commits++
	return nil
}

func (m *memory) Arrivals(context.Context, int) ([]alert.Arrival, error) { return nil, nil }

// all are the incidents as they are now; the engine may be changing them.
func (m *memory) all() []alert.Incident {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.incidents)
}

func (m *memory) beats() map[string]alert.Heartbeat {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.heartbeats)
}

func (m *memory) write(c alert.Change) {
	for _, i := range c.Incidents {
		if at := m.place(i.ID); at >= 0 {
			m.incidents[at] = i
		} else {
			m.places[i.ID] = len(m.incidents)
			m.incidents = append(m.incidents, i)
		}
	}
	for _, s := range c.Silences {
		if at := slices.IndexFunc(m.silences, func(have alert.Silence) bool { return have.ID == s.ID }); at >= 0 {
			m.silences[at] = s
		} else {
			m.silences = append(m.silences, s)
		}
		for at, one := range m.members {
			if one.Silence == s.ID && one.SilencedUntil.After(s.EndsAt) {
				one.SilencedUntil = s.EndsAt
				m.members[at] = one
			}
		}
		for n, i := range m.incidents {
			hides := func(one alert.GroupMember) bool { return one.Incident == i.ID && one.Silence == s.ID }
			if (i.Silence == s.ID || slices.ContainsFunc(slices.Collect(maps.Values(m.members)), hides)) && (i.DueAt.IsZero() || i.DueAt.After(s.EndsAt)) {
				m.incidents[n].DueAt = s.EndsAt
				m.incidents[n].Version++
			}
		}
	}
	for _, a := range c.Alerts {
		if a.IdempotencyKey != "" {
			m.seen[a.IdempotencyKey] = alert.Accepted{ID: a.ID, Key: a.Key, Incident: a.Incident, Hash: a.Hash}
		}
	}
	for _, h := range c.Heartbeats {
		m.heartbeats[h.Name] = h
	}
	for _, t := range c.Turned {
		m.turn(t)
	}
	for _, one := range c.Members {
		m.members[memberRef{one.Incident, one.Key}] = one
	}
	for _, w := range c.Woken {
		m.wake(w)
	}
	for _, name := range c.Forgotten {
		delete(m.heartbeats, name)
	}
	for _, h := range c.NeverShown {
		for n, a := range m.alerts {
			if a.Incident == h.Incident && a.Standing == alert.StandPending {
				m.alerts[n].Standing, m.alerts[n].Reason = alert.StandSilenced, h.Reason
			}
		}
	}
	m.alerts = append(m.alerts, c.Alerts...)
	m.deliveries = append(m.deliveries, c.Deliveries...)
	m.history = append(m.history, c.History...)
}

func (m *memory) place(id string) int {
	if at, ok := m.places[id]; ok {
		return at
	}
	return -1
}

func describe(d alert.Delivery) string {
	text := d.Lane + " " + string(d.Kind)
	if d.Note != nil {
		text += " " + string(d.Note.Topic)
		for _, who := range d.Note.Mention {
			text += " @" + who
		}
		if d.Note.Broadcast {
			text += " broadcast"
		}
	}
	return text
}
