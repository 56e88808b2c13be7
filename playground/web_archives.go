package playground

import (
	"net/http"
	"net/url"
	"strings"
)

// serveArchive leads from a permalink to the page with that conversation, and that thread, open.
func (s *Server) serveArchive(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	room := s.channelLocked(r.PathValue("channel"))
	place := ""
	if room != nil {
		place = room.place()
	}
	s.mu.Unlock()
	if room == nil {
		http.NotFound(w, r)
		return
	}
	if ts := r.URL.Query().Get("thread_ts"); tsForm.MatchString(ts) && !strings.HasPrefix(place, "@") {
		place += "/" + ts
	}
	http.Redirect(w, r, "/#"+place, http.StatusFound)
}

// place is a conversation's name in the page's address.
func (c *channelState) place() string {
	if c.IsIM {
		return "@messages"
	}
	return url.PathEscape(c.Name)
}
