package playground

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// apiError is a failed call as Slack answers it: ok:false with a code, and details where there are some.
type apiError struct {
	Code string
	// Messages are the details of a refused block, view or argument; an entry names the place as [json-pointer:/…].
	Messages []string
	// Needed is the scope that missing_scope asks for.
	Needed string
	// RetryAfter, in seconds, makes the answer a 429.
	RetryAfter int
}

// reply is the body of a successful answer, without ok.
type reply map[string]any

// method is one entry of the Web API.
type method struct {
	tier tier
	// app makes it a method of the app-level token; other methods take the bot token.
	app bool
	// anyToken lets both kinds of token in.
	anyToken bool
	// scopes are those of which the token needs one.
	scopes []string
	// noJSON is set for methods that take only forms.
	noJSON bool
	// postOnly refuses GET.
	postOnly bool
	run      func(*Server, *call) (reply, *apiError)
}

// call is one request while it is handled.
type call struct {
	request
	name   string
	method method
	host   string
	get    bool
	// channel and ts are the conversation and the message that the call is about, for the journal.
	channel, ts string
}

// answer is what goes over the wire.
type answer struct {
	status     int
	body       []byte
	html       bool
	retryAfter int
	errorCode  string
}

// serveAPI handles one call: read, decide about faults, work under the lock, answer.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("method")
	if s.refused(w, name) {
		return
	}
	req, bad := decodeRequest(r)
	c := &call{request: req, name: name, method: s.api[name], host: r.Host, get: r.Method != http.MethodPost}
	fault, ans, scopes := s.handle(c, bad)
	w.Header().Set("X-OAuth-Scopes", strings.Join(scopes, ","))
	w.Header().Set("X-Accepted-OAuth-Scopes", strings.Join(c.method.scopes, ","))
	s.send(w, r, fault, ans)
}

// refused applies a refuse fault, which acts before the request is read.
func (s *Server) refused(w http.ResponseWriter, name string) bool {
	s.mu.Lock()
	fault := s.takeFaultLocked(name, "", true)
	if fault != nil {
		s.recordLocked(Entry{Kind: KindCall, Call: &Call{At: s.now(), Method: name, Args: map[string]string{}, Token: "unknown", Fault: fault.Kind}})
	}
	s.mu.Unlock()
	if fault != nil {
		abort(w, true)
	}
	return fault != nil
}

// handle does the work of a call under the lock and records it.
func (s *Server) handle(c *call, bad *apiError) (*Fault, answer, []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.channel = s.aboutLocked(c.args)
	fault := s.takeFaultLocked(c.name, c.channel, false)
	ans, done := faultAnswer(fault)
	if !done {
		r, err := s.runLocked(c, bad)
		ans = s.answerLocked(c, r, err)
		if fault != nil && fault.Kind == FaultStoredError {
			ans = s.answerLocked(c, nil, &apiError{Code: orDefault(fault.Error, "internal_error")})
		}
	}
	s.recordCallLocked(KindCall, c, fault, ans)
	return fault, ans, s.grantedLocked(c.token)
}

func (s *Server) runLocked(c *call, bad *apiError) (reply, *apiError) {
	if c.method.run == nil {
		return nil, &apiError{Code: "unknown_method"}
	}
	if bad != nil {
		return nil, bad
	}
	if c.method.postOnly && c.get {
		return nil, &apiError{Code: "insecure_request"}
	}
	if err := s.authorizeLocked(c); err != nil {
		return nil, err
	}
	if wait := s.limits.allowMethod(c.name, c.method.tier, s.now()); wait > 0 {
		return nil, &apiError{Code: "ratelimited", RetryAfter: wait}
	}
	if c.method.noJSON && c.isJSON {
		return nil, invalidArguments("this method takes application/x-www-form-urlencoded, not application/json")
	}
	return c.method.run(s, c)
}

// authorizeLocked checks the token, its kind and its scopes.
func (s *Server) authorizeLocked(c *call) *apiError {
	if c.token == "" || c.method.app && c.bodyToken {
		return &apiError{Code: "not_authed"}
	}
	if s.tokens.revoked[c.token] {
		return &apiError{Code: "token_revoked"}
	}
	kind := s.tokens.known[c.token]
	if kind == "" {
		return &apiError{Code: "invalid_auth"}
	}
	if !c.method.anyToken && c.method.app != (kind == "app") {
		return &apiError{Code: "not_allowed_token_type"}
	}
	if kind == "bot" && !s.hasScopeLocked(c.method.scopes...) {
		return missingScope(c.method.scopes[0])
	}
	return nil
}

func missingScope(needed string) *apiError {
	return &apiError{Code: "missing_scope", Needed: needed}
}

func (s *Server) grantedLocked(token string) []string {
	switch s.tokens.known[token] {
	case "bot":
		return slices.Clone(s.tokens.scopes)
	case "app":
		return []string{"connections:write"}
	default:
		return nil
	}
}

// aboutLocked finds the conversation that a call is about; empty when there is none.
func (s *Server) aboutLocked(a args) string {
	ref := a.text("channel")
	if ref == "" {
		ref = a.text("channel_id")
	}
	if ref == "" {
		return ""
	}
	if u := s.userLocked(ref); u != nil && u.ID == ref {
		return s.dmLocked(u.ID).ID
	}
	if c := s.channelLocked(ref); c != nil {
		return c.ID
	}
	return ""
}

