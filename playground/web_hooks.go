package playground

import (
	"net/http"
	"strings"
)

// serveHook handles what an app posts to a response_url: at most 5 messages within 30 minutes, JSON only, no token.
func (s *Server) serveHook(w http.ResponseWriter, r *http.Request) {
	if s.refused(w, "response_url") {
		return
	}
	req, bad := decodeRequest(r)
	c := &call{request: req, name: "response_url", get: r.Method != http.MethodPost}
	s.mu.Lock()
	h := s.grants.hooks[r.PathValue("id")]
	if h != nil && (h.secret != r.PathValue("secret") || h.Kind != r.PathValue("kind")) {
		h = nil
	}
	if h != nil {
		c.channel = h.Channel
	}
	fault := s.nextFaultLocked(c.name, c.channel, false)
	ans, done := faultAnswer(fault)
	if !done {
		ans = hookAnswer(s.useHookLocked(h, c, bad))
	}
	s.recordCallLocked(KindHook, c, fault, ans)
	s.mu.Unlock()
	s.send(w, r, fault, ans)
}

// hookAnswer is shorter than an answer of the Web API: blocks that Slack refuses have been seen to be answered with 404 and only the
// code.
func hookAnswer(err *apiError) answer {
	if err == nil {
		return answer{status: http.StatusOK, body: encodeJSON(reply{"ok": true})}
	}
	status := http.StatusBadRequest
	if strings.HasSuffix(err.Code, "_url") || err.Code == "invalid_blocks" {
		status = http.StatusNotFound
	}
	return plainError(err.Code, status, 0)
}

func (s *Server) useHookLocked(h *hook, c *call, bad *apiError) *apiError {
	switch {
	case h == nil:
		return &apiError{Code: "invalid_url"}
	case s.now().Sub(h.issued) > hookLife:
		return &apiError{Code: "expired_url"}
	case h.uses >= hookUses:
		return &apiError{Code: "used_url"}
	case bad != nil:
		return bad
	case !c.isJSON:
		return &apiError{Code: "invalid_payload"}
	}
	ts, err := s.respondLocked(h, c.args)
	if err == nil {
		h.uses++
		c.ts = ts
	}
	return err
}

// respondLocked shows an app's answer to an interaction; it needs no membership. It returns the ts of the message it showed, changed or deleted.
func (s *Server) respondLocked(h *hook, a args) (string, *apiError) {
	room := s.channelLocked(h.Channel)
	if room == nil {
		return "", &apiError{Code: "channel_not_found"}
	}
	if h.Source != "" && a.flag("delete_original") {
		return h.Source, s.deleteSourceLocked(room, h)
	}
	body, err := s.contentLocked(a.with("metadata", ""), maxPostText)
	if err != nil {
		return "", err
	}
	if body.empty() {
		return "", &apiError{Code: "no_text"}
	}
	if h.Source != "" && a.flag("replace_original") {
		return h.Source, s.replaceSourceLocked(room, h, body)
	}
	m := s.botMessageLocked(body)
	if a.text("response_type") != "in_channel" {
		m.ThreadTS = h.ThreadTS
		return s.ephemeralLocked(room, h.User, m).TS, nil
	}
	if err := s.threadLocked(room, a, &m); err != nil {
		return "", err
	}
	return s.postLocked(room, m).TS, nil
}

func (s *Server) deleteSourceLocked(room *channelState, h *hook) *apiError {
	if m := room.ephemeral(h.Source); m != nil && h.SourceEphemeral {
		s.deleteEphemeralLocked(room, m)
		return nil
	}
	m := room.message(h.Source)
	if m == nil {
		return &apiError{Code: "message_not_found"}
	}
	s.deleteLocked(room, m)
	return nil
}

// replaceSourceLocked puts body in place of the message with the button. What was ephemeral stays ephemeral.
func (s *Server) replaceSourceLocked(room *channelState, h *hook, body content) *apiError {
	change := func(m *Message) { m.Text, m.Blocks, m.Attachments = body.text, body.blocks, body.attachments }
	if m := room.ephemeral(h.Source); m != nil && h.SourceEphemeral {
		s.editEphemeralLocked(room, m, change)
		return nil
	}
	m := room.message(h.Source)
	if m == nil {
		return &apiError{Code: "message_not_found"}
	}
	s.editLocked(room, m, change)
	return nil
}
