package handlers

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// sendOrder is an alert that a person writes.
type sendOrder struct {
	channel  string
	severity alert.Severity
	text     string
}

// parseSend reads [to #channel:] [severity] text…, the first two in any order; the text
// begins with the first word that is neither.
func parseSend(p phrase) (sendOrder, *alert.InputError) {
	var order sendOrder
	for n, word := range p.words {
		severity, named := sendSeverity(word)
		switch {
		case order.channel != "" && word.raw == ":":
		case order.channel == "" && leadsTo(p, n):
		case order.channel == "" && isChannel(p, n):
			var bad *alert.InputError
			if order.channel, bad = parseChannel(word.raw); bad != nil {
				return order, bad
			}
		case order.severity == "" && named:
			order.severity = severity
		default:
			order.text = p.from(n).prose()
			return order, nil
		}
	}
	return order, &alert.InputError{Message: "there is nothing to send", Hint: "Write `send [#channel] [severity] text…`, for example `send #ops warning the disk is filling up`."}
}

// ReadAlert reads an alert as a person writes it behind send: to #ops: critical the disk
// is full.
func ReadAlert(text string) (alert.Alert, error) {
	order, bad := parseSend(read(text))
	if bad != nil {
		return alert.Alert{}, bad
	}
	return alert.Alert{Channel: order.channel, Severity: order.severity, Text: order.text}, nil
}

// ReadTest reads the test alert that a person wants, as written behind test: #ops warning,
// or nothing.
func ReadTest(text string) (alert.Alert, error) {
	order, bad := parseTest(read(text).words)
	if bad != nil {
		return alert.Alert{}, bad
	}
	return order.alert(), nil
}

// isChannel reports whether the n-th word is the conversation to send to.
func isChannel(p phrase, n int) bool {
	return namesConversation(p.words[n].raw) || n > 0 && leadsTo(p, n-1)
}

// leadsTo reports whether the n-th word is a "to" or "in" before a conversation. Behind "to"
// it may be a word before a colon.
func leadsTo(p phrase, n int) bool {
	word := p.words[n].key
	if word != "to" && word != "in" || n+1 >= len(p.words) {
		return false
	}
	return namesConversation(p.words[n+1].raw) || word == "to" && bareChannel.MatchString(p.raw(n+1))
}

var bareChannel = regexp.MustCompile(`^[\p{L}\p{N}_-]+:$`)

var shortSeverity = regexp.MustCompile(`^(crit|fatal|err|warn|(p|sev-?)[0-5])$`)

// sendSeverity reads the severities and their usual short forms. Other words that tools
// have for them, such as "page" and "high", may be the beginning of a sentence.
func sendSeverity(word token) (s alert.Severity, ok bool) {
	if s = alert.Severity(word.key); slices.Contains(alert.Severities(), s) {
		return s, true
	}
	if shortSeverity.MatchString(word.key) {
		return alert.ParseSeverity(word.key)
	}
	return "", false
}

// namesConversation reports whether a word is a conversation and not the beginning of
// the text. A bare word in capitals is not an id here.
func namesConversation(word string) bool {
	return len(word) > 1 && (strings.HasPrefix(word, "#") || strings.HasPrefix(word, "<#") || strings.HasPrefix(word, "<@") || strings.HasPrefix(word, "@") || strings.HasPrefix(word, "<mailto:"))
}

const maxStats = 90 * 24 * time.Hour

// parseStats reads the time of statistics: 24h by default.
func parseStats(p phrase) (time.Duration, *alert.InputError) {
	words := slices.DeleteFunc(slices.Clone(p.words), func(w token) bool {
		return slices.Contains([]string{"for", "of", "in", "the", "last", "past"}, w.key)
	})
	usage := "Write `stats 24h` or `stats 7d`."
	if len(words) == 0 {
		return 24 * time.Hour, nil
	}
	d, n := duration(words)
	if named, ok := periods()[words[0].key]; ok {
		d, n = named, len(words)
	}
	switch {
	case n < len(words) && number.MatchString(words[0].key):
		return 0, &alert.InputError{Message: words[0].key + " of what?", Hint: usage}
	case n < len(words):
		return 0, &alert.InputError{Message: words[n].raw + " is not a duration", Hint: usage}
	case d < time.Hour || d > maxStats:
		return 0, &alert.InputError{Message: "the duration must be from one hour to 90 days", Hint: usage}
	}
	return d, nil
}

func periods() map[string]time.Duration {
	const day = 24 * time.Hour
	return map[string]time.Duration{"day": day, "today": day, "daily": day, "week": 7 * day, "weekly": 7 * day, "month": 30 * day, "monthly": 30 * day}
}
