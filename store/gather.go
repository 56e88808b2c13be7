package store

import (
	"context"
	"fmt"
	"time"

	"tocsin/alert"
)

// gatherMost is how many incidents one digest stands for at most; it bounds how
// long the store is busy with one, and what has to be held in memory.
const gatherMost = 2500

// amongThem is how many rows the look at a lane's front goes beyond the limit,
// for replies that stand among the posts: those go first, and then it is looked
// at again.
const amongThem = 5

// The queries that gather. The first is all that the ordinary claim needs: it
// looks at a few rows at the front of the lane.
const (
	floodQuery = `SELECT count(*) FROM (SELECT kind, state, created_at FROM deliveries
		WHERE lane = ? AND stage = 1 AND priority = ? ORDER BY n LIMIT ?) q
	WHERE kind = 'post' AND state = 'pending' AND created_at <= ?`
	gatherQuery = `UPDATE deliveries SET digest = ?, stage = ?, state = 'sending' WHERE n IN (SELECT n FROM deliveries
		WHERE lane = ? AND stage = 1 AND priority = ? AND kind = 'post' AND state = 'pending' AND next_at <= ?
		ORDER BY n LIMIT ?)`
	membersQuery = `SELECT incident FROM deliveries WHERE digest = ? AND kind = 'post'`
	// coverQuery ends what stands behind the posts of a digest, which shows it,
	// but for what must be said.
	// The plus keeps SQLite from looking at all that stands behind something in
	// the lane.
	coverQuery = `UPDATE deliveries SET state = 'superseded', stage = NULL, done_at = ?, reason = 'listed in a digest'
	WHERE stage IS NOT NULL AND +stage = 0 AND lane = ? AND incident IN (` + membersQuery + `)
		AND NOT EXISTS (SELECT 1 FROM deliveries own WHERE own.incident = deliveries.incident
			AND own.lane = deliveries.lane AND own.stage IN (1, 2))
		AND NOT ` + saidClause
	headNumbered = headSelect + ` WHERE d.n = ?`
)

// gather returns what is to be sent in place of first, the head of its lane: a
// digest that stands for it and others when too many have been waiting, else
// first itself.
func (w *writer) gather(ctx context.Context, c alert.Claim, first *head) (*head, error) {
	d := first.claimed.Delivery
	if c.DigestAbove <= 0 || d.Kind != alert.Post || d.State != alert.Pending {
		return first, nil
	}
	waiting := 0
	_, err := w.one(ctx, floodQuery, func(s scanner) error { return s.Scan(&waiting) },
		c.Lane, d.Priority, c.DigestAbove+amongThem, micros(c.Now.Add(-c.DigestAfter)))
	if err != nil || waiting <= c.DigestAbove {
		return first, err
	}
	w.incidents++
	members, err := w.exec(ctx, gatherQuery, w.incidents, stageGathered, c.Lane, d.Priority, micros(c.Now), gatherMost)
	if err != nil {
		return nil, err
	}
	if _, err := w.exec(ctx, coverQuery, micros(c.Now), c.Lane, w.incidents); err != nil {
		return nil, err
	}
	return w.newDigest(ctx, c.Now, d, members)
}

// newDigest writes the stand-in for the posts that are numbered with it, and
// the delivery that shows it. That goes first in its lane, as the posts would,
// so its number is below all others.
func (w *writer) newDigest(ctx context.Context, now time.Time, like alert.Delivery, members int64) (*head, error) {
	w.deliveries++
	at := keys{n: -w.deliveries, incident: w.incidents}
	i := alert.Incident{
		ID: "digest-" + alert.NewID(), Route: "digest", Version: 1, State: alert.StateDigest, Severity: alert.Error,
		Title: fmt.Sprintf("%d alerts in one digest", members), Count: int(members), FirstAt: now, LastAt: now, Lanes: []string{like.Lane},
	}
	if like.Priority == 0 {
		i.Severity = alert.Critical
	}
	t, err := textsOf(nil, nil, i.Lanes)
	if err != nil {
		return nil, err
	}
	if err := w.insert(ctx, w.into.plainIncidents, plainArgs(nil, w.incidents, &i, t)); err != nil {
		return nil, err
	}
	d := alert.Delivery{
		ID: alert.NewID(), Lane: like.Lane, Kind: alert.Digest, State: alert.Pending, Priority: like.Priority,
		CreatedAt: like.CreatedAt, NextAt: now,
	}
	if err := w.insert(ctx, w.into.deliveries, at.deliveryArgs(nil, &d, "", stagePost)); err != nil {
		return nil, err
	}
	h := &head{}
	if _, err := w.one(ctx, headNumbered, func(s scanner) error { return s.Scan(h.dest()...) }, at.n); err != nil {
		return nil, err
	}
	h.claimed, err = h.job()
	return h, err
}
