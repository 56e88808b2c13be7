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
	mustBe(t, d.Trouble(), alert.ErrUnavailable)
	l := balanced(t, d)
	if int(l.Total.Accepted) != len(accepted) {
		t.Errorf("%d alerts are in a full store, %d were accepted", l.Total.Accepted, len(accepted))
	}
	pragma(t, d, "max_page_count = 100000")
	must(t, d.Ping(t.Context()))
	must(t, d.Trouble())
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
	twice := fire(incident("twice", "#db", 1))
	commit(t, d, twice)
	// The same alert id again breaks a unique index in the middle of a group,
	// the same version conflicts before anything is written.
	broken := fire(incident("broken", "#db", 1))
	broken.Alerts[0].ID = twice.Alerts[0].ID
	changes := []alert.Change{broken, twice}
	for n := range 20 {
		changes = append(changes, fire(incident(fmt.Sprintf("good-%d", n), "#db", 1)))
	}
	errs := together(t, d, changes)
	if errs[0] == nil || errors.Is(errs[0], alert.ErrUnavailable) {
		t.Errorf("the broken one got %v", errs[0])
	}
	mustBe(t, errs[1], alert.ErrConflict)
	for n, err := range errs[2:] {
		if err != nil {
			t.Errorf("good one %d got %v", n, err)
		}
	}
	if l := balanced(t, d); l.Total.Accepted != 21 {
		t.Errorf("%d alerts accepted, want 21", l.Total.Accepted)
	}
}

// hold keeps the writer busy until release is called, and returns when it is.
func hold(t *testing.T, d *DB) (release func()) {
	t.Helper()
	busy, free := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- d.write(context.Background(), func(*writer, context.Context) error {
			close(busy)
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

// together commits the changes so that they form one group.
func together(t *testing.T, d *DB, changes []alert.Change) []error {
	t.Helper()
	release := hold(t, d)
	errs := make([]error, len(changes))
	var all sync.WaitGroup
	for n, c := range changes {
		prepared, err := prepareChange(c)
		must(t, err)
		o := &op{change: prepared, answer: make(chan error, 1)}
		d.commits <- o
		all.Go(func() { errs[n] = d.await(context.Background(), o) })
	}
	release()
	all.Wait()
	return errs
}

func TestGroupEqualsOneByOne(t *testing.T) {
	grouped, single := openTemp(t), openTemp(t)
	a, b := incident("a", "#db", 1), incident("b", "#db", 1)
	changes := []alert.Change{fire(a), fire(b)}
	for version := int64(2); version < 6; version++ {
		b.Version, b.Severity = version, alert.Error
		if version == 3 {
			b.Severity = alert.Critical
		}
		c := fire(b)
		c.Deliveries = append(c.Deliveries, delivery(b, alert.Reply, 1))
		changes = append(changes, c)
	}
	for _, err := range together(t, grouped, changes) {
		must(t, err)
	}
	for _, c := range changes {
		commit(t, single, c)
	}
	for step := range 7 {
		one, _, err := single.Claim(t.Context(), alert.Claim{Lane: "#db", Now: at(1), Posts: true, Updates: true})
		must(t, err)
		two, _, err := grouped.Claim(t.Context(), alert.Claim{Lane: "#db", Now: at(1), Posts: true, Updates: true})
		must(t, err)
		if one.ID != two.ID || one.Priority != two.Priority {
			t.Fatalf("step %d: one by one gives %s priority %d, the group %s priority %d",
				step, one.ID, one.Priority, two.ID, two.Priority)
		}
		if one.ID != "" {
			finish(t, single, one, alert.Delivered, at(1))
			finish(t, grouped, two, alert.Delivered, at(1))
		}
	}
}

func TestFullQueueShedsAlerts(t *testing.T) {
	d := openTemp(t)
	release := hold(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for full := false; !full; { // the store's own pruning may have a place in it
		select {
		case d.commits <- &op{change: &change{}, answer: make(chan error, 1)}:
		case d.queue <- &op{do: (*writer).ping, answer: make(chan error, 1)}:
		default:
			full = true
		}
	}
	mustBe(t, d.Commit(t.Context(), fire(incident("a", "#db", 1))), alert.ErrOverloaded)
	var received atomic.Bool
	all.Go(func() {
		_, err := d.Receive(ctx, alert.Envelope{ID: "e"})
		received.Store(err == nil)
	})
	release()
	all.Wait()
	cancel()
	if !received.Load() {
		t.Error("an envelope was refused instead of waiting for its place")
	}
	commit(t, d, fire(incident("a", "#db", 1)))
}

func TestCommitsDoNotWaitForMuchOtherWork(t *testing.T) {
	var ticks atomic.Int64
	d, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "tocsin.db"), Options{
		Now: func() time.Time { return time.Unix(0, ticks.Add(int64(turnTime))) }, // each look finds a turn over
	})
	must(t, err)
	defer func() { must(t, d.Close()) }()
	release := hold(t, d)
	const others = 50
	before, order := 0, []int(nil)
	for n := range others {
		d.queue <- &op{answer: make(chan error, 1), do: func(w *writer, ctx context.Context) error {
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
	answers := make(chan error, waiting)
	for n := range waiting {
		c, err := prepareChange(fire(incident(fmt.Sprintf("i%d", n), "#db", 1)))
		must(t, err)
		o := &op{change: c, answer: make(chan error, 1)}
		d.commits <- o
		go func() { answers <- d.await(context.Background(), o) }()
	}
	closed := make(chan error, 1)
	go func() { closed <- d.Close() }()
	<-d.closing
	release()
	for range waiting {
		must(t, <-answers)
	}
	must(t, <-closed)
}
