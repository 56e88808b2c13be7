package store

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"tocsin/alert"
)

// deliveryLimit is how many deliveries are listed when nothing else is asked.
const deliveryLimit = 100

const deliverySelect = `SELECT ` + deliveryOf + `, coalesce(i.id, ''), d.lane
	FROM deliveries d JOIN lanes l ON l.n = d.lane LEFT JOIN incidents i ON i.n = d.incident`

// listQuery says how deliveries in a state are listed. The state is no
// parameter, so that the partial indexes can be used; ok is false for a word
// that is none.
func listQuery(state alert.DeliveryState) (query string, ok bool) {
	where := map[alert.DeliveryState]string{
		alert.Pending:    `d.stage IS NOT NULL AND d.state = {pending}`,
		alert.Sending:    `d.stage IS NOT NULL AND d.state = {sending}`,
		alert.Dead:       `d.state = {dead}`,
		alert.Delivered:  `d.state = {delivered}`,
		alert.Superseded: `d.state = {superseded}`,
		alert.Dropped:    `d.state = {dropped}`,
	}[state]
	return deliverySelect + ` WHERE ` + where + ` AND d.n < ? AND (? = '' OR l.name = ?) ORDER BY d.n DESC LIMIT ?`, where != ""
}

// Deliveries lists deliveries, the latest first.
func (d *DB) Deliveries(ctx context.Context, f alert.DeliveryFilter) ([]alert.Delivery, error) {
	states := f.States
	if len(states) == 0 {
		states = alert.DeliveryStates()
	}
	before, limit := cmp.Or(f.Before, math.MaxInt64), cmp.Or(max(f.Limit, 0), deliveryLimit)
	lane := d.Aliases().Lane(f.Lane)
	var queries []string // in one statement, so that none is missed that gets from one state into another
	var args []any
	for _, state := range slices.Compact(slices.Sorted(slices.Values(states))) {
		query, ok := listQuery(state)
		if !ok {
			return nil, fmt.Errorf("list deliveries: unknown state %q", state)
		}
		queries = append(queries, fmt.Sprintf(`SELECT * FROM (%s) AS %s`, query, state))
		args = append(args, before, lane, lane, limit)
	}
	found := []alert.Delivery{}
	err := d.each(ctx, strings.Join(queries, " UNION ALL "), func(s scanner) error {
		one, _, err := d.scanDelivery(s)
		found = append(found, one)
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	slices.SortFunc(found, func(a, b alert.Delivery) int { return cmp.Compare(b.Seq, a.Seq) })
	return found[:min(limit, len(found))], nil
}

// scanDelivery reads a row of deliverySelect, and which card it is about.
func (d *DB) scanDelivery(s scanner) (alert.Delivery, cardKey, error) {
	var row deliveryRow
	var incident string
	var at cardKey
	if err := s.Scan(append(row.dest(), &incident, &at.lane)...); err != nil {
		return alert.Delivery{}, at, err
	}
	one, err := row.delivery(d.Aliases())
	one.Incident, at.incident = incident, row.incident
	return one, at, err
}

// deliveryAlerts is how many of a delivery's alerts are returned in full.
const deliveryAlerts = 100

// The alerts of a delivery: those it has accounted for, and while it is pending
// those that its card will account for.
const (
	deliveryQuery = deliverySelect + ` WHERE d.id = ?`
	storyQuery    = recordSelect + ` WHERE a.shown = ? ORDER BY a.n LIMIT ?`
	storyCount    = `SELECT count(*) FROM alerts WHERE shown = ?`
	waitingQuery  = recordSelect + ` WHERE a.incident = ? AND a.lane = ? AND a.standing = {pending} ORDER BY a.n LIMIT ?`
	waitingCount  = `SELECT count(*) FROM alerts WHERE incident = ? AND lane = ? AND standing = {pending}`
)

// Delivery returns a delivery with its incident and its alerts, or
// alert.ErrNotFound.
func (d *DB) Delivery(ctx context.Context, id string) (alert.DeliveryDetail, error) {
	l := alert.DeliveryDetail{Alerts: []alert.Record{}}
	at := cardKey{incident: -1}
	err := d.each(ctx, deliveryQuery, func(s scanner) (err error) {
		l.Delivery, at, err = d.scanDelivery(s)
		return err
	}, id)
	if err == nil && l.ID == "" {
		err = alert.ErrNotFound
	}
	if err == nil && l.Incident != "" {
		var about alert.Incident
		about, err = d.subject(ctx, l.Incident)
		l.About = &about
	}
	if err == nil {
		err = d.deliveryAlerts(ctx, &l, at)
	}
	if err != nil {
		return alert.DeliveryDetail{}, fmt.Errorf("find delivery %s: %w", id, err)
	}
	return l, nil
}

func (d *DB) deliveryAlerts(ctx context.Context, l *alert.DeliveryDetail, at cardKey) error {
	query, count, args := storyQuery, storyCount, []any{l.Seq}
	if !finished(l.State) {
		query, count, args = waitingQuery, waitingCount, []any{at.incident, at.lane}
	}
	if err := d.each(ctx, count, func(s scanner) error { return s.Scan(&l.AlertCount) }, args...); err != nil {
		return err
	}
	return d.each(ctx, query, func(s scanner) error {
		r, _, err := scanRecord(s)
		l.Alerts = append(l.Alerts, r)
		return err
	}, append(args, deliveryAlerts)...)
}
