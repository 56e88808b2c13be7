package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/alert"
)

// The queries that finish a digest. What they look at is bounded by how many
// incidents it stands for.
const (
	showQuery = `INSERT INTO cards (incident, lane, conversation, ts, via, version, digest)
	SELECT d.incident, d.lane, ?, ?, ?, coalesce((SELECT max(a.version) FROM alerts a WHERE a.incident = d.incident
		AND a.lane = d.lane AND a.standing = 'pending' AND a.n <= ?), 0), d.digest
	FROM deliveries d WHERE d.digest = ? AND d.kind = 'post' AND d.stage = 3
	ON CONFLICT (incident, lane) DO UPDATE SET conversation = excluded.conversation, ts = excluded.ts,
		via = excluded.via, version = excluded.version, digest = excluded.digest`
	moveCardsQuery = `UPDATE cards SET conversation = ?, ts = ?, via = ? WHERE digest = ?`
	foldQuery      = `UPDATE alerts SET shown = ?, standing = 'folded'
	WHERE standing = 'pending' AND lane = ? AND n <= ? AND incident IN (` + membersQuery + `) RETURNING incident, standing`
	dieAllQuery = `UPDATE alerts SET shown = coalesce(delivery, ?), standing = 'dead', reason = ?
	WHERE standing = 'pending' AND lane = ? AND n <= ? AND incident IN (` + membersQuery + `) RETURNING incident, standing`
	// killQuery has the alerts die with the post that would have shown them.
	killQuery = `UPDATE alerts SET shown = coalesce((SELECT max(m.n) FROM deliveries m WHERE m.incident = alerts.incident
		AND m.lane = alerts.lane AND m.stage IS NOT NULL AND m.digest = ? AND m.kind = 'post'), ?), standing = 'dead', reason = ?
	WHERE standing = 'pending' AND lane = ? AND incident IN (` + membersQuery + `) RETURNING incident, standing`
	shownQuery = `UPDATE deliveries SET state = 'superseded', stage = NULL, done_at = ?, reason = 'listed in a digest',
		conversation = ?, ts = ?
	WHERE digest = ? AND kind = 'post' AND stage = 3`
	// ownQuery gives those that became critical while the digest was on its way
	// a card of their own.
	ownQuery = `UPDATE deliveries SET kind = 'post', stage = 1 WHERE n IN (SELECT b.n
		FROM deliveries m CROSS JOIN incidents i CROSS JOIN deliveries b
		WHERE m.digest = ? AND m.kind = 'post' AND i.n = m.incident AND i.state = 'open' AND i.severity = 'critical' AND i.silence = ''
			AND b.incident = m.incident AND b.lane = m.lane AND b.stage IS NOT NULL AND +b.stage = 0 AND b.kind = 'update')`
	unlistQuery = `UPDATE deliveries SET state = 'superseded', stage = NULL, done_at = ?, reason = 'listed anew'
	WHERE incident = ? AND lane = ? AND stage IS NOT NULL AND kind = 'list'`
	editedQuery = `SELECT 1 FROM deliveries WHERE incident = ? AND lane = ? AND stage IS NOT NULL
		AND state = 'pending' AND kind IN ('update', 'digest') LIMIT 1`
	aheadQuery = `SELECT 1 FROM deliveries WHERE incident = ? AND lane = ? AND stage IS NOT NULL LIMIT 1`
	membersDie = `UPDATE deliveries SET state = 'dead', stage = NULL, done_at = ?, reason = ?, class = ?, attempts = attempts + ?
	WHERE digest = ? AND kind = 'post' AND stage = 3`
	nextInLines = `UPDATE deliveries SET stage = CASE kind WHEN 'update' THEN 2 ELSE 1 END
	WHERE n IN (SELECT (SELECT min(d.n) FROM deliveries d WHERE d.incident = m.incident AND d.lane = m.lane AND d.stage IS NOT NULL)
		FROM deliveries m WHERE m.digest = ? AND m.kind = 'post')`
)

