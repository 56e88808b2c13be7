package playground

import (
	"net/http"
	"slices"
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
	// anyToken accepts both kinds of token.
	anyToken bool
	// scopes are the scopes of which the token needs one.
	scopes []string
	// noJSON is set for methods that accept only forms.
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
	// lag is how long ago a message has to be posted to be in the history.
	lag time.Duration
	// channel and ts are the conversation and the message that the call is about, for the journal.
	channel, ts string
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
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	w.Header().Set("X-OAuth-Scopes", strings.Join(scopes, ","))
	w.Header().Set("X-Accepted-OAuth-Scopes", strings.Join(c.method.scopes, ","))
	s.send(w, r, fault, ans)
}

// refused applies a refuse fault, which acts before the request is read.
func (s *Server) refused(w http.ResponseWriter, name string) bool {
	s.mu.Lock()
	fault := s.nextFaultLocked(name, "", true)
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
	fault := s.nextFaultLocked(c.name, c.channel, false)
	if fault != nil && fault.Kind == FaultLag {
		c.lag = orDefault(fault.Delay, time.Second)
	}
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
