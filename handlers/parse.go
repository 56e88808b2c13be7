package handlers

import (
	"slices"
	"strings"
	"unicode"

	"tocsin/alert"
)

// token is one word a person wrote; bare words are in lower case in key,
// without the punctuation around them.
type token struct{ raw, key string }

// tokens splits what a person wrote into words. It forgives what keyboards and
// Slack's clients add: smart quotes, non-breaking and zero-width blanks,
// entities, and punctuation at a word's ends. Slack's own <…> stays one word.
func tokens(text string) []token {
	var all []token
	for _, word := range split(text) {
		raw := word
		if !strings.HasPrefix(word, "<") {
			raw = trim(unescape(word))
		}
		if raw != "" {
			all = append(all, token{raw: raw, key: strings.ToLower(raw)})
		}
	}
	return all
}

// split cuts at white space outside of <…>.
func split(text string) []string {
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) || (unicode.IsControl(r) && !unicode.IsSpace(r)) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	var words []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		end := wordEnd(text)
		words = append(words, text[:end])
		text = text[end:]
	}
	return words
}

func wordEnd(text string) int {
	if text[0] == '<' {
		if end := strings.IndexByte(text, '>'); end > 0 {
			return end + 1
		}
	}
	for i, r := range text {
		if i > 0 && (unicode.IsSpace(r) || r == '<') {
			return i
		}
	}
	return len(text)
}

// trim takes quotes, markup and the end of a sentence off a word. A word of
// nothing else stays, so that it can be answered.
func trim(word string) string {
	const around = "\"'`*~“”„‟‘’‚‛«»‹›()[]"
	bare := strings.TrimRight(strings.Trim(word, around), ".,!?;:…")
	if bare = strings.Trim(bare, around); bare == "" {
		return word
	}
	return bare
}

// unescape undoes Slack's three entities, once.
func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

// testOrder is what a person asked of a test alert. An empty channel is the
// default one.
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

// looksLikeConversation tells a channel or a person from a severity.
func looksLikeConversation(word string) bool {
	if strings.HasPrefix(word, "#") || strings.HasPrefix(word, "<") || strings.Contains(word, "@") {
		return true
	}
	channel, err := alert.ParseConversation(word)
	return err == nil && !strings.HasPrefix(channel, "#")
}

// parseChannel understands what alert.ParseConversation does, and a mail
// address as Slack sends it. Slack's <#C…|name> is returned as it is, because
// acceptance knows by it that this is an id for certain.
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
	case synonyms()[w.key] != "":
		err.Hint = "Did you mean " + string(synonyms()[w.key]) + "? " + err.Hint
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

// synonyms are the words other tools have for the severities.
func synonyms() map[string]alert.Severity {
	return map[string]alert.Severity{
		"crit": alert.Critical, "fatal": alert.Critical, "emergency": alert.Critical, "page": alert.Critical, "high": alert.Critical, "p1": alert.Critical,
		"err": alert.Error, "major": alert.Error, "p2": alert.Error, "warn": alert.Warning, "minor": alert.Warning, "medium": alert.Warning, "p3": alert.Warning,
		"notice": alert.Info, "debug": alert.Info, "low": alert.Info, "ok": alert.Info, "p4": alert.Info,
	}
}

// nearest returns the candidate that word was probably meant to be: at most two
// letters away, and nearer than half of its length; or "".
func nearest(word string, candidates []string) string {
	best, bestAt := "", 3
	for _, c := range candidates {
		if d := distance(word, c); d < bestAt && 2*d < len(c) {
			best, bestAt = c, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, change or swap with their
// neighbour to make b out of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > len(y)+2 || len(y) > len(x)+2 {
		return 3
	}
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range y {
		rows[0][j+1] = j + 1
	}
	for i := range x {
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			d := min(rows[i][j]+cost, rows[i][j+1]+1, rows[i+1][j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				d = min(d, rows[i-1][j-1]+1)
			}
			rows[i+1][j+1] = d
		}
	}
	return rows[len(x)][len(y)]
}
