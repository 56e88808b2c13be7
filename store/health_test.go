package store

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"tocsin/alert"
)

func openImpatient(t *testing.T) *DB {
	t.Helper()
	d, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "tocsin.db"), Options{AnswerWithin: time.Second / 2})
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
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
	must(t, d.Ping(t.Context()))
	if _, write := d.Waiting(); !write.IsZero() {
		t.Errorf("a write is said to wait since %v", write)
	}
	commit(t, d, fire(incident("a", "#db", 1)))
	if l := balanced(t, d); l.Total.Accepted != 1 {
		t.Errorf("the ledger is %+v", l.Total)
	}
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
	began := time.Now()
	_, err := d.Ledger(t.Context())
	mustBe(t, err, alert.ErrUnavailable)
	if read, _ := d.Waiting(); read.Before(began) || read.After(time.Now()) {
		t.Errorf("a read is said to wait since %v, and it began at %v", read, began)
	}
	for _, conn := range busy {
		must(t, conn.Close())
	}
	_, err = d.Ledger(t.Context())
	must(t, err)
	if read, _ := d.Waiting(); read.IsZero() {
		t.Error("one read that worked is taken for all")
	}
	must(t, d.Ping(t.Context()))
	if read, _ := d.Waiting(); !read.IsZero() {
		t.Errorf("after a ping a read is said to wait since %v", read)
	}
}

func TestAPanicInAReadFailsThatReadAlone(t *testing.T) {
	d := openTemp(t)
	commit(t, d, fire(incident("a", "#db", 1)))
	err := d.each(t.Context(), "SELECT n FROM alerts", func(scanner) error { panic("bad row") })
	mustBe(t, err, alert.ErrInternal)
	_, err = d.Ledger(t.Context())
	must(t, err)
}
