package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"tocsin/alert"
)

// Snapshot is a store as it was at one moment. It is read beside a daemon that may use the
// store, which it does not disturb; a SQLite store keeps its WAL until the snapshot is closed.
type Snapshot struct {
	// name is the store's, without a password.
	name string
	// path is the database's; empty for PostgreSQL.
	path    string
	dialect dialect
	db      *sql.DB
	// conn is in a transaction that reads.
	conn  *sql.Conn
	ended bool
	// alone: no other process had it open.
	alone  bool
	schema int64
}

// OpenSnapshot opens the store that url names, which must exist, for reading. An error is
// one line that names the store and says what to do.
func OpenSnapshot(ctx context.Context, url string) (*Snapshot, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return openFile(ctx, path)
	}
	s := &Snapshot{dialect: postgresDialect(0)}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errBadURL
	}
	configurePostgres(config)
	s.name = net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))) + "/" + config.Database
	s.db = stdlib.OpenDB(*config)
	return s.begin(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "postgres")
}

// openFile opens a SQLite store, or a backup of one, beside which it makes no files.
func openFile(ctx context.Context, path string) (*Snapshot, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := checkFile(path); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s := &Snapshot{name: path, path: path, dialect: sqliteDialect()}
	q := url.Values{"mode": {"ro"}, "_error_rc": {"1"}, "_pragma": {"busy_timeout(5000)"}}
	if !exists(path + "-wal") { // no daemon has it open, or it would have made one
		s.alone = true
		q.Set("immutable", "1")
	}
	s.db = sql.OpenDB(onlookerConnector((&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()))
	return s.begin(ctx, "BEGIN", "sqlite")
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// checkAlone returns an error if a daemon has begun to use a file that was opened as one that
// nobody writes.
func (s *Snapshot) checkAlone() error {
	if s.alone && exists(s.path+"-wal") {
		return errors.New("a daemon has begun to use it meanwhile: try again")
	}
	return nil
}

var errNotAFile = errors.New("it is not a file")

// checkFile refuses what can't be a SQLite database.
func checkFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return errors.New("there is none")
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errNotAFile
	case info.Size() == 0:
		return errors.New("it is empty")
	}
	return checkHeader(path)
}

// begin starts the transaction and refuses what is not a store of a schema that is known.
func (s *Snapshot) begin(ctx context.Context, begin, folder string) (_ *Snapshot, err error) {
	if s.conn, err = s.db.Conn(ctx); err == nil {
		_, err = s.conn.ExecContext(ctx, begin)
	}
	if err == nil {
		err = s.readSchema(ctx, folder)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", s.name, err), s.Close())
	}
	return s, nil
}

func (s *Snapshot) readSchema(ctx context.Context, folder string) error {
	err := s.conn.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version").Scan(&s.schema)
	if err != nil {
		if s.dialect.unavailable(err) {
			return fmt.Errorf("%w: %s", err, s.dialect.remedy(err))
		}
		return fmt.Errorf("tocsin has not written it: %w", err)
	}
	knows, err := knownSchema(folder)
	return cmp.Or(err, newerSchema(s.schema, knows))
}

// Schema is the version of the store's tables.
func (s *Snapshot) Schema() int64 { return s.schema }

// end ends the transaction, after which a daemon can empty its WAL.
func (s *Snapshot) end(ctx context.Context) error {
	if s.ended {
		return nil
	}
	s.ended = true
	_, err := s.conn.ExecContext(ctx, "ROLLBACK")
	return err
}

// Close ends the snapshot; closing twice is the same as once.
func (s *Snapshot) Close() error {
	conn := s.conn
	s.conn = nil
	if conn == nil {
		return s.db.Close()
	}
	return errors.Join(conn.Close(), s.db.Close()) // which ends the transaction
}

// each hands every row of an answer to scan.
func (s *Snapshot) each(ctx context.Context, query string, scan func(scanner) error, args ...any) error {
	rows, err := s.conn.QueryContext(ctx, s.dialect.rewrite(query), args...)
	if err != nil {
		return err
	}
	return scanAll(rows, scan)
}

// Ledger is DB.Ledger of the snapshot.
func (s *Snapshot) Ledger(ctx context.Context) (alert.Ledger, error) { return readLedger(ctx, s.each) }

// Report is what Check has found.
type Report struct {
	Store  string       `json:"store"`
	Schema int64        `json:"schema"`
	OK     bool         `json:"ok"`
	Ledger alert.Counts `json:"ledger"`
	// Arrivals are the requests that standbys have accepted and that are not in the ledger
	// yet, because no active replica has decided them.
	Arrivals int64 `json:"arrivals"`
	// Problems are one line each, for people.
	Problems []string `json:"problems"`
}

// arrivalsSince is the schema that has the table.
const arrivalsSince = 23

