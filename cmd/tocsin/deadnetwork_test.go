package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// answerLimit is within which a push is answered, whatever the database does.
const answerLimit = 10 * time.Second

// stream pushes alerts that can be told apart.
type stream struct {
	p    *process
	mu   sync.Mutex
	sent []map[string]any
	// took is the longest that a push took.
	took time.Duration
}

// pushAll has each sender push so many alerts, one after the other.
func (s *stream) pushAll(senders, each int, mayFail bool) {
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for range each {
				s.push(s.next(), mayFail)
			}
		})
	}
	all.Wait()
}

func (s *stream) next() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := fmt.Sprint("alert-", len(s.sent))
	a := firing(name, name+".")
	a["idempotency_key"] = alert.NewID()
	s.sent = append(s.sent, a)
	return a
}

// push reports whether the alert is accepted. The answer must come in time, and
// be 202 or, if it may fail, 503.
func (s *stream) push(a map[string]any, mayFail bool) bool {
	ctx, cancel := context.WithTimeout(s.p.t.Context(), answerLimit)
	defer cancel()
	began := time.Now()
	_, err := push(ctx, s.p.client(), []map[string]any{a})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = max(s.took, time.Since(began))
	refusal, answered := errors.AsType[*answerError](err)
	if err != nil && (!mayFail || !answered || refusal.status != http.StatusServiceUnavailable) {
		s.p.t.Errorf("after %s a push got %v", time.Since(began), err)
	}
	return err == nil
}

// untilAccepted pushes an alert until it is accepted.
func (s *stream) untilAccepted() {
	s.p.t.Helper()
	a := s.next()
	s.p.eventually("accepting again", func() bool { return s.push(a, true) })
}

// settleAll sends everything again, as senders do, and checks that each alert is
// there once.
func (s *stream) settleAll(slack *playground.Server) {
	s.p.t.Helper()
	s.p.settle(s.p.mustPush(s.sent...)...)
	if l := s.p.ledger(); l.Total.Accepted != int64(len(s.sent)) {
		s.p.t.Errorf("%d alerts were sent, the ledger is %+v", len(s.sent), l.Total)
	}
	quiet(s.p.t, slack)
	all := told(slack, "#alerts")
	for _, a := range s.sent {
		if !strings.Contains(all, a["title"].(string)) {
			s.p.t.Errorf("%s is shown nowhere", a["title"])
		}
	}
}

func TestADatabaseBehindADeadNetworkIsAnsweredWith503AndUsedAgainWhenItIsBack(t *testing.T) {
	t.Parallel()
	db := cutOffDatabase(t)
	slack := slack(t, playground.Options{})
	p := prepare(t, slack, map[string]string{"TOCSIN_STORE": db.remote()})
	p.start()
	s := &stream{p: p}
	s.pushAll(4, 5, false)
	var senders sync.WaitGroup
	senders.Go(func() { s.pushAll(8, 1, true) }) // some are on their way
	db.cut()
	cut := time.Now()
	p.eventually("503", func() bool { return !s.push(s.next(), true) })
	t.Logf("the first 503 came %s after the cut", time.Since(cut))
	senders.Wait()
	if status, body := readiness(t, p); status != http.StatusServiceUnavailable || !strings.Contains(body, "check that PostgreSQL runs") {
		t.Errorf("/readyz answers %d with %s", status, body)
	}
	db.mend()
	mended := time.Now()
	s.untilAccepted()
	t.Logf("the first 202 came %s after the network was back; no push took longer than %s", time.Since(mended), s.took)
	s.settleAll(slack)
}

func TestADatabaseThatIsStoppedIsAnsweredWith503(t *testing.T) {
	t.Parallel()
	db := cutOffDatabase(t)
	slack := slack(t, playground.Options{})
	p := prepare(t, slack, map[string]string{"TOCSIN_STORE": db.remote()})
	p.start()
	s := &stream{p: p}
	s.pushAll(4, 5, false)
	db.signal(syscall.SIGSTOP) // its kernel still acknowledges every packet
	s.pushAll(4, 1, true)
	db.signal(syscall.SIGCONT)
	went := time.Now()
	s.untilAccepted()
	t.Logf("the first 202 came %s after it went on; no push took longer than %s", time.Since(went), s.took)
	s.settleAll(slack)
}

func TestADaemonWhoseNetworkIsDeadIsReplacedWithinSecondsAndIsAStandbyThen(t *testing.T) {
	t.Parallel()
	db := cutOffDatabase(t)
	slack := slack(t, playground.Options{})
	first := prepare(t, slack, map[string]string{"TOCSIN_STORE": db.remote()})
	first.start()
	first.settle(first.mustPush(firing("a", "before"))...)
	second := prepare(t, slack, map[string]string{"TOCSIN_STORE": db.local()})
	second.start()
	db.cut()
	began := time.Now()
	active(t, []*process{second})
	t.Logf("the second was active after %s", time.Since(began))
	first.eventually("not ready, without a push", func() bool { return first.ask("/readyz", &struct{}{}) != nil })
	second.settle(second.mustPush(firing("b", "after"))...)
	db.mend()
	first.eventually("a standby", func() bool {
		h, err := first.health()
		return err == nil && h.Standby && len(h.Replicas) == 2
	})
	if err := second.terminate(); err != nil {
		t.Errorf("the second ended with %v", err)
	}
	first.eventually("the first is back", func() bool {
		_, err := first.push(firing("c", "again"))
		return err == nil
	})
	active(t, []*process{first}) // which it may not have been when it accepted that
	first.eventually("all three in the ledger", func() bool { return first.ledger().Total.Accepted == 3 })
}
