package playground

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gobwas/ws"
)

// ConnectFault is a way in which opening a Socket Mode connection goes wrong: one of the constants, or an HTTP status from "200" to "599"
// with which the handshake is answered.
type ConnectFault string

// What can go wrong with each connection until the fault is set back to ConnectOK.
const (
	ConnectOK ConnectFault = ""
	// ConnectRefuse answers the handshake with 404.
	ConnectRefuse ConnectFault = "refuse"
	// ConnectHang never answers the handshake.
	ConnectHang ConnectFault = "hang"
	// ConnectDrop ends the connection right after the handshake.
	ConnectDrop ConnectFault = "drop"
	// ConnectNoHello accepts the connection, registers it, and sends no hello.
	ConnectNoHello ConnectFault = "no_hello"
	// ConnectDisabled is what Slack does while Socket Mode is off: link_disabled in place of hello.
	ConnectDisabled ConnectFault = "disabled"
)

// CutMode says how Cut ends a connection.
type CutMode uint8

const (
	// CutFIN ends TCP in an orderly way (FIN) instead of with a reset; neither sends a close frame.
	CutFIN CutMode = 1 << iota
	// CutForget removes the registration too, so that no payload goes to the ghost.
	CutForget
)

// SocketInfo describes one registered socket, live or ghost.
type SocketInfo struct {
	// ID is what journal entries call the socket: "S1", "S2", in the order in which they were opened.
	ID     string    `json:"id"`
	Opened time.Time `json:"opened"`
	// State is "live", "leaving" (told to disconnect), "closing" (close frame sent) or "ghost".
	State string `json:"state"`
	// Frozen marks a ghost whose TCP connection is still open.
	Frozen bool `json:"frozen,omitempty"`
}

// Sockets returns the sockets Slack believes in, ghosts included, oldest first.
func (s *Server) Sockets() []SocketInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.socketsLocked()
}

// Sockets returns the sockets Slack believes in, ghosts included, oldest first.
func (sn *Snapshot) Sockets() []SocketInfo { return sn.s.socketsLocked() }

func (s *Server) socketsLocked() []SocketInfo {
	s.expireGhostsLocked()
	out := []SocketInfo{}
	for _, k := range s.sockets.list {
		out = append(out, SocketInfo{ID: k.id, Opened: k.opened, State: k.phase.String(), Frozen: k.frozen})
	}
	return out
}

// SetConnectFault makes every new connection go wrong in this way, until it is set to ConnectOK.
func (s *Server) SetConnectFault(fault ConnectFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sockets.fault = fault
}

// status is what the handshake is answered with, or 0 when it is not answered with a status.
func (f ConnectFault) status() int {
	if f == ConnectRefuse {
		return http.StatusNotFound
	}
	if n := parseStatus(string(f)); n >= http.StatusOK {
		return n
	}
	return 0
}

func (s *Server) connectFault() ConnectFault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sockets.fault
}

// Refresh tells a socket to reconnect and then closes it, as Slack does. After ReasonWarning refresh_requested follows in about 10 s;
// after that one the close frame comes in about 2 s (both times Options.RetryScale); after any other reason it comes at once.
func (s *Server) Refresh(socket, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.liveSocketLocked(socket)
	if err != nil {
		return fmt.Errorf("refresh: %w", err)
	}
	s.refreshLocked(k, reason)
	return nil
}

