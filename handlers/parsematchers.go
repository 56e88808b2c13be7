package handlers

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"tocsin/alert"
)

// cells splits a text at white space outside of quotation marks, so that
// title="disk full" is one cell.
func cells(text string) []token {
	var all []token
	var q quoting
	start := -1
	for at, r := range text {
		blank := unicode.IsSpace(r) && q.open == 0
		switch {
		case blank && start >= 0:
			all, start = append(all, newToken(text[start:at], start)), -1
		case !blank && start < 0:
			start = at
		}
		q.read(r)
	}
	if start >= 0 {
		all = append(all, newToken(text[start:], start))
	}
	return all
}

// quoting tracks whether a position is inside quotation marks. They are recognized
// only where a value or a name may begin, so that it's is a word.
type quoting struct {
	open    rune // the mark that ends it, 0 outside
	before  rune
	escaped bool
}

func (q *quoting) read(r rune) {
	mark := plainQuote(r)
	switch {
	case q.open != 0 && !q.escaped && mark == q.open:
		q.open = 0
	case q.open != 0:
		q.escaped = r == '\\' && !q.escaped
	case mark != 0 && (q.before == 0 || unicode.IsSpace(q.before) || strings.ContainsRune("=~,{", q.before)):
		q.open, q.escaped = mark, false
	}
	q.before = r
}

// plainQuote is the quotation mark that r is a kind of, or 0.
func plainQuote(r rune) rune {
	switch {
	case strings.ContainsRune("\"“”„«»", r):
		return '"'
	case strings.ContainsRune("'‘’", r):
		return '\''
	}
	return 0
}

// matcherText collects the cells of a text that belong to matchers. Its words are
// cells.
type matcherText struct {
	phrase
	parts []string
	last  int // the last cell that was added, -1 for none
	// severities are those that were named by a bare word; their part is at severityPart.
	severities   []string
	severityPart int
}

func newMatcherText(p phrase) *matcherText {
	return &matcherText{phrase: phrase{text: p.text, words: cells(p.text)}, last: -1}
}

// addMatcher adds the n-th cell if it belongs to a matcher, which may have blanks
// around its operator.
func (m *matcherText) addMatcher(n int) bool {
	word := uncoded(m.raw(n))
	before := m.last >= 0 && m.last == n-1 && endsInOperator(m.parts[len(m.parts)-1]) && !m.beginsTime(n)
	behind := n+1 < len(m.words) && beginsWithOperator(m.raw(n+1))
	after := m.last >= 0 && m.last == n-1 && beginsWithOperator(word)
	inside := !webAddress.MatchString(word) && holdsOperator(word)
	if !before && !behind && !after && !inside {
		return false
	}
	m.parts, m.last = append(m.parts, word), n
	return true
}

// uncoded is a cell without the backquotes that show it as code, which a client keeps when a
// matcher is copied from a card. Inside of quotation marks they are part of a value.
func uncoded(cell string) string {
	if strings.ContainsFunc(cell, func(r rune) bool { return plainQuote(r) != 0 }) {
		return strings.Trim(cell, "`")
	}
	return strings.ReplaceAll(cell, "`", "")
}

// webAddress is the beginning of a web address, in which = is not an operator.
var webAddress = regexp.MustCompile(`^<?[A-Za-z][A-Za-z0-9+.-]*://`)

func holdsOperator(word string) bool {
	return comparesSeverity(word) || compared.MatchString(word) || strings.Contains(word, "=") || strings.Contains(word, "!~") || strings.Trim(word, ",{}") == ""
}

