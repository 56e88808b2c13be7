package bot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

func TestACommandIsAckedAndHandled(t *testing.T) {
	s := connect(t, playground.Options{}, nil)
	s.log.await(t, "slack connection is up", 2)
	s.command("#ops critical")
	c := next(t, s.heard.commands)
	if c.Name != "/notify-test" || c.Text != "#ops critical" || c.User == "" || c.Channel == "" || c.ResponseURL == "" || c.TriggerID == "" {
		t.Errorf("command: %+v", c)
	}
	if st := s.socket.Status(); st.Connections != 2 || st.Since.IsZero() {
		t.Errorf("status: %+v", st)
	}
}

func TestTwentyPlannedRotationsLoseNoneOfAThousandCommands(t *testing.T) {
	s := connect(t, playground.Options{}, func(s *stage) { s.socket.timing.rotate = 150 * time.Millisecond })
	s.live(2)
	typed, lost := s.crowd(1000, 20)
	s.stop()
	kinds := map[string]int{}
	for _, e := range s.slack.Journal() {
		kinds[e.Kind]++
		if e.Kind == playground.KindSocketClosed && e.Reason != playground.ClosedClean {
			t.Errorf("socket %s ended %q", e.Socket, e.Reason)
		}
	}
	if lost > 0 || kinds[playground.KindLost]+kinds[playground.KindTimedOut] > 0 {
		t.Errorf("%d of %d commands lost; journal: %v", lost, typed, kinds)
	}
	if handled := len(s.heard.commands); handled != typed {
		t.Errorf("%d of %d commands handled", handled, typed)
	}
	cross := 0
	for _, e := range s.slack.Journal() {
		if e.Cross {
			cross++
		}
	}
	t.Logf("%d commands, %d sockets closed, %d acks crossed", typed, kinds[playground.KindSocketClosed], cross)
}

func TestASocketRecycledEveryThreeSecondsLosesNoneOfAThousandCommands(t *testing.T) {
	t.Parallel()
	s := connect(t, playground.Options{}, nil)
	s.live(2)
	if err := s.slack.Recycle(3*time.Second, playground.ReasonRefreshRequested); err != nil {
		t.Fatal(err)
	}
	var lost atomic.Int64
	var people sync.WaitGroup
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for range 1000 {
		<-pace.C
		people.Go(func() {
			run, err := s.slack.User("ann").Command(t.Context(), "#alerts", "/notify-test", "")
			if err != nil || !run.Acked {
				lost.Add(1)
			}
		})
	}
	people.Wait()
	s.stop()
	if n := lost.Load(); n > 0 || s.count(playground.KindLost)+s.count(playground.KindTimedOut) > 0 {
		t.Errorf("%d commands lost:\n%s", n, s.log.text())
	}
	recycled := s.count(playground.KindDisconnect)
	if recycled < 6 || s.mostSockets() > 9 {
		t.Errorf("%d recycled, %d sockets at once", recycled, s.mostSockets())
	}
	t.Logf("%d recycled, %d opens, at most %d sockets", recycled, s.count(playground.KindHello), s.mostSockets())
}

func TestRecycledSocketsAreReplacedWithinTheBudgetAndNeverMoreThanNineAtOnce(t *testing.T) {
	s := connect(t, playground.Options{}, func(s *stage) { s.socket.timing.linger = time.Minute })
	s.live(2)
	for n := range replaceAtOnce {
		id := liveOf(s.slack.Sockets())[0]
		if err := s.slack.Linger(id, playground.ReasonWarning); err != nil {
			t.Fatal(err)
		}
		s.wait("replaced at once", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) == 3+n })
		s.live(2)
	}
	if err := s.slack.Linger(liveOf(s.slack.Sockets())[0], playground.ReasonWarning); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	s.log.await(t, "slack is going to close the connection", replaceAtOnce+1)
	if text := s.log.text(); strings.Count(text, `"pause":0`) < replaceAtOnce {
		t.Error(text)
	}
	s.live(2)
	t.Logf("the one beyond the budget after %s", time.Since(start).Round(time.Millisecond))
	if n := s.mostSockets(); n > 9 {
		t.Errorf("%d sockets at once", n)
	}
}

