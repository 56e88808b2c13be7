package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.uber.org/zap"
)

// A copy is written in transactions of this many rows, or of fewer that have this many bytes.
const (
	copiedRows  = 1000
	copiedBytes = 4 << 20
)

// Copied is what Copy has done.
type Copied struct {
	// Report is that of the new store.
	Report
	From string `json:"from"`
	// Rows are all rows, Kept those of them that an interrupted copy had left.
	Rows int64 `json:"rows"`
	Kept int64 `json:"rows_kept"`
}

// Copy copies the store from into the empty store to, over either engine. No daemon may use
// one of them. p is told the rows. What is interrupted goes on when it is called again; until
// then a daemon refuses the new store. The old one is brought up to this program's tables, as
// by a daemon, and is otherwise left as it is.
func Copy(ctx context.Context, from, to string, p Progress) (_ Copied, err error) {
	if from == to {
		return Copied{}, errors.New("copy store: it would be copied onto itself: name another store")
	}
	old, err := OpenSnapshot(ctx, from) // which makes nothing where there is nothing
	if err != nil {
		return Copied{}, err
	}
	if err := old.Close(); err != nil {
		return Copied{}, err
	}
	c := copying{from: old.name, to: to, progress: p, done: Copied{From: old.name}}
	if c.source, err = openOffline(ctx, from); err != nil {
		return c.done, err
	}
	defer func() { err = errors.Join(err, c.source.close()) }()
	if c.target, err = openOffline(ctx, to); err != nil {
		return c.done, err
	}
	defer func() { err = errors.Join(err, c.target.close()) }()
	if err := c.target.db.files.own("", "-wal", "-shm", ".lock"); err != nil {
		return c.done, fmt.Errorf("copy store %s: %w", c.from, err)
	}
	switch err = c.run(ctx); {
	case err != nil && ctx.Err() != nil:
		err = fmt.Errorf("copy store %s: interrupted; when it is called again it goes on from there: %w", c.from, ctx.Err())
	case err != nil:
		err = fmt.Errorf("copy store %s: %w", c.from, orFull(err))
	}
	return c.done, err
}

// offline is a store that no daemon can use meanwhile.
type offline struct {
	db *DB
	w  *writer
}

func openOffline(ctx context.Context, url string) (*offline, error) {
	d := &DB{log: zap.NewNop()}
	w, err := d.connect(ctx, url)
	if errors.Is(err, ErrHeld) || errors.As(err, new(*inUseError)) {
		err = fmt.Errorf("%w; a store can be copied while no daemon uses it", err)
	}
	return &offline{d, w}, err
}

func (o *offline) close() error {
	o.w.close()
	return errors.Join(o.db.readers.Close(), o.db.writers.Close(), o.db.release())
}

// write does a transaction.
func (o *offline) write(ctx context.Context, do func() error) error {
	if err := o.w.files.checkAll(); err != nil {
		return err
	}
	if _, err := o.w.exec(ctx, o.db.dialect.begin); err != nil {
		return err
	}
	if err := do(); err != nil {
		_, failed := o.w.exec(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, failed)
	}
	_, err := o.w.exec(ctx, "COMMIT")
	return err
}

