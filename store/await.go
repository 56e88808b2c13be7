package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"tocsin/alert"
)

// Await returns an alert's record as soon as its standing is not pending. When
// ctx ends first, it returns the record as it stands, with ctx's error. It
// returns alert.ErrNotFound for an unknown alert.
func (d *DB) Await(ctx context.Context, id string) (alert.Record, error) {
	r, at, err := d.record(ctx, id)
	for queued := d.arrivals != nil; errors.Is(err, alert.ErrNotFound) && queued; {
		queued = d.queued(ctx) && d.again(ctx)
		r, at, err = d.record(ctx, id) // which may have been decided before it was looked what is queued
	}
	if errors.Is(err, alert.ErrNotFound) && d.arrivals != nil {
		r, at, err = d.arrived(ctx, id)
	}
	if err == nil && r.Standing == alert.StandPending {
		r, err = d.awaitAt(ctx, r, at)
	}
	if err != nil {
		return r, fmt.Errorf("await alert %s: %w", id, err)
	}
	return r, nil
}

func (d *DB) awaitAt(ctx context.Context, r alert.Record, at cardKey) (alert.Record, error) {
	for {
		// Waiting begins before the look, so that no change is missed between them.
		settled, leave := d.waiters.add(at)
		now, where, err := d.record(ctx, r.ID)
		if err != nil || now.Standing != alert.StandPending {
			leave()
			if err != nil {
				now = r
			}
			return now, err
		}
		if where != at { // its lane has become part of another one
			leave()
			at = where
			continue
		}
		select {
		case <-settled:
		case <-d.poll():
			leave()
		case <-ctx.Done():
			leave()
			return d.recordAtEnd(ctx, now)
		case <-d.closing:
			leave()
			return now, errClosed
		}
	}
}

// lookAgain is how often somebody who waits looks whether another replica has changed
// something.
const lookAgain = time.Second / 4

// poll tells when to look again; nil where no other replica changes anything.
func (d *DB) poll() <-chan time.Time {
	if !d.front {
		return nil
	}
	return time.After(lookAgain)
}

// queued reports whether an alert that is not known may be among the arrivals.
func (d *DB) queued(ctx context.Context) (some bool) {
	if d.arrivals == nil {
		return false
	}
	err := d.each(ctx, "SELECT 1 FROM arrivals LIMIT 1", func(scanner) error {
		some = true
		return nil
	})
	return some && err == nil
}

// arrived is the record of an alert that is not decided yet. A request has the ids of its
// alerts somewhere. Like record it reads even when ctx has ended.
func (d *DB) arrived(ctx context.Context, id string) (alert.Record, cardKey, error) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer cancel()
	waits := false
	err := d.each(limited, "SELECT 1 FROM arrivals WHERE strpos(request, ?) > 0 LIMIT 1", func(scanner) error {
		waits = true
		return nil
	}, strconv.Quote(id))
	if err != nil || !waits { // it may have been decided meanwhile
		return d.record(ctx, id)
	}
	return alert.Record{Alert: alert.Alert{ID: id}, Standing: alert.StandQueued, Reason: "a standby has stored it, and it waits for the active replica"}, cardKey{}, nil
}

// again waits for a moment. It reports whether ctx has not ended by then.
func (d *DB) again(ctx context.Context) bool {
	select {
	case <-time.After(lookAgain):
		return true
	case <-ctx.Done():
		return false
	case <-d.closing:
		return false
	}
}

// recordAtEnd reads the record once more when ctx has ended: a pending alert may
// have been tried since r was read, and have a reason now.
func (d *DB) recordAtEnd(ctx context.Context, r alert.Record) (alert.Record, error) {
	now, _, err := d.record(ctx, r.ID)
	switch {
	case err != nil:
		return r, ctx.Err()
	case now.Standing != alert.StandPending:
		return now, nil
	}
	return now, ctx.Err()
}

// recordLimit bounds how long reading a record may take.
const recordLimit = 5 * time.Second

