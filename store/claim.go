package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/alert"
)

// Lanes lists the lanes that have anything pending or sending, each once, in
// alphabetical order.
func (d *DB) Lanes(ctx context.Context) ([]string, error) {
	lanes := []string{}
	err := d.each(ctx, lanesQuery, func(s scanner) error {
		var name string
		err := s.Scan(&name)
		lanes = append(lanes, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list lanes: %w", err)
	}
	slices.Sort(lanes)
	return lanes, nil
}

// lanesQuery is one seek for each lane, however much waits there.
const lanesQuery = `WITH RECURSIVE waiting (lane) AS (SELECT min(lane) FROM deliveries WHERE stage IS NOT NULL
		UNION ALL SELECT (SELECT min(lane) FROM deliveries WHERE stage IS NOT NULL AND lane > waiting.lane)
			FROM waiting WHERE waiting.lane IS NOT NULL)
	SELECT l.name FROM waiting JOIN lanes l ON l.n = waiting.lane`

// oldestQuery is one seek for each stage and priority, however much waits in the lane.
const oldestQuery = `SELECT coalesce(min((SELECT d.created_at FROM deliveries d
		WHERE d.lane = (SELECT lane FROM aliases WHERE spelling = ?) AND d.stage = s.stage AND d.priority = p.priority ORDER BY d.n LIMIT 1)), 0)
	FROM (SELECT 0 AS stage UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) s,
		(SELECT 0 AS priority UNION ALL SELECT 1 UNION ALL SELECT 2) p`

// OldestDelivery is when the oldest delivery of a lane was created that is pending or
// sending; zero for none.
func (d *DB) OldestDelivery(ctx context.Context, lane string) (time.Time, error) {
	var at int64
	if err := d.each(ctx, oldestQuery, func(s scanner) error { return s.Scan(&at) }, lane); err != nil {
		return time.Time{}, fmt.Errorf("find the oldest delivery of %s: %w", lane, err)
	}
	return fromMicros(at), nil
}

// Claim marks a lane's next delivery as being sent, durably, and returns it
// with the newest state of its incident. Without one that may be sent now the
// job's ID is empty and next says when there will be one; it is zero when
// nothing is pending.
//
// The order is by priority and acceptance, but nothing goes before an earlier
// delivery of the same incident in the same lane, also not before one of a kind
// that wasn't asked for. The first in that order decides: while it must wait,
// so does the lane. With c.QuietFirst the first quiet reply that is due comes before
// everything except criticals. A delivery that was being sent already comes back as
// unsure and keeps the start of the attempt that may have reached Slack.
//
// When more posts than c.DigestAbove have been waiting, a digest stands for
// them from then on, and that is what is claimed. In a busy lane (alert.Claim.Busy) posts
// wait until they are gathered.
func (d *DB) Claim(ctx context.Context, c alert.Claim) (alert.Job, time.Time, error) {
	var h *head
	var next time.Time
	err := d.write(ctx, func(w *writer, ctx context.Context) (err error) {
		h, next, err = w.claim(ctx, c)
		return err
	})
	var job alert.Job
	if err == nil && h != nil {
		job = h.claimed
		err = errors.Join(d.summarise(ctx, h.incident.n, &job), d.showMembers(ctx, &job))
	}
	if err != nil {
		return alert.Job{}, time.Time{}, fmt.Errorf("claim in lane %s: %w", c.Lane, err)
	}
	return job, next, nil
}

func (w *writer) claim(ctx context.Context, c alert.Claim) (*head, time.Time, error) {
	h, next, err := w.ready(ctx, c)
	if err != nil || h == nil {
		return nil, next, err
	}
	if h, err = w.gather(ctx, c, h); err != nil {
		return nil, time.Time{}, err
	}
	job := &h.claimed
	if job.State == alert.Sending {
		w.addKnown(job)
		return h, time.Time{}, w.doubt(ctx, c, job)
	}
	job.State, job.StartedAt, job.Via = alert.Sending, fromMicros(micros(c.Now)), c.Via
	if (job.Kind == alert.Update || job.Kind.InThread() && !job.TopLevel) && job.Card.TS != "" {
		job.Via = job.Card.Via
	}
	w.addKnown(job)
	_, err = w.exec(ctx, "UPDATE deliveries SET state = {sending}, started_at = ?, drawn = ?, via = ? WHERE n = ?",
		micros(c.Now), w.alerts, job.Via, job.Seq)
	return h, time.Time{}, err
}

// ready returns what comes next in a lane if it may be sent now, or nil and when it may.
// A post that waits for others does not hold up updates.
func (w *writer) ready(ctx context.Context, c alert.Claim) (*head, time.Time, error) {
	h, err := w.head(ctx, c)
	if err != nil || h == nil {
		return nil, time.Time{}, err
	}
	if h.claimed, err = h.job(w.lanes.known()); err != nil || !c.Due(h.claimed.Delivery) {
		return nil, h.claimed.NextAt, err
	}
	until := c.HeldUntil(h.claimed.Delivery)
	if until.IsZero() {
		return h, time.Time{}, nil
	}
	if !c.Updates {
		return nil, until, nil
	}
	c.Posts, c.QuietFirst = false, false
	h, next, err := w.ready(ctx, c)
	if h == nil && (next.IsZero() || until.Before(next)) {
		next = until
	}
	return h, next, err
}

// doubt marks a job whose attempt may have reached Slack.
func (w *writer) doubt(ctx context.Context, c alert.Claim, job *alert.Job) (err error) {
	job.Unsure = true
	if job.StartedAt.After(c.Now) { // it is forgotten before the clock has caught up
		job.StartedAt = time.Time{}
		if _, err := w.exec(ctx, "UPDATE deliveries SET started_at = 0 WHERE n = ?", job.Seq); err != nil {
			return err
		}
	}
	job.Followed, err = w.one(ctx, followedQuery, func(s scanner) error { return s.Scan(new(int64)) }, w.lanes.named(c.Lane).n, job.Seq)
	return err
}

const followedQuery = `SELECT 1 FROM deliveries WHERE lane = ? AND stage IS NOT NULL AND n <> ? LIMIT 1`

// addKnown adds Slack's id of the conversation that the job goes to.
func (w *writer) addKnown(job *alert.Job) {
	job.Known = w.lanes.of(cmp.Or(job.Via, job.Lane)).conversation
}

// head is the first delivery of a lane with its incident.
type head struct {
	delivery deliveryRow
	incident incidentRow
	cards    []alert.Card
	// crowded: more than Claim.DigestAbove deliveries of its priority can be claimed.
	crowded bool
	// claimed is the job that it becomes.
	claimed alert.Job
}

func (h *head) dest() []any {
	return append(h.delivery.dest(), h.incident.dest()...)
}

func (h *head) job(names *alert.Aliases) (alert.Job, error) {
	d, err := h.delivery.delivery(names)
	i, bad := h.incident.incident(names)
	d.Incident, i.Cards = i.ID, h.cards
	return alert.Job{Delivery: d, Incident: i, Card: i.Card(d.Lane)}, errors.Join(err, bad)
}

// The first delivery of a kind is one seek in deliveries_due, of either kind the
// better of two. The stage is not a parameter, because SQLite would plan the query
// again for every value that decides about a partial index.
const (
	headPost   = headSelect + ` WHERE d.n = (` + firstPost + `)`
	headUpdate = headSelect + ` WHERE d.n = (` + firstUpdate + `)`
	headEither = headSelect + ` WHERE d.n = (SELECT n FROM (SELECT n, priority FROM deliveries WHERE n = (` + firstPost + `)
		UNION ALL SELECT n, priority FROM deliveries WHERE n = (` + firstUpdate + `)) q ORDER BY priority, n LIMIT 1)`
	headNumbered = headSelect + ` WHERE d.n = ?`
	headQuiet    = headSelect + ` WHERE d.n = (SELECT n FROM deliveries WHERE lane = ? AND stage = 1 AND priority = 2 ORDER BY n LIMIT 1)
		AND d.next_at <= ? AND NOT EXISTS (SELECT 1 FROM deliveries c WHERE c.lane = d.lane AND c.stage = 1 AND c.priority = 0)`

	firstPost   = `SELECT n FROM deliveries WHERE lane = ? AND stage = 1 ORDER BY priority, n LIMIT 1`
	firstUpdate = `SELECT n FROM deliveries WHERE lane = ? AND stage = 2 ORDER BY priority, n LIMIT 1`

	jobColumns = deliveryOf + ", " + incidentOf
	jobTables  = ` FROM deliveries d JOIN lanes l ON l.n = d.lane JOIN incidents i ON i.n = d.incident` + incidentContent
	// headSelect gives a row for each card of the incident. The first parameter is
	// Claim.DigestAbove. It is not a LIMIT, for which SQLite would plan the query again
	// each time.
	headSelect = `SELECT ` + jobColumns + `, ` + cardOf + `,
		EXISTS (SELECT 1 FROM deliveries f WHERE f.lane = d.lane AND f.stage = 1 AND f.priority = d.priority LIMIT 1 OFFSET ?)` +
		jobTables + cardTables
)

// head finds what comes next in a lane among the kinds that are asked for, or nil.
func (w *writer) head(ctx context.Context, c alert.Claim) (*head, error) {
	lane := w.lanes.named(c.Lane).n
	query, args := headPost, []any{max(c.DigestAbove, 0), lane}
	if c.QuietFirst {
		if h, err := w.findHead(ctx, headQuiet, append(args, micros(c.Now))...); err != nil || h != nil {
			return h, err
		}
	}
	switch {
	case c.Posts && c.Updates:
		query, args = headEither, append(args, lane)
	case c.Updates:
		query = headUpdate
	}
	return w.findHead(ctx, query, args...)
}

func (w *writer) findHead(ctx context.Context, query string, args ...any) (*head, error) {
	var found *head
	err := w.each(ctx, query, func(s scanner) error {
		h := &head{}
		var c alert.Card
		err := s.Scan(append(append(h.dest(), cardDest(&c)...), &h.crowded)...)
		if found == nil {
			found = h
		}
		if c.TS != "" {
			c.Via = w.lanes.known().Lane(c.Via)
			found.cards = append(found.cards, c)
		}
		return err
	}, args...)
	if found != nil {
		sortCards(found.cards)
	}
	return found, err
}
