package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// A crowd is many people who press Acknowledge at the same moment. Slack's own
// limits hold: 20 cards in 5 channels are as many posts, edits and notes as they
// let through within a minute.
const (
	crowdPeople   = 500
	crowdCards    = 20
	crowdChannels = 5
)

// pressed is one person's click and what they were answered.
type pressed struct {
	person string
	out    *playground.Interaction
	err    error
}

// crowd is a running daemon with cards that nobody has acknowledged.
type crowd struct {
	slack  *playground.Server
	daemon *process
	people []string
	cards  []alert.Incident
}

func newCrowd(t testing.TB) *crowd {
	t.Helper()
	s := slack(t, playground.Options{})
	c := &crowd{slack: s, daemon: prepare(t, s, nil)}
	for n := range crowdPeople {
		name := fmt.Sprintf("person%03d", n)
		s.AddUser(playground.User{Name: name})
		c.people = append(c.people, name)
	}
	channels := addChannels(s, crowdChannels)
	c.daemon.start()
	until(t, s, "two connections", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) >= 2 })
	c.push(channels, 0)
	return c
}

// push opens the cards of one round and waits until people see them.
func (c *crowd) push(channels []string, round int) {
	c.daemon.t.Helper()
	var receipts []alert.Accepted
	for n := range crowdCards {
		a := inChannel(firing(fmt.Sprintf("crowd-%d-%d", round, n), fmt.Sprintf("service %d of round %d is down", n, round)), channels[n%len(channels)])
		a["severity"] = "critical"
		receipts = append(receipts, c.daemon.mustPush(a)...)
	}
	c.daemon.settle(receipts...)
	c.cards = nil
	for _, r := range receipts {
		c.cards = append(c.cards, c.incident(r.Incident))
	}
}

func (c *crowd) incident(id string) alert.Incident {
	c.daemon.t.Helper()
	var i alert.Incident
	if err := c.daemon.ask("/v1/incidents/"+id, &i); err != nil {
		c.daemon.t.Fatal(err)
	}
	return i
}

// press lets everybody press the button at once, each on the card that is their
// turn, and returns when all have been answered or told that nobody answered.
func (c *crowd) press(ctx context.Context, action string) []pressed {
	all := make([]pressed, len(c.people))
	ready := make(chan struct{})
	var done sync.WaitGroup
	for n, person := range c.people {
		card := c.cards[n%len(c.cards)].Cards[0]
		seen, _ := c.slack.Message(card.Conversation, card.TS)
		done.Go(func() {
			<-ready
			out, err := c.slack.User(person).Click(ctx, playground.AtShown(seen), action)
			all[n] = pressed{person, out, err}
		})
	}
	close(ready)
	done.Wait()
	return all
}

func TestACrowdThatAcknowledgesAtOnceIsAnsweredAndSlacksRatesAreKept(t *testing.T) {
	c := newCrowd(t)
	for _, p := range c.press(t.Context(), "ack") {
		if p.err != nil || !p.out.Acked || p.out.Err != "" {
			t.Fatalf("%s was not answered: %+v, %v", p.person, p.out, p.err)
		}
	}
	t.Parallel() // from here it waits for Slack's pace; the clicks had the machine for themselves
	until(t, c.slack, "an answer to each who came too late", func(sn *playground.Snapshot) bool {
		return sn.Count(playground.KindEphemeral) >= crowdPeople-crowdCards
	})
	until(t, c.slack, "the last card and the last note", func(sn *playground.Snapshot) bool {
		return sn.CallCount("chat.update") >= crowdCards && sn.CallCount("chat.postMessage") >= 2*crowdCards
	})
	for _, i := range c.cards {
		c.checkTaken(t, i)
	}
	if n := c.slack.Throttled(); n != 0 {
		t.Errorf("Slack had to throttle %d calls", n)
	}
	calm(c.daemon, crowdCards)
}

// checkTaken compares a card with what the daemon says about who took it.
func (c *crowd) checkTaken(t *testing.T, before alert.Incident) {
	t.Helper()
	now, card := c.incident(before.ID), before.Cards[0]
	if now.State != alert.Acked || now.AckedBy.ID == "" {
		t.Errorf("%s is %s, acknowledged by %q", now.ID, now.State, now.AckedBy)
		return
	}
	m, ok := c.slack.Message(card.Conversation, card.TS)
	says := shown(m)
	if !ok || !strings.Contains(says, "Acknowledged by") || !strings.Contains(says, now.AckedBy.ID) || strings.Contains(says, `"action_id":"ack"`) {
		t.Errorf("the card of %s, which %s acknowledged, says %s", now.ID, now.AckedBy, says)
	}
	notes := 0
	for _, reply := range c.slack.Messages(card.Conversation) {
		if reply.ThreadTS == card.TS && reply.TS != card.TS {
			notes++
		}
	}
	if notes != 1 {
		t.Errorf("the thread of %s has %d notes, want the one of who took it", now.ID, notes)
	}
}

// BenchmarkCrowd is how long 500 people who click in the same moment wait until
// their click is acknowledged to Slack, by the program as it ships.
func BenchmarkCrowd(b *testing.B) {
	s := slack(b, playground.Options{Limits: playground.NoLimits()})
	c := &crowd{slack: s, daemon: prepare(b, s, nil)}
	c.daemon.path = shipped(b)
	for n := range crowdPeople {
		c.people = append(c.people, s.AddUser(playground.User{Name: fmt.Sprintf("person%03d", n)}))
	}
	channels := addChannels(s, crowdChannels)
	c.daemon.start()
	until(b, s, "two connections", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) >= 2 })
	var waits spread
	for round := 0; b.Loop(); round++ {
		b.StopTimer()
		c.push(channels, round)
		b.StartTimer()
		for _, p := range c.press(b.Context(), "ack") {
			if p.err != nil || !p.out.Acked {
				b.Fatalf("%s was not answered: %+v, %v", p.person, p.out, p.err)
			}
			waits.add(p.out.AckAfter)
		}
		b.StopTimer()
		until(b, s, "an answer to each who came too late", func(sn *playground.Snapshot) bool {
			return sn.Count(playground.KindEphemeral) >= (round+1)*(crowdPeople-crowdCards)
		})
		b.StartTimer()
	}
	waits.report(b)
	b.ReportMetric(float64(slowest(&waits))/float64(time.Millisecond), "max-ms")
}

// slowest is the last of a sample that was reported.
func slowest(s *spread) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[len(s.all)-1]
}
