package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"tocsin/alert"
)

// cardKey names one card: an incident in a lane.
type cardKey struct{ incident, lane int64 }

// writer is the one writing connection. Only writeLoop uses it.
type writer struct {
	dialect dialect
	// dial makes the connection, with the store's lock held.
	dial func(context.Context) (*sql.Conn, error)
	// files are nil for PostgreSQL.
	files *files
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	// failure is that of the latest attempt to connect.
	failure  error
	failedAt time.Time
	into     insertions
	// The highest numbers given so far; a number is never given twice.
	incidents, alerts, deliveries, events, silences int64
	lanes                                           laneNumbers
	keys                                            *keyIndex
	// counted is what the open transaction changes in the ledger, by lane; settled
	// are the cards whose alerts it settles.
	counted map[int64]*alert.LaneCounts
	settled map[cardKey]struct{}
	// newDeadLetters is how many dead letters the open transaction adds.
	newDeadLetters int64
	// tally is what others may ask for without a query. It is stale when it is
	// unknown whether a transaction took place.
	tally *tally
	stale bool
	// ruled: the open transaction has changed silences or subscriptions, which
	// rules keeps for decisions.
	ruled bool
	rules *rules
	// grouped is set once there may be members of groups.
	grouped *atomic.Bool
	// aliases are those that others know.
	aliases *atomic.Pointer[alert.Aliases]
	// sick: a transaction failed, and none that tried all tables has succeeded since; the
	// open transaction does if tried.
	sick, tried bool
	// failing are the statements that fail for a reason of their own.
	failing *failing
}

// rollbackPatience is how long a broken connection gets to say so.
const rollbackPatience = 5 * time.Second

// unknownOutcome: the transaction may or may not be durable.
type unknownOutcome struct{ err error }

func (u unknownOutcome) Error() string { return u.err.Error() }
func (u unknownOutcome) Unwrap() error { return u.err }

// doubt is an unknown outcome as a caller sees it: alert.ErrInDoubt, and none of
// the errors that say that nothing was written.
type doubt struct{ why error }

func (d doubt) Error() string { return alert.ErrInDoubt.Error() + ": " + d.why.Error() }
func (d doubt) Unwrap() error { return alert.ErrInDoubt }

// begin starts a transaction, over a new connection when the old one is lost.
func (w *writer) begin(ctx context.Context) error {
	if err := w.files.checkAll(); err != nil {
		return err
	}
	if err := w.connect(ctx); err != nil {
		w.sick = true
		return fmt.Errorf("%w: %w", alert.ErrUnavailable, err)
	}
	w.counted, w.settled, w.newDeadLetters, w.ruled = map[int64]*alert.LaneCounts{}, map[cardKey]struct{}{}, 0, false
	w.lanes.begin()
	w.keys.begin()
	if _, err := w.exec(ctx, w.dialect.begin); err != nil {
		w.rollback()
		return err
	}
	w.tried = false
	if w.stale {
		return w.readAgain(ctx)
	}
	return nil
}

// connect makes sure of a connection. An attempt that fails may take seconds, so
// writes that come right after it fail at once.
func (w *writer) connect(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	if w.failure == nil || time.Since(w.failedAt) >= w.dialect.pause {
		w.failure = w.reconnect(ctx)
		w.failedAt = time.Now()
	}
	return w.failure
}

