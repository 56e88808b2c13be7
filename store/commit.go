package store

import (
	"context"
	"encoding/json"
	"fmt"

	"tocsin/alert"
)

// change is an alert.Change with its JSON columns already written, which its
// caller does so that the one writing goroutine need not.
type change struct {
	alert.Change
	alerts, incidents []texts
	notes             []string
	// silences are the matchers of each.
	silences []string
}

// Commit writes a decision, all of it or nothing, and returns nil only when it
// is durable. It returns alert.ErrConflict when an incident is not at the
// version before the one it is to get, or when an idempotency key was accepted
// or an act done meanwhile; alert.ErrOverloaded when too much waits for the disk; and an error
// that wraps alert.ErrUnavailable when the disk is full or the store is gone.
// After any other error than those three it is unknown whether it was written.
func (d *DB) Commit(ctx context.Context, c alert.Change) error {
	prepared, err := prepareChange(c)
	if err == nil {
		err = d.shed(ctx, prepared)
	}
	if err == nil {
		return nil
	}
	if d.dialect.duplicate(err, "idempotency") || d.dialect.duplicate(err, "history_once") {
		err = alert.ErrConflict
	}
	return fmt.Errorf("commit change: %w", err)
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

// The questions and the one correction of Commit; each seeks in one index.
const (
	marksQuery = `SELECT id, n, version FROM incidents WHERE id {oneof}`
	linesQuery = `SELECT incident, lane, max(CASE WHEN state = 'pending' AND kind NOT IN ('reply', 'list') THEN 1 ELSE 0 END),
		max(CASE WHEN kind = 'post' THEN 1 ELSE 0 END)
	FROM deliveries WHERE stage IS NOT NULL AND incident {oneofnumbers} GROUP BY incident, lane`
	digestedQuery = `SELECT incident, lane, digest FROM cards WHERE incident {oneofnumbers} AND digest IS NOT NULL`
	hurryQuery    = `UPDATE deliveries SET priority = 0
	WHERE incident = ? AND stage IS NOT NULL AND n <= ? AND priority <> 0`
)

// mark is what the store knows of an incident.
type mark struct {
	n, version int64
	// born is the change of this transaction that it is new in, so that nothing
	// else can be owed for it; nil for an older one.
	born *change
}

// applyChanges writes the commits of a group as if they were one. Those that conflict are left out and told so.
func (w *writer) applyChanges(ctx context.Context, ops []*op) error {
	if len(ops) == 0 {
		return nil
	}
	known, err := w.marks(ctx, ops)
	if err != nil {
		return err
	}
	m := merge{w: w, known: known}
	for _, o := range ops {
		if o.err = m.check(o.change); o.err == nil {
			m.changes = append(m.changes, o.change)
		}
	}
	return m.write(ctx)
}

// marks looks up all incidents that the changes name.
func (w *writer) marks(ctx context.Context, ops []*op) (map[string]mark, error) {
	known := map[string]mark{}
	for _, o := range ops {
		for _, i := range o.change.Incidents {
			known[i.ID] = mark{}
		}
		for _, a := range o.change.Alerts {
			known[a.Incident] = mark{}
		}
		for _, d := range o.change.Deliveries {
			known[d.Incident] = mark{}
		}
		for _, e := range o.change.History {
			if e.Incident != "" {
				known[e.Incident] = mark{}
			}
		}
	}
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
