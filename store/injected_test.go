package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"tocsin/alert"
)

// breaker stands between the store and its writing connection and breaks one
// step: preparing, running, asking, or reading a row.
type breaker struct {
	mu sync.Mutex
	// left counts down to the step that breaks; below zero none does.
	left int
	how  failure
	hits int
}

// failure is how a step breaks.
type failure struct {
	err error
	// done lets the step be done before it is reported as broken.
	done bool
	// stays breaks every later step too, the rollback among them.
	stays bool
}

var errInjected = errors.New("injected")

// arm breaks the step that comes as number n from now on, counted from 0.
func (b *breaker) arm(n int, how failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left, b.how, b.hits = n, how, 0
}

// disarm lets everything work again and says whether anything was broken.
func (b *breaker) disarm() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = -1
	return b.hits > 0
}

// step runs one step of the driver.
func (b *breaker) step(do func() error) error {
	b.mu.Lock()
	breaks, how := b.left == 0, b.how
	if b.left > 0 || breaks && !how.stays {
		b.left--
	}
	if breaks {
		b.hits++
	}
	b.mu.Unlock()
	if !breaks {
		return do()
	}
	if how.done {
		if bad := do(); bad != nil {
			return bad
		}
	}
	return how.err
}

// The driver with a breaker in front of each step that can fail.
type (
	brokenConnector struct {
		driver.Connector
		b *breaker
	}
	brokenConn struct {
		driver.Conn
		b *breaker
	}
	brokenStmt struct {
		driver.Stmt
		b *breaker
	}
	brokenRows struct {
		driver.Rows
		b *breaker
	}
)

func (c brokenConnector) Connect(ctx context.Context) (conn driver.Conn, err error) {
	err = c.b.step(func() error {
		inner, err := c.Connector.Connect(ctx)
		conn = brokenConn{inner, c.b}
		return err
	})
	if err != nil && conn != nil {
		err = errors.Join(err, conn.Close())
	}
	return conn, err
}

func (c brokenConn) PrepareContext(ctx context.Context, query string) (stmt driver.Stmt, err error) {
	err = c.b.step(func() error {
		inner, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
		stmt = brokenStmt{inner, c.b}
		return err
	})
	if err != nil && stmt != nil {
		err = errors.Join(err, stmt.Close())
	}
	return stmt, err
}

func (s brokenStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (r driver.Result, err error) {
	err = s.b.step(func() error {
		r, err = s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
		return err
	})
	return r, err
}

func (s brokenStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = s.b.step(func() error {
		inner, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
		rows = brokenRows{inner, s.b}
		return err
	})
	if err != nil && rows != nil {
		err = errors.Join(err, rows.Close())
	}
	return rows, err
}

func (r brokenRows) Next(dest []driver.Value) error {
	return r.b.step(func() error { return r.Rows.Next(dest) })
}

// openBroken opens a store whose writing goes through a breaker.
func openBroken(t *testing.T) (*DB, *breaker) {
	t.Helper()
	b := &breaker{left: -1}
	return openThrough(t, func(c driver.Connector) driver.Connector { return brokenConnector{c, b} }), b
}

// openThrough opens a store whose writing goes through what is wrapped around
// the driver.
func openThrough(t *testing.T, wrap func(driver.Connector) driver.Connector) *DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tocsin.db")
	d := reopen(t, "sqlite:"+path)
	pool := sql.OpenDB(wrap(sqliteConnector{dsn: sqliteDSN(path, false)}))
	pool.SetMaxOpenConns(1)
	t.Cleanup(func() { must(t, pool.Close()) })
	must(t, d.write(t.Context(), func(w *writer, ctx context.Context) error {
		// The open transaction goes on over the new connection.
		_, err := w.conn.ExecContext(ctx, "ROLLBACK")
		w.close()
		w.dial = pool.Conn
		if err == nil {
			err = w.connect(ctx)
		}
		if err == nil {
			_, err = w.exec(ctx, w.dialect.begin)
		}
		return err
	}))
	return d
}

