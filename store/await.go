package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"tocsin/alert"
)

// Await returns an alert's record as soon as its standing is not pending. When
// ctx ends before, it returns the record as it stood, with ctx's error. It
// returns alert.ErrNotFound for an alert nobody has heard of.
func (d *DB) Await(ctx context.Context, id string) (alert.Record, error) {
	r, at, err := d.record(ctx, id)
	if err == nil && r.Standing == alert.StandPending {
		r, err = d.awaitAt(ctx, r, at)
	}
	if err != nil {
		return r, fmt.Errorf("await alert %s: %w", id, err)
	}
	return r, nil
}

func (d *DB) awaitAt(ctx context.Context, r alert.Record, at place) (alert.Record, error) {
	for {
		// The bell is taken before the look, so that no ring is missed between.
		rung, leave := d.bells.listen(at)
		now, _, err := d.record(ctx, r.ID)
		if err != nil || now.Standing != alert.StandPending {
			leave()
			if err != nil {
				now = r
			}
			return now, err
		}
		select {
		case <-rung:
		case <-ctx.Done():
			leave()
			return d.recordAtEnd(ctx, now)
		case <-d.closing:
			leave()
			return now, errClosed
		}
	}
}

// recordAtEnd looks once more when ctx has ended: what is still pending may have
// been tried since r was read, and have a reason now.
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

// recordLimit bounds one look at a record.
const recordLimit = 5 * time.Second

const recordSelect = `SELECT a.id, a.source, a.key, a.status, a.severity, a.title, a.text, a.labels, a.links,
		a.channel, a.mention, a.at, a.idempotency_key, a.accepted_at, coalesce(a.incident, 0), coalesce(i.id, ''),
		a.lane, a.version, a.standing, CASE WHEN a.reason = '' AND a.standing = 'pending' THEN coalesce(s.reason, '') ELSE a.reason END,
		coalesce(p.id, ''), coalesce(s.started_at, 0),
		CASE WHEN a.standing IN ('delivered', 'folded') THEN coalesce(s.done_at, 0) ELSE 0 END,
		coalesce(s.conversation, c.conversation, ''), coalesce(s.ts, c.ts, ''), coalesce(s.possible_duplicate, 0) = 1
	FROM alerts a LEFT JOIN incidents i ON i.n = a.incident LEFT JOIN deliveries p ON p.n = a.delivery
		LEFT JOIN deliveries s ON s.n = coalesce(a.shown, a.delivery)
		LEFT JOIN cards c ON a.standing = 'folded' AND c.incident = a.incident AND c.lane = a.lane`

const recordQuery = recordSelect + ` WHERE a.id = ?`

// record reads an alert and where it stands: the times and the place of the
// delivery that accounted for it, or else of the one it waits for. One that was
// folded as soon as it was accepted has the place of the card that showed it.
//
// It is read even when ctx has ended, because then too the record as it stands
// is the answer.
func (d *DB) record(ctx context.Context, id string) (alert.Record, place, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer cancel()
	var r alert.Record
	var at place
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
func scanRecord(s scanner) (r alert.Record, at place, err error) {
	var t texts
	var when [4]int64
	err = s.Scan(&r.ID, &r.Source, &r.Key, &r.Status, &r.Severity, &r.Title, &r.Text, &t.labels, &t.links,
		&r.Channel, &r.Mention, &when[0], &r.IdempotencyKey, &when[1], &at.incident, &r.Incident,
		&r.Lane, &r.Version, &r.Standing, &r.Reason, &r.Delivery, &when[2], &when[3],
		&r.Conversation, &r.TS, &r.PossibleDuplicate)
	if err != nil {
		return r, at, err
	}
	at.lane = r.Lane
	r.At, r.AcceptedAt = fromMicros(when[0]), fromMicros(when[1])
	r.StartedAt, r.DeliveredAt = fromMicros(when[2]), fromMicros(when[3])
	if err := parse(t.labels, &r.Labels); err != nil {
		return r, at, err
	}
	return r, at, parse(t.links, &r.Links)
}

// bells wake those who wait for alerts of one incident in one lane. Waiting
// costs a place in a map, however many wait.
type bells struct {
	mu sync.Mutex
	at map[place]*bell
}

type bell struct {
	rung      chan struct{}
	listeners int
}

// listen returns a channel that is closed when alerts there were settled, and
// what to call when the listener leaves before that.
func (b *bells) listen(at place) (rung <-chan struct{}, leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.at[at]
	if one == nil {
		one = &bell{rung: make(chan struct{})}
		if b.at == nil {
			b.at = map[place]*bell{}
		}
		b.at[at] = one
	}
	one.listeners++
	return one.rung, func() { b.leave(at, one) }
}

func (b *bells) leave(at place, one *bell) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one.listeners--
	if one.listeners == 0 && b.at[at] == one {
		delete(b.at, at)
	}
}

func (b *bells) ring(shown map[place]struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for at := range shown {
		if one := b.at[at]; one != nil {
			close(one.rung)
			delete(b.at, at)
		}
	}
}
