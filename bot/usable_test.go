package bot

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"tocsin/alert"
)

func TestOnlyConnectionsThatStayUpAreUsable(t *testing.T) {
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	s := &Socket{dispatcher: &dispatcher{bot: &Bot{opts: Options{Log: zap.NewNop(), Answered: func(alert.Secret) {}, Connections: func() (int, int) { return slots, 0 }}}, log: zap.NewNop()}}
	s.metrics.registered, s.metrics.unknown = prometheus.NewGauge(prometheus.GaugeOpts{Name: "n"}), prometheus.NewGauge(prometheus.GaugeOpts{Name: "u"})
	usable := func(now int) time.Duration {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.lastUsable(at(now)).Sub(start)
	}
	up := func(slot, now int) *connection {
		c := &connection{ended: make(chan struct{})}
		s.ready(slot, c, hello{at: at(now)})
		return c
	}
	end := func(c *connection, now int) {
		c.endedAt = at(now)
		close(c.ended)
	}
	s.begin(start)
	for now := 1; now < 100; now++ { // each gets a hello and is dropped
		end(up(now%slots, now), now)
	}
	if got := usable(100); got != 0 {
		t.Errorf("a connection is said to have been usable after %v", got)
	}
	first := up(0, 100)
	if got := usable(101); got != 0 {
		t.Errorf("a new connection counts after a second, as %v", got)
	}
	second := up(1, 102)
	end(first, 103)
	if got := usable(103); got != 103*time.Second {
		t.Errorf("replaced in time, they are usable until %v", got)
	}
	end(second, 110)
	end(up(0, 120), 121)
	if got := usable(130); got != 110*time.Second {
		t.Errorf("the last usable one ended after %v, want 110 s", got)
	}
}
