package playground

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

func TestHelloTellsTheCountAndTheLifeOfAConnection(t *testing.T) {
	s := startPlayground(t, patient())
	for i := 1; i <= 2; i++ {
		hello := dial(t, openURL(t, s)).next()
		if hello.Type != "hello" || hello.NumConnections != i || hello.DebugInfo.Time != 18060 {
			t.Errorf("connection %d: %s", i, hello.raw)
		}
	}
	if hello := dial(t, openURL(t, s)+"&debug_reconnects=true").next(); hello.DebugInfo.Time != 360 {
		t.Errorf("with debug_reconnects: %s", hello.raw)
	}
}

func TestATicketIsGoodForOneConnectionWithinThirtySeconds(t *testing.T) {
	var skew atomic.Int64
	opts := patient()
	opts.Clock = func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }
	s := startPlayground(t, opts)
	used := openURL(t, s)
	dial(t, used)
	stale := openURL(t, s)
	skew.Store(int64(time.Minute))
	for name, c := range map[string]struct {
		url    string
		status int
	}{
		"used": {used, http.StatusRequestTimeout}, "stale": {stale, http.StatusRequestTimeout},
		"unknown": {strings.Split(used, "?")[0] + "?ticket=nobody", http.StatusNotFound},
	} {
		if status := refusedWith(t, c.url); status != c.status {
			t.Errorf("%s ticket: refused with %d, want %d", name, status, c.status)
		}
	}
}

func refusedWith(t *testing.T, url string) int {
	t.Helper()
	conn, _, _, err := ws.Dial(t.Context(), url)
	if err == nil {
		conn.Close()
		return http.StatusSwitchingProtocols
	}
	var status ws.StatusError
	if !errors.As(err, &status) {
		t.Fatalf("dial: %v", err)
	}
	return int(status)
}

func TestServerPingsWithATextAndJournalsThePong(t *testing.T) {
	opts := patient()
	opts.PingEvery = 5 * time.Millisecond
	s := startPlayground(t, opts)
	c := connect(t, s)
	for {
		f, err := c.frame()
		if err != nil {
			t.Fatal(err)
		}
		if f.Header.OpCode != ws.OpPing {
			continue
		}
		if string(f.Payload) != "Ping from applink-1" {
			t.Errorf("ping says %q", f.Payload)
		}
		c.send(ws.NewPongFrame(f.Payload))
		break
	}
	if pong := await(t, s, KindPong, 1)[0]; pong.Text != "Ping from applink-1" || pong.Socket != "S1" {
		t.Errorf("journal has %+v", pong)
	}
}

func TestAClientsPingIsEchoed(t *testing.T) {
	c := connect(t, startPlayground(t, patient()))
	c.send(ws.NewPingFrame([]byte("nonce 7")))
	f, err := c.frame()
	if err != nil || f.Header.OpCode != ws.OpPong || string(f.Payload) != "nonce 7" {
		t.Errorf("got %v %q, %v", f.Header.OpCode, f.Payload, err)
	}
}

func TestTheEleventhConnectionIsToldThereAreTooMany(t *testing.T) {
	s := startPlayground(t, patient())
	for range maxSockets {
		connect(t, s)
	}
	extra := connect(t, s)
	if m := extra.next(); m.Type != "disconnect" || m.Reason != ReasonTooManyWebsockets {
		t.Errorf("got %s", m.raw)
	}
	if err := extra.gone(); !closedBy(err, ws.StatusNormalClosure) {
		t.Errorf("ended with %v", err)
	}
}

