package playground

import (
	"slices"
	"strings"
	"time"
)

// tokens are the credentials the playground accepts and what the bot token may do.
type tokens struct {
	// signing is the secret of requests to Options.RequestURL.
	app, bot, signing string

	known   map[string]string
	revoked map[string]bool
	scopes  []string
	// botApp is the app that the bot token is of (A…), and expires in how long the token ends; 0 for never.
	botApp  string
	expires time.Duration
}

func newTokens() tokens {
	t := tokens{app: "xapp-1-A0TOCSIN-1-" + randomHex(secretLength), bot: "xoxb-1-1-" + randomHex(secretLength), signing: randomHex(secretLength)}
	t.known = map[string]string{t.app: "app", t.bot: "bot"}
	t.revoked = map[string]bool{}
	t.scopes = DefaultScopes()
	return t
}

// DefaultScopes returns the bot scopes of a fresh playground: what a daemon that posts alerts and answers people asks for.
func DefaultScopes() []string {
	return []string{
		"app_mentions:read", "channels:history", "channels:join", "channels:read", "chat:write", "chat:write.public", "commands", "files:read",
		"files:write", "groups:history", "groups:read", "im:history", "im:read", "im:write", "usergroups:read", "users:read",
		"users:read.email",
	}
}

// AppToken returns the app-level token (xapp-), which opens Socket Mode connections.
func (s *Server) AppToken() string { return s.tokens.app }

// BotToken returns the bot token (xoxb-), which every other method needs.
func (s *Server) BotToken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens.bot
}

// Reinstall gives the bot another token, which it returns. Those before are valid until RevokeOld.
func (s *Server) Reinstall() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.bot = "xoxb-1-1-" + randomHex(secretLength)
	s.tokens.known[s.tokens.bot] = "bot"
	return s.tokens.bot
}

// RevokeOld makes Slack refuse every token of the bot but the latest.
func (s *Server) RevokeOld() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, kind := range s.tokens.known {
		if kind == "bot" && token != s.tokens.bot {
			s.tokens.revoked[token] = true
		}
	}
}

// Revoke makes Slack answer token_revoked to a token.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.revoked[token] = true
}

// Accept makes a token valid: one that was revoked, or one that the playground has not seen before. Its prefix tells its kind.
func (s *Server) Accept(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens.revoked, token)
	kind := "bot"
	if strings.HasPrefix(token, "xapp-") {
		kind = "app"
	}
	s.tokens.known[token] = kind
}

// SetScopes replaces the scopes that the bot token has been granted.
func (s *Server) SetScopes(scopes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.scopes = slices.Clone(scopes)
}

// SetBotApp makes the bot token one of another app (A…) than the app-level token.
func (s *Server) SetBotApp(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.botApp = id
}

// SetRotation switches token rotation on: auth.test says that the bot token ends in so long. Zero switches it off.
func (s *Server) SetRotation(expires time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.expires = expires
}

// hasScopeLocked reports whether the bot token has any of these scopes; none asked for means yes.
func (s *Server) hasScopeLocked(anyOf ...string) bool {
	if len(anyOf) == 0 {
		return true
	}
	return slices.ContainsFunc(anyOf, func(scope string) bool { return slices.Contains(s.tokens.scopes, scope) })
}
