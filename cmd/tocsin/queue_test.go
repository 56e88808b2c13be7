package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// configure gives the daemon a configuration file.
func (p *process) configure(yaml string) {
	p.t.Helper()
	path := filepath.Join(p.dir, "tocsin.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if p.env["TOCSIN_CONFIG"] != path { // others may read the environment while it is written again
		p.env["TOCSIN_CONFIG"] = path
	}
}

// eventually asks until ok is content with the daemon.
func (p *process) eventually(what string, ok func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for !ok() {
		if !pause(ctx, 20*time.Millisecond) {
			p.t.Fatalf("%s: it did not come", what)
		}
	}
}

// metrics is the text of /metrics.
func (p *process) metrics() string {
	p.t.Helper()
	resp, err := p.client().http.Get("http://localhost/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func TestADeadLetterIsNoSecondCardOnceAnEditHasBecomeTheCard(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	fault(t, s, playground.Fault{Kind: playground.FaultError, Method: "chat.postMessage", Error: "invalid_blocks"})
	p.settle(p.mustPush(firing("disk", "disk full"))...)
	p.eventually("a dead letter", func() bool { return p.ledger().Total.Dead == 1 })
	s.ClearFaults()
	p.settle(p.mustPush(firing("disk", "disk full again"))...)
	fault(t, s, playground.Fault{Kind: playground.FaultThrottle, Method: "chat.update"})
	p.mustPush(firing("disk", "disk full still"))
	if err := p.client().call(t.Context(), http.MethodPost, "/v1/deliveries/retry?all=true", nil, &alert.RetryResult{}); err != nil {
		t.Fatal(err)
	}
	s.ClearFaults()
	p.eventually("nothing to be pending", func() bool { return p.ledger().Total.Pending == 0 })
	if top, _ := cards(s.Messages("#alerts")); len(top) != 1 || !strings.Contains(top[0].Text, "disk full still") {
		t.Errorf("there are %d cards", len(top))
	}
}

func TestADeadLetterIsShownToProbesAndMetricsUntilAPersonDecides(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	p.configure("delivery:\n  give_up_after: 100ms\n")
	p.start()
	p.settle(p.mustPush(inChannel(firing("lost", "nobody will see this"), "#nosuch"))...)
	var ready struct {
		alert.Health
		Ready bool `json:"ready"`
	}
	p.eventually("ready with a note", func() bool { return p.ask("/readyz", &ready) == nil && ready.Ready })
	if ready.DeadLetters != 1 || !slices.ContainsFunc(ready.Notes, func(p alert.Problem) bool { return strings.Contains(p.Fix, "tocsin queue") }) {
		t.Errorf("/readyz says %+v", ready)
	}
	if !strings.Contains(p.metrics(), "\ntocsin_dead_letters 1\n") {
		t.Error("no metric counts the dead letter")
	}
	p.kill()
	p.start()
	if !strings.Contains(p.metrics(), "\ntocsin_dead_letters 1\n") {
		t.Error("after a crash no metric counts the dead letter")
	}
	var moved alert.RetryResult
	if err := p.client().call(t.Context(), http.MethodPost, "/v1/deliveries/drop?all=true", nil, &moved); err != nil || moved.Deliveries != 1 {
		t.Fatalf("dropped %+v: %v", moved, err)
	}
	if !strings.Contains(p.metrics(), "\ntocsin_dead_letters 0\n") {
		t.Error("what was dropped is still counted as a dead letter")
	}
	if l := p.ledger(); l.Total != (alert.Counts{Accepted: 1, Dead: 1}) {
		t.Errorf("the ledger is %+v", l.Total)
	}
}

func TestAboveMaxPendingThePushIsAnsweredWith429AndNothingIsDropped(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"SLACK_BOT_TOKEN": ""})
	p.configure("delivery:\n  max_pending: 3\n")
	p.start()
	accepted := p.mustPush(firing("a", "a"), firing("b", "b"))
	_, err := p.push(firing("c", "c"), firing("d", "d"))
	var said *answerError
	if !errors.As(err, &said) || said.status != http.StatusTooManyRequests || said.retryAfter <= 0 || said.Hint == "" {
		t.Fatalf("two more than fit got %v", err)
	}
	accepted = append(accepted, p.mustPush(firing("c", "c"))...)
	if _, err := p.push(firing("d", "d")); err == nil {
		t.Error("one more than fits was accepted")
	}
	p.untilProblem(alert.ProblemBacklog) // it accepts nothing
	if l := p.ledger(); l.Total != (alert.Counts{Accepted: 3, Pending: 3}) {
		t.Errorf("the ledger is %+v", l.Total)
	}
	p.kill()
	p.env["SLACK_BOT_TOKEN"] = s.BotToken()
	p.start()
	p.settle(accepted...)
	p.settle(p.mustPush(firing("d", "d"))...)
	if l := p.ledger(); l.Total != (alert.Counts{Accepted: 4, Delivered: 4}) {
		t.Errorf("the ledger is %+v", l.Total)
	}
}

func TestAFullDiskIsAnsweredWith503AndEndsByItself(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	disk := smallDisk(t)
	p := prepare(t, s, map[string]string{"TOCSIN_STORE": "sqlite:" + filepath.Join(disk, "tocsin.db")})
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	large := firing("one", "disk full")
	large["labels"] = map[string]any{"a": strings.Repeat("x", 4000), "b": strings.Repeat("y", 4000)}
	var accepted []alert.Accepted
	for {
		got, err := p.push(large, large, large, large, large)
		accepted = append(accepted, got...)
		if err == nil {
			continue
		}
		var said *answerError
		if !errors.As(err, &said) || said.status != http.StatusServiceUnavailable || said.retryAfter <= 0 || !strings.Contains(said.Hint, "/readyz") {
			t.Fatalf("the full disk was answered with %v", err)
		}
		if strings.Count(err.Error(), "commit change") > 1 {
			t.Errorf("it says twice what was done: %v", err)
		}
		break
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p.eventually("accepting again", func() bool {
		got, err := p.push(large)
		accepted = append(accepted, got...)
		return err == nil
	})
	p.settle(accepted...)
	p.eventually("ready again", func() bool { return p.ask("/readyz", &struct{}{}) == nil })
	if l := p.ledger(); l.Total.Accepted != int64(len(accepted)) || l.Total.Pending != 0 || l.Total.Dead != 0 {
		t.Errorf("%d were accepted, the ledger is %+v", len(accepted), l.Total)
	}
	if top, _ := cards(s.Messages("#alerts")); len(top) != 1 {
		t.Errorf("%d cards are shown, want 1", len(top))
	}
	if err := p.terminate(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// smallDisk is a file system of 12 MB, which only root can make.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", 12<<20)); err != nil {
		if os.Getenv("TOCSIN_CI_STRICT") != "" {
			t.Fatalf("no small disk can be mounted, and this run is to skip nothing: %v", err)
		}
		t.Skipf("needs root, to mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