func TestNothingIsSentAfterTheClientsCloseFrame(t *testing.T) {
	s := startPlayground(t, quick())
	c := connect(t, s)
	c.send(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
	if closed := await(t, s, KindSocketClosed, 1)[0]; closed.Reason != ClosedClean {
		t.Errorf("closed as %q", closed.Reason)
	}
	say(t, s, "anybody there?")
	if lost := await(t, s, KindLost, 1)[0]; lost.Reason != LostNoSocket {
		t.Errorf("lost because of %q", lost.Reason)
	}
	if _, err := c.read(); !closedBy(err, ws.StatusNormalClosure) {
		t.Errorf("after its close frame the client got %v", err)
	}
	if left := s.Sockets(); len(left) != 0 {
		t.Errorf("still registered: %v", left)
	}
}

func say(t testing.TB, s *Server, text string) string {
	t.Helper()
	ts, err := s.User("ann").DM(text)
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

func TestASocketThatItsOwnerClosesLeavesNoGhost(t *testing.T) {
	s := startPlayground(t, patient())
	connect(t, s).conn.Close()
	if closed := await(t, s, KindSocketClosed, 1)[0]; closed.Reason != ClosedVanished {
		t.Errorf("closed as %q", closed.Reason)
	}
	if hello := dial(t, openURL(t, s)).next(); hello.NumConnections != 1 {
		t.Errorf("it still counts: %s", hello.raw)
	}
}

func TestASocketThatWasCutStaysAsAGhost(t *testing.T) {
	var skew atomic.Int64
	opts := patient()
	opts.GhostFor = time.Hour
	opts.Clock = func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }
	s := startPlayground(t, opts)
	connect(t, s)
	if err := s.Cut("S1"); err != nil {
		t.Fatal(err)
	}
	if hello := dial(t, openURL(t, s)).next(); hello.NumConnections != 2 {
		t.Errorf("the ghost does not count: %s", hello.raw)
	}
	skew.Store(int64(2 * time.Hour))
	if hello := dial(t, openURL(t, s)).next(); hello.NumConnections != 2 {
		t.Errorf("the ghost still counts: %s", hello.raw)
	}
}

func TestCutEndsTCPWithoutACloseFrame(t *testing.T) {
	for name, c := range map[string]struct {
		modes  []CutMode
		ghosts int
	}{
		"reset": {nil, 1}, "fin": {[]CutMode{CutFIN}, 1}, "forgotten": {[]CutMode{CutForget}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := startPlayground(t, patient())
			client := connect(t, s)
			if err := s.Cut("S1", c.modes...); err != nil {
				t.Fatal(err)
			}
			if err := client.gone(); !eof(err) {
				t.Errorf("the client saw %v", err)
			}
			if left := s.Sockets(); len(left) != c.ghosts {
				t.Errorf("registered: %+v, want %d ghosts", left, c.ghosts)
			}
		})
	}
}

