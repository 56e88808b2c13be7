package store

import (
	"context"
	"errors"
	"fmt"

	"tocsin/alert"
)

// The queries that finish a digest. What they look at is bounded by how many
// incidents it stands for.
const (
	memberCards = `INSERT INTO cards (incident, lane, conversation, ts, via, version, digest)
	SELECT d.incident, d.lane, ?, ?, ?, coalesce((SELECT max(a.version) FROM alerts a WHERE a.incident = d.incident
		AND a.lane = d.lane AND a.standing = {pending} AND a.n <= ?), 0), d.digest
	FROM deliveries d WHERE d.digest = ? AND d.kind = {post} AND d.stage = 3
	ON CONFLICT (incident, lane) DO UPDATE SET conversation = excluded.conversation, ts = excluded.ts,
		via = excluded.via, version = excluded.version, digest = excluded.digest`
	// formerQuery finds the digests that showed this one's incidents before.
	formerQuery = `SELECT DISTINCT c.digest FROM deliveries d JOIN cards c ON c.incident = d.incident AND c.lane = d.lane
	WHERE d.digest = ? AND d.kind = {post} AND d.stage = 3 AND c.digest <> d.digest`
	moveCardsQuery = `UPDATE cards SET conversation = ?, ts = ?, via = ? WHERE digest = ?`
	// shownQuery are the incidents whose card a digest is. Those that have left it
	// are shown by their own cards.
	shownQuery   = `SELECT incident FROM cards WHERE digest = ?`
	foldedAlerts = `UPDATE alerts SET shown = ?, standing = {folded}
	WHERE standing = {pending} AND lane = ? AND n <= ? AND incident IN (` + shownQuery + `) RETURNING incident, standing`
	lostAlerts = `UPDATE alerts SET shown = coalesce(delivery, ?), standing = {dead}, reason = ?
	WHERE standing = {pending} AND lane = ? AND n <= ? AND incident IN (` + shownQuery + `) RETURNING incident, standing`
	// undoneAlerts has alerts die with the post that would have shown them.
	undoneAlerts = `UPDATE alerts SET shown = coalesce((SELECT max(m.n) FROM deliveries m WHERE m.incident = alerts.incident
		AND m.lane = alerts.lane AND m.stage IS NOT NULL AND m.digest = ? AND m.kind = {post}), ?), standing = {dead}, reason = ?
	WHERE standing = {pending} AND lane = ? AND incident IN (` + membersQuery + `) RETURNING incident, standing`
	shownPosts = `UPDATE deliveries SET state = {superseded}, stage = NULL, done_at = ?, reason = 'listed in a digest',
		conversation = ?, ts = ?
	WHERE digest = ? AND kind = {post} AND stage = 3`
	unlistQuery = `UPDATE deliveries SET state = {superseded}, stage = NULL, done_at = ?, reason = 'listed again'
	WHERE incident = ? AND lane = ? AND stage IS NOT NULL AND kind = {list}`
	undonePosts = `UPDATE deliveries SET state = {dead}, stage = NULL, done_at = ?, reason = ?, class = ?, attempts = attempts + ?
	WHERE digest = ? AND kind = {post} AND stage = 3`
)

// finishDigest settles what a digest stands for, in the way its delivery ended.
func (w *writer) finishDigest(ctx context.Context, a *attempt) error {
	gathered := false
	if a.State == alert.Dead {
		var err error
		gathered, err = w.one(ctx, "SELECT 1 FROM deliveries WHERE digest = ? AND kind = {post} AND stage = 3 LIMIT 1",
			func(s scanner) error { return s.Scan(new(int64)) }, a.at.incident)
		if err != nil {
			return err
		}
	}
	ending := alert.EndDigest(a.kind, a.State, gathered)
	if ending == alert.DigestUndone {
		return w.undoDigest(ctx, a)
	}
	if err := w.done(ctx, a); err != nil {
		return err
	}
	if err := w.settleDigest(ctx, a, ending); err != nil {
		return err
	}
	return w.advance(ctx, a.at)
}

