package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tocsin/alert"
)

// Commit writes a decision, all of it or nothing, and returns nil only when it
// is durable. It returns alert.ErrConflict when an incident is not at the
// version before the one it is to get, or when an idempotency key was accepted
// or an act done meanwhile; and an error that wraps alert.ErrUnavailable when
// the disk is full or the store is gone. After any other error it is unknown
// whether the decision was written.
func (d *DB) Commit(ctx context.Context, c alert.Change) error {
	prepared, err := prepareChange(c)
	if err == nil {
		err = d.submit(ctx, d.commits, func(w *writer, ctx context.Context) error { return w.commitChange(ctx, prepared) })
	}
	if err == nil {
		return nil
	}
	if d.dialect.duplicate(err, "idempotency") || d.dialect.duplicate(err, "history_once") {
		err = alert.ErrConflict
	}
	return fmt.Errorf("commit change: %w", err)
}

// change is an alert.Change with its JSON columns encoded, which the caller does
// so that the writing goroutine need not.
type change struct {
	alert.Change
	alerts, incidents []texts
	notes             []string
	// silences are the matchers of each.
	silences []string
}

func prepareChange(c alert.Change) (*change, error) {
	p := &change{
		Change:    c,
		alerts:    make([]texts, len(c.Alerts)),
		incidents: make([]texts, len(c.Incidents)),
		notes:     make([]string, len(c.Deliveries)),
		silences:  make([]string, len(c.Silences)),
	}
	var err error
	for n, a := range c.Alerts {
		if p.alerts[n], err = textsOf(a.Labels, a.Links, nil); err != nil {
			return nil, err
		}
	}
	for n, i := range c.Incidents {
		if p.incidents[n], err = incidentTexts(&i); err != nil {
			return nil, err
		}
	}
	for n, d := range c.Deliveries {
		if p.notes[n], err = document(d.Note == nil, d.Note); err != nil {
			return nil, fmt.Errorf("write note: %w", err)
		}
	}
	for n, s := range c.Silences {
		if p.silences[n], err = matchersText(s.Matchers); err != nil {
			return nil, err
		}
	}
	return p, nil
}

const marksQuery = `SELECT id, n, version FROM incidents WHERE id {oneof}`

// mark is what the store knows of an incident.
type mark struct {
	n, version int64
	// created: the change that is being written creates it.
	created bool
}

// changeWriter writes one change.
type changeWriter struct {
	*change
	w *writer
	// known are the incidents that the change names.
	known map[string]mark
	// queues are what waits for the cards already.
	queues cardQueues
	// posts are the numbers of the change's posts, by delivery id, that none of
	// its alerts has asked for.
	posts map[string]int64
	// asking are the digests whose incidents get replies that ask for something,
	// each with when.
	asking map[int64]time.Time
	// edits are the digests that show something else now, each with when that
	// began.
	edits map[cardKey]time.Time
}

// commitChange writes a change. It refuses one that conflicts before it has
// written anything.
func (w *writer) commitChange(ctx context.Context, p *change) error {
	known, err := w.marks(ctx, p)
	if err != nil {
		return err
	}
	c := &changeWriter{
		change: p, w: w, known: known, posts: map[string]int64{},
		asking: map[int64]time.Time{}, edits: map[cardKey]time.Time{},
	}
	if err := c.check(); err != nil {
		return refusal{err}
	}
	for _, step := range []func(context.Context) error{
		c.writeIncidents, c.writeHistory, c.loadQueues, c.writeDeliveries, c.moveToFront, c.writeAlerts, c.adopt, c.writeSilences,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// marks looks up all incidents that a change names.
func (w *writer) marks(ctx context.Context, c *change) (map[string]mark, error) {
	known := map[string]mark{}
	for _, i := range c.Incidents {
		known[i.ID] = mark{}
	}
	for _, a := range c.Alerts {
		known[a.Incident] = mark{}
	}
	for _, d := range c.Deliveries {
		known[d.Incident] = mark{}
	}
	for _, e := range c.History {
		known[e.Incident] = mark{}
	}
	delete(known, "")
	ids := make([]string, 0, len(known))
	for id := range known {
		ids = append(ids, id)
	}
	clear(known)
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("list incidents: %w", err)
	}
	err = w.each(ctx, marksQuery, func(s scanner) error {
		var id string
		var m mark
		err := s.Scan(&id, &m.n, &m.version)
		known[id] = m
		return err
	}, string(list))
	return known, err
}

// check asserts that each incident is at the version that the decision has
// seen, and numbers the new ones.
func (c *changeWriter) check() error {
	for _, i := range c.Incidents {
		at, exists := c.known[i.ID]
		if exists == (i.Version == 1) || at.version != i.Version-1 {
			return fmt.Errorf("incident %s version %d: %w", i.ID, i.Version, alert.ErrConflict)
		}
		if !exists {
			c.w.incidents++
			at = mark{n: c.w.incidents, created: true}
		}
		at.version = i.Version
		c.known[i.ID] = at
	}
	return c.checkNames()
}

// errForgotten: there is no such incident; it may have been pruned after it was
// loaded.
var errForgotten = fmt.Errorf("%w: %w", alert.ErrConflict, alert.ErrNotFound)

// checkNames refuses a change that names an unknown incident.
func (c *changeWriter) checkNames() error {
	for _, d := range c.Deliveries {
		if _, ok := c.known[d.Incident]; !ok {
			return fmt.Errorf("delivery %s is for incident %q: %w", d.ID, d.Incident, errForgotten)
		}
	}
	for _, a := range c.Alerts {
		if _, ok := c.known[a.Incident]; !ok && a.Incident != "" {
			return fmt.Errorf("alert %s belongs to incident %q: %w", a.ID, a.Incident, errForgotten)
		}
	}
	for _, e := range c.History {
		if _, ok := c.known[e.Incident]; !ok && e.Incident != "" {
			return fmt.Errorf("%s happened to incident %q: %w", e.Verb, e.Incident, errForgotten)
		}
	}
	return nil
}

func (c *changeWriter) writeIncidents(ctx context.Context) error {
	var plains, incidents, latest []any
	newest := map[[2]string]int64{}
	for k := range c.Incidents {
		i, n := &c.Incidents[k], c.known[c.Incidents[k].ID].n
		if plain(i) {
			plains = plainArgs(plains, n, i, c.incidents[k])
		} else {
			incidents = peopleArgs(plainArgs(incidents, n, i, c.incidents[k]), i, c.incidents[k])
		}
		if i.Version == 1 {
			newest[[2]string{i.Key, i.Route}] = n
		}
	}
	for route, n := range newest {
		latest = append(latest, route[0], route[1], n)
	}
	if err := c.w.insert(ctx, c.w.into.plainIncidents, plains); err != nil {
		return err
	}
	if err := c.w.insert(ctx, c.w.into.incidents, incidents); err != nil {
		return err
	}
	return c.w.insert(ctx, c.w.into.latest, latest)
}

func (c *changeWriter) writeAlerts(ctx context.Context) error {
	var args []any
	for n := range c.Alerts {
		a := c.Alerts[n]
		if a.Standing == "" {
			a.Standing = alert.StandPending
		}
		c.w.alerts++
		c.w.count(a.Lane, a.Standing, 1)
		at := keys{n: c.w.alerts}
		if known, ok := c.known[a.Incident]; ok {
			at.incident = known.n
		}
		if post, ok := c.posts[a.Delivery]; ok {
			at.delivery = post
			delete(c.posts, a.Delivery)
		}
		args = at.alertArgs(args, &a, c.alerts[n])
	}
	return c.w.insert(ctx, c.w.into.alerts, args)
}
