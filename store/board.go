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
	// boardChunk is how many rows one look at the board reads.
	boardChunk = 500
)

// The board is read in chunks, one state at a time, from the end of
// incidents_board: so it looks at no more rows than it must, holds few in
// memory, and never reads for long at a time. What is listed is read whole
// afterwards.
const (
	boardQuery = `SELECT i.n, i.id, i.key, i.route, i.severity, i.last_at,
		CASE WHEN i.opened_at = 0 THEN i.first_at ELSE i.opened_at END, i.acked_at, i.resolved_at, i.body, coalesce(i.says, said.body, '')
	FROM incidents i` + incidentContent + `WHERE i.state = ? AND (i.severity, i.last_at, i.n) < (?, ?, ?)
	ORDER BY i.severity DESC, i.last_at DESC, i.n DESC LIMIT ?`
	listedQuery = `SELECT ` + withCards + ` FROM incidents i` + incidentCards + `WHERE i.n {oneofnumbers}
		ORDER BY i.severity DESC, i.last_at DESC, i.n DESC`
	// tallyQuery counts what the index alone knows.
	tallyQuery = `SELECT severity, count(*) FROM incidents WHERE state = ? GROUP BY severity`
	// membersOf are the incidents that a digest shows.
	membersOf = `SELECT c.incident FROM incidents g JOIN cards c ON c.digest = g.n WHERE g.id = ?`
	// atQuery finds the incident whose own card a message is. No index has cards by their
	// message: it is asked for when a person writes in a thread.
	atQuery = `SELECT ` + withCards + ` FROM incidents i` + incidentCards + `WHERE i.n = (SELECT o.incident FROM cards o
		JOIN incidents oi ON oi.n = o.incident WHERE o.conversation = ? AND o.ts = ? AND o.digest IS NULL AND oi.state NOT IN ({digest}, {notice}) LIMIT 1)`
	// digestAtQuery is the same for a digest.
	digestAtQuery = `SELECT g.id FROM cards c JOIN incidents g ON g.n = c.incident WHERE c.conversation = ? AND c.ts = ? AND g.state = {digest} LIMIT 1`
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
	// members are those of the filter's digest; nil without one.
	members map[int64]bool
}

// looksInside reports whether a filter needs more of an incident than its state.
func looksInside(f alert.IncidentFilter) bool {
	return f.LooksAt() || f.Mine != "" || f.Digest != "" || f.Latest || !f.Before.IsZero()
}

func (d *DB) walkBoard(ctx context.Context, f alert.IncidentFilter, atMost int) (*boardWalk, error) {
	states := f.States
	if len(states) == 0 {
		states = []alert.State{alert.Open, alert.Acked, alert.StateResolved}
	}
	w := &boardWalk{d: d, filter: f, chunk: boardChunk, passed: map[int64]bool{}}
	if !looksInside(f) {
		w.chunk = min(boardChunk, max(f.Offset, 0)+atMost)
	}
	for _, state := range slices.Compact(slices.Sorted(slices.Values(states))) {
		if state.Listed() {
			w.columns = append(w.columns, &boardColumn{state: state, last: boardRow{n: math.MaxInt64, severity: math.MaxInt16, lastAt: math.MaxInt64}})
		}
	}
	if f.Digest == "" {
		return w, nil
	}
	w.members = map[int64]bool{}
	return w, d.each(ctx, membersOf, func(s scanner) error {
		var n int64
		err := s.Scan(&n)
		w.members[n] = true
		return err
	}, f.Digest)
}