func (w *writer) reconnect(ctx context.Context) error {
	conn, err := w.dial(ctx)
	if err != nil {
		return err
	}
	w.conn, w.stmts = conn, map[string]*sql.Stmt{}
	w.rules.forget()
	for number, query := range map[*int64]string{
		&w.incidents: "SELECT coalesce(max(n), 0) FROM incidents",
		&w.alerts:    "SELECT coalesce(max(n), 0) FROM alerts",
		// Those that go first in their lanes have numbers below zero.
		&w.deliveries: "SELECT max(m) FROM (SELECT coalesce(max(n), 0) AS m FROM deliveries UNION ALL SELECT coalesce(-min(n), 0) FROM deliveries) q",
		&w.events:     "SELECT coalesce(max(n), 0) FROM history",
		&w.silences:   "SELECT coalesce(max(n), 0) FROM silences",
	} {
		if err := w.each(ctx, query, func(s scanner) error { return s.Scan(number) }); err != nil {
			w.close()
			return fmt.Errorf("number rows: %w", err)
		}
	}
	err = w.readAgain(ctx)
	if err == nil {
		err = w.files.rememberWAL()
	}
	if err != nil {
		w.close()
	}
	return err
}

// apply runs the ops of a group, then those that more returns until it returns
// nil. It returns the group with those.
func (w *writer) apply(ctx context.Context, group []*op, more func() *op) ([]*op, error) {
	for n := 0; ; n++ {
		if n == len(group) {
			o := more()
			if o == nil {
				return group, w.writeCounts(ctx)
			}
			group = append(group, o)
		}
		o := group[n]
		var refused refusal
		if o.err = o.run(ctx, w); errors.As(o.err, &refused) {
			o.err = refused.err
		} else if o.err != nil {
			return group, o.err
		}
	}
}

func (w *writer) commit(ctx context.Context) error {
	if _, err := w.exec(ctx, "COMMIT"); err != nil {
		w.rollback()
		if w.dialect.aborted(err) {
			return err
		}
		w.stale = true
		w.rules.forget()
		w.keys.keep()
		return unknownOutcome{err}
	}
	if known := w.lanes.known(); known != w.aliases.Load() {
		w.aliases.Store(known)
	}
	if w.ruled {
		w.rules.forget()
	}
	w.keepTally()
	w.keys.committed()
	w.sick = w.sick && !w.tried
	return nil
}

// rollback gives up the transaction; a connection that can't even do that is
// thrown away.
func (w *writer) rollback() {
	w.sick = true
	w.lanes.rollback()
	ctx, cancel := context.WithTimeout(context.Background(), rollbackPatience)
	defer cancel()
	_, err := w.conn.ExecContext(ctx, "ROLLBACK")
	if err != nil && !strings.Contains(err.Error(), "no transaction is active") {
		w.discard()
	}
}

// discard closes the connection. Returned to the pool, it would come back with
// the transaction still open.
func (w *writer) discard() {
	for _, s := range w.stmts {
		_ = s.Close()
	}
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	w.conn, w.stmts = nil, nil
}

// close gives the connection back; closing the pool then ends it.
func (w *writer) close() {
	if w.conn == nil {
		return
	}
	for _, s := range w.stmts {
		_ = s.Close()
	}
	_ = w.conn.Close()
	w.conn, w.stmts = nil, nil
}

// ping writes something and asks for the right to write into each table when writing
// failed the last time, because another session may lock any of them; else it is enough
// that it was called.
func (w *writer) ping(ctx context.Context) error {
	if !w.sick {
		return nil
	}
	_, err := w.exec(ctx, `INSERT INTO homes (person, hash) VALUES ('', ?)
		ON CONFLICT (person) DO UPDATE SET hash = excluded.hash`, alert.NewID())
	for _, t := range tables {
		if err == nil { // it finds no row, but waits for the locks that a change needs
			_, err = w.exec(ctx, "DELETE FROM "+t.name+" WHERE 1 = 0")
		}
	}
	w.tried = err == nil
	return err
}

// storedTable is a table, and what orders its rows.
type storedTable struct{ name, order string }

