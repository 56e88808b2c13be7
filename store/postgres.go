package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	postgresReaders = 4
	// postgresDial bounds an attempt to connect, for which writers wait.
	postgresDial = 3 * time.Second
	// postgresPause is how long nothing is tried after an attempt that failed.
	postgresPause = time.Second
	// postgresLock is the first half of the advisory lock's key ("toc"); the
	// second is a hash of the schema, so that one database can hold several.
	postgresLock = 0x746f63
)

// How long each side keeps a TCP connection on which nothing comes back. PostgreSQL
// then ends the session and drops its lock; its own default is two hours.
const (
	tcpIdle        = 5 * time.Second
	tcpInterval    = 2 * time.Second
	tcpCount       = 3
	tcpUserTimeout = 8 * time.Second
)

// ErrHeld is why Open fails while another session holds the lock of a PostgreSQL store.
var ErrHeld = errors.New("another tocsin uses it")

// errBadURL is in place of an error that quotes the URL, and with it perhaps the password.
var errBadURL = errors.New("open store: the URL doesn't parse: write postgres://user:password@host:5432/database")

// postgresDialect returns the dialect of a store that answers within this time. A
// statement may take three fifths of it before its connection counts as lost, because
// a push may wait for two.
func postgresDialect(answerWithin time.Duration) dialect {
	return dialect{
		begin:        "BEGIN",
		numbered:     true,
		oneOf:        "= ANY(ARRAY(SELECT json_array_elements_text(?::json)))",
		oneOfNumbers: "= ANY(ARRAY(SELECT json_array_elements_text(?::json)::bigint))",
		patience:     answerWithin * 3 / 5,
		pause:        postgresPause,
		unavailable:  postgresUnavailable,
		remedy:       postgresRepair,
		aborted: func(err error) bool {
			var e *pgconn.PgError
			return errors.As(err, &e) && e.Severity == "ERROR"
		},
		duplicate: func(err error, column string) bool {
			var e *pgconn.PgError
			return errors.As(err, &e) && e.Code == "23505" && strings.Contains(e.ConstraintName, strings.ReplaceAll(column, ".", "_"))
		},
	}
}

// configurePostgres completes what the URL says.
func configurePostgres(config *pgx.ConnConfig) {
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = postgresDial
	}
	config.DialFunc = postgresDialer().DialContext
	// Every query of ours has its index. Statements that were planned while the
	// tables were empty would go on reading them whole until the next ANALYZE.
	config.RuntimeParams["enable_seqscan"] = "off"
	config.RuntimeParams["jit"] = "off"
	for name, value := range map[string]int64{ // without effect on a Unix socket
		"tcp_keepalives_idle":     int64(tcpIdle.Seconds()),
		"tcp_keepalives_interval": int64(tcpInterval.Seconds()),
		"tcp_keepalives_count":    tcpCount,
		"tcp_user_timeout":        tcpUserTimeout.Milliseconds(),
	} {
		if config.RuntimeParams[name] == "" {
			config.RuntimeParams[name] = strconv.FormatInt(value, 10)
		}
	}
}

func postgresDialer() *net.Dialer {
	const option = 18 // TCP_USER_TIMEOUT of Linux
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: tcpIdle, Interval: tcpInterval, Count: tcpCount},
		Control: func(network, _ string, c syscall.RawConn) error {
			if !strings.HasPrefix(network, "tcp") {
				return nil
			}
			var refused error
			err := c.Control(func(fd uintptr) {
				refused = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, option, int(tcpUserTimeout.Milliseconds()))
			})
			return errors.Join(err, refused)
		},
	}
}

func (d *DB) openPostgres(ctx context.Context, url string) (*writer, error) {
	d.dialect = postgresDialect(d.answerWithin)
	// Others wait a little longer than a statement, so that its own limit comes first
	// and the answer is certain.
	d.answerWithin = d.answerWithin * 7 / 10
	d.release = func() error { return nil }
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errBadURL
	}
	configurePostgres(config)
	name := net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))) + "/" + config.Database
	d.writers, d.readers = stdlib.OpenDB(*config), stdlib.OpenDB(*config)
	d.writers.SetMaxOpenConns(2)
	d.writers.SetMaxIdleConns(0)
	d.readers.SetMaxOpenConns(postgresReaders)
	d.readers.SetMaxIdleConns(postgresReaders)
	w := &writer{dialect: d.dialect, into: newInsertions(), tally: &d.tally, rules: &d.rules, grouped: &d.grouped, keys: &d.keys, aliases: &d.aliases}
	w.dial = func(ctx context.Context) (*sql.Conn, error) { return d.lockPostgres(ctx) }
	if err := w.connect(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", name, err), d.giveUp())
	}
	return w, nil
}

// lockPostgres connects for writing. The lock belongs to the connection: when
// one is lost so is the other, and no write goes by without it.
func (d *DB) lockPostgres(ctx context.Context) (*sql.Conn, error) {
	conn, err := d.writers.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: check that the server runs and that the URL in TOCSIN_STORE is right", err)
	}
	err = d.lockSchema(ctx, conn)
	if err == nil {
		err = d.migrate(ctx, goose.DialectPostgres, "postgres")
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

const (
	lockQuery   = `SELECT pg_try_advisory_lock($1::int, hashtext(coalesce(current_schema(), '')))`
	holderQuery = `SELECT format('connected from %s since %s; pg_terminate_backend(%s) ends it',
			coalesce(host(a.client_addr), 'the database host'), to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ'), l.pid)
		FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database() AND l.classid = $1::int::oid
			AND l.objid = (hashtext(coalesce(current_schema(), ''))::bigint & 4294967295)::oid`
)

// lockSchema takes the lock. If another session holds it, the error is ErrHeld and
// says which.
func (d *DB) lockSchema(ctx context.Context, conn *sql.Conn) error {
	ctx, cancel := d.dialect.limit(ctx)
	defer cancel()
	var held bool
	if err := conn.QueryRowContext(ctx, lockQuery, postgresLock).Scan(&held); err != nil || held {
		return err
	}
	holder := "it is just ending"
	err := conn.QueryRowContext(ctx, holderQuery, postgresLock).Scan(&holder)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return fmt.Errorf("%w (%s): stop that one, or give this one a database of its own with TOCSIN_STORE", ErrHeld, holder)
}

// postgresUnavailable: the connection is gone, or the server is out of disk or
// memory, shutting down or read-only. See
// https://www.postgresql.org/docs/current/errcodes-appendix.html.
func postgresUnavailable(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		for _, class := range []string{"08", "53", "57", "58", "25006", "XX"} {
			if strings.HasPrefix(e.Code, class) {
				return true
			}
		}
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.Timeout(err) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF")
}

// postgresRepair says what to do about an error of an open store.
func postgresRepair(err error) string {
	var e *pgconn.PgError
	switch {
	case errors.As(err, &e) && e.Code == "53100":
		return "make room on PostgreSQL's disk" + continues
	case errors.As(err, &e) && e.Code == "53300":
		return fmt.Sprintf("allow Tocsin's role %d connections (max_connections, ALTER ROLE, ALTER DATABASE), or end others", postgresReaders+2) + continues
	case errors.As(err, &e) && e.Code == "25006":
		return "make PostgreSQL take writes (it is read-only, perhaps a standby), or name another server in TOCSIN_STORE" + continues
	case errors.As(err, &e) && e.Code == "57014", pgconn.Timeout(err):
		return "check that PostgreSQL runs and can be reached, and who holds locks there (pg_locks)" + continues
	}
	return "check that PostgreSQL runs, can be reached and has room" + continues
}
