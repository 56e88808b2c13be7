package playground

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gobwas/ws"
)

// Kinds of journal entries about envelopes.
const (
	// KindSent is an envelope handed to a socket for the first time; Attempt is 0.
	KindSent = "sent"
	// KindRedelivered is an event sent again.
	KindRedelivered = "redelivered"
	// KindAcked is an ack in time.
	KindAcked = "acked"
	// KindLate is an ack after the timeout.
	KindLate = "late"
	// KindAckAgain is a second ack of one envelope.
	KindAckAgain = "acked_again"
	// KindAckUnknown is an ack of an envelope that was never sent.
	KindAckUnknown = "ack_unknown"
	// KindAckDropped is an ack that Slack ignores silently: Reason says why.
	KindAckDropped = "ack_dropped"
	// KindTimedOut is an envelope without an ack in time.
	KindTimedOut = "timed_out"
	// KindLost is an envelope that nobody has taken: Reason is LostGhost, LostNoSocket, or what was wrong with a request.
	KindLost = "lost"
	// KindAbandoned is an event after its last attempt.
	KindAbandoned = "abandoned"
)

// Reasons of a KindLost entry.
const (
	LostGhost    = "ghost"
	LostNoSocket = "no socket"
)

// Types of envelopes.
const (
	TypeEvents      = "events_api"
	TypeCommand     = "slash_commands"
	TypeInteractive = "interactive"
)

const (
	// maxAck is the size from which Slack silently drops an ack frame.
	maxAck = 20480
	// spentKept is how many finished envelopes are remembered to tell a late ack from an unknown one.
	spentKept = 10_000
)

// envelope is one payload on its way to one socket.
type envelope struct {
	id      string
	kind    string
	label   string // the payload's own type, for the journal: "message", "block_actions", "/notify"
	event   string // event_id, for events
	payload json.RawMessage
	accepts bool
	attempt int
	reason  string
	socket  string
	sent    time.Time
	answer  chan ack // receives the one ack in time, and is closed when the app refuses the envelope
	refused bool     // by then
}

// ack is an acknowledgement in time.
type ack struct {
	after   time.Duration
	payload json.RawMessage
}

// spentEnvelope is what is left of an envelope after its ack or timeout.
type spentEnvelope struct {
	socket   string
	sent     time.Time
	timedOut bool
}

type spentEnvelopes struct {
	byID  map[string]spentEnvelope
	order []string
}

func (sp *spentEnvelopes) add(env *envelope, timedOut bool) {
	if _, known := sp.byID[env.id]; !known {
		sp.order = append(sp.order, env.id)
	}
	sp.byID[env.id] = spentEnvelope{socket: env.socket, sent: env.sent, timedOut: timedOut}
	if len(sp.order) > spentKept {
		delete(sp.byID, sp.order[0])
		sp.order = sp.order[1:]
	}
}

func newEnvelope(kind, label string, payload any) *envelope {
	return &envelope{id: newUUID(), kind: kind, label: label, payload: mustJSON(payload), answer: make(chan ack, 1)}
}

// frame is the envelope as Slack writes it.
func (env *envelope) frame() ws.Frame {
	body := map[string]any{"envelope_id": env.id, "type": env.kind, "accepts_response_payload": env.accepts}
	if env.kind == TypeEvents {
		body["retry_attempt"], body["retry_reason"] = env.attempt, env.reason
	}
	// The payload is put in as it is: it may be large, and a crowd of people send many.
	head := mustJSON(body)
	text := append(head[:len(head)-1:len(head)-1], `,"payload":`...)
	return ws.NewTextFrame(append(append(text, env.payload...), '}'))
}

// dispatchLocked sends an envelope to a random socket, or to the request URL. It reports false when there is none. An envelope to a ghost counts as sent,
// because Slack does not know that the socket is lost.
func (s *Server) dispatchLocked(env *envelope) bool {
	entry := Entry{Kind: KindSent, Envelope: env.id, Type: env.kind, Text: env.label, Event: env.event, Attempt: env.attempt, Reason: env.reason}
	if env.attempt > 0 {
		entry.Kind = KindRedelivered
	}
	if s.opts.RequestURL != "" {
		s.requestLocked(env, entry)
		return true
	}
	k := s.chooseLocked()
	if k == nil {
		entry.Kind, entry.Reason = KindLost, LostNoSocket
		s.recordLocked(entry)
		return false
	}
	s.handOverLocked(env, k, entry)
	return true
}

