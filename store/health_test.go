package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/alert"
)

// openImpatient opens a store that gives up soon, which on a busy machine happens at
// other times too: what has to succeed is repeated.
func openImpatient(t *testing.T) *DB {
	t.Helper()
	d, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "tocsin.db"), Options{AnswerWithin: time.Second / 2})
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

// succeeds repeats what a store that is not available refuses.
func succeeds(t *testing.T, do func() error) {
	t.Helper()
	err := do()
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && (errors.Is(err, alert.ErrUnavailable) || errors.Is(err, alert.ErrInDoubt)); {
		err = do()
	}
	must(t, err)
}

func TestAWriteBehindOneThatHangsIsRefusedAndNotWritten(t *testing.T) {
	d := openImpatient(t)
	release := hold(t, d)
	for range 2 { // the second one is refused at once
		mustBe(t, d.Commit(t.Context(), fire(incident("a", "#db", 1))), alert.ErrUnavailable)
	}
	if _, write := d.Waiting(); write.IsZero() {
		t.Error("no write is said to wait")
	}
	release()
	free := time.Now()
	succeeds(t, func() error { return d.Ping(t.Context()) })
	if _, write := d.Waiting(); !write.IsZero() && write.Before(free) {
		t.Errorf("a write is said to wait since %v", write)
	}
	succeeds(t, func() error {
		l, err := d.Ledger(t.Context())
		if err == nil && l.Total.Accepted != 0 {
			t.Errorf("the ledger is %+v", l.Total)
		}
		return err
	})
}

func TestAWriteThatHangsIsUnsureForWhoWaits(t *testing.T) {
	d := openImpatient(t)
	free := make(chan struct{})
	err := d.answerWrite(t.Context(), func(*writer, context.Context) error {
		<-free
		return nil
	})
	close(free)
	mustBe(t, err, alert.ErrInDoubt)
	if errors.Is(err, alert.ErrUnavailable) {
		t.Errorf("%v says that nothing was written", err)
	}
}

func TestAReadThatHangsIsGivenUpAndReportedUntilAPingSucceeds(t *testing.T) {
	d := openImpatient(t)
	var busy []*sql.Conn
	for range sqliteReaders {
		conn, err := d.readers.Conn(t.Context())
		must(t, err)
		busy = append(busy, conn)
	}
	_, err := d.Ledger(t.Context())
	mustBe(t, err, alert.ErrUnavailable)
	if read, _ := d.Waiting(); read.IsZero() {
		t.Error("no read is said to wait")
	}
	for _, conn := range busy {
		must(t, conn.Close())
	}
	again := time.Now()
	succeeds(t, func() error {
		_, err := d.Ledger(t.Context())
		return err
	})
	if read, _ := d.Waiting(); !read.Before(again) || read.IsZero() {
		t.Error("one read that worked is taken for all")
	}
	succeeds(t, func() error {
		err := d.Ping(t.Context())
		if read, _ := d.Waiting(); err == nil && !read.IsZero() && read.Before(again) {
			return fmt.Errorf("%w: after a ping a read waits since %v", alert.ErrUnavailable, read) // it may have given up after the ping
		}
		return err
	})
}

func TestOneSlowReadIsNotReportedIfTheNextOneWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r reads
		late := func() time.Duration { return time.Since(r.since()) }
		slow, _ := r.begin(time.Minute)
		<-time.After(4 * time.Second)
		r.giveUp()
		if got := late(); got != 4*time.Second {
			t.Errorf("while it has not returned, a read waits for %v", got)
		}
		r.end(slow)
		<-time.After(3 * time.Second) // a ping comes every five
		if got := late(); got != 3*time.Second {
			t.Errorf("3 s after it was given up and has returned, a read waits for %v", got)
		}
		r.recover()
		if !r.since().IsZero() {
			t.Error("after a ping a read is said to wait")
		}
	})
}

