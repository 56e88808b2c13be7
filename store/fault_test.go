package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tocsin/alert"
)

// bigFire is fire with a text of 20 kB.
func bigFire() alert.Change {
	c := fire(incident(alert.NewID(), "#db", 1))
	c.Alerts[0].Text = strings.Repeat("x", 20_000)
	return c
}

// pragma changes a setting of the writing connection.
func pragma(t *testing.T, d *DB, setting string) {
	t.Helper()
	must(t, d.write(t.Context(), func(w *writer, ctx context.Context) error {
		return w.each(ctx, "PRAGMA "+setting, func(s scanner) error { return s.Scan(new(any)) })
	}))
}

// fillUp commits until the store refuses, and returns what it accepted.
func fillUp(t *testing.T, d *DB) (accepted []string) {
	t.Helper()
	for range 5000 {
		c := bigFire()
		err := d.Commit(t.Context(), c)
		if err == nil {
			accepted = append(accepted, c.Alerts[0].ID)
			continue
		}
		mustBe(t, err, alert.ErrUnavailable)
		return accepted
	}
	t.Fatal("the store never became full")
	return nil
}

func TestFullStoreRefusesAndRecoversByItself(t *testing.T) {
	d := openTemp(t)
	pragma(t, d, "max_page_count = 120")
	accepted := fillUp(t, d)
	mustBe(t, d.Commit(t.Context(), bigFire()), alert.ErrUnavailable)
	if _, _, err := d.Claim(t.Context(), alert.Claim{Lane: "#nothing", Now: time.Unix(1, 0), Posts: true}); err != nil {
		t.Errorf("a claim that finds nothing needs no room: %v", err)
	}
	if found := d.Problems(); len(found) != 1 || found[0].Code != alert.ProblemStore {
		t.Errorf("a full store reports %+v", found)
	}
	l := balanced(t, d)
	if int(l.Total.Accepted) != len(accepted) {
		t.Errorf("%d alerts are in a full store, %d were accepted", l.Total.Accepted, len(accepted))
	}
	pragma(t, d, "max_page_count = 100000")
	must(t, d.Ping(t.Context()))
	if found := d.Problems(); len(found) > 0 {
		t.Errorf("a store with room reports %+v", found)
	}
	commit(t, d, bigFire())
	balanced(t, d)
}

func TestFullDiskRefusesAndRecoversByItself(t *testing.T) {
	disk := smallDisk(t)
	d := reopen(t, "sqlite:"+filepath.Join(disk, "tocsin.db"))
	ballast := filepath.Join(disk, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o600))
	accepted := fillUp(t, d)
	must(t, os.Remove(ballast))
	commit(t, d, bigFire())
	must(t, d.Ping(t.Context()))
	for _, id := range accepted {
		if _, _, err := d.record(t.Context(), id); err != nil {
			t.Errorf("accepted alert %s: %v", id, err)
		}
	}
	balanced(t, d)
}

// smallDisk is a file system of 4 MB. Where it can't be mounted, which needs
// root, the test that limits the store's own size has to be enough.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		if os.Getenv("TOCSIN_CI_STRICT") != "" {
			t.Fatalf("no small disk can be mounted, and no test may be skipped here: %v", err)
		}
		t.Skipf("needs the right to mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestBadWriteDoesNotDisturbItsGroup(t *testing.T) {
	d := openTemp(t)
	commit(t, d, fire(incident("a", "#db", 1)))
	job := claim(t, d, "#db", at(1))
	release := hold(t, d)
	broken := errors.New("broken")
	group := []*op{{do: func(w *writer, ctx context.Context) error {
		_, err := w.exec(ctx, "DELETE FROM alerts")
		return errors.Join(err, broken)
	}}}
	group = append(group, &op{do: func(w *writer, ctx context.Context) error {
		return w.finish(ctx, alert.Outcome{Delivery: "nope", State: alert.Dead})
	}})
	group = append(group, &op{do: func(w *writer, ctx context.Context) error {
		return w.finish(ctx, outcome(job, alert.Delivered, at(2)))
	}})
	for _, o := range group {
		o.answer = make(chan error, 1)
		d.others <- o
	}
	committed := make(chan error, 1)
	go func() { committed <- d.Commit(context.Background(), fire(incident("b", "#db", 1))) }()
	for len(d.commits) == 0 {
		runtime.Gosched()
	}
	release()
	mustBe(t, <-group[0].answer, broken)
	mustBe(t, <-group[1].answer, alert.ErrNotFound)
	must(t, <-group[2].answer)
	must(t, <-committed)
	if l := balanced(t, d); l.Total != (alert.Counts{Accepted: 2, Pending: 1, Delivered: 1}) {
		t.Errorf("ledger is %+v", l.Total)
	}
}