// Recycle makes Slack refresh one socket every so often, the oldest that has not been told to go yet, with ReasonWarning or
// ReasonRefreshRequested. It replaces an earlier Recycle; a period of zero ends it.
func (s *Server) Recycle(every time.Duration, reason string) error {
	if every < 0 || reason != ReasonWarning && reason != ReasonRefreshRequested && every > 0 {
		return fmt.Errorf("recycle: %s with reason %q is not a planned refresh", every, reason)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sockets.endRecycling != nil {
		close(s.sockets.endRecycling)
		s.sockets.endRecycling = nil
	}
	if every > 0 {
		end := make(chan struct{})
		s.sockets.endRecycling = end
		s.startLocked(func() { s.recycle(end, every, reason) })
	}
	return nil
}

func (s *Server) recycle(end chan struct{}, every time.Duration, reason string) {
	for s.pause(end, every) {
		s.recycleOne(end, reason)
	}
}

// recycleOne refreshes the oldest socket that has not been told to go, unless recycling ended meanwhile.
func (s *Server) recycleOne(end chan struct{}, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sockets.endRecycling != end {
		return
	}
	for _, k := range s.sockets.list {
		if k.phase == phaseLive {
			s.refreshLocked(k, reason)
			return
		}
	}
}

// Linger sends the disconnect message and never closes the socket, which still gets payloads.
func (s *Server) Linger(socket, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.liveSocketLocked(socket)
	if err != nil {
		return fmt.Errorf("linger: %w", err)
	}
	s.disconnectLocked(k, reason)
	return nil
}

// Hangup sends a close frame (1000) without any disconnect message before it.
func (s *Server) Hangup(socket string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.liveSocketLocked(socket)
	if err != nil {
		return fmt.Errorf("hang up: %w", err)
	}
	s.beginCloseLocked(k)
	return nil
}

// Cut ends a socket's TCP connection without a close frame, by a reset unless CutFIN is given. The socket stays registered as a ghost
// and still gets its share of the payloads, unless CutForget is given.
func (s *Server) Cut(socket string, modes ...CutMode) error {
	var mode CutMode
	for _, m := range modes {
		mode |= m
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.liveSocketLocked(socket)
	if err != nil {
		return fmt.Errorf("cut: %w", err)
	}
	if mode&CutForget != 0 {
		s.removeLocked(k, ClosedCut)
		k.stop()
	} else {
		s.recordLocked(Entry{Kind: KindSocketClosed, Socket: k.id, Reason: ClosedCut})
		s.becomeGhostLocked(k)
	}
	end := k.conn.Reset
	if mode&CutFIN != 0 {
		end = k.conn.Close
	}
	if err := end(); err != nil {
		return fmt.Errorf("cut %s: %w", socket, err)
	}
	return nil
}

// Freeze makes a socket half open: TCP stays up, but the playground neither reads nor writes any more. It stays registered as a ghost.
func (s *Server) Freeze(socket string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.liveSocketLocked(socket)
	if err != nil {
		return fmt.Errorf("freeze: %w", err)
	}
	k.frozen = true
	s.recordLocked(Entry{Kind: KindSocketFrozen, Socket: k.id})
	s.becomeGhostLocked(k)
	if err := k.conn.SetDeadline(time.Unix(1, 0)); err != nil {
		return fmt.Errorf("freeze %s: %w", socket, err)
	}
	return nil
}

// SendRaw sends any text as one frame. Slack has been seen to send frames that are not JSON.
func (s *Server) SendRaw(socket, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.liveSocketLocked(socket)
	if err != nil {
		return fmt.Errorf("send raw: %w", err)
	}
	k.queueLocked(ws.NewTextFrame([]byte(text)))
	return nil
}

// liveSocketLocked finds a socket by id that can still be written to; "" means the oldest.
func (s *Server) liveSocketLocked(id string) (*socket, error) {
	for _, k := range s.sockets.list {
		if (id == "" || k.id == id) && (k.phase == phaseLive || k.phase == phaseLeaving) {
			return k, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", errNoSocket, id)
}

// expireSocket begins the refresh at the end of a connection's life.
func (s *Server) expireSocket(k *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.phase == phaseLive {
		s.refreshLocked(k, ReasonWarning)
	}
}

// refreshLocked sends the disconnect message and starts what follows it.
func (s *Server) refreshLocked(k *socket, reason string) {
	s.disconnectLocked(k, reason)
	wait := s.scaled(closeAfter(reason))
	if wait == 0 {
		s.beginCloseLocked(k)
		return
	}
	s.startLocked(func() {
		if s.pause(k.ended, wait) {
			s.continueRefresh(k, reason)
		}
	})
}

func (s *Server) continueRefresh(k *socket, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case k.phase != phaseLeaving:
	case reason == ReasonWarning:
		s.refreshLocked(k, ReasonRefreshRequested)
	default:
		s.beginCloseLocked(k)
	}
}

// closeAfter is how long a socket goes on after a disconnect message. Slack documents about 10 s for a warning.
func closeAfter(reason string) time.Duration {
	switch reason {
	case ReasonWarning:
		return 10 * time.Second
	case ReasonRefreshRequested:
		return 2 * time.Second
	}
	return 0
}

func (s *Server) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * s.opts.RetryScale)
}

// pause waits for d; it reports false when until or the playground ended first.
func (s *Server) pause(until <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-until:
	case <-s.done:
	}
	return false
}