// answerLocked turns the outcome of a method into Slack's answer.
func (s *Server) answerLocked(c *call, r reply, err *apiError) answer {
	if r == nil {
		r = reply{}
	}
	ans := answer{status: http.StatusOK}
	warnings := c.warnings
	if extra, ok := r["warning"].(string); ok {
		warnings = append(slices.Clone(warnings), extra)
	}
	meta, _ := r["response_metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
	}
	if err != nil {
		r = s.errorBodyLocked(c, err, meta)
		ans.errorCode, ans.retryAfter = err.Code, err.RetryAfter
		if err.RetryAfter > 0 {
			ans.status = http.StatusTooManyRequests
		}
	}
	if len(warnings) > 0 {
		r["warning"], meta["warnings"] = strings.Join(warnings, ","), warnings
	}
	if len(meta) > 0 {
		r["response_metadata"] = meta
	}
	r["ok"] = err == nil
	ans.body = encodeJSON(r)
	return ans
}

func (s *Server) errorBodyLocked(c *call, err *apiError, meta map[string]any) reply {
	r := reply{"error": err.Code}
	switch {
	case err.Code == "unknown_method":
		r["req_method"] = c.name
	case err.Needed != "":
		r["needed"], r["provided"] = err.Needed, strings.Join(s.tokens.scopes, ",")
	case len(err.Messages) > 0:
		r["errors"] = err.Messages
		marked := make([]string, 0, len(err.Messages))
		for _, m := range err.Messages {
			marked = append(marked, "[ERROR] "+m)
		}
		meta["messages"] = marked
	}
	return r
}

func (s *Server) recordCallLocked(kind string, c *call, fault *Fault, ans answer) {
	rec := &Call{
		At: s.now(), Method: c.name, Args: c.args, Channel: c.channel, Status: ans.status, Error: ans.errorCode, Answer: ans.body,
		RetryAfter: ans.retryAfter, Token: s.tokenKindLocked(c.token), TS: c.ts,
	}
	if ans.html {
		rec.Answer = nil
	}
	if fault != nil {
		rec.Fault = fault.Kind
		if fault.Kind == FaultLost || fault.Kind == FaultTimeout {
			rec.Status = 0
		}
	}
	s.recordLocked(Entry{Kind: kind, Channel: c.channel, Call: rec})
}

func (s *Server) tokenKindLocked(token string) string {
	if token == "" {
		return "none"
	}
	return orDefault(s.tokens.known[token], "unknown")
}

// faultAnswer is the answer of a fault that keeps the call from being done; done is false when the work has to be done.
func faultAnswer(f *Fault) (ans answer, done bool) {
	if f == nil {
		return answer{}, false
	}
	switch f.Kind {
	case FaultTimeout:
		return answer{}, true
	case FaultError:
		return plainError(f.Error, http.StatusOK, 0), true
	case FaultRevoked:
		return plainError("token_revoked", http.StatusOK, 0), true
	}
	if status := f.httpStatus(); status != 0 {
		return f.statusAnswer(status), true
	}
	return answer{}, false
}

// statusAnswer is the answer of a fault whose kind is an HTTP status.
func (f *Fault) statusAnswer(status int) answer {
	switch {
	case f.Kind == FaultThrottle && f.Body == "":
		return plainError(orDefault(f.Error, "ratelimited"), status, orDefault(f.RetryAfter, 1))
	case f.Body == BodyEmpty:
		return answer{status: status, retryAfter: f.RetryAfter}
	case f.Body == BodyJSON && f.Error != "":
		return plainError(f.Error, status, f.RetryAfter)
	case f.Body == BodyJSON:
		return answer{status: status, retryAfter: f.RetryAfter, body: encodeJSON(reply{"ok": true})}
	}
	page := fmt.Sprintf("<!DOCTYPE html><html><head><title>%d</title></head><body><h1>%s</h1></body></html>", status, http.StatusText(status))
	return answer{status: status, html: true, retryAfter: f.RetryAfter, body: []byte(page)}
}

func plainError(code string, status, retryAfter int) answer {
	return answer{status: status, errorCode: code, retryAfter: retryAfter, body: encodeJSON(reply{"ok": false, "error": code})}
}

// send writes an answer, or withholds it as the fault wants.
func (s *Server) send(w http.ResponseWriter, r *http.Request, fault *Fault, ans answer) {
	if fault != nil {
		switch fault.Kind {
		case FaultLost:
			abort(w, false)
			return
		case FaultTimeout:
			s.hold(r, 0)
			abort(w, false)
			return
		case FaultSlow:
			if !s.hold(r, orDefault(fault.Delay, time.Second)) {
				return
			}
		}
	}
	if ans.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(ans.retryAfter))
	}
	kind := "application/json; charset=utf-8"
	if ans.html {
		kind = "text/html; charset=utf-8"
	}
	if len(ans.body) > 0 {
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(ans.status)
	if ans.status < http.StatusOK && ans.status != http.StatusSwitchingProtocols {
		// net/http would follow an informational status with 200.
		abort(w, false)
		return
	}
	// An error here means that the client has gone away, or that this status has no body.
	_, _ = w.Write(ans.body)
}

// hold waits for d (for ever when 0) and reports true, or false when the client or the playground went away first.
func (s *Server) hold(r *http.Request, d time.Duration) bool {
	var after <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-after:
		return true
	case <-r.Context().Done():
	case <-s.done:
	}
	return false
}

// encodeJSON writes v as Slack does, with <, > and & as they are.
func encodeJSON(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []byte(`{"ok":false,"error":"internal_error"}`)
	}
	return bytes.TrimSpace(buf.Bytes())
}
