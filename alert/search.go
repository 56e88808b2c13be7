package alert

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Contains reports whether the title, the key or the value of a label contains word,
// in capitals or not. A number is found as a whole: db-3 is not in db-30.
func (s Subject) Contains(word string) bool {
	if ContainsWord(s.Title, word) || ContainsWord(s.Key, word) {
		return true
	}
	for _, value := range s.Labels {
		if ContainsWord(value, word) {
			return true
		}
	}
	return false
}

// ContainsWord reports whether text contains word, in capitals or not, and a number in it
// as a whole.
func ContainsWord(text, word string) bool {
	text, word = strings.ToLower(text), strings.ToLower(word)
	for from := 0; ; {
		at := strings.Index(text[from:], word)
		if at < 0 || word == "" {
			return false
		}
		begin := from + at
		end := begin + len(word)
		if !splitsNumber(text, begin) && !splitsNumber(text, end) {
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
