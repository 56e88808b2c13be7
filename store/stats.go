package store

import (
	"cmp"
	"context"
	"fmt"
	"sort"
	"time"

	"tocsin/alert"
)

const (
	// statsChunk is how many rows one look reads: that takes some 10 ms, and
	// between two looks nothing is held.
	statsChunk = 5000
	// clockSlack is how far rows may be from the order of the clock.
	clockSlack = 10 * time.Minute
)

// Rows are numbered in the order of acceptance, so those of a time are found by
// halving, and then read in that order.
const (
	alertsFrom    = `SELECT n, accepted_at FROM alerts WHERE n >= ? ORDER BY n LIMIT 1`
	incidentsFrom = `SELECT n, first_at FROM incidents WHERE n >= ? ORDER BY n LIMIT 1`
	// The inner query, which no planner can turn around, is one seek for each row.
	alertStats = `SELECT n, accepted_at, status, severity, key,
		coalesce((SELECT s.done_at FROM deliveries s WHERE s.n = alerts.shown AND alerts.standing IN ({delivered}, {folded})), 0)
	FROM alerts WHERE n >= ? ORDER BY n LIMIT ?`
	incidentStats = `SELECT n, first_at, state, opened_at, acked_at, resolved_at, body FROM incidents WHERE n >= ? ORDER BY n LIMIT ?`
)

// survey is the statistics of a time in the making, in bounded memory.
type survey struct {
	alert.Stats
	d           *DB
	from, until int64
	keys        *keyCounts
	toAck, toResolve,
	latency sample
}

// Stats sums up what was accepted from the first time on and before the last, in the
// parts that the times between them begin. It looks at every alert of that time (a million take about
// two seconds) in short reads that hold up no writer, and it does so for one
// caller at a time. What was forgotten after its retention is not in it.
//
// Counts are exact, but those of keys only while there are not more than 10,000
// of them or a key has more than a ten thousandth of the alerts. Medians and
// percentiles of more than 100,000 durations are those of a sample as large.
func (d *DB) Stats(ctx context.Context, begins []time.Time) (alert.Stats, error) {
	select {
	case d.surveying <- struct{}{}:
		defer func() { <-d.surveying }()
	case <-ctx.Done():
		return alert.Stats{}, fmt.Errorf("sum up alerts: %w", ctx.Err())
	}
	s := newSurvey(d, begins)
	for _, step := range []func(context.Context) error{s.alerts, s.countAgain, s.name, s.incidents} {
		if err := step(ctx); err != nil {
			return alert.Stats{}, fmt.Errorf("sum up alerts: %w", err)
		}
	}
	s.ToAck, s.ToResolve = s.toAck.at(50), s.toResolve.at(50)
	s.Latency, s.LatencyMost = s.latency.at(50), s.latency.at(99)
	return s.Stats, nil
}

func newSurvey(d *DB, begins []time.Time) *survey {
	from, until := begins[0], begins[len(begins)-1]
	s := &survey{d: d, from: micros(from), until: micros(until), keys: newKeyCounts()}
	s.From, s.Until, s.BySeverity, s.Noisiest = from, until, map[alert.Severity]int64{}, []alert.KeyCount{}
	for _, at := range begins[:len(begins)-1] {
		s.Buckets = append(s.Buckets, alert.Bucket{At: at, BySeverity: map[alert.Severity]int64{}})
	}
	return s
}

// covers reports whether a time belongs to the survey.
func (s *survey) covers(at int64) bool { return at >= s.from && at < s.until }

// before finds the first row from n on, and reports whether it is before the time.
func (s *survey) before(ctx context.Context, query string, n int64) (found int64, yes bool, err error) {
	err = s.d.each(ctx, query, func(row scanner) error {
		var at int64
		err := row.Scan(&found, &at)
		yes = at < s.from-clockSlack.Microseconds()
		return err
	}, n)
	return found, yes, err
}

// begin finds the number from which on rows of the time come: first a row that
// is not before it, going twice as far each time, then the first of these.
func (s *survey) begin(ctx context.Context, query string) (int64, error) {
	low, high, next := int64(1), int64(0), int64(1)
	for high == 0 || low < high {
		found, earlier, err := s.before(ctx, query, next)
		switch {
		case err != nil:
			return 0, err
		case earlier:
			low = found + 1
		default:
			high = next
		}
		if next = low + (high-low)/2; high == 0 {
			next = 2 * low
		}
	}
	return low, nil
}

// walk reads chunks from a number on until a row says that it is behind the time.
func (s *survey) walk(ctx context.Context, begin, query string, row func(scanner) (n, at int64, err error)) error {
	next, err := s.begin(ctx, begin)
	for rows := statsChunk; err == nil && rows == statsChunk; {
		rows = 0
		err = s.d.each(ctx, query, func(r scanner) error {
			n, at, err := row(r)
			next = n + 1
			if rows++; at >= s.until+clockSlack.Microseconds() {
				rows = -statsChunk
			}
			return err
		}, next, statsChunk)
	}
	return err
}

// alerts counts the firing alerts.
func (s *survey) alerts(ctx context.Context) error {
	return s.walk(ctx, alertsFrom, alertStats, func(r scanner) (n, at int64, err error) {
		var done int64
		var status alert.Status
		var severity alert.Severity
		var key string
		if err := r.Scan(&n, &at, word(&status), word(&severity), &key, &done); err != nil || status != alert.Firing || !s.covers(at) {
			return n, at, err
		}
		s.Alerts++
		s.BySeverity[severity]++
		s.keys.add(key)
		s.Buckets[s.bucket(at)].BySeverity[severity]++
		if done > 0 {
			s.latency.add(max(done-at, 0))
		}
		s.keys.see(n)
		return n, at, nil
	})
}

// bucket is the part of the time that at belongs to.
func (s *survey) bucket(at int64) int {
	next := sort.Search(len(s.Buckets), func(n int) bool { return micros(s.Buckets[n].At) > at })
	return next - 1
}

// incidents counts the incidents that were opened, and measures what people did.
func (s *survey) incidents(ctx context.Context) error {
	return s.walk(ctx, incidentsFrom, incidentStats, func(r scanner) (n, first int64, err error) {
		var state alert.State
		var opened, acked, resolved int64
		var body string
		if err := r.Scan(&n, &first, word(&state), &opened, &acked, &resolved, &body); err != nil || !state.Listed() || !s.covers(first) {
			return n, first, err
		}
		s.Incidents++
		if acked == 0 && resolved == 0 {
			return n, first, nil
		}
		var said alert.Incident
		err = decodeIncident(body, &said)
		began, ended := cmp.Or(micros(said.BeganAt), first), cmp.Or(micros(said.EndedAt), resolved)
		s.toAck.since(began, opened, acked)
		s.toResolve.since(began, opened, ended)
		return n, first, err
	})
}

// since adds how long it took from when an incident began or, if it was shown again after
// that and before the end, from then. An end that is 0 has not come.
func (s *sample) since(began, opened, end int64) {
	switch {
	case end == 0:
	case end >= opened:
		s.add(max(end-cmp.Or(opened, began), 0))
	default:
		s.add(max(end-began, 0))
	}
}