// failures lists them by name.
func failures() map[string]failure {
	return map[string]failure{
		"once":                        {err: errInjected},
		"from then on":                {err: errInjected, stays: true},
		"the disk, from then on":      {err: fmt.Errorf("write: %w", alert.ErrUnavailable), stays: true},
		"after it was done":           {err: errInjected, done: true},
		"the disk, after it was done": {err: fmt.Errorf("write: %w", alert.ErrUnavailable), done: true},
		"from then on, but all done":  {err: errInjected, done: true, stays: true},
	}
}

// everyPoint breaks each step of do in turn, until one run meets no broken step.
// after is called with the breaker out of the way and what do had returned.
func everyPoint(t *testing.T, b *breaker, how failure, round func(n int) (do func() error, after func(err error))) {
	t.Helper()
	for n := 0; ; n++ {
		do, after := round(n)
		b.arm(n, how)
		err := do()
		broken := b.disarm()
		after(err)
		if !broken {
			if n < 5 {
				t.Errorf("only %d steps could be broken", n)
			}
			return
		}
	}
}

// written says whether a commit is in the store for everybody to see.
func written(t *testing.T, d *DB, c alert.Change) bool {
	t.Helper()
	_, _, err := d.record(t.Context(), c.Alerts[0].ID)
	if err != nil && !errors.Is(err, alert.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func TestErrorAtAnyPointOfCommitNeverAcceptsWhatIsNotKept(t *testing.T) {
	for name, how := range failures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, b := openBroken(t)
			everyPoint(t, b, how, func(n int) (func() error, func(error)) {
				c := fire(incident(fmt.Sprintf("i%d", n), "#db", 1))
				return func() error { return d.Commit(t.Context(), c) }, func(err error) {
					kept := written(t, d, c)
					switch {
					case err == nil && !kept:
						t.Errorf("step %d: accepted and not kept", n)
					case errors.Is(err, alert.ErrUnavailable) && kept:
						t.Errorf("step %d: kept, and said that nothing was: %v", n, err)
					}
					if again := d.Commit(t.Context(), c); again != nil && (!kept || !errors.Is(again, alert.ErrConflict)) {
						t.Errorf("step %d: after %v (kept: %t) the second try got %v", n, err, kept, again)
					}
					balanced(t, d)
				}
			})
		})
	}
}

func TestErrorAtAnyPointOfFinishIsMadeGoodByTheNextTry(t *testing.T) {
	for name, how := range failures() {
		for _, state := range []alert.DeliveryState{alert.Delivered, alert.Pending, alert.Dead} {
			t.Run(fmt.Sprintf("%s, %s", state, name), func(t *testing.T) {
				t.Parallel()
				d, b := openBroken(t)
				everyPoint(t, b, how, func(n int) (func() error, func(error)) {
					lane := fmt.Sprintf("#lane-%d", n)
					c := commit(t, d, fire(incident(fmt.Sprintf("i%d", n), lane, 1)))
					o := outcome(claim(t, d, lane, at(1)), state, at(2))
					return func() error { return d.Finish(t.Context(), o) }, func(err error) {
						want := map[alert.DeliveryState]alert.Standing{
							alert.Delivered: alert.StandDelivered, alert.Pending: alert.StandPending, alert.Dead: alert.StandDead,
						}[state]
						if err == nil {
							wantStanding(t, d, c, want)
						}
						must(t, d.Finish(t.Context(), o))
						wantStanding(t, d, c, want)
						balanced(t, d)
					}
				})
			})
		}
	}
}

func TestErrorAtAnyPointOfClaimGivesNothingOutTwice(t *testing.T) {
	for name, how := range failures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, b := openBroken(t)
			everyPoint(t, b, how, func(n int) (func() error, func(error)) {
				lane := fmt.Sprintf("#lane-%d", n)
				commit(t, d, fire(incident(fmt.Sprintf("i%d", n), lane, 1)))
				var job alert.Job
				return func() (err error) {
						job, _, err = d.Claim(t.Context(), alert.Claim{Lane: lane, Now: at(1), Posts: true})
						return err
					}, func(err error) {
						if (err == nil) != (job.ID != "") {
							t.Errorf("step %d: %v with job %q", n, err, job.ID)
						}
						again := claim(t, d, lane, at(2))
						if err == nil && !again.Unsure {
							t.Errorf("step %d: given out twice as if it had never been", n)
						}
					}
			})
		})
	}
}
