package main

import (
	"os"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// screen is the terminal that output goes to. The zero value is none: a pipe or a file
// gets plain and complete lines.
type screen struct {
	width, height int
	color         bool
}

// screen looks at where the output goes.
func (w world) screen() screen {
	file, ok := w.stdout.(*os.File)
	if !ok || !isTerminal(file) {
		return screen{}
	}
	s := screen{color: w.getenv("NO_COLOR") == "" && w.getenv("TERM") != "dumb"}
	if width, height, err := term.GetSize(int(file.Fd())); err == nil {
		s.width, s.height = width, height
	}
	return s
}

// The marks are characters that no text has: Unicode keeps them for internal use, and
// visible escapes them in text from outside. markStyle and those behind it begin a
// style, each at its place in styles.
const (
	markCut   = '\uFDD0' // the rest of the line may be cut
	markEnd   = '\uFDD1' // the end of a style
	markStyle = '\uFDD2'
	markLast  = '\uFDEF'
)

func isMark(r rune) bool { return r >= markCut && r <= markLast }

// styles are the codes of a terminal (SGR) with the words that are shown so; headings
// come first.
func styles() []struct {
	code  string
	words []string
} {
	return []struct {
		code  string
		words []string
	}{
		{"1", nil},
		{"1;31", []string{"critical", "dead", "not ready"}},
		{"31", []string{"error", "open"}},
		{"33", []string{"warning", "pending", "sending", "acked"}},
		{"36", []string{"info"}},
		{"32", []string{"resolved", "delivered", "ready"}},
		{"2", []string{"superseded", "dropped"}},
	}
}

// styled is a cell with the marks of its style, if it is a word that has one.
func styled(cell string) string {
	for n, style := range styles() {
		if slices.Contains(style.words, cell) {
			return inStyle(n, cell)
		}
	}
	return cell
}

func heading(cell string) string { return inStyle(0, cell) }

func inStyle(n int, cell string) string { return string(markStyle+rune(n)) + cell + string(markEnd) }

// draw is text as this screen shows it: safe, with colours in place of the marks, and
// cut where a line may be.
func (s screen) draw(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		start, rest, cut := strings.Cut(line, string(markCut))
		if room := s.width - width(start); cut && room >= leastColumn {
			rest = shorten(rest, room)
		}
		for _, r := range start + rest {
			b.WriteString(s.show(r))
		}
	}
	return b.String()
}

// leastColumn is the narrowest column that is cut; a narrower screen breaks lines.
const leastColumn = 12

// show is one character as the screen shows it.
func (s screen) show(r rune) string {
	switch {
	case !isMark(r):
		return visible(string(r))
	case !s.color || r == markCut:
		return ""
	case r == markEnd:
		return "\x1b[0m"
	}
	if all := styles(); int(r-markStyle) < len(all) {
		return "\x1b[" + all[r-markStyle].code + "m"
	}
	return ""
}

// shorten cuts a line to a width, with an ellipsis.
func shorten(line string, most int) string {
	line = strings.TrimSuffix(line, "\n")
	if width(line) <= most {
		return line + "\n"
	}
	var b strings.Builder
	styled, used := false, 0
	for _, r := range line {
		used += runeWidth(r)
		if used >= most && !isMark(r) {
			break
		}
		styled = r >= markStyle && r <= markLast || styled && r != markEnd
		b.WriteRune(r)
	}
	b.WriteRune('…')
	if styled {
		b.WriteRune(markEnd)
	}
	return b.String() + "\n"
}

// width is how many columns of a terminal a text takes.
func width(text string) (n int) {
	for _, r := range text {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is how many columns a character takes: none for marks and combining ones, two
// for the scripts of East Asia and for emoji.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case isMark(r) || r == '\u200C' || r == '\u200D' || r == '\uFE0F' || unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana) || r >= 0x1F300 && r <= 0x1FAFF || r >= 0xFF01 && r <= 0xFF60:
		return 2
	}
	return 1
}
