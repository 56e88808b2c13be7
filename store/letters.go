package store

import (
	"context"
	"fmt"
	"math"
	"slices"

	"go.uber.org/zap"

	"tocsin/alert"
)

// lettersAtOnce is how many dead letters one transaction retries or drops.
const lettersAtOnce = 50

// droppedReason is what an alert says that a person gave up.
const droppedReason = "dropped by a person"

// The queries of retry and drop; each seeks in one index.
const (
	letterQuery  = letterSelect + ` WHERE d.id = ?`
	nextLetters  = letterSelect + ` WHERE d.state = {dead} AND d.n > ? AND (? = '' OR l.name = ?) ORDER BY d.n LIMIT ?`
	letterSelect = `SELECT d.n, d.id, d.lane, l.name, d.incident, d.state, d.reason FROM deliveries d JOIN lanes l ON l.n = d.lane`
	reviveQuery  = `UPDATE alerts SET standing = {pending}, reason = '', shown = NULL
	WHERE shown = ? AND standing = {dead} RETURNING lane`
	forgoQuery = `UPDATE alerts SET reason = ? WHERE shown = ? AND standing = {dead} RETURNING lane`
	// Posts that are gathered in a digest stay so, and what goes back into their
	// line waits for the digest.
	lineUpQuery   = `UPDATE deliveries SET stage = 0 WHERE incident = ? AND lane = ? AND stage IS NOT NULL AND stage <> 3`
	gatheredQuery = `SELECT 1 FROM deliveries WHERE incident = ? AND lane = ? AND stage IS NOT NULL AND stage = 3 LIMIT 1`
)

// Retry owes dead letters again, in their old places and from now on. Their
// alerts go from dead back to pending in the same transaction. One that may
// have been shown is looked for before it is sent. The error is
// alert.ErrNotFound or alert.ErrNotDead for an ID that is none; when it comes
// in the middle of many, RetryResult says what has been done.
func (d *DB) Retry(ctx context.Context, l alert.DeadLetterSelector) (alert.RetryResult, error) {
	m, err := d.moveLetters(ctx, l, decision{"dead letter retried", (*writer).retry})
	if err != nil {
		return m, fmt.Errorf("retry: %w", err)
	}
	return m, nil
}

// Drop notes that nobody needs these dead letters any more. Their alerts stay
// dead, dropped by a person, and the log names each. The errors are Retry's.
func (d *DB) Drop(ctx context.Context, l alert.DeadLetterSelector) (alert.RetryResult, error) {
	m, err := d.moveLetters(ctx, l, decision{"dead letter dropped by a person", (*writer).drop})
	if err != nil {
		return m, fmt.Errorf("drop: %w", err)
	}
	return m, nil
}

// decision is what a person wants done with a dead letter, and what the log
// says about it.
type decision struct {
	said string
	do   func(*writer, context.Context, *letter, int64) error
}

// letter is a dead letter on its way to somewhere else.
type letter struct {
	n                int64
	id, lane, reason string
	at               cardKey
	state            alert.DeliveryState
	// alerts is how many the decision moved.
	alerts int64
}

func (l *letter) scan(s scanner) error {
	return s.Scan(&l.n, &l.id, &l.at.lane, &l.lane, &l.at.incident, word(&l.state), &l.reason)
}

// moveLetters decides about a few letters in each transaction, so that the
// writer is never held long.
func (d *DB) moveLetters(ctx context.Context, chosen alert.DeadLetterSelector, what decision) (alert.RetryResult, error) {
	moved := alert.RetryResult{Lanes: []string{}}
	for last := int64(math.MinInt64); ; {
		var batch []*letter
		err := d.write(ctx, func(w *writer, ctx context.Context) (err error) {
			if batch, err = w.letters(ctx, chosen, last); err != nil {
				return err
			}
			now := micros(d.now())
			for _, l := range batch {
				if err := what.do(w, ctx, l, now); err != nil {
					return err
				}
				w.buried--
			}
			return nil
		})
		if err != nil {
			return moved, err
		}
		for _, l := range batch {
			last = l.n
			d.moved(&moved, l, what.said)
		}
		if chosen.ID != "" || len(batch) < lettersAtOnce {
			return moved, nil
		}
	}
}

func (d *DB) moved(m *alert.RetryResult, l *letter, said string) {
	m.Deliveries++
	m.Alerts += l.alerts
	if !slices.Contains(m.Lanes, l.lane) {
		m.Lanes = append(m.Lanes, l.lane)
	}
	d.log.Warn(said, zap.String("lane", l.lane), zap.String("delivery", l.id),
		zap.Int64("alerts", l.alerts), zap.String("reason", l.reason))
}

// letters finds the chosen dead letters, those after number last if they are many.
func (w *writer) letters(ctx context.Context, chosen alert.DeadLetterSelector, last int64) ([]*letter, error) {
	var found []*letter
	add := func(s scanner) error {
		l := &letter{}
		found = append(found, l)
		return l.scan(s)
	}
	if chosen.ID == "" {
		return found, w.each(ctx, nextLetters, add, last, chosen.Lane, chosen.Lane, lettersAtOnce)
	}
	err := w.each(ctx, letterQuery, add, chosen.ID)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, refusal{fmt.Errorf("delivery %s: %w", chosen.ID, alert.ErrNotFound)}
	case found[0].state != alert.Dead:
		return nil, refusal{fmt.Errorf("delivery %s is %s: %w", chosen.ID, found[0].state, alert.ErrNotDead)}
	}
	return found, nil
}

// retry puts a letter back into its line. What stands behind it there waits,
// even what is being sent at this moment and may have to be sent again.
func (w *writer) retry(ctx context.Context, l *letter, now int64) error {
	err := w.each(ctx, reviveQuery, func(s scanner) error {
		var lane int64
		err := s.Scan(&lane)
		w.count(lane, alert.StandPending, 1)
		w.count(lane, alert.StandDead, -1)
		l.alerts++
		return err
	}, l.n)
	if err != nil {
		return err
	}
	if _, err := w.exec(ctx, lineUpQuery, l.at.incident, l.at.lane); err != nil {
		return err
	}
	_, err = w.exec(ctx, `UPDATE deliveries SET stage = 0, state = CASE class WHEN 'unsure' THEN {sending} ELSE {pending} END,
			class = CASE class WHEN 'unsure' THEN class ELSE '' END, attempts = 0, created_at = ?, next_at = ?,
			done_at = 0, plain = 0, top_level = 0, reason = '', rescued = 0, reported = 0
		WHERE n = ?`, now, now, l.n)
	if err != nil {
		return err
	}
	gathered, err := w.one(ctx, gatheredQuery, func(s scanner) error { return s.Scan(new(int64)) }, l.at.incident, l.at.lane)
	if err != nil || gathered {
		return err
	}
	return w.advance(ctx, l.at)
}

func (w *writer) drop(ctx context.Context, l *letter, now int64) error {
	err := w.each(ctx, forgoQuery, func(s scanner) error {
		l.alerts++
		return s.Scan(new(int64))
	}, droppedReason, l.n)
	if err != nil {
		return err
	}
	_, err = w.exec(ctx, "UPDATE deliveries SET state = {dropped}, done_at = ? WHERE n = ?", now, l.n)
	return err
}
