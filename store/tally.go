package store

import (
	"context"
	"fmt"
	"sync/atomic"
)

// tally is what is asked for too often to be looked up.
type tally struct{ pending, deadLetters atomic.Int64 }

// Pending is how many accepted alerts are pending. It makes no query, so that it
// can be called before each alert.
func (d *DB) Pending() int64 { return d.tally.pending.Load() }

// DeadLetters is how many deliveries were given up and neither retried nor
// dropped. It makes no query.
func (d *DB) DeadLetters() int64 { return d.tally.deadLetters.Load() }

// readAgain reads what the writer and the tally remember of the tables.
func (w *writer) readAgain(ctx context.Context) error {
	if err := w.readTally(ctx); err != nil {
		return err
	}
	if err := w.readKeys(ctx); err != nil {
		return err
	}
	w.stale = false
	return nil
}

// readTally reads what others know of the tables without a query.
func (w *writer) readTally(ctx context.Context) error {
	for into, query := range map[*atomic.Int64]string{
		&w.tally.pending:     "SELECT CAST(coalesce(sum(pending), 0) AS BIGINT) FROM counts",
		&w.tally.deadLetters: "SELECT count(*) FROM deliveries WHERE state = {dead}",
	} {
		var n int64
		if err := w.each(ctx, query, func(s scanner) error { return s.Scan(&n) }); err != nil {
			return fmt.Errorf("read the tally: %w", err)
		}
		into.Store(n)
	}
	grouped, err := w.one(ctx, "SELECT 1 FROM members LIMIT 1", func(s scanner) error { return s.Scan(new(int64)) })
	if err != nil {
		return fmt.Errorf("look for groups: %w", err)
	}
	if grouped {
		w.grouped.Store(true)
	}
	return w.readLanes(ctx)
}

// keepTally adds what a transaction changed once it is durable.
func (w *writer) keepTally() {
	var pending int64
	for _, c := range w.counted {
		pending += c.Pending
	}
	w.tally.pending.Add(pending)
	w.tally.deadLetters.Add(w.newDeadLetters)
}