// fill reads the next chunk of a column when nothing is left of the one before.
func (w *boardWalk) fill(ctx context.Context, c *boardColumn) error {
	if len(c.rows) > 0 || c.ended {
		return nil
	}
	err := w.d.each(ctx, boardQuery, func(s scanner) error {
		var r boardRow
		var body, says string
		var opened, acked, resolved int64
		err := s.Scan(&r.n, &r.i.ID, &r.i.Key, &r.i.Route, &r.severity, &r.lastAt, &opened, &acked, &resolved, &body, &says)
		r.i.OpenedAt, r.i.AckedAt, r.i.ResolvedAt = fromMicros(opened), fromMicros(acked), fromMicros(resolved)
		if err == nil {
			err = word(&r.i.Severity).Scan(r.severity)
		}
		if err == nil && w.filter.LooksAt() {
			err = decodeContent(says, &r.i)
		}
		if err == nil && (w.filter.Mine != "" || len(w.filter.AnyOf) > 0 || w.filter.Members) {
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

// next returns the next incident that the filter keeps; ok is false behind the last.
func (w *boardWalk) next(ctx context.Context) (found boardRow, ok bool, err error) {
	for {
		var first *boardColumn
		for _, c := range w.columns {
			if err := w.fill(ctx, c); err != nil {
				return found, false, err
			}
			if len(c.rows) > 0 && (first == nil || c.rows[0].compare(first.rows[0]) < 0) {
				first = c
			}
		}
		if first == nil {
			return found, false, nil
		}
		row := first.rows[0]
		first.rows = first.rows[1:]
		if w.passed[row.n] {
			continue
		}
		keeps, err := w.keeps(ctx, row)
		if err != nil {
			return found, false, err
		}
		if keeps {
			w.passed[row.n] = true
			return row, true, nil
		}
	}
}

func (w *boardWalk) keeps(ctx context.Context, r boardRow) (bool, error) {
	f := w.filter
	if w.members != nil && !w.members[r.n] || !f.Before.IsZero() && r.i.Since().After(f.Before) {
		return false, nil
	}
	if me := f.Mine; me != "" && r.i.Owner().ID != me {
		return false, nil
	}
	if !f.LooksAt() || f.Selects(w.d.Aliases().Subject(r.i.Subject())) {
		return true, nil
	}
	return w.keepsMember(ctx, r.i)
}

// keepsMember reports whether a firing member of the incident is what the filter selects,
// under its own key or that of the group.
func (w *boardWalk) keepsMember(ctx context.Context, i alert.Incident) (found bool, err error) {
	if !w.filter.Members || i.Group == nil || i.State == alert.StateResolved {
		return false, nil
	}
	names := w.d.Aliases()
	if _, some := i.Group.Match(w.filter.Matchers, names.Subject(i.Subject())); !some {
		return false, nil
	}
	return found, w.d.each(ctx, firingOfQuery, func(s scanner) error {
		if found {
			return nil
		}
		m, err := scanMember(s)
		own := names.Subject(m.Subject(i))
		grouped := own
		grouped.Key = i.Key
		found = w.filter.Selects(own) || w.filter.Selects(grouped)
		return err
	}, i.ID)
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
	rows, err := d.boardRows(ctx, f, limit)
	if err != nil {
		return nil, err
	}
	numbers := make([]int64, len(rows))
	for n, r := range rows {
		numbers[n] = r.n
	}
	found, err := d.listed(ctx, numbers)
	if f.Latest {
		slices.SortStableFunc(found, func(a, b alert.Incident) int { return f.When(b).Compare(f.When(a)) })
	}
	return found, err
}

// boardRows returns at most limit rows that the filter keeps, in its order.
func (d *DB) boardRows(ctx context.Context, f alert.IncidentFilter, limit int) ([]boardRow, error) {
	walk, err := d.walkBoard(ctx, f, limit)
	if err != nil {
		return nil, err
	}
	var rows []boardRow
	for skip := f.Offset; len(rows) < limit || f.Latest; skip-- {
		r, ok, err := walk.next(ctx)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if skip <= 0 || f.Latest {
			rows = append(rows, r)
		}
	}
	if f.Latest {
		slices.SortStableFunc(rows, func(a, b boardRow) int {
			return cmp.Or(f.When(b.i).Compare(f.When(a.i)), cmp.Compare(b.n, a.n))
		})
	}
	return rows[:min(len(rows), limit)], nil
}

// IDs lists the ids of the incidents that a filter keeps, in its order. Without a limit
// it lists all.
func (d *DB) IDs(ctx context.Context, f alert.IncidentFilter) ([]string, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = math.MaxInt32
	}
	rows, err := d.boardRows(ctx, f, limit)
	if err != nil {
		return nil, fmt.Errorf("list ids of incidents: %w", err)
	}
	ids := make([]string, len(rows))
	for n, r := range rows {
		ids[n] = r.i.ID
	}
	return ids, nil
}

// IncidentAt returns the incident whose own card is the message ts in a conversation
// (C…, D…), or alert.ErrNotFound.
func (d *DB) IncidentAt(ctx context.Context, conversation, ts string) (alert.Incident, error) {
	found, err := d.incidents(ctx, atQuery, conversation, ts)
	if err == nil && len(found) == 0 {
		err = alert.ErrNotFound
	}
	if err != nil {
		return alert.Incident{}, fmt.Errorf("find the incident of a message: %w", err)
	}
	return found[0], nil
}

// DigestAt returns the id, as in alert.IncidentFilter, of the digest that is the message ts
// in a conversation (C…, D…), or alert.ErrNotFound.
func (d *DB) DigestAt(ctx context.Context, conversation, ts string) (string, error) {
	id := ""
	err := d.each(ctx, digestAtQuery, func(s scanner) error { return s.Scan(&id) }, conversation, ts)
	if err == nil && id == "" {
		err = alert.ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("find the digest of a message: %w", err)
	}
	return id, nil
}

// Tally counts the incidents in one of these states by severity.
func (d *DB) Tally(ctx context.Context, states ...alert.State) (map[alert.Severity]int, error) {
	counts := map[alert.Severity]int{}
	for _, state := range states {
		err := d.each(ctx, tallyQuery, func(s scanner) error {
			var severity alert.Severity
			var n int
			err := s.Scan(word(&severity), &n)
			counts[severity] += n
			return err
		}, code(state))
		if err != nil {
			return nil, fmt.Errorf("count incidents: %w", err)
		}
	}
	return counts, nil
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

// Count says how many incidents a filter keeps, its Limit and Offset aside.
func (d *DB) Count(ctx context.Context, f alert.IncidentFilter) (int, error) {
	if !looksInside(f) {
		return d.countStates(ctx, f.States)
	}
	f.Offset = 0
	walk, err := d.walkBoard(ctx, f, boardChunk)
	for n := 0; err == nil; n++ {
		var ok bool
		if _, ok, err = walk.next(ctx); err == nil && !ok {
			return n, nil
		}
	}
	return 0, fmt.Errorf("count incidents: %w", err)
}

func (d *DB) countStates(ctx context.Context, states []alert.State) (int, error) {
	if len(states) == 0 {
		states = []alert.State{alert.Open, alert.Acked, alert.StateResolved}
	}
	states = slices.DeleteFunc(slices.Sorted(slices.Values(states)), func(s alert.State) bool { return !s.Listed() })
	counts, err := d.Tally(ctx, slices.Compact(states)...)
	total := 0
	for _, n := range counts {
		total += n
	}
	return total, err
}
