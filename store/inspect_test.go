package store

import (
	"net"
	"strings"
	"sync"
	"testing"

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
	err := explainPostgres(&pgconn.PgError{Severity: "FATAL", Code: "08P01", Message: "unsupported startup parameter: enable_seqscan"})
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
