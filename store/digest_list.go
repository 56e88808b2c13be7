package store

import (
	"context"
	"errors"

	"tocsin/alert"
)

const sizesQuery = `SELECT octet_length(coalesce(i.says, said.body)) + octet_length(coalesce(i.text, said.text))
	FROM deliveries d JOIN incidents i ON i.n = d.incident` + incidentContent + `WHERE d.digest = ? AND d.kind = {post} ORDER BY d.n`

// addList adds the complete list of a digest to its thread.
func (w *writer) addList(ctx context.Context, a *attempt) error {
	var sizes []int
	err := w.each(ctx, sizesQuery, func(s scanner) error {
		n := 0
		err := s.Scan(&n)
		sizes = append(sizes, n)
		return err
	}, a.at.incident)
	if err != nil {
		return err
	}
	return w.addParts(ctx, a, alert.ListNotes(sizes))
}

func (w *writer) addParts(ctx context.Context, a *attempt, notes []alert.Note) error {
	for _, n := range notes {
		n.At = a.Now
		d := alert.Delivery{Kind: alert.List, CreatedAt: a.Now, NextAt: a.Now, Note: &n}
		if err := w.addDelivery(ctx, a.at, d, stageBehind); err != nil {
			return err
		}
	}
	_, err := w.exec(ctx, "UPDATE deliveries SET digest = incident WHERE incident = ? AND lane = ? AND stage IS NOT NULL AND kind = {list}",
		a.at.incident, a.at.lane)
	return err
}

// sendAsText ends a file that Slack refuses and adds its part of the list as text.
// The edit that waits behind the file is added again behind that.
func (w *writer) sendAsText(ctx context.Context, a *attempt, file alert.Note) error {
	a.State = alert.Superseded
	if err := w.done(ctx, a); err != nil {
		return err
	}
	if _, err := w.exec(ctx, "DELETE FROM deliveries WHERE incident = ? AND lane = ? AND stage = 0 AND kind = {update}",
		a.at.incident, a.at.lane); err != nil {
		return err
	}
	if err := w.addParts(ctx, a, file.AsText()); err != nil {
		return err
	}
	if err := w.addEdit(ctx, a.at, a.Now); err != nil {
		return err
	}
	return w.advance(ctx, a.at)
}

const lineQuery = `SELECT i.id, i.severity, i.state, CASE WHEN ? > 0 THEN coalesce(i.text, said.text, '') ELSE '' END,
		i.count, i.first_at, i.last_at, i.body, coalesce(i.says, said.body, ''), l.name,
		CASE WHEN c.digest = d.digest THEN 0 WHEN c.ts IS NULL THEN 0 ELSE 1 END
	FROM deliveries d JOIN lanes l ON l.n = d.lane JOIN incidents i ON i.n = d.incident` + incidentContent + `
		LEFT JOIN cards c ON c.incident = d.incident AND c.lane = l.main
	WHERE d.digest = ? AND d.kind = {post} ORDER BY d.n LIMIT ? OFFSET ?`

// summarise adds what the digest shows to its job, as it is now, which may be
// newer than the claim.
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
	err := d.eachLine(ctx, func(l alert.Line) { tally.Add(l) }, 0, digest, alert.MaxMembers, 0)
	*job.Digest = tally.Summary()
	job.Digest.ID = job.Incident.ID
	return errors.Join(err, d.each(ctx, `SELECT ts FROM deliveries WHERE digest = ? AND kind = {list} AND state = {delivered} ORDER BY n LIMIT 1`,
		func(s scanner) error {
			job.Digest.Listed = true
			return s.Scan(&job.Digest.ListTS)
		}, digest))
}

// eachLine reads a part of a digest's list; args are those of lineQuery.
func (d *DB) eachLine(ctx context.Context, use func(alert.Line), args ...any) error {
	return d.each(ctx, lineQuery, func(s scanner) error {
		var l alert.Line
		var i alert.Incident
		var body, says, lane string
		var first, last int64
		err := s.Scan(&l.ID, word(&l.Severity), word(&l.State), &l.Text, &l.Count, &first, &last, &body, &says, &lane, &l.Own)
		if err != nil {
			return err
		}
		if err := errors.Join(decodeIncident(body, &i), decodeContent(says, &i)); err != nil {
			return err
		}
		l.Source, l.Title, l.Labels, l.Links, l.Mention = i.Source, i.Title, i.Labels, i.Links, d.Aliases().Incident(i).Mentions[lane]
		l.FirstAt, l.LastAt = fromMicros(first), fromMicros(last)
		use(l)
		return nil
	}, args...)
}
