package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

// replicaOptions are those of a daemon on this host.
func replicaOptions(host string) Options {
	r := alert.Replica{ID: alert.NewID(), Host: host}
	return Options{Replica: func() alert.Replica { return r }}
}

// loseSession ends the session that has the lock.
func loseSession(t *testing.T, d *DB) {
	t.Helper()
	must(t, d.each(t.Context(), `SELECT pg_terminate_backend(l.pid, 10000) FROM pg_locks l
		WHERE l.locktype = 'advisory' AND l.objid = (hashtext(current_schema())::bigint & 4294967295)::oid`,
		func(s scanner) error { return s.Scan(new(bool)) }))
}

// What it knows is out of date, although the lock is free again when it looks.
func TestPostgresStoreThatMissedAnotherReplicaWritesNothingAnyMore(t *testing.T) {
	url := postgresSchema(t)
	first, err := Open(t.Context(), url, replicaOptions("a"))
	must(t, err)
	defer func() { must(t, first.Close()) }()
	_, err = first.Receive(t.Context(), alert.Envelope{ID: "e1", Type: "slash_commands"})
	must(t, err)
	var second *DB
	for second == nil { // until it is faster than the first one
		loseSession(t, first)
		if second, err = Open(t.Context(), url, replicaOptions("b")); err != nil && !errors.Is(err, ErrHeld) {
			t.Fatal(err)
		}
	}
	for of, want := range map[*DB]int{first: 0, second: 1} {
		left, err := of.Unhandled(t.Context())
		must(t, err)
		if len(left) != want {
			t.Errorf("%d envelopes are to be handled by one of them, want %d", len(left), want)
		}
	}
	must(t, second.Close())
	for err == nil || !errors.Is(err, ErrSuperseded) {
		err = first.Commit(t.Context(), alert.Change{})
	}
	if len(first.deposed) == 0 {
		t.Error("it goes on although it knows of the other one")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	why := first.Active(ctx)
	mustBe(t, why, ErrSuperseded)
	if !Passes(why) {
		t.Errorf("a daemon that is stopped meanwhile would end with the error %v", why)
	}
	mustBe(t, first.Commit(t.Context(), fire(incident("a", "#db", 1))), alert.ErrUnavailable)
	mustSayFix(t, first, "nothing: this one becomes a standby")
}

func TestPostgresStandbyEndsTheSessionOfASilentHolderAlone(t *testing.T) {
	for name, option := range map[string]string{"its session is seen": "", "track_activities is off": "&track_activities=off"} {
		t.Run(name, func(t *testing.T) {
			url := postgresSchema(t)
			command := reopen(t, url+option) // it says nothing, as while it copies
			s, err := Join(url, replicaOptions("b"))
			must(t, err)
			defer func() { must(t, s.Close()) }()
			s.silent, s.lost = 50*time.Millisecond, 50*time.Millisecond
			do := func(query string, args ...any) {
				t.Helper()
				_, err := s.db.ExecContext(t.Context(), query, args...)
				must(t, err)
			}
			var pid int64
			must(t, s.db.QueryRowContext(t.Context(), "SELECT a.pid "+holderTables, postgresLock).Scan(&pid))
			goesOn := func() {
				t.Helper()
				for long := false; !long; {
					must(t, s.db.QueryRowContext(t.Context(), `SELECT clock_timestamp() - greatest(backend_start, state_change, (SELECT since FROM leader)) > interval '100 ms'
						AND state IN ('idle', 'disabled') FROM pg_stat_activity WHERE pid = $1`, pid).Scan(&long))
				}
				if free, err := s.look(t.Context()); free || err != nil {
					t.Fatalf("the lock is free: %v, %v", free, err)
				}
				must(t, command.Ping(t.Context()))
			}
			goesOn()
			// From now on it counts as a daemon.
			do("UPDATE leader SET pid = $1, replica = 'a'", pid)
			if option != "" {
				do("INSERT INTO replicas (id, host, version, config, workspace, sockets, since, seen) VALUES ('a', '', '', '', '', 0, now(), now() + interval '1 hour')")
				goesOn()
				do("DELETE FROM replicas")
			}
			must(t, s.Wait(t.Context()))
		})
	}
}

func TestPostgresStandbySaysThatItCannotTakeOver(t *testing.T) {
	owned := postgresSchema(t)
	d := reopen(t, owned)
	asRole, _, do := anotherRole(t, owned)
	do("GRANT USAGE ON SCHEMA SCHEMA_ TO ROLE_; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA SCHEMA_ TO ROLE_")
	for _, by := range []string{owned, asRole} {
		s, err := Join(by, replicaOptions("b"))
		must(t, err)
		look := func(want error, hint string) {
			t.Helper()
			free, err := s.look(t.Context())
			s.note(err)
			notes := s.Notes()
			if free || !errors.Is(err, want) || len(s.Problems()) != 0 || (len(notes) == 1) != (want != nil) || want != nil && !strings.Contains(notes[0].Fix, hint) {
				t.Errorf("the store is free: %v, %v; the notes are %+v, the problems %+v", free, err, notes, s.Problems())
			}
		}
		if by == asRole {
			look(errDenied, "as one role")
			do("GRANT pg_signal_backend, pg_read_all_stats TO ROLE_")
		}
		look(nil, "")
		must(t, d.Close())
		must(t, s.Wait(t.Context())) // PostgreSQL takes a moment to end the session
		do("INSERT INTO goose_db_version (version_id, is_applied) VALUES (900, true)")
		look(ErrNewer, "replicas of that version")
		do("DELETE FROM goose_db_version WHERE version_id = 900")
		must(t, s.Close())
		d = reopen(t, owned)
	}
}

func TestPostgresStoreThatHasHeardNothingForLongIsFenced(t *testing.T) {
	d, err := Open(t.Context(), postgresSchema(t), replicaOptions("a"))
	must(t, err)
	defer func() { must(t, d.Close()) }()
	must(t, d.Fenced())
	long := time.Now().Add(-2 * fencedAfter)
	d.confirmed.Store(&long)
	mustBe(t, d.Fenced(), alert.ErrUnavailable)
	must(t, d.Ping(t.Context()))
	must(t, d.Fenced())
}

func TestPostgresStandbySaysWhetherTheStoreIsAwayOrRefusesIt(t *testing.T) {
	url := postgresSchema(t)
	reopen(t, url)
	for at, want := range map[string]string{
		url + "&default_transaction_read_only=on":         "this standby can't use the store: ",
		"postgres://tocsin@127.0.0.1:1/x?sslmode=disable": "this standby can't reach the store: ",
	} {
		s, err := Join(at, replicaOptions("b"))
		must(t, err)
		_, err = s.look(t.Context())
		s.note(err)
		if p := s.Problems(); len(p) != 1 || !strings.HasPrefix(p[0].What, want) {
			t.Errorf("the problems are %+v, want one that says %q", p, want)
		}
		must(t, s.Close())
	}
}