// finishDigest settles what a digest stands for, in the way its delivery ended.
func (w *writer) finishDigest(ctx context.Context, a *attempt) error {
	if a.State == alert.Dead && a.kind == alert.Digest {
		killed, err := w.killDigest(ctx, a)
		if err != nil || killed {
			return err
		}
	}
	if err := w.done(ctx, a); err != nil {
		return err
	}
	if err := w.settleDigest(ctx, a); err != nil {
		return err
	}
	return w.turn(ctx, a.at)
}

func (w *writer) settleDigest(ctx context.Context, a *attempt) error {
	if a.State == alert.Delivered {
		if err := w.remember(ctx, a); err != nil {
			return err
		}
	}
	switch {
	case a.kind == alert.List:
		return nil
	case a.State == alert.Dead:
		return w.moveAll(ctx, a, dieAllQuery, a.n, a.Reason, a.at.lane, a.drawn, a.at.incident)
	case a.State == alert.Superseded:
		return w.fold(ctx, a)
	}
	if err := w.draw(ctx, a); err != nil {
		return err
	}
	if a.kind == alert.Digest {
		return w.show(ctx, a)
	}
	return w.fold(ctx, a)
}

func (w *writer) fold(ctx context.Context, a *attempt) error {
	return w.moveAll(ctx, a, foldQuery, a.n, a.at.lane, a.drawn, a.at.incident)
}

// show makes the digest the card of all its incidents, and owes what goes into
// its thread. An edit behind that adds the link to it.
func (w *writer) show(ctx context.Context, a *attempt) error {
	to, g := a.Sent, a.at.incident
	if _, err := w.exec(ctx, showQuery, to.Conversation, to.TS, a.via, a.drawn, g); err != nil {
		return err
	}
	if _, err := w.exec(ctx, moveCardsQuery, to.Conversation, to.TS, a.via, g); err != nil {
		return err
	}
	if err := w.fold(ctx, a); err != nil {
		return err
	}
	if _, err := w.exec(ctx, shownQuery, micros(a.Now), to.Conversation, to.TS, g); err != nil {
		return err
	}
	if _, err := w.exec(ctx, ownQuery, g); err != nil {
		return err
	}
	if _, err := w.exec(ctx, coverQuery, micros(a.Now), a.at.lane, g); err != nil {
		return err
	}
	if _, err := w.exec(ctx, nextInLines, g); err != nil {
		return err
	}
	// A digest that was posted anew has a thread without a list; what was still
	// owed to the old one begins again.
	if _, err := w.exec(ctx, unlistQuery, micros(a.Now), g, a.at.lane); err != nil {
		return err
	}
	if _, err := w.exec(ctx, "UPDATE deliveries SET digest = NULL WHERE digest = ? AND kind = 'list'", g); err != nil {
		return err
	}
	if err := w.oweList(ctx, a); err != nil {
		return err
	}
	return w.oweEdit(ctx, a.at, a.Now)
}

// killDigest makes each post that a digest stood for a dead one of its own, with
// its own alerts, so that a person can decide about each. One that was shown
// before stands for no post any more: then it does nothing and returns false.
func (w *writer) killDigest(ctx context.Context, a *attempt) (killed bool, err error) {
	g := a.at.incident
	gathered, err := w.one(ctx, "SELECT 1 FROM deliveries WHERE digest = ? AND kind = 'post' AND stage = 3 LIMIT 1",
		func(s scanner) error { return s.Scan(new(int64)) }, g)
	if err != nil || !gathered {
		return false, err
	}
	if err := w.moveAll(ctx, a, killQuery, g, a.n, a.Reason, a.at.lane, g); err != nil {
		return false, err
	}
	dead, err := w.exec(ctx, membersDie, micros(a.Now), a.Reason, string(a.Class), a.Attempts, g)
	if err != nil {
		return false, err
	}
	w.buried += dead
	if _, err := w.exec(ctx, nextInLines, g); err != nil {
		return false, err
	}
	if _, err := w.exec(ctx, "UPDATE deliveries SET digest = NULL WHERE digest = ?", g); err != nil {
		return false, err
	}
	a.State = alert.Superseded
	return true, w.done(ctx, a)
}

// leaveDigest has a digest edited when one of its incidents got a card of its
// own.
func (w *writer) leaveDigest(ctx context.Context, a *attempt) error {
	if a.shownIn == 0 {
		return nil
	}
	return w.oweEdit(ctx, place{a.shownIn, a.at.lane}, a.Now)
}

