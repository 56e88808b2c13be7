package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tocsin/alert"
)

// lockFunction takes the store's lock.
const lockFunction = "pg_try_advisory_lock"

// oldestPostgres is the earliest version that a store works with.
const oldestPostgres = 13

// errPooler: advisory locks, notifications and settings of a session don't work through a
// pooler that gives each transaction another session.
var errPooler = errors.New("a pooler such as PgBouncer is between, and its sessions change with each transaction, so that the store's lock would be nobody's: " +
	"name PostgreSQL itself in TOCSIN_STORE, or a pool with pool_mode=session")

// errReadOnly passes once the server is promoted.
var errReadOnly = fmt.Errorf("%w: it is read-only, perhaps a server that follows another one: name the one that takes writes, or all of them and target_session_attrs=read-write",
	alert.ErrUnavailable)

// inspect refuses a server on which the store can't work, in one line that says why.
func (d *DB) inspect(ctx context.Context, conn *sql.Conn) error {
	ctx, cancel := d.dialect.limit(ctx)
	defer cancel()
	if err := d.findPooler(ctx, conn); err != nil {
		return err
	}
	var number int
	var readOnly bool
	err := conn.QueryRowContext(ctx, "SELECT current_setting('server_version_num')::int, current_setting('transaction_read_only')::bool").Scan(&number, &readOnly)
	switch {
	case err != nil:
		return err
	case readOnly:
		return errReadOnly
	}
	if err := supported(number); err != nil {
		return err
	}
	return checkRights(ctx, conn)
}

// supported refuses a server by its server_version_num.
func supported(number int) error {
	if major := number / 10000; major < oldestPostgres {
		return fmt.Errorf("it is PostgreSQL %d: Tocsin needs %d or a later one", major, oldestPostgres)
	}
	return nil
}

// findPooler returns errPooler if two connections have one session, or one has several.
func (d *DB) findPooler(ctx context.Context, conn *sql.Conn) (err error) {
	other, err := d.readers.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, other.Close()) }()
	var first [2]int
	for range 3 {
		var pids [2]int
		for n, c := range []*sql.Conn{conn, other} {
			// A prepared statement might be unknown in another session.
			if err := c.QueryRowContext(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&pids[n]); err != nil {
				return err
			}
		}
		if first == [2]int{} {
			first = pids
		}
		if pids[0] == pids[1] || pids != first {
			return errPooler
		}
	}
	return nil
}

const rightsQuery = `SELECT quote_ident(current_user), coalesce(quote_ident(current_schema()), ''), coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
		EXISTS (SELECT 1 FROM pg_class WHERE relname = 'goose_db_version' AND relnamespace = to_regnamespace(quote_ident(current_schema()))),
		coalesce((SELECT string_agg(p || ' on ' || c.relname, ', ' ORDER BY c.relname, p) FROM pg_class c CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p
			WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relname = ANY($1) AND NOT has_table_privilege(c.oid, p)), '')`

// checkRights names the rights that the role lacks. An update of the tables may need more.
func checkRights(ctx context.Context, conn *sql.Conn) error {
	names := []string{"goose_db_version", "replicas", "leader", "arrivals"}
	for _, t := range tables {
		names = append(names, t.name)
	}
	var role, schema, missing string
	var mayCreate, hasTables bool
	if err := conn.QueryRowContext(ctx, rightsQuery, names).Scan(&role, &schema, &mayCreate, &hasTables, &missing); err != nil {
		return err
	}
	switch {
	case schema == "":
		return fmt.Errorf("the role %s may use no schema of its search_path: GRANT USAGE, CREATE ON SCHEMA public TO %[1]s", role)
	case !hasTables && !mayCreate:
		return fmt.Errorf("the role %s lacks the right CREATE on the schema %s: GRANT CREATE ON SCHEMA %[2]s TO %[1]s", role, schema)
	case missing != "":
		return fmt.Errorf("the role %s lacks the right %s: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %[1]s", role, missing, schema)
	}
	return nil
}

// missingRight says how a role gets the right that it lacks by an error.
func missingRight(err error, role, database string) string {
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	switch {
	case connecting:
		return "GRANT CONNECT ON DATABASE " + database + " TO " + role
	case strings.Contains(err.Error(), lockFunction):
		return "GRANT EXECUTE ON FUNCTION " + lockFunction + "(int, int) TO " + role
	}
	return "make the role of TOCSIN_STORE the owner of the tables, or bring them up to date as their owner"
}

// explainPostgres adds what to do to an error of connecting or of updating the tables.
func explainPostgres(err error, config *pgx.ConnConfig) error {
	role, database := pgx.Identifier{config.User}.Sanitize(), pgx.Identifier{cmp.Or(config.Database, config.User)}.Sanitize()
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	switch code := sqlState(err); {
	case code == "08P01" && strings.Contains(err.Error(), "startup parameter"):
		return fmt.Errorf("a pooler such as PgBouncer is between and refuses the settings of a session: name PostgreSQL itself in TOCSIN_STORE (%w)", err)
	case code == "25006":
		return fmt.Errorf("%w (%w)", errReadOnly, err)
	case code == "42501":
		return fmt.Errorf("%w: %s", err, missingRight(err, role, database))
	case code == "28P01":
		return fmt.Errorf("%w: correct the password in TOCSIN_STORE, PGPASSFILE or ~/.pgpass", err)
	case code == "3D000":
		return fmt.Errorf("%w: CREATE DATABASE %s OWNER %s, or correct its name in TOCSIN_STORE", err, database, role)
	case code == "53300":
		return fmt.Errorf("%w: %s", err, postgresRepair(err))
	case connecting:
		return fmt.Errorf("%w: check that the server runs and that the URL in TOCSIN_STORE is right", err)
	}
	return err
}
