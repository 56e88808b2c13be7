package alert

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Contains reports whether the title, the key or the value of a label contains word,
// in capitals or not. A number is found as a whole: db-3 is not in db-30.
func (s Subject) Contains(word string) bool {
	return s.some(word, func(text string) bool { return ContainsWord(text, word) })
}

// LooksAt reports whether Selects depends on the incident.
func (f IncidentFilter) LooksAt() bool { return len(f.Matchers)+len(f.AnyOf)+len(f.Words) > 0 }

// Selects reports whether the filter's matchers and words keep an incident.
func (f IncidentFilter) Selects(s Subject) bool {
	for _, word := range f.Words {
		if !s.Contains(word) || f.Beginnings && !s.Begins(word) || f.Wholes && !s.Has(word) {
			return false
		}
	}
	fits := len(f.AnyOf) == 0 || slices.ContainsFunc(f.AnyOf, func(ms Matchers) bool { return ms.Match(s) })
	return fits && f.Matchers.Match(s)
}

// Begins is Contains for where a word of the title, the key or a label begins: lag is in
// replica lags and in ReplicaLag, and not in fehlgeschlagen.
func (s Subject) Begins(word string) bool {
	return s.some(word, func(text string) bool { return containsAt(text, word, bordersWord) })
}

// Has is Contains for whole words: lag is in replica lag and in LagOfReplica, and not in
// Lagerhaus.
func (s Subject) Has(word string) bool {
	word = strings.ToLower(word)
	return s.some(word, func(text string) bool {
		return containsAt(text, word, func(text string, at int) bool { return bordersWord(text, at) && bordersWord(text, at+len(word)) })
	})
}

// some reports whether the title, the key or the value of a label fits a word. A
// fingerprint's digits say nothing: only a word that begins as one does is looked for in it.
func (s Subject) some(word string, fits func(text string) bool) bool {
	if fits(s.Title) || fits(s.Shown) {
		return true
	}
	named := len(word) >= len(fingerprintPrefix) && strings.EqualFold(word[:len(fingerprintPrefix)], fingerprintPrefix)
	if (named || !isFingerprint(s.Key)) && fits(s.Key) {
		return true
	}
	for _, value := range s.Labels {
		if fits(value) {
			return true
		}
	}
	return false
}

// bordersWord reports whether a word begins or ends at at.
func bordersWord(text string, at int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:at])
	behind, _ := utf8.DecodeRuneInString(text[at:])
	return at == 0 || at == len(text) || !unicode.IsLetter(before) || !unicode.IsLetter(behind) || unicode.IsLower(before) && unicode.IsUpper(behind)
}

// ContainsWord reports whether text contains word, in capitals or not, and a number in it
// as a whole.
func ContainsWord(text, word string) bool {
	return containsAt(text, word, func(string, int) bool { return true })
}

// containsAt is ContainsWord for the places that fit: word begins at at in text.
func containsAt(written, word string, fits func(text string, at int) bool) bool {
	text, word := strings.ToLower(written), strings.ToLower(word)
	if len(text) != len(written) { // some letters have a longer lower case
		written = text
	}
	for from := 0; ; {
		at := strings.Index(text[from:], word)
		if at < 0 || word == "" {
			return false
		}
		begin := from + at
		end := begin + len(word)
		if !splitsNumber(text, begin) && !splitsNumber(text, end) && fits(written, begin) {
			return true
		}
		_, size := utf8.DecodeRuneInString(text[begin:])
		from = begin + size
	}
}

// splitsNumber reports whether there is a digit on both sides of at.
func splitsNumber(text string, at int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:at])
	behind, _ := utf8.DecodeRuneInString(text[at:])
	return unicode.IsDigit(before) && unicode.IsDigit(behind)
}
