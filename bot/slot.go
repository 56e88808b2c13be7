package bot

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// slot keeps one connection up for as long as the process runs.
type slot struct {
	*Socket
	n        int
	log      *zap.Logger
	back     backoff
	first    bool // no connection has been used yet
	retiring sync.WaitGroup
}

func (s *Socket) slot(n int) *slot {
	return &slot{Socket: s, n: n, log: s.log.With(zap.Int("slot", n+1)), first: true}
}

// run opens a connection, uses it until another is wanted, and opens that one
// before it lets the old one go. It returns when ctx has ended and all its
// connections are closed.
func (s *slot) run(ctx context.Context) {
	var live *link
	pause := time.Duration(s.n) * s.timing.stagger
	for sleep(ctx, pause) {
		next, greeting, err := s.open(ctx)
		if err != nil {
			pause = s.refused(ctx, err)
			continue
		}
		s.ready(s.n, next, greeting)
		s.replace(ctx, live)
		live = next
		pause = s.use(ctx, live, greeting)
	}
	if live != nil {
		live.close()
		<-live.done
	}
	s.retiring.Wait()
}

// open returns a connection that has said hello.
func (s *slot) open(ctx context.Context) (*link, hello, error) {
	l := s.begin(ctx)
	select {
	case greeting := <-l.hello:
		return l, greeting, nil
	case <-ctx.Done():
		l.close()
		<-l.done
		return nil, hello{}, ctx.Err()
	case <-l.done:
		return nil, hello{}, l.reason()
	}
}

// replace lets an old connection go. One that Slack is recycling goes on being
// read until Slack closes it, because Slack may still send on it.
func (s *slot) replace(ctx context.Context, old *link) {
	if old == nil || old.over() {
		return
	}
	s.metrics.rotations.Inc()
	s.retiring.Go(func() {
		if old.noticed.Load() {
			linger, cancel := context.WithTimeout(ctx, s.timing.linger)
			defer cancel()
			select {
			case <-old.done:
			case <-linger.Done():
			}
		}
		old.close()
		<-old.done
	})
}

// use waits until another connection is wanted, and says how long to wait before
// opening it.
func (s *slot) use(ctx context.Context, l *link, h hello) time.Duration {
	turn := time.NewTimer(s.turn(h))
	defer turn.Stop()
	select {
	case <-ctx.Done():
		return 0
	case <-turn.C:
		s.log.Debug("connection is replaced before slack recycles it")
		return 0
	case <-l.done:
		s.metrics.reconnects.Inc()
		s.back.lived(time.Since(h.at))
		s.failed(l.reason(), alert.Problem{})
		s.log.Warn("slack connection was lost", zap.Error(l.reason()))
		return s.back.next()
	case reason := <-l.notice:
		s.back.lived(time.Since(h.at))
		return s.noticed(l, h, reason)
	}
}

// turn is how long to use a connection: half of what Slack gives it. The second
// slot's first turn is shorter, so that the two are not replaced together.
func (s *slot) turn(h hello) time.Duration {
	turn := s.timing.rotate
	if turn == 0 {
		turn = max(h.lasts/2, shortestTurn)
	}
	if s.first && s.n > 0 {
		turn /= 2
	}
	s.first = false
	return turn
}

// shortestTurn keeps a strange announcement from making us reconnect all the time.
const shortestTurn = 30 * time.Second

// noticed says how long to wait after Slack's notice that it will drop the
// connection (slack-facts §1.6).
func (s *slot) noticed(l *link, h hello, reason string) time.Duration {
	switch reason {
	case "link_disabled":
		l.close()
		s.alarm(errors.New(reason), "Socket Mode is switched off: switch it on in the app's settings, under Socket Mode")
		return s.timing.refused
	case "too_many_websockets":
		l.close()
		s.alarm(errors.New(reason), "the app has more than ten connections: stop other processes that use the same app token")
		return s.timing.crowded + rand.N(s.timing.crowded)
	}
	s.log.Info("slack recycles the connection", zap.String("reason", reason))
	if time.Since(h.at) >= stableAfter {
		return 0
	}
	return s.back.next()
}

// refused says how long to wait after a connection that never came up.
func (s *slot) refused(ctx context.Context, err error) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	s.metrics.reconnects.Inc()
	var e *alert.SendError
	if !errors.As(err, &e) {
		return s.unreachable(err)
	}
	switch e.Class {
	case alert.ClassAuth:
		s.alarm(err, e.Hint)
		return s.timing.refused
	case alert.ClassThrottled:
		s.failed(err, alert.Problem{})
		wait := max(e.RetryAfter, s.back.next())
		s.log.Warn("slack asks for a pause before the next connection", zap.Duration("pause", wait))
		return wait
	}
	return s.unreachable(err)
}

func (s *slot) unreachable(err error) time.Duration {
	s.failed(err, alert.Problem{})
	wait := s.back.next()
	s.log.Warn("no connection to slack", zap.Error(err), zap.Duration("pause", wait))
	return wait
}

// alarm is for what a person has to put right.
func (s *slot) alarm(err error, fix string) {
	s.failed(err, alert.Problem{What: "no connection to Slack: " + code(err), Fix: fix})
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
