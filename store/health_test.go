package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
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

func TestAPanicInAReadFailsThatReadAlone(t *testing.T) {
	d := openTemp(t)
	commit(t, d, fire(incident("a", "#db", 1)))
	err := d.each(t.Context(), "SELECT n FROM alerts", func(scanner) error { panic("bad row") })
	mustBe(t, err, alert.ErrInternal)
	_, err = d.Ledger(t.Context())
	must(t, err)
}
