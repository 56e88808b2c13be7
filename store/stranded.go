package store

import (
	"context"
	"fmt"

	"tocsin/alert"
)

// The queries about what has to be reported in another way than by a
// card.
const (
	// strandedQuery has the posts that a digest gathered in place of the digest:
	// some of them may have been taken before.
	strandedQuery = `SELECT ` + jobColumns + `, l.conversation` + jobTables + `
	WHERE d.lane = (SELECT lane FROM aliases WHERE spelling = ?) AND d.stage IS NOT NULL AND d.rescued = 0
		AND (d.kind IN ({post}, {update}) OR d.kind = {digest} AND NOT EXISTS (SELECT 1 FROM deliveries m
			WHERE m.digest = d.incident AND m.kind = {post} AND m.stage = 3))
	ORDER BY d.priority, d.n LIMIT ?`
	rescuedQuery    = `UPDATE deliveries SET rescued = 1 WHERE id = ?`
	unreportedQuery = `SELECT l.name, g.dead, g.latest, d.reason FROM (SELECT lane, count(*) AS dead, max(n) AS latest
		FROM deliveries WHERE state = {dead} AND reported = 0 GROUP BY lane) g
		JOIN deliveries d ON d.n = g.latest JOIN lanes l ON l.n = g.lane ORDER BY l.name`
	markReportedQuery = `UPDATE deliveries SET reported = 1
	WHERE state = {dead} AND reported = 0 AND lane = (SELECT lane FROM aliases WHERE spelling = ?) AND n <= ?`
)

// Stranded lists what waits for a lane and was not taken by the last resort yet,
// in its order and at most so much: each card with its incident as it is now, also
// when a digest is to stand for it; a digest that was shown before with a way to
// read its list.
func (d *DB) Stranded(ctx context.Context, lane string, most int) ([]alert.Job, error) {
	var found []*head
	var known string
	err := d.each(ctx, strandedQuery, func(s scanner) error {
		h := &head{}
		found = append(found, h)
		return s.Scan(append(h.dest(), &known)...)
	}, lane, most)
	jobs := make([]alert.Job, 0, len(found))
	for _, h := range found {
		if err != nil {
			break
		}
		var job alert.Job
		if job, err = h.job(d.Aliases()); err == nil && job.Incident.State == alert.StateDigest {
			job.Digest = &alert.Summary{Read: func(ctx context.Context) (lines []alert.Line, err error) {
				err = d.eachLine(ctx, func(l alert.Line) { lines = append(lines, l) }, 1, h.incident.n, alert.MaxMembers, 0)
				return lines, err
			}}
		}
		job.Known = known
		jobs = append(jobs, job)
	}
	if err != nil {
		return nil, fmt.Errorf("list what is stranded: %w", err)
	}
	return jobs, nil
}

// Rescued notes that the last resort has taken these deliveries, durably. They
// stay pending as before.
func (d *DB) Rescued(ctx context.Context, ids []string) error {
	err := d.write(ctx, func(w *writer, ctx context.Context) error {
		for _, id := range ids {
			if _, err := w.exec(ctx, rescuedQuery, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note what was rescued: %w", err)
	}
	return nil
}

// UnreportedDeadLetters counts the unreported dead letters of each lane.
func (d *DB) UnreportedDeadLetters(ctx context.Context) ([]alert.UnreportedDeadLetters, error) {
	var all []alert.UnreportedDeadLetters
	err := d.each(ctx, unreportedQuery, func(s scanner) error {
		var g alert.UnreportedDeadLetters
		err := s.Scan(&g.Lane, &g.Count, &g.Last, &g.Reason)
		all = append(all, g)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	return all, nil
}

// MarkReported records durably that these dead letters were reported.
func (d *DB) MarkReported(ctx context.Context, g alert.UnreportedDeadLetters) error {
	err := d.write(ctx, func(w *writer, ctx context.Context) error {
		_, err := w.exec(ctx, markReportedQuery, g.Lane, g.Last)
		return err
	})
	if err != nil {
		return fmt.Errorf("mark dead letters as reported: %w", err)
	}
	return nil
}