// oweEdit says that a digest shows something else now. One edit that waits
// shows all that changed until it is made.
func (w *writer) oweEdit(ctx context.Context, at place, since time.Time) error {
	if _, err := w.exec(ctx, "UPDATE incidents SET version = version + 1 WHERE n = ?", at.incident); err != nil {
		return err
	}
	has := func(query string) (bool, error) {
		return w.one(ctx, query, func(s scanner) error { return s.Scan(new(int64)) }, at.incident, at.lane)
	}
	pending, err := has(editedQuery)
	if err != nil || pending {
		return err
	}
	stage := stageUpdate
	if ahead, err := has(aheadQuery); err != nil {
		return err
	} else if ahead {
		stage = stageBehind
	}
	return w.oweDigest(ctx, at, alert.Delivery{Kind: alert.Update, CreatedAt: since, NextAt: since}, stage)
}

// oweDigest adds a delivery of a digest itself.
func (w *writer) oweDigest(ctx context.Context, at place, d alert.Delivery, stage int64) error {
	note, err := document(d.Note == nil, d.Note)
	if err != nil {
		return fmt.Errorf("write note: %w", err)
	}
	w.deliveries++
	d.ID, d.Lane, d.State, d.Priority = alert.NewID(), at.lane, alert.Pending, 1
	return w.insert(ctx, w.into.deliveries, keys{n: w.deliveries, incident: at.incident}.deliveryArgs(nil, &d, note, stage))
}

// fileMost is about how many bytes of one file are what alerts say. A list that
// says more is several files, so that none has to be held in memory as a whole.
const fileMost = 4 << 20

const sizesQuery = `SELECT octet_length(i.title) + octet_length(i.text) + octet_length(i.labels) + octet_length(i.links)
	FROM deliveries d JOIN incidents i ON i.n = d.incident WHERE d.digest = ? AND d.kind = 'post' ORDER BY d.n`

// oweList owes the thread the complete list: as text, or in files when it is long.
func (w *writer) oweList(ctx context.Context, a *attempt) error {
	var sizes []int
	err := w.each(ctx, sizesQuery, func(s scanner) error {
		n := 0
		err := s.Scan(&n)
		sizes = append(sizes, n)
		return err
	}, a.at.incident)
	switch {
	case err != nil:
		return err
	case len(sizes) < alert.ListAsFile:
		return w.oweParts(ctx, a, alert.TopicList, pages(part{0, len(sizes)}, alert.ListPage))
	}
	return w.oweParts(ctx, a, alert.TopicFile, volumes(sizes, fileMost))
}

// part are the incidents of a list that stand behind the first from.
type part struct{ from, count int }

// pages splits a part into those of equal length.
func pages(of part, length int) (all []part) {
	for from := of.from; from < of.from+of.count; from += length {
		all = append(all, part{from, min(length, of.from+of.count-from)})
	}
	return all
}

// volumes splits what has these sizes into parts of about most, at least.
func volumes(sizes []int, most int) (all []part) {
	full := most
	for n, size := range sizes {
		if full >= most {
			all, full = append(all, part{from: n}), 0
		}
		all[len(all)-1].count++
		full += size
	}
	return all
}

func (w *writer) oweParts(ctx context.Context, a *attempt, topic alert.Topic, parts []part) error {
	d := alert.Delivery{Kind: alert.List, CreatedAt: a.Now, NextAt: a.Now}
	for _, p := range parts {
		d.Note = &alert.Note{Topic: topic, From: p.from, Count: p.count, At: a.Now}
		if err := w.oweDigest(ctx, a.at, d, stageBehind); err != nil {
			return err
		}
	}
	_, err := w.exec(ctx, "UPDATE deliveries SET digest = incident WHERE incident = ? AND lane = ? AND stage IS NOT NULL AND kind = 'list'",
		a.at.incident, a.at.lane)
	return err
}

// asText returns the part of a list that was to be a file and has to be text,
// because Slack does not take the file.
func (a *attempt) asText() (of part, yes bool) {
	if a.kind != alert.List || !a.Plain || a.State != alert.Pending {
		return part{}, false
	}
	var note alert.Note
	yes = parse(a.note, &note) == nil && note.Topic == alert.TopicFile
	return part{note.From, note.Count}, yes
}

