package handlers

import (
	"slices"
	"strings"

	"tocsin/alert"
)

// testOrder describes a test alert. An empty channel is the default one.
type testOrder struct {
	channel  string
	severity alert.Severity
	title    string
}

// parseTest reads a channel and a severity, in any order, both optional.
func parseTest(words []token) (testOrder, *alert.InputError) {
	order := testOrder{severity: alert.Info, title: "Test alert"}
	var haveChannel, haveSeverity bool
	for _, w := range words {
		if !looksLikeConversation(w.raw) {
			if haveSeverity {
				return order, tooMany("severity", w.raw)
			}
			severity, err := parseSeverity(w)
			if err != nil {
				return order, err
			}
			order.severity, haveSeverity = severity, true
			continue
		}
		if haveChannel {
			return order, tooMany("channel", w.raw)
		}
		channel, err := parseChannel(w.raw)
		if err != nil {
			return order, err
		}
		order.channel, haveChannel = channel, true
	}
	return order, nil
}

func tooMany(what, word string) *alert.InputError {
	return &alert.InputError{Message: "that is a second " + what + ": " + word, Hint: "Write `[channel] [severity]`, for example `#ops warning`."}
}

// looksLikeConversation distinguishes a channel or a person from a severity.
func looksLikeConversation(word string) bool {
	if strings.HasPrefix(word, "#") || strings.HasPrefix(word, "<") || strings.Contains(word, "@") {
		return true
	}
	channel, err := alert.ParseConversation(word)
	return err == nil && !strings.HasPrefix(channel, "#")
}

// parseChannel reads what alert.ParseConversation does, and a mail address as Slack
// sends it. Slack's <#C…|name> is returned unchanged, because in that form it is
// certainly an id.
func parseChannel(word string) (string, *alert.InputError) {
	if address, ok := strings.CutPrefix(word, "<mailto:"); ok {
		word, _, _ = strings.Cut(strings.TrimSuffix(address, ">"), "|")
	}
	if _, err := alert.ParseConversation(word); err != nil {
		return "", &alert.InputError{
			Message: "I don't know a conversation " + unescape(word),
			Hint:    "Write #name, @user, a mail address or an id like C0123ABCD.",
		}
	}
	return word, nil
}

func parseSeverity(w token) (alert.Severity, *alert.InputError) {
	if s := alert.Severity(w.key); slices.Contains(alert.Severities(), s) {
		return s, nil
	}
	err := &alert.InputError{Message: "I don't know a severity " + w.raw, Hint: "It is one of critical, error, warning, info."}
	switch {
	case alert.SeverityMeant(w.key) != "":
		err.Hint = "Did you mean " + string(alert.SeverityMeant(w.key)) + "? " + err.Hint
	default:
		if near := nearest(w.key, []string{"critical", "error", "warning", "info"}); near != "" {
			err.Hint = "Did you mean " + near + "? " + err.Hint
			break
		}
		if channel, bad := alert.ParseConversation(w.raw); bad == nil {
			err.Hint += " If you mean the channel, write " + channel + "."
		}
	}
	return "", err
}