// tables are those that the store writes into, each after those it refers to.
var tables = []storedTable{
	{"lanes", "n"},
	{"aliases", "spelling {binary}"},
	{"incidents", "n"},
	{"latest", "key, route {binary}"},
	{"latest_upto", "incident"},
	{"cards", "incident, lane"},
	{"members", "id"},
	{"alerts", "n"},
	{"deliveries", "n"},
	{"counts", "lane"},
	{"destinations", "lane"},
	{"history", "n"},
	{"silences", "n"},
	{"subscriptions", "n"},
	{"heartbeats", "name {binary}"},
	{"inbox", "n"},
	{"arrivals", "n"},
	{"homes", "person {binary}"},
}

func (w *writer) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := w.stmts[query]; s != nil {
		return s, nil
	}
	s, err := w.conn.PrepareContext(ctx, w.dialect.rewrite(query))
	if err != nil {
		return nil, err
	}
	w.stmts[query] = s
	return s, nil
}

func (w *writer) exec(ctx context.Context, query string, args ...any) (int64, error) {
	ctx, cancel := w.dialect.limit(ctx)
	defer cancel()
	var result sql.Result
	s, err := w.prepare(ctx, query) //nolint:sqlclosecheck // kept until close
	if err == nil {
		result, err = s.ExecContext(ctx, args...)
	}
	w.failing.note(query, err, w.dialect)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// each asks inside the transaction and hands every row to scan.
func (w *writer) each(ctx context.Context, query string, scan func(scanner) error, args ...any) error {
	ctx, cancel := w.dialect.limit(ctx)
	defer cancel()
	var rows *sql.Rows
	s, err := w.prepare(ctx, query) //nolint:sqlclosecheck // kept until close
	if err == nil {
		rows, err = s.QueryContext(ctx, args...)
	}
	w.failing.note(query, err, w.dialect)
	if err != nil {
		return err
	}
	return scanAll(rows, scan)
}

// one asks for a single row; found is false when there is none.
func (w *writer) one(ctx context.Context, query string, scan func(scanner) error, args ...any) (found bool, err error) {
	err = w.each(ctx, query, func(s scanner) error {
		found = true
		return scan(s)
	}, args...)
	return found, err
}

// insertion is a multi-row insert, said for each size of chunk.
type insertion struct {
	width  int
	chunks []chunk
}

type chunk struct {
	rows  int
	query string
}

// insertInto says how rows of these columns are inserted, and then what to do
// about a conflict. The sizes are powers of two, so that a few statements insert any
// number of rows.
func insertInto(table, columns, conflict string) insertion {
	width := strings.Count(columns, ",") + 1
	tuple := "(?" + strings.Repeat(", ?", width-1) + ")"
	in := insertion{width: width}
	for _, rows := range []int{64, 32, 16, 8, 4, 2, 1} {
		in.chunks = append(in.chunks, chunk{rows, "INSERT INTO " + table + " (" + columns + ") VALUES " +
			tuple + strings.Repeat(", "+tuple, rows-1) + " " + conflict})
	}
	return in
}

func (w *writer) insert(ctx context.Context, in insertion, args []any) error {
	for _, c := range in.chunks {
		for n := c.rows * in.width; len(args) >= n; args = args[n:] {
			if _, err := w.exec(ctx, c.query, args[:n]...); err != nil {
				return err
			}
		}
	}
	return nil
}

// counts returns what the open transaction changes in the ledger of a lane.
func (w *writer) counts(lane int64) *alert.LaneCounts {
	c := w.counted[lane]
	if c == nil {
		c = &alert.LaneCounts{}
		w.counted[lane] = c
	}
	return c
}

// count adds n alerts in this state to a lane's counts.
func (w *writer) count(lane int64, standing alert.Standing, n int64) {
	if n != 0 {
		add(&w.counts(lane).Counts, standing, n)
	}
}

func (w *writer) writeCounts(ctx context.Context) error {
	var args []any
	for lane, c := range w.counted {
		args = append(args, lane, c.Pending, c.Delivered, c.Folded, c.Silenced, c.Dead, c.PossibleDuplicates)
	}
	return w.insert(ctx, w.into.counts, args)
}

// micros is how a time is stored; 0 stands for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
