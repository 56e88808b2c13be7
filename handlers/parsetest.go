package handlers

import (
	"cmp"
	"strings"
	"unicode"

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
	order := testOrder{title: "Test alert"}
	var bad *alert.InputError
	for _, w := range words {
		conversation := looksLikeConversation(w.raw)
		switch {
		case conversation && order.channel != "":
			bad = tooMany("channel", w.raw)
		case conversation:
			order.channel, bad = parseChannel(w.raw)
		case order.severity != "":
			bad = tooMany("severity", w.raw)
		default:
			order.severity, bad = parseSeverity(w)
		}
		if bad != nil {
			return order, bad
		}
	}
	order.severity = cmp.Or(order.severity, alert.Info)
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
	word = mailAddress(word)
	if _, err := alert.ParseConversation(word); err != nil {
		return "", &alert.InputError{
			Message: "I don't know a conversation " + unescape(word),
			Hint:    "Write #name, @user, a mail address or an id like C0123ABCD.",
		}
	}
	return word, nil
}

// mailAddress is the address in Slack's <mailto:…|…>; any other word is unchanged.
func mailAddress(word string) string {
	address, ok := strings.CutPrefix(word, "<mailto:")
	if !ok {
		return word
	}
	address, _, _ = strings.Cut(strings.TrimSuffix(address, ">"), "|")
	return address
}

func parseSeverity(w token) (alert.Severity, *alert.InputError) {
	for _, word := range []string{w.key, strings.TrimSuffix(w.key, "s")} {
		if s, ok := alert.ParseSeverity(word); ok && strings.ContainsFunc(word, unicode.IsLetter) {
			return s, nil
		}
	}
	bad := &alert.InputError{Message: "I don't know a severity " + w.raw, Hint: "It is one of critical, error, warning, info."}
	near := nearest(w.key, []string{"critical", "error", "warning", "info"})
	channel, err := alert.ParseConversation(w.raw)
	switch {
	case near != "":
		bad.Hint = "Did you mean " + near + "? " + bad.Hint
	case err == nil:
		bad.Hint += " If you mean the channel, write " + channel + "."
	}
	return "", bad
}