func TestAPanicInAReadFailsThatReadAlone(t *testing.T) {
	d := openTemp(t)
	commit(t, d, fire(incident("a", "#db", 1)))
	err := d.each(t.Context(), "SELECT n FROM alerts", func(scanner) error { panic("bad row") })
	mustBe(t, err, alert.ErrInternal)
	_, err = d.Ledger(t.Context())
	must(t, err)
}

// mustSayFix checks which remedy the store reports.
func mustSayFix(t *testing.T, d *DB, fix string) {
	t.Helper()
	if p := d.Problems(); len(p) != 1 || !strings.Contains(p[0].Fix, fix) {
		t.Errorf("the problems are %+v, want one with the remedy %q", p, fix)
	}
}

// mustHaveProblem checks that the store reports that it can't be used, also after a ping.
func mustHaveProblem(t *testing.T, d *DB) {
	t.Helper()
	for range 2 {
		if p := d.Problems(); len(p) != 1 || p[0].Code != alert.ProblemStore || p[0].Since.IsZero() {
			t.Errorf("the problems are %+v", p)
		}
		if err := d.Ping(t.Context()); !errors.Is(err, alert.ErrUnavailable) && !errors.Is(err, alert.ErrInDoubt) {
			t.Errorf("a ping got %v", err)
		}
	}
}

func mustBeWell(t *testing.T, d *DB) {
	t.Helper()
	succeeds(t, func() error { return d.Ping(t.Context()) }) // a session that was given up may still be ending
	if p := d.Problems(); len(p) != 0 {
		t.Errorf("the problems are %+v", p)
	}
}

func TestADamagedPageIsAProblemAlthoughOthersCanBeRead(t *testing.T) {
	d, path := folderWithStore(t)
	must(t, d.write(t.Context(), func(w *writer, ctx context.Context) error {
		_, err := w.conn.ExecContext(ctx, "COMMIT")
		if err == nil {
			err = w.each(ctx, "PRAGMA wal_checkpoint(TRUNCATE)", func(scanner) error { return nil })
		}
		if err == nil {
			_, err = w.exec(ctx, w.dialect.begin)
		}
		return err
	}))
	must(t, d.Ping(t.Context())) // some pages are in caches
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	info, err := file.Stat()
	must(t, err)
	_, err = file.WriteAt(bytes.Repeat([]byte{0xab}, int(info.Size())-8192), 8192)
	must(t, errors.Join(err, file.Close()))
	_, err = d.Load(t.Context(), alert.Query{IDs: []string{"before"}, Keys: []string{"key-before"}})
	mustBe(t, err, alert.ErrUnavailable)
	mustSayFix(t, d, "stop Tocsin, and move it away")
	mustHaveProblem(t, d)
}

func TestAPingAfterAFailureTriesEachTable(t *testing.T) {
	d := openTemp(t)
	const query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'goose_db_version'"
	must(t, d.each(t.Context(), query, func(s scanner) error {
		var table string
		err := s.Scan(&table)
		if !slices.ContainsFunc(tables, func(t storedTable) bool { return t.name == table }) {
			t.Errorf("table %s is not tried", table)
		}
		return err
	}))
}

func TestATransactionOfAnotherProgramIsAProblemUntilItEnds(t *testing.T) {
	d, path := folderWithStore(t)
	pragma(t, d, "busy_timeout = 1")
	other := sql.OpenDB(onlookerConnector("file:" + path + "?_pragma=busy_timeout(5000)")) // the store may be writing
	other.SetMaxOpenConns(1)
	t.Cleanup(func() { must(t, other.Close()) })
	_, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	must(t, err)
	mustBe(t, d.Commit(t.Context(), fire(incident("a", "#db", 1))), alert.ErrUnavailable)
	mustSayFix(t, d, "another process holds a lock on the database")
	mustHaveProblem(t, d)
	_, err = other.ExecContext(t.Context(), "ROLLBACK")
	must(t, err)
	mustBeWell(t, d)
}
