package store

import (
	"context"
	"fmt"

	"tocsin/alert"
)

// Finish writes the outcome of an attempt and, in the same transaction, the card,
// the lane's Slack id and the standing of the alerts. The same outcome again
// changes nothing. The error is alert.ErrNotFound for a delivery that is unknown
// or has ended in another way.
func (d *DB) Finish(ctx context.Context, o alert.Outcome) error {
	err := d.write(ctx, func(w *writer, ctx context.Context) error { return w.finish(ctx, o) })
	if err != nil {
		return fmt.Errorf("finish delivery %s: %w", o.Delivery, err)
	}
	return nil
}

// The queries of Finish; each seeks in one index.
const (
	attemptQuery = `SELECT d.n, d.incident, d.lane, l.name, d.kind, d.state, d.possible_duplicate, d.drawn, d.note, d.via, i.state,
		i.held_until,
		coalesce(c.conversation, ''), coalesce(c.ts, ''), coalesce(c.version, 0), coalesce(c.digest, 0),
		EXISTS (SELECT 1 FROM deliveries b WHERE b.incident = d.incident AND b.lane = d.lane AND b.stage IS NOT NULL AND b.n <> d.n)
	FROM deliveries d JOIN lanes l ON l.n = d.lane JOIN incidents i ON i.n = d.incident
		LEFT JOIN cards c ON c.incident = d.incident AND c.lane = d.lane
	WHERE d.id = ?`
	// shownAlerts settles the alerts up to a version: the one that asked for this
	// post is delivered, the others are folded into the card.
	shownAlerts = `UPDATE alerts SET shown = ?,
		standing = CASE WHEN delivery = ? THEN {delivered} ELSE {folded} END
	WHERE incident = ? AND lane = ? AND standing = {pending} AND version <= ? RETURNING incident, standing`
	redrawsQuery = `SELECT 1 FROM deliveries
		WHERE incident = ? AND lane = ? AND stage IS NOT NULL AND kind <> {reply} LIMIT 1`
	deadAlerts = `UPDATE alerts SET shown = ?, standing = {dead}, reason = ?
	WHERE incident = ? AND lane = ? AND standing = {pending} RETURNING incident, standing`
	// oneCardQuery has a post that was not shown wait for another one of its card, which
	// was sent at the same time when their lanes became one. It is an edit then.
	oneCardQuery = `UPDATE deliveries SET kind = {update}, stage = 0 WHERE n = ? AND state = {pending}
		AND EXISTS (SELECT 1 FROM deliveries o WHERE o.incident = deliveries.incident AND o.lane = deliveries.lane
			AND o.stage = 1 AND o.kind = {post} AND o.n <> deliveries.n)`
	advanceQuery = `UPDATE deliveries SET stage = CASE kind WHEN {update} THEN 2 ELSE 1 END
	WHERE n = (SELECT min(n) FROM deliveries WHERE incident = ? AND lane = ? AND stage IS NOT NULL) AND stage <> 3`
)

// attempt is a delivery that is being finished, and the card it is about.
type attempt struct {
	alert.Outcome
	n    int64
	at   cardKey
	lane string
	kind alert.Kind
	// was is the state before.
	was  alert.DeliveryState
	card alert.Card
	// digest is the one that the card is, or 0.
	digest int64
	// incident is the state of the incident; a digest has one of its own.
	incident alert.State
	// held: the incident's own card is held back.
	held bool
	// followed: more waits for the card behind this delivery.
	followed bool
	// drawn is the latest alert that the attempt can have shown.
	drawn int64
	note  string
	// duplicate: it was marked as a possible duplicate before.
	duplicate bool
	// via is the conversation that it was sent to in place of the lane, or empty.
	via string
}

