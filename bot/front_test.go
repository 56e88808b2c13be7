package bot

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slack-go/slack/socketmode"

	"tocsin/alert"
	"tocsin/playground"
)

func TestAFrontAcksWhatItHasStoredAndAnswersNothing(t *testing.T) {
	t.Parallel()
	s := connect(t, playground.Options{}, func(s *stage) { s.socket.front = true })
	s.live(2)
	s.command("left to the active replica")
	s.stop()
	if n := s.inbox.unhandled(); n != 1 || len(s.heard.commands) != 0 {
		t.Errorf("%d commands are stored and %d were answered", n, len(s.heard.commands))
	}
}

// unstored has the inbox fail.
func (s *stage) unstored(why error) {
	s.inbox.mu.Lock()
	defer s.inbox.mu.Unlock()
	s.inbox.broken = why
}

func TestAFrontTellsPeopleWhatItCannotStore(t *testing.T) {
	t.Parallel()
	s := connect(t, playground.Options{}, func(s *stage) {
		s.socket.front = true
		s.heard.submit = func(sub Submission) map[string]string {
			if sub.Inputs["why"]["text"] == "no" {
				return map[string]string{"why": "say more"}
			}
			return nil
		}
	})
	s.live(2)
	ann := s.slack.User("ann")
	ts, err := s.bot.PostMessage(t.Context(), "#alerts", "", buttonOf("ack", "k7f2"))
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	s.command("dialog")
	var c Command
	c, err = decodeCommand(s.inbox.left[0].Payload, s.bot.Identity())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.bot.OpenView(t.Context(), c.TriggerID, dialogOf("why")); err != nil {
		t.Fatal(err)
	}
	submit := func(text, want string) {
		t.Helper()
		got, err := ann.Submit(t.Context(), map[string]map[string]any{"why": {"text": text}})
		if err != nil || !strings.Contains(got.Errors["why"], want) || got.Closed {
			t.Errorf("the dialog with %q got %+v, %v", text, got, err)
		}
	}
	submit("no", "say more")
	for _, r := range []struct {
		why  error
		says string
	}{
		{fmt.Errorf("%w: no database", alert.ErrUnavailable), "Nothing was done"},
		{fmt.Errorf("%w: no answer", alert.ErrInDoubt), "I can't tell whether"},
	} {
		s.unstored(r.why)
		answered := func() { // before the ack, so that nobody who got one has no answer
			t.Helper()
			told++
			var all []playground.Message
			s.wait("a look", func(sn *playground.Snapshot) bool { all = sn.Ephemerals("ann", "#alerts"); return true })
			if len(all) != told || !strings.Contains(all[told-1].Text, r.says) {
				t.Errorf("%d of %d answers were seen when the request was acked, the last one without %q", len(all), told, r.says)
			}
		}
		s.command("lost")
		answered()
		if run, err := ann.Click(t.Context(), playground.AtMessage("#alerts", ts), "ack"); err != nil || !run.Acked {
			t.Errorf("the click got %+v, %v", run, err)
		}
		answered()
		submit("deploy", r.says)
	}
	s.unstored(nil)
	if taken, err := ann.Submit(t.Context(), map[string]map[string]any{"why": {"text": "deploy"}}); err != nil || !taken.Closed {
		t.Errorf("the dialog got %+v, %v", taken, err)
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
