package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tocsin/alert"
)

const (
	// sqliteReaders is how many questions are answered at the same time.
	sqliteReaders = 4
	// sqliteChecked is the largest file that is checked as a whole when it is
	// opened; that takes some 10 ms. A larger one is checked as it is read.
	sqliteChecked = 8 << 20
)

func sqliteDialect() dialect {
	return dialect{
		begin:        "BEGIN IMMEDIATE",
		oneOf:        "IN (SELECT value FROM json_each(?))",
		oneOfNumbers: "IN (SELECT value FROM json_each(?))",
		free:         "PRAGMA freelist_count",
		shrink:       "PRAGMA incremental_vacuum(200)",
		binary:       "COLLATE BINARY",
		tableExists:  "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?",
		unavailable:  sqliteUnavailable,
		remedy:       sqliteRepair,
		aborted:      func(err error) bool { return sqliteCode(err) == sqlite3.SQLITE_FULL },
		duplicate: func(err error, column string) bool {
			return sqliteCode(err) == sqlite3.SQLITE_CONSTRAINT && strings.Contains(err.Error(), column)
		},
	}
}

func (d *DB) openSQLite(ctx context.Context, path string) (*writer, error) {
	d.dialect, d.self = sqliteDialect(), nil
	if path == "" || os.IsPathSeparator(path[len(path)-1]) {
		return nil, fmt.Errorf("open store %q: it names no file: write sqlite:PATH", path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if d.files, err = claimFiles(path); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, orFull(err))
	}
	d.release, path = d.files.close, d.files.path
	w, err := d.startSQLite(ctx, path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, orFull(sqliteRemedy(err))), d.giveUp())
	}
	return w, nil
}

// orFull is err, as ErrFull if the disk is. SQLite reports a full disk with another code
// when it can't enlarge the -shm file.
func orFull(err error) error {
	var e *sqlite.Error
	noRoom := errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_FULL || e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE)
	if noRoom || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// giveUp closes what a failed open left open.
func (d *DB) giveUp() error {
	var errs []error
	for _, pool := range []*sql.DB{d.readers, d.writers} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(append(errs, d.release())...)
}

func (d *DB) startSQLite(ctx context.Context, path string) (*writer, error) {
	if err := checkHeader(path); err != nil {
		return nil, err
	}
	if err := refuseForeign(ctx, path); err != nil {
		return nil, err
	}
	// SQLite commits with fsync unless told otherwise. fdatasync also keeps
	// data and size, and leaves out the timestamps, for which ext4 would wait.
	if _, err := sqlite.Fdatasync(true); err != nil && !errors.Is(err, sqlite.ErrFdatasyncUnavailable) {
		return nil, fmt.Errorf("choose fdatasync: %w", err)
	}
	d.writers = sql.OpenDB(sqliteConnector{dsn: sqliteDSN(path, false), files: d.files})
	d.writers.SetMaxOpenConns(1)
	if err := quickCheck(ctx, d.writers, path); err != nil {
		return nil, err
	}
	if err := d.migrate(ctx, goose.DialectSQLite3, "sqlite"); err != nil {
		return nil, err
	}
	d.readers = sql.OpenDB(sqliteConnector{dsn: sqliteDSN(path, true), reader: true, files: d.files})
	d.readers.SetMaxOpenConns(sqliteReaders)
	d.readers.SetMaxIdleConns(sqliteReaders)
	w := &writer{dialect: d.dialect, dial: d.writers.Conn, files: d.files, into: newInsertions(), tally: &d.tally, rules: &d.rules, grouped: &d.grouped, keys: &d.keys, aliases: &d.aliases, failing: &d.failing}
	return w, w.connect(ctx)
}

