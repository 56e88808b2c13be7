package store

import (
	"context"
	"errors"

	"tocsin/alert"
)

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
		if err := w.addOfDigest(ctx, a.at, d, stageBehind); err != nil {
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
	if err := w.addEdit(ctx, a.at, a.Now); err != nil {
		return err
	}
	return w.advance(ctx, a.at)
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
