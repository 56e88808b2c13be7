package playground

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/gobwas/ws"

	"tocsin/playground/wire"
)

// Kinds of journal entries about sockets.
const (
	KindSocketOpened  = "socket_opened"
	KindSocketRefused = "socket_refused"
	KindHello         = "hello"
	KindDisconnect    = "disconnect"
	KindSocketClosed  = "socket_closed"
	KindSocketFrozen  = "socket_frozen"
	KindPong          = "pong"
)

// Reasons of a KindSocketClosed entry. A socket which ended as ClosedCut may stay registered as a ghost.
const (
	// ClosedClean is a close handshake, whoever began it.
	ClosedClean = "clean"
	// ClosedVanished is a connection which ended without a close frame.
	ClosedVanished = "vanished"
	// ClosedCut is a connection which Cut ended.
	ClosedCut = "cut"
	// ClosedAfterDisconnect is a connection which the client dropped without a close frame after it had been told to reconnect.
	ClosedAfterDisconnect = "dropped after disconnect"
	// ClosedProtocol is a client's breach of RFC 6455.
	ClosedProtocol = "protocol error"
	// ClosedGhost is a ghost whose registration ran out.
	ClosedGhost = "ghost expired"
)

const (
	// maxSockets is Slack's limit of concurrent connections for one app, ghosts included.
	maxSockets = 10
	// debugLife is a connection's life when its URL carries debug_reconnects=true.
	debugLife = 360 * time.Second
	// closeWait is how long the playground waits for the other half of a close handshake.
	closeWait = time.Second
	// lingerWait is how long TCP stays open after the handshake; Slack leaves closing it to the client.
	lingerWait = 5 * time.Second
)

// socketPhase is the state of a socket.
type socketPhase uint8

const (
	phaseLive    socketPhase = iota // chosen for payloads
	phaseLeaving                    // told to disconnect, still chosen until it is closed
	phaseRefused                    // one too many: never chosen, never counted
	phaseClosing                    // the server's close frame is out
	phaseGhost                      // lost without a close frame, still counted and still chosen
	phaseGone
)

func (p socketPhase) registered() bool { return p == phaseLive || p == phaseLeaving || p == phaseGhost }

func (p socketPhase) String() string {
	return [...]string{"live", "leaving", "refused", "closing", "ghost", "gone"}[p]
}

// socket is one Socket Mode connection. Everything but conn and the channels is guarded by Server.mu.
type socket struct {
	id     string
	conn   *wire.Conn
	phase  socketPhase
	frozen bool
	opened time.Time
	lost   time.Time // when it became a ghost
	out    []ws.Frame
	wake   chan struct{} // holds one token while out is not empty
	ended  chan struct{} // closed when nothing may be written any more
}

// socketState is everything about Socket Mode, guarded by Server.mu.
type socketState struct {
	list   []*socket        // registered and closing ones, oldest first
	tcp    map[*socket]bool // those whose TCP connection is still open
	opened int
	random *rand.Rand
	fault  ConnectFault
	// endRecycling ends the goroutine of Recycle; nil when there is none.
	endRecycling chan struct{}
	pending      map[string]*envelope
	spent        spentEnvelopes
	events       eventStore
}

func (s *Server) initSockets() {
	s.sockets = socketState{
		tcp:     map[*socket]bool{},
		random:  rand.New(rand.NewPCG(s.opts.Seed, 0x70c51)),
		pending: map[string]*envelope{},
		spent:   spentEnvelopes{byID: map[string]spentEnvelope{}},
		events:  eventStore{byID: map[string]*event{}},
	}
}

func (s *Server) mountSockets(mux *http.ServeMux) { mux.HandleFunc("/link/{$}", s.serveLink) }

// serveLink is the WebSocket endpoint; it reads until the socket ends.
func (s *Server) serveLink(w http.ResponseWriter, r *http.Request) {
	status, fault := s.redeemTicket(r.URL.Query().Get("ticket")), s.connectFault()
	if refused := fault.status(); refused != 0 {
		status = refused
	}
	if status != http.StatusSwitchingProtocols {
		s.record(Entry{Kind: KindSocketRefused, Reason: http.StatusText(status)})
		http.Error(w, http.StatusText(status), status)
		return
	}
	if fault == ConnectHang {
		s.hang(r)
		return
	}
	conn, err := wire.Upgrade(w, r)
	if err != nil {
		s.record(Entry{Kind: KindSocketRefused, Reason: err.Error()})
		return
	}
	life := s.opts.ConnectionTime
	if r.URL.Query().Get("debug_reconnects") == "true" {
		life = min(life, debugLife)
	}
	k := s.openSocket(conn, life)
	if k == nil || !s.start(func() { s.pump(k, life) }) {
		_ = conn.Close()
		return
	}
	s.readSocket(k)
}

