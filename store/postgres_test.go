package store

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"tocsin/alert"
)

func TestPostgresKeepsItsWord(t *testing.T) {
	suite(t, func(t *testing.T) *DB { return reopen(t, postgresSchema(t)) })
}

// postgresSchema makes a schema that goes with the test, and returns the URL of
// a store in it.
func postgresSchema(t testing.TB) string {
	t.Helper()
	server := os.Getenv("TOCSIN_TEST_POSTGRES")
	if server == "" {
		if os.Getenv("TOCSIN_CI_STRICT") == "1" {
			t.Fatal("TOCSIN_TEST_POSTGRES is not set, and no test may be skipped here")
		}
		t.Skip("needs PostgreSQL: set TOCSIN_TEST_POSTGRES to a postgres:// URL")
	}
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	schema := "tocsin_" + strings.ReplaceAll(alert.NewID(), "-", "")
	if _, err := db.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := db.Exec("DROP SCHEMA " + schema + " CASCADE")
		if err != nil {
			t.Error(err)
		}
		_ = db.Close()
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

func TestPostgresSecondDaemonIsRefused(t *testing.T) {
	url := postgresSchema(t)
	first := reopen(t, url)
	_, err := Open(t.Context(), url, Options{})
	mustBe(t, err, ErrHeld)
	mustSay(t, err, "another tocsin uses it (connected from the database host since ", "pg_terminate_backend(", "stop that one")
	must(t, first.Close())
	for held := true; held; { // the server ends the session a little after it was told to
		next, err := Open(t.Context(), url, Options{})
		if held = errors.Is(err, ErrHeld); !held {
			must(t, err)
			must(t, next.Close())
		}
	}
}

func TestPostgresLimitsInTheURLReplaceTheDefaults(t *testing.T) {
	config, err := pgx.ParseConfig("postgres://host/database?tcp_user_timeout=2000&connect_timeout=1")
	must(t, err)
	configurePostgres(config)
	if got := config.RuntimeParams; got["tcp_user_timeout"] != "2000" || got["tcp_keepalives_idle"] != "5" || config.ConnectTimeout != time.Second {
		t.Errorf("the session's parameters are %v, the limit to connect %s", got, config.ConnectTimeout)
	}
}

func TestPostgresLostConnectionIsMadeAgain(t *testing.T) {
	d := reopen(t, postgresSchema(t))
	commit(t, d, fire(incident("a", "#db", 1)))
	must(t, d.each(t.Context(), `SELECT pg_terminate_backend(l.pid, 10000) FROM pg_locks l
		WHERE l.locktype = 'advisory' AND l.objid = (hashtext(current_schema())::bigint & 4294967295)::oid`,
		func(s scanner) error { return s.Scan(new(bool)) }))
	commit(t, d, fire(incident("b", "#db", 1)))
	must(t, d.Ping(t.Context()))
	if l := balanced(t, d); l.Total.Accepted != 2 {
		t.Errorf("%d alerts accepted, want 2", l.Total.Accepted)
	}
}

func TestPostgresURLIsNeverQuoted(t *testing.T) {
	_, err := Open(t.Context(), "postgres://me:secret@host:notaport/db", Options{})
	mustSay(t, err, "write postgres://")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the password is in the error: %v", err)
	}
	_, err = Open(t.Context(), "postgres://me:secret@127.0.0.1:1/db?sslmode=disable", Options{})
	mustSay(t, err, "127.0.0.1:1/db")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the password is in the error: %v", err)
	}
}

func BenchmarkPostgres(b *testing.B) {
	_ = stdlib.GetDefaultDriver()
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("commit/senders=%d/batch=1", n), func(b *testing.B) {
			benchCommit(b, openBenchAt(b, postgresSchema(b)), n, 1)
		})
	}
	b.Run("commit/senders=1/batch=500", func(b *testing.B) {
		benchCommit(b, openBenchAt(b, postgresSchema(b)), 1, 500)
	})
	b.Run("claim+finish", func(b *testing.B) { benchClaimFinish(b, openBenchAt(b, postgresSchema(b))) })
}

// anotherRole makes a role that may not do anything yet. do runs statements as the owner of the
// store, in which ROLE_ and SCHEMA_ are names.
func anotherRole(t *testing.T, store string) (asRole, schema string, do func(string)) {
	t.Helper()
	u, err := url.Parse(store)
	must(t, err)
	schema = u.Query().Get("search_path")
	role := schema + "_role"
	db, err := sql.Open("pgx", store)
	must(t, err)
	do = func(statement string) {
		t.Helper()
		_, err := db.Exec(strings.NewReplacer("ROLE_", role, "SCHEMA_", schema).Replace(statement))
		must(t, err)
	}
	do("CREATE ROLE ROLE_ LOGIN PASSWORD 'secret'")
	t.Cleanup(func() {
		do("DROP OWNED BY ROLE_ CASCADE; DROP ROLE ROLE_")
		must(t, db.Close())
	})
	u.User = url.UserPassword(role, "secret")
	return u.String(), schema, do
}

