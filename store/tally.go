package store

import (
	"context"
	"fmt"
	"sync/atomic"

	"tocsin/alert"
)

// tally is what is asked for too often to look it up.
type tally struct{ pending, letters atomic.Int64 }

// Pending is how many alerts are accepted and stand nowhere yet. It asks
// nobody, so that it may be asked before each alert.
func (d *DB) Pending() int64 { return d.tally.pending.Load() }

// DeadLetters is how many deliveries were given up and neither retried nor
// dropped. It asks nobody.
func (d *DB) DeadLetters() int64 { return d.tally.letters.Load() }

// takeStock counts anew what the tally says.
func (w *writer) takeStock(ctx context.Context) error {
	for into, query := range map[*atomic.Int64]string{
		&w.tally.pending: "SELECT CAST(coalesce(sum(alerts), 0) AS BIGINT) FROM counts WHERE standing = 'pending'",
		&w.tally.letters: "SELECT count(*) FROM deliveries WHERE state = 'dead'",
	} {
		var n int64
		if err := w.conn.QueryRowContext(ctx, query).Scan(&n); err != nil {
			return fmt.Errorf("take stock: %w", err)
		}
		into.Store(n)
	}
	w.stale = false
	return nil
}

// keepTally adds what a transaction changed once it is durable.
func (w *writer) keepTally() {
	var pending int64
	for c, n := range w.counted {
		if c.standing == alert.StandPending {
			pending += n
		}
	}
	w.tally.pending.Add(pending)
	w.tally.letters.Add(w.buried)
}
