package store

import (
	"database/sql"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"tocsin/alert"
)

// firstRows is what a store of the first schema may hold: a post that waits,
// one that is shown, and one that is dead, each with its alert.
const firstRows = `
INSERT INTO incidents (n, id, key, route, version, state, severity, urgency, source, title, text, labels, links, mention,
	count, first_at, last_at, acked_by, acked_at, resolved_at, lanes) VALUES
	(1, 'k7f2', 'a', 'default', 1, 'open', 'error', 3, '', 'disk full', '', '{"host":"db-3"}', '', '', 1, 1000000, 1000000, '', 0, 0, '["#db"]'),
	(2, 'k7f3', 'b', 'default', 1, 'open', 'error', 3, '', 'disk slow', '', '', '', '', 1, 1000000, 1000000, '', 0, 0, '["#db"]'),
	(3, 'k7f4', 'c', 'default', 1, 'open', 'error', 3, '', 'disk gone', '', '', '', '', 1, 1000000, 1000000, '', 0, 0, '["#db"]');
INSERT INTO latest (key, route, incident) VALUES ('a', 'default', 1), ('b', 'default', 2), ('c', 'default', 3);
INSERT INTO cards (incident, lane, conversation, ts, version) VALUES (2, '#db', 'C1', '100.1', 1);
INSERT INTO deliveries (n, id, lane, kind, state, incident, stage, priority, note, attempts, created_at, next_at, started_at,
	done_at, plain, possible_duplicate, reason, conversation, ts) VALUES
	(1, 'd1', '#db', 'post', 'pending', 1, 1, 1, '', 0, 1000000, 0, 0, 0, 0, 0, '', '', ''),
	(2, 'd2', '#db', 'post', 'delivered', 2, NULL, 1, '', 1, 1000000, 0, 1000000, 1000000, 0, 0, '', 'C1', '100.1'),
	(3, 'd3', '#db', 'post', 'dead', 3, NULL, 1, '', 1, 1000000, 0, 1000000, 1000000, 0, 0, 'is_archived', '', '');
INSERT INTO alerts (n, id, source, key, status, severity, title, text, labels, links, channel, mention, at, idempotency_key,
	accepted_at, incident, lane, version, delivery, standing, reason, shown) VALUES
	(1, 'a1', '', 'a', 'firing', 'error', 'disk full', 'all of it', '', '', '', '', 1000000, 'once', 1000000, 1, '#db', 1, 1, 'pending', '', NULL),
	(2, 'a2', '', 'b', 'firing', 'error', 'disk slow', '', '', '', '', '', 1000000, '', 1000000, 2, '#db', 1, 2, 'delivered', '', 2),
	(3, 'a3', '', 'c', 'firing', 'error', 'disk gone', '', '', '', '', '', 1000000, '', 1000000, 3, '#db', 1, 3, 'dead', 'is_archived', 3);
INSERT INTO counts (lane, standing, alerts) VALUES ('#db', 'pending', 1), ('#db', 'delivered', 1), ('#db', 'dead', 1);
`

// TestAStoreOfEachEarlierSchemaKeepsWhatItHolds brings a store of each schema
// there ever was up to date, over both engines.
func TestAStoreOfEachEarlierSchemaKeepsWhatItHolds(t *testing.T) {
	fromEachSchema(t, strings.ReplaceAll(firstRows, "1000000", strconv.FormatInt(micros(at(0)), 10)), keepsFirstRows)
}

// fromEachSchema writes rows into a store of the first schema, brings that to
// each later one and then up to date, and checks what became of them.
func fromEachSchema(t *testing.T, rows string, check func(*testing.T, *DB)) {
	for name, e := range engineTests() {
		t.Run(name, func(t *testing.T) { e.fromEachSchema(t, rows, check) })
	}
}

func engineTests() map[string]engineTest {
	return map[string]engineTest{
		"SQLite": {goose.DialectSQLite3, "sqlite", func(t *testing.T) (string, *sql.DB) {
			path := filepath.Join(t.TempDir(), "tocsin.db")
			return "sqlite:" + path, sql.OpenDB(sqliteConnector{dsn: sqliteDSN(path, false)})
		}},
		"PostgreSQL": {goose.DialectPostgres, "postgres", func(t *testing.T) (string, *sql.DB) {
			url := postgresSchema(t)
			db, err := sql.Open("pgx", url)
			must(t, err)
			return url, db
		}},
	}
}