func TestARefreshFromSlackOpensTheReplacementFirst(t *testing.T) {
	for _, reason := range []string{playground.ReasonWarning, playground.ReasonRefreshRequested} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			s := connect(t, playground.Options{RetryScale: 0.2}, nil)
			s.live(2)
			old := liveOf(s.slack.Sockets())[0]
			if err := s.slack.Refresh(old, reason); err != nil {
				t.Fatal(err)
			}
			s.wait("old socket closed", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindSocketClosed) > 0 })
			opened, closed := 0, 0
			for i, e := range s.slack.Journal() {
				if e.Kind == playground.KindHello {
					opened = i
				}
				if e.Kind == playground.KindSocketClosed {
					if closed = i; e.Socket != old || e.Reason != playground.ClosedClean {
						t.Errorf("closed: %+v", e)
					}
				}
			}
			if closed < opened || s.slack.Journal()[opened].Socket == old {
				t.Errorf("the replacement said hello at %d, the old one was closed at %d", opened, closed)
			}
			s.live(2)
		})
	}
}

func TestCommandsOnASocketThatSlackRecyclesAreAcked(t *testing.T) {
	s := connect(t, playground.Options{}, func(s *stage) { s.socket.timing.linger = 300 * time.Millisecond })
	s.live(2)
	for _, id := range liveOf(s.slack.Sockets()) {
		if err := s.slack.Linger(id, playground.ReasonRefreshRequested); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		s.command("")
	}
	s.wait("both replaced", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindSocketClosed) == 2 })
	s.live(2)
}

func TestACutIsNoticedAtOnce(t *testing.T) {
	for name, modes := range map[string][]playground.CutMode{"reset": {playground.CutForget}, "fin": {playground.CutForget, playground.CutFIN}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := connect(t, playground.Options{}, nil)
			s.log.await(t, "slack connection is up", 2)
			start := time.Now()
			if err := s.slack.Cut(liveOf(s.slack.Sockets())[0], modes...); err != nil {
				t.Fatal(err)
			}
			s.wait("a third socket", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) == 3 })
			t.Logf("a new connection after %s", time.Since(start).Round(time.Millisecond))
			if st := s.socket.Status(); !strings.Contains(st.LastError, "cut") && !strings.Contains(st.LastError, "reset") {
				t.Errorf("last error: %q", st.LastError)
			}
			s.command("")
		})
	}
}

func TestAFrozenSocketIsNoticedWithinTwentySeconds(t *testing.T) {
	t.Parallel()
	s := connect(t, playground.Options{GhostFor: time.Nanosecond}, nil)
	s.log.await(t, "slack connection is up", 2)
	start := time.Now()
	if err := s.slack.Freeze(liveOf(s.slack.Sockets())[0]); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.slack.Wait(ctx, func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) == 3 }); err != nil {
		t.Fatal(err)
	}
	t.Logf("a new connection after %s", time.Since(start).Round(time.Millisecond))
	if !strings.Contains(s.socket.Status().LastError, "slack sent nothing for 18s") {
		t.Errorf("last error: %q", s.socket.Status().LastError)
	}
}

func TestRedeliveredEventsAreHandledOnce(t *testing.T) {
	s := connect(t, playground.Options{}, nil)
	s.live(2)
	if _, err := s.slack.User("ann").DM("help"); err != nil {
		t.Fatal(err)
	}
	if m := next(t, s.heard.messages); m.Text != "help" || m.Mention || m.User == "" {
		t.Errorf("message: %+v", m)
	}
	event := ""
	for _, e := range s.slack.Journal() {
		if e.Kind == playground.KindSent && e.Event != "" {
			event = e.Event
		}
	}
	for _, how := range []playground.Redelivery{playground.RedeliverSame, playground.RedeliverRetry} {
		if err := s.slack.Redeliver(event, how); err != nil {
			t.Fatal(err)
		}
	}
	s.wait("all acked", func(sn *playground.Snapshot) bool {
		return sn.Count(playground.KindAcked)+sn.Count(playground.KindAckAgain) == 3
	})
	s.stop()
	if n := len(s.heard.messages); n != 0 {
		t.Errorf("handled %d times more", n)
	}
}

func TestAServerThatDropsEveryConnectionIsNotHammered(t *testing.T) {
	for name, fault := range map[string]playground.ConnectFault{"dropped": playground.ConnectDrop, "refused": playground.ConnectRefuse} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := connect(t, playground.Options{}, func(s *stage) { s.slack.SetConnectFault(fault) })
			s.wait("four attempts", func(sn *playground.Snapshot) bool { return sn.CallCount("apps.connections.open") >= 4 })
			s.slack.SetConnectFault(playground.ConnectOK)
			s.live(2)
			// Full jitter allows quick ones, but each failure doubles the ceiling.
			if n := len(s.slack.Calls()); n > 20 {
				t.Errorf("%d attempts", n)
			}
			s.command("")
		})
	}
}

