package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/alert"
)

func testArrivals(t *testing.T, d *DB) {
	for _, id := range []string{"c", "a", "b"} {
		must(t, d.write(t.Context(), func(w *writer, ctx context.Context) error {
			_, err := w.exec(ctx, "INSERT INTO arrivals (id, request, arrived_at) VALUES (?, ?, 0)", id, "request "+id)
			return err
		}))
	}
	if got := arrived(t, d, 2); got != "c request c, a request a" {
		t.Errorf("the first two arrivals are %s", got)
	}
	c := fire(incident("one", "#db", 1))
	c.Receipts = map[string][]byte{"a": []byte("receipt")}
	must(t, d.Commit(t.Context(), c))
	again := fire(incident("two", "#db", 1))
	again.Receipts = map[string][]byte{"a": []byte("receipt"), "b": []byte("receipt")}
	mustBe(t, d.Commit(t.Context(), again), alert.ErrConflict)
	if got := arrived(t, d, 9); got != "c request c, b request b" {
		t.Errorf("what waits after one was decided is %s", got)
	}
	if l := balanced(t, d); l.Total.Accepted != 1 {
		t.Errorf("%d alerts are accepted, although one arrival was decided once", l.Total.Accepted)
	}
}

func testLargeArrivals(t *testing.T, d *DB) {
	for n, size := range []int{arrivalsBytes - 1, 1, 1, arrivalsBytes + 1, 1} {
		must(t, d.write(t.Context(), func(w *writer, ctx context.Context) error {
			_, err := w.exec(ctx, "INSERT INTO arrivals (id, request, arrived_at) VALUES (?, ?, 0)", fmt.Sprint(n), strings.Repeat("x", size))
			return err
		}))
	}
	for _, want := range []string{"0 1", "2 3", "4", ""} {
		all, err := d.Arrivals(t.Context(), 9)
		must(t, err)
		var ids []string
		c := alert.Change{Receipts: map[string][]byte{}}
		for _, a := range all {
			ids = append(ids, a.ID)
			c.Receipts[a.ID] = []byte("receipt")
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("read at once are %q, want %q", got, want)
		}
		must(t, d.Commit(t.Context(), c))
	}
}

func arrived(t *testing.T, d *DB, most int) string {
	t.Helper()
	all, err := d.Arrivals(t.Context(), most)
	must(t, err)
	var texts []string
	for _, a := range all {
		texts = append(texts, a.ID+" "+string(a.Request))
	}
	return strings.Join(texts, ", ")
}