// compared is a label that is compared with something, as only severity can be: host<5. An
// arrow, a->b, is none.
var compared = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(?:&lt;|&gt;)[^&]`)

// beginsTime reports whether a value is missing in front of the n-th cell, because that
// begins a time or a reason: host= for 1h.
func (m *matcherText) beginsTime(n int) bool {
	return n+1 < len(m.words) && slices.Contains([]string{"for", "until", "because", "from", "every", "each", "starting"}, m.words[n].key)
}

// addChannel adds the matcher for a bare channel, if the n-th cell is one: #ops, or as
// Slack sends it.
func (m *matcherText) addChannel(n int) bool {
	word := trim(m.raw(n))
	channel, err := alert.ParseConversation(word)
	numeric := strings.Trim(word, "#0123456789") == ""
	if err != nil || numeric || !strings.HasPrefix(word, "#") && !strings.HasPrefix(word, "<#") {
		return false
	}
	m.parts, m.last = append(m.parts, `channel="`+channel+`"`), n
	return true
}

func endsInOperator(s string) bool {
	s = unescape(s)
	compared := strings.TrimPrefix(s, "severity")
	return strings.HasSuffix(s, "=") || strings.HasSuffix(s, "=~") || strings.HasSuffix(s, "!~") || compared == "<" || compared == ">"
}

// beginsWithOperator looks at a word as Slack writes it: a < of its own is &lt;. A word in
// brackets, <x>, is none.
func beginsWithOperator(word string) bool {
	bracketed := strings.HasPrefix(word, "&lt;") && strings.HasSuffix(word, "&gt;")
	return strings.IndexAny(word, "=!") == 0 || compares(word) && !bracketed
}

func comparesSeverity(word string) bool {
	rest, ok := strings.CutPrefix(word, "severity")
	return ok && (strings.IndexAny(rest, "=!") == 0 || compares(rest))
}

func compares(word string) bool {
	return strings.HasPrefix(word, "&gt;") || strings.HasPrefix(word, "&lt;")
}

// severity adds a bare severity, if the n-th cell is one. Of several, any may be that of
// an alert.
func (m *matcherText) severity(n int) bool {
	s, ok := severityOf(m.words[n].key)
	if !ok { // or is between two
		return m.words[n].key == "or" && m.severities != nil && n+1 < len(m.words) && m.severity(n+1)
	}
	if m.severities == nil {
		m.parts, m.severityPart = append(m.parts, ""), len(m.parts)
	}
	m.severities, m.last = alert.Union(m.severities, []string{string(s)}), n
	m.parts[m.severityPart] = "severity=~" + strconv.Quote(strings.Join(m.severities, "|"))
	if len(m.severities) == 1 {
		m.parts[m.severityPart] = "severity=" + string(s)
	}
	return true
}

// severityOf is sendSeverity for a word among others, which may be in the plural.
func severityOf(word string) (alert.Severity, bool) {
	if s, ok := sendSeverity(word); ok {
		return s, true
	}
	return sendSeverity(strings.TrimSuffix(word, "s"))
}

func (m *matcherText) matchers() (alert.Matchers, *alert.InputError) {
	text := strings.Join(m.parts, " ")
	text = channelMatcher.ReplaceAllStringFunc(text, func(s string) string { return unlink(s, typed) })
	return parseMatchers(unescape(unlink(text, named)))
}

// channelMatcher is a matcher for the channel, whose value may be an id. The values of
// labels are what somebody wrote.
var channelMatcher = regexp.MustCompile(`(?:^|[\s,{])channel\s*(?:=~|!=|!~|=)\s*(?:["“”„«»'‘’][^"“”„«»'‘’]*|[^\s,}]+)`)

func parseMatchers(text string) (alert.Matchers, *alert.InputError) {
	matchers, err := alert.ParseMatchers(text)
	if err != nil {
		return nil, inputError(err)
	}
	return matchers, nil
}

// inputError is an error of package alert as an *alert.InputError.
func inputError(err error) *alert.InputError {
	if bad, ok := errors.AsType[*alert.InputError](err); ok {
		return bad
	}
	return &alert.InputError{Message: err.Error()}
}

// specific refuses matchers that match every alert; hint says what to write instead.
func specific(matchers alert.Matchers, hint string) *alert.InputError {
	switch {
	case len(matchers) == 0:
		return &alert.InputError{Message: "say which alerts", Hint: hint}
	case matchers.Everything():
		return &alert.InputError{Message: matchers.String() + " matches alerts without any labels, and so perhaps all", Hint: "Add what they have in common: " + hint}
	}
	return nil
}

// wanted returns the collected matchers, which must be specific.
func (m *matcherText) wanted(hint string) (alert.Matchers, *alert.InputError) {
	matchers, bad := m.matchers()
	if bad == nil {
		bad = specific(matchers, hint)
	}
	return matchers, bad
}