const recordSelect = `SELECT a.id, a.key, a.status, a.severity, a.text, a.body, coalesce(a.idempotency_key, ''), a.accepted_at,
		coalesce(a.incident, 0), coalesce(i.id, ''), a.lane, l.name, a.version, a.standing,
		CASE WHEN a.reason = '' AND a.standing = {pending} THEN coalesce(s.reason, '') ELSE a.reason END,
		coalesce(p.id, ''), coalesce(s.started_at, 0),
		CASE WHEN a.standing IN ({delivered}, {folded}) THEN coalesce(s.done_at, 0) ELSE 0 END,
		coalesce(g.conversation, s.conversation, c.conversation, ''), coalesce(g.ts, s.ts, c.ts, ''), coalesce(s.possible_duplicate, 0) = 1
	FROM alerts a JOIN lanes l ON l.n = a.lane LEFT JOIN incidents i ON i.n = a.incident LEFT JOIN deliveries p ON p.n = a.delivery
		LEFT JOIN deliveries s ON s.n = coalesce(a.shown, a.delivery)
		LEFT JOIN cards g ON a.standing = {folded} AND g.incident = s.incident AND g.incident <> a.incident AND g.lane = l.main
		LEFT JOIN cards c ON a.standing = {folded} AND c.incident = a.incident AND c.lane = l.main`

const recordQuery = recordSelect + ` WHERE a.id = ?`

// record reads an alert and where it stands: the times and the message of the
// delivery that accounted for it, or else of the one it waits for. An alert that
// was folded as soon as it was accepted has the message of the card that shows it, and
// one in a digest the digest's message of now: one that was posted again, because it was
// deleted or nobody could see it, has the list.
//
// It is read even when ctx has ended, because the record as it stands is the
// answer then too.
func (d *DB) record(ctx context.Context, id string) (alert.Record, cardKey, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer cancel()
	var r alert.Record
	var at cardKey
	found := false
	err := d.each(ctx, recordQuery, func(s scanner) (err error) {
		found = true
		r, at, err = scanRecord(s)
		return err
	}, id)
	if err == nil && !found {
		err = alert.ErrNotFound
	}
	return r, at, err
}

// scanRecord reads a row of recordSelect.
func scanRecord(s scanner) (r alert.Record, at cardKey, err error) {
	var body string
	var accepted, started, delivered int64
	err = s.Scan(&r.ID, &r.Key, word(&r.Status), word(&r.Severity), &r.Text, &body, &r.IdempotencyKey, &accepted,
		&at.incident, &r.Incident, &at.lane, &r.Lane, &r.Version, word(&r.Standing), &r.Reason, &r.Delivery, &started, &delivered,
		&r.Conversation, &r.TS, &r.PossibleDuplicate)
	if err != nil {
		return r, at, err
	}
	r.AcceptedAt, r.StartedAt, r.DeliveredAt = fromMicros(accepted), fromMicros(started), fromMicros(delivered)
	return r, at, decodeAlert(body, &r.Alert)
}

// waiters are those who wait for the alerts of a card, an incident in a lane,
// to be settled. Waiting costs an entry in a map, however many wait.
type waiters struct {
	mu     sync.Mutex
	byCard map[cardKey]*waiter
}

// waiter stands for all who wait for one card.
type waiter struct {
	settled chan struct{}
	count   int
}

// add returns a channel that is closed when alerts of the card were settled, and
// a function that the caller must call when it stops waiting before that.
func (w *waiters) add(at cardKey) (settled <-chan struct{}, leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.byCard[at]
	if one == nil {
		one = &waiter{settled: make(chan struct{})}
		if w.byCard == nil {
			w.byCard = map[cardKey]*waiter{}
		}
		w.byCard[at] = one
	}
	one.count++
	return one.settled, func() { w.remove(at, one) }
}

func (w *waiters) remove(at cardKey, one *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one.count--
	if one.count == 0 && w.byCard[at] == one {
		delete(w.byCard, at)
	}
}

// wake wakes all who wait for these cards.
func (w *waiters) wake(settled map[cardKey]struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for at := range settled {
		if one := w.byCard[at]; one != nil {
			close(one.settled)
			delete(w.byCard, at)
		}
	}
}
