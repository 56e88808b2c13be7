package store

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"go.uber.org/zap"

	"tocsin/alert"
)

// deadLetterBatch is how many dead letters one transaction retries or drops.
const deadLetterBatch = 50

// droppedReason is the reason of an alert whose dead letter a person dropped.
const droppedReason = "dropped by a person"

// The queries of retry and drop; each seeks in one index.
const (
	deadLetterQuery  = deadLetterSelect + ` WHERE d.id = ?`
	nextDeadLetters  = deadLetterSelect + ` WHERE d.state = {dead} AND d.n > ? AND (? = '' OR l.name = ?) ORDER BY d.n LIMIT ?`
	deadLetterSelect = `SELECT d.n, d.id, d.lane, l.name, d.incident, d.state, d.class, d.reason
	FROM deliveries d JOIN lanes l ON l.n = d.lane`
	// What was given up in a lane that is part of another one since is pending there.
	revivedAlerts = `UPDATE alerts SET standing = {pending}, reason = '', shown = NULL, lane = ?
	WHERE shown = ? AND standing = {dead} RETURNING lane`
	droppedAlerts = `UPDATE alerts SET reason = ? WHERE shown = ? AND standing = {dead} RETURNING lane`
	// A post that a digest has gathered stays so, and what joins its queue waits for
	// the digest.
	waitQuery     = `UPDATE deliveries SET stage = 0 WHERE incident = ? AND lane = ? AND stage IS NOT NULL AND stage <> 3`
	gatheredQuery = `SELECT 1 FROM deliveries WHERE incident = ? AND lane = ? AND stage IS NOT NULL AND stage = 3 LIMIT 1`
)

// Retry puts dead letters back into their old places, as if they were created
// now, and their alerts back to pending in the same transaction. The error is
// alert.ErrNotFound or alert.ErrNotDead for an ID that is not a dead letter; if it
// comes after some batches, RetryResult counts what was done.
func (d *DB) Retry(ctx context.Context, l alert.DeadLetterSelector) (alert.RetryResult, error) {
	m, err := d.eachDeadLetter(ctx, l, deadLetterAct{log: "dead letter retried", do: (*writer).retry})
	if err != nil {
		return m, fmt.Errorf("retry: %w", err)
	}
	return m, nil
}

// Drop marks dead letters as dropped, and with an ID also a delivery that is pending:
// nothing sends it any more. Their alerts are dead, and the log names each delivery. The
// errors are Retry's; alert.ErrNotDead also for one that is being sent or waits in a
// digest, which can be dropped as a whole.
func (d *DB) Drop(ctx context.Context, l alert.DeadLetterSelector) (alert.RetryResult, error) {
	m, err := d.eachDeadLetter(ctx, l, deadLetterAct{log: "delivery dropped by a person", do: (*writer).drop, pending: true})
	if err != nil {
		return m, fmt.Errorf("drop: %w", err)
	}
	return m, nil
}

// deadLetterAct is what a person does with a dead letter, and the log's line
// about it.
type deadLetterAct struct {
	log string
	do  func(*writer, context.Context, *deadLetter, int64) error
	// pending is set if it can also be done with a pending delivery.
	pending bool
}

// deadLetter is one that is being retried or dropped.
type deadLetter struct {
	n                int64
	id, lane, reason string
	at               cardKey
	state            alert.DeliveryState
	class            alert.Class
	// alerts is how many were retried or dropped with it.
	alerts int64
}

func (l *deadLetter) scan(s scanner) error {
	return s.Scan(&l.n, &l.id, &l.at.lane, &l.lane, &l.at.incident, word(&l.state), &l.class, &l.reason)
}

