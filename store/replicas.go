package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"tocsin/alert"
)

// How replicas notice that the active one is gone. Its session says something every
// beatEvery, so one that has been idle for silentFor belongs to a process that is stopped
// or cut off, and a standby ends it. The process itself posts nothing any more once its
// session has said nothing for fencedAfter, which is less.
const (
	beatEvery   = 2 * time.Second
	lookEvery   = 250 * time.Millisecond
	fencedAfter = 5 * time.Second
	silentFor   = 6 * time.Second
	// lostAfter is when a replica that is not heard is shown as lost.
	lostAfter = 10 * time.Second
)

var (
	// ErrSuperseded is why an open store takes nothing any more: another replica has become
	// active since, perhaps for a moment.
	ErrSuperseded = errors.New("another replica has become active")
	// ErrForeign is why a replica can't stay: the others are of another workspace.
	ErrForeign = errors.New("a replica of another workspace uses the same database")
	// errDenied is why a standby would not notice that the active replica is silent, or not end
	// its session.
	errDenied = errors.New("the active replica logs in as another role, and if it were silent its session could not be ended")
)

const (
	leadQuery = `INSERT INTO leader (one, term, replica, pid, since)
			SELECT true, 1, $1::text, CASE WHEN $1::text = '' THEN 0 ELSE pg_backend_pid() END, clock_timestamp()
		ON CONFLICT (one) DO UPDATE SET term = leader.term + 1, replica = excluded.replica, pid = excluded.pid, since = excluded.since
		RETURNING term`
	leadAgainQuery = `UPDATE leader SET pid = CASE WHEN replica = '' THEN 0 ELSE pg_backend_pid() END WHERE term = $1 RETURNING term`
	// The parameters of these are numbered, because both the writer and standbys use them.
	beatQuery = `INSERT INTO replicas (id, host, version, config, workspace, sockets, since, seen)
			VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp())
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, config = excluded.config, workspace = excluded.workspace,
			sockets = excluded.sockets, seen = excluded.seen`
	leaveQuery    = `DELETE FROM replicas WHERE id = $1`
	forgetQuery   = `DELETE FROM replicas WHERE seen < clock_timestamp() - interval '10 minutes'`
	replicasQuery = `SELECT r.id, r.host, r.version, r.config, r.workspace, r.sockets, r.since, extract(epoch FROM clock_timestamp() - r.seen)::float8, l.since
		FROM replicas r LEFT JOIN leader l ON l.replica = r.id ORDER BY r.since, r.id`
	lagQuery = `SELECT count(*), coalesce(extract(epoch FROM clock_timestamp()) - min(arrived_at) / 1000000.0, 0)::float8 FROM arrivals`
	// The holder's session promises to say something only where leader has its pid. Where
	// track_activities is off nobody can see what a session does, and three beats that are not
	// in the list say the same, if later.
	silentQuery = `SELECT a.pid, coalesce((SELECT clock_timestamp() - CASE
				WHEN a.state LIKE 'idle%' THEN a.state_change + make_interval(secs => $2)
				WHEN a.state = 'disabled' THEN greatest(a.backend_start, l.since, r.seen) + make_interval(secs => $3) END > interval '0'
			FROM leader l LEFT JOIN replicas r ON r.id = l.replica WHERE l.pid = a.pid), false),
		coalesce(pg_has_role(a.usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE') AND pg_has_role('pg_read_all_stats', 'USAGE'), true) ` + holderTables
)

func beatArgs(r alert.Replica) []any {
	return []any{r.ID, r.Host, r.Version, r.Config, r.Workspace, r.Connections}
}

// lead notes in the session that has just got the lock that this store is the active one.
// If another one has been since, it is not.
func (d *DB) lead(ctx context.Context, conn *sql.Conn) error {
	ctx, cancel := d.dialect.limit(ctx)
	defer cancel()
	if d.term == 0 {
		return conn.QueryRowContext(ctx, leadQuery, d.replicaID()).Scan(&d.term)
	}
	err := conn.QueryRowContext(ctx, leadAgainQuery, d.term).Scan(new(int64))
	if errors.Is(err, sql.ErrNoRows) {
		return ErrSuperseded
	}
	return err
}

