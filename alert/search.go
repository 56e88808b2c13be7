package alert

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Contains reports whether the title, the key or the value of a label contains word,
// in capitals or not. A number is found as a whole: db-3 is not in db-30.
func (s Subject) Contains(word string) bool {
	if ContainsWord(s.Title, word) || ContainsWord(s.Shown, word) || ContainsWord(s.Key, word) {
		return true
	}
	for _, value := range s.Labels {
		if ContainsWord(value, word) {
			return true
		}
	}
	return false
}

// Selects reports whether the filter's matchers and words keep an incident.
func (f IncidentFilter) Selects(s Subject) bool {
	for _, word := range f.Words {
		if !s.Contains(word) || f.Beginnings && !s.Begins(word) {
			return false
		}
	}
	return f.Matchers.Match(s)
}

// Begins is Contains for where a word of the title, the key or a label begins: lag is in
// replica lags and in ReplicaLag, and not in fehlgeschlagen.
func (s Subject) Begins(word string) bool {
	if beginsWord(s.Title, word) || beginsWord(s.Shown, word) || beginsWord(s.Key, word) {
		return true
	}
	for _, value := range s.Labels {
		if beginsWord(value, word) {
			return true
		}
	}
	return false
}

func beginsWord(text, word string) bool {
	return containsAt(text, word, func(text string, at int) bool {
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		first, _ := utf8.DecodeRuneInString(text[at:])
		return at == 0 || !unicode.IsLetter(before) || !unicode.IsLetter(first) || unicode.IsLower(before) && unicode.IsUpper(first)
	})
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
