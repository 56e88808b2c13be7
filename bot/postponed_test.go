package bot

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
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