func TestAServerThatNeverSaysHelloIsLeft(t *testing.T) {
	t.Parallel()
	s := connect(t, playground.Options{GhostFor: time.Nanosecond}, func(s *stage) { s.slack.SetConnectFault(playground.ConnectNoHello) })
	s.wait("connected", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindSocketOpened) == 2 })
	if n := s.socket.Status().Connections; n != 0 {
		t.Errorf("%d connections are up before hello", n)
	}
	s.slack.SetConnectFault(playground.ConnectOK)
	s.wait("hello", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) == 2 })
	if !strings.Contains(s.log.text(), "sent no hello") {
		t.Error(s.log.text())
	}
}

func TestAnOpenThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	s := connect(t, playground.Options{}, func(s *stage) {
		if err := s.slack.SetFault(playground.Fault{Kind: playground.FaultTimeout, Method: "apps.connections.open", Times: 2}); err != nil {
			s.t.Fatal(err)
		}
	})
	s.live(2)
	if !strings.Contains(s.log.text(), `"error":"timeout`) {
		t.Error(s.log.text())
	}
}

func TestRetryAfterIsObeyedWhenConnecting(t *testing.T) {
	t.Parallel()
	s := connect(t, playground.Options{}, func(s *stage) {
		if err := s.slack.SetFault(playground.Fault{Kind: playground.FaultThrottle, Method: "apps.connections.open", RetryAfter: 2, Times: 2}); err != nil {
			s.t.Fatal(err)
		}
	})
	s.live(2)
	calls := s.slack.Calls()
	if len(calls) != 4 {
		t.Fatalf("%d calls", len(calls))
	}
	for _, second := range calls[2:] {
		if wait := second.At.Sub(calls[0].At); wait < 1900*time.Millisecond {
			t.Errorf("tried again after %s", wait)
		}
	}
}

func TestATokenThatIsPutRightLaterIsUsedWithoutARestart(t *testing.T) {
	var app atomic.Value
	s := connect(t, playground.Options{}, func(s *stage) {
		app.Store(alert.Secret("xapp-wrong"))
		s.bot.opts.Tokens = func() (a, b alert.Secret) { return app.Load().(alert.Secret), alert.Secret(s.slack.BotToken()) }
	})
	s.log.await(t, "slack refuses connections", 2)
	st := s.socket.Status()
	if len(st.Problems) != 1 || !strings.Contains(st.Problems[0].What, "invalid_auth") || !strings.Contains(st.Problems[0].Fix, "SLACK_APP_TOKEN") {
		t.Errorf("status: %+v", st)
	}
	app.Store(alert.Secret(s.slack.AppToken()))
	s.log.await(t, "slack connection is up", 2)
	s.command("")
	if st := s.socket.Status(); len(st.Problems) != 0 || st.Connections != 2 {
		t.Errorf("status: %+v", st)
	}
	if strings.Contains(s.log.text(), "xapp-wrong") {
		t.Error("the wrong token is in the log")
	}
}

func TestAnotherAppTokenIsTriedBeforeTheRefusedOneWouldBe(t *testing.T) {
	var app atomic.Value
	s := connect(t, playground.Options{}, func(s *stage) {
		app.Store(alert.Secret("xapp-wrong"))
		s.bot.opts.Tokens = func() (a, b alert.Secret) { return app.Load().(alert.Secret), alert.Secret(s.slack.BotToken()) }
		s.socket.timing.refused, s.socket.timing.token = time.Hour, 10*time.Millisecond
	})
	s.log.await(t, "slack refuses connections", 2)
	app.Store(alert.Secret(s.slack.AppToken()))
	s.log.await(t, "slack connection is up", 2)
}

func TestAProxyOverTLSIsAProblemForAPerson(t *testing.T) {
	s := connect(t, playground.Options{}, func(s *stage) {
		s.socket.dialer.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("https://me:pw@proxy.example:3128") }
	})
	s.log.await(t, "slack refuses connections", 2)
	st := s.socket.Status()
	if len(st.Problems) != 1 || !strings.Contains(st.Problems[0].What, "https:// is not supported") || !strings.Contains(st.Problems[0].Fix, "HTTPS_PROXY") {
		t.Errorf("status: %+v", st)
	}
	if strings.Contains(s.log.text(), "pw") {
		t.Error("the proxy's password is in the log")
	}
	if n := len(s.slack.Calls()); n != 0 {
		t.Errorf("%d calls were made through it", n)
	}
}