// Before the lean schema, that an alert waits for a first card was told by two
// times, and a reminder by when an incident was due.
func TestHeldCardsAndRemindersOfAnEarlierSchemaAreKept(t *testing.T) {
	const changes = `
UPDATE incidents SET held_until = 5000000 WHERE id = 'k7f2';
UPDATE incidents SET held_until = 5000000, silence = 's-a', silenced_until = 5000000 WHERE id = 'k7f3';
UPDATE incidents SET state = 'acked', due_at = 7000000 WHERE id = 'k7f4';`
	for name, e := range engineTests() {
		t.Run(name, func(t *testing.T) {
			snapshot, err := e.upgraded(t, firstRows, changes, 9).Load(t.Context(), alert.Query{IDs: []string{"k7f2", "k7f3", "k7f4"}})
			must(t, err)
			got := map[string]string{}
			for _, i := range snapshot.Incidents {
				got[i.ID] = fmt.Sprint(i.Waiting, micros(i.RemindAt))
			}
			if want := map[string]string{"k7f2": "true 0", "k7f3": "false 0", "k7f4": "false 7000000"}; !maps.Equal(got, want) {
				t.Errorf("waiting and remind_at are %v, want %v", got, want)
			}
		})
	}
}

// Before schema 21 a reminder that a silence begins was an incident that is over.
func TestRemindersOfSilencesOfAnEarlierSchemaAreNotices(t *testing.T) {
	const changes = `
UPDATE incidents SET state = 16, severity = 18, resolved_at = 5000000, key = 'silence:s-a', content = NULL,
	says = '{"title":"a","message":{"begins":{"silence":"s-a"}}}' WHERE id = 'k7f2';
UPDATE incidents SET state = 16, severity = 18, resolved_at = 5000000, key = 'silence:s-b' WHERE id = 'k7f3';
UPDATE incidents SET state = 16, severity = 18, resolved_at = 5000000, key = 'silence:s-c', content = NULL,
	says = '{"title":"a","message":{"text":"begins"}}' WHERE id = 'k7f4';`
	for name, e := range engineTests() {
		t.Run(name, func(t *testing.T) {
			d := e.upgraded(t, firstRows, changes, 20)
			ids, err := d.IDs(t.Context(), alert.IncidentFilter{})
			must(t, err)
			if slices.Sort(ids); !slices.Equal(ids, []string{"k7f3", "k7f4"}) {
				t.Errorf("listed are %v", ids)
			}
			if f := load(t, d, alert.Query{Keys: []string{"silence:s-a"}}); len(f.Incidents) > 0 {
				t.Errorf("an alert with the key of the reminder would find %+v", f.Incidents)
			}
		})
	}
}

// Before schema 24 only the end of a silence said when people had changed it.
func TestSilencesOfAnEarlierSchemaSayWhenTheyWereEnded(t *testing.T) {
	const changes = `
INSERT INTO silences (n, id, matchers, created_at, ends_at, by_whom, why, ended_by, hidden)
	VALUES (1, 's-a', '', 5000000, 9000000, 'ann', '', '', 0), (2, 's-b', '', 6000000, 9000000, 'ann', '', 'bob', 0);`
	for name, e := range engineTests() {
		t.Run(name, func(t *testing.T) {
			all, err := e.upgraded(t, firstRows, changes, 23).Silences(t.Context(), alert.SilenceFilter{})
			must(t, err)
			got := map[string]int64{}
			for _, s := range all {
				got[s.ID] = micros(s.UpdatedAt)
			}
			if want := map[string]int64{"s-a": 5000000, "s-b": 9000000}; !maps.Equal(got, want) {
				t.Errorf("they were updated at %v, want %v", got, want)
			}
		})
	}
}

func TestAStoreToWhichANewerVersionHasOnlyAddedIsOpened(t *testing.T) {
	for name, e := range engineTests() {
		t.Run(name, func(t *testing.T) {
			url, db := e.begin(t)
			must(t, reopen(t, url).Close())
			knows, err := knownSchema(e.folder)
			must(t, err)
			for _, n := range []int64{knows + 1, (knows/additive + 1) * additive} {
				_, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (" + strconv.FormatInt(n, 10) + ", true)")
				must(t, err)
				d, err := Open(t.Context(), url, Options{})
				if n == knows+1 {
					must(t, err)
					commit(t, d, fire(incident("a", "#db", 1)))
					must(t, d.Close())
				} else {
					mustBe(t, err, ErrNewer)
				}
			}
			must(t, db.Close())
		})
	}
}

// unlike says what of a migration a version before it can't work with, as far as that can be
// seen: it names the columns that it inserts and reads, and relies on their indexes.
func unlike(migration string) string {
	up, _, _ := strings.Cut(migration, "-- +goose Down")
	return regexp.MustCompile(`(?i)\b(DROP (TABLE|COLUMN|INDEX)|RENAME|ALTER COLUMN|ADD CONSTRAINT|CREATE UNIQUE|ADD COLUMN [^,;]* NOT NULL\b[^,;]*[,;])`).FindString(
		regexp.MustCompile(`(?i)NOT NULL( GENERATED [^,;(]*)? DEFAULT`).ReplaceAllString(up, ""))
}