// Check reads everything: it looks for damage in a SQLite file, for rows that refer to none,
// and for a ledger that does not agree with the alerts. A million alerts take some ten
// seconds.
func (s *Snapshot) Check(ctx context.Context) (Report, error) {
	r := Report{Store: s.name, Schema: s.schema, Problems: []string{}}
	if s.path != "" {
		if err := s.checkPages(ctx, &r); err != nil {
			return r, fmt.Errorf("check store %s: %w", s.name, err)
		}
	}
	err := cmp.Or(s.checkLedger(ctx, &r), s.checkRows(ctx, &r))
	if err == nil && s.schema >= arrivalsSince {
		err = s.each(ctx, "SELECT count(*) FROM arrivals", func(row scanner) error { return row.Scan(&r.Arrivals) })
	}
	if err != nil && len(r.Problems) > 0 {
		r.Problems, err = append(r.Problems, "the ledger can't be read: "+err.Error()), nil
	}
	if err = cmp.Or(err, s.checkAlone()); err != nil {
		return r, fmt.Errorf("check store %s: %w", s.name, err)
	}
	r.OK = len(r.Problems) == 0
	return r, nil
}

func (s *Snapshot) checkPages(ctx context.Context, r *Report) error {
	err := s.each(ctx, "PRAGMA integrity_check(20)", func(row scanner) error {
		var line string
		err := row.Scan(&line)
		if line != "ok" {
			r.Problems = append(r.Problems, strings.ReplaceAll(line, "\n", " "))
		}
		return err
	})
	if err == nil {
		err = s.each(ctx, "SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2", func(row scanner) error {
			var table, parent string
			var n int64
			err := row.Scan(&table, &parent, &n)
			r.Problems = append(r.Problems, fmt.Sprintf("%d rows of %s refer to rows of %s that do not exist", n, table, parent))
			return err
		})
	}
	if damaged(err) {
		r.Problems, err = append(r.Problems, err.Error()), nil
	}
	return err
}

// countedRows has the alerts of each lane by their standing.
const countedRows = `SELECT l.name, a.standing, count(*) FROM alerts a JOIN lanes l ON l.n = a.lane GROUP BY l.name, a.standing`

// checkLedger compares the ledger with the alerts. It goes on counting those that were
// forgotten after their retention.
func (s *Snapshot) checkLedger(ctx context.Context, r *Report) error {
	l, err := s.Ledger(ctx)
	if err != nil {
		return err
	}
	r.Ledger = l.Total
	rows := map[string]alert.Counts{}
	err = s.each(ctx, countedRows, func(row scanner) error {
		var lane string
		var standing alert.Standing
		var n int64
		err := row.Scan(&lane, word(&standing), &n)
		c := rows[lane]
		add(&c, standing, n)
		rows[lane] = c
		return err
	})
	if err != nil {
		return err
	}
	for _, lane := range l.Lanes {
		have := rows[lane.Lane]
		delete(rows, lane.Lane)
		if have.Pending != lane.Pending || have.Delivered > lane.Delivered || have.Folded > lane.Folded ||
			have.Silenced > lane.Silenced || have.Dead > lane.Dead {
			r.Problems = append(r.Problems, fmt.Sprintf("the ledger of %s has %s, and its alerts are %s", lane.Lane, inWords(lane.Counts), inWords(have)))
		}
	}
	for lane, have := range rows {
		r.Problems = append(r.Problems, fmt.Sprintf("the ledger has no line for %s, whose alerts are %s", lane, inWords(have)))
	}
	return nil
}

// missingRows are queries that count what refers to a row that is not there. What is forgotten after its
// retention leaves none of these.
func missingRows() [][2]string {
	return [][2]string{
		{"incidents whose alert is missing", `SELECT count(*) FROM incidents i WHERE i.content IS NOT NULL AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.n = i.content)`},
		{"alerts whose delivery is missing", `SELECT count(*) FROM alerts a WHERE a.shown IS NOT NULL AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.n = a.shown)`},
	}
}

// checkRows looks for rows that are missing although nothing forgets them. The last alert is
// kept for ever, unless it is dead.
func (s *Snapshot) checkRows(ctx context.Context, r *Report) error {
	for _, rows := range missingRows() {
		err := s.each(ctx, rows[1], func(row scanner) error {
			var n int64
			err := row.Scan(&n)
			if n > 0 {
				r.Problems = append(r.Problems, fmt.Sprintf("%s: %d", rows[0], n))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	rows := 0
	err := s.each(ctx, "SELECT n FROM alerts LIMIT 1", func(scanner) error {
		rows++
		return nil
	})
	if rows == 0 && r.Ledger.Accepted > 0 && r.Ledger.Dead == 0 {
		r.Problems = append(r.Problems, fmt.Sprintf("there are no alerts, of %d in the ledger", r.Ledger.Accepted))
	}
	return err
}

func inWords(c alert.Counts) string {
	return fmt.Sprintf("%d pending, %d delivered, %d folded, %d silenced, %d dead", c.Pending, c.Delivered, c.Folded, c.Silenced, c.Dead)
}