func TestSwitchedOffSocketModeIsAProblemForAPerson(t *testing.T) {
	s := connect(t, playground.Options{}, func(s *stage) { s.socket.timing.refused = 300 * time.Millisecond })
	s.live(2)
	for _, id := range liveOf(s.slack.Sockets()) {
		if err := s.slack.Refresh(id, playground.ReasonLinkDisabled); err != nil {
			t.Fatal(err)
		}
	}
	s.wait("both gone", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindSocketClosed) == 2 })
	s.log.await(t, "Socket Mode is switched off", 2)
	s.live(2)
}

func TestTooManyConnectionsAreAProblemForAPersonAndWaitedOut(t *testing.T) {
	s := connect(t, playground.Options{}, func(s *stage) { s.socket.timing.tooMany = 100 * time.Millisecond })
	s.live(2)
	id := liveOf(s.slack.Sockets())[0]
	if err := s.slack.Refresh(id, playground.ReasonTooManyWebsockets); err != nil {
		t.Fatal(err)
	}
	s.wait("gone", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindSocketClosed) == 1 })
	s.live(2)
	if !strings.Contains(s.log.text(), "more than ten connections") {
		t.Error(s.log.text())
	}
}

func TestAnEndSaysGoodbyeAndFinishesTheWork(t *testing.T) {
	started, finish := make(chan bool), make(chan bool)
	s := connect(t, playground.Options{}, func(s *stage) {
		s.heard.command = func(Command) error {
			started <- true
			<-finish
			return nil
		}
	})
	s.live(2)
	s.command("")
	next(t, started)
	go func() {
		s.wait("goodbye", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindSocketClosed) == 2 })
		close(finish)
	}()
	s.stop()
	for _, e := range s.slack.Journal() {
		if e.Kind == playground.KindSocketClosed && e.Reason != playground.ClosedClean {
			t.Errorf("socket ended %q", e.Reason)
		}
	}
	if n := s.inbox.unhandled(); n != 0 {
		t.Errorf("%d left unhandled", n)
	}
}

func TestWhatWasAckedBeforeARestartIsFinishedAfterIt(t *testing.T) {
	payload := []byte(`{"command":"/notify-test","text":"again","user_id":"U0ANN","channel_id":"C0ALERTS"}`)
	s := connect(t, playground.Options{}, func(s *stage) {
		s.inbox.left = []alert.Envelope{{ID: "left-over", Type: "slash_commands", Payload: payload}}
	})
	if c := next(t, s.heard.commands); c.Text != "again" {
		t.Errorf("command: %+v", c)
	}
	s.stop()
	if n := s.inbox.unhandled(); n != 0 {
		t.Errorf("%d left unhandled", n)
	}
}

func TestWhatWasAckedBeforeARestartIsFinishedAlthoughTheStoreIsAwayAtFirst(t *testing.T) {
	t.Parallel()
	payload := []byte(`{"command":"/notify-test","text":"again","user_id":"U0ANN","channel_id":"C0ALERTS"}`)
	s := connect(t, playground.Options{}, func(s *stage) {
		s.inbox.left = []alert.Envelope{{ID: "left-over", Type: "slash_commands", Payload: payload}}
		s.inbox.broken = errors.New("away")
	})
	s.live(2)
	s.command("new")
	if c := next(t, s.heard.commands); c.Text != "new" {
		t.Errorf("command: %+v", c)
	}
	s.unstored(nil)
	if c := next(t, s.heard.commands); c.Text != "again" {
		t.Errorf("command: %+v", c)
	}
	s.stop()
	if n := s.inbox.unhandled(); n != 0 || len(s.heard.commands) != 0 {
		t.Errorf("%d left unhandled, and %d were handled twice", n, len(s.heard.commands))
	}
}