func (w *writer) finish(ctx context.Context, o alert.Outcome) error {
	a, err := w.attempt(ctx, o)
	if err != nil || a.repeated() {
		return err
	}
	if finished(a.was) {
		return refusal{fmt.Errorf("it is already %s: %w", a.was, alert.ErrNotFound)}
	}
	if a.PossibleDuplicate && !a.duplicate {
		w.counts(a.at.lane).PossibleDuplicates++
	}
	if err := w.remark(ctx, o); err != nil {
		return err
	}
	if !finished(o.State) {
		return w.postpone(ctx, a)
	}
	if err := w.end(ctx, a); err != nil {
		return err
	}
	return w.learnFromPost(ctx, a)
}

// repeated reports whether the same outcome was written before. A digest that was
// never posted is superseded by its dead posts.
func (a *attempt) repeated() bool {
	return finished(a.was) && (a.was == a.State || a.was == alert.Superseded && a.State == alert.Dead && a.kind == alert.Digest)
}

// end writes that a delivery is delivered, superseded or dead.
func (w *writer) end(ctx context.Context, a *attempt) error {
	if a.incident == alert.StateDigest {
		return w.finishDigest(ctx, a)
	}
	if err := w.done(ctx, a); err != nil {
		return err
	}
	if err := w.settle(ctx, a); err != nil || !a.followed {
		return err
	}
	return w.advance(ctx, a.at)
}

func (w *writer) attempt(ctx context.Context, o alert.Outcome) (*attempt, error) {
	a := &attempt{Outcome: o}
	var heldUntil int64
	found, err := w.one(ctx, attemptQuery,
		func(s scanner) error {
			return s.Scan(&a.n, &a.at.incident, &a.at.lane, &a.lane, word(&a.kind), word(&a.was), &a.duplicate, &a.drawn, &a.note, &a.via,
				word(&a.incident), &heldUntil, &a.card.Conversation, &a.card.TS, &a.card.Version, &a.digest, &a.followed)
		}, o.Delivery)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, refusal{alert.ErrNotFound}
	}
	a.held = heldUntil != 0
	if o.Kind != "" {
		a.kind = o.Kind
	}
	return a, nil
}

// postpone has the delivery tried again, or what it shows sent in another way.
func (w *writer) postpone(ctx context.Context, a *attempt) error {
	var note alert.Note
	if err := parse(a.note, &note); err != nil {
		return err
	}
	if a.RefusesFile(a.kind, note) {
		return w.sendAsText(ctx, a, note)
	}
	if err := w.again(ctx, a); err != nil {
		return err
	}
	if a.CardFirst {
		return w.addCardBefore(ctx, a)
	}
	if a.kind == alert.Post && a.followed {
		_, err := w.exec(ctx, oneCardQuery, a.n)
		return err
	}
	return nil
}

// addCardBefore adds the post of a new card before the delivery, which then waits
// behind it. Like a digest it has a number below all others.
func (w *writer) addCardBefore(ctx context.Context, a *attempt) error {
	var d alert.Delivery
	var created int64
	_, err := w.one(ctx, "SELECT priority, created_at FROM deliveries WHERE n = ?",
		func(s scanner) error { return s.Scan(&d.Priority, &created) }, a.n)
	if err != nil {
		return err
	}
	if _, err := w.exec(ctx, "UPDATE deliveries SET stage = 0 WHERE n = ?", a.n); err != nil {
		return err
	}
	w.deliveries++
	d.ID, d.Kind, d.State = alert.NewID(), alert.Post, alert.Pending
	d.CreatedAt, d.NextAt, d.Class = fromMicros(created), a.Now, a.Class
	at := keys{n: -w.deliveries, lane: a.at.lane, incident: a.at.incident}
	return w.insert(ctx, w.into.deliveries, at.deliveryArgs(nil, &d, "", stagePost))
}

// again leaves the delivery in its place in the queue, to be tried at NextAt.
func (w *writer) again(ctx context.Context, a *attempt) error {
	_, err := w.exec(ctx, `UPDATE deliveries SET state = ?, kind = ?, next_at = ?, attempts = ?, plain = ?,
			possible_duplicate = ?, top_level = ?, class = ?, reason = ?, stage = CASE WHEN stage = 0 THEN 0 ELSE ? END
		WHERE n = ?`,
		code(a.State), code(a.kind), micros(a.NextAt), a.Attempts, number(a.Plain),
		number(a.PossibleDuplicate), number(a.TopLevel), string(a.Class), a.Reason, stageOf(a.kind), a.n)
	if err == nil && !a.StartedAt.IsZero() {
		_, err = w.exec(ctx, "UPDATE deliveries SET started_at = ? WHERE n = ?", micros(a.StartedAt), a.n)
	}
	return err
}

