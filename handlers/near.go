package handlers

import (
	"strings"
	"unicode/utf8"

	"tocsin/alert"
)

// nearest returns the candidate most similar to word, or "": at most two edits away,
// and fewer than half its length. Of two with the same distance, it is the one that
// has more of the letters: staus means status, not stats.
func nearest(word string, candidates []string) string {
	best, bestAt := "", 2
	for _, c := range candidates {
		d := alert.Distance(word, c, 2)
		if 2*d >= len(c) || d > bestAt || d == bestAt && best != "" && lacking(c, word) >= lacking(best, word) {
			continue
		}
		best, bestAt = c, d
	}
	return best
}

// lacking counts the letters of word that candidate lacks.
func lacking(candidate, word string) int {
	n := 0
	for _, r := range word {
		if at := strings.IndexRune(candidate, r); at >= 0 {
			candidate = candidate[:at] + candidate[at+utf8.RuneLen(r):]
		} else {
			n++
		}
	}
	return n
}

// suggest adds the most similar of the known words, separated by blanks, to the hint.
func suggest(word token, known string, bad *alert.InputError) *alert.InputError {
	if near := nearest(word.key, strings.Fields(known)); near != "" {
		bad.Hint = "Did you mean " + near + "? " + bad.Hint
	}
	return bad
}