// handOverLocked queues an envelope at a socket, records it, and starts the wait for its ack.
func (s *Server) handOverLocked(env *envelope, k *socket, entry Entry) {
	env.socket, env.sent = k.id, time.Now()
	s.sockets.pending[env.id] = env
	entry.Socket = k.id
	s.recordLocked(entry)
	if k.phase == phaseGhost {
		entry.Kind, entry.Reason = KindLost, LostGhost
		s.recordLocked(entry)
		return
	}
	k.queueLocked(env.frame())
}

// awaitAck waits until the envelope is acknowledged. It reports false when it is refused, its time is over or the playground ends.
func (s *Server) awaitAck(env *envelope) (ack, bool) {
	timer := time.NewTimer(s.opts.AckTimeout)
	defer timer.Stop()
	select {
	case a, ok := <-env.answer:
		return a, ok
	case <-s.done:
		return ack{}, false
	case <-timer.C:
	}
	if s.timeOut(env) {
		return ack{}, false
	}
	a, ok := <-env.answer
	return a, ok
}

// timeOut ends the wait for an ack. It reports false when the ack came first.
func (s *Server) timeOut(env *envelope) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sockets.pending[env.id] != env {
		return false
	}
	delete(s.sockets.pending, env.id)
	s.sockets.spent.add(env, true)
	s.recordLocked(Entry{Kind: KindTimedOut, Envelope: env.id, Event: env.event, Type: env.kind, Text: env.label, Socket: env.socket,
		Attempt: env.attempt, After: time.Since(env.sent)})
	return true
}

// ackFrameLocked handles a data frame of a client, which can only be an ack.
func (s *Server) ackFrameLocked(k *socket, f ws.Frame) {
	reason := ""
	switch {
	case !f.Header.Fin || f.Header.OpCode == ws.OpContinuation:
		reason = "fragmented"
	case len(f.Payload) >= maxAck:
		reason = fmt.Sprintf("%d bytes, the limit is %d", len(f.Payload), maxAck-1)
	}
	var body struct {
		EnvelopeID string          `json:"envelope_id"`
		Payload    json.RawMessage `json:"payload"`
	}
	if reason == "" {
		if err := json.Unmarshal(f.Payload, &body); err != nil {
			reason = "not JSON"
		}
	}
	if reason != "" {
		s.recordLocked(Entry{Kind: KindAckDropped, Socket: k.id, Reason: reason})
		return
	}
	s.ackLocked(k.id, body.EnvelopeID, body.Payload)
}

// ackLocked records an ack. One that arrives on another socket than its envelope was sent on is accepted and marked.
func (s *Server) ackLocked(socket, id string, payload json.RawMessage) {
	entry := Entry{Kind: KindAckUnknown, Envelope: id, Socket: socket, Payload: payload}
	if env := s.sockets.pending[id]; env != nil {
		delete(s.sockets.pending, id)
		s.sockets.spent.add(env, false)
		after := time.Since(env.sent)
		entry.Kind, entry.Type, entry.Text, entry.Event = KindAcked, env.kind, env.label, env.event
		entry.After, entry.Attempt, entry.Cross = after, env.attempt, env.socket != socket
		s.recordLocked(entry)
		env.answer <- ack{after: after, payload: payload}
		return
	}
	if old, ok := s.sockets.spent.byID[id]; ok {
		entry.Kind, entry.After, entry.Cross = KindAckAgain, time.Since(old.sent), old.socket != socket
		if old.timedOut {
			entry.Kind = KindLate
		}
	}
	s.recordLocked(entry)
}

// newUUID is a random UUID (version 4), the form of envelope ids and client_msg_ids.
func newUUID() string {
	var b [16]byte
	// crypto/rand.Read always fills b: it ends the process rather than fail.
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