func TestAPanickingHandlerHarmsNobodyElse(t *testing.T) {
	s := connect(t, playground.Options{}, func(s *stage) {
		s.heard.command = func(c Command) error {
			if c.Text == "bang" {
				panic("bang")
			}
			return errors.New("no luck")
		}
	})
	s.live(2)
	for range workers + 1 {
		s.command("bang")
	}
	s.command("calm")
	for range workers + 2 {
		next(t, s.heard.commands)
	}
	s.stop()
	for _, want := range []string{"panic: bang", "no luck", `"envelope":"`} {
		if !strings.Contains(s.log.text(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

func TestABrokenInboxStillGetsPeopleAnswered(t *testing.T) {
	s := connect(t, playground.Options{}, func(s *stage) { s.inbox.broken = errors.New("disk full") })
	s.live(2)
	s.command("anyway")
	if c := next(t, s.heard.commands); c.Text != "anyway" {
		t.Errorf("command: %+v", c)
	}
	if !strings.Contains(s.log.text(), "disk full") {
		t.Error("nothing was logged")
	}
}

func TestStrangeMessagesDoNoHarm(t *testing.T) {
	s := connect(t, playground.Options{}, nil)
	s.live(2)
	id := liveOf(s.slack.Sockets())[0]
	for _, text := range []string{
		"UNAUTHENTICATED: cache_error", "", "{", `{"type":"weather"}`, `[1]`,
		`{"type":"sonnet","envelope_id":"e-unknown","payload":{"a":1}}`,
		`{"type":"slash_commands","envelope_id":"e-odd","payload":{"command":"/notify","text":7}}`,
		`{"type":"events_api","envelope_id":"e-empty","payload":{"type":"app_rate_limited"}}`,
	} {
		if err := s.slack.SendRaw(id, text); err != nil {
			t.Fatal(err)
		}
	}
	s.wait("the three envelopes acked", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindAckUnknown) == 3 })
	if c := next(t, s.heard.commands); c.Name != "/notify" {
		t.Errorf("command: %+v", c)
	}
	s.command("")
	if n := len(liveOf(s.slack.Sockets())); n != 2 || len(s.slack.Sockets()) != 2 {
		t.Errorf("%d live sockets", n)
	}
}

func TestABurstBeforeTheEndIsAckedWhereItCame(t *testing.T) {
	for name, end := range map[string]func(*playground.Server, string) error{
		"close frame": (*playground.Server).Hangup,
		"disconnect and close frame": func(s *playground.Server, id string) error {
			return s.Refresh(id, playground.ReasonTooManyWebsockets)
		},
		"a burst on both sides of disconnect": func(s *playground.Server, id string) error {
			err := s.Linger(id, playground.ReasonRefreshRequested)
			return errors.Join(err, burst(s, id, "late"), s.Hangup(id))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := connect(t, playground.Options{}, func(s *stage) { s.socket.timing.tooMany = time.Millisecond })
			s.log.await(t, "slack connection is up", 2)
			id := liveOf(s.slack.Sockets())[0]
			if err := errors.Join(burst(s.slack, id, "early"), end(s.slack, id)); err != nil {
				t.Fatal(err)
			}
			s.wait("closed", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindSocketClosed) == 1 })
			want := 50
			if strings.Contains(name, "both") {
				want = 100
			}
			acks := 0
			for _, e := range s.slack.Journal() {
				if e.Kind == playground.KindAckUnknown && e.Socket == id {
					acks++
				}
				if e.Kind == playground.KindSocketClosed && e.Reason != playground.ClosedClean {
					t.Errorf("socket ended %q", e.Reason)
				}
			}
			if acks != want {
				t.Errorf("%d of %d acked where they came", acks, want)
			}
			for range want {
				next(t, s.heard.commands)
			}
		})
	}
}

// burst sends 50 commands to one socket at once.
func burst(s *playground.Server, id, name string) error {
	var err error
	for i := range 50 {
		err = errors.Join(err, s.SendRaw(id, fmt.Sprintf(`{"type":"slash_commands","envelope_id":"%s-%d","payload":{"command":"/notify","text":"%d"}}`, name, i, i)))
	}
	return err
}

func TestOverTLSItIsTheSame(t *testing.T) {
	s := connect(t, playground.Options{}, func(s *stage) {
		front := behindTLS(s.t, s.slack)
		s.bot.opts.APIURL = front.URL + "/api/"
		s.bot.http.Transport = front.Client().Transport
		s.socket.dialer.TLSClientConfig = front.Client().Transport.(*http.Transport).TLSClientConfig
		s.socket.timing.rotate = 100 * time.Millisecond
	})
	s.log.await(t, "slack connection is up", 2)
	s.wait("six rotations", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindSocketClosed) >= 6 })
	for range 50 {
		s.command("")
	}
	s.stop()
	for _, e := range s.slack.Journal() {
		if e.Kind == playground.KindSocketClosed && e.Reason != playground.ClosedClean {
			t.Errorf("socket %s ended %q", e.Socket, e.Reason)
		}
	}
}

func TestGhostsAreReportedOnce(t *testing.T) {
	s := connect(t, playground.Options{}, nil)
	s.log.await(t, "slack connection is up", 2)
	if err := s.slack.Cut(liveOf(s.slack.Sockets())[0]); err != nil {
		t.Fatal(err)
	}
	s.log.await(t, "slack connection is up", 3)
	if err := s.slack.Hangup(liveOf(s.slack.Sockets())[0]); err != nil {
		t.Fatal(err)
	}
	s.log.await(t, "slack connection is up", 4)
	s.stop()
	if n := strings.Count(s.log.text(), "slack counts more connections than ours"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, s.log.text())
	}
}
