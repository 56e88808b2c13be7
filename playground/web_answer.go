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

// answer is an HTTP response.
type answer struct {
	status     int
	body       []byte
	html       bool
	retryAfter int
	errorCode  string
}

// answerLocked turns the result of a method into Slack's answer.
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

// faultAnswer is the answer of a fault that is given without doing the work; done is false for other faults.
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

// hold waits for d, or forever when it is 0. It reports false when the client or the playground goes away first.
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
