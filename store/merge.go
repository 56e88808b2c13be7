package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tocsin/alert"
)

// merge is several changes on their way into the tables as one.
type merge struct {
	w       *writer
	known   map[string]mark
	changes []*change
	// lines says what is owed already, for each card that gets more.
	lines map[cardKey]*line
	// posts gives the numbers of those posts of the change being written that no
	// alert has asked for.
	posts  map[string]int64
	urgent []urgent
	// alerts are the arguments of all alerts.
	alerts []any
	// beside are the replies that go beside their thread.
	beside []int64
	// asking are the digests whose incidents get replies that ask for something,
	// each with when.
	asking map[int64]time.Time
	// late are the posts that come after the alerts they show.
	late []late
	// edits are the digests that show something else now, each with when that
	// began.
	edits map[cardKey]time.Time
}

// urgent is an incident that became critical and goes on: its deliveries up to a number
// go to the front, those of later changes say themselves where they stand.
type urgent struct{ incident, upTo int64 }

// line is what is owed to one card.
type line struct {
	// waiting: something is, so what comes now stands behind it.
	waiting bool
	// drawing: a post or update will show the newest state anyway.
	drawing bool
	// posting: it is a post that is owed, so it will have a card of its own.
	posting bool
	// digest is the one whose message is the card now, or 0.
	digest int64
}

// check finds out whether a change still fits what the store knows, and if it
// does, lets the store know it.
func (m *merge) check(c *change) error {
	for n, i := range c.Incidents {
		at, exists := m.known[i.ID]
		if exists == (i.Version == 1) || at.version != i.Version-1 {
			m.undo(c, n)
			return fmt.Errorf("incident %s version %d: %w", i.ID, i.Version, alert.ErrConflict)
		}
		if !exists {
			m.w.incidents++
			at = mark{n: m.w.incidents, born: c}
		}
		at.version = i.Version
		m.known[i.ID] = at
	}
	if err := m.names(c); err != nil {
		m.undo(c, len(c.Incidents))
		return err
	}
	return nil
}

// undo forgets what the first n incidents of a refused change did.
func (m *merge) undo(c *change, n int) {
	for ; n > 0; n-- {
		i := c.Incidents[n-1]
		at := m.known[i.ID]
		if at.version--; at.version == 0 {
			delete(m.known, i.ID)
			continue
		}
		m.known[i.ID] = at
	}
}

// errForgotten: there is no such incident, perhaps no more since it was loaded.
var errForgotten = fmt.Errorf("%w: %w", alert.ErrConflict, alert.ErrNotFound)

// names refuses a change that speaks of incidents nobody knows.
func (m *merge) names(c *change) error {
	for _, d := range c.Deliveries {
		if _, ok := m.known[d.Incident]; !ok {
			return fmt.Errorf("delivery %s is for incident %q: %w", d.ID, d.Incident, errForgotten)
		}
	}
	for _, a := range c.Alerts {
		if _, ok := m.known[a.Incident]; !ok && a.Incident != "" {
			return fmt.Errorf("alert %s belongs to incident %q: %w", a.ID, a.Incident, errForgotten)
		}
	}
	for _, e := range c.History {
		if _, ok := m.known[e.Incident]; !ok && e.Incident != "" {
			return fmt.Errorf("%s happened to incident %q: %w", e.Verb, e.Incident, errForgotten)
		}
	}
	return nil
}

