package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// flapper makes keys resolve and fire again, one after the other.
type flapper struct {
	p      *process
	keys   int
	events int
}

func (f *flapper) alert() map[string]any {
	return firing(fmt.Sprint("key-", f.events%f.keys), fmt.Sprintf("service %d is down", f.events%f.keys))
}

// next resolves each key in turn, and then fires each again.
func (f *flapper) next() {
	f.p.t.Helper()
	a := f.alert()
	if f.events/f.keys%2 == 0 {
		a = resolved(a)
	}
	f.p.mustPush(a)
	f.events++
}

// replies are the messages in the threads of a channel.
func replies(s *playground.Server, channel string) []playground.Message {
	_, threads := cards(s.Messages(channel))
	return threads
}

func TestANewAlertIsShownAtOnceBesideThreadsThatAreBusy(t *testing.T) {
	t.Parallel()
	const keys = 5
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	f := &flapper{p: p, keys: keys}
	for n := range keys { // no more at once than what gets cards of their own
		p.settle(p.mustPush(firing(fmt.Sprint("key-", n), fmt.Sprintf("service %d is down", n)))...)
	}
	// Five events a second are far more than the one message a second that Slack takes.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for f.events < 5*keys {
		f.next()
		pause(ctx, time.Second/5)
	}
	before := s.Journal()
	p.mustPush(firing("new", "the new alert"))
	until(t, s, "the new alert", func(sn *playground.Snapshot) bool { return strings.Contains(allShown(sn, "#alerts"), "the new alert") })
	ahead := 0
	for _, e := range s.Journal()[len(before):] {
		if e.Kind == playground.KindMessage {
			if strings.Contains(e.Message.Text, "the new alert") {
				break
			}
			ahead++
		}
	}
	if ahead > 2 {
		t.Errorf("%d messages were shown before the new alert, want one that was being sent and one that had its turn", ahead)
	}
	said := len(replies(s, "#alerts"))
	p.eventually("nothing waits", func() bool { return p.unfinished() == 0 })
	if more := len(replies(s, "#alerts")) - said; more > keys {
		t.Errorf("%d replies followed %d events, want at most one for each of %d incidents", more, f.events, keys)
	}
	p.balanced(keys + 1 + f.events)
}

func TestAFlappingIncidentIsQuietInItsThreadUntilItIsStable(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure("\ndelivery:\n  flapping:\n    times: 3\n    within: 4s\n")
	p.start()
	p.settle(p.mustPush(firing("key-0", "service 0 is down"))...)
	f := &flapper{p: p, keys: 1}
	for range 40 {
		f.next()
	}
	last := resolved(f.alert())
	last["text"] = "The disk was changed."
	receipts := p.mustPush(last)
	until(t, s, "that it is stable", func(sn *playground.Snapshot) bool { return strings.Contains(allShown(sn, "#alerts"), "Stable again:") })
	top, threads := cards(s.Messages("#alerts"))
	var said strings.Builder
	for _, m := range threads {
		said.WriteString(m.Text + "\n")
	}
	if strings.Count(said.String(), "Flapping, 3 times in") != 1 || strings.Count(said.String(), "Stable again: resolved, fired 21 times") != 1 || len(threads) > 4 {
		t.Errorf("the thread says:\n%s", said.String())
	}
	if len(top) != 1 || !strings.Contains(top[0].Text, "Resolved") || !strings.Contains(top[0].Text, "fired 21 times") {
		t.Errorf("the card says %s", shown(top[0]))
	}
	history, _ := p.try("incidents", "show", receipts[0].Incident)
	if strings.Count(said.String(), "The disk was changed.") != 1 || !strings.Contains(history, "The disk was changed.") {
		t.Errorf("the last text is lost; the thread says:\n%s\nand the history:\n%s", said.String(), history)
	}
	p.balanced(42)
}

func TestRepliesThatFoldKeepWhatGotWorseAndWhoseAcknowledgementIsVoid(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	warning, critical := firing("worse", "disk is full"), firing("worse", "disk is full")
	warning["severity"], critical["severity"] = "warning", "critical"
	acked := firing("acked", "service is down")
	receipts := p.mustPush(warning, acked)
	p.settle(receipts...)
	if said, code := p.try("ack", receipts[1].Incident, "--as", "ann"); code != 0 {
		t.Fatal(said)
	}
	p.eventually("nothing waits", func() bool { return p.unfinished() == 0 })
	// What one request changes is pending at once.
	p.mustPush(resolved(warning), critical, resolved(acked), acked, resolved(acked), acked)
	for _, want := range []string{"🔴 Firing again, now critical", "; ann had acknowledged it"} {
		until(t, s, want, func(sn *playground.Snapshot) bool { return strings.Contains(allShown(sn, "#alerts"), want) })
	}
}

// allShown is the text of all messages of a channel.
func allShown(sn *playground.Snapshot, channel string) string {
	var b strings.Builder
	for _, m := range sn.Messages(channel) {
		b.WriteString(m.Text + "\n")
	}
	return b.String()
}

// unfinished is how many deliveries are not done.
func (p *process) unfinished() int {
	p.t.Helper()
	var list struct {
		Deliveries []alert.Delivery `json:"deliveries"`
	}
	if err := p.ask("/v1/deliveries?state=pending,sending&limit=1000", &list); err != nil {
		p.t.Fatal(err)
	}
	return len(list.Deliveries)
}

// balanced checks that the ledger counts all alerts, and that nothing is lost.
func (p *process) balanced(accepted int) {
	p.t.Helper()
	if c := p.ledger().Total; c.Accepted != int64(accepted) || c.Delivered+c.Folded != c.Accepted {
		p.t.Errorf("the ledger says %+v after %d alerts", c, accepted)
	}
}