// exec does a transaction of these statements.
func (o *offline) exec(ctx context.Context, statements ...string) error {
	return o.write(ctx, func() error {
		for _, s := range statements {
			if _, err := o.w.conn.ExecContext(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// number asks for one.
func (o *offline) number(ctx context.Context, query string) (n int64, err error) {
	_, err = o.w.one(ctx, query, func(row scanner) error { return row.Scan(&n) })
	return n, err
}

// ordered are the rows of a table.
func (o *offline) ordered(ctx context.Context, t storedTable, columns string) (*sql.Rows, error) {
	return o.db.readers.QueryContext(ctx, o.db.dialect.rewrite("SELECT "+columns+" FROM "+t.name+" ORDER BY "+t.order))
}

// copying is one call of Copy.
type copying struct {
	from           string // for people
	to             string // the URL
	source, target *offline
	progress       Progress
	total          int64
	done           Copied
}

func (c *copying) run(ctx context.Context) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	for _, t := range tables {
		n, err := c.source.number(ctx, "SELECT count(*) FROM "+t.name)
		if err != nil {
			return err
		}
		c.total += n
	}
	for _, t := range tables {
		if err := c.table(ctx, t); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	return c.finish(ctx)
}

// begin makes sure that the target is empty, or an unfinished copy of the source.
func (c *copying) begin(ctx context.Context) error {
	if of, err := unfinishedCopy(ctx, c.source.w); err != nil || of != "" {
		return cmp.Or(err, unfinishedError(of))
	}
	of, err := unfinishedCopy(ctx, c.target.w)
	switch {
	case err != nil || of == c.from:
		return err
	case of != "":
		return fmt.Errorf("the other one is an unfinished copy of %s: finish that, or name an empty store", of)
	}
	for _, table := range []string{"lanes", "incidents", "alerts", "silences", "history", "inbox", "arrivals"} {
		n, err := c.target.number(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+table+" LIMIT 1) q")
		if err != nil {
			return err
		}
		if n > 0 {
			return errors.New("the other one is not empty, and nothing in it is replaced: name an empty store")
		}
	}
	source := "'" + strings.ReplaceAll(c.from, "'", "''") + "'"
	return c.target.exec(ctx, slices.Concat([]string{
		"CREATE TABLE " + unfinishedTable + " (source TEXT NOT NULL)",
		"INSERT INTO " + unfinishedTable + " (source) VALUES (" + source + ")",
	}, c.target.db.dialect.beforeCopy)...)
}

// errDiffers: the target's rows are not the first of the source's.
var errDiffers = errors.New("the rows that are there are not those of the store that is copied")

// table copies the rows of a table, all of them if those that an earlier call has left are
// not as they were.
func (c *copying) table(ctx context.Context, t storedTable) error {
	before := c.done
	err := c.rest(ctx, t)
	if errors.Is(err, errDiffers) {
		c.done = before
		if err = c.target.exec(ctx, "DELETE FROM "+t.name); err == nil {
			err = c.rest(ctx, t)
		}
	}
	return err
}

// rest copies the rows of a table that are not in the target yet.
func (c *copying) rest(ctx context.Context, t storedTable) (err error) {
	columns, err := c.columns(ctx, t)
	if err != nil {
		return err
	}
	rows, err := c.source.ordered(ctx, t, columns)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	there, err := c.target.ordered(ctx, t, columns)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, there.Close()) }()
	b := rowBatch{into: insertInto(t.name, columns, ""), target: c.target}
	for begun := false; rows.Next(); {
		row, err := values(rows, b.into.width)
		if err != nil {
			return err
		}
		if begun = begun || !there.Next(); begun {
			err = cmp.Or(there.Err(), there.Close(), b.add(ctx, row))
		} else {
			c.done.Kept++
			err = sameRow(there, row)
		}
		if err != nil {
			return err
		}
		c.done.Rows++
		c.progress(c.done.Rows, c.total)
	}
	if there.Next() {
		return errDiffers
	}
	return cmp.Or(rows.Err(), there.Err(), b.write(ctx))
}

// columns are those of a table, which both engines must have.
func (c *copying) columns(ctx context.Context, t storedTable) (string, error) {
	have, err := c.source.columns(ctx, t)
	if err != nil {
		return "", err
	}
	want, err := c.target.columns(ctx, t)
	if err == nil && !slices.Equal(have, want) {
		err = fmt.Errorf("its columns are %s, and %s in the new store", have, want)
	}
	return strings.Join(have, ", "), err
}

func (o *offline) columns(ctx context.Context, t storedTable) (_ []string, err error) {
	rows, err := o.db.readers.QueryContext(ctx, o.db.dialect.rewrite("SELECT * FROM "+t.name+" LIMIT 0"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	slices.Sort(names)
	return names, errors.Join(err, rows.Err())
}

// values reads a row, whose texts and bytes are its own.
func values(rows *sql.Rows, width int) ([]any, error) {
	row, into := make([]any, width), make([]any, width)
	for n := range row {
		into[n] = &row[n]
	}
	return row, rows.Scan(into...)
}

// sameRow returns errDiffers unless the row that was read last is this one.
func sameRow(rows *sql.Rows, want []any) error {
	have, err := values(rows, len(want))
	if err == nil && !reflect.DeepEqual(have, want) {
		err = errDiffers
	}
	return err
}

// rowBatch gathers rows to be written in one transaction.
type rowBatch struct {
	into   insertion
	target *offline
	args   []any
	bytes  int
}

// add writes the batch when it is large enough.
func (b *rowBatch) add(ctx context.Context, row []any) error {
	b.args = append(b.args, row...)
	for _, value := range row {
		switch v := value.(type) {
		case string:
			b.bytes += len(v)
		case []byte:
			b.bytes += len(v)
		}
	}
	if len(b.args) < copiedRows*b.into.width && b.bytes < copiedBytes {
		return nil
	}
	return b.write(ctx)
}

func (b *rowBatch) write(ctx context.Context) error {
	args := b.args
	b.args, b.bytes = nil, 0
	return b.target.write(ctx, func() error { return b.target.w.insert(ctx, b.into, args) })
}

// finish compares the ledgers, looks for damage, and gives the new store free for daemons.
func (c *copying) finish(ctx context.Context) error {
	want, err := readLedger(ctx, c.source.w.each)
	if err != nil {
		return err
	}
	if c.done.Report, err = checkCopy(ctx, c.to, want); err != nil {
		return err
	}
	return c.target.exec(ctx, append(slices.Clone(c.target.db.dialect.afterCopy), "DROP TABLE "+unfinishedTable)...)
}

// unfinishedTable is in a store until all of another one is copied into it.
const unfinishedTable = "unfinished_copy"

// unfinishedCopy is the store of which this one is an unfinished copy; empty for none.
func unfinishedCopy(ctx context.Context, w *writer) (of string, err error) {
	there, err := w.one(ctx, w.dialect.tableExists, func(scanner) error { return nil }, unfinishedTable)
	if err == nil && there {
		_, err = w.one(ctx, "SELECT source FROM "+unfinishedTable, func(row scanner) error { return row.Scan(&of) })
	}
	return of, err
}

func unfinishedError(of string) error {
	return fmt.Errorf("it is an unfinished copy of %s: finish it with the same tocsin store copy, or start again with an empty one", of)
}