// superseded returns ErrSuperseded if another store became active after this one. Else
// the lock that this one misses is held by its own lost session, or in vain.
func (d *DB) superseded(ctx context.Context, conn *sql.Conn) error {
	if d.term == 0 {
		return nil
	}
	ctx, cancel := d.dialect.limit(ctx)
	defer cancel()
	var term int64
	if err := conn.QueryRowContext(ctx, "SELECT term FROM leader").Scan(&term); err != nil {
		return err
	}
	if term != d.term {
		return ErrSuperseded
	}
	return nil
}

func (d *DB) replicaID() string {
	if d.self == nil {
		return ""
	}
	return d.self().ID
}

// beatLoop says that this replica lives, until the store closes or it may not go on.
func (d *DB) beatLoop() {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		err := d.beat(context.Background())
		if errors.Is(err, ErrSuperseded) || errors.Is(err, ErrForeign) {
			d.depose(err)
			return
		}
		if err != nil && !errors.Is(err, alert.ErrUnavailable) && !errors.Is(err, alert.ErrInDoubt) { // else health says so
			d.log.Warn("the replicas can't be listed", zap.Error(err))
		}
		select {
		case <-ticker.C:
		case <-d.closing:
			return
		}
	}
}

func (d *DB) beat(ctx context.Context) error {
	self := d.self()
	err := d.answerWrite(ctx, func(w *writer, ctx context.Context) error {
		_, err := w.exec(ctx, beatQuery, beatArgs(self)...)
		if err == nil {
			_, err = w.exec(ctx, forgetQuery)
		}
		return err
	})
	if err != nil {
		return err
	}
	if _, err := d.passOn(ctx, clockNotify, micros(d.now())); err != nil {
		return err
	}
	var all []alert.Replica
	if err := d.each(ctx, replicasQuery, scanReplicas(&all, self.ID)); err != nil {
		return err
	}
	var lag alert.Lag
	if err := d.each(ctx, lagQuery, func(row scanner) error { return row.Scan(&lag.Arrivals, &lag.Seconds) }); err != nil {
		return err
	}
	keep(&d.cluster, all, &lag)
	return foreign(all)
}

// scanReplicas reads the rows of replicasQuery.
func scanReplicas(all *[]alert.Replica, self string) func(scanner) error {
	return func(row scanner) error {
		r := alert.Replica{State: alert.ReplicaStandby}
		var active sql.NullTime
		err := row.Scan(&r.ID, &r.Host, &r.Version, &r.Config, &r.Workspace, &r.Connections, &r.Since, &r.Unseen, &active)
		r.Self, r.Since = r.ID == self, r.Since.UTC()
		if active.Valid {
			r.State, r.ActiveSince = alert.ReplicaActive, active.Time.UTC()
		}
		if r.Unseen > lostAfter.Seconds() {
			r.State = alert.ReplicaLost
		} else {
			r.Unseen = 0
		}
		*all = append(*all, r)
		return err
	}
}

// foreign returns ErrForeign if another replica is of another workspace and this one has
// to give way: to the active one, or to one that was there before.
func foreign(all []alert.Replica) error {
	for n, self := range all {
		if !self.Self || self.State == alert.ReplicaActive || self.Workspace == "" {
			continue
		}
		for m, r := range all {
			first := r.State == alert.ReplicaActive || m < n && r.State == alert.ReplicaStandby
			if first && r.Workspace != "" && r.Workspace != self.Workspace {
				return fmt.Errorf("%w: the one on %s is of %s, this one of %s: give this one a database of its own with TOCSIN_STORE", ErrForeign, r.Host, r.Workspace, self.Workspace)
			}
		}
	}
	return nil
}

