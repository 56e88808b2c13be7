package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"

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
		return len(found) == 1 && strings.Contains(found[0].Text, "Resolved") && strings.Contains(found[0].Text, "Meant for #ops")
	})
	if l := p.ledger(); l.Total != (alert.Counts{Accepted: 5, Delivered: 3, Folded: 2}) {
		t.Errorf("the ledger is %+v", l.Total)
	}
	if !strings.Contains(p.metrics(), "\ntocsin_broken_destinations 0\n") || !strings.Contains(p.log.String(), "can be reached again") {
		t.Error("neither metric nor log tell that it is over")
	}
}

// program makes a script that a test has as its last resort.
func (p *process) program(body string) (path string) {
	p.t.Helper()
	path = filepath.Join(p.dir, "last-resort")
	if err := writeProgram(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func TestWithFallbackAndChannelBrokenTheLastResortIsToldAndTheNotesSaySo(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	told := filepath.Join(p.dir, "told")
	path := p.program("cat >> \"$1\"; echo \"-- from $SLACK_BOT_TOKEN --\" >> \"$1\"; echo it is on its way")
	p.configure(fmt.Sprintf("fallback_channel: '#random'\ndelivery:\n  probe_every: 300ms\n  last_resort: [%q, %q]\n", path, told))
	p.start()
	archive(t, s.Archive, "#ops", "#random")
	disk := inChannel(firing("a", "disk full"), "#ops")
	disk["text"], disk["severity"], disk["labels"] = "18 GB left\nof 2 TB", "critical", map[string]any{"host": "db-3"}
	receipts := p.mustPush(disk)
	read := func() string {
		text, _ := os.ReadFile(told) // it may not be there yet
		return string(text)
	}
	p.eventually("the last resort", func() bool { return strings.Contains(read(), "-- from") })
	for _, want := range []string{"Conversation: #ops", "is_archived", "fallback #random", "CRITICAL: disk full", "host=db-3", "| 18 GB left", "| of 2 TB", "incident " + receipts[0].Incident, "-- from  --"} {
		if !strings.Contains(read(), want) {
			t.Errorf("it is not told %q:\n%s", want, read())
		}
	}
	r := p.readiness()
	if !r.Ready || len(r.Notes) != 2 || !r.Notes[0].Blocks || !strings.Contains(r.Notes[0].Fix, "unarchive") {
		t.Errorf("/readyz says %+v", r)
	}
	p.eventually("its output in the log", func() bool { return strings.Contains(p.log.String(), "it is on its way") })
	p.eventually("that it is written down", func() bool { return strings.Contains(p.metrics(), "tocsin_last_resort_total{result=\"taken\"} 1") })
	p.kill()
	p.start()
	if l := p.ledger(); l.Total != (alert.Counts{Accepted: 1, Pending: 1}) {
		t.Errorf("the ledger is %+v", l.Total)
	}
	archive(t, s.Unarchive, "#ops", "#random")
	p.settle(receipts...)
	p.eventually("that no alert waits", func() bool {
		return !slices.ContainsFunc(p.readiness().Notes, func(n alert.Problem) bool { return n.Blocks })
	})
	if n := strings.Count(read(), "disk full"); n != 1 {
		t.Errorf("it was told %d times", n)
	}
	if len(titled(s, "#ops", "disk full"))+len(titled(s, "#random", "disk full")) != 1 {
		t.Error("the alert is not shown once in the end")
	}
}

func TestALastResortThatHangsIsEndedWithAllThatItBegan(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- runProgram(ctx, []string{"/bin/sh", "-c", "sleep 1000 & echo begun > " + fifo + "; wait"}, "an alert", zap.NewNop())
	}()
	if _, err := os.ReadFile(fifo); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("it ended with %v", err)
	}
}

func TestALastResortThatDoesNotNeedItsInputIsFine(t *testing.T) {
	if err := runProgram(t.Context(), []string{"/bin/true"}, strings.Repeat("a long text ", 100000), zap.NewNop()); err != nil {
		t.Error(err)
	}
	if err := runProgram(t.Context(), []string{"/bin/false"}, "", zap.NewNop()); err == nil {
		t.Error("a program that says no is taken for one that says yes")
	}
}

func TestAConfiguredProgramThatDoesNotExistIsReported(t *testing.T) {
	if p := missingProgram([]string{"/nowhere/mail"}); len(p) != 1 || !strings.Contains(p[0].Message, "/nowhere/mail") {
		t.Errorf("reported %v", p)
	}
	if p := append(missingProgram([]string{"sh"}), missingProgram(nil)...); len(p) != 0 {
		t.Errorf("reported %v", p)
	}
}

func TestDeadLettersOfAChannelAreToldInTheFallback(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure("fallback_channel: '#random'\n")
	p.start()
	if err := s.SetFault(playground.Fault{Kind: playground.FaultError, Method: "chat.postMessage", Channel: "#ops", Error: "invalid_blocks"}); err != nil {
		t.Fatal(err)
	}
	p.settle(p.mustPush(inChannel(firing("a", "disk full"), "#ops"))...)
	until(t, s, "the line about it", func(sn *playground.Snapshot) bool {
		found := titled(sn, "#random", "1 message for #ops was given up")
		return len(found) == 1 && strings.Contains(found[0].Text, "tocsin queue list --state dead") && strings.Contains(found[0].Text, "invalid_blocks")
	})
}
