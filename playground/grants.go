package playground

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"
)

// How long the single-use things live. Slack documents 3 s for triggers, and 5 uses within 30 minutes for a response_url; 30 s for
// a ticket is a guess.
const (
	ticketLife   = 30 * time.Second
	triggerLife  = 3 * time.Second
	hookLife     = 30 * time.Minute
	hookUses     = 5
	secretLength = 16
)

// grants are what Slack gives out for a short time.
type grants struct {
	tickets  map[string]time.Time
	triggers map[string]*trigger
	hooks    map[string]*hook
	serial   int
}

// trigger is a trigger_id: who may be shown a modal, and on top of which view.
type trigger struct {
	user   string
	viewID string
	issued time.Time
	used   bool
}

// hook is a response_url. Source is the message with the button, by its ts; it is empty for a slash command.
type hook struct {
	ID, Kind, secret string
	User, Channel    string
	Source           string
	SourceEphemeral  bool
	ThreadTS         string
	issued           time.Time
	uses             int
}

func newGrants() grants {
	return grants{tickets: map[string]time.Time{}, triggers: map[string]*trigger{}, hooks: map[string]*hook{}}
}

// newTicketLocked returns a ticket that opens one Socket Mode connection.
func (s *Server) newTicketLocked() string {
	ticket := randomHex(secretLength)
	s.grants.tickets[ticket] = s.now()
	return ticket
}

// redeemTicket uses a ticket up. It returns 101, or the status of a refused handshake as clients have seen it: 404 for a ticket that was
// never given, 408 for one that was used before or is older than 30 s.
func (s *Server) redeemTicket(ticket string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	issued, ok := s.grants.tickets[ticket]
	s.grants.tickets[ticket] = time.Time{}
	switch {
	case !ok:
		delete(s.grants.tickets, ticket)
		return http.StatusNotFound
	case issued.IsZero() || s.now().Sub(issued) > ticketLife:
		return http.StatusRequestTimeout
	}
	return http.StatusSwitchingProtocols
}

// newTriggerLocked returns a trigger_id for a person (by id), good for one modal within 3 s. viewID is the modal that the person was in, or empty.
func (s *Server) newTriggerLocked(user, viewID string) string {
	s.grants.serial++
	if s.grants.serial%1000 == 0 {
		s.grants.forget(s.now())
	}
	id := fmt.Sprintf("%d.%d.%s", s.grants.serial, s.now().UnixMilli(), randomHex(secretLength))
	s.grants.triggers[id] = &trigger{user: user, viewID: viewID, issued: s.now()}
	return id
}

// redeemTriggerLocked uses a trigger_id up, or returns why it can't be used.
func (s *Server) redeemTriggerLocked(id string) (*trigger, *apiError) {
	t := s.grants.triggers[id]
	switch {
	case t == nil:
		return nil, &apiError{Code: "invalid_trigger_id"}
	case t.used:
		return nil, &apiError{Code: "exchanged_trigger_id"}
	case s.now().Sub(t.issued) > triggerLife:
		return nil, &apiError{Code: "expired_trigger_id"}
	}
	t.used = true
	return t, nil
}

// newHookLocked registers h, of Kind "commands" or "actions", and returns its response_url.
func (s *Server) newHookLocked(h hook) string {
	s.grants.serial++
	h.ID, h.secret, h.issued = fmt.Sprint(s.grants.serial), randomHex(secretLength), s.now()
	s.grants.hooks[h.ID] = &h
	return fmt.Sprintf("%s/hooks/%s/%s/%s/%s", s.base, h.Kind, s.ws.teamID, h.ID, h.secret)
}

// forget removes what expired so long ago that nobody asks for it any more.
func (g *grants) forget(now time.Time) {
	maps.DeleteFunc(g.tickets, func(_ string, issued time.Time) bool { return now.Sub(issued) > 2*hookLife })
	maps.DeleteFunc(g.triggers, func(_ string, t *trigger) bool { return now.Sub(t.issued) > 2*hookLife })
	maps.DeleteFunc(g.hooks, func(_ string, h *hook) bool { return now.Sub(h.issued) > 2*hookLife })
}

func randomHex(n int) string {
	b := make([]byte, n)
	// crypto/rand.Read always fills b: it ends the process rather than fail.
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func emptyValues() map[string]map[string]json.RawMessage {
	return map[string]map[string]json.RawMessage{}
}