// hold keeps the writer busy until release is called, and returns when it is.
func hold(t *testing.T, d *DB) (release func()) {
	t.Helper()
	busy, free := make(chan struct{}), make(chan struct{})
	begun := sync.OnceFunc(func() { close(busy) }) // its group may be written again
	done := make(chan error, 1)
	go func() {
		done <- d.write(context.Background(), func(*writer, context.Context) error {
			begun()
			<-free
			return nil
		})
	}()
	<-busy
	return func() {
		close(free)
		must(t, <-done)
	}
}

func TestAFullQueueMakesOtherWritesWaitAndLetsCommitsThrough(t *testing.T) {
	d := openTemp(t)
	release := hold(t, d)
	for full := false; !full; { // the store's own pruning may be among them
		select {
		case d.others <- &op{do: (*writer).ping, answer: make(chan error, 1)}:
		default:
			full = true
		}
	}
	committed, received := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := d.Receive(context.Background(), alert.Envelope{ID: "e"})
		received <- err
	}()
	go func() { committed <- d.Commit(context.Background(), fire(incident("a", "#db", 1))) }()
	for len(d.commits) == 0 {
		runtime.Gosched()
	}
	release()
	must(t, <-committed)
	must(t, <-received)
}

func TestCommitsDoNotWaitForMuchOtherWork(t *testing.T) {
	var ticks atomic.Int64
	d, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "tocsin.db"), Options{
		Now: func() time.Time { return time.Unix(0, ticks.Add(int64(sharedTime))) }, // each look finds a share used up
	})
	must(t, err)
	defer func() { must(t, d.Close()) }()
	release := hold(t, d)
	const others = 50
	before, order := 0, []int(nil)
	for n := range others {
		d.others <- &op{answer: make(chan error, 1), do: func(w *writer, ctx context.Context) error {
			order = append(order, n)
			written, err := w.one(ctx, "SELECT n FROM alerts", func(s scanner) error { return s.Scan(new(int)) })
			if !written {
				before++
			}
			return err
		}}
	}
	committed := make(chan error, 1)
	go func() { committed <- d.Commit(context.Background(), fire(incident("a", "#db", 1))) }()
	for len(d.commits) == 0 {
		runtime.Gosched()
	}
	release()
	must(t, <-committed)
	must(t, d.Ping(t.Context()))
	if before > 1 {
		t.Errorf("a commit waited for %d other writes", before)
	}
	if len(order) != others || !slices.IsSorted(order) {
		t.Errorf("the others were done in the order %v", order)
	}
}

func TestCommitGivenUpWhileWaitingIsNotWritten(t *testing.T) {
	d := openTemp(t)
	release := hold(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error, 1)
	go func() { answer <- d.Commit(ctx, fire(incident("a", "#db", 1))) }()
	cancel()
	mustBe(t, <-answer, context.Canceled)
	release()
	commit(t, d, fire(incident("b", "#db", 1)))
	if l := balanced(t, d); l.Total.Accepted != 1 {
		t.Errorf("%d alerts accepted, want only the one that was waited for", l.Total.Accepted)
	}
}

func TestCloseAnswersWhatWaits(t *testing.T) {
	d := openTemp(t)
	release := hold(t, d)
	const waiting = 20
	answers := make(chan error, waiting+1)
	for n := range waiting {
		o := &op{answer: make(chan error, 1), do: func(w *writer, ctx context.Context) error {
			_, err := w.exec(ctx, "INSERT INTO homes (person, hash) VALUES (?, '')", fmt.Sprint(n))
			return err
		}}
		d.others <- o
		go func() { answers <- d.await(context.Background(), nil, o) }()
	}
	go func() { answers <- d.Commit(context.Background(), fire(incident("a", "#db", 1))) }()
	for len(d.commits) == 0 {
		runtime.Gosched()
	}
	closed := make(chan error, 1)
	go func() { closed <- d.Close() }()
	<-d.closing
	release()
	for range waiting + 1 {
		must(t, <-answers)
	}
	must(t, <-closed)
}
