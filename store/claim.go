package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tocsin/alert"
)

// Lanes lists the lanes that have anything pending or sending, each once, in
// alphabetical order.
func (d *DB) Lanes(ctx context.Context) ([]string, error) {
	var lanes []string
	for after := ""; ; {
		next := sql.NullString{}
		query := firstLane
		if len(lanes) > 0 {
			query = nextLane
		}
		err := d.each(ctx, query, func(s scanner) error { return s.Scan(&next) }, after)
		if err != nil {
			return nil, fmt.Errorf("list lanes: %w", err)
		}
		if !next.Valid {
			return lanes, nil
		}
		lanes = append(lanes, next.String)
		after = next.String
	}
}

// One seek finds the next lane, however much is owed to each.
const (
	firstLane = `SELECT min(lane) FROM deliveries WHERE stage IS NOT NULL AND lane >= ?`
	nextLane  = `SELECT min(lane) FROM deliveries WHERE stage IS NOT NULL AND lane > ?`
)

// Claim marks a lane's next delivery as being sent, durably, and returns it
// with the newest state of its incident. Without one that may be sent now the
// job's ID is empty and next says when there will be one; it is zero when
// nothing is owed.
//
// The order is by priority and acceptance, but nothing goes before an earlier
// delivery of the same incident in the same lane, also not before one of a kind
// that wasn't asked for. The first in that order decides: while it must wait,
// so does the lane. One that was being sent already comes back as unsure and
// keeps the start of the attempt that may have reached Slack.
//
// When more posts than c.DigestAbove have been waiting, a digest stands for
// them from then on, and that is what is claimed.
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
		err = d.summarise(ctx, h.incident.n, &job)
	}
	if err != nil {
		return alert.Job{}, time.Time{}, fmt.Errorf("claim in lane %s: %w", c.Lane, err)
	}
	return job, next, nil
}

func (w *writer) claim(ctx context.Context, c alert.Claim) (*head, time.Time, error) {
	h, found, err := w.head(ctx, c)
	if err != nil || !found {
		return nil, time.Time{}, err
	}
	if h.claimed, err = h.job(); err != nil || mustWait(h.claimed.Delivery, c.Now) {
		return nil, h.claimed.NextAt, err
	}
	if h, err = w.gather(ctx, c, h); err != nil {
		return nil, time.Time{}, err
	}
	job := &h.claimed
	if job.Incident.Cards, err = w.cards(ctx, h.incident.n); err != nil {
		return nil, time.Time{}, err
	}
	job.Card = job.Incident.Card(job.Lane)
	if job.State == alert.Sending {
		job.Unsure = true
		return h, time.Time{}, w.know(ctx, job)
	}
	job.State, job.StartedAt, job.Via = alert.Sending, fromMicros(micros(c.Now)), c.Via
	if (job.Kind == alert.Update || job.Kind.InThread() && !job.TopLevel) && job.Card.TS != "" {
		job.Via = job.Card.Via
	}
	_, err = w.exec(ctx, "UPDATE deliveries SET state = 'sending', started_at = ?, drawn = ?, via = ? WHERE n = ?",
		micros(c.Now), w.alerts, job.Via, job.Seq)
	return h, time.Time{}, errors.Join(err, w.know(ctx, job))
}

// know finds Slack's id of what stands in for the job's lane.
func (w *writer) know(ctx context.Context, job *alert.Job) error {
	if job.Via == "" {
		return nil
	}
	job.Known = ""
	_, err := w.one(ctx, "SELECT conversation FROM lanes WHERE lane = ?", func(s scanner) error { return s.Scan(&job.Known) }, job.Via)
	return err
}

// longestDoubt bounds how long a delivery in doubt waits for a look.
const longestDoubt = time.Hour

// mustWait says whether a delivery's time has not come. Only a clock that was
// put back can be before the moment at which the wait began; what was accepted
// then must not wait until that clock has caught up. One in doubt keeps the
// start of its attempt, so that for it the length of the wait has to tell.
func mustWait(d alert.Delivery, now time.Time) bool {
	if !d.NextAt.After(now) {
		return false
	}
	if d.State == alert.Sending {
		return d.NextAt.Sub(now) <= longestDoubt
	}
	return !now.Before(d.CreatedAt) && !now.Before(d.StartedAt)
}

// head is the first delivery of a lane with its incident.
type head struct {
	delivery deliveryRow
	incident incidentRow
	known    string
	// claimed is the job that it becomes.
	claimed alert.Job
}

func (h *head) dest() []any {
	return append(append(h.delivery.dest(), h.incident.dest()...), &h.known)
}

func (h *head) job() (alert.Job, error) {
	d, err := h.delivery.delivery()
	i, bad := h.incident.incident()
	d.Incident = i.ID
	return alert.Job{Delivery: d, Incident: i, Known: h.known}, errors.Join(err, bad)
}

func (h *head) before(other *head) bool {
	a, b := h.delivery.d, other.delivery.d
	return a.Priority < b.Priority || a.Priority == b.Priority && a.Seq < b.Seq
}

// headPost and headUpdate are one seek in deliveries_due, then one row each of
// the rest. The stage is no parameter, because SQLite would plan the query
// again for every value that decides about a partial index.
const (
	headPost   = headSelect + ` WHERE d.lane = ? AND d.stage = 1 ORDER BY d.priority, d.n LIMIT 1`
	headUpdate = headSelect + ` WHERE d.lane = ? AND d.stage = 2 ORDER BY d.priority, d.n LIMIT 1`
)

const headSelect = `SELECT d.n, d.id, d.lane, d.kind, d.state, d.incident, d.stage, d.priority, d.note, d.attempts,
		d.created_at, d.next_at, d.started_at, d.done_at, d.plain, d.possible_duplicate, d.top_level, d.class, d.reason,
		d.conversation, d.ts, d.via,
		` + incidentOf + `, coalesce(l.conversation, '')
	FROM deliveries d JOIN incidents i ON i.n = d.incident LEFT JOIN lanes l ON l.lane = d.lane`

// head finds what comes next in a lane among the kinds that are asked for.
func (w *writer) head(ctx context.Context, c alert.Claim) (first *head, found bool, err error) {
	for query, wanted := range map[string]bool{headPost: c.Posts, headUpdate: c.Updates} {
		if !wanted {
			continue
		}
		h := &head{}
		ok, err := w.one(ctx, query, func(s scanner) error { return s.Scan(h.dest()...) }, c.Lane)
		if err != nil {
			return nil, false, err
		}
		if ok && (first == nil || h.before(first)) {
			first = h
		}
	}
	return first, first != nil, nil
}

func (w *writer) cards(ctx context.Context, incident int64) ([]alert.Card, error) {
	var cards []alert.Card
	err := w.each(ctx, "SELECT lane, conversation, ts, version, via, CASE WHEN digest IS NULL THEN 0 ELSE 1 END FROM cards WHERE incident = ? ORDER BY lane",
		func(s scanner) error {
			var c alert.Card
			err := s.Scan(&c.Lane, &c.Conversation, &c.TS, &c.Version, &c.Via, &c.Digest)
			cards = append(cards, c)
			return err
		}, incident)
	return cards, err
}