// keep keeps what was read just now.
func keep(known *atomic.Pointer[alert.Cluster], all []alert.Replica, lag *alert.Lag) {
	next := &alert.Cluster{Replicas: all, Lag: lag, At: time.Now()}
	if !slices.ContainsFunc(all, func(r alert.Replica) bool { return r.State == alert.ReplicaActive }) {
		next.Leaderless = next.At
		if before := known.Load(); before != nil && !before.Leaderless.IsZero() {
			next.Leaderless = before.Leaderless
		}
	}
	known.Store(next)
}

// Cluster is what is known of the daemons that share the store, as it was read last; nothing
// over SQLite. It makes no query.
func (d *DB) Cluster() alert.Cluster { return known(&d.cluster) }

func known(c *atomic.Pointer[alert.Cluster]) alert.Cluster {
	if c := c.Load(); c != nil {
		return *c
	}
	return alert.Cluster{}
}

// Active waits until ctx ends, or until another replica is active or this one may not
// be: it returns ErrSuperseded or ErrForeign, and the store has to be closed.
func (d *DB) Active(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.deposed:
		return err
	}
}

// depose has Active return.
func (d *DB) depose(why error) {
	select {
	case d.deposed <- why:
	default: // it has a reason
	}
}

// Fenced returns an error unless the database has lately confirmed that no other replica
// is active. A process that was stopped for a while asks it before it acts outside the store.
func (d *DB) Fenced() error {
	at := d.confirmed.Load()
	if at == nil || d.self == nil {
		return nil
	}
	now := time.Now()
	// The monotonic clock may stand still while a machine sleeps.
	if silent := max(now.Sub(*at), now.Round(0).Sub(at.Round(0))); silent > fencedAfter {
		return fmt.Errorf("%w: it has confirmed nothing for %s, and another replica may be active", alert.ErrUnavailable, silent.Round(time.Second))
	}
	return nil
}

// Standby is a replica that waits until no other one has the lock of a PostgreSQL store.
type Standby struct {
	log      *zap.Logger
	db       *sql.DB
	patience time.Duration
	silent   time.Duration // silentFor
	lost     time.Duration // lostAfter
	self     func() alert.Replica
	cluster  atomic.Pointer[alert.Cluster]
	trouble  atomic.Pointer[trouble]
	beaten   time.Time // when it has said last that it lives
}

// Join returns a standby of the store that Open could not open because of ErrHeld.
func Join(url string, o Options) (*Standby, error) {
	config, err := parsePostgres(url)
	if err != nil {
		return nil, err
	}
	s := &Standby{log: o.Log, self: o.Replica, db: openPool(config, postgresReaders), patience: postgresDial, silent: silentFor, lost: lostAfter}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	return s, nil
}