func (m *merge) write(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		m.writeIncidents, m.writeHistory, m.findLines, m.writeDeliveries, m.hurry, m.writeAlerts, m.adopt, m.writeSilences,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (m *merge) writeDeliveries(ctx context.Context) error {
	var deliveries []any
	for _, c := range m.changes {
		deliveries = m.addDeliveries(deliveries, c)
		m.alerts = m.addAlerts(m.alerts, c)
		m.addLate(c)
	}
	if err := m.w.insert(ctx, m.w.into.deliveries, deliveries); err != nil {
		return err
	}
	for _, n := range m.beside {
		if _, err := m.w.exec(ctx, "UPDATE deliveries SET top_level = 1 WHERE n = ?", n); err != nil {
			return err
		}
	}
	for digest, now := range m.asking {
		if err := m.w.askOnce(ctx, digest, now); err != nil {
			return err
		}
	}
	for at, since := range m.edits {
		if err := m.w.oweEdit(ctx, at, since); err != nil {
			return err
		}
	}
	return nil
}

func (m *merge) writeAlerts(ctx context.Context) error {
	return m.w.insert(ctx, m.w.into.alerts, m.alerts)
}

// writeIncidents writes the last state of each incident, once.
func (m *merge) writeIncidents(ctx context.Context) error {
	var plains, incidents, latest []any
	seen := map[string]bool{}
	routes := map[[2]string]bool{}
	for n := len(m.changes) - 1; n >= 0; n-- {
		c := m.changes[n]
		for k := len(c.Incidents) - 1; k >= 0; k-- {
			i := &c.Incidents[k]
			at := m.known[i.ID]
			if !seen[i.ID] {
				seen[i.ID] = true
				if plain(i) {
					plains = plainArgs(plains, at.n, i, c.incidents[k])
				} else {
					incidents = peopleArgs(plainArgs(incidents, at.n, i, c.incidents[k]), i, c.incidents[k])
				}
			}
			route := [2]string{i.Key, i.Route}
			if i.Version == 1 && !routes[route] {
				routes[route] = true
				latest = append(latest, i.Key, i.Route, at.n)
			}
		}
	}
	if err := m.w.insert(ctx, m.w.into.plainIncidents, plains); err != nil {
		return err
	}
	if err := m.w.insert(ctx, m.w.into.incidents, incidents); err != nil {
		return err
	}
	return m.w.insert(ctx, m.w.into.latest, latest)
}

// findLines asks what is already owed for the older incidents.
func (m *merge) findLines(ctx context.Context) error {
	m.lines, m.edits, m.asking = map[cardKey]*line{}, map[cardKey]time.Time{}, map[int64]time.Time{}
	var older []int64
	seen := map[int64]bool{}
	for _, c := range m.changes {
		for _, d := range c.Deliveries {
			at := m.known[d.Incident]
			if at.born == nil && !seen[at.n] {
				seen[at.n] = true
				older = append(older, at.n)
			}
		}
	}
	if len(older) == 0 {
		return nil
	}
	list, err := json.Marshal(older)
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	err = m.w.each(ctx, linesQuery,
		func(s scanner) error {
			var p cardKey
			l := line{waiting: true}
			err := s.Scan(&p.incident, &p.lane, &l.drawing, &l.posting)
			m.lines[p] = &l
			return err
		}, string(list))
	if err != nil {
		return err
	}
	return m.w.each(ctx, digestedQuery,
		func(s scanner) error {
			var p cardKey
			var digest int64
			err := s.Scan(&p.incident, &p.lane, &digest)
			m.line(p).digest = digest
			return err
		}, string(list))
}

func (m *merge) line(p cardKey) *line {
	l := m.lines[p]
	if l == nil {
		l = &line{}
		m.lines[p] = l
	}
	return l
}

func (m *merge) addDeliveries(args []any, c *change) []any {
	m.posts = map[string]int64{}
	for n := range c.Deliveries {
		d := c.Deliveries[n]
		if d.State == "" {
			d.State = alert.Pending
		}
		p := cardKey{m.known[d.Incident].n, d.Lane}
		l := m.line(p)
		if l.absorbs(&d, c.Incidents) {
			m.edits[cardKey{l.digest, d.Lane}] = d.CreatedAt
			continue
		}
		if d.Kind == alert.Update && l.drawing {
			continue
		}
		m.w.deliveries++
		m.numbered(&c.Deliveries[n], l)
		args = keys{n: m.w.deliveries, incident: p.incident}.deliveryArgs(args, &d, c.notes[n], l.join(&d))
	}
	for _, i := range c.Incidents {
		if i.Version > 1 && i.Severity == alert.Critical && i.State != alert.StateResolved {
			m.urgent = append(m.urgent, urgent{m.known[i.ID].n, m.w.deliveries})
		}
	}
	return args
}

// numbered notes what is to be done besides for a delivery that has just got the
// latest number.
func (m *merge) numbered(d *alert.Delivery, l *line) {
	if l.digest != 0 && asks(d) {
		m.asking[l.digest] = d.CreatedAt
	}
	if d.TopLevel {
		m.beside = append(m.beside, m.w.deliveries)
	}
	if d.Kind == alert.Post {
		m.posts[d.ID] = m.w.deliveries
	}
}

// hurry moves what is owed for incidents that became critical to the front.
func (m *merge) hurry(ctx context.Context) error {
	for _, u := range m.urgent {
		_, err := m.w.exec(ctx, hurryQuery, u.incident, u.upTo)
		if err != nil {
			return err
		}
	}
	return nil
}

// absorbs says whether a digest shows what d would show. A critical incident
// that is open and not silenced gets a card of its own instead: then d becomes
// the post of it.
func (l *line) absorbs(d *alert.Delivery, incidents []alert.Incident) bool {
	if l.digest == 0 || l.posting || mustBeSaid(d) {
		return false
	}
	at := slices.IndexFunc(incidents, func(i alert.Incident) bool { return i.ID == d.Incident })
	if d.Kind == alert.Reply || at < 0 || !demandsCard(incidents[at]) {
		return true
	}
	d.Kind = alert.Post
	return false
}

// demandsCard tells whether an incident is too important for a line of a digest.
func demandsCard(i alert.Incident) bool {
	return i.State == alert.Open && i.Severity == alert.Critical && i.Silence == ""
}

// join puts a delivery at the end of its line and returns its stage.
func (l *line) join(d *alert.Delivery) any {
	if finished(d.State) {
		return nil
	}
	stage := stageBehind
	if !l.waiting {
		stage = stageOf(d.Kind)
	}
	l.waiting = true
	l.drawing = l.drawing || d.State == alert.Pending && d.Kind != alert.Reply
	l.posting = l.posting || d.Kind == alert.Post
	return stage
}

func (m *merge) addAlerts(args []any, c *change) []any {
	for n := range c.Alerts {
		a := c.Alerts[n]
		if a.Standing == "" {
			a.Standing = alert.StandPending
		}
		m.w.alerts++
		m.w.count(a.Lane, a.Standing, 1)
		at := keys{n: m.w.alerts}
		if known, ok := m.known[a.Incident]; ok {
			at.incident = known.n
		}
		if post, ok := m.posts[a.Delivery]; ok {
			at.delivery = post
			delete(m.posts, a.Delivery)
		}
		args = at.alertArgs(args, &a, c.alerts[n])
	}
	return args
}