// eachDeadLetter retries or drops a batch in each transaction, so that the writer
// is never held long.
func (d *DB) eachDeadLetter(ctx context.Context, chosen alert.DeadLetterSelector, act deadLetterAct) (alert.RetryResult, error) {
	result := alert.RetryResult{Lanes: []string{}}
	for last := int64(math.MinInt64); ; {
		var batch []*deadLetter
		err := d.answerWrite(ctx, func(w *writer, ctx context.Context) (err error) {
			if batch, err = w.deadLetters(ctx, chosen, last, act.pending); err != nil {
				return err
			}
			now := micros(d.now())
			for _, l := range batch {
				if err := act.do(w, ctx, l, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return result, err
		}
		for _, l := range batch {
			last = l.n
			d.addResult(&result, l, act.log)
		}
		if chosen.ID != "" || len(batch) < deadLetterBatch {
			return result, nil
		}
	}
}

func (d *DB) addResult(r *alert.RetryResult, l *deadLetter, line string) {
	r.Deliveries++
	r.Alerts += l.alerts
	if !slices.Contains(r.Lanes, l.lane) {
		r.Lanes = append(r.Lanes, l.lane)
	}
	d.log.Warn(line, zap.String("lane", l.lane), zap.String("delivery", l.id),
		zap.Int64("alerts", l.alerts), zap.String("reason", l.reason))
}

// deadLetters finds the chosen dead letters; of many, a batch behind number last. One
// that is chosen by its ID may be pending if that is allowed.
func (w *writer) deadLetters(ctx context.Context, chosen alert.DeadLetterSelector, last int64, pending bool) ([]*deadLetter, error) {
	var found []*deadLetter
	add := func(s scanner) error {
		l := &deadLetter{}
		found = append(found, l)
		return l.scan(s)
	}
	if chosen.ID == "" {
		lane := w.lanes.known().Lane(chosen.Lane)
		return found, w.each(ctx, nextDeadLetters, add, last, lane, lane, deadLetterBatch)
	}
	err := w.each(ctx, deadLetterQuery, add, chosen.ID)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, refusal{fmt.Errorf("delivery %s: %w", chosen.ID, alert.ErrNotFound)}
	case found[0].state != alert.Dead && (!pending || found[0].state != alert.Pending):
		return nil, refusal{fmt.Errorf("delivery %s is %s: %w", chosen.ID, found[0].state, alert.ErrNotDead)}
	}
	return found, nil
}

// retry puts a dead letter back into its queue. What is behind it there waits,
// even what is being sent now and may have to be sent again.
func (w *writer) retry(ctx context.Context, l *deadLetter, now int64) error {
	err := w.each(ctx, revivedAlerts, func(s scanner) error {
		var lane int64
		err := s.Scan(&lane)
		w.count(lane, alert.StandPending, 1)
		w.count(lane, alert.StandDead, -1)
		l.alerts++
		return err
	}, l.at.lane, l.n)
	if err != nil {
		return err
	}
	if _, err := w.exec(ctx, waitQuery, l.at.incident, l.at.lane); err != nil {
		return err
	}
	state, class := l.class.Retried()
	_, err = w.exec(ctx, `UPDATE deliveries SET stage = 0, state = ?, class = ?, attempts = 0, created_at = ?, next_at = ?,
			done_at = 0, plain = 0, top_level = 0, reason = '', rescued = 0, reported = 0
		WHERE n = ?`, code(state), string(class), now, now, l.n)
	if err != nil {
		return err
	}
	w.newDeadLetters--
	gathered, err := w.one(ctx, gatheredQuery, func(s scanner) error { return s.Scan(new(int64)) }, l.at.incident, l.at.lane)
	if err != nil || gathered {
		return err
	}
	return w.advance(ctx, l.at)
}

// drop has nothing send a delivery any more. A digest that is pending is dropped with
// all posts that it was made of.
func (w *writer) drop(ctx context.Context, l *deadLetter, now int64) error {
	deadLetters := []int64{l.n}
	if l.state == alert.Pending {
		var err error
		if deadLetters, err = w.giveUp(ctx, l, now); err != nil {
			return err
		}
	}
	for _, n := range deadLetters {
		err := w.each(ctx, droppedAlerts, func(s scanner) error {
			l.alerts++
			return s.Scan(new(int64))
		}, droppedReason, n)
		if err != nil {
			return err
		}
		if _, err := w.exec(ctx, "UPDATE deliveries SET state = {dropped}, done_at = ? WHERE n = ?", now, n); err != nil {
			return err
		}
	}
	w.newDeadLetters -= int64(len(deadLetters))
	return nil
}

// giveUp ends a pending delivery as if Slack had refused it for good, and returns the
// numbers of the dead letters that come of it: its own, or those of a digest's posts.
func (w *writer) giveUp(ctx context.Context, l *deadLetter, now int64) ([]int64, error) {
	o := alert.Outcome{Delivery: l.id, State: alert.Dead, Now: fromMicros(now), Class: l.class, Reason: cmp.Or(l.reason, droppedReason)}
	var kind alert.Kind
	gathered := false
	_, err := w.one(ctx, "SELECT kind, attempts, plain, top_level, possible_duplicate, stage = 3 FROM deliveries WHERE n = ?",
		func(s scanner) error {
			return s.Scan(word(&kind), &o.Attempts, &o.Plain, &o.TopLevel, &o.PossibleDuplicate, &gathered)
		}, l.n)
	switch {
	case err != nil:
		return nil, err
	case gathered:
		return nil, refusal{fmt.Errorf("delivery %s waits in a digest, which can be dropped as a whole: %w", l.id, alert.ErrNotDead)}
	}
	deadLetters := []int64{l.n}
	if kind == alert.Digest {
		posts, err := w.gatheredPosts(ctx, l.at.incident)
		if err != nil {
			return nil, err
		}
		if len(posts) > 0 {
			deadLetters = posts
		}
	}
	return deadLetters, w.finish(ctx, o)
}

// gatheredPosts are the numbers of the posts that wait for a digest.
func (w *writer) gatheredPosts(ctx context.Context, digest int64) (all []int64, err error) {
	err = w.each(ctx, "SELECT n FROM deliveries WHERE digest = ? AND kind = {post} AND stage = 3", func(s scanner) error {
		var n int64
		err := s.Scan(&n)
		all = append(all, n)
		return err
	}, digest)
	return all, err
}
