package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// readyAnswer is what /readyz says.
type readyAnswer struct {
	alert.Health
	Ready bool `json:"ready"`
}

func (p *process) readiness() (r readyAnswer) {
	p.t.Helper()
	resp, err := p.client().http.Get("http://localhost/readyz")
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		p.t.Fatal(err)
	}
	if r.Ready != (resp.StatusCode == http.StatusOK) {
		p.t.Errorf("/readyz answers %d and ready=%t", resp.StatusCode, r.Ready)
	}
	return r
}

// archive archives channels, or opens them again.
func archive(t *testing.T, change func(string) error, channels ...string) {
	t.Helper()
	for _, c := range channels {
		if err := change(c); err != nil {
			t.Fatal(err)
		}
	}
}

// shows is a playground, or a look at one.
type shows interface {
	Messages(channel string) []playground.Message
}

// titled finds the cards of a channel that show a title.
func titled(s shows, channel, title string) (found []playground.Message) {
	top, _ := cards(s.Messages(channel))
	for _, m := range top {
		if strings.Contains(m.Text, title) {
			found = append(found, m)
		}
	}
	return found
}

func TestWhatAnArchivedChannelCannotTakeIsShownInTheFallbackUntilItIsOpenedAgain(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure("fallback_channel: '#random'\ndelivery:\n  probe_every: 300ms\n")
	p.start()
	ops := func(key, title string) map[string]any { return inChannel(firing(key, title), "#ops") }
	p.settle(p.mustPush(ops("before", "it began before"))...)
	archive(t, s.Archive, "#ops")

	p.settle(p.mustPush(ops("a", "disk full"), resolved(ops("before", "it began before")))...)
	for _, title := range []string{"disk full", "it began before"} {
		found := titled(s, "#random", title)
		if len(found) != 1 || !strings.Contains(found[0].Text, "Meant for #ops, which is archived.") {
			t.Fatalf("the fallback shows %q as %v", title, found)
		}
	}
	until(t, s, "the resolution in the thread of the new card", func(sn *playground.Snapshot) bool {
		_, threads := cards(sn.Messages("#random"))
		return len(threads) == 1 && strings.Contains(threads[0].Text, "Resolved")
	})
	if r := p.readiness(); !r.Ready || len(r.Notes) != 1 || !strings.Contains(r.Notes[0].Fix, "unarchive") || !strings.Contains(r.Notes[0].What, "#random") {
		t.Errorf("/readyz says %+v", r)
	}
	if !strings.Contains(p.metrics(), "\ntocsin_broken_destinations 1\n") {
		t.Error("no metric counts the broken destination")
	}
	p.kill()
	p.start()
	if r := p.readiness(); len(r.Notes) != 1 {
		t.Errorf("after a crash /readyz says %+v", r)
	}

	archive(t, s.Unarchive, "#ops")
	p.eventually("the channel is used again", func() bool { return len(p.readiness().Notes) == 0 })
	p.settle(p.mustPush(ops("b", "disk slow"), resolved(ops("a", "disk full")))...)
	if found := titled(s, "#ops", "disk slow"); len(found) != 1 || strings.Contains(found[0].Text, "Meant for") {
		t.Errorf("the channel shows %v", found)
	}
	until(t, s, "the edit where the card is", func(sn *playground.Snapshot) bool {
		found := titled(sn, "#random", "disk full")
		return len(found) == 1 && strings.Contains(found[0].Text, "*Resolved*") && strings.Contains(found[0].Text, "Meant for #ops")
	})
	if l := p.ledger(); l.Total != (alert.Counts{Accepted: 5, Delivered: 3, Folded: 2}) {
		t.Errorf("the ledger is %+v", l.Total)
	}
	if !strings.Contains(p.metrics(), "\ntocsin_broken_destinations 0\n") || !strings.Contains(p.log.String(), "can be reached again") {
		t.Error("neither metric nor log tell that it is over")
	}
}
