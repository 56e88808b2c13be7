package playground

import (
	"fmt"
	"net/http"
	"time"

	"tocsin/playground/page"
)

// heartbeat is how often an idle event stream sends a comment, so that proxies and browsers keep it.
const heartbeat = 15 * time.Second

// serveEvents streams what one person sees happen, as Server-Sent Events, from the moment of the request on.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	me, err := s.viewerLocked(r)
	seq := int64(len(s.book.entries))
	s.mu.Unlock()
	if err != nil {
		page.Refuse(w, http.StatusNotFound, "user_not_found", err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	note := ": hello\n\n"
	for {
		text, next, wake := s.streamSince(me.ID, seq)
		seq = next
		if text += note; text != "" {
			if _, err := fmt.Fprint(w, text); err != nil || out.Flush() != nil {
				return
			}
		}
		note = ""
		select {
		case <-wake:
		case <-beat.C:
			note = ": still here\n\n"
		case <-r.Context().Done():
			return
		case <-s.done:
			return
		}
	}
}

// streamSince is what a person saw after journal entry seq, ready to be sent.
func (s *Server) streamSince(user string, seq int64) (string, int64, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := ""
	for _, e := range s.book.entries[seq:] {
		if event := s.pageEventLocked(user, e); event != nil {
			text += "data: " + string(mustJSON(event)) + "\n\n"
		}
	}
	return text, int64(len(s.book.entries)), s.book.wake
}

// pageEventLocked turns a journal entry into the page's event, or nil when this person (by id) must not see it.
func (s *Server) pageEventLocked(user string, e Entry) map[string]any {
	switch e.Kind {
	case KindMessage, KindMessageChanged, KindMessageDeleted, KindEphemeral:
		return s.messageEventLocked(user, e)
	case KindHome, KindModalOpen, KindModalUpdate, KindModalClose:
		if e.User == user {
			return map[string]any{"type": e.Kind, "view": e.View}
		}
	case KindChannel:
		return s.channelEventLocked(user, e)
	case KindPeople:
		return map[string]any{"type": e.Kind, "users": s.ws.users, "groups": orEmpty(s.ws.groups)}
	case KindFaults:
		return map[string]any{"type": e.Kind, "faults": s.faultsLocked()}
	case KindSocketOpened, KindSocketClosed, KindSocketFrozen:
		return map[string]any{"type": "sockets", "count": s.liveSocketsLocked()}
	case KindCommand:
		if e.User == user {
			return commandEvent(e)
		}
	}
	return nil
}

func (s *Server) channelEventLocked(user string, e Entry) map[string]any {
	c, me := s.channelLocked(e.Channel), s.userLocked(user)
	if c == nil || c.IsIM && c.User != user {
		return nil
	}
	return map[string]any{"type": e.Kind, "channel": s.pageChannelLocked(me, c)}
}

// messageEventLocked hides direct conversations and ephemeral messages from everybody else.
func (s *Server) messageEventLocked(user string, e Entry) map[string]any {
	private := e.Kind == KindEphemeral || e.Message.Ephemeral
	c := s.channelLocked(e.Channel)
	if c == nil || c.IsIM && c.User != user || private && e.User != user {
		return nil
	}
	return map[string]any{"type": e.Kind, "channel": e.Channel, "ts": e.Message.TS, "message": e.Message}
}

func commandEvent(e Entry) map[string]any {
	event := map[string]any{"type": e.Kind, "text": e.Text, "channel": e.Channel, "state": e.Reason}
	if e.Reason != "sent" && e.Reason != "acked" {
		event["state"], event["error"] = "timeout", e.Reason
	}
	return event
}
