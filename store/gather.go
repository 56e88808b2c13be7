package store

import (
	"context"
	"time"

	"tocsin/alert"
)

// frontExtra is how many rows more than claim.DigestAbove are looked at, for
// replies among the posts. When there are more, those are sent first and the
// next claim looks again.
const frontExtra = 5

// The queries that gather. The first is all that most claims need: it looks at a
// few rows at the front of the lane.
const (
	frontQuery = `SELECT n, kind, state, class, created_at, started_at, next_at, possible_duplicate FROM deliveries
	WHERE lane = ? AND stage = 1 AND priority = ? ORDER BY n LIMIT ?`
	postsQuery = `SELECT n, kind, state, class, created_at, started_at, next_at, possible_duplicate FROM deliveries
	WHERE lane = ? AND stage = 1 AND priority = ? AND kind = {post} ORDER BY n LIMIT ?`
	gatherQuery  = `UPDATE deliveries SET digest = ?, stage = 3, state = {sending} WHERE n {oneofnumbers}`
	membersQuery = `SELECT incident FROM deliveries WHERE digest = ? AND kind = {post}`
)

// gather returns first, the head of its lane, or the digest that replaces it and
// others when too many have been waiting.
func (w *writer) gather(ctx context.Context, c alert.Claim, first *head) (*head, error) {
	d := first.claimed.Delivery
	if c.DigestAbove <= 0 || d.Kind != alert.Post || d.State != alert.Pending || !first.crowded && !c.Busy(d.Priority) {
		return first, nil
	}
	c = c.ForPriority(d.Priority)
	lane := w.lanes.named(c.Lane).n
	front, err := w.deliveriesOf(ctx, frontQuery, lane, d.Priority, c.DigestAbove+frontExtra)
	if err != nil || !c.Flooded(front) {
		return first, err
	}
	gathered, err := w.gatherable(ctx, c, lane, d.Priority)
	if err != nil || len(gathered) <= c.DigestAbove {
		return first, err
	}
	w.incidents++
	if err := w.execAll(ctx, gatherQuery, gathered, w.incidents); err != nil {
		return nil, err
	}
	if err := w.followUp(ctx, w.incidents, c.Now, alert.AfterGathering); err != nil {
		return nil, err
	}
	return w.newDigest(ctx, c.Now, d, len(gathered))
}

// gatherable returns the posts at the front of a lane up to one that has to be sent by
// itself: what comes behind that has to be shown after it.
func (w *writer) gatherable(ctx context.Context, c alert.Claim, lane int64, priority int) (gathered []int64, err error) {
	posts, err := w.deliveriesOf(ctx, postsQuery, lane, priority, alert.MaxMembers)
	for _, p := range posts {
		if !c.Gathers(p) {
			break
		}
		gathered = append(gathered, p.Seq)
	}
	return gathered, err
}

// deliveriesOf loads the fields by which Claim decides about a digest.
func (w *writer) deliveriesOf(ctx context.Context, query string, args ...any) ([]alert.Delivery, error) {
	var all []alert.Delivery
	err := w.each(ctx, query, func(s scanner) error {
		var d alert.Delivery
		var created, started, next int64
		err := s.Scan(&d.Seq, word(&d.Kind), word(&d.State), &d.Class, &created, &started, &next, &d.PossibleDuplicate)
		d.CreatedAt, d.StartedAt, d.NextAt = fromMicros(created), fromMicros(started), fromMicros(next)
		all = append(all, d)
		return err
	}, args...)
	return all, err
}

// newDigest writes the digest of the posts that are numbered with it, and the
// delivery that posts it. That is the first of its lane, as the posts were, so its
// number is below all others.
func (w *writer) newDigest(ctx context.Context, now time.Time, first alert.Delivery, members int) (*head, error) {
	w.deliveries++
	at := keys{n: -w.deliveries, lane: w.lanes.of(first.Lane).n, incident: w.incidents}
	i, d := alert.NewDigest(first, members, now)
	var t incidentText
	var err error
	if t.body, err = encodeIncident(&i); err != nil {
		return nil, err
	}
	if t.says, err = encodeContent(&i); err != nil {
		return nil, err
	}
	if err := w.insert(ctx, w.into.incidents, peopleArgs(plainArgs(nil, w.incidents, &i, t), &i, t)); err != nil {
		return nil, err
	}
	if err := w.insert(ctx, w.into.deliveries, at.deliveryArgs(nil, &d, "", stagePost)); err != nil {
		return nil, err
	}
	h, err := w.findHead(ctx, headNumbered, 0, at.n)
	if err != nil {
		return nil, err
	}
	h.claimed, err = h.job(w.lanes.known())
	return h, err
}
