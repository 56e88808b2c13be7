package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"tocsin/alert"
)

const (
	// incidentLimit is how many incidents are listed when nothing else is asked.
	incidentLimit = 100
	// countMost is up to how many are counted.
	countMost = 1000
	// boardChunk is how many rows one look at the board reads.
	boardChunk = 500
)

// The board is read in chunks, one state at a time, from the end of
// incidents_board: so it looks at no more rows than it must, holds few in
// memory, and never reads for long at a time. What is listed is read whole
// afterwards.
const (
	boardQuery = `SELECT i.n, i.key, i.route, i.severity, i.last_at, i.body, coalesce(i.says, said.body, '')
	FROM incidents i` + incidentContent + `WHERE i.state = ? AND (i.severity, i.last_at, i.n) < (?, ?, ?)
	ORDER BY i.severity DESC, i.last_at DESC, i.n DESC LIMIT ?`
	listedQuery = `SELECT ` + withCards + ` FROM incidents i` + incidentCards + `WHERE i.n {oneofnumbers}
		ORDER BY i.severity DESC, i.last_at DESC, i.n DESC`
)

// boardRow is what of an incident decides whether it is listed.
type boardRow struct {
	n, severity, lastAt int64
	i                   alert.Incident
}

// compare orders rows as people read them: worst first, then latest first.
func (r boardRow) compare(other boardRow) int {
	return cmp.Or(cmp.Compare(other.severity, r.severity), cmp.Compare(other.lastAt, r.lastAt), cmp.Compare(other.n, r.n))
}

// boardColumn is what is left to read of one state.
type boardColumn struct {
	state alert.State
	rows  []boardRow
	last  boardRow
	ended bool
}

// boardWalk reads the columns as one, filtered.
type boardWalk struct {
	d       *DB
	filter  alert.IncidentFilter
	columns []*boardColumn
	chunk   int
	// passed are those that were met: one that changes meanwhile can be met twice.
	passed map[int64]bool
}

func (d *DB) walkBoard(f alert.IncidentFilter, atMost int) *boardWalk {
	states := f.States
	if len(states) == 0 {
		states = []alert.State{alert.Open, alert.Acked, alert.StateResolved}
	}
	w := &boardWalk{d: d, filter: f, chunk: boardChunk, passed: map[int64]bool{}}
	if len(f.Matchers) == 0 && f.Mine == "" {
		w.chunk = min(boardChunk, max(f.Offset, 0)+atMost)
	}
	for _, state := range slices.Compact(slices.Sorted(slices.Values(states))) {
		if state != alert.StateDigest {
			w.columns = append(w.columns, &boardColumn{state: state, last: boardRow{n: math.MaxInt64, severity: math.MaxInt16, lastAt: math.MaxInt64}})
		}
	}
	return w
}

// fill reads the next chunk of a column when nothing is left of the one before.
func (w *boardWalk) fill(ctx context.Context, c *boardColumn) error {
	if len(c.rows) > 0 || c.ended {
		return nil
	}
	err := w.d.each(ctx, boardQuery, func(s scanner) error {
		var r boardRow
		var body, says string
		err := s.Scan(&r.n, &r.i.Key, &r.i.Route, &r.severity, &r.lastAt, &body, &says)
		if err == nil {
			err = word(&r.i.Severity).Scan(r.severity)
		}
		if err == nil && len(w.filter.Matchers) > 0 {
			err = decodeContent(says, &r.i)
		}
		if err == nil && w.filter.Mine != "" {
			err = decodeIncident(body, &r.i)
		}
		r.i.State = c.state
		c.rows = append(c.rows, r)
		return err
	}, code(c.state), c.last.severity, c.last.lastAt, c.last.n, w.chunk)
	c.ended = len(c.rows) < w.chunk
	if len(c.rows) > 0 {
		c.last = c.rows[len(c.rows)-1]
	}
	return err
}

// next returns the number of the next incident that the filter keeps; ok is
// false behind the last.
func (w *boardWalk) next(ctx context.Context) (n int64, ok bool, err error) {
	for {
		var first *boardColumn
		for _, c := range w.columns {
			if err := w.fill(ctx, c); err != nil {
				return 0, false, err
			}
			if len(c.rows) > 0 && (first == nil || c.rows[0].compare(first.rows[0]) < 0) {
				first = c
			}
		}
		if first == nil {
			return 0, false, nil
		}
		row := first.rows[0]
		first.rows = first.rows[1:]
		if w.keeps(row) && !w.passed[row.n] {
			w.passed[row.n] = true
			return row.n, true, nil
		}
	}
}

func (w *boardWalk) keeps(r boardRow) bool {
	me := alert.Person{ID: w.filter.Mine}
	mine := me.ID == "" || r.i.AckedBy.ID == me.ID || r.i.Assignee.ID == me.ID
	return mine && (len(w.filter.Matchers) == 0 || w.filter.Matchers.Match(w.d.Aliases().Subject(r.i.Subject())))
}

// Incidents lists incidents, worst first and then latest first.
func (d *DB) Incidents(ctx context.Context, f alert.IncidentFilter) ([]alert.Incident, error) {
	found, err := d.board(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list incidents: %w", err)
	}
	return found, nil
}

func (d *DB) board(ctx context.Context, f alert.IncidentFilter) ([]alert.Incident, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = incidentLimit
	}
	walk := d.walkBoard(f, limit)
	var listed []int64
	for skip := f.Offset; len(listed) < limit; skip-- {
		n, ok, err := walk.next(ctx)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if skip <= 0 {
			listed = append(listed, n)
		}
	}
	return d.listed(ctx, listed)
}

// listed reads incidents whole.
func (d *DB) listed(ctx context.Context, numbers []int64) ([]alert.Incident, error) {
	if len(numbers) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(numbers)
	if err != nil {
		return nil, err
	}
	return d.incidents(ctx, listedQuery, string(list))
}

// Count says how many incidents a filter keeps, its Limit and Offset aside:
// exactly up to 1,000, which stands for more as well.
func (d *DB) Count(ctx context.Context, f alert.IncidentFilter) (int, error) {
	f.Offset = 0
	walk := d.walkBoard(f, countMost)
	for count := 0; ; count++ {
		_, ok, err := walk.next(ctx)
		if err != nil {
			return 0, fmt.Errorf("count incidents: %w", err)
		}
		if !ok || count == countMost {
			return count, nil
		}
	}
}
