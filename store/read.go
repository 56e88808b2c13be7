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

// Load returns what a decision's query asks for, as it is now. Each incident comes
// once and with its cards, the latest of the keys before all others.
func (d *DB) Load(ctx context.Context, q alert.Query) (alert.Snapshot, error) {
	// What is learnt while this reads makes the decision a conflict.
	f := alert.Snapshot{Aliases: d.Aliases()}
	var err error
	if f.Incidents, err = d.latest(ctx, q.Keys); err != nil {
		return alert.Snapshot{}, fmt.Errorf("load incidents: %w", err)
	}
	if err := d.loadOthers(ctx, &f, q); err != nil {
		return alert.Snapshot{}, fmt.Errorf("load incidents: %w", err)
	}
	if err := d.loadHeartbeats(ctx, &f, q); err != nil {
		return alert.Snapshot{}, fmt.Errorf("load heartbeats: %w", err)
	}
	if err := d.loadMembers(ctx, &f, q); err != nil {
		return alert.Snapshot{}, fmt.Errorf("load members: %w", err)
	}
	if err := d.loadRules(ctx, &f, q); err != nil {
		return alert.Snapshot{}, err
	}
	if f.Done, err = d.done(ctx, q.Acts); err != nil {
		return alert.Snapshot{}, fmt.Errorf("load acts: %w", err)
	}
	if f.Seen, err = d.seen(ctx, q.IdempotencyKeys); err != nil {
		return alert.Snapshot{}, fmt.Errorf("load receipts: %w", err)
	}
	err = d.each(ctx, lastIDQuery, func(s scanner) error { return s.Scan(&f.LastID) })
	if err != nil {
		return alert.Snapshot{}, fmt.Errorf("load latest incident: %w", err)
	}
	return f, nil
}

// loadOthers adds the incidents that are asked for by something else than a key,
// and when the next one is due.
func (d *DB) loadOthers(ctx context.Context, f *alert.Snapshot, q alert.Query) error {
	if len(q.IDs) > 0 {
		list, err := json.Marshal(q.IDs)
		if err != nil {
			return err
		}
		if err := d.addIncidents(ctx, f, namedQuery, string(list)); err != nil {
			return err
		}
	}
	if q.Due {
		if err := d.addIncidents(ctx, f, dueQuery, micros(q.Now), alert.MaxFound); err != nil {
			return err
		}
		var next int64
		if err := d.each(ctx, nextDueQuery, func(s scanner) error { return s.Scan(&next) }); err != nil {
			return err
		}
		f.NextDue = fromMicros(next)
	}
	if q.Ahead {
		limit := micros(q.Now.Add(alert.ClockSlack))
		if err := d.addIncidents(ctx, f, aheadQuery, limit, limit, limit, alert.MaxFound); err != nil {
			return err
		}
	}
	if err := d.loadInhibition(ctx, f, q); err != nil {
		return err
	}
	if !q.Open {
		return nil
	}
	open, err := d.board(ctx, alert.IncidentFilter{States: []alert.State{alert.Open, alert.Acked}, Limit: alert.MaxFound})
	f.Incidents = unite(f.Incidents, open)
	return err
}

