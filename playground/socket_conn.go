package playground

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gobwas/ws"

	"tocsin/playground/wire"
)

// Reasons of a disconnect message.
const (
	ReasonWarning           = "warning"
	ReasonRefreshRequested  = "refresh_requested"
	ReasonLinkDisabled      = "link_disabled"
	ReasonTooManyWebsockets = "too_many_websockets"
)

func socketID(n int) string { return "S" + strconv.Itoa(n) }

// host is the name of the machine that Slack puts into hello, disconnect and pings.
func (k *socket) host() string { return "applink-" + k.id[1:] }

// sendHelloLocked queues the first message of a connection.
func (s *Server) sendHelloLocked(k *socket, count int, life time.Duration) {
	k.queueLocked(textFrame(map[string]any{
		"type":            "hello",
		"num_connections": count,
		"connection_info": map[string]any{"app_id": s.ws.appID},
		"debug_info": map[string]any{
			"host":                        k.host(),
			"started":                     k.opened.UTC().Format("2006-01-02 15:04:05.000"),
			"build_number":                1,
			"approximate_connection_time": max(1, int(life/time.Second)),
		},
	}))
	s.recordLocked(Entry{Kind: KindHello, Socket: k.id, Text: fmt.Sprintf("num_connections %d", count)})
}

// disconnectLocked queues Slack's notice that a socket is about to end.
func (s *Server) disconnectLocked(k *socket, reason string) {
	if k.phase == phaseLive {
		k.phase = phaseLeaving
	}
	k.queueLocked(textFrame(map[string]any{
		"type": "disconnect", "reason": reason, "debug_info": map[string]any{"host": k.host()},
	}))
	s.recordLocked(Entry{Kind: KindDisconnect, Socket: k.id, Reason: reason})
}

// beginCloseLocked sends the server's close frame, after everything that is queued.
func (s *Server) beginCloseLocked(k *socket) {
	if k.phase == phaseClosing || k.phase == phaseGhost || k.phase == phaseGone {
		return
	}
	k.queueLocked(closeFrame(ws.StatusNormalClosure))
	k.phase = phaseClosing
}

// pump is the one writer of a socket. It also pings, and refreshes the socket at the end of its life.
func (s *Server) pump(k *socket, life time.Duration) {
	ping := time.NewTicker(max(s.opts.PingEvery, time.Millisecond))
	defer ping.Stop()
	end := time.NewTimer(life)
	defer end.Stop()
	for {
		select {
		case <-k.ended:
			return
		case <-k.wake:
			if s.flush(k) {
				return
			}
		case <-ping.C:
			s.ping(k)
		case <-end.C:
			s.expireSocket(k)
		}
	}
}

// flush writes what is queued. It reports true when nothing may follow; then the client has a limited time to close.
func (s *Server) flush(k *socket) (over bool) {
	for _, f := range s.dequeue(k) {
		if err := k.conn.WriteFrame(f); err != nil {
			s.writeFailed(k)
			return true
		}
		if f.Header.OpCode == ws.OpClose {
			return s.closeSent(k)
		}
	}
	return false
}

// writeFailed closes the connection, so that the reader ends and updates the socket. A frozen one stays open.
func (s *Server) writeFailed(k *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !k.frozen {
		_ = k.conn.Close()
	}
}

func (s *Server) dequeue(k *socket) []ws.Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	frames := k.out
	k.out = nil
	if k.phase == phaseGhost {
		return nil
	}
	return frames
}

// closeSent sets a deadline for the rest of the close handshake.
func (s *Server) closeSent(k *socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := closeWait
	if k.phase == phaseGone {
		wait = lingerWait
	}
	_ = k.conn.SetReadDeadline(time.Now().Add(wait))
	return true
}

func (s *Server) ping(k *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.phase.registered() {
		k.queueLocked(ws.NewPingFrame([]byte("Ping from " + k.host())))
	}
}

// readSocket reads until the connection ends, and then updates the socket.
func (s *Server) readSocket(k *socket) {
	for {
		f, err := k.conn.ReadFrame()
		if err == nil {
			err = s.received(k, f)
		}
		if err != nil {
			s.readEnded(k, err)
			return
		}
	}
}

// errHandshakeOver ends the reader after an orderly close handshake.
var errHandshakeOver = errors.New("close handshake is over")

// received handles one frame of the client.
func (s *Server) received(k *socket, f ws.Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f.Header.OpCode {
	case ws.OpText, ws.OpContinuation:
		s.ackFrameLocked(k, f)
	case ws.OpPing:
		k.queueLocked(ws.NewPongFrame(f.Payload))
	case ws.OpPong:
		s.recordLocked(Entry{Kind: KindPong, Socket: k.id, Text: string(f.Payload)})
	case ws.OpClose:
		return s.clientClosedLocked(k, f)
	}
	return nil
}

// clientClosedLocked answers a close frame, or accepts it as the answer to ours. Nothing is sent after that.
func (s *Server) clientClosedLocked(k *socket, f ws.Frame) error {
	if k.phase == phaseGone || k.phase == phaseGhost {
		return nil
	}
	code, _ := ws.ParseCloseFrameData(f.Payload)
	if code.Empty() {
		code = ws.StatusNormalClosure
	}
	if k.phase == phaseClosing {
		s.removeLocked(k, ClosedClean)
		return errHandshakeOver
	}
	k.queueLocked(closeFrame(code))
	s.removeLocked(k, ClosedClean)
	return nil
}

// readEnded updates the socket after its last frame.
func (s *Server) readEnded(k *socket, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.frozen {
		return
	}
	switch k.phase {
	case phaseLive:
		s.vanishedLocked(k, err)
	case phaseLeaving:
		s.removeLocked(k, ClosedAfterDisconnect)
	case phaseRefused, phaseClosing:
		s.removeLocked(k, ClosedClean)
	}
	k.stop()
	s.closeTCPLocked(k)
}

// vanishedLocked deregisters a socket whose end reached Slack without a close frame, as a FIN or RST. That Slack does so is
// believed, not documented (docs/slack.md §1.7); Cut and Freeze make ghosts.
func (s *Server) vanishedLocked(k *socket, err error) {
	reason := ClosedVanished
	if errors.Is(err, wire.ErrProtocol) {
		reason = ClosedProtocol
	}
	s.removeLocked(k, reason)
}

// textFrame is v as one unfragmented text frame; v is always something that JSON can express.
func textFrame(v any) ws.Frame {
	raw, _ := json.Marshal(v)
	return ws.NewTextFrame(raw)
}

func closeFrame(code ws.StatusCode) ws.Frame {
	return ws.NewCloseFrame(ws.NewCloseFrameBody(code, ""))
}
