package playground

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

func TestAnEventCarriesItsWrapperAndIsAckedOnce(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	ts := say(t, s, "help")
	m := c.next()
	p := m.payload(t)
	if m.Type != TypeEvents || m.RetryAttempt != 0 || m.RetryReason != "" || m.Accepts {
		t.Errorf("envelope: %s", m.raw)
	}
	want(t, p, "event_callback", "type")
	want(t, p, "T0PLAYGROUND", "team_id")
	want(t, p, "A0TOCSIN", "api_app_id")
	want(t, p, "U0TOCSIN", "authorizations", 0, "user_id")
	want(t, p, ts, "event", "ts")
	c.ack(m.EnvelopeID, nil)
	acked := await(t, s, KindAcked, 1)[0]
	if acked.Envelope != m.EnvelopeID || acked.Socket != "S1" || acked.Cross || acked.After <= 0 || acked.Event != dig(p, "event_id") {
		t.Errorf("journal has %+v", acked)
	}
	c.ack(m.EnvelopeID, nil)
	await(t, s, KindAckAgain, 1)
	c.ack("00000000-0000-4000-8000-000000000000", nil)
	await(t, s, KindAckUnknown, 1)
}

func TestAnEventWithoutAnAckIsSentThreeMoreTimes(t *testing.T) {
	s := startPlayground(t, quick())
	c := connect(t, s)
	say(t, s, "help")
	first := c.next()
	seen := map[string]bool{first.EnvelopeID: true}
	for attempt := 1; attempt <= 3; attempt++ {
		m := c.next()
		if m.RetryAttempt != attempt || m.RetryReason != "timeout" || seen[m.EnvelopeID] {
			t.Errorf("attempt %d: %s", attempt, m.raw)
		}
		seen[m.EnvelopeID] = true
		if dig(m.payload(t), "event_id") != dig(first.payload(t), "event_id") {
			t.Errorf("attempt %d has another event_id", attempt)
		}
	}
	await(t, s, KindAbandoned, 1)
	if n := len(entriesOf(s, KindTimedOut)); n != 4 {
		t.Errorf("%d timeouts, want 4", n)
	}
	c.ack(first.EnvelopeID, nil)
	await(t, s, KindLate, 1)
}

func TestAnAckEndsTheRetries(t *testing.T) {
	s := startPlayground(t, quick())
	c := connect(t, s)
	say(t, s, "help")
	c.next()
	c.ack(c.next().EnvelopeID, nil)
	if acked := await(t, s, KindAcked, 1)[0]; acked.Attempt != 1 {
		t.Errorf("acked attempt %d", acked.Attempt)
	}
}

func TestAnEventWaitsForASocket(t *testing.T) {
	opts := patient()
	opts.RetryScale = 0.01
	s := startPlayground(t, opts)
	say(t, s, "anybody?")
	await(t, s, KindLost, 2)
	c := connect(t, s)
	if m := c.next(); m.RetryAttempt != 2 || dig(m.payload(t), "event", "text") != "anybody?" {
		t.Errorf("got %s", m.raw)
	}
}

func TestAnAckMustBeOneFrameBelowTwentyKiB(t *testing.T) {
	for name, c := range map[string]struct {
		send func(c *client, ack []byte)
		size int
		kind string
	}{
		"20479 bytes": {sendWhole, maxAck - 1, KindAcked},
		"20480 bytes": {sendWhole, maxAck, KindAckDropped},
		"fragmented":  {sendInTwo, 200, KindAckDropped},
	} {
		t.Run(name, func(t *testing.T) {
			s := startPlayground(t, patient())
			client := connect(t, s)
			say(t, s, "help")
			ack := ackFrame(t, client.next().EnvelopeID, map[string]any{"text": ""})
			ack = []byte(strings.Replace(string(ack), `""`, `"`+strings.Repeat("x", c.size-len(ack))+`"`, 1))
			c.send(client, ack)
			await(t, s, c.kind, 1)
			if n := len(entriesOf(s, KindAcked)); (c.kind == KindAcked) != (n == 1) {
				t.Errorf("%d acks were taken", n)
			}
			client.send(ws.NewPingFrame(nil))
			if f, err := client.frame(); err != nil || f.Header.OpCode != ws.OpPong {
				t.Errorf("the socket did not survive: %v %v", f.Header.OpCode, err)
			}
		})
	}
}

func sendWhole(c *client, ack []byte) { c.send(ws.NewTextFrame(ack)) }

func sendInTwo(c *client, ack []byte) {
	c.send(ws.NewFrame(ws.OpText, false, ack[:20]))
	c.send(ws.NewFrame(ws.OpContinuation, true, ack[20:]))
}

func TestAnAckOnAnotherSocketCountsAndIsMarked(t *testing.T) {
	s := startPlayground(t, patient())
	a, b := connect(t, s), connect(t, s)
	say(t, s, "help")
	sent := await(t, s, KindSent, 1)[0]
	other := b
	if sent.Socket == "S2" {
		other = a
	}
	other.ack(sent.Envelope, nil)
	if acked := await(t, s, KindAcked, 1)[0]; !acked.Cross || acked.Socket == sent.Socket {
		t.Errorf("journal has %+v", acked)
	}
}

