package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// sockets waits until Slack has n connections.
func sockets(t *testing.T, s *playground.Server, n int) {
	t.Helper()
	until(t, s, fmt.Sprint(n, " connections"), func(sn *playground.Snapshot) bool {
		live := 0
		for _, k := range sn.Sockets() {
			if k.State == "live" {
				live++
			}
		}
		return live == n && len(sn.Sockets()) == n
	})
}

// typed has ann type n commands that each get an answer of their own.
func typed(t *testing.T, s *playground.Server, n int) {
	t.Helper()
	for range n {
		types(t, s, "ann", "silence team=db")
	}
}

// answeredOnce waits until ann has n answers, and makes sure that there are no more once another
// command is answered.
func answeredOnce(t *testing.T, s *playground.Server, n int) {
	t.Helper()
	count := func(sn *playground.Snapshot) int {
		return len(saying(sn.Ephemerals("ann", "#alerts"), "for how long?"))
	}
	until(t, s, fmt.Sprint(n, " answers"), func(sn *playground.Snapshot) bool { return count(sn) >= n })
	typed(t, s, 1)
	until(t, s, "the last answer", func(sn *playground.Snapshot) bool { return count(sn) > n })
	until(t, s, "each answered once", func(sn *playground.Snapshot) bool { return count(sn) == n+1 })
}

func TestReplicasShareConnectionsToSlackAndEachCommandIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	all := replicas(t, s, 1)
	sockets(t, s, 2)
	join := func(n int) {
		for range n {
			p := prepare(t, s, map[string]string{"TOCSIN_STORE": all[0].env["TOCSIN_STORE"], "TOCSIN_CONFIG": all[0].env["TOCSIN_CONFIG"]})
			p.start()
			all = append(all, p)
		}
	}
	join(1)
	sockets(t, s, 4)
	typed(t, s, 20) // Slack sends each to one of the four
	answeredOnce(t, s, 20)
	all[0].mustPush(firing("a", "a click"))
	card := cardOf(t, s, "a click")
	press(t, s, "ann", card.TS, "ack")
	showing(t, s, card.TS, "Acknowledged by ann")
	all[1].eventually("two connections in the list", func() bool {
		h, err := all[1].health()
		return err == nil && h.Standby && h.Connections == 2 && strings.Contains(all[1].metrics(), "\ntocsin_slack_connections 2\n")
	})
	join(3)
	sockets(t, s, 5)
}

func TestWhatAStandbyHasAckedIsAnsweredOnceAfterTheActiveOneDied(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	all := replicas(t, s, 2)
	sockets(t, s, 4)
	all[0].mustPush(firing("a", "a click"))
	card := cardOf(t, s, "a click")
	all[0].eventually("nothing pending", func() bool { return all[0].ledger().Total.Pending == 0 })
	release := nextActive(all[0])
	all[0].kill()
	sockets(t, s, 2) // those of the standby
	typed(t, s, 5)
	press(t, s, "ann", card.TS, "ack")
	release()
	active(t, all[1:])
	showing(t, s, card.TS, "Acknowledged by ann")
	answeredOnce(t, s, 5)
}

func TestEveryReplicaSaysThatTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	const commands = 8 // Slack sends each to one of four connections
	s := slack(t, playground.Options{})
	d := soloDatabase(t)
	for range 2 {
		prepare(t, s, map[string]string{"TOCSIN_STORE": d.local()}).start()
	}
	sockets(t, s, 4)
	d.end(syscall.SIGQUIT) // what is typed before it has ended gets into the inbox
	for range commands {
		types(t, s, "ann", "silence team=db 1h")
	}
	until(t, s, "an answer to each", func(sn *playground.Snapshot) bool {
		return len(saying(sn.Ephemerals("ann", "#alerts"), "the log says what")) == commands
	})
}

func TestADialogIsCheckedByAStandbyAndDoneByTheNextActiveReplica(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	all := replicas(t, s, 2)
	sockets(t, s, 4)
	all[0].settle(all[0].mustPush(labelled("disk full", "error", "db"))...)
	press(t, s, "ann", cardOf(t, s, "disk full").TS, "silence")
	all[0].eventually("the dialog", func() bool { _, open := s.User("ann").Modal(); return open })
	release := nextActive(all[0])
	all[0].kill()
	sockets(t, s, 2) // those of the standby
	submit := func(matchers string) *playground.SubmitResult {
		t.Helper()
		got, err := s.User("ann").Submit(t.Context(), map[string]map[string]any{
			"matchers": {"matchers": matchers}, "duration": {"duration": "1h"}, "repeat": {"repeat": "never"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := submit("team"); got.Closed || got.Errors["matchers"] == "" {
		t.Errorf("a mistake got %+v", got)
	}
	if got := submit("team=db"); !got.Closed || len(got.Errors) != 0 {
		t.Errorf("the dialog got %+v", got)
	}
	release()
	active(t, all[1:])
	all[1].eventually("one silence", func() bool {
		var page struct{ Silences []alert.Silence }
		return all[1].ask("/v1/silences", &page) == nil && len(page.Silences) == 1
	})
}