// hang leaves a handshake unanswered until the client gives up or the playground ends.
func (s *Server) hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-s.done:
	}
}

// openSocket registers a connection and queues its hello; it returns nil when the connection has to be closed at once.
func (s *Server) openSocket(conn *wire.Conn, life time.Duration) *socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.sockets.fault == ConnectDrop {
		return nil
	}
	s.sockets.opened++
	k := &socket{id: socketID(s.sockets.opened), conn: conn, opened: s.now(),
		wake: make(chan struct{}, 1), ended: make(chan struct{})}
	s.sockets.list = append(s.sockets.list, k)
	s.sockets.tcp[k] = true
	count := s.countSocketsLocked()
	s.recordLocked(Entry{Kind: KindSocketOpened, Socket: k.id})
	switch s.sockets.fault {
	case ConnectNoHello:
		return k
	case ConnectDisabled:
		k.phase = phaseRefused
		s.disconnectLocked(k, ReasonLinkDisabled)
		s.beginCloseLocked(k)
		return k
	}
	s.sendHelloLocked(k, count, life)
	if count > maxSockets {
		k.phase = phaseRefused
		s.disconnectLocked(k, ReasonTooManyWebsockets)
		s.beginCloseLocked(k)
		return k
	}
	s.replayLocked()
	return k
}

// countSocketsLocked is num_connections: what Slack believes is connected, ghosts included.
func (s *Server) countSocketsLocked() int {
	s.expireGhostsLocked()
	n := 0
	for _, k := range s.sockets.list {
		if k.phase.registered() {
			n++
		}
	}
	return n
}

// chooseLocked picks a random registered socket, as Slack does: it promises no pattern. Ghosts are picked too.
func (s *Server) chooseLocked() *socket {
	s.expireGhostsLocked()
	var open []*socket
	for _, k := range s.sockets.list {
		if k.phase.registered() {
			open = append(open, k)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return open[s.sockets.random.IntN(len(open))]
}

// expireGhostsLocked forgets ghosts whose registration ran out.
func (s *Server) expireGhostsLocked() {
	now := s.now()
	for _, k := range slices.Clone(s.sockets.list) {
		if k.phase == phaseGhost && now.Sub(k.lost) >= s.opts.GhostFor {
			s.removeLocked(k, ClosedGhost)
		}
	}
}

// removeLocked ends a socket's registration for good.
func (s *Server) removeLocked(k *socket, reason string) {
	if k.phase == phaseGone {
		return
	}
	k.phase = phaseGone
	s.sockets.list = slices.DeleteFunc(s.sockets.list, func(o *socket) bool { return o == k })
	if k.frozen {
		s.closeTCPLocked(k)
	}
	s.recordLocked(Entry{Kind: KindSocketClosed, Socket: k.id, Reason: reason})
}

// becomeGhostLocked turns a socket which ended without a close frame into a ghost.
func (s *Server) becomeGhostLocked(k *socket) {
	k.phase, k.lost = phaseGhost, s.now()
	k.stop()
}

// stop ends the pump without sending what is queued; calling it twice does no harm.
func (k *socket) stop() {
	select {
	case <-k.ended:
	default:
		close(k.ended)
	}
}

// queueLocked hands a frame to the pump; frames leave in the order in which they were queued.
func (k *socket) queueLocked(f ws.Frame) {
	if k.phase == phaseGone || k.phase == phaseGhost {
		return
	}
	k.out = append(k.out, f)
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// closeSockets cuts every connection at once; Close calls it after it has set closed.
func (s *Server) closeSockets() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.sockets.tcp {
		k.stop()
		s.closeTCPLocked(k)
	}
	s.sockets.list = nil
}

func (s *Server) closeTCPLocked(k *socket) {
	delete(s.sockets.tcp, k)
	// An error means that the client has closed it already.
	_ = k.conn.Close()
}

// errNoSocket is the error for an unknown socket.
var errNoSocket = errors.New("no such socket")