func TestPayloadsGoToSocketsByChanceAndToGhostsToo(t *testing.T) {
	s := startPlayground(t, patient())
	connect(t, s)
	connect(t, s)
	connect(t, s)
	if err := s.Freeze("S3"); err != nil {
		t.Fatal(err)
	}
	const n = 300
	for range n {
		say(t, s, "x")
	}
	count := map[string]int{}
	var order strings.Builder
	for _, e := range await(t, s, KindSent, n) {
		count[e.Socket]++
		order.WriteString(e.Socket)
	}
	for _, id := range []string{"S1", "S2", "S3"} {
		if count[id] < n/6 {
			t.Errorf("%s got %d of %d", id, count[id], n)
		}
	}
	if strings.Contains(order.String(), strings.Repeat("S1S2S3", 5)) {
		t.Error("sockets take turns")
	}
	if lost := len(entriesOf(s, KindLost)); lost != count["S3"] {
		t.Errorf("%d lost, the ghost was given %d", lost, count["S3"])
	}
}

func TestAnEventCanBeRedeliveredInEachOfSlacksWays(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	say(t, s, "help")
	first := c.next()
	c.ack(first.EnvelopeID, nil)
	id := await(t, s, KindAcked, 1)[0].Event

	redeliver(t, s, id, RedeliverSame)
	if m := c.next(); m.EnvelopeID != first.EnvelopeID || m.RetryAttempt != 0 {
		t.Errorf("same: %s", m.raw)
	}
	c.ack(first.EnvelopeID, nil)
	redeliver(t, s, id, RedeliverRetry)
	if m := c.next(); m.EnvelopeID == first.EnvelopeID || m.RetryAttempt != 1 || m.RetryReason != "timeout" {
		t.Errorf("retry: %s", m.raw)
	} else {
		first = m
	}
	redeliver(t, s, id, RedeliverOnConnect)
	c.leave()
	if m := connect(t, s).next(); m.EnvelopeID != first.EnvelopeID || dig(m.payload(t), "event_id") != id {
		t.Errorf("on connect: %s", m.raw)
	}
	if err := s.Redeliver("Ev0", RedeliverSame); err == nil {
		t.Error("an unknown event was redelivered")
	}
	if err := s.Redeliver(id, "somehow"); err == nil {
		t.Error("an unknown way was taken")
	}
}

func redeliver(t *testing.T, s *Server, id string, how Redelivery) {
	t.Helper()
	if err := s.Redeliver(id, how); err != nil {
		t.Fatal(err)
	}
}

func TestRetriesComeAtOnceAfterAMinuteAndAfterFiveMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Without a listener, because nothing that waits for the network lets time pass in here; the one socket is a ghost.
		s := &Server{opts: Options{}.withDefaults(), done: make(chan struct{}), book: newJournal(), ws: newWorkspace("x", "T0PLAYGROUND", time.Now())}
		s.initSockets()
		s.sockets.list = []*socket{{id: "S1", phase: phaseGhost, lost: time.Now()}}
		start := time.Now()
		s.mu.Lock()
		s.emitLocked(map[string]any{"type": "app_home_opened"})
		s.mu.Unlock()
		s.wg.Wait()
		var at []time.Duration
		for _, e := range s.Journal() {
			if e.Kind == KindLost {
				at = append(at, e.At.Sub(start))
			}
		}
		const ack = 3 * time.Second
		if want := []time.Duration{0, ack, 2*ack + time.Minute, 3*ack + 6*time.Minute}; !slices.Equal(at, want) {
			t.Errorf("attempts after %v, want %v", at, want)
		}
	})
}

func TestRotatingClientsLoseNoCommand(t *testing.T) {
	s := startPlayground(t, patient())
	slot := serving(t, s)
	const rotations, each = 10, 20
	var runs []<-chan acted[*CommandRun]
	for range rotations {
		for range each {
			runs = append(runs, asPerson(func() (*CommandRun, error) { return s.User("ann").Command(t.Context(), "#ops", "/notify", "") }))
		}
		next := serving(t, s)
		slot.c.send(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
		<-slot.done
		slot = next
	}
	for _, run := range runs {
		if out := (<-run).get(t); !out.Acked {
			t.Errorf("lost: %+v", out)
		}
	}
}

// slot is a client that acks everything until its socket ends.
type slot struct {
	c    *client
	done chan struct{}
}

func serving(t testing.TB, s *Server) slot {
	t.Helper()
	out := slot{connect(t, s), make(chan struct{})}
	go out.c.serve(out.done)
	return out
}

func BenchmarkEnvelopes(b *testing.B) {
	s := startPlayground(b, Options{Limits: NoLimits(), AckTimeout: time.Minute})
	slot := serving(b, s)
	b.ResetTimer()
	for range b.N {
		say(b, s, "x")
	}
	if err := s.Wait(b.Context(), func(sn *Snapshot) bool { return sn.Count(KindAcked) == b.N }); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "envelopes/s")
	slot.c.conn.Close()
	<-slot.done
}