// settleDigest writes what the ending means for the digest's incidents.
func (w *writer) settleDigest(ctx context.Context, a *attempt, ending alert.DigestEnding) error {
	switch ending {
	case alert.DigestCurrent:
		return w.fold(ctx, a)
	case alert.DigestLost:
		return w.moveAlerts(ctx, a, lostAlerts, a.n, a.Reason, a.at.lane, a.drawn, a.at.incident)
	case alert.DigestEdited:
		if err := w.setCard(ctx, a); err != nil {
			return err
		}
		return w.fold(ctx, a)
	case alert.DigestPosted:
		if err := w.setCard(ctx, a); err != nil {
			return err
		}
		return w.show(ctx, a)
	}
	return nil
}

// fold settles the alerts that the digest has shown.
func (w *writer) fold(ctx context.Context, a *attempt) error {
	return w.moveAlerts(ctx, a, foldedAlerts, a.n, a.at.lane, a.drawn, a.at.incident)
}

// show makes the digest the card of all its incidents and adds its list to its
// thread. An edit behind that links to the list.
func (w *writer) show(ctx context.Context, a *attempt) error {
	to, g := a.Sent, a.at.incident
	if err := w.editFormer(ctx, a); err != nil {
		return err
	}
	if _, err := w.exec(ctx, memberCards, to.Conversation, to.TS, a.via, a.drawn, g); err != nil {
		return err
	}
	if _, err := w.exec(ctx, moveCardsQuery, to.Conversation, to.TS, a.via, g); err != nil {
		return err
	}
	if err := w.fold(ctx, a); err != nil {
		return err
	}
	if _, err := w.exec(ctx, shownPosts, micros(a.Now), to.Conversation, to.TS, g); err != nil {
		return err
	}
	if err := w.followUp(ctx, g, a.Now, alert.AfterShowing); err != nil {
		return err
	}
	if err := w.unlist(ctx, a); err != nil {
		return err
	}
	if err := w.addList(ctx, a); err != nil {
		return err
	}
	return w.addEdit(ctx, a.at, a.Now)
}

// unlist forgets the list of a digest that may have been posted before: the new
// message has an empty thread, so that the list begins again.
func (w *writer) unlist(ctx context.Context, a *attempt) error {
	if _, err := w.exec(ctx, unlistQuery, micros(a.Now), a.at.incident, a.at.lane); err != nil {
		return err
	}
	_, err := w.exec(ctx, "UPDATE deliveries SET digest = NULL WHERE digest = ? AND kind = {list}", a.at.incident)
	return err
}

// undoDigest makes each post that a digest stood for a dead letter with its own
// alerts, so that a person can decide about each.
func (w *writer) undoDigest(ctx context.Context, a *attempt) error {
	g := a.at.incident
	if err := w.moveAlerts(ctx, a, undoneAlerts, g, a.n, a.Reason, a.at.lane, g); err != nil {
		return err
	}
	dead, err := w.exec(ctx, undonePosts, micros(a.Now), a.Reason, string(a.Class), a.Attempts, g)
	if err != nil {
		return err
	}
	w.newDeadLetters += dead
	if err := w.followUp(ctx, g, a.Now, alert.AfterGivingUp); err != nil {
		return err
	}
	if _, err := w.exec(ctx, "UPDATE deliveries SET digest = NULL WHERE digest = ?", g); err != nil {
		return err
	}
	a.State = alert.Superseded
	return w.done(ctx, a)
}

// editFormer has the digests edited that showed this one's incidents before.
func (w *writer) editFormer(ctx context.Context, a *attempt) error {
	var former []int64
	err := w.each(ctx, formerQuery, func(s scanner) error {
		var n int64
		err := s.Scan(&n)
		former = append(former, n)
		return err
	}, a.at.incident)
	for _, n := range former {
		err = errors.Join(err, w.addEdit(ctx, cardKey{n, a.at.lane}, a.Now))
	}
	return err
}

// addDelivery adds a delivery that the store itself has found to be needed.
func (w *writer) addDelivery(ctx context.Context, at cardKey, d alert.Delivery, stage any) error {
	note, err := document(d.Note == nil, d.Note)
	if err != nil {
		return fmt.Errorf("write note: %w", err)
	}
	w.deliveries++
	d.ID, d.State, d.Priority = alert.NewID(), alert.Pending, alert.PriorityNormal
	return w.insert(ctx, w.into.deliveries, keys{n: w.deliveries, lane: at.lane, incident: at.incident}.deliveryArgs(nil, &d, note, stage))
}
