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

// clean makes text from outside safe to show: valid UTF-8, one kind of line end,
// and without control, bidirectional and other invisible characters, which can
// hide or reorder text. The result is never longer.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r', r == '\u0085', r == '\u2028', r == '\u2029':
			return '\n'
		case r == '\n', r == '\t':
			return r
		case invisible(r):
			return -1
		}
		return r
	}, s)
}

// invisible says whether a character has no width. The joiners stay, because
// emoji and several scripts need them, and so do the Arabic signs that Unicode
// counts as formatting but that are drawn.
func invisible(r rune) bool {
	switch {
	case r == '\u200C' || r == '\u200D':
		return false
	case r >= 0x0600 && r <= 0x0605, r == 0x06DD, r == 0x070F, r == 0x08E2:
		return false
	case r == 0x115F || r == 0x1160 || r == 0x3164 || r == 0xFFA0:
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co)
}

// oneLine is clean with every run of white space replaced by one space.
func oneLine(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// literal replaces the characters that Slack would read as markup by others that
// look alike, because mrkdwn has no escape for them. Between two letters or digits
// they are not markup (disk_usage_high) and stay. The length does not change.
func literal(s string) string {
	runes := []rune(s)
	lineStart := true
	for i, r := range runes {
		inWord := i > 0 && i+1 < len(runes) && wordRune(runes[i-1]) && wordRune(runes[i+1])
		runes[i] = lookalike(r, inWord, lineStart)
		lineStart = r == '\n' || lineStart && unicode.IsSpace(r)
	}
	return string(runes)
}

func lookalike(r rune, inWord, lineStart bool) rune {
	switch {
	case r == '`':
		return 'ˋ'
	case r == '>' && lineStart:
		return '›'
	case inWord:
		return r
	case r == '*':
		return '∗'
	case r == '_':
		return 'ˍ'
	case r == '~':
		return '∼'
	}
	return r
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// fit escapes s and keeps the result within budget characters. A longer text ends
// in an ellipsis after a whole character as a reader sees it, so no entity, emoji
// or accent is split.
func fit(s string, budget int) string {
	if alert.EscapedLen(s) <= budget {
		return escaper.Replace(s)
	}
	return escaper.Replace(strings.TrimRight(beginning(s, budget-1, alert.EscapedLen), " \t\n")) + ellipsis
}

// cut is fit without escaping.
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

func visible(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) })
}
