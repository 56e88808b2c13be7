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

// lingerAtMost is how many connections a slot keeps reading after Slack said that
// it will close them. With the current and the next one a slot has at most four,
// and both slots have eight of the ten connections that Slack allows.
const lingerAtMost = 2

type slot struct {
	socket    *Socket
	n         int
	log       *zap.Logger
	backoff   backoff
	first     bool          // no connection has been used yet
	tried     alert.Secret  // the app token at the latest attempt to connect
	lingering []*connection // replaced and perhaps not closed, oldest first
}

func newSlot(s *Socket, n int) *slot {
	return &slot{socket: s, n: n, log: s.log.With(zap.Int("slot", n+1)), first: true}
}

// run opens a connection, waits until it has to be replaced, and opens the next one
// before it closes the old one. When ctx ends, it asks its connections to close and
// returns.
func (s *slot) run(ctx context.Context) {
	var live *connection
	pause := time.Duration(s.n) * s.socket.timing.stagger
	for sleep(ctx, pause) {
		if !s.wanted() {
			if live != nil {
				live.close()
				live = nil
			}
			pause = lookEvery
			continue
		}
		s.makeRoom()
		s.tried, _ = s.socket.bot.opts.Tokens()
		next, greeting, err := s.socket.connect(ctx, s.tried)
		if err != nil {
			pause = s.onFailure(ctx, err)
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

// makeRoom closes the oldest lingering connections if there are too many.
func (s *slot) makeRoom() {
	s.lingering = slices.DeleteFunc(s.lingering, func(c *connection) bool { return isClosed(c.done) })
	for ; len(s.lingering) > lingerAtMost; s.lingering = s.lingering[1:] {
		s.lingering[0].close()
		<-s.lingering[0].done
	}
}

// retire closes a connection that was replaced. If Slack said that it will close
// it, the connection is read until then, because Slack may still send on it.
func (s *slot) retire(ctx context.Context, old *connection) {
	if old == nil || isClosed(old.ended) {
		return
	}
	s.socket.metrics.rotations.Inc()
	s.lingering = append(s.lingering, old)
	if !isClosed(old.disconnecting) {
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

// use waits until the connection has to be replaced, and returns how long to wait
// before that.
func (s *slot) use(ctx context.Context, c *connection, h hello) time.Duration {
	rotate := time.NewTimer(s.rotateAfter(h))
	defer rotate.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for s.wanted() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return 0
		case <-rotate.C:
			s.log.Debug("replacing the connection before slack does")
			return 0
		case <-s.socket.replace[s.n]:
			s.log.Info("replacing the connection, because there is another app token")
			return 0
		case <-c.disconnecting:
			return s.afterEnd(c, h)
		case <-c.ended:
			return s.afterEnd(c, h)
		}
	}
	return 0
}

// lookEvery is how often a slot looks whether its connection is wanted.
const lookEvery = time.Second

func (s *slot) wanted() bool {
	own, _ := s.socket.bot.opts.Connections()
	return s.n < own
}

// afterEnd returns how long to wait after a connection has ended, or is about to.
func (s *slot) afterEnd(c *connection, h hello) time.Duration {
	s.backoff.connectedFor(time.Since(h.at))
	if isClosed(c.disconnecting) {
		return s.onDisconnect(c)
	}
	s.socket.metrics.reconnects.Inc()
	s.socket.setError(c.err, alert.Problem{})
	wait := s.backoff.next()
	s.log.Warn("slack connection was lost", zap.Error(c.err), zap.Duration("pause", wait))
	return wait
}

// rotateAfter returns how long to use a connection: half of the time that Slack
// announced. The first connection of the second slot is used for half of that, so
// that the two are not replaced together.
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

// shortestUse limits how often we reconnect, whatever time Slack announces.
const shortestUse = 30 * time.Second

// onDisconnect returns how long to wait after Slack said that it will close the
// connection (docs/slack.md §1.6). That is planned and not a failure, so the
// replacement is opened at once, within a budget.
func (s *slot) onDisconnect(c *connection) time.Duration {
	switch c.disconnectReason {
	case linkDisabled:
		c.close()
		s.reportProblem(errors.New(c.disconnectReason), "Socket Mode is switched off: "+socketModeHint)
		return s.socket.timing.refused
	case "too_many_websockets":
		c.close()
		s.reportProblem(errors.New(c.disconnectReason), "the app has more than ten connections: stop other processes that use the same app token")
		return s.socket.timing.tooMany + rand.N(s.socket.timing.tooMany)
	}
	wait := s.socket.replacements.Reserve().Delay()
	s.log.Info("slack is going to close the connection", zap.String("reason", c.disconnectReason), zap.Duration("pause", wait))
	return wait
}

// onFailure returns how long to wait after a failed attempt to connect.
func (s *slot) onFailure(ctx context.Context, err error) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	s.socket.metrics.reconnects.Inc()
	if errors.Is(err, errProxy) {
		s.reportProblem(err, "set HTTPS_PROXY to an http:// proxy, or list Slack's hosts in NO_PROXY")
		return s.socket.timing.refused
	}
	var e *alert.SendError
	if errors.As(err, &e) && e.Class == alert.ClassAuth {
		s.reportProblem(err, e.Hint)
		s.awaitToken(ctx)
		return 0
	}
	s.socket.setError(err, alert.Problem{})
	wait := s.backoff.next()
	if e != nil && e.Class == alert.ClassThrottled {
		wait = min(max(e.RetryAfter, wait), throttleMost)
	}
	s.log.Warn("no connection to slack", zap.Error(err), zap.Duration("pause", wait))
	return wait
}

// throttleMost is how long a slot waits at most when Slack asks for a pause.
const throttleMost = time.Hour

// awaitToken waits before Slack is asked again whether it accepts the app token, for a
// shorter time if there is another token.
func (s *slot) awaitToken(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.socket.timing.refused)
	defer cancel()
	for sleep(ctx, s.socket.timing.token) {
		if app, _ := s.socket.bot.opts.Tokens(); app != s.tried {
			return
		}
	}
}

// reportProblem reports an error that a person has to fix.
func (s *slot) reportProblem(err error, fix string) {
	s.socket.setError(err, alert.Problem{Code: alert.ProblemConnection, What: "no connection to Slack: " + code(err), Fix: fix})
	s.log.Error("slack refuses connections", zap.String("error", code(err)), zap.String("hint", fix))
}

func code(err error) string {
	if e, ok := errors.AsType[*alert.SendError](err); ok {
		return e.Code
	}
	return err.Error()
}

// sleep waits for d, or until ctx ends: then it returns false.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
