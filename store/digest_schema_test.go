package store

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"tocsin/alert"
)

// beforeDigests is what a store without digests may hold: a card, and six posts
// that wait.
const beforeDigests = `
INSERT INTO incidents (n, id, key, route, version, state, severity, urgency, source, title, text, labels, links, mention,
	count, first_at, last_at, acked_by, acked_at, resolved_at, lanes)
	SELECT n, 'i' || n, 'k' || n, 'default', 1, 'open', 'error', 3, '', 'disk full', '', '', '', '', 1, 1, 1, '', 0, 0, '["#db"]'
	FROM (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7) q;
INSERT INTO deliveries (n, id, lane, kind, state, incident, stage, priority, note, attempts, created_at, next_at, started_at,
	done_at, plain, possible_duplicate, reason, conversation, ts)
	SELECT n, 'd' || n, '#db', 'post', 'pending', n, 1, 1, '', 0, 1, 1, 0, 0, 0, 0, '', '', '' FROM incidents;
UPDATE deliveries SET state = 'delivered', stage = NULL, conversation = 'C1', ts = '1.1' WHERE n = 7;
INSERT INTO cards (incident, lane, conversation, ts, version) VALUES (7, '#db', 'C1', '1.1', 1);
`

func TestAStoreFromBeforeDigestsMakesThem(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tocsin.db")
		makesDigests(t, "sqlite:"+path, goose.DialectSQLite3, sql.OpenDB(sqliteConnector{dsn: sqliteDSN(path, false)}))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		url := postgresSchema(t)
		db, err := sql.Open("pgx", url)
		must(t, err)
		makesDigests(t, url, goose.DialectPostgres, db)
	})
}

func makesDigests(t *testing.T, url string, engine goose.Dialect, db *sql.DB) {
	folder := map[goose.Dialect]string{goose.DialectSQLite3: "sqlite", goose.DialectPostgres: "postgres"}[engine]
	files, err := fs.Sub(migrations, "migrations/"+folder)
	must(t, err)
	p, err := goose.NewProvider(engine, db, files, goose.WithDisableGlobalRegistry(true))
	must(t, err)
	_, err = p.UpTo(t.Context(), 1)
	must(t, err)
	_, err = db.ExecContext(t.Context(), beforeDigests)
	must(t, err)
	must(t, db.Close())
	d := reopen(t, url)
	i, err := d.Incident(t.Context(), "i7")
	must(t, err)
	if card := i.Card("#db"); card.TS != "1.1" || card.Digest {
		t.Errorf("the card is %+v", card)
	}
	if j := claimDigest(t, d, 10, alert.Digest); j.Digest.Total != 6 {
		t.Errorf("the digest is %+v", j.Digest)
	}
}
