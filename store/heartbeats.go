package store

import (
	"context"
	"encoding/json"
	"fmt"

	"tocsin/alert"
)

const heartbeatColumns = "name, configured, began_at, last_at, due_at, missing_at, terms"

// The queries about heartbeats; each but the last two seeks in one index.
const (
	heartbeatSelect       = `SELECT ` + heartbeatColumns + ` FROM heartbeats`
	namedHeartbeatsQuery  = heartbeatSelect + ` WHERE name {oneof} ORDER BY name`
	dueHeartbeatsQuery    = heartbeatSelect + ` WHERE due_at <> 0 AND due_at <= ? ORDER BY due_at, name LIMIT ?`
	nextHeartbeatQuery    = `SELECT due_at FROM heartbeats WHERE due_at <> 0 AND due_at > 0 ORDER BY due_at LIMIT 1`
	allHeartbeatsQuery    = heartbeatSelect + ` ORDER BY name`
	countHeartbeatsQuery  = `SELECT count(*) FROM heartbeats`
	forgetHeartbeatsQuery = `DELETE FROM heartbeats WHERE name {oneof}`
)

// Heartbeats lists all heartbeats by name.
func (d *DB) Heartbeats(ctx context.Context) ([]alert.Heartbeat, error) {
	found, err := d.heartbeats(ctx, allHeartbeatsQuery)
	if err != nil {
		return nil, fmt.Errorf("list heartbeats: %w", err)
	}
	return found, nil
}

func (d *DB) heartbeats(ctx context.Context, query string, args ...any) ([]alert.Heartbeat, error) {
	found := []alert.Heartbeat{}
	err := d.each(ctx, query, func(row scanner) error {
		var h alert.Heartbeat
		var configured, began, last, due, missing int64
		var terms string
		err := row.Scan(&h.Name, &configured, &began, &last, &due, &missing, &terms)
		if err == nil {
			err = parse(terms, &h.Terms)
		}
		h.Configured = configured != 0
		h.BeganAt, h.LastAt, h.DueAt, h.MissingAt = fromMicros(began), fromMicros(last), fromMicros(due), fromMicros(missing)
		found = append(found, h)
		return err
	}, args...)
	return found, err
}

// loadHeartbeats adds the heartbeats that are asked for with the latest incidents of
// their keys, how many there are if a name is unknown, and when the next one is due.
func (d *DB) loadHeartbeats(ctx context.Context, f *alert.Snapshot, q alert.Query) (err error) {
	if !q.AllHeartbeats && len(q.Heartbeats) == 0 && !q.Due {
		return nil
	}
	f.Heartbeats, err = d.heartbeatsFor(ctx, q)
	if err == nil && len(f.Heartbeats) < len(q.Heartbeats) { // there may be a new one
		err = d.each(ctx, countHeartbeatsQuery, func(s scanner) error { return s.Scan(&f.HeartbeatCount) })
	}
	if err == nil && q.Due {
		err = d.loadNextHeartbeat(ctx, f)
	}
	if err != nil {
		return err
	}
	var keys []string
	for _, h := range f.Heartbeats {
		keys = append(keys, alert.HeartbeatKey(h.Name))
	}
	found, err := d.latest(ctx, keys)
	f.Incidents = unite(f.Incidents, found)
	return err
}

// loadNextHeartbeat lowers NextDue to when the next heartbeat is due.
func (d *DB) loadNextHeartbeat(ctx context.Context, f *alert.Snapshot) error {
	var next int64
	err := d.each(ctx, nextHeartbeatQuery, func(s scanner) error { return s.Scan(&next) })
	if at := fromMicros(next); next != 0 && (f.NextDue.IsZero() || at.Before(f.NextDue)) {
		f.NextDue = at
	}
	return err
}

// heartbeatsFor are the heartbeats that a query asks for.
func (d *DB) heartbeatsFor(ctx context.Context, q alert.Query) ([]alert.Heartbeat, error) {
	switch {
	case q.AllHeartbeats:
		return d.heartbeats(ctx, allHeartbeatsQuery)
	case len(q.Heartbeats) > 0:
		names, err := json.Marshal(q.Heartbeats)
		if err != nil {
			return nil, err
		}
		return d.heartbeats(ctx, namedHeartbeatsQuery, string(names))
	}
	return d.heartbeats(ctx, dueHeartbeatsQuery, micros(q.Now), alert.MaxFound)
}

// writeHeartbeats writes heartbeats and deletes those that are forgotten.
func (c *changeWriter) writeHeartbeats(ctx context.Context) error {
	var args []any
	for n, h := range c.Heartbeats {
		args = append(args, h.Name, number(h.Configured), micros(h.BeganAt), micros(h.LastAt), micros(h.DueAt), micros(h.MissingAt), c.terms[n])
	}
	if err := c.w.insert(ctx, c.w.into.heartbeats, args); err != nil || len(c.Forgotten) == 0 {
		return err
	}
	names, err := json.Marshal(c.Forgotten)
	if err == nil {
		_, err = c.w.exec(ctx, forgetHeartbeatsQuery, string(names))
	}
	return err
}
