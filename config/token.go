package config

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"tocsin/alert"
)

// Tokens is the tokens for Slack, as the sources have them now.
type Tokens struct {
	// App is the app-level token and Bot the bot token; either may be empty.
	App, Bot alert.Secret
	// Warnings are the mistakes in them.
	Warnings []Problem
	// Broken is set while the YAML file can't be read, which says nothing about the tokens.
	Broken bool
}

// Tokens reads the tokens again from files, systemd credentials, the environment and
// the YAML file, so that a token corrected on disk is used without a restart. A file
// that is broken at the moment yields a warning and no token: keep the old ones then.
func (in Input) Tokens() Tokens {
	l := newLoader(in)
	l.readDocument()
	l.resolveKeys(keyAppToken, keyBotToken, keySigning, keyMode)
	if in.Mode != "" {
		l.values[keyMode] = given{value: in.Mode}
	}
	l.checkTokens()
	if l.doc.broken {
		l.warnings = append(l.problems, l.warnings...)
	}
	return Tokens{
		App:      l.appToken(),
		Bot:      alert.Secret(l.value(keyBotToken)),
		Warnings: inOrder(append(l.warnings, l.absent...)),
		Broken:   l.doc.broken,
	}
}

// appToken is the app-level token where that has a use.
func (l *loader) appToken() alert.Secret {
	if l.value(keyMode) == HTTPMode {
		return ""
	}
	return alert.Secret(l.value(keyAppToken))
}

// tokenKind is one of the tokens and secrets Tocsin needs. Those without a prefix have 32
// hexadecimal digits.
type tokenKind struct {
	key, env, name, prefix string
	without                string // what does not work without it
	find                   string // where it is to be found
}

// tokenKinds are those that a mode needs.
func tokenKinds(mode string) []tokenKind {
	fromSlack := tokenKind{
		key: keyAppToken, env: "SLACK_APP_TOKEN", name: "app-level token", prefix: "xapp-",
		without: "alerts are kept, but nothing is received from Slack",
		find:    "find it at https://api.slack.com/apps → your app → Basic Information → App-Level Tokens (make one with the scope connections:write)",
	}
	if mode == HTTPMode {
		fromSlack = tokenKind{
			key: keySigning, env: "SLACK_SIGNING_SECRET", name: "signing secret",
			without: "everything that people do in Slack is refused",
			find:    "find it at https://api.slack.com/apps → your app → Basic Information → Signing Secret",
		}
	}
	return []tokenKind{fromSlack, {
		key: keyBotToken, env: "SLACK_BOT_TOKEN", name: "bot token", prefix: "xoxb-",
		without: "alerts are kept, but not posted",
		find:    "find it at https://api.slack.com/apps → your app → OAuth & Permissions → Bot User OAuth Token",
	}}
}

// String names a kind and how its values begin.
func (k tokenKind) String() string {
	if k.prefix == "" {
		return k.name
	}
	return k.name + " (" + k.prefix + "…)"
}

// checkTokens warns of tokens that Slack would refuse, and strips quotes, blanks and
// the word Bearer around a token.
func (l *loader) checkTokens() {
	for _, kind := range tokenKinds(l.value(keyMode)) {
		g := l.values[kind.key]
		if g.unreadable != "" || l.doc.broken && g.value == "" {
			continue // reported already
		}
		if g.value == "" {
			l.absent = append(l.absent, Problem{
				Where:   kind.env,
				Missing: true,
				Message: fmt.Sprintf("there is no %s: %s", kind, kind.without),
				Fix:     fmt.Sprintf("set %s or %s_file; %s", kind.env, kind.key, kind.find),
			})
			continue
		}
		token, notes := unwrap(g.value)
		for _, note := range notes {
			p := g.origin.problem(fmt.Sprintf("the %s %s; Tocsin ignores that", kind.name, note), "write the token alone")
			p.Tolerated = true
			l.warn(p)
		}
		if what := kind.mistake(token); what != "" {
			p := g.origin.problem(fmt.Sprintf("the %s %s", kind.name, what), kind.find)
			p.Token = alert.Secret(token)
			l.warn(p)
		}
		g.value = token
		l.values[kind.key] = g
	}
	l.checkPlainHTTP()
	l.checkAPIPath()
}

// CheckToken returns what was pasted as SLACK_APP_TOKEN or SLACK_BOT_TOKEN without what is
// around it. The error says what it is instead, and where the right one is.
func CheckToken(name, pasted string) (alert.Secret, error) {
	token, _ := unwrap(pasted)
	for _, kind := range tokenKinds(SocketMode) {
		if kind.env != name {
			continue
		}
		if what := kind.mistake(token); what != "" {
			return "", fmt.Errorf("the %s %s; %s", kind.name, what, kind.find)
		}
	}
	return alert.Secret(token), nil
}