// Wait returns nil once the lock seems to be free, so that it is worth opening the store.
// It waits as long as the database can't be reached. Its error is ErrForeign, or that of ctx.
func (s *Standby) Wait(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		free, err := s.look(ctx)
		s.note(err)
		if free || errors.Is(err, ErrForeign) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// look reports whether nobody has the lock, and ends the session of a holder that is silent.
func (s *Standby) look(ctx context.Context) (free bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	if time.Since(s.beaten) > beatEvery {
		if err := s.beat(ctx); err != nil && !undefinedTable(err) { // a holder of an earlier version has no such table
			return false, err
		}
		s.beaten = time.Now()
	}
	var pid int64
	silent, endable := false, true
	err = s.db.QueryRowContext(ctx, silentQuery, postgresLock, s.silent.Seconds(), s.lost.Seconds()).Scan(&pid, &silent, &endable)
	if undefinedTable(err) {
		err = s.db.QueryRowContext(ctx, "SELECT a.pid "+holderTables, postgresLock).Scan(&pid)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = s.knows(ctx)
		return err == nil, err
	}
	if err == nil && silent {
		err = s.end(ctx, pid)
	}
	if err == nil && !endable {
		err = errDenied
	}
	return false, err
}

// knows returns ErrNewer if this version can't work with the tables as they are.
func (s *Standby) knows(ctx context.Context) error {
	var has int64
	err := s.db.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version").Scan(&has)
	if undefinedTable(err) {
		return nil // the first one has ended before it made any
	}
	knows, unread := knownSchema("postgres")
	return cmp.Or(err, unread, workable(has, knows))
}

// end ends the session of a holder that is stopped or cut off.
func (s *Standby) end(ctx context.Context, pid int64) error {
	_, err := s.db.ExecContext(ctx, "SELECT pg_terminate_backend($1::int)", pid)
	switch {
	case err == nil:
		s.log.Warn("the active replica is silent: its session is ended", zap.Int64("pid", pid))
	case sqlState(err) == "42501":
		err = errDenied
	}
	return err
}

func (s *Standby) beat(ctx context.Context) error {
	self := s.self()
	if _, err := s.db.ExecContext(ctx, beatQuery, beatArgs(self)...); err != nil {
		return err
	}
	rows, err := s.db.QueryContext(ctx, replicasQuery)
	if err != nil {
		return err
	}
	var all []alert.Replica
	if err := scanAll(rows, scanReplicas(&all, self.ID)); err != nil {
		return err
	}
	var lag alert.Lag
	err = s.db.QueryRowContext(ctx, lagQuery).Scan(&lag.Arrivals, &lag.Seconds)
	if err == nil {
		keep(&s.cluster, all, &lag)
	}
	return cmp.Or(foreign(all), err)
}

func (s *Standby) note(err error) {
	if err == nil {
		s.trouble.Store(nil)
		return
	}
	t, before := &trouble{err, time.Now()}, s.trouble.Load()
	if before != nil {
		t.since = before.since
	}
	if t.fix() != "" && (before == nil || before.fix() == "") {
		s.log.Error("this standby can't take over", zap.Error(err), zap.String("hint", t.fix()))
	}
	s.trouble.Store(t)
}

// fix is the remedy for what keeps a standby from taking over, and from nothing else.
func (t *trouble) fix() string {
	switch {
	case errors.Is(t.err, ErrNewer):
		return "start replicas of that version; what is accepted here waits for them"
	case errors.Is(t.err, errDenied):
		return "let all replicas log in as one role, or grant pg_signal_backend and pg_read_all_stats to this one's"
	}
	return ""
}

// Notes are why the standby, which accepts and passes on, can't take over.
func (s *Standby) Notes() []alert.Problem {
	t := s.trouble.Load()
	if t == nil || t.fix() == "" {
		return nil
	}
	return []alert.Problem{{Code: alert.ProblemStore, Since: t.since, What: "this standby can't take over: " + t.err.Error(), Fix: t.fix()}}
}

// Problems are why the standby could not reach the store, as it was a moment ago.
func (s *Standby) Problems() []alert.Problem {
	t := s.trouble.Load()
	if t == nil || t.fix() != "" {
		return nil
	}
	what := "this standby can't reach the store: "
	if sqlState(t.err) != "" || errors.Is(t.err, errReadOnly) { // there was an answer
		what = "this standby can't use the store: "
	}
	return []alert.Problem{{Code: alert.ProblemStore, Since: t.since, What: what + t.err.Error(), Fix: postgresRepair(t.err)}}
}

// Cluster is what is known of the daemons that share the store, as it was read last.
func (s *Standby) Cluster() alert.Cluster { return known(&s.cluster) }

// Leave removes the replica from the list; Close does not, so that one that becomes active
// stays in it.
func (s *Standby) Leave() { leave(s.db, s.self().ID) }

// Close closes the standby's connections.
func (s *Standby) Close() error { return s.db.Close() }

// leave removes a replica from the list. If that is not possible now, the others see that
// it is lost.
func leave(db *sql.DB, id string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = db.ExecContext(ctx, leaveQuery, id)
}

func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

func undefinedTable(err error) bool { return sqlState(err) == "42P01" }