// sqliteDSN names a connection to path. Every setting that durability hangs on
// stands here, and sqliteConnector makes sure of it again.
func sqliteDSN(path string, reader bool) string {
	q := url.Values{}
	q.Set("_error_rc", "1")
	q.Add("_pragma", "busy_timeout(5000)")
	q.Add("_pragma", "foreign_keys(1)")
	q.Add("_pragma", "synchronous(FULL)")
	if reader {
		q.Set("mode", "ro")
		q.Set("_query_only", "1")
		q.Add("_pragma", "cache_size(-2000)")
	} else {
		// Before anything is written, or finished rows could never give their
		// space back without a rewrite of the whole file.
		q.Set("_auto_vacuum", "INCREMENTAL")
		q.Add("_pragma", "journal_mode(WAL)")
		// 32 MB: pages in the middle of an index, which ids and keys in no
		// order touch, are then written back once for many commits.
		q.Add("_pragma", "wal_autocheckpoint(8000)")
		q.Add("_pragma", "journal_size_limit(67108864)")
		q.Add("_pragma", "cache_size(-16000)")
		// What a statement may have to take back, which is little and never in
		// a file: those of one insert would be files in /var/tmp.
		q.Add("_pragma", "temp_store(MEMORY)")
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// sqliteConnector opens connections and asserts what they promise.
type sqliteConnector struct {
	dsn    string
	reader bool
	files  *files
}

func (c sqliteConnector) Driver() driver.Driver { return &sqlite.Driver{} }

func (c sqliteConnector) Connect(context.Context) (driver.Conn, error) {
	if err := c.files.check(); err != nil { // SQLite would open what is there now
		return nil, err
	}
	conn, err := c.Driver().Open(c.dsn)
	if err != nil {
		return nil, err
	}
	if err := keepWAL(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	want := map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1"}
	if c.reader {
		want["query_only"] = "1"
	}
	for pragma, value := range want {
		if err := assertPragma(conn, pragma, value); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// keepWAL leaves the WAL, empty, where it is when the last connection closes. SQLite
// would remove it by its name, which may have become that of another daemon's WAL.
func keepWAL(conn driver.Conn) error {
	control, ok := conn.(sqlite.FileControl)
	if !ok {
		return errors.New("keep WAL: the driver can't be asked")
	}
	if _, err := control.FileControlPersistWAL("main", 1); err != nil {
		return fmt.Errorf("keep WAL: %w", err)
	}
	return nil
}

func assertPragma(conn driver.Conn, pragma, want string) error {
	asker, ok := conn.(driver.QueryerContext)
	if !ok {
		return fmt.Errorf("check %s: the driver can't be asked", pragma)
	}
	rows, err := asker.QueryContext(context.Background(), "PRAGMA "+pragma, nil)
	if err != nil {
		return fmt.Errorf("check %s: %w", pragma, err)
	}
	got := make([]driver.Value, 1)
	if err := errors.Join(rows.Next(got), rows.Close()); err != nil {
		return fmt.Errorf("check %s: %w", pragma, err)
	}
	if fmt.Sprint(got[0]) != want {
		return fmt.Errorf("check %s: it is %v and must be %s", pragma, got[0], want)
	}
	return nil
}

const corruptRemedy = "move it away to begin with an empty store, or restore it from a backup (tocsin store restore)"

var errNoDatabase = errors.New("it is not a SQLite database")

// checkHeader refuses a file that was never a SQLite database, before SQLite
// has a chance to write to it.
func checkHeader(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	const magic = "SQLite format 3\x00"
	head := make([]byte, len(magic))
	n, err := io.ReadFull(f, head)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if string(head[:n]) != magic {
		return errNoDatabase
	}
	return nil
}

// refuseForeign refuses the database of another program, before anything is
// written to it. A file that can't be read is for others to explain.
func refuseForeign(ctx context.Context, path string) error {
	db := sql.OpenDB(onlookerConnector((&url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro"}).String()))
	defer func() { _ = db.Close() }() // nothing was written
	var tables, ours int
	const query = "SELECT count(*), count(CASE WHEN name = 'goose_db_version' THEN 1 END) FROM sqlite_master WHERE type = 'table'"
	err := db.QueryRowContext(ctx, query).Scan(&tables, &ours)
	if err == nil && tables > 0 && ours == 0 {
		return errors.New("it is the database of another program: give tocsin one of its own with TOCSIN_STORE")
	}
	return nil
}

// onlookerConnector opens a file as it is, without the settings of a store.
type onlookerConnector string

func (c onlookerConnector) Driver() driver.Driver { return &sqlite.Driver{} }

func (c onlookerConnector) Connect(context.Context) (driver.Conn, error) {
	return c.Driver().Open(string(c))
}

// quickCheck reads a small file as a whole.
func quickCheck(ctx context.Context, db *sql.DB, path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() > sqliteChecked {
		return err
	}
	var answer string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&answer); err != nil {
		return fmt.Errorf("check it: %w", err)
	}
	if answer != "ok" {
		return fmt.Errorf("it is damaged (%s): %s", strings.ReplaceAll(answer, "\n", " "), corruptRemedy)
	}
	return nil
}

// sqliteRemedy adds what to do about an error while opening.
func sqliteRemedy(err error) error {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("it is damaged: %w: %s", err, corruptRemedy)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return folderRemedy(err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: make room on its disk", err)
	}
	switch {
	case errors.Is(err, errNoDatabase):
		return fmt.Errorf("%w: %s", err, corruptRemedy)
	case errors.Is(err, fs.ErrPermission):
		return folderRemedy(err)
	}
	return err
}

// sqliteCode is SQLite's primary result code, or 0 for another error.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// sqliteUnavailable: the disk is full, read-only, failing or damaged, or the
// file is held by another program. See https://www.sqlite.org/rescode.html.
func sqliteUnavailable(err error) bool {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM,
		sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return errors.Is(err, sql.ErrConnDone) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, alert.ErrUnavailable)
}

// sqliteRepair says what to do about an error of an open store.
func sqliteRepair(err error) string {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "another process holds a lock on the database: find it with fuser or lsof and end its transaction" + continues
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return "the database is damaged: check its disk, stop Tocsin, and " + corruptRemedy
	case sqlite3.SQLITE_FULL:
		return "make room on the store's disk" + continues
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return "check that this user can write the store's files and folder, and that the disk is not mounted read-only" + continues
	}
	return "check the store's disk: that it works, has room and can be written" + continues
}
