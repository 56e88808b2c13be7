package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"testing"

	"tocsin/alert"
)

// statements are those that the writer has run, but for the ones that begin and
// end its transactions.
type statements struct {
	mu  sync.Mutex
	all []string
}

func (s *statements) add(query string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasPrefix(query, "BEGIN") && query != "COMMIT" {
		s.all = append(s.all, strings.Join(strings.Fields(query), " "))
	}
}

// reset forgets them and returns how many there were.
func (s *statements) reset(t *testing.T, name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.all)
	t.Logf("%s:\n\t%s", name, strings.Join(s.all, "\n\t"))
	s.all = nil
	return n
}

// The driver with its statements noted.
type (
	notedConnector struct {
		driver.Connector
		s *statements
	}
	notedConn struct {
		driver.Conn
		s *statements
	}
	notedStmt struct {
		driver.Stmt
		query string
		s     *statements
	}
)

func (c notedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return notedConn{conn, c.s}, err
}

func (c notedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	return notedStmt{stmt, query, c.s}, err
}

func (s notedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.s.add(s.query)
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (s notedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.s.add(s.query)
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

// TestAnAlertIsDeliveredWithFewStatements follows one alert through the writer,
// in a lane that has been used before.
func TestAnAlertIsDeliveredWithFewStatements(t *testing.T) {
	s := &statements{}
	d := openThrough(t, func(c driver.Connector) driver.Connector { return notedConnector{c, s} })
	deliver := func(id string) (all int) {
		s.reset(t, "before")
		commit(t, d, fire(incident(id, "#db", 1)))
		all += s.reset(t, "commit")
		j, _, err := d.Claim(t.Context(), alert.Claim{Lane: "#db", Now: at(1), Posts: true, Updates: true, DigestAbove: 5})
		must(t, err)
		all += s.reset(t, "claim")
		finish(t, d, j, alert.Delivered, at(1))
		return all + s.reset(t, "finish")
	}
	deliver("first")
	least := deliver("second")
	for n := range 4 { // a new store prunes in the background, which may be counted with one of them
		least = min(least, deliver(fmt.Sprint("more-", n)))
	}
	if least > 11 {
		t.Errorf("%d statements were run", least)
	}
}

// The name of a conversation that was known by its id is one more name of its lane: nothing has
// to be moved, whatever is in the store.
func TestANameIsLearntWithFewStatements(t *testing.T) {
	s := &statements{}
	d := openThrough(t, func(c driver.Connector) driver.Connector { return notedConnector{c, s} })
	learn := func(n int) int {
		id := fmt.Sprintf("C0LANE%d", n)
		commit(t, d, fire(incident(fmt.Sprint("in-", n), id, 1)))
		s.reset(t, "before")
		must(t, d.Learn(t.Context(), fmt.Sprintf("#lane-%d", n), id))
		return s.reset(t, "learn")
	}
	least := learn(0)
	for n := range 4 { // a new store prunes in the background, which may be counted with one of them
		least = min(least, learn(n+1))
	}
	if least > 2 {
		t.Errorf("%d statements were run", least)
	}
}
