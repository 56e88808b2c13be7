package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"go.uber.org/zap"
)

const (
	// pruneBatch holds the writer for a few milliseconds at most.
	pruneBatch = 200
	pruneEvery = time.Hour
	// prunePace leaves the writer to others between two batches.
	prunePace = 20 * time.Millisecond
)

// aged says how the finished rows of a table are forgotten: look walks the
// table from its oldest row and returns how far a batch reaches and whether
// anything in it is old, forget deletes in that batch what is old and over. The
// last row stays, so that its number is never given again.
type aged struct{ table, look, forget string }

// agedTables come in the order in which nothing is left that refers to what is
// forgotten: alerts name deliveries, and both name incidents.
func agedTables() []aged {
	return []aged{
		{"alerts", lookAlerts, forgetAlerts},
		{"deliveries", lookDeliveries, forgetDeliveries},
		{"incidents", lookIncidents, forgetIncidents},
		{"silences", lookSilences, forgetSilences},
	}
}

const (
	lookAlerts     = `SELECT n, accepted_at FROM alerts WHERE n > ? ORDER BY n LIMIT ?`
	lookDeliveries = `SELECT n, created_at FROM deliveries WHERE n > ? ORDER BY n LIMIT ?`
	lookIncidents  = `SELECT n, first_at FROM incidents WHERE n > ? ORDER BY n LIMIT ?`
	lookSilences   = `SELECT n, created_at FROM silences WHERE n > ? ORDER BY n LIMIT ?`

	// A digest that is the card of an incident can be drawn again, so what it
	// lists is remembered with it. What is dead stays, unless a person has dropped it.
	forgetAlerts = `DELETE FROM alerts WHERE n > ? AND n <= ? AND n < (SELECT max(n) FROM alerts) AND accepted_at < ?
		AND (standing IN ({delivered}, {folded}, {silenced})
			AND coalesce((SELECT s.done_at FROM deliveries s WHERE s.n = alerts.shown), 0) < ?
		OR standing = {dead}
			AND EXISTS (SELECT 1 FROM deliveries s WHERE s.n = alerts.shown AND s.state = {dropped} AND s.done_at < ?))`
	// An incident may outlive the alert that has what it says: then it keeps that.
	keepContent = `UPDATE incidents SET says = (SELECT a.body FROM alerts a WHERE a.n = incidents.content),
			text = (SELECT a.text FROM alerts a WHERE a.n = incidents.content), content = NULL `
	keepOldContent = keepContent + `WHERE content > ? AND content <= ?
		AND n IN (SELECT a.incident FROM alerts a WHERE a.n > ? AND a.n <= ? AND a.accepted_at < ?)`
	keepDeadContent = keepContent + `WHERE content IN (SELECT a.n FROM alerts a WHERE a.shown = ? AND a.standing = {dead})
		AND n IN (SELECT a.incident FROM alerts a WHERE a.shown = ? AND a.standing = {dead})`
	forgetDeliveries = `DELETE FROM deliveries WHERE n > ? AND n <= ? AND n < (SELECT max(n) FROM deliveries)
		AND state IN ({delivered}, {superseded}, {dropped}) AND done_at < ?
		AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.shown = deliveries.n)
		AND (digest IS NULL OR NOT EXISTS (SELECT 1 FROM cards c WHERE c.digest = deliveries.digest))`
	forgetIncidents = `DELETE FROM incidents WHERE n > ? AND n <= ? AND n < (SELECT max(n) FROM incidents)
		AND (resolved_at <> 0 AND resolved_at < ? OR last_at < ? AND state = {digest}
			AND NOT EXISTS (SELECT 1 FROM cards c WHERE c.digest = incidents.n))
		AND due_at = 0
		AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.incident = incidents.n AND d.stage IS NOT NULL)
		AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.incident = incidents.n AND d.state = {dead})
		AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.incident = incidents.n AND a.standing = {pending})
		RETURNING n, key, route`
	forgetSilences = `DELETE FROM silences WHERE n > ? AND n <= ? AND n < (SELECT max(n) FROM silences) AND ends_at < ?
		RETURNING id`

	pruneInbox = `DELETE FROM inbox WHERE n IN
		(SELECT n FROM inbox WHERE handled = 1 AND received_at < ? LIMIT ?)`
	oldDeadLetters = `SELECT n FROM deliveries WHERE state = {dead} AND done_at < ?
		AND n < (SELECT max(n) FROM deliveries) ORDER BY n LIMIT ?`
	forgetDeadAlerts = `DELETE FROM alerts WHERE n IN
		(SELECT n FROM alerts WHERE shown = ? AND standing = {dead} ORDER BY n LIMIT ?)`
)

