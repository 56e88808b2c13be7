package handlers

import (
	"strings"
	"unicode/utf8"

	"tocsin/alert"
)

// nearest returns the candidate that word was probably meant to be: at most two
// letters away, and nearer than half of its length; or "". Of two that are as
// near, it is the one that has more of the letters: staus is status, not stats.
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

// lacking counts the letters of word that candidate has not.
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
