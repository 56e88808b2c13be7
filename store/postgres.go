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
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	postgresReaders = 4
	// postgresPatience is how long a group of writes may take before its
	// connection counts as lost.
	postgresPatience = 30 * time.Second
	// postgresDial bounds an attempt to connect, for which writers wait.
	postgresDial = 5 * time.Second
	// postgresLock is the first half of the advisory lock's key ("toc"); the
	// second is a hash of the schema, so that one database can hold several.
	postgresLock = 0x746f63
)

func postgresDialect() dialect {
	return dialect{
		begin:        "BEGIN",
		numbered:     true,
		oneOf:        "= ANY(ARRAY(SELECT json_array_elements_text(?::json)))",
		oneOfNumbers: "= ANY(ARRAY(SELECT json_array_elements_text(?::json)::bigint))",
		patience:     postgresPatience,
		unavailable:  postgresUnavailable,
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

func (d *DB) openPostgres(ctx context.Context, url string) (*writer, error) {
	d.dialect = postgresDialect()
	d.release = func() error { return nil }
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// The error quotes the URL, and with it perhaps the password.
		return nil, errors.New("open store: the URL doesn't parse: write postgres://user:password@host:5432/database")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = postgresDial
	}
	// Every query of ours has its index. Statements that were planned while the
	// tables were empty would go on reading them whole until the next ANALYZE.
	config.RuntimeParams["enable_seqscan"] = "off"
	config.RuntimeParams["jit"] = "off"
	name := net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))) + "/" + config.Database
	d.writers, d.readers = stdlib.OpenDB(*config), stdlib.OpenDB(*config)
	d.writers.SetMaxOpenConns(2)
	d.writers.SetMaxIdleConns(0)
	d.readers.SetMaxOpenConns(postgresReaders)
	d.readers.SetMaxIdleConns(postgresReaders)
	w := &writer{dialect: d.dialect, into: newInsertions(), tally: &d.tally, rules: &d.rules, keys: &d.keys, aliases: &d.aliases}
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
	var held bool
	err = conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1::int, hashtext(coalesce(current_schema(), '')))",
		postgresLock).Scan(&held)
	if err == nil && !held {
		err = errors.New("another tocsin uses it: stop that one, or give this one a database of its own with TOCSIN_STORE")
	}
	if err == nil {
		err = migrate(ctx, d.writers, goose.DialectPostgres, "postgres")
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
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