// done removes the delivery from its queue.
func (w *writer) done(ctx context.Context, a *attempt) error {
	if a.State == alert.Dead {
		w.newDeadLetters++
	}
	conversation, ts := a.Sent.Conversation, a.Sent.TS
	if a.State == alert.Superseded {
		conversation, ts = a.card.Conversation, a.card.TS
	}
	_, err := w.exec(ctx, `UPDATE deliveries SET state = ?, kind = ?, stage = NULL, done_at = ?, attempts = ?,
			plain = ?, possible_duplicate = ?, top_level = ?, class = ?, reason = ?, conversation = ?, ts = ?
		WHERE n = ?`,
		code(a.State), code(a.kind), micros(a.Now), a.Attempts,
		number(a.Plain), number(a.PossibleDuplicate), number(a.TopLevel), string(a.Class), a.Reason, conversation, ts, a.n)
	return err
}

// settle writes the card and moves the alerts that it shows, or that nothing will
// show, out of pending.
func (w *writer) settle(ctx context.Context, a *attempt) error {
	e := alert.Ended{
		Kind: a.kind, State: a.State, Sent: a.Sent.Version, Shown: a.card.Version, InDigest: a.digest != 0, Held: a.held,
	}
	if a.State == alert.Dead {
		var err error
		e.Redraws, err = w.one(ctx, redrawsQuery, func(s scanner) error { return s.Scan(new(int64)) }, a.at.incident, a.at.lane)
		if err != nil {
			return err
		}
	}
	s := e.Settle()
	if s.Card {
		if err := w.setCard(ctx, a); err != nil {
			return err
		}
	}
	if s.Shown > 0 {
		if err := w.moveAlerts(ctx, a, shownAlerts, a.n, a.n, a.at.incident, a.at.lane, s.Shown); err != nil {
			return err
		}
	}
	if s.Dead {
		return w.moveAlerts(ctx, a, deadAlerts, a.n, a.Reason, a.at.incident, a.at.lane)
	}
	return nil
}

// setCard makes the delivery's message the card. A digest that showed the
// incident before has to be edited.
func (w *writer) setCard(ctx context.Context, a *attempt) error {
	_, err := w.exec(ctx, `INSERT INTO cards (incident, lane, conversation, ts, version, via) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (incident, lane) DO UPDATE SET conversation = excluded.conversation, ts = excluded.ts,
			version = excluded.version, via = excluded.via, digest = NULL`,
		a.at.incident, a.at.lane, a.Sent.Conversation, a.Sent.TS, a.Sent.Version, a.via)
	if err != nil || a.digest == 0 {
		return err
	}
	return w.addEdit(ctx, cardKey{a.digest, a.at.lane}, a.Now)
}

// moveAlerts runs an update that moves alerts out of pending, counts them in the
// ledger, and wakes those who wait for them.
func (w *writer) moveAlerts(ctx context.Context, a *attempt, update string, args ...any) error {
	moved := map[alert.Standing]int64{}
	err := w.each(ctx, update, func(s scanner) error {
		var incident int64
		var to alert.Standing
		err := s.Scan(&incident, word(&to))
		moved[to]++
		w.settled[cardKey{incident, a.at.lane}] = struct{}{}
		return err
	}, args...)
	for to, n := range moved {
		w.count(a.at.lane, to, n)
		w.count(a.at.lane, alert.StandPending, -n)
	}
	return err
}

// advance makes the next delivery of a card claimable.
func (w *writer) advance(ctx context.Context, at cardKey) error {
	_, err := w.exec(ctx, advanceQuery, at.incident, at.lane)
	return err
}