// unwrap removes what people paste together with a token.
func unwrap(raw string) (token string, notes []string) {
	token = strings.TrimSpace(raw)
	if token != raw {
		notes = append(notes, "has blanks or line ends around it")
	}
	if bare := strings.Trim(token, quotationMarks); bare != token {
		token, notes = strings.TrimSpace(bare), append(notes, "has quotation marks around it")
	}
	if word, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(word, "bearer") {
		token, notes = strings.TrimSpace(rest), append(notes, "begins with the word Bearer")
	}
	return token, notes
}

var (
	hexSecret = regexp.MustCompile(`^[0-9a-f]{32}$`)
	clientID  = regexp.MustCompile(`^\d+\.\d+$`)
	appID     = regexp.MustCompile(`^A[A-Z0-9]{8,12}$`)
)

// mistake says what is wrong with a token; empty for a valid one.
func (k tokenKind) mistake(token string) string {
	switch {
	case token == "":
		return "is empty"
	case strings.ContainsFunc(token, unicode.IsSpace):
		return "has a blank or line end inside: it was cut, or two were pasted"
	case isPlaceholder(token):
		return "is still a placeholder"
	case k.prefix == "" && hexSecret.MatchString(token):
		return ""
	case k.prefix == "":
		return fmt.Sprintf("is %s: it has to be 32 hexadecimal digits", kindOf(token))
	case strings.HasPrefix(token, k.prefix):
		return ""
	case strings.HasPrefix(token, "xoxe."+k.prefix):
		return "expires after 12 hours, because token rotation is on: switch that off; then it begins with " + k.prefix
	}
	return fmt.Sprintf("is %s: it has to begin with %s", kindOf(token), k.prefix)
}

func isPlaceholder(token string) bool {
	return strings.Contains(token, "...") || strings.ContainsAny(token, "…<>") || strings.Contains(strings.ToLower(token), "your-")
}

// kindOf names what else people copy from Slack's pages.
func kindOf(token string) string {
	prefixes := []struct{ prefix, what string }{
		{"xapp-", "an app-level token, which belongs in SLACK_APP_TOKEN"},
		{"xoxb-", "a bot token, which belongs in SLACK_BOT_TOKEN"},
		{"xoxp-", "a user's token"},
		{"xoxe.xoxb-", "a bot token that expires after 12 hours (switch token rotation off)"},
		{"xoxe.xoxp-", "a user's or configuration token that expires after 12 hours (switch token rotation off)"},
		{"xoxe", "a token of an app with token rotation, such as a refresh token (switch token rotation off)"},
		{"xoxr-", "a refresh token"},
		{"xoxa-", "a token of a legacy workspace app"},
		{"xoxc-", "a token of a browser session"},
		{"xoxd-", "a cookie of a browser session"},
		{"xoxs-", "a token of a browser session"},
		{"xwfp-", "a token of a workflow"},
		{"https://hooks.slack.com/", "the address of an incoming webhook"},
	}
	for _, p := range prefixes {
		if strings.HasPrefix(token, p.prefix) {
			return p.what
		}
	}
	switch {
	case hexSecret.MatchString(token):
		return "a signing or client secret"
	case clientID.MatchString(token):
		return "a client ID"
	case appID.MatchString(token):
		return "an app ID"
	}
	return "not a token of Slack"
}

// checkPlainHTTP warns of an API address without encryption.
func (l *loader) checkPlainHTTP() {
	address, ok := strings.CutPrefix(l.value(keyAPIURL), "http://")
	host, _, _ := strings.Cut(address, "/")
	if !ok || onLoopback(host) || onLoopback(host+":80") {
		return
	}
	l.warn(l.values[keyAPIURL].origin.problem(
		fmt.Sprintf("slack.api_url sends the tokens unencrypted to %s", printable(host)),
		"write https://"))
}

// checkAPIPath warns of an API address that lacks what all of Slack's addresses end in.
func (l *loader) checkAPIPath() {
	address := l.value(keyAPIURL)
	if address == "" || strings.HasSuffix(address, "/api/") {
		return
	}
	l.warn(l.values[keyAPIURL].origin.problem(
		fmt.Sprintf("slack.api_url is %s, which does not end in /api/: Slack's does", printable(address)),
		"write "+address+"api/, unless a proxy serves the API there"))
}
