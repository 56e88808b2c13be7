package playground

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tocsin/playground/page"
)

// shownMessages bounds how many messages of one conversation the page is given at once: the newest.
const shownMessages = 1000

func (s *Server) mountPage(mux *http.ServeMux) {
	page.Mount(mux)
	mux.HandleFunc("GET /playground/state", page.SameOrigin(s.serveState))
	mux.HandleFunc("GET /playground/events", page.SameOrigin(s.serveEvents))
	mux.HandleFunc("POST /playground/act", page.SameOrigin(s.serveAct))
}

// viewerLocked is the person who looks at the page.
func (s *Server) viewerLocked(r *http.Request) (*User, error) {
	ref := orDefault(r.URL.Query().Get("user"), "ann")
	if u := s.userLocked(ref); u != nil && !u.IsBot {
		return u, nil
	}
	return nil, fmt.Errorf("%w: %q", errNoPerson, ref)
}

// serveState is everything the page shows to one person.
func (s *Server) serveState(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	body, err := s.stateLocked(r)
	s.mu.Unlock()
	if err != nil {
		page.Refuse(w, http.StatusNotFound, "user_not_found", err.Error())
		return
	}
	page.Answer(w, http.StatusOK, body)
}

// stateLocked is encoded under the lock, because it refers to what the workspace holds.
func (s *Server) stateLocked(r *http.Request) (json.RawMessage, error) {
	me, err := s.viewerLocked(r)
	if err != nil {
		return nil, err
	}
	s.dmLocked(me.ID)
	channels, messages := []pageChannel{}, map[string][]Message{}
	for _, c := range s.ws.channels {
		if c.IsIM && c.User != me.ID {
			continue
		}
		channels = append(channels, s.pageChannelLocked(me, c))
		messages[c.ID] = seenBy(me, c)
	}
	state := map[string]any{
		"team": map[string]any{"id": s.ws.teamID, "name": s.ws.team}, "me": me, "users": s.ws.users, "groups": orEmpty(s.ws.groups),
		"bot":  map[string]any{"id": s.ws.bot.ID, "name": s.ws.bot.Name, "app_id": s.ws.appID, "bot_id": s.ws.botID},
		"home": s.ws.homes[me.ID], "modals": orEmpty(s.ws.modals[me.ID]), "commands": orEmpty(s.opts.Commands),
		"sockets": s.liveSocketsLocked(), "requests_to": s.opts.RequestURL, "faults": s.faultsLocked(), "channels": channels, "messages": messages,
	}
	return mustJSON(state), nil
}

// pageChannel is a conversation as the page lists it.
type pageChannel struct {
	Channel
	Unread int `json:"unread"`
}

// pageChannelLocked is c from a person's side: a direct conversation is with the bot.
func (s *Server) pageChannelLocked(me *User, c *channelState) pageChannel {
	out := pageChannel{Channel: c.Channel}
	if c.IsIM {
		out.Name, out.User = s.ws.bot.Name, s.ws.bot.ID
	}
	for _, m := range c.messages {
		if m.User != me.ID && (m.ThreadTS == "" || m.ThreadTS == m.TS) {
			out.Unread++
		}
	}
	return out
}

// seenBy is what a person sees in a conversation: everybody's messages and those only for them.
func seenBy(me *User, c *channelState) []Message {
	out := copyMessages(c.messages[max(0, len(c.messages)-shownMessages):])
	for _, m := range c.ephemerals {
		if m.EphemeralTo == me.ID {
			out = append(out, *m)
		}
	}
	slices.SortStableFunc(out, func(a, b Message) int { return strings.Compare(a.TS, b.TS) })
	return out
}

// liveSocketsLocked counts the sockets that can still be written to.
func (s *Server) liveSocketsLocked() int {
	n := 0
	for _, k := range s.sockets.list {
		if k.phase == phaseLive || k.phase == phaseLeaving {
			n++
		}
	}
	return n
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// codeOf is the error code that the page gets for an error of a Person.
func codeOf(err error) string {
	for known, code := range map[error]string{
		errNoPerson: "user_not_found", errNoChannel: "channel_not_found", errArchived: "is_archived", errNoElement: "action_not_found",
		errNoModal: "view_not_found", errNoSocket: "no_socket", errClosed: "closed",
	} {
		if errors.Is(err, known) {
			return code
		}
	}
	return "invalid_request"
}
