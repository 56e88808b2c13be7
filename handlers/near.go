package handlers

import (
	"strings"
	"unicode/utf8"
)

// nearest returns the candidate that word was probably meant to be: at most two
// letters away, and nearer than half of its length; or "". Of two that are as
// near, it is the one that has more of the letters: staus is status, not stats.
func nearest(word string, candidates []string) string {
	best, bestAt := "", 2
	for _, c := range candidates {
		d := distance(word, c)
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
