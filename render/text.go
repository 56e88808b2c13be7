package render

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"tocsin/alert"
)

// ellipsis ends every text that was cut, so that every cut is visible.
const ellipsis = "…"

// escaper writes the three characters that Slack reads as control characters
// (docs/slack.md §5).
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// clean makes text from outside safe to show: valid UTF-8, one kind of line end, and
// without control characters and those that reorder text, in which a text can hide what
// it says. The result is never longer.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r', r == '\u0085', r == '\u2028', r == '\u2029':
			return '\n'
		case r == '\n', r == '\t':
			return r
		case unicode.Is(unicode.Cc, r), alert.Reorders(r):
			return -1
		}
		return r
	}, s)
}

// oneLine is clean with the lines in a row and tabs as spaces.
func oneLine(s string) string {
	var all []string
	for line := range strings.Lines(strings.ReplaceAll(clean(s), "\t", " ")) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return strings.Join(all, " ")
}

// fit is text from outside in a line, cut to budget characters once escaped. A longer
// text ends in an ellipsis after a whole character as a reader sees it, so no emoji or
// accent is split.
func fit(s string, budget int) string { return literal(shorter(s, budget)) }

func shorter(s string, budget int) string {
	if alert.EscapedLen(s) <= budget {
		return s
	}
	return strings.TrimRight(beginning(s, budget-1, alert.EscapedLen), " \t\n") + ellipsis
}

// advice is fit for words of ours that name commands between backquotes.
func advice(s string, budget int) string {
	parts := strings.Split(shorter(s, budget), "`")
	for n := range parts {
		parts[n] = literal(parts[n])
	}
	if len(parts)%2 == 0 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts, "`")
}

// cut is fit for what is not a line.
func cut(s string, budget int) string {
	if utf8.RuneCountInString(s) <= budget {
		return s
	}
	return beginning(s, budget-1, utf8.RuneCountInString) + ellipsis
}

// beginning is as many clusters of s as fit into budget, by their size.
func beginning(s string, budget int, size func(string) int) string {
	used, end := 0, 0
	for cluster := range clusters(s) {
		if used += size(cluster); used > budget {
			break
		}
		end += len(cluster)
	}
	return s[:end]
}

// maxCluster bounds a cluster, so that a letter with a thousand accents can't
// be larger than a budget.
const maxCluster = 24

// clusters yields what a reader sees as single characters: a base with its
// accents, an emoji with its modifiers and joined parts, a flag.
func clusters(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for s != "" {
			end := clusterEnd(s)
			if !yield(s[:end]) {
				return
			}
			s = s[end:]
		}
	}
}

func clusterEnd(s string) int {
	before, end := utf8.DecodeRuneInString(s)
	flag := regional(before)
	for n := 1; end < len(s) && n < maxCluster; n++ {
		r, size := utf8.DecodeRuneInString(s[end:])
		second := flag && n == 1 && regional(r)
		if !second && !extends(r) && before != '\u200D' {
			return end
		}
		before = r
		end += size
	}
	return end
}

func regional(r rune) bool { return r >= 0x1F1E6 && r <= 0x1F1FF }

// extends says whether a character belongs to the one before it: marks, variation
// selectors, the joiner, skin tones, and Hangul vowels and finals.
func extends(r rune) bool {
	switch {
	case r == '\u200C' || r == '\u200D':
		return true
	case r >= 0x1F3FB && r <= 0x1F3FF:
		return true
	case r >= 0x1161 && r <= 0x11FF:
		return true
	}
	return unicode.Is(unicode.M, r)
}

// title is an incident's title on one line, never empty.
func title(s string) string {
	if s = oneLine(s); visible(s) {
		return s
	}
	return "(no title)"
}

func visible(s string) bool { return alert.Visible(s) }

// The marks that lay out a line from right to left: the first has readers take the whole
// line for one, the others isolate it where they don't.
const (
	rightToLeft = "\u200F\u2067"
	isolateEnd  = "\u2069"
)

// titleIn is an incident's title in a line of other words, cut to budget characters.
func titleIn(s string, budget int) string {
	s = title(s)
	marks := utf8.RuneCountInString(directed(s)) - utf8.RuneCountInString(s)
	return literal(directed(shorter(s, budget-marks)))
}

// directed is s, from right to left if its first letter is written so.
func directed(s string) string {
	for _, r := range s {
		if unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Samaritan, unicode.Mandaic, unicode.Adlam) {
			return rightToLeft + s + isolateEnd
		}
		if unicode.IsLetter(r) {
			return s
		}
	}
	return s
}