// Replicas are replaced one after the other, and the version before goes on meanwhile.
func TestMigrationsOnlyAddUnlessTheirNumberSaysOtherwise(t *testing.T) {
	for statement, bad := range map[string]bool{
		"ALTER TABLE a ADD COLUMN b TEXT NOT NULL DEFAULT '';": false, "CREATE TABLE a (b TEXT NOT NULL UNIQUE);": false, "DROP VIEW a; CREATE VIEW a AS SELECT 1;": false,
		"ALTER TABLE a ADD COLUMN b TEXT;": false, "CREATE INDEX a ON b (c);": false,
		"ALTER TABLE a ADD COLUMN b TEXT NOT NULL;": true, "DROP TABLE a;": true, "ALTER TABLE a RENAME COLUMN b TO c;": true, "ALTER TABLE a DROP COLUMN b;": true,
		"CREATE UNIQUE INDEX a ON b (c);": true, "drop index a;": true, "ALTER TABLE a ALTER COLUMN b TYPE TEXT;": true,
	} {
		if got := unlike(statement); (got != "") != bad {
			t.Errorf("of %s it finds %q", statement, got)
		}
	}
	const before = 24 // which no replicas have passed through
	for _, folder := range []string{"postgres", "sqlite"} {
		files, err := fs.Glob(migrations, "migrations/"+folder+"/*.sql")
		must(t, err)
		for _, file := range files {
			content, err := fs.ReadFile(migrations, file)
			must(t, err)
			var n int
			_, err = fmt.Sscanf(path.Base(file), "%d_", &n)
			must(t, err)
			if found := unlike(string(content)); found != "" && n > before && n%additive != 0 {
				t.Errorf("%s: %s: an earlier version can't work with that: give it the next multiple of %d as its number, one release after the code has stopped to need it", file, found, additive)
			}
		}
	}
}

// engineTest makes empty stores of one engine.
type engineTest struct {
	dialect goose.Dialect
	folder  string
	begin   func(*testing.T) (string, *sql.DB)
}

// upgraded opens a store of the first schema with these rows, which were changed in a later one.
func (e engineTest) upgraded(t *testing.T, rows, changes string, later int64) *DB {
	url, db := e.begin(t)
	p, err := migrator(db, e.dialect, e.folder)
	must(t, err)
	for _, step := range []struct {
		version int64
		rows    string
	}{{1, rows}, {later, changes}} {
		_, err = p.UpTo(t.Context(), step.version)
		must(t, err)
		_, err = db.ExecContext(t.Context(), step.rows)
		must(t, err)
	}
	must(t, db.Close())
	return reopen(t, url)
}

func (e engineTest) fromEachSchema(t *testing.T, rows string, check func(*testing.T, *DB)) {
	for version := int64(1); ; version++ {
		url, db := e.begin(t)
		p, err := migrator(db, e.dialect, e.folder)
		must(t, err)
		if sources := p.ListSources(); version > sources[len(sources)-1].Version {
			must(t, db.Close())
			return
		}
		_, err = p.UpTo(t.Context(), 1)
		must(t, err)
		_, err = db.ExecContext(t.Context(), rows)
		must(t, err)
		_, err = p.UpTo(t.Context(), version)
		must(t, err)
		must(t, db.Close())
		t.Run(fmt.Sprint("schema ", version), func(t *testing.T) { check(t, reopen(t, url)) })
	}
}

func keepsFirstRows(t *testing.T, d *DB) {
	tallies(t, d, 1, 1)
	if l := balanced(t, d); l.Total != (alert.Counts{Accepted: 3, Pending: 1, Delivered: 1, Dead: 1}) {
		t.Errorf("ledger is %+v", l.Total)
	}
	snapshot, err := d.Load(t.Context(), alert.Query{Keys: []string{"b"}, IdempotencyKeys: []string{"once"}})
	must(t, err)
	if len(snapshot.Incidents) != 1 || snapshot.Incidents[0].Card("#db").TS != "100.1" || snapshot.Seen["once"].ID != "a1" {
		t.Errorf("snapshot are %+v", snapshot)
	}
	if i := snapshot.Incidents[0]; !i.OpenedAt.Equal(i.FirstAt) || !i.DueAt.IsZero() || i.Silence != "" {
		t.Errorf("the incident is %+v", i)
	}
	j := claim(t, d, "#db", at(1))
	if j.ID != "d1" || j.Incident.Labels["host"] != "db-3" {
		t.Errorf("claimed %+v", j)
	}
	finish(t, d, j, alert.Delivered, at(1))
	retry(t, d, alert.DeadLetterSelector{ID: "d3"})
	if j := claim(t, d, "#db", at(2)); j.ID != "d3" {
		t.Errorf("claimed %+v", j)
	}
	commit(t, d, fire(incident("new", "#db", 1)))
	if l := balanced(t, d); l.Total != (alert.Counts{Accepted: 4, Pending: 2, Delivered: 2}) {
		t.Errorf("ledger is %+v", l.Total)
	}
}
