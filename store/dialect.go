package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"
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
	// patience ends a group of writes that the engine doesn't answer; 0 for an
	// engine in this process.
	patience time.Duration
	// free counts the pages that hold nothing any more, shrink gives some back
	// to the disk; empty for an engine that does so by itself.
	free, shrink string
	// unavailable: the store is at fault, not the request.
	unavailable func(error) bool
	// aborted: a COMMIT that failed in this way was certainly not done.
	aborted func(error) bool
	// duplicate: the request breaks the unique index on this column.
	duplicate func(err error, column string) bool
}

// rewrite writes query as the engine wants it. Queries have no ? but placeholders.
func (d dialect) rewrite(query string) string {
	query = withWords(query)
	query = strings.NewReplacer("{oneof}", d.oneOf, "{oneofnumbers}", d.oneOfNumbers).Replace(query)
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

// reading returns the statement for query over the readers.
func (d *DB) reading(ctx context.Context, query string) (*sql.Stmt, error) {
	d.asked.mu.Lock()
	defer d.asked.mu.Unlock()
	if s := d.asked.stmts[query]; s != nil {
		return s, nil
	}
	s, err := d.readers.PrepareContext(ctx, d.dialect.rewrite(query)) //nolint:sqlclosecheck // kept until prepared.close
	if err != nil {
		return nil, err
	}
	if d.asked.stmts == nil {
		d.asked.stmts = map[string]*sql.Stmt{}
	}
	d.asked.stmts[query] = s
	return s, nil
}

// each asks the readers and hands every row to scan.
func (d *DB) each(ctx context.Context, query string, scan func(scanner) error, args ...any) error {
	stmt, err := d.reading(ctx, query) //nolint:sqlclosecheck // kept until prepared.close
	if err != nil {
		return d.classify(err)
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return d.classify(err)
	}
	return d.classify(scanAll(rows, scan))
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
