package bot

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
	"tocsin/render"
)

func TestARequestInTheInboxThatTheStoreCannotDoIsDoneLaterAndOneThatIsLostIsNot(t *testing.T) {
	t.Parallel()
	unavailable, doubtful := fmt.Errorf("away: %w", alert.ErrUnavailable), fmt.Errorf("away: %w", alert.ErrInDoubt)
	for _, c := range []struct {
		what              string
		unstored, undone  error // what the inbox and the handler say the first time
		lost, again, told bool  // for the handler, to be done again, and by the bot
	}{
		{what: "it is in the inbox", undone: unavailable, again: true},
		{what: "it is in the inbox, and perhaps done", undone: doubtful, again: true},
		{what: "it is perhaps in the inbox", unstored: doubtful, undone: unavailable, again: true, told: true},
		{what: "it is lost", unstored: unavailable, undone: unavailable, lost: true},
		{what: "it is done and in the inbox"},
		{what: "it is done and perhaps in the inbox", unstored: doubtful},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s := connect(t, playground.Options{}, func(s *stage) {
				var first sync.Once
				s.socket.again, s.inbox.broken = time.Millisecond, c.unstored
				s.heard.command = func(Command) (err error) {
					first.Do(func() {
						s.unstored(unavailable)
						err = c.undone
					})
					return err
				}
			})
			s.live(2)
			s.command("deploy")
			if got := next(t, s.heard.commands); got.Lost != c.lost {
				t.Errorf("it is lost: %t", got.Lost)
			}
			if c.told {
				s.wait("a word", func(sn *playground.Snapshot) bool {
					all := sn.Ephemerals("ann", "#alerts")
					return len(all) == 1 && strings.Contains(all[0].Text, "I can't tell whether")
				})
			}
			if !c.lost {
				s.log.await(t, map[bool]string{true: "waits for the store", false: "could not mark"}[c.again], 1)
				s.unstored(nil)
				s.log.await(t, "inbox can be used again", 1)
			}
			if c.again {
				if got := next(t, s.heard.commands); got.Lost || got.Text != "deploy" {
					t.Errorf("it is done as %+v", got)
				}
			}
			s.stop()
			if n := s.inbox.unhandled(); n != 0 || len(s.heard.commands) != 0 || len(s.socket.claims.count) != 0 {
				t.Errorf("%d are left, %d were done again and %d are claimed for ever", n, len(s.heard.commands), len(s.socket.claims.count))
			}
		})
	}
}

// responder is a handler that answers each command.
type responder struct {
	*listener
	bot *Bot
}

func (a responder) Command(ctx context.Context, c Command) error {
	a.commands <- c
	return a.bot.Respond(ctx, c.Caller, render.Message{Text: "deployed"})
}

// A process that was stopped for a while may have been replaced meanwhile.
func TestWhatAnotherReplicaMayHaveAnsweredIsAnsweredOnlyOnceThatIsKnown(t *testing.T) {
	t.Parallel()
	for what, unstored := range map[string]error{"in the inbox": nil, "lost": fmt.Errorf("away: %w", alert.ErrUnavailable)} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var replaced atomic.Bool
			replaced.Store(true)
			s := connect(t, playground.Options{}, func(s *stage) {
				s.socket.again, s.inbox.broken = time.Millisecond, unstored
				s.socket.handler = responder{s.heard, s.bot}
				s.bot.opts.Fenced = func() error {
					if replaced.Load() {
						return fmt.Errorf("replaced: %w", alert.ErrUnavailable)
					}
					return nil
				}
			})
			s.live(2)
			if _, err := s.bot.identify(t.Context()); err != nil { // which is known once the bot has been used
				t.Fatal(err)
			}
			s.command("deploy")
			next(t, s.heard.commands)
			answers := func(sn *playground.Snapshot) int { return len(sn.Ephemerals("ann", "#alerts")) }
			if unstored == nil { // another one may have answered it
				s.log.await(t, "waits for the store", 1)
				s.wait("no answer", func(sn *playground.Snapshot) bool { return answers(sn) == 0 })
				replaced.Store(false)
			}
			s.wait("one answer", func(sn *playground.Snapshot) bool { return answers(sn) == 1 })
		})
	}
}

// endless is a handler that needs as long as it may for each command.
type endless struct{ *listener }

func (e endless) Command(ctx context.Context, c Command) error {
	e.commands <- c
	<-ctx.Done()
	return ctx.Err()
}

func TestWhoseRequestAnEndInterruptsIsToldSoUnlessItIsDoneAfterTheNextStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		unstored     error
		nothing, may int // how many are told that nothing was done, and that it may be
	}{
		{nil, 0, 0},
		{fmt.Errorf("away: %w", alert.ErrInDoubt), 0, workers + 1},
		{fmt.Errorf("away: %w", alert.ErrUnavailable), 1, workers},
	} {
		t.Run(fmt.Sprint(c.unstored), func(t *testing.T) {
			t.Parallel()
			s := connect(t, playground.Options{}, func(s *stage) {
				s.inbox.broken = c.unstored
				s.socket.handler = endless{s.heard}
			})
			s.live(2)
			for range workers {
				s.command("deploy")
				next(t, s.heard.commands)
			}
			s.command("deploy") // waits for a worker
			s.stop()
			s.wait("a word for each", func(sn *playground.Snapshot) bool {
				nothing, may := 0, 0
				for _, m := range sn.Ephemerals("ann", "#alerts") {
					switch {
					case strings.Contains(m.Text, "Nothing was done"):
						nothing++
					case strings.Contains(m.Text, "I can't tell whether"):
						may++
					}
				}
				return nothing == c.nothing && may == c.may
			})
		})
	}
}