func TestPostgresThatRefusesReadersIsAProblemUntilItTakesThem(t *testing.T) {
	asRole, _, do := anotherRole(t, postgresSchema(t))
	do("GRANT ALL ON SCHEMA SCHEMA_ TO ROLE_")
	d := reopen(t, asRole)
	commit(t, d, fire(incident("a", "#db", 1)))
	mustBeWell(t, d)

	do("ALTER ROLE ROLE_ CONNECTION LIMIT 1")
	do(`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'ROLE_'
		AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')`)
	succeeds(t, func() error { // the first read may find a session that has been ended
		_, err := d.Load(t.Context(), alert.Query{Keys: []string{"key-a"}})
		if p := d.Problems(); len(p) == 1 && strings.Contains(p[0].Fix, "role 14 connections for each replica") {
			return nil
		}
		return fmt.Errorf("the problems are %+v after %w", d.Problems(), err)
	})
	mustHaveProblem(t, d)
	do("ALTER ROLE ROLE_ CONNECTION LIMIT -1")
	mustBeWell(t, d)
}

func TestPostgresTableThatIsLockedAgainstWritesIsAProblemUntilItIsFree(t *testing.T) {
	url := postgresSchema(t)
	d := reopenAnswering(t, url, time.Second)
	commit(t, d, fire(incident("a", "#db", 1)))
	db, err := sql.Open("pgx", url)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	lock, err := db.Begin()
	must(t, err)
	t.Cleanup(func() { _ = lock.Rollback() })             // if the test has failed, or the schema could not be dropped
	_, err = lock.Exec("LOCK TABLE alerts IN SHARE MODE") // as CREATE INDEX does
	must(t, err)
	mustBe(t, d.Commit(t.Context(), fire(incident("b", "#db", 1))), alert.ErrUnavailable)
	mustSayFix(t, d, "who holds locks there")
	// This needs another table. The session that was given up may still be ending.
	succeeds(t, func() error { return d.SetHomeHash(t.Context(), "U1", "hash") })
	mustHaveProblem(t, d)
	must(t, lock.Rollback())
	mustBeWell(t, d)
}

func TestPostgresTransactionThatIsRolledBackForAnotherIsWrittenAgain(t *testing.T) {
	url := postgresSchema(t)
	d := reopen(t, url)
	db, err := sql.Open("pgx", url)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	for _, query := range []string{
		"CREATE SEQUENCE tries",
		`CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('tries') % 3 <> 0 THEN RAISE 'could not serialize access' USING ERRCODE = CASE currval('tries') % 3 WHEN 1 THEN '40001' ELSE '40P01' END; END IF;
			RETURN NULL; END $$`,
		"CREATE TRIGGER conflict BEFORE INSERT ON alerts FOR EACH STATEMENT EXECUTE FUNCTION conflict()",
	} {
		_, err := db.Exec(query)
		must(t, err)
	}
	for _, id := range []string{"a", "b"} {
		commit(t, d, fire(incident(id, "#db", 1)))
	}
	mustBeWell(t, d)
	if l := balanced(t, d); l.Total.Accepted != 2 {
		t.Errorf("%d alerts accepted, want 2", l.Total.Accepted)
	}
}

func TestPostgresRightThatIsLostIsAProblemUntilItIsGivenBack(t *testing.T) {
	asRole, _, do := anotherRole(t, postgresSchema(t))
	do("GRANT ALL ON SCHEMA SCHEMA_ TO ROLE_")
	d := reopen(t, asRole)
	commit(t, d, fire(incident("a", "#db", 1)))
	do("REVOKE INSERT ON SCHEMA_.alerts FROM ROLE_")
	mustBe(t, d.Commit(t.Context(), fire(incident("b", "#db", 1))), alert.ErrUnavailable)
	mustSayFix(t, d, "GRANT")
	do("GRANT INSERT ON SCHEMA_.alerts TO ROLE_")
	succeeds(t, func() error { return d.Commit(t.Context(), fire(incident("c", "#db", 1))) })
	mustBeWell(t, d)
}

// Other statements succeed meanwhile, those of Ping among them.
func TestPostgresStatementThatFailsAgainAndAgainIsAProblemUntilItSucceeds(t *testing.T) {
	for name, c := range map[string]struct{ without, with, fix string }{
		"a right":      {"REVOKE INSERT ON SCHEMA_.alerts FROM ROLE_", "GRANT INSERT ON SCHEMA_.alerts TO ROLE_", "GRANT"},
		"a constraint": {"ALTER TABLE SCHEMA_.alerts ADD CONSTRAINT never CHECK (false) NOT VALID", "ALTER TABLE SCHEMA_.alerts DROP CONSTRAINT never", "change the database back"},
	} {
		t.Run(name, func(t *testing.T) {
			owned := postgresSchema(t)
			must(t, reopen(t, owned).Close())
			asRole, _, do := anotherRole(t, owned)
			do("GRANT USAGE ON SCHEMA SCHEMA_ TO ROLE_; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA SCHEMA_ TO ROLE_")
			d := reopen(t, asRole)
			commit(t, d, fire(incident("a", "#db", 1)))
			do(c.without)
			for n := range failingTimes {
				if c.fix != "GRANT" {
					mustBeWell(t, d)
				}
				if err := d.Commit(t.Context(), fire(incident(fmt.Sprint("b", n), "#db", 1))); err == nil {
					t.Fatal("it is committed")
				}
			}
			must(t, d.Ping(t.Context()))
			must(t, d.Ping(t.Context()))
			mustSayFix(t, d, c.fix)
			do(c.with)
			succeeds(t, func() error { return d.Commit(t.Context(), fire(incident("c", "#db", 1))) })
			mustBeWell(t, d)
		})
	}
}