// Prune forgets what was over before the store's retention ended at now:
// handled envelopes, alerts that were delivered, folded or silenced, what was
// sent or dropped, resolved incidents and ended silences with their history, and
// dead letters if they are not kept for ever. Then it gives the space back to the disk. It goes
// a few rows at a time, with pauses for others. The ledger goes on counting
// what it forgets. The store prunes by itself; calling it does no harm.
func (d *DB) Prune(ctx context.Context, now time.Time) error {
	keep := d.keep.Load()
	err := d.pruneInbox(ctx, now)
	if err == nil && keep.dead > 0 {
		err = d.pruneDeadLetters(ctx, micros(now.Add(-keep.dead)))
	}
	for _, t := range agedTables() {
		if err == nil {
			err = d.pruneTable(ctx, t, micros(now.Add(-keep.finished)))
		}
	}
	if err == nil {
		err = d.shrink(ctx)
	}
	if err != nil {
		return fmt.Errorf("prune store: %w", err)
	}
	return nil
}

// pruneLoop prunes at once and then every hour until the store closes.
func (d *DB) pruneLoop() {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if err := d.Prune(context.Background(), d.now()); err != nil && !errors.Is(err, errClosed) {
			d.log.Warn("store not pruned, will try again", zap.Error(err))
		}
		select {
		case <-d.closing:
			return
		case <-tick.C:
		}
	}
}

// breathe leaves the writer to others for a moment.
func (d *DB) breathe(ctx context.Context) error {
	timer := time.NewTimer(prunePace)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-d.closing:
		return errClosed
	}
}

func (d *DB) pruneInbox(ctx context.Context, now time.Time) error {
	for {
		var gone int64
		err := d.write(ctx, func(w *writer, ctx context.Context) (err error) {
			gone, err = w.exec(ctx, pruneInbox, micros(now.Add(-inboxKept)), pruneBatch)
			return err
		})
		if err == nil && gone == pruneBatch {
			err = d.breathe(ctx)
		}
		if err != nil || gone < pruneBatch {
			return err
		}
	}
}