func TestAFrozenSocketTakesPayloadsWithIt(t *testing.T) {
	s := startPlayground(t, quick())
	c := connect(t, s)
	if err := s.Freeze("S1"); err != nil {
		t.Fatal(err)
	}
	c.send(ws.NewPingFrame([]byte("alive?")))
	say(t, s, "hello?")
	if lost := await(t, s, KindLost, 1)[0]; lost.Reason != LostGhost || lost.Socket != "S1" {
		t.Errorf("journal has %+v", lost)
	}
	if info := s.Sockets(); len(info) != 1 || info[0].State != "ghost" || !info[0].Frozen {
		t.Errorf("sockets: %+v", info)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if m, err := c.read(); !eof(err) {
		t.Errorf("a frozen socket said %s, %v", m.raw, err)
	}
}

func TestAWarningIsFollowedByARefreshAndAClose(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	if err := s.Refresh("S1", ReasonWarning); err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{ReasonWarning, ReasonRefreshRequested} {
		if m := c.next(); m.Type != "disconnect" || m.Reason != reason {
			t.Errorf("got %s, want %s", m.raw, reason)
		}
	}
	if err := c.gone(); !closedBy(err, ws.StatusNormalClosure) {
		t.Errorf("ended with %v", err)
	}
}

func TestAConnectionIsRefreshedAtTheEndOfItsLife(t *testing.T) {
	opts := patient()
	opts.ConnectionTime = 10 * time.Millisecond
	c := connect(t, startPlayground(t, opts))
	if m := c.next(); m.Type != "disconnect" || m.Reason != ReasonWarning {
		t.Errorf("got %s", m.raw)
	}
}

func TestASocketDroppedAfterDisconnectIsNoGhost(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	if err := s.Linger("S1", ReasonRefreshRequested); err != nil {
		t.Fatal(err)
	}
	c.next()
	c.conn.Close()
	if closed := await(t, s, KindSocketClosed, 1)[0]; closed.Reason != ClosedAfterDisconnect {
		t.Errorf("closed as %q", closed.Reason)
	}
	if left := s.Sockets(); len(left) != 0 {
		t.Errorf("still registered: %v", left)
	}
}

func TestALingeringSocketIsStillUsed(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	if err := s.Linger("S1", ReasonRefreshRequested); err != nil {
		t.Fatal(err)
	}
	say(t, s, "still there?")
	if m := c.next(); m.Type != "disconnect" {
		t.Errorf("got %s", m.raw)
	}
	if m := c.next(); m.Type != TypeEvents {
		t.Errorf("got %s", m.raw)
	}
}

func TestLinkDisabledAndHangupCloseAtOnce(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	if err := s.Refresh("S1", ReasonLinkDisabled); err != nil {
		t.Fatal(err)
	}
	if m := c.next(); m.Reason != ReasonLinkDisabled {
		t.Errorf("got %s", m.raw)
	}
	if _, err := c.read(); !closedBy(err, ws.StatusNormalClosure) {
		t.Errorf("ended with %v", err)
	}
	d := connect(t, s)
	if err := s.Hangup("S2"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.read(); !closedBy(err, ws.StatusNormalClosure) {
		t.Errorf("ended with %v", err)
	}
	if err := s.Hangup("S9"); !errors.Is(err, errNoSocket) {
		t.Errorf("an unknown socket gave %v", err)
	}
}

func TestRecyclingRefreshesOneSocketAfterTheOther(t *testing.T) {
	s := startPlayground(t, quick())
	for range 3 {
		connect(t, s)
	}
	want(t, perform(t, s, map[string]any{"do": "socket", "action": "recycle", "seconds": 0.001}), true, "ok")
	for i, e := range await(t, s, KindDisconnect, 3)[:3] {
		if e.Socket != socketID(i+1) || e.Reason != ReasonRefreshRequested {
			t.Errorf("refresh %d: %+v", i+1, e)
		}
	}
	if err := s.Recycle(time.Millisecond, ReasonWarning); err != nil {
		t.Fatal(err)
	}
	connect(t, s)
	if e := await(t, s, KindDisconnect, 4)[3]; e.Socket != "S4" || e.Reason != ReasonWarning {
		t.Errorf("after a warning was asked for: %+v", e)
	}
	if err := s.Recycle(0, ""); err != nil {
		t.Fatal(err)
	}
	await(t, s, KindSocketClosed, 4)
	connect(t, s)
	if got := s.Sockets(); len(got) != 1 || got[0].State != "live" {
		t.Errorf("after recycling ended: %+v", got)
	}
	for _, bad := range []error{s.Recycle(-1, ReasonWarning), s.Recycle(time.Second, ReasonLinkDisabled)} {
		if bad == nil {
			t.Error("a recycling that makes no sense was accepted")
		}
	}
}

func TestConnectFaults(t *testing.T) {
	s := startPlayground(t, patient())
	s.SetConnectFault(ConnectRefuse)
	if status := refusedWith(t, openURL(t, s)); status != http.StatusNotFound {
		t.Errorf("refused with %d", status)
	}
	for _, status := range []int{200, 302, 403, 429, 500, 503, 599} {
		s.SetConnectFault(ConnectFault(strconv.Itoa(status)))
		if got := refusedWith(t, openURL(t, s)); got != status {
			t.Errorf("refused with %d, want %d", got, status)
		}
	}
	s.SetConnectFault(ConnectDrop)
	if _, err := dial(t, openURL(t, s)).read(); !eof(err) {
		t.Errorf("dropped with %v", err)
	}
	s.SetConnectFault(ConnectNoHello)
	mute := dial(t, openURL(t, s))
	await(t, s, KindSocketOpened, 1)
	if err := s.SendRaw("", "UNAUTHENTICATED: cache_error"); err != nil {
		t.Fatal(err)
	}
	if m := mute.next(); m.raw != "UNAUTHENTICATED: cache_error" {
		t.Errorf("first message is %s", m.raw)
	}
	s.SetConnectFault(ConnectHang)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, _, err := ws.Dial(ctx, openURL(t, s)); err == nil {
		t.Error("a hanging handshake was answered")
	}
}

func TestAnUnmaskedFrameEndsTheConnection(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	if err := ws.WriteFrame(c.conn, ws.NewTextFrame([]byte("{}"))); err != nil {
		t.Fatal(err)
	}
	if closed := await(t, s, KindSocketClosed, 1)[0]; closed.Reason != ClosedProtocol {
		t.Errorf("closed as %q", closed.Reason)
	}
}
