package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/alert"
)

// The queries about what waits for cards already.
const (
	queuesQuery   = `SELECT DISTINCT incident, lane, kind, state FROM deliveries WHERE stage IS NOT NULL AND incident {oneofnumbers}`
	digestedQuery = `SELECT incident, lane, digest FROM cards WHERE incident {oneofnumbers} AND digest IS NOT NULL`
	// repliesQuery finds the last message for each thread, if it is a reply that a note
	// can be added to.
	repliesQuery = `SELECT incident, lane, n, note FROM deliveries WHERE n IN (SELECT max(n) FROM deliveries
			WHERE stage IS NOT NULL AND kind IN ({reply}, {list}) AND incident {oneofnumbers} GROUP BY incident, lane)
		AND kind = {reply} AND state = {pending} AND top_level = 0 AND note <> ''`
	foldQuery = `UPDATE deliveries SET note = ?, must_say = ?,
		created_at = CASE WHEN created_at > ? THEN ? ELSE created_at END,
		next_at = CASE WHEN created_at > ? THEN ? ELSE next_at END WHERE n = ?`
	// advanceBehindQuery makes the first delivery of a card claimable if a reply that was
	// before it is not needed any more.
	advanceBehindQuery = advanceQuery + ` AND n > ?`

	// textsQuery finds the pending replies among which those with a text are.
	textsQuery = `SELECT incident, lane, n, note FROM deliveries WHERE stage IS NOT NULL AND incident {oneofnumbers}
		AND kind = {reply} AND state = {pending} AND note <> ''`

	hurryQuery   = `UPDATE deliveries SET priority = ? WHERE incident = ? AND lane = ? AND stage IS NOT NULL AND priority > ?`
	toFrontQuery = `UPDATE deliveries SET priority = 0 WHERE incident = ? AND stage IS NOT NULL AND priority = 1`
)

// cardQueue is what waits for a card, the digest that the card is, or 0, and the number
// of CardQueue.Reply.
type cardQueue struct {
	alert.CardQueue
	digest, reply int64
}

// fold is what a reply says once notes were added to it; a nil note is nothing.
type fold struct {
	at   cardKey
	note *alert.Note
	now  time.Time
}

// stage is that of a new delivery, which it counts in.
func (q *cardQueue) stage(d *alert.Delivery) any {
	if finished(d.State) {
		return nil
	}
	stage := stageBehind
	if !q.Waiting {
		stage = stageOf(d.Kind)
	}
	q.Count(d.Kind, d.State)
	return stage
}

// cardQueues are loaded for the incidents that are asked for, and empty for all
// others.
type cardQueues map[cardKey]*cardQueue

func (all cardQueues) of(at cardKey) *cardQueue {
	q := all[at]
	if q == nil {
		q = &cardQueue{}
		all[at] = q
	}
	return q
}

// queues loads what waits for the cards of incidents.
func (w *writer) queues(ctx context.Context, incidents []int64) (cardQueues, error) {
	all := cardQueues{}
	if len(incidents) == 0 {
		return all, nil
	}
	list, err := json.Marshal(incidents)
	if err != nil {
		return nil, fmt.Errorf("list incidents: %w", err)
	}
	err = w.each(ctx, queuesQuery, func(s scanner) error {
		var at cardKey
		var kind alert.Kind
		var state alert.DeliveryState
		err := s.Scan(&at.incident, &at.lane, word(&kind), word(&state))
		all.of(at).Count(kind, state)
		return err
	}, string(list))
	if err != nil {
		return nil, err
	}
	return all, w.each(ctx, digestedQuery, func(s scanner) error {
		var at cardKey
		var digest int64
		err := s.Scan(&at.incident, &at.lane, &digest)
		q := all.of(at)
		q.digest, q.InDigest = digest, true
		return err
	}, string(list))
}

