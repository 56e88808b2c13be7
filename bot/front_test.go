package bot

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/slack-go/slack/socketmode"

	"tocsin/alert"
	"tocsin/playground"
)

func TestAFrontAcksWhatItHasStoredAndAnswersNothing(t *testing.T) {
	t.Parallel()
	s := connect(t, playground.Options{}, func(s *stage) {
		s.socket.front = true
	})
	s.live(2)
	s.command("left to the active replica")
	s.inbox.mu.Lock()
	s.inbox.broken = errors.New("no database")
	s.inbox.mu.Unlock()
	if run, err := s.slack.User("ann").Command(t.Context(), "#alerts", "/notify-test", "lost"); err != nil || run.Acked {
		t.Errorf("what is not stored got %+v, %v", run, err)
	}
	s.stop()
	if n := s.inbox.unhandled(); n != 1 || len(s.heard.commands) != 0 {
		t.Errorf("%d commands are stored and %d were answered", n, len(s.heard.commands))
	}
}

func TestWhatAnotherReplicaHasReceivedIsHandledOnce(t *testing.T) {
	t.Parallel()
	s := connect(t, playground.Options{}, func(s *stage) { s.inbox.received = make(chan struct{}) })
	s.live(2)
	for n, text := range []string{"one", "two"} {
		s.command("own " + text)
		if c := next(t, s.heard.commands); c.Text != "own "+text {
			t.Errorf("the command is %q", c.Text)
		}
		e := alert.Envelope{ID: text, Type: socketmode.RequestTypeSlashCommands, Payload: []byte(`{"command":"/notify-test","text":"` + text + `","user_id":"U1"}`)}
		if fresh, err := s.inbox.Receive(t.Context(), e); err != nil || !fresh {
			t.Fatal(fresh, err)
		}
		for range 3 { // also while it is handled
			s.inbox.received <- struct{}{}
		}
		if c := next(t, s.heard.commands); c.Text != text {
			t.Errorf("command %d of another replica is %q", n, c.Text)
		}
	}
	s.stop()
	if n := s.inbox.unhandled(); n != 0 || len(s.heard.commands) != 0 {
		t.Errorf("%d are left and %d were handled again", n, len(s.heard.commands))
	}
	if n := len(s.socket.claims.count); n != 0 {
		t.Errorf("%d are claimed for ever", n)
	}
}

func TestConnectionsOpenAndCloseAsTheyAreWanted(t *testing.T) {
	t.Parallel()
	var own atomic.Int64
	s := connect(t, playground.Options{}, func(s *stage) {
		s.bot.opts.Connections = func() (int, int) { return int(own.Load()), 10 }
	})
	for _, n := range []int{1, 2, 0, 2} {
		own.Store(int64(n))
		s.live(n)
	}
	if n := s.socket.Status().Unknown; n != 0 {
		t.Errorf("%d connections are unknown", n)
	}
}
