package playground

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// SigningSecret is what the requests to Options.RequestURL are signed with.
func (s *Server) SigningSecret() string { return s.tokens.signing }

// requestLocked sends an envelope to Options.RequestURL, as Slack does to an app without Socket Mode. Any answer but 200 is a refusal.
func (s *Server) requestLocked(env *envelope, entry Entry) {
	env.sent = time.Now()
	s.sockets.pending[env.id] = env
	s.recordLocked(entry)
	s.startLocked(func() {
		payload, err := s.request(env)
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case err == nil:
			s.ackLocked("", env.id, payload)
		case errors.Is(err, context.DeadlineExceeded): // who waits for the ack says so
		default:
			s.refusedLocked(env, err)
		}
	})
}

// refusedLocked records that the app did not take an envelope.
func (s *Server) refusedLocked(env *envelope, why error) {
	if s.sockets.pending[env.id] != env {
		return // too late
	}
	delete(s.sockets.pending, env.id)
	s.sockets.spent.add(env, false)
	s.recordLocked(Entry{Kind: KindLost, Envelope: env.id, Event: env.event, Type: env.kind, Text: env.label, Attempt: env.attempt, Reason: why.Error()})
	env.refused = true
	close(env.answer)
}

// request posts an envelope's payload and returns what the answer has Slack show.
func (s *Server) request(env *envelope) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.AckTimeout)
	defer cancel()
	s.start(func() {
		select {
		case <-s.done:
			cancel()
		case <-ctx.Done():
		}
	})
	path, kind, body := env.post()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(s.opts.RequestURL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(s.tokens.signing))
	_, _ = fmt.Fprintf(mac, "v0:%s:%s", stamp, body) // a hash takes everything
	r.Header.Set("Content-Type", kind)
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	if env.attempt > 0 {
		r.Header.Set("X-Slack-Retry-Num", strconv.Itoa(env.attempt))
		r.Header.Set("X-Slack-Retry-Reason", "http_"+env.reason)
	}
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	payload, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil || !json.Valid(payload) {
		return nil, err
	}
	return payload, nil
}

// post is how an envelope is written as a request.
func (env *envelope) post() (path, kind string, body []byte) {
	const form = "application/x-www-form-urlencoded"
	switch env.kind {
	case TypeCommand:
		var fields map[string]string
		_ = json.Unmarshal(env.payload, &fields) // it was made of strings
		values := url.Values{}
		for name, value := range fields {
			values.Set(name, value)
		}
		return "/slack/commands", form, []byte(values.Encode())
	case TypeInteractive:
		return "/slack/interactive", form, []byte(url.Values{"payload": {string(env.payload)}}.Encode())
	}
	return "/slack/events", "application/json", env.payload
}
