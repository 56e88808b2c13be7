package store

import (
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// pooler listens as PgBouncer does with pool_mode=transaction: all clients share one session.
type pooler struct {
	mu      sync.Mutex
	session *pgproto3.Frontend
}

// openPooler starts one that ends with the test, and returns its URL.
func openPooler(t *testing.T, server string) string {
	t.Helper()
	upstream, err := pgconn.Connect(t.Context(), server)
	must(t, err)
	session, err := upstream.Hijack()
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := pooler{session: session.Frontend}
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			clients.Go(func() {
				p.serve(pgproto3.NewBackend(conn, conn))
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		must(t, l.Close())
		clients.Wait()
		must(t, session.Conn.Close())
	})
	return "postgres://tocsin@" + l.Addr().String() + "/any?sslmode=disable"
}

// serve answers simple queries, and ends at anything else.
func (p *pooler) serve(client *pgproto3.Backend) {
	if _, err := client.ReceiveStartupMessage(); err != nil {
		return
	}
	client.Send(&pgproto3.AuthenticationOk{})
	for name, value := range map[string]string{"standard_conforming_strings": "on", "client_encoding": "UTF8"} {
		client.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	for client.Flush() == nil {
		message, err := client.Receive()
		query, ok := message.(*pgproto3.Query)
		if err != nil || !ok {
			return
		}
		if err := p.ask(client, query); err != nil {
			return
		}
	}
}

func (p *pooler) ask(client *pgproto3.Backend, query *pgproto3.Query) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session.Send(query)
	if err := p.session.Flush(); err != nil {
		return err
	}
	for {
		answer, err := p.session.Receive()
		if err != nil {
			return err
		}
		client.Send(answer)
		if _, last := answer.(*pgproto3.ReadyForQuery); last {
			return nil
		}
	}
}

func TestAPoolerInTransactionModeIsRefusedWithTheRemedy(t *testing.T) {
	_, err := Open(t.Context(), openPooler(t, postgresSchema(t)), Options{})
	mustSay(t, err, "PgBouncer", "name PostgreSQL itself in TOCSIN_STORE", "pool_mode=session")
}

func TestAPoolerThatRefusesSettingsIsRefusedWithTheRemedy(t *testing.T) {
	err := explainPostgres(&pgconn.PgError{Severity: "FATAL", Code: "08P01", Message: "unsupported startup parameter: enable_seqscan"}, &pgx.ConnConfig{})
	if !strings.Contains(err.Error(), "name PostgreSQL itself in TOCSIN_STORE") {
		t.Errorf("it says %v", err)
	}
}

func TestAnOldPostgresIsRefused(t *testing.T) {
	must(t, supported(130000))
	if err := supported(120017); err == nil || err.Error() != "it is PostgreSQL 12: Tocsin needs 13 or a later one" {
		t.Errorf("it says %v", err)
	}
}

// The line has to name the right that is missing.
func TestAMissingRightIsNamed(t *testing.T) {
	owned := postgresSchema(t)
	asRole, schema, do := anotherRole(t, owned)
	open := func() error {
		d, err := Open(t.Context(), asRole, Options{})
		if err == nil {
			must(t, d.Close())
		}
		return err
	}
	mustSay(t, open(), "may use no schema of its search_path", "GRANT USAGE, CREATE ON SCHEMA")
	do("GRANT USAGE ON SCHEMA SCHEMA_ TO ROLE_")
	mustSay(t, open(), "lacks the right CREATE on the schema "+schema, "GRANT CREATE ON SCHEMA")
	must(t, reopen(t, owned).Close())
	do("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA SCHEMA_ TO ROLE_; REVOKE DELETE ON SCHEMA_.alerts FROM ROLE_")
	mustSay(t, open(), "lacks the right DELETE on alerts", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES")
	do("GRANT DELETE ON SCHEMA_.alerts TO ROLE_; GRANT SELECT ON SCHEMA_.goose_db_version TO ROLE_")
	must(t, open())
}

// Each line has to say what a person types then.
func TestARefusalByPostgresComesWithTheStatementThatEndsIt(t *testing.T) {
	asRole, schema, do := anotherRole(t, postgresSchema(t))
	role := pgx.Identifier{schema + "_role"}.Sanitize()
	do("CREATE DATABASE SCHEMA__db")
	t.Cleanup(func() { do("DROP DATABASE SCHEMA__db") })
	do("REVOKE CONNECT ON DATABASE SCHEMA__db FROM PUBLIC")
	for database, want := range map[string]string{
		schema + "_db":      "GRANT CONNECT ON DATABASE %s TO " + role,
		schema + "_nowhere": "CREATE DATABASE %s OWNER " + role,
	} {
		u, err := url.Parse(asRole)
		must(t, err)
		u.Path = "/" + database
		_, err = Open(t.Context(), u.String(), Options{})
		mustSay(t, err, fmt.Sprintf(want, pgx.Identifier{database}.Sanitize()))
	}
	do("ALTER ROLE ROLE_ CONNECTION LIMIT 1; GRANT ALL ON SCHEMA SCHEMA_ TO ROLE_")
	_, err := Open(t.Context(), asRole, Options{})
	mustSay(t, err, "allow Tocsin's role 14 connections for each replica")

	config, err := pgx.ParseConfig(asRole)
	must(t, err)
	for message, want := range map[string]string{
		"permission denied for function pg_try_advisory_lock": "GRANT EXECUTE ON FUNCTION pg_try_advisory_lock(int, int) TO " + role,
		"must be owner of table alerts":                       "the owner of the tables",
	} {
		if err := explainPostgres(&pgconn.PgError{Code: "42501", Message: message}, config); !strings.Contains(err.Error(), want) {
			t.Errorf("it says %v, want %s", err, want)
		}
	}
}

// An administrator sets them for people.
func TestPostgresSessionsHaveTheirOwnLimits(t *testing.T) {
	asRole, _, do := anotherRole(t, postgresSchema(t))
	do("GRANT ALL ON SCHEMA SCHEMA_ TO ROLE_")
	for name, value := range map[string]string{
		"idle_session_timeout": "200", "idle_in_transaction_session_timeout": "1", "lock_timeout": "1", "statement_timeout": "1000",
		"default_transaction_isolation": "'serializable'", "default_transaction_deferrable": "on",
	} {
		do("ALTER ROLE ROLE_ SET " + name + " = " + value)
	}
	d := reopen(t, asRole)
	for name, want := range sessionSettings {
		for _, sessions := range []*sql.DB{d.readers, d.writers} {
			var got sql.NullString
			must(t, sessions.QueryRowContext(t.Context(), "SELECT current_setting($1, true)", name).Scan(&got))
			if got.Valid && got.String != want {
				t.Errorf("%s is %s, want %s", name, got.String, want)
			}
		}
	}
	named, err := parsePostgres(asRole + "&statement_timeout=5s")
	must(t, err)
	var got string
	own := openPool(named, 1)
	must(t, own.QueryRowContext(t.Context(), "SHOW statement_timeout").Scan(&got))
	must(t, own.Close())
	if got != "5s" {
		t.Errorf("the URL says 5s, and the session %s", got)
	}
}
