package playground

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// pageFiles is the web page: hand-written HTML, CSS and ES modules, served as they are.
//
//go:embed static
var pageFiles embed.FS

// pagePolicy lets the page load nothing but its own files, except for images, which cards may link from anywhere.
const pagePolicy = "default-src 'self'; img-src 'self' data: http: https:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// shownMessages bounds how many messages of one conversation the page is given at once: the newest.
const shownMessages = 1000

func (s *Server) mountPage(mux *http.ServeMux) {
	mux.Handle("GET /static/", page(http.FileServerFS(pageFiles)))
	mux.Handle("GET /{$}", page(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, pageFiles, "static/index.html")
	})))
	mux.HandleFunc("GET /playground/state", sameOrigin(s.serveState))
	mux.HandleFunc("GET /playground/events", sameOrigin(s.serveEvents))
	mux.HandleFunc("POST /playground/act", sameOrigin(s.serveAct))
}

// page serves files with the headers that a page which shows other people's text ought to have.
func page(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", pagePolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

// sameOrigin refuses what another site makes a browser send. The Host has to be an address or localhost, so that no foreign name can
// be pointed at this listener.
func sameOrigin(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !localHost(r.Host):
			answerPage(w, http.StatusForbidden, refusal("forbidden", "open the page by an IP address or as localhost"))
			return
		case foreign(r):
			answerPage(w, http.StatusForbidden, refusal("forbidden", "only the playground's own page may do this"))
			return
		}
		next(w, r)
	}
}

func localHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(strings.Trim(host, "[]")) != nil
}

func foreign(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

func refusal(code, hint string) map[string]any {
	return map[string]any{"ok": false, "error": code, "hint": hint}
}

func answerPage(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A page that has gone away needs no answer.
	_, _ = w.Write(append(mustJSON(body), '\n'))
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
		answerPage(w, http.StatusNotFound, refusal("user_not_found", err.Error()))
		return
	}
	answerPage(w, http.StatusOK, body)
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
		"sockets": s.liveSocketsLocked(), "faults": s.faultsLocked(), "channels": channels, "messages": messages,
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

// codeOf is the error code that the page gets for an error of the people half.
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
