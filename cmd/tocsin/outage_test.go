package main

import (
	"database/sql" //nolint:depguard // it changes what the daemon has stored, which no store offers
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// change changes the store of a daemon that does not run.
func (p *process) change(statement string) {
	p.t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(p.env["TOCSIN_STORE"], "sqlite:"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(p.t.Context(), statement); err != nil {
		p.t.Fatalf("%s: %v", statement, err)
	}
}

// The back-offs are those of a long outage: a random time of up to five minutes. That
// all of them end within a minute by themselves is as likely as one in a million.
func TestAfterALongOutageEverythingGoesOutAtOnce(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	channels := addChannels(s, 10)
	fault(t, s, playground.Fault{Kind: playground.FaultError, Error: "service_unavailable"})
	tried := 0
	tenMore := func() {
		until(t, s, "ten more attempts", func(sn *playground.Snapshot) bool { return sn.CallCount("chat.postMessage") >= tried+10 })
		tried = callsOf(s, "chat.postMessage")
	}
	p := prepare(t, s, nil)
	p.start()
	var batch []map[string]any
	for _, ch := range channels {
		batch = append(batch, inChannel(firing(ch, "Slack is away"), ch))
	}
	receipts := p.mustPush(batch...)
	tenMore()
	if err := p.terminate(); err != nil {
		t.Fatal(err)
	}
	p.change("UPDATE deliveries SET attempts = 9")
	tried = callsOf(s, "chat.postMessage")
	p.start()
	tenMore()
	s.ClearFaults()
	p.settle(receipts...)
}

func callsOf(s *playground.Server, method string) (n int) {
	for _, c := range s.Calls() {
		if c.Method == method {
			n++
		}
	}
	return n
}

func TestALongPauseThatSlackAsksForIsSaidWithItsEndAndReason(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	fault(t, s, playground.Fault{Kind: playground.FaultThrottle, Method: "chat.postMessage", Channel: "#ops", RetryAfter: 7200})
	p := prepare(t, s, nil)
	p.start()
	p.mustPush(inChannel(firing("ops", "throttled for long"), "#ops"))
	var h alert.Health
	var list struct{ Deliveries []alert.Delivery }
	p.eventually("the note", func() bool {
		noted := p.ask("/readyz", &h) == nil && len(h.Notes) == 1
		return noted && p.ask("/v1/deliveries?state=pending", &list) == nil && len(list.Deliveries) == 1
	})
	if note := h.Notes[0]; note.Lane != "#ops" || !strings.Contains(note.What, "#ops waits until ") || !strings.Contains(note.What, "because Slack asked for a pause of 2h0m0s") {
		t.Errorf("the note is %+v", note)
	}
	d := list.Deliveries[0]
	if wait := d.NextAt.Sub(d.StartedAt).Round(time.Minute); wait != time.Hour {
		t.Errorf("it waits for %v", wait)
	}
	if queue := p.command("queue", "list"); !strings.Contains(queue, " in 5") || !strings.Contains(queue, "Slack asked for a pause of 2h0m0s") {
		t.Errorf("tocsin queue list shows\n%s", queue)
	}
	if status := p.command("status"); strings.Contains(status, "problem") || !strings.Contains(status, "note") || h.Notes[0].Since.IsZero() {
		t.Errorf("the note %+v is shown as\n%s", h.Notes[0], status)
	}
	s.ClearFaults()
	p.kill()
	p.start()
	p.eventually("the alert after a restart, because Slack asks for no pause any more", func() bool { return len(titled(s, "#ops", "throttled for long")) == 1 })
}