// listAsText ends the file that Slack does not take, and owes its text. The
// edit that waited behind it waits behind that.
func (w *writer) listAsText(ctx context.Context, a *attempt, of part) error {
	a.State = alert.Superseded
	if err := w.done(ctx, a); err != nil {
		return err
	}
	if _, err := w.exec(ctx, "DELETE FROM deliveries WHERE incident = ? AND lane = ? AND stage = 0 AND kind = 'update'",
		a.at.incident, a.at.lane); err != nil {
		return err
	}
	if err := w.oweParts(ctx, a, alert.TopicList, pages(of, alert.ListLongPage)); err != nil {
		return err
	}
	if err := w.oweEdit(ctx, a.at, a.Now); err != nil {
		return err
	}
	return w.turn(ctx, a.at)
}

// moveAll is move for the alerts of all incidents of a digest.
func (w *writer) moveAll(ctx context.Context, a *attempt, update string, args ...any) error {
	moved := map[alert.Standing]int64{}
	err := w.each(ctx, update, func(s scanner) error {
		var incident int64
		var to alert.Standing
		err := s.Scan(&incident, &to)
		moved[to]++
		w.shown[place{incident, a.at.lane}] = struct{}{}
		return err
	}, args...)
	for to, n := range moved {
		w.count(a.at.lane, to, n)
		w.count(a.at.lane, alert.StandPending, -n)
	}
	return err
}

const lineQuery = `SELECT i.id, i.severity, i.state, i.source, i.title, CASE WHEN ? > 0 THEN i.text ELSE '' END, i.labels, i.links,
		i.count, i.first_at, i.last_at, i.mentions, d.lane, CASE WHEN c.digest = d.digest THEN 0 WHEN c.ts IS NULL THEN 0 ELSE 1 END
	FROM deliveries d JOIN incidents i ON i.n = d.incident LEFT JOIN cards c ON c.incident = d.incident AND c.lane = d.lane
	WHERE d.digest = ? AND d.kind = 'post' ORDER BY d.n LIMIT ? OFFSET ?`

// summarise adds to the job of a digest what it shows, as of now: that is never
// less than was true when it was claimed.
func (d *DB) summarise(ctx context.Context, digest int64, job *alert.Job) error {
	if job.Incident.State != alert.StateDigest {
		return nil
	}
	job.Digest = &alert.Summary{}
	if job.Kind == alert.List && job.Note != nil {
		note := *job.Note
		job.Digest.Read = func(ctx context.Context) (lines []alert.Line, err error) {
			whole := number(note.Topic == alert.TopicFile)
			err = d.eachLine(ctx, func(l alert.Line) { lines = append(lines, l) }, whole, digest, note.Count, note.From)
			return lines, err
		}
		return nil
	}
	var tally alert.Tally
	err := d.eachLine(ctx, func(l alert.Line) { tally.Add(l) }, 0, digest, gatherMost, 0)
	*job.Digest = tally.Summary()
	return errors.Join(err, d.each(ctx, `SELECT ts FROM deliveries WHERE digest = ? AND kind = 'list' AND state = 'delivered' ORDER BY n LIMIT 1`,
		func(s scanner) error {
			job.Digest.Listed = true
			return s.Scan(&job.Digest.ListTS)
		}, digest))
}

func (d *DB) eachLine(ctx context.Context, use func(alert.Line), args ...any) error {
	return d.each(ctx, lineQuery, func(s scanner) error {
		var l alert.Line
		var t texts
		var mentions, lane string
		var first, last int64
		err := s.Scan(&l.ID, &l.Severity, &l.State, &l.Source, &l.Title, &l.Text, &t.labels, &t.links,
			&l.Count, &first, &last, &mentions, &lane, &l.Own)
		if err != nil {
			return err
		}
		l.FirstAt, l.LastAt = fromMicros(first), fromMicros(last)
		var pinged map[string][]string
		if err := errors.Join(parse(t.labels, &l.Labels), parse(t.links, &l.Links), parse(mentions, &pinged)); err != nil {
			return err
		}
		l.Mention = pinged[lane]
		use(l)
		return nil
	}, args...)
}