// pruneTable walks a table from its oldest row until nothing is old any more.
func (d *DB) pruneTable(ctx context.Context, t aged, before int64) error {
	for last := int64(math.MinInt64); ; {
		from, old := last, false
		err := d.each(ctx, t.look, func(s scanner) error {
			var at int64
			err := s.Scan(&last, &at)
			old = old || at < before
			return err
		}, from, pruneBatch)
		if err != nil || !old {
			return err
		}
		err = d.write(ctx, func(w *writer, ctx context.Context) error { return w.forget(ctx, t, batch{from, last}, before) })
		if err == nil {
			err = d.breathe(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// batch is the rows after one number up to another.
type batch struct{ after, upTo int64 }

func (w *writer) forget(ctx context.Context, t aged, b batch, before int64) error {
	switch t.forget {
	case forgetIncidents:
		return w.forgetIncidents(ctx, b, before)
	case forgetSilences:
		return w.forgetSilences(ctx, b, before)
	case forgetAlerts:
		if _, err := w.exec(ctx, keepOldContent, b.after, b.upTo, b.after, b.upTo, before); err != nil {
			return err
		}
		_, err := w.exec(ctx, t.forget, b.after, b.upTo, before, before, before)
		return err
	}
	_, err := w.exec(ctx, t.forget, b.after, b.upTo, before)
	return err
}

// forgetIncidents forgets incidents, their cards and history, and that they were the latest
// of their keys.
func (w *writer) forgetIncidents(ctx context.Context, b batch, before int64) error {
	type gone struct {
		n          int64
		key, route string
	}
	var all []gone
	err := w.each(ctx, forgetIncidents, func(s scanner) error {
		var g gone
		err := s.Scan(&g.n, &g.key, &g.route)
		all = append(all, g)
		return err
	}, b.after, b.upTo, before, before)
	for _, g := range all {
		if err != nil {
			return err
		}
		l := latest{keyHash(g.key), g.route, g.n}
		w.keys.forgotten = append(w.keys.forgotten, l)
		_, err = w.exec(ctx, "DELETE FROM latest WHERE key = ? AND route = ? AND incident = ?", l.key, l.route, l.incident)
	}
	return err
}

// forgetSilences forgets silences and what was done to them. That they kept an
// incident quiet stays in its history.
func (w *writer) forgetSilences(ctx context.Context, b batch, before int64) error {
	var gone []string
	err := w.each(ctx, forgetSilences, func(s scanner) error {
		var id string
		err := s.Scan(&id)
		gone = append(gone, id)
		return err
	}, b.after, b.upTo, before)
	for _, id := range gone {
		if err != nil {
			return err
		}
		w.ruled = true
		_, err = w.exec(ctx, "DELETE FROM history WHERE silence = ? AND silence <> '' AND incident IS NULL", id)
	}
	return err
}

// pruneDeadLetters forgets dead letters with their alerts, and says so.
func (d *DB) pruneDeadLetters(ctx context.Context, before int64) error {
	var letters, alerts int64
	defer func() {
		if letters > 0 {
			d.log.Warn("dead letters forgotten after their retention", zap.Int64("deliveries", letters), zap.Int64("alerts", alerts))
		}
	}()
	for {
		var gone forgotten
		err := d.write(ctx, func(w *writer, ctx context.Context) (err error) {
			gone, err = w.forgetLetters(ctx, before)
			return err
		})
		letters, alerts = letters+gone.letters, alerts+gone.alerts
		if err == nil && gone.more {
			err = d.breathe(ctx)
		}
		if err != nil || !gone.more {
			return err
		}
	}
}

// forgotten is what one batch of dead letters was.
type forgotten struct {
	letters, alerts int64
	more            bool
}

// forgetLetters forgets a batch of rows. A letter goes after the last of its
// alerts.
func (w *writer) forgetLetters(ctx context.Context, before int64) (gone forgotten, err error) {
	var found []int64
	err = w.each(ctx, oldDeadLetters, func(s scanner) error {
		var n int64
		err := s.Scan(&n)
		found = append(found, n)
		return err
	}, before, pruneBatch)
	for _, n := range found {
		room := pruneBatch - gone.letters - gone.alerts
		if err != nil || room <= 1 {
			break
		}
		var alerts int64
		if _, err = w.exec(ctx, keepDeadContent, n, n); err != nil {
			break
		}
		if alerts, err = w.exec(ctx, forgetDeadAlerts, n, room); err != nil {
			break
		}
		gone.alerts += alerts
		if alerts == room {
			break
		}
		_, err = w.exec(ctx, "DELETE FROM deliveries WHERE n = ?", n)
		gone.letters++
		w.newDeadLetters--
	}
	gone.more = gone.letters+gone.alerts > 0
	return gone, err
}

// shrink gives the pages that hold nothing any more back to the disk.
func (d *DB) shrink(ctx context.Context) error {
	if d.dialect.shrink == "" {
		return nil
	}
	for {
		var before, after int64
		err := d.write(ctx, func(w *writer, ctx context.Context) error {
			count := func(into *int64) error {
				return w.each(ctx, d.dialect.free, func(s scanner) error { return s.Scan(into) })
			}
			if err := count(&before); err != nil || before == 0 {
				return err
			}
			if err := w.each(ctx, d.dialect.shrink, func(scanner) error { return nil }); err != nil {
				return err
			}
			return count(&after)
		})
		if err != nil || after == 0 || after >= before {
			return err
		}
		if err := d.breathe(ctx); err != nil {
			return err
		}
	}
}