// loadInhibition adds what is known of incidents that inhibit others, and those that they
// inhibit.
func (d *DB) loadInhibition(ctx context.Context, f *alert.Snapshot, q alert.Query) error {
	if len(q.Sources) > 0 {
		rows, err := d.boardRows(ctx, alert.IncidentFilter{States: []alert.State{alert.Open, alert.Acked}, AnyOf: q.Sources}, math.MaxInt)
		if err != nil {
			return err
		}
		for _, r := range rows {
			f.Sources = append(f.Sources, r.i)
		}
		if err := d.loadSourceMembers(ctx, f, q.Sources); err != nil {
			return err
		}
	}
	if q.Inhibitors {
		err := d.each(ctx, inhibitorsQuery, func(s scanner) error {
			var id string
			err := s.Scan(&id)
			f.Inhibitors = append(f.Inhibitors, id)
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(q.InhibitedBy) == 0 {
		return nil
	}
	list, err := json.Marshal(q.InhibitedBy)
	if err != nil {
		return err
	}
	return d.addIncidents(ctx, f, inhibitedQuery, string(list), q.After, alert.MaxInhibited)
}

func (d *DB) addIncidents(ctx context.Context, f *alert.Snapshot, query string, args ...any) error {
	found, err := d.incidents(ctx, query, args...)
	f.Incidents = unite(f.Incidents, found)
	return err
}

// unite is a followed by what only b has.
func unite(a, b []alert.Incident) []alert.Incident {
	if len(a) == 0 || len(b) == 0 {
		return append(a, b...)
	}
	known := make(map[string]bool, len(a))
	for _, i := range a {
		known[i.ID] = true
	}
	for _, i := range b {
		if !known[i.ID] {
			a = append(a, i)
		}
	}
	return a
}

// loadRules adds silences and subscriptions.
func (d *DB) loadRules(ctx context.Context, f *alert.Snapshot, q alert.Query) error {
	if !q.Now.IsZero() {
		if err := d.rule(ctx, f, q.Now); err != nil {
			return err
		}
	}
	if q.Silence == "" {
		return nil
	}
	named, err := d.silences(ctx, silenceQuery, q.Silence)
	if err != nil {
		return fmt.Errorf("load silence %s: %w", q.Silence, err)
	}
	f.Silences = append(slices.DeleteFunc(f.Silences, func(s alert.Silence) bool { return s.ID == q.Silence }), named...)
	return nil
}

// withCards are an incident's columns and those of each of its cards, or empty
// ones where there is no card; cardOf are the latter, which cardTables joins.
const (
	withCards = incidentOf + `, ` + cardOf
	cardOf    = `coalesce(cl.name, ''), coalesce(c.conversation, ''), coalesce(c.ts, ''), coalesce(c.version, 0), coalesce(c.via, ''),
		CASE WHEN c.digest IS NULL THEN 0 ELSE 1 END`
	cardTables    = `LEFT JOIN cards c ON c.incident = i.n LEFT JOIN lanes cl ON cl.n = c.lane `
	incidentCards = incidentContent + cardTables
)

func cardDest(c *alert.Card) []any {
	return []any{&c.Lane, &c.Conversation, &c.TS, &c.Version, &c.Via, &c.Digest}
}

// The queries that name what they want; each seeks in one index.
const (
	latestQuery = `SELECT ` + withCards + ` FROM latest t JOIN incidents i ON i.n = t.incident` + incidentCards +
		`WHERE t.key {oneofnumbers} ORDER BY i.n`
	numberedQuery = `SELECT ` + withCards + ` FROM incidents i` + incidentCards + `WHERE i.n {oneofnumbers} ORDER BY i.n`
	newerQuery    = `SELECT max(n) FROM incidents WHERE n > (SELECT incident FROM latest_upto) AND state <> {digest} AND key {oneof} GROUP BY key, route`
	seenQuery     = `SELECT a.idempotency_key, a.id, a.key, coalesce(i.id, ''),
			CASE WHEN a.status = {resolved} THEN 'resolved' WHEN a.delivery IS NOT NULL THEN 'opened' ELSE 'folded' END, a.body
		FROM alerts a LEFT JOIN incidents i ON i.n = a.incident WHERE a.idempotency_key {oneof}`
	// A digest is in the same table, but the ids of incidents don't follow its.
	lastIDQuery   = `SELECT id FROM incidents WHERE state <> {digest} ORDER BY n DESC LIMIT 1`
	incidentQuery = `SELECT ` + withCards + ` FROM incidents i` + incidentCards + `WHERE i.id = ?`
	namedQuery    = `SELECT ` + withCards + ` FROM incidents i` + incidentCards +
		`WHERE i.id {oneof} AND i.state NOT IN ({digest}, {notice}) ORDER BY i.n`
	dueQuery = `SELECT ` + withCards + ` FROM (SELECT * FROM incidents WHERE due_at <> 0 AND due_at <= ?
		ORDER BY due_at, n LIMIT ?) i` + incidentCards + `ORDER BY i.due_at, i.n`
	// aheadQuery looks at all incidents that wait for something, which is seldom asked for.
	aheadQuery = `SELECT ` + withCards + ` FROM (SELECT * FROM incidents WHERE due_at <> 0
			AND (CASE opened_at WHEN 0 THEN first_at ELSE opened_at END > ? OR acked_at > ? OR last_at > ?)
		ORDER BY due_at, n LIMIT ?) i` + incidentCards + `ORDER BY i.due_at, i.n`
	// The column silence has what hides an incident, which may be another incident. The plus keeps SQLite from
	// reading all that is open.
	inhibitorsQuery = `SELECT DISTINCT silence FROM incidents WHERE silence <> '' AND silence NOT LIKE 's-%' AND +state IN ({open}, {acked})
		UNION SELECT silence FROM members WHERE silence <> '' AND silence NOT LIKE 's-%'`
	inhibitedQuery = `SELECT ` + withCards + ` FROM (SELECT * FROM incidents WHERE silence <> '' AND silence {oneof} AND +state IN ({open}, {acked})
			AND n > coalesce((SELECT n FROM incidents WHERE id = ?), 0)
		ORDER BY n LIMIT ?) i` + incidentCards + `ORDER BY i.n`
	inhibitsQuery = `SELECT count(DISTINCT m.incident)
		+ (SELECT count(*) FROM incidents WHERE silence <> '' AND silence = ? AND +state IN ({open}, {acked}))
		FROM members m JOIN incidents i ON i.n = m.incident WHERE m.silence <> '' AND m.silence = ? AND i.silence <> ?`
	nextDueQuery = `SELECT due_at FROM incidents WHERE due_at <> 0 AND due_at > 0 ORDER BY due_at LIMIT 1`
)

// latest finds the latest incident of each route of each key.
func (d *DB) latest(ctx context.Context, keys []string) ([]alert.Incident, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	asked, hashes := make(map[string]bool, len(keys)), make([]int64, len(keys))
	for n, key := range keys {
		asked[key], hashes[n] = true, keyHash(key)
	}
	// What is in memory is looked up first: it leaves only for the table.
	newer, err := d.newer(ctx, keys, hashes)
	if err != nil {
		return nil, err
	}
	found, err := d.numbered(ctx, latestQuery, hashes)
	if err == nil && len(newer) > 0 {
		found, err = d.replace(ctx, found, newer)
	}
	return slices.DeleteFunc(found, func(i alert.Incident) bool { return !asked[i.Key] }), err
}

// newer finds the latest incidents that are not in the table latest yet. For a front, whose
// active replica has them in memory, the database does.
func (d *DB) newer(ctx context.Context, keys []string, hashes []int64) (newer []int64, err error) {
	if !d.front {
		for _, l := range d.keys.find(hashes) {
			newer = append(newer, l.incident)
		}
		return newer, nil
	}
	list, err := json.Marshal(keys)
	if err != nil {
		return nil, err
	}
	err = d.each(ctx, newerQuery, func(s scanner) error {
		var n int64
		err := s.Scan(&n)
		newer = append(newer, n)
		return err
	}, string(list))
	return newer, err
}

// replace puts newer incidents in the place of those of the same keys and routes.
func (d *DB) replace(ctx context.Context, older []alert.Incident, newer []int64) ([]alert.Incident, error) {
	found, err := d.numbered(ctx, numberedQuery, newer)
	replaced := map[[2]string]bool{}
	for _, i := range found {
		replaced[[2]string{i.Key, i.Route}] = true
	}
	older = slices.DeleteFunc(older, func(i alert.Incident) bool { return replaced[[2]string{i.Key, i.Route}] })
	return append(older, found...), err
}

// numbered answers a query about a list of numbers.
func (d *DB) numbered(ctx context.Context, query string, numbers []int64) ([]alert.Incident, error) {
	list, err := json.Marshal(numbers)
	if err != nil {
		return nil, err
	}
	return d.incidents(ctx, query, string(list))
}

// incidents reads rows of withCards; an incident's rows follow each other.
func (d *DB) incidents(ctx context.Context, query string, args ...any) ([]alert.Incident, error) {
	var found []alert.Incident
	names := d.Aliases()
	err := d.each(ctx, query, func(s scanner) error {
		var row incidentRow
		var c alert.Card
		if err := s.Scan(append(row.dest(), cardDest(&c)...)...); err != nil {
			return err
		}
		if len(found) == 0 || found[len(found)-1].ID != row.i.ID {
			i, err := row.incident(names)
			if err != nil {
				return err
			}
			found = append(found, i)
		}
		if last := &found[len(found)-1]; c.TS != "" {
			c.Via = names.Lane(c.Via)
			last.Cards = append(last.Cards, c)
		}
		return nil
	}, args...)
	for _, i := range found {
		sortCards(i.Cards)
	}
	return found, err
}

func sortCards(cards []alert.Card) {
	slices.SortFunc(cards, func(a, b alert.Card) int { return cmp.Compare(a.Lane, b.Lane) })
}

// seen finds receipts. What an alert did isn't stored by itself: it follows
// from its status and from whether it asked for a post.
func (d *DB) seen(ctx context.Context, keys []string) (map[string]alert.Accepted, error) {
	found := map[string]alert.Accepted{}
	keys = slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k == "" })
	if len(keys) == 0 {
		return found, nil
	}
	list, err := json.Marshal(keys)
	if err != nil {
		return nil, err
	}
	err = d.each(ctx, seenQuery, func(s scanner) error {
		var key, body string
		var a alert.Accepted
		var b alertBody
		err := s.Scan(&key, &a.ID, &a.Key, &a.Incident, &a.Effect, &body)
		if err == nil {
			err = parse(body, &b)
		}
		a.Hash = b.Hash
		found[key] = a
		return err
	}, string(list))
	return found, err
}

// Incident returns one incident with its cards, or alert.ErrNotFound.
func (d *DB) Incident(ctx context.Context, id string) (alert.Incident, error) {
	i, err := d.subject(ctx, id)
	if err == nil && !i.State.Listed() {
		return alert.Incident{}, fmt.Errorf("find incident %s: %w", id, alert.ErrNotFound)
	}
	return i, err
}

// subject is Incident for what a delivery is about, which may be a digest or a notice.
func (d *DB) subject(ctx context.Context, id string) (alert.Incident, error) {
	found, err := d.incidents(ctx, incidentQuery, id)
	if err == nil && len(found) == 0 {
		err = alert.ErrNotFound
	}
	if err != nil {
		return alert.Incident{}, fmt.Errorf("find incident %s: %w", id, err)
	}
	return found[0], nil
}

// Inhibits counts the unresolved incidents of which an incident inhibits all or some alerts.
func (d *DB) Inhibits(ctx context.Context, incident string) (n int, err error) {
	err = d.each(ctx, inhibitsQuery, func(s scanner) error { return s.Scan(&n) }, incident, incident, incident)
	if err != nil {
		return 0, fmt.Errorf("count what incident %s inhibits: %w", incident, err)
	}
	return n, nil
}

// Ledger accounts for every alert that was ever accepted, from one read. Lanes
// come in alphabetical order.
func (d *DB) Ledger(ctx context.Context) (alert.Ledger, error) { return readLedger(ctx, d.each) }

// readLedger reads the ledger with a function that asks as DB.each does.
func readLedger(ctx context.Context, each func(context.Context, string, func(scanner) error, ...any) error) (alert.Ledger, error) {
	var l alert.Ledger
	err := each(ctx, ledgerQuery, func(s scanner) error {
		var c alert.LaneCounts
		err := s.Scan(&c.Lane, &c.Pending, &c.Delivered, &c.Folded, &c.Silenced, &c.Dead, &c.PossibleDuplicates)
		c.Accepted = c.Pending + c.Delivered + c.Folded + c.Silenced + c.Dead
		l.Total.Accepted += c.Accepted
		l.Total.Pending += c.Pending
		l.Total.Delivered += c.Delivered
		l.Total.Folded += c.Folded
		l.Total.Silenced += c.Silenced
		l.Total.Dead += c.Dead
		l.PossibleDuplicates += c.PossibleDuplicates
		l.Lanes = append(l.Lanes, c)
		return err
	})
	if err != nil {
		return alert.Ledger{}, fmt.Errorf("read ledger: %w", err)
	}
	return l, nil
}

const ledgerQuery = `SELECT l.name, CAST(sum(c.pending) AS BIGINT), CAST(sum(c.delivered) AS BIGINT), CAST(sum(c.folded) AS BIGINT),
		CAST(sum(c.silenced) AS BIGINT), CAST(sum(c.dead) AS BIGINT), CAST(sum(c.possible_duplicates) AS BIGINT)
	FROM counts c JOIN lanes l ON l.n = c.lane GROUP BY l.name ORDER BY l.name`

// add adds n alerts in this state.
func add(c *alert.Counts, s alert.Standing, n int64) {
	switch s {
	case alert.StandPending:
		c.Pending += n
	case alert.StandDelivered:
		c.Delivered += n
	case alert.StandFolded:
		c.Folded += n
	case alert.StandSilenced:
		c.Silenced += n
	case alert.StandDead:
		c.Dead += n
	}
}
