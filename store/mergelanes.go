package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tocsin/alert"
)

// merge is a lane that becomes part of another one, because both are one
// conversation. What is over keeps its number; its name is the other's then.
type merge struct {
	keep, gone lane
	now        time.Time
}

// mergedAtOnce is how many incidents are looked at with one query.
const mergedAtOnce = 500

// The queries that merge two lanes. Those that look for the cards of a lane read all
// cards, because no index has them by lane.
const (
	// sharedQuery finds the incidents for which something waits in one lane while
	// something waits, or is shown, in the other.
	sharedQuery = `SELECT d.incident FROM deliveries d WHERE d.lane = ? AND d.stage IS NOT NULL AND (
			EXISTS (SELECT 1 FROM deliveries o WHERE o.incident = d.incident AND o.lane = ? AND o.stage IS NOT NULL)
			OR EXISTS (SELECT 1 FROM cards c WHERE c.incident = d.incident AND c.lane = ?))
		UNION SELECT c.incident FROM cards c WHERE c.lane = ?
			AND EXISTS (SELECT 1 FROM deliveries o WHERE o.incident = c.incident AND o.lane = ? AND o.stage IS NOT NULL)`
	sharedWaiting = `SELECT incident, n, kind, state, stage, top_level, created_at, note FROM deliveries
		WHERE incident {oneofnumbers} AND lane IN (?, ?) AND stage IS NOT NULL ORDER BY incident, n`
	sharedShown = `SELECT incident FROM cards WHERE incident {oneofnumbers} AND lane IN (?, ?) AND digest IS NULL`
	twoCards    = `SELECT g.incident, g.ts, CASE WHEN g.digest IS NULL THEN 0 ELSE 1 END, k.ts, CASE WHEN k.digest IS NULL THEN 0 ELSE 1 END
		FROM cards g JOIN cards k ON k.incident = g.incident AND k.lane = ? WHERE g.lane = ?`
	dropCards    = `DELETE FROM cards WHERE lane = ? AND incident {oneofnumbers}`
	unshownQuery = `SELECT DISTINCT incident FROM alerts WHERE standing = {pending} AND lane = ? AND incident {oneofnumbers}`

	moveCards       = `UPDATE cards SET lane = ? WHERE lane = ?`
	moveWaiting     = `UPDATE deliveries SET lane = ? WHERE lane = ? AND stage IS NOT NULL`
	moveDead        = `UPDATE deliveries SET lane = ? WHERE lane = ? AND state = {dead}`
	moveAlerts      = `UPDATE alerts SET lane = ? WHERE lane = ? AND standing = {pending} RETURNING coalesce(incident, 0)`
	moveNumbers     = `UPDATE lanes SET main = ? WHERE main = ?`
	updatesQuery    = `UPDATE deliveries SET kind = {update} WHERE n {oneofnumbers}`
	destinationOf   = `SELECT code, hint, since, probe_at FROM destinations WHERE lane = ?`
	moveDestination = `UPDATE destinations SET since = ?, probe_at = ? WHERE lane = ?`
)

// mergeLanes has everything that may still change in one lane be in another one. The
// ledger counts both under one name, so that it balances at every moment.
func (w *writer) mergeLanes(ctx context.Context, m merge) error {
	if err := w.mergeQueues(ctx, m); err != nil {
		return err
	}
	if err := w.mergeMarks(ctx, m); err != nil {
		return err
	}
	twice, err := w.mergeCards(ctx, m)
	if err != nil {
		return err
	}
	for _, query := range []string{moveCards, moveWaiting, moveDead, moveNumbers} {
		if _, err := w.exec(ctx, query, m.keep.n, m.gone.n); err != nil {
			return err
		}
	}
	err = w.each(ctx, moveAlerts, func(s scanner) error {
		at := cardKey{lane: m.gone.n} // who waits for it has to look in the other lane
		err := s.Scan(&at.incident)
		w.settled[at] = struct{}{}
		return err
	}, m.keep.n, m.gone.n)
	if err != nil {
		return err
	}
	return w.redraw(ctx, m, twice)
}

// mergeQueues puts what waits for the same incident in both lanes in one queue.
func (w *writer) mergeQueues(ctx context.Context, m merge) error {
	var shared []int64
	err := w.each(ctx, sharedQuery, func(s scanner) error {
		var n int64
		err := s.Scan(&n)
		shared = append(shared, n)
		return err
	}, m.gone.n, m.keep.n, m.keep.n, m.gone.n, m.keep.n)
	for err == nil && len(shared) > 0 {
		some := shared[:min(len(shared), mergedAtOnce)]
		shared = shared[len(some):]
		err = w.mergeQueuesOf(ctx, m, some)
	}
	return err
}

func (w *writer) mergeQueuesOf(ctx context.Context, m merge, incidents []int64) error {
	list, err := json.Marshal(incidents)
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	shown := map[int64]bool{}
	err = w.each(ctx, sharedShown, func(s scanner) error {
		var n int64
		err := s.Scan(&n)
		shown[n] = true
		return err
	}, string(list), m.keep.n, m.gone.n)
	if err != nil {
		return err
	}
	queues := map[int64][]alert.Waiting{}
	err = w.each(ctx, sharedWaiting, func(s scanner) error {
		incident, waiting, err := scanWaiting(s)
		queues[incident] = append(queues[incident], waiting)
		return err
	}, string(list), m.keep.n, m.gone.n)
	if err != nil {
		return err
	}
	changes := queueChanges{stages: map[int64][]int64{}}
	for incident, queue := range queues {
		changes.add(queue, alert.MergeQueues(shown[incident], queue))
	}
	return w.writeQueues(ctx, m, changes)
}