// dropTexts leaves out what pending replies would say of an earlier text of an incident.
func (c *changeWriter) dropTexts(ctx context.Context) error {
	var older []int64
	var now time.Time
	for id, at := range c.Retold {
		if known := c.known[id]; !known.created {
			older, now = append(older, known.n), at
		}
	}
	if len(older) == 0 {
		return nil
	}
	list, err := json.Marshal(older)
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	o := outdated{cards: map[cardKey]bool{}, cut: map[int64]*alert.Note{}}
	if err := c.w.each(ctx, textsQuery, o.scan, string(list)); err != nil {
		return err
	}
	if err := c.w.execAll(ctx, supersedeQuery, o.dropped, micros(now), "a later text replaces it"); err != nil {
		return err
	}
	for n, left := range o.cut {
		if err := c.w.rewrite(ctx, n, left); err != nil {
			return err
		}
	}
	for at := range o.cards {
		if err := c.w.advance(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

// outdated are pending replies that a later text changes: those of which nothing is left,
// with their cards, and what others still say.
type outdated struct {
	dropped []int64
	cards   map[cardKey]bool
	cut     map[int64]*alert.Note
}

// scan reads a row of textsQuery.
func (o *outdated) scan(s scanner) error {
	var at cardKey
	var n int64
	var text string
	var note alert.Note
	err := s.Scan(&at.incident, &at.lane, &n, &text)
	if err == nil {
		err = parse(text, &note)
	}
	switch left, changed := note.Outdated(); {
	case left == nil:
		o.dropped, o.cards[at] = append(o.dropped, n), true
	case changed:
		o.cut[n] = left
	}
	return err
}

// rewrite writes what a pending reply says.
func (w *writer) rewrite(ctx context.Context, n int64, note *alert.Note) error {
	text, err := document(false, note)
	if err != nil {
		return fmt.Errorf("write note: %w", err)
	}
	_, err = w.exec(ctx, "UPDATE deliveries SET note = ? WHERE n = ?", text, n)
	return err
}

// loadQueues loads what waits for the cards of the older incidents.
func (c *changeWriter) loadQueues(ctx context.Context) (err error) {
	var older []int64
	seen := map[int64]bool{}
	for _, d := range c.Deliveries {
		at := c.known[d.Incident]
		if !at.created && !seen[at.n] {
			seen[at.n] = true
			older = append(older, at.n)
		}
	}
	if c.queues, err = c.w.queues(ctx, older); err != nil {
		return err
	}
	return c.loadReplies(ctx)
}

// loadReplies loads the pending replies that the change may add notes to.
func (c *changeWriter) loadReplies(ctx context.Context) error {
	incidents := map[int64]bool{}
	for _, d := range c.Deliveries {
		if at := c.known[d.Incident]; d.Kind == alert.Reply && !at.created {
			incidents[at.n] = true
		}
	}
	if len(incidents) == 0 {
		return nil
	}
	list, err := json.Marshal(slices.Collect(maps.Keys(incidents)))
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	return c.w.each(ctx, repliesQuery, func(s scanner) error {
		var at cardKey
		var n int64
		var text string
		note := &alert.Note{}
		err := s.Scan(&at.incident, &at.lane, &n, &text)
		if err == nil {
			err = parse(text, note)
		}
		q := c.queues.of(at)
		q.reply, q.Reply = n, note
		return err
	}, string(list))
}

func (c *changeWriter) writeDeliveries(ctx context.Context) error {
	var args []any
	for n := range c.Deliveries {
		lane, err := c.w.lane(ctx, c.Deliveries[n].Lane)
		if err != nil {
			return err
		}
		args = c.addDelivery(args, lane, c.Deliveries[n], c.notes[n])
	}
	if err := c.w.insert(ctx, c.w.into.deliveries, args); err != nil {
		return err
	}
	for n, f := range c.folds {
		if err := c.w.writeFold(ctx, n, f); err != nil {
			return err
		}
	}
	for at, priority := range c.hurried {
		if _, err := c.w.exec(ctx, hurryQuery, priority, at.incident, at.lane, priority); err != nil {
			return err
		}
	}
	for digest, now := range c.asking {
		if err := c.w.followUp(ctx, digest, now, alert.AfterAsking); err != nil {
			return err
		}
	}
	for at, since := range c.edits {
		if err := c.w.addEdit(ctx, at, since); err != nil {
			return err
		}
	}
	return nil
}

// addDelivery numbers a delivery and appends its row, unless something else will
// show what it would show.
func (c *changeWriter) addDelivery(args []any, lane int64, d alert.Delivery, note string) []any {
	if d.State == "" {
		d.State = alert.Pending
	}
	at := cardKey{c.known[d.Incident].n, lane}
	q := c.queues.of(at)
	var i *alert.Incident
	if q.InDigest {
		i = c.incident(d.Incident)
	}
	switch q.Place(&d, i) {
	case alert.ShownByDigest:
		c.edits[cardKey{q.digest, lane}] = d.CreatedAt
		return args
	case alert.LeftOut:
		return args
	case alert.Folded:
		c.folds[q.reply] = fold{at, q.Reply, d.CreatedAt}
		c.hurry(at, q, d)
		return args
	}
	c.hurry(at, q, d)
	c.w.deliveries++
	if q.Reply != nil && d.Kind == alert.Reply {
		q.reply = c.w.deliveries
	}
	if q.InDigest && d.Asks() {
		c.asking[q.digest] = d.CreatedAt
	}
	if d.Kind == alert.Post && !q.InDigest { // a digest has shown the incident: its alerts are folded
		c.posts[d.ID] = c.w.deliveries
	}
	return keys{n: c.w.deliveries, lane: lane, incident: at.incident}.deliveryArgs(args, &d, note, q.stage(&d))
}

// hurry has what waits for a card not hold up a reply that notifies somebody.
func (c *changeWriter) hurry(at cardKey, q *cardQueue, d alert.Delivery) {
	if !q.Waiting || d.Kind != alert.Reply || d.Priority >= alert.PriorityQuiet {
		return
	}
	if most, known := c.hurried[at]; !known || d.Priority < most {
		c.hurried[at] = d.Priority
	}
}

// writeFold writes what a pending reply says now. It is as old as its oldest note, so that
// it is given up in time; none is from the future, where a clock was put back since, or
// waits for it. One with nothing left to say is superseded.
func (w *writer) writeFold(ctx context.Context, n int64, f fold) error {
	if f.note == nil {
		if err := w.execAll(ctx, supersedeQuery, []int64{n}, micros(f.now), "undone before it was sent"); err != nil {
			return err
		}
		_, err := w.exec(ctx, advanceBehindQuery, f.at.incident, f.at.lane, n)
		return err
	}
	note, err := document(false, f.note)
	if err != nil {
		return fmt.Errorf("write note: %w", err)
	}
	now := micros(f.now)
	_, err = w.exec(ctx, foldQuery, note, number(f.note.MustSay()), now, now, now, now, n)
	return err
}

// incident is an incident as the change leaves it, or nil.
func (c *changeWriter) incident(id string) *alert.Incident {
	for n := range c.Incidents {
		if c.Incidents[n].ID == id {
			return &c.Incidents[n]
		}
	}
	return nil
}

// moveToFront moves what waits for urgent incidents to the front of its lanes.
func (c *changeWriter) moveToFront(ctx context.Context) error {
	for _, i := range c.Incidents {
		if i.Urgent() && !c.known[i.ID].created {
			if _, err := c.w.exec(ctx, toFrontQuery, c.known[i.ID].n); err != nil {
				return err
			}
		}
	}
	return nil
}

// addEdit adds an edit of a digest that shows something else now, unless one
// waits.
func (w *writer) addEdit(ctx context.Context, at cardKey, since time.Time) error {
	if _, err := w.exec(ctx, "UPDATE incidents SET version = version + 1 WHERE n = ?", at.incident); err != nil {
		return err
	}
	queues, err := w.queues(ctx, []int64{at.incident})
	if err != nil {
		return err
	}
	d := alert.Delivery{Kind: alert.Update, State: alert.Pending, CreatedAt: since, NextAt: since}
	q := queues.of(at)
	if q.Place(&d, nil) != alert.Queued {
		return nil
	}
	return w.addDelivery(ctx, at, d, q.stage(&d))
}
