package store

import (
	"context"
	"fmt"
	"time"

	"tocsin/alert"
)

// inboxKept is how long a handled envelope is known again when Slack sends
// it once more. Slack gives up after about an hour (its retries come
// after 1 and 5 minutes); a day leaves room for delayed events.
const inboxKept = 24 * time.Hour

const (
	unhandledQuery = `SELECT id, dedupe, type, payload, received_at FROM inbox WHERE handled = 0 ORDER BY n`
	// ownUnhandledQuery finds nothing once another replica, which handles them, is active.
	ownUnhandledQuery = `SELECT id, dedupe, type, payload, received_at FROM inbox WHERE handled = 0 AND (SELECT term FROM leader) = ? ORDER BY n`
)

// Receive keeps an envelope until it is handled. fresh is false when it is
// known already, by its id or by what its sender calls its content, whether or
// not the first copy was handled. A front keeps it for the active replica, and wakes that one.
func (d *DB) Receive(ctx context.Context, e alert.Envelope) (fresh bool, err error) {
	payload := e.Payload
	if payload == nil {
		payload = []byte{}
	}
	if d.front {
		n, err := d.passOn(ctx, receiveQuery, e.ID, e.Dedupe, e.Type, payload)
		if err != nil {
			return false, fmt.Errorf("receive envelope: %w", err)
		}
		return n > 0, nil
	}
	err = d.answerWrite(ctx, func(w *writer, ctx context.Context) error {
		n, err := w.exec(ctx, `INSERT INTO inbox (id, dedupe, type, payload, received_at, handled)
			VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING`,
			e.ID, e.Dedupe, e.Type, payload, micros(e.ReceivedAt))
		fresh = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("receive envelope: %w", err)
	}
	return fresh, nil
}

// Unhandled lists the envelopes that were received and not handled yet, in the
// order they came.
func (d *DB) Unhandled(ctx context.Context) ([]alert.Envelope, error) {
	var found []alert.Envelope
	query, args := unhandledQuery, []any(nil)
	if d.term != 0 {
		query, args = ownUnhandledQuery, []any{d.term}
	}
	err := d.each(ctx, query,
		func(s scanner) error {
			var e alert.Envelope
			var at int64
			err := s.Scan(&e.ID, &e.Dedupe, &e.Type, &e.Payload, &at)
			e.ReceivedAt = fromMicros(at)
			found = append(found, e)
			return err
		}, args...)
	if err != nil {
		return nil, fmt.Errorf("list unhandled envelopes: %w", err)
	}
	return found, nil
}

// CountUnhandled counts the envelopes that were received and not handled yet.
func (d *DB) CountUnhandled(ctx context.Context) (n int64, err error) {
	err = d.each(ctx, `SELECT count(*) FROM inbox WHERE handled = 0`, func(s scanner) error { return s.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count unhandled envelopes: %w", err)
	}
	return n, nil
}

// Handled notes that an envelope needs no more work. Its payload, which may
// hold what people wrote and links that answer for them, is forgotten.
func (d *DB) Handled(ctx context.Context, id string) error {
	err := d.answerWrite(ctx, func(w *writer, ctx context.Context) error {
		n, err := w.exec(ctx, "UPDATE inbox SET handled = 1, payload = ? WHERE id = ?", []byte{}, id)
		if err == nil && n == 0 {
			err = refusal{alert.ErrNotFound}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("mark envelope handled: %w", err)
	}
	return nil
}

// HomeHash returns what SetHomeHash kept for a person, or empty.
func (d *DB) HomeHash(ctx context.Context, user string) (string, error) {
	var hash string
	err := d.each(ctx, "SELECT hash FROM homes WHERE person = ?", func(s scanner) error { return s.Scan(&hash) }, user)
	if err != nil {
		return "", fmt.Errorf("read home of %s: %w", user, err)
	}
	return hash, nil
}

// SetHomeHash keeps the hash of the Home view that a person sees now.
func (d *DB) SetHomeHash(ctx context.Context, user, hash string) error {
	err := d.answerWrite(ctx, func(w *writer, ctx context.Context) error {
		_, err := w.exec(ctx, `INSERT INTO homes (person, hash) VALUES (?, ?)
			ON CONFLICT (person) DO UPDATE SET hash = excluded.hash`, user, hash)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep home of %s: %w", user, err)
	}
	return nil
}
