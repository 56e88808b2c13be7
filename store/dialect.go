package store

import (
	"context"
	"database/sql"
	"errors"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"tocsin/alert"
)

// dialect is what the two engines say differently.
type dialect struct {
	// begin starts a writing transaction.
	begin string
	// numbered: placeholders are $1, $2, … instead of ?.
	numbered bool
	// oneOf and oneOfNumbers complete "column …" to a test for membership in a
	// JSON array that is passed as one text.
	oneOf, oneOfNumbers string
	// patience bounds how long the writer waits for a statement, and pause is how long
	// nothing is tried after connecting has failed; 0 for an engine in this process.
	patience, pause time.Duration
	// free counts the pages that hold nothing any more, shrink gives some back
	// to the disk; empty for an engine that does so by itself.
	free, shrink string
	// binary completes "ORDER BY text" to an order by bytes.
	binary string
	// tableExists finds a table by its name.
	tableExists string
	// beforeCopy makes tables take the rows of another store, afterCopy ends that.
	beforeCopy, afterCopy []string
	// unavailable: the store is at fault, not the request.
	unavailable func(error) bool
	// again: a transaction that failed in this way, or a query, may be done when it is tried again
	// at once. nil for an engine that has no such errors.
	again func(error) bool
	// remedy says what to do about an error that is unavailable.
	remedy func(error) string
	// notify sends the texts of a JSON array to who listens; empty where nobody can.
	notify string
	// aborted: a COMMIT that failed in this way was certainly not done.
	aborted func(error) bool
	// duplicate: the request breaks the unique index on this column.
	duplicate func(err error, column string) bool
}

const continues = "; Tocsin then continues by itself"

// limit returns the context of one statement.
func (d dialect) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if d.patience == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d.patience)
}

// rewrite writes query as the engine wants it. Queries have no ? but placeholders.
func (d dialect) rewrite(query string) string {
	query = withWords(query)
	query = strings.NewReplacer("{oneof}", d.oneOf, "{oneofnumbers}", d.oneOfNumbers, "{binary}", d.binary).Replace(query)
	if !d.numbered {
		return query
	}
	var b strings.Builder
	parts := strings.Split(query, "?")
	for i, part := range parts {
		b.WriteString(part)
		if i < len(parts)-1 {
			b.WriteString("$" + strconv.Itoa(i+1))
		}
	}
	return b.String()
}

// prepared keeps the readers' statements, each prepared once.
type prepared struct {
	mu    sync.Mutex
	stmts map[string]*sql.Stmt
}

func (p *prepared) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, s := range p.stmts {
		errs = append(errs, s.Close())
	}
	p.stmts = nil
	return errors.Join(errs...)
}

func (p *prepared) find(query string) *sql.Stmt {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stmts[query]
}

// keep returns the statement to use from now on: one that was kept meanwhile, or s.
func (p *prepared) keep(query string, s *sql.Stmt) (*sql.Stmt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.stmts[query]; other != nil {
		return other, s.Close()
	}
	if p.stmts == nil {
		p.stmts = map[string]*sql.Stmt{}
	}
	p.stmts[query] = s
	return s, nil
}

// reading returns the statement for query over the readers. Preparing it may hang with
// the disk, so it holds no lock.
func (d *DB) reading(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := d.asked.find(query); s != nil {
		return s, nil
	}
	s, err := d.readers.PrepareContext(ctx, d.dialect.rewrite(query))
	if err != nil {
		return nil, err
	}
	return d.asked.keep(query, s)
}

// each asks the readers and hands every row to scan, until ctx ends or the store has
// not answered in time. It returns then although the driver may be stuck in the kernel,
// where no context can interrupt it, and calls scan no more.
func (d *DB) each(ctx context.Context, query string, scan func(scanner) error, args ...any) error {
	begun, ok := d.reads.begin(d.answerWithin)
	if !ok {
		return errNoAnswer
	}
	limited, cancel := context.WithTimeoutCause(ctx, d.answerWithin, errNoAnswer)
	defer cancel()
	var guard scanGuard
	answer := make(chan error, 1)
	go func() {
		defer d.reads.end(begun)
		answer <- d.askAgain(limited, query, guard.during(scan), args)
	}()
	var err error
	select {
	case err = <-answer:
	case <-limited.Done():
		guard.close()
		err = limited.Err()
	}
	if err != nil && errors.Is(context.Cause(limited), errNoAnswer) {
		d.reads.giveUp()
		return errNoAnswer
	}
	if err = d.classify(err); errors.Is(err, alert.ErrUnavailable) && ctx.Err() == nil {
		d.reads.refuse(query, args, err)
	}
	return err
}

// askAgain runs a query, on another connection if that of the first has ended, unless it has
// brought rows.
func (d *DB) askAgain(ctx context.Context, query string, scan func(scanner) error, args []any) (err error) {
	scanned := false
	for range mostTries {
		err = d.ask(ctx, query, func(s scanner) error {
			scanned = true
			return scan(s)
		}, args)
		if scanned || !d.mayTryAgain(err) {
			break
		}
	}
	return err
}

// mostTries is more than there are connections for reading, of which each may have ended.
const mostTries = 8

func (d *DB) mayTryAgain(err error) bool {
	return err != nil && d.dialect.again != nil && d.dialect.again(err)
}

// ask runs a query. A panic in scan fails it.
func (d *DB) ask(ctx context.Context, query string, scan func(scanner) error, args []any) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{value: value, stack: debug.Stack()}
		}
	}()
	stmt, err := d.reading(ctx, query) //nolint:sqlclosecheck // kept until prepared.close
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	return scanAll(rows, scan)
}

// scanGuard ends the calls of a scan function whose caller has gone.
type scanGuard struct {
	mu     sync.Mutex
	closed bool
}

func (g *scanGuard) during(scan func(scanner) error) func(scanner) error {
	return func(s scanner) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.closed {
			return context.Canceled
		}
		return scan(s)
	}
}

// close waits for a call that has begun.
func (g *scanGuard) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// scanner is one row of an answer.
type scanner interface{ Scan(dest ...any) error }

func scanAll(rows *sql.Rows, scan func(scanner) error) error {
	for rows.Next() {
		if err := scan(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}