// openFront opens a store as a standby does.
func openFront(t *testing.T, url string) *DB {
	t.Helper()
	d, err := OpenFront(url, Options{})
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

func TestPostgresAStandbyReadsAndWritesNothing(t *testing.T) {
	url := postgresSchema(t)
	d := reopen(t, url)
	standby := openFront(t, url)
	id := commit(t, d, fire(incident("a", "#db", 1))).Alerts[0].ID
	settled := make(chan alert.Record, 1)
	var reader sync.WaitGroup
	reader.Go(func() {
		r, err := standby.Await(t.Context(), id)
		if err != nil {
			t.Error(err)
		}
		settled <- r
	})
	j, _, err := d.Claim(t.Context(), alert.Claim{Lane: "#db", Now: at(1), Posts: true, Updates: true, DigestAbove: 5})
	must(t, err)
	finish(t, d, j, alert.Delivered, at(1))
	reader.Wait()
	if r := <-settled; r.Standing != alert.StandDelivered {
		t.Errorf("the standby says that the alert is %s", r.Standing)
	}
	if i, err := standby.Incident(t.Context(), "a"); err != nil || i.ID != "a" {
		t.Errorf("the standby reads %+v, %v", i, err)
	}
	mustBe(t, standby.Commit(t.Context(), fire(incident("b", "#db", 1))), alert.ErrUnavailable)
	succeeds(t, func() error { // its stock is of a moment ago
		if standby.Aliases() == nil || standby.Pending() != 0 {
			return fmt.Errorf("%d alerts are pending: %w", standby.Pending(), alert.ErrUnavailable) // tried again
		}
		return nil
	})
}

// The active replica keeps in memory which incident is the latest of a key.
func TestPostgresAStandbyFindsTheLatestIncidentOfEachKey(t *testing.T) {
	url := postgresSchema(t)
	d := reopen(t, url)
	standby := openFront(t, url)
	commit(t, d, fire(incident("old", "#db", 1)))
	must(t, d.write(t.Context(), (*writer).flushKeys)) // as a commit does once there are many
	for _, id := range []string{"new", "newest"} {
		i := incident(id, "#db", 1)
		i.Key = "key-old"
		commit(t, d, fire(i))
	}
	f, err := standby.Load(t.Context(), alert.Query{Keys: []string{"key-old"}})
	must(t, err)
	if len(f.Incidents) != 1 || f.Incidents[0].ID != "newest" {
		t.Errorf("the standby finds %+v, want the newest incident alone", f.Incidents)
	}
	s, err := standby.Stats(t.Context(), []time.Time{at(-10), at(10)})
	must(t, err)
	if len(s.Noisiest) != 1 || s.Noisiest[0].Incident != "newest" || s.Noisiest[0].Title == "" {
		t.Errorf("the standby counts %+v, want the newest incident with its title", s.Noisiest)
	}
}

func TestPostgresAStandbyGoesByTheClockOfTheActiveReplica(t *testing.T) {
	url := postgresSchema(t)
	d := reopen(t, url)
	clock := func() (at time.Time) {
		t.Helper()
		must(t, d.each(t.Context(), "SELECT clock_timestamp()", func(s scanner) error { return s.Scan(&at) }))
		return at
	}
	before := clock()
	standby, err := OpenFront(url, Options{Now: func() time.Time { return at(1) }})
	must(t, err)
	defer func() { must(t, standby.Close()) }()
	<-standby.arrivals.heard
	if now := standby.Now(); now.Before(before) || now.After(clock()) {
		t.Errorf("before it has heard of another replica it is %s, and by the database %s", now, before)
	}
	must(t, d.Close())
	for _, now := range []time.Time{at(100), at(-100)} {
		o := replicaOptions("a")
		o.Now = func() time.Time { return now }
		active, err := Open(t.Context(), url, o)
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		for !standby.Now().Equal(now) && standby.again(ctx) {
		}
		cancel()
		if got := standby.Now(); !got.Equal(now) {
			t.Errorf("it is %s, and by the active replica %s", got, now)
		}
		if got := active.Now(); !got.Equal(now) {
			t.Errorf("by the active one's clock it is %s, want %s", got, now)
		}
		must(t, active.Close())
	}
}

func TestPostgresReceiptsComeBackWhole(t *testing.T) {
	url := postgresSchema(t)
	d := reopen(t, url)
	standby := openFront(t, url)
	standby.arrivals.patience = time.Hour // how busy the machine is does not matter
	<-standby.arrivals.heard
	want := map[string]string{}
	for n, size := range []int{1, 2 * notifiedMost, 100} {
		want[fmt.Sprint("request ", n)] = strings.Repeat(fmt.Sprint(n), size)
	}
	var senders sync.WaitGroup
	for request, receipt := range want {
		senders.Go(func() {
			got, err := standby.Arrive(t.Context(), []byte(request))
			if err != nil || string(got) != receipt {
				t.Errorf("the receipt of %s has %d bytes, want %d: %v", request, len(got), len(receipt), err)
			}
		})
	}
	for answered := 0; answered < len(want); {
		<-d.Arrived()
		all, err := d.Arrivals(t.Context(), 9)
		must(t, err)
		c := alert.Change{Receipts: map[string][]byte{}}
		for _, a := range all {
			c.Receipts[a.ID] = []byte(want[string(a.Request)])
		}
		must(t, d.Commit(t.Context(), c))
		answered += len(all)
	}
	senders.Wait()
}

func TestPostgresWhatAStandbyReceivesWakesTheActiveReplicaOnce(t *testing.T) {
	url := postgresSchema(t)
	d := reopen(t, url)
	standby := openFront(t, url)
	received := func(by *DB, id, content string, want bool) {
		t.Helper()
		fresh, err := by.Receive(t.Context(), alert.Envelope{ID: id, Dedupe: content, Type: "interactive", Payload: []byte("payload " + id), ReceivedAt: at(1)})
		if err != nil || fresh != want {
			t.Errorf("%s is fresh: %v, %v", id, fresh, err)
		}
	}
	received(standby, "a", "click 1", true)
	<-d.Received()
	received(standby, "a", "", false)
	received(d, "a", "", false)
	received(d, "b", "click 1", false)
	received(d, "c", "click 2", true)
	received(standby, "d", "click 2", false)
	all, err := d.Unhandled(t.Context())
	must(t, err)
	if len(all) != 2 || all[0].ID != "a" || string(all[0].Payload) != "payload a" || all[0].Type != "interactive" || time.Since(all[0].ReceivedAt).Abs() > time.Hour || all[1].ID != "c" {
		t.Errorf("to be handled are %+v", all)
	}
	must(t, d.Handled(t.Context(), "a"))
	received(standby, "a", "", false)
	mustBe(t, standby.Handled(t.Context(), "c"), alert.ErrUnavailable)
}

func TestPostgresWhatArrivesIsKeptInItsOrder(t *testing.T) {
	url := postgresSchema(t)
	d := reopen(t, url)
	standby := openFront(t, url)
	for n := range 3 {
		ended, end := context.WithCancel(t.Context())
		var sender sync.WaitGroup
		sender.Go(func() {
			receipt, err := standby.Arrive(ended, fmt.Append(nil, n))
			if receipt != nil || err != nil {
				t.Errorf("there is a receipt, %q, or an error: %v", receipt, err)
			}
		})
		for kept := 0; kept <= n; {
			<-d.Arrived()
			all, err := d.Arrivals(t.Context(), 9)
			must(t, err)
			kept = len(all)
		}
		end()
		sender.Wait()
	}
	must(t, d.Close())
	all, err := reopen(t, url).Arrivals(t.Context(), 9)
	must(t, err)
	order := slices.Collect(func(yield func(string) bool) {
		for _, a := range all {
			if !yield(string(a.Request)) {
				return
			}
		}
	})
	if !slices.Equal(order, []string{"0", "1", "2"}) {
		t.Errorf("after a restart the arrivals are %q", order)
	}
}
