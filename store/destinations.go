package store

import (
	"context"
	"fmt"

	"tocsin/alert"
)

// The queries about broken destinations.
const (
	brokenQuery = `SELECT l.name, l.conversation, b.code, b.hint, b.since, b.probe_at
	FROM destinations b JOIN lanes l ON l.n = b.lane ORDER BY l.name`
	markQuery = `INSERT INTO destinations (lane, code, hint, since, probe_at) VALUES (?, ?, ?, ?, ?)
	ON CONFLICT (lane) DO UPDATE SET code = excluded.code, hint = excluded.hint, probe_at = excluded.probe_at`
	mendQuery = `DELETE FROM destinations WHERE lane = ?`
	// These end the waiting of what could not be sent, in the lane that was mended
	// and in those that it may stand in for.
	goOnQuery  = `UPDATE deliveries SET next_at = ? WHERE lane = ? AND ` + refused
	allGoQuery = `UPDATE deliveries SET next_at = ? WHERE lane IN (SELECT lane FROM destinations) AND ` + refused
	refused    = `stage IN (1, 2) AND state = {pending} AND class = 'destination' AND next_at > ?`
)

// Broken lists the destinations that are marked as broken, by name.
func (d *DB) Broken(ctx context.Context) ([]alert.Destination, error) {
	var all []alert.Destination
	err := d.each(ctx, brokenQuery, func(s scanner) error {
		var b alert.Destination
		var since, probe int64
		err := s.Scan(&b.Lane, &b.Known, &b.Code, &b.Hint, &since, &probe)
		b.Since, b.ProbeAt = fromMicros(since), fromMicros(probe)
		all = append(all, b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list broken destinations: %w", err)
	}
	return all, nil
}

// Mark keeps what a look at a destination found: that it is broken, or with a
// zero Since that it no longer is. Then what waited because of it is due at once,
// which is ProbeAt.
func (d *DB) Mark(ctx context.Context, b alert.Destination) error {
	err := d.write(ctx, func(w *writer, ctx context.Context) error {
		if b.Since.IsZero() {
			return w.mend(ctx, b.Lane, micros(b.ProbeAt))
		}
		return w.mark(ctx, b)
	})
	if err != nil {
		return fmt.Errorf("mark destination %s: %w", b.Lane, err)
	}
	return nil
}

// remark writes down what an attempt says about its destination.
func (w *writer) remark(ctx context.Context, o alert.Outcome) error {
	if o.Broken != nil {
		return w.mark(ctx, *o.Broken)
	}
	if o.Mended != "" {
		return w.mend(ctx, o.Mended, micros(o.Now))
	}
	return nil
}

func (w *writer) mark(ctx context.Context, b alert.Destination) error {
	lane, err := w.lane(ctx, b.Lane)
	if err == nil && alert.ExplainSlackError(b.Code).NoSuchName {
		err = w.forgetID(ctx, b.Lane)
	}
	if err == nil {
		_, err = w.exec(ctx, markQuery, lane, b.Code, b.Hint, micros(b.Since), micros(b.ProbeAt))
	}
	return err
}

func (w *writer) mend(ctx context.Context, name string, now int64) error {
	lane := w.lanes.of(name).n
	if _, err := w.exec(ctx, mendQuery, lane); err != nil {
		return err
	}
	if _, err := w.exec(ctx, goOnQuery, now, lane, now); err != nil {
		return err
	}
	_, err := w.exec(ctx, allGoQuery, now, now)
	return err
}
