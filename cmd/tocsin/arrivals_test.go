package main

import (
	"context"
	"database/sql" //nolint:depguard // it takes PostgreSQL's lock itself
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

func TestWhatAStandbyHasQueuedIsShownOnceAndInOrderWhenTheActiveOneDies(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	all := replicas(t, s, 2)
	first, second := all[0], all[1]
	release := nextActive(first)
	second.mustPush(firing("zero", "zero"))
	first.kill()
	var queued []alert.Accepted
	for _, title := range []string{"one", "two", "two", "three"} {
		one := firing(title, title)
		one["idempotency_key"] = title
		queued = append(queued, second.mustPush(one)...)
	}
	for _, receipt := range queued {
		if receipt.ID != "" || receipt.Key == "" || receipt.Effect != alert.EffectQueued {
			t.Errorf("without an active replica the receipt is %+v", receipt)
		}
	}
	if said, err := second.tocsin("send", "four"); err != nil || !strings.Contains(said, "accepted: queued until a replica is active") {
		t.Errorf("tocsin send says %v, %s", err, said)
	}
	if said, err := second.tocsin("send", "--wait", "--timeout", "2s", "five"); err == nil || !strings.Contains(said, "no replica was active within 2s") {
		t.Errorf("tocsin send --wait says %v, %s", err, said)
	}
	second.eventually("what waits", func() bool {
		h, err := second.health()
		return err == nil && h.Lag != nil && h.Lag.Arrivals >= 6 && h.Lag.Seconds > 2 // for which send has waited
	})
	if said, err := second.tocsin("cluster"); err != nil || !strings.Contains(said, "arrivals that wait: ") {
		t.Errorf("tocsin cluster says %v, %s", err, said)
	}
	if metrics := second.metrics(); strings.Contains(metrics, "tocsin_arrivals_waiting 0") || !strings.Contains(metrics, "tocsin_arrivals_waiting ") {
		t.Errorf("the metrics are\n%s", metrics)
	}
	release()
	active(t, all[1:])
	second.eventually("nothing waits", func() bool {
		said, err := second.tocsin("cluster")
		return err == nil && strings.Contains(said, "no arrivals wait") && strings.Contains(second.metrics(), "tocsin_arrivals_lag_seconds 0\n")
	})
	second.eventually("six accepted and none pending", func() bool {
		l := second.ledger()
		return l.Total.Accepted == 6 && l.Total.Pending == 0
	})
	var shown []string
	top, _ := cards(s.Messages("#alerts"))
	for _, m := range top {
		for _, title := range []string{"zero", "one", "two", "three", "four", "five"} {
			if strings.Contains(m.Text, title) {
				shown = append(shown, title)
			}
		}
	}
	if !slices.Equal(shown, []string{"zero", "one", "two", "three", "four", "five"}) {
		t.Errorf("the channel shows %q", shown)
	}
}

// nextActive has no replica become active after p until release is called.
func nextActive(p *process) (release func()) {
	p.t.Helper()
	db, err := sql.Open("pgx", p.env["TOCSIN_STORE"])
	if err != nil {
		p.t.Fatal(err)
	}
	const key = "FROM (SELECT x'746f63'::int AS class, hashtext(current_schema()) AS object) k"
	got, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(got)
		conn, err := db.Conn(context.Background())
		if err == nil {
			_, err = conn.ExecContext(context.Background(), "SELECT pg_advisory_lock(class, object) "+key)
			defer func() { _ = errors.Join(conn.Close(), db.Close()) }() // which ends the session
		}
		got <- err
		<-ended
	}()
	p.eventually("the lock waited for", func() bool {
		var waiting int
		err := db.QueryRowContext(p.t.Context(), `SELECT count(*) FROM pg_locks l JOIN (SELECT class, object `+key+`) k
			ON l.classid::bigint = class AND l.objid::bigint = object::bigint & 4294967295 WHERE NOT l.granted`).Scan(&waiting)
		return err == nil && waiting == 1
	})
	return func() {
		p.t.Helper()
		if err := <-got; err != nil {
			p.t.Fatal(err)
		}
		close(ended)
	}
}

func TestManySendersOfTwoStandbysGetTheirReceiptsInOrder(t *testing.T) {
	t.Parallel()
	const senders, each = 8, 20
	s := slack(t, playground.Options{Limits: playground.Limits{PostsPerMinute: 1 << 20, Tier3: 1 << 20}})
	channels := addChannels(s, senders)
	all := replicas(t, s, 3)
	standbys := all[1:]
	var sending sync.WaitGroup
	for n, ch := range channels {
		sending.Go(func() {
			p := standbys[n%len(standbys)]
			for k := range each {
				title := fmt.Sprintf("%s number %d.", ch, k)
				got, err := push(t.Context(), p.client(), []map[string]any{inChannel(firing(title, title), ch)})
				if err != nil || got[0].Effect != alert.EffectQueued && got[0].Incident == "" {
					t.Errorf("%s got %+v, %v", title, got, err)
					return
				}
			}
		})
	}
	sending.Wait()
	all[0].eventually("all accepted and none pending", func() bool { // on a busy machine some were queued
		l := all[0].ledger()
		return l.Total.Accepted == senders*each && l.Total.Pending == 0
	})
	for _, ch := range channels {
		if order := all[0].openedIn(ch); len(order) != each || !slices.IsSorted(order) {
			t.Errorf("in %s the alerts were decided as %v", ch, order)
		}
	}
}

// openedIn are the numbers in the titles of a channel's incidents, in the order they opened.
func (p *process) openedIn(channel string) (numbers []int) {
	p.t.Helper()
	var list struct{ Incidents []alert.Incident }
	if err := p.ask("/v1/incidents?sort=latest&limit=1000", &list); err != nil {
		p.t.Fatal(err)
	}
	for _, i := range slices.Backward(list.Incidents) {
		var n int
		if _, err := fmt.Sscanf(i.Title, channel+" number %d.", &n); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
