package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin/alert"
)

// Sizes are how large a store is and what is in it.
type Sizes struct {
	Store  string `json:"store"`
	Schema int64  `json:"schema"`
	// Bytes is the size of the database, Unused what of it holds nothing, and WAL the size of
	// the write-ahead log; the last two are 0 for PostgreSQL.
	Bytes  int64 `json:"bytes"`
	Unused int64 `json:"unused_bytes"`
	WAL    int64 `json:"wal_bytes"`
	// Tables come with the largest first.
	Tables []TableSize  `json:"tables"`
	Ledger alert.Counts `json:"ledger"`
	// OldestAlert and NewestAlert are when alerts were accepted, OldestPending the same of what is
	// pending, OldestDead when the oldest dead letter was given up; zero for none.
	OldestAlert   time.Time `json:"oldest_alert,omitzero"`
	NewestAlert   time.Time `json:"newest_alert,omitzero"`
	OldestPending time.Time `json:"oldest_pending,omitzero"`
	OldestDead    time.Time `json:"oldest_dead_letter,omitzero"`
}

// TableSize is a table with its indexes.
type TableSize struct {
	Name  string `json:"name"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

const (
	sqliteTables = `SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_schema m ON m.name = s.name
		WHERE s.aggregate = TRUE AND m.tbl_name NOT LIKE 'sqlite%' GROUP BY m.tbl_name`
	postgresTables = `SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class c
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'`
	sqliteBytes  = `SELECT page_count * page_size, freelist_count * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size`
	oldestAlert  = `SELECT accepted_at FROM alerts ORDER BY n LIMIT 1`
	newestAlert  = `SELECT accepted_at FROM alerts ORDER BY n DESC LIMIT 1`
	oldestWaits  = `SELECT coalesce(min(accepted_at), 0) FROM alerts WHERE standing = {pending}`
	oldestLetter = `SELECT coalesce(min(done_at), 0) FROM deliveries WHERE state = {dead}`
)

// Sizes reads the whole database.
func (s *Snapshot) Sizes(ctx context.Context) (Sizes, error) {
	z := Sizes{Store: s.name, Schema: s.schema}
	steps := []func(context.Context, *Sizes) error{s.readBytes, s.readTables, s.readAges}
	for _, step := range steps {
		if err := step(ctx, &z); err != nil {
			return z, fmt.Errorf("measure store %s: %w", s.name, err)
		}
	}
	l, err := s.Ledger(ctx)
	z.Ledger = l.Total
	if err != nil {
		return z, fmt.Errorf("measure store %s: %w", s.name, err)
	}
	return z, nil
}

func (s *Snapshot) readBytes(ctx context.Context, z *Sizes) error {
	if s.path == "" {
		return nil // the sum of its tables
	}
	z.WAL = sizeOf(s.path + "-wal")
	return s.each(ctx, sqliteBytes, func(row scanner) error { return row.Scan(&z.Bytes, &z.Unused) })
}

func (s *Snapshot) readTables(ctx context.Context, z *Sizes) error {
	query := sqliteTables
	if s.path == "" {
		query = postgresTables
	}
	err := s.each(ctx, query, func(row scanner) error {
		var t TableSize
		err := row.Scan(&t.Name, &t.Bytes)
		z.Tables = append(z.Tables, t)
		return err
	})
	for n := range z.Tables {
		t := &z.Tables[n]
		if s.path == "" {
			z.Bytes += t.Bytes
		}
		if err == nil {
			err = s.each(ctx, "SELECT count(*) FROM "+t.Name, func(row scanner) error { return row.Scan(&t.Rows) })
		}
	}
	slices.SortFunc(z.Tables, func(a, b TableSize) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name))
	})
	return err
}

func (s *Snapshot) readAges(ctx context.Context, z *Sizes) error {
	for query, into := range map[string]*time.Time{
		oldestAlert: &z.OldestAlert, newestAlert: &z.NewestAlert, oldestWaits: &z.OldestPending, oldestLetter: &z.OldestDead,
	} {
		err := s.each(ctx, query, func(row scanner) error {
			var at int64
			err := row.Scan(&at)
			*into = fromMicros(at)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