func scanWaiting(s scanner) (incident int64, d alert.Waiting, err error) {
	var stage, created int64
	var note string
	err = s.Scan(&incident, &d.Seq, word(&d.Kind), word(&d.State), &stage, &d.TopLevel, &created, &note)
	d.CreatedAt = fromMicros(created)
	d.Gathered, d.Claimable = stage == stageGathered, stage == stagePost || stage == stageUpdate
	if err == nil && note != "" {
		d.Note = &alert.Note{}
		err = parse(note, d.Note)
	}
	return incident, d, err
}

// queueChanges are the deliveries that merging queues changes.
type queueChanges struct {
	superseded, updates []int64
	stages              map[int64][]int64
}

// add notes what differs; both are in order.
func (c *queueChanges) add(before, after []alert.Waiting) {
	for n, is := range after {
		was := before[n]
		if is.State == alert.Superseded {
			c.superseded = append(c.superseded, is.Seq)
			continue
		}
		if is.Kind != was.Kind {
			c.updates = append(c.updates, is.Seq)
		}
		if is.Claimable != was.Claimable || is.Claimable && is.Kind != was.Kind {
			stage := stageBehind
			if is.Claimable {
				stage = stageOf(is.Kind)
			}
			c.stages[stage] = append(c.stages[stage], is.Seq)
		}
	}
}

func (w *writer) writeQueues(ctx context.Context, m merge, c queueChanges) error {
	if err := w.execAll(ctx, supersedeQuery, c.superseded, micros(m.now), "its conversation has it under another name"); err != nil {
		return err
	}
	if err := w.execAll(ctx, updatesQuery, c.updates); err != nil {
		return err
	}
	for stage, list := range c.stages {
		if err := w.execAll(ctx, advanceAllQuery, list, stage); err != nil {
			return err
		}
	}
	return nil
}

// mergeCards keeps one card of each incident and returns those that had two.
func (w *writer) mergeCards(ctx context.Context, m merge) (twice []int64, err error) {
	dropped := map[int64][]int64{}
	err = w.each(ctx, twoCards, func(s scanner) error {
		var incident int64
		var gone, keep alert.Card
		err := s.Scan(&incident, &gone.TS, &gone.Digest, &keep.TS, &keep.Digest)
		lane := m.keep.n
		if keep.Stays(gone) {
			lane = m.gone.n
		}
		dropped[lane] = append(dropped[lane], incident)
		twice = append(twice, incident)
		return err
	}, m.keep.n, m.gone.n)
	for lane, incidents := range dropped {
		if err == nil {
			err = w.execAll(ctx, dropCards, incidents, lane)
		}
	}
	return twice, err
}

// redraw has cards edited that have alerts to show which another card would have
// shown: one that was a digest, whose edits are not in the queue of the incident.
func (w *writer) redraw(ctx context.Context, m merge, incidents []int64) error {
	list, err := json.Marshal(incidents)
	if err != nil || len(incidents) == 0 {
		return err
	}
	var waiting []int64
	err = w.each(ctx, unshownQuery, func(s scanner) error {
		var n int64
		err := s.Scan(&n)
		waiting = append(waiting, n)
		return err
	}, m.keep.n, string(list))
	if err != nil {
		return err
	}
	queues, err := w.queues(ctx, waiting)
	for _, incident := range waiting {
		at := cardKey{incident, m.keep.n}
		d := alert.Delivery{Kind: alert.Update, State: alert.Pending, CreatedAt: m.now, NextAt: m.now}
		q := queues.of(at)
		switch {
		case err != nil:
			return err
		case q.InDigest:
			err = w.addEdit(ctx, cardKey{q.digest, m.keep.n}, m.now)
		case q.Place(&d, nil) == alert.Queued:
			err = w.addDelivery(ctx, at, d, q.stage(&d))
		}
	}
	return err
}

// mergeMarks keeps one mark of a broken destination.
func (w *writer) mergeMarks(ctx context.Context, m merge) error {
	keep, err := w.destination(ctx, m.keep)
	if err != nil {
		return err
	}
	gone, err := w.destination(ctx, m.gone)
	if err != nil || gone.Since.IsZero() && keep.Since.IsZero() {
		return err
	}
	one := keep.Merge(gone, m.now)
	if _, err := w.exec(ctx, mendQuery, m.gone.n); err != nil {
		return err
	}
	if _, err := w.exec(ctx, markQuery, m.keep.n, one.Code, one.Hint, micros(one.Since), micros(one.ProbeAt)); err != nil {
		return err
	}
	_, err = w.exec(ctx, moveDestination, micros(one.Since), micros(one.ProbeAt), m.keep.n)
	return err
}

// destination is what is known of a lane that is broken.
func (w *writer) destination(ctx context.Context, l lane) (alert.Destination, error) {
	d := alert.Destination{Lane: l.Lane}
	_, err := w.one(ctx, destinationOf, func(s scanner) error {
		var since, probe int64
		err := s.Scan(&d.Code, &d.Hint, &since, &probe)
		d.Since, d.ProbeAt = fromMicros(since), fromMicros(probe)
		return err
	}, l.n)
	return d, err
}
