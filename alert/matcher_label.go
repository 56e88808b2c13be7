package alert

import "strings"

// ParseLabelMatchers reads matchers as Alertmanager does: each name is that of a label, also
// severity, and values are taken as they are. The error is an *InputError.
func ParseLabelMatchers(s string) (Matchers, error) {
	p := matcherText{rest: strings.TrimSpace(s), asIs: true, made: NewMatcher}
	return p.all()
}

// IsWord reports whether a severity that was sent in this word is the severity itself, so
// that the alert has no label with the word.
func (s Severity) IsWord(word string) bool {
	as, ok := ParseSeverity(word)
	return ok && as == s && s.sameWord(word)
}
