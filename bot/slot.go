package bot

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// lingerAtMost is how many connections a slot keeps reading that Slack is
// recycling. With the current and the next one it has four, and both slots have
// eight of the ten that Slack allows an app.
const lingerAtMost = 2

// slot keeps one connection up for as long as the process runs.
type slot struct {
	socket    *Socket
	n         int
	log       *zap.Logger
	back      backoff
	first     bool          // no connection has been used yet
	lingering []*connection // replaced and perhaps not closed, oldest first
}

func newSlot(s *Socket, n int) *slot {
	return &slot{socket: s, n: n, log: s.log.With(zap.Int("slot", n+1)), first: true}
}

// run opens a connection, uses it until another is wanted, and opens that one
// before it closes the old one. When ctx has ended it asks all its connections to
// close, and returns.
func (s *slot) run(ctx context.Context) {
	var live *connection
	pause := time.Duration(s.n) * s.socket.timing.stagger
	for sleep(ctx, pause) {
		s.makeRoom()
		next, greeting, err := s.socket.connect(ctx)
		if err != nil {
			pause = s.refused(ctx, err)
			continue
		}
		s.socket.ready(s.n, next, greeting)
		s.retire(ctx, live)
		live = next
		pause = s.use(ctx, live, greeting)
	}
	if live != nil {
		live.close()
	}
}

// makeRoom closes the oldest of too many lingering connections.
func (s *slot) makeRoom() {
	s.lingering = slices.DeleteFunc(s.lingering, (*connection).closed)
	for ; len(s.lingering) > lingerAtMost; s.lingering = s.lingering[1:] {
		s.lingering[0].close()
		<-s.lingering[0].done
	}
}

// retire closes a connection that was replaced. One that Slack is recycling is
// read until Slack closes it, because Slack may still send on it.
func (s *slot) retire(ctx context.Context, old *connection) {
	if old == nil || old.over() {
		return
	}
	s.socket.metrics.rotations.Inc()
	s.lingering = append(s.lingering, old)
	if !old.recycled() {
		old.close()
		return
	}
	s.socket.receivers.Go(func() {
		linger := time.NewTimer(s.socket.timing.linger)
		defer linger.Stop()
		select {
		case <-ctx.Done():
		case <-old.ended:
		case <-linger.C:
		}
		old.close()
	})
}

// use waits until another connection is wanted, and says how long to wait before
// opening it.
func (s *slot) use(ctx context.Context, c *connection, h hello) time.Duration {
	rotate := time.NewTimer(s.rotateAfter(h))
	defer rotate.Stop()
	select {
	case <-ctx.Done():
		return 0
	case <-rotate.C:
		s.log.Debug("connection is replaced before slack recycles it")
		return 0
	case <-c.told:
	case <-c.ended:
	}
	s.back.lived(time.Since(h.at))
	if c.recycled() {
		return s.noticed(c)
	}
	s.socket.metrics.reconnects.Inc()
	s.socket.failed(c.err, alert.Problem{})
	wait := s.back.next()
	s.log.Warn("slack connection was lost", zap.Error(c.err), zap.Duration("pause", wait))
	return wait
}

// rotateAfter is how long to use a connection: half of what Slack gives it. The
// first one of the second slot is used for half of that, so that the two are not
// replaced together.
func (s *slot) rotateAfter(h hello) time.Duration {
	after := s.socket.timing.rotate
	if after == 0 {
		after = max(h.lasts/2, shortestUse)
	}
	if s.first && s.n > 0 {
		after /= 2
	}
	s.first = false
	return after
}

// shortestUse keeps a strange announcement from making us reconnect all the time.
const shortestUse = 30 * time.Second

// noticed says how long to wait after Slack's notice that it will drop the
// connection (docs/slack.md §1.6). A planned notice is not a failure: as long as
// the budget for it lasts, the replacement is opened at once.
func (s *slot) noticed(c *connection) time.Duration {
	switch c.notice {
	case "link_disabled":
		c.close()
		s.alarm(errors.New(c.notice), "Socket Mode is switched off: switch it on in the app's settings, under Socket Mode")
		return s.socket.timing.refused
	case "too_many_websockets":
		c.close()
		s.alarm(errors.New(c.notice), "the app has more than ten connections: stop other processes that use the same app token")
		return s.socket.timing.crowded + rand.N(s.socket.timing.crowded)
	}
	wait := s.socket.replacements.Reserve().Delay()
	s.log.Info("slack recycles the connection", zap.String("reason", c.notice), zap.Duration("pause", wait))
	return wait
}

// refused says how long to wait after a connection that never came up.
func (s *slot) refused(ctx context.Context, err error) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	s.socket.metrics.reconnects.Inc()
	if errors.Is(err, errProxy) {
		s.alarm(err, "set HTTPS_PROXY to an http:// proxy, or NO_PROXY to Slack's hosts")
		return s.socket.timing.refused
	}
	var e *alert.SendError
	if errors.As(err, &e) && e.Class == alert.ClassAuth {
		s.alarm(err, e.Hint)
		return s.socket.timing.refused
	}
	s.socket.failed(err, alert.Problem{})
	wait := s.back.next()
	if e != nil && e.Class == alert.ClassThrottled {
		wait = max(e.RetryAfter, wait)
	}
	s.log.Warn("no connection to slack", zap.Error(err), zap.Duration("pause", wait))
	return wait
}

// alarm is for what a person has to put right.
func (s *slot) alarm(err error, fix string) {
	s.socket.failed(err, alert.Problem{What: "no connection to Slack: " + code(err), Fix: fix})
	s.log.Error("slack refuses connections", zap.String("error", code(err)), zap.String("hint", fix))
}

func code(err error) string {
	if e, ok := errors.AsType[*alert.SendError](err); ok {
		return e.Code
	}
	return err.Error()
}

// sleep waits, and says whether ctx is still there.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
