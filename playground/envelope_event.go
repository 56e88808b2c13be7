package playground

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// eventsKept is how many past events Redeliver can still send again.
const eventsKept = 1000

// event is one Events API event with its wrapper, which stays the same over all attempts.
type event struct {
	id      string
	kind    string // the inner event's type
	wrapper json.RawMessage
	last    string // envelope id of the last attempt
}

// eventStore holds the latest events, guarded by Server.mu.
type eventStore struct {
	byID   map[string]*event
	order  []string
	count  int
	replay []string // event ids to send again at the next hello
}

func (st *eventStore) add(ev *event) {
	st.byID[ev.id] = ev
	st.order = append(st.order, ev.id)
	if len(st.order) > eventsKept {
		delete(st.byID, st.order[0])
		st.order = st.order[1:]
	}
}

// Redelivery is a way in which Slack sends an event a second time.
type Redelivery string

// Slack has been seen to do each of these.
const (
	// RedeliverSame sends the same envelope_id with retry_attempt 0, as after a reconnect.
	RedeliverSame Redelivery = "same"
	// RedeliverRetry sends a new envelope with retry_attempt 1 and retry_reason "timeout".
	RedeliverRetry Redelivery = "retry"
	// RedeliverOnConnect is RedeliverSame as soon as the next socket has said hello, on that socket or another.
	RedeliverOnConnect Redelivery = "on_connect"
)

// emitLocked sends an inner event to the app, and again if it is not acknowledged. The caller gives the type and all other fields; event_ts is
// filled in where it is missing.
func (s *Server) emitLocked(inner map[string]any) {
	s.sockets.events.count++
	ev := &event{id: fmt.Sprintf("Ev0PG%05d", s.sockets.events.count), kind: fmt.Sprint(inner["type"])}
	if inner["event_ts"] == nil {
		inner["event_ts"] = tsOf(s.now())
	}
	ev.wrapper = mustJSON(s.wrapLocked(ev.id, inner))
	s.sockets.events.add(ev)
	s.deliverLocked(ev, newEventEnvelope(ev, 0))
}

// wrapLocked is the event_callback around an inner event.
func (s *Server) wrapLocked(id string, inner map[string]any) map[string]any {
	return map[string]any{
		"token": verification, "team_id": s.ws.teamID, "api_app_id": s.ws.appID, "type": "event_callback",
		"event": inner, "event_id": id, "event_time": s.now().Unix(), "event_context": "4-" + id, "is_ext_shared_channel": false,
		"authorizations": []any{map[string]any{
			"enterprise_id": nil, "team_id": s.ws.teamID, "user_id": s.ws.bot.ID, "is_bot": true, "is_enterprise_install": false,
		}},
	}
}

func newEventEnvelope(ev *event, attempt int) *envelope {
	env := newEnvelope(TypeEvents, ev.kind, ev.wrapper)
	env.event, env.attempt = ev.id, attempt
	if attempt > 0 {
		env.reason = "timeout"
	}
	ev.last = env.id
	return env
}

// deliverLocked makes the first attempt under the lock, so that events leave in the order in which they happened, and leaves the
// retries to a goroutine.
func (s *Server) deliverLocked(ev *event, env *envelope) {
	sent := s.dispatchLocked(env)
	s.startLocked(func() { s.followEvent(ev, env, sent) })
}

// retryWaits are the waits before the second, third and fourth attempt: at once, one minute, five minutes (Events API).
var retryWaits = [...]time.Duration{0, time.Minute, 5 * time.Minute}

// followEvent sends an event again until it is acknowledged or the attempts are used up. Having no socket counts as an attempt.
func (s *Server) followEvent(ev *event, env *envelope, sent bool) {
	for _, wait := range retryWaits {
		if sent {
			if _, ok := s.awaitAck(env); ok {
				return
			}
		}
		if !s.pause(nil, s.scaled(wait)) {
			return
		}
		env, sent = s.retryEvent(ev, env.attempt+1)
	}
	if sent {
		if _, ok := s.awaitAck(env); ok {
			return
		}
	}
	s.record(Entry{Kind: KindAbandoned, Event: ev.id, Text: ev.kind, Attempt: env.attempt})
}

func (s *Server) retryEvent(ev *event, attempt int) (*envelope, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	env := newEventEnvelope(ev, attempt)
	return env, s.dispatchLocked(env)
}

// Redeliver sends one of the last 1,000 events again, whether it was acknowledged or not; a journal entry's Event names it.
func (s *Server) Redeliver(eventID string, how Redelivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ev := s.sockets.events.byID[eventID]
	if ev == nil {
		return fmt.Errorf("redeliver %q: %w", eventID, errNoEvent)
	}
	switch how {
	case RedeliverSame:
		s.sendSameLocked(ev)
	case RedeliverRetry:
		s.deliverLocked(ev, newEventEnvelope(ev, 1))
	case RedeliverOnConnect:
		s.sockets.events.replay = append(s.sockets.events.replay, eventID)
	default:
		return fmt.Errorf("redeliver %q: unknown way %q", eventID, how)
	}
	return nil
}

var errNoEvent = errors.New("no such event")

// sendSameLocked repeats the last envelope of an event as it was.
func (s *Server) sendSameLocked(ev *event) {
	entry := Entry{Kind: KindRedelivered, Envelope: ev.last, Event: ev.id, Type: TypeEvents, Text: ev.kind}
	k := s.chooseLocked()
	if k == nil {
		entry.Kind, entry.Reason = KindLost, LostNoSocket
		s.recordLocked(entry)
		return
	}
	if env := s.sockets.pending[ev.last]; env != nil {
		// An ack of the second copy counts for those who wait for the first one's.
		s.handOverLocked(env, k, entry)
		return
	}
	env := newEnvelope(TypeEvents, ev.kind, ev.wrapper)
	env.id, env.event = ev.last, ev.id
	s.handOverLocked(env, k, entry)
	s.startLocked(func() { s.awaitAck(env) })
}

// replayLocked sends the events that are repeated after a reconnect.
func (s *Server) replayLocked() {
	ids := s.sockets.events.replay
	s.sockets.events.replay = nil
	for _, id := range ids {
		if ev := s.sockets.events.byID[id]; ev != nil {
			s.sendSameLocked(ev)
		}
	}
}

// verification is the deprecated token that every payload still carries.
const verification = "playground"
