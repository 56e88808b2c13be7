package main

import (
	"io"
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

// widthFor is the width of the terminal that a stream goes to; 0 for none.
func (w world) widthFor(stream io.Writer) int {
	return world{stdout: stream, getenv: w.getenv}.screen().width
}

// The marks are characters that no text has: Unicode keeps them for internal use, and
// visible escapes them in text from outside. markStyle and those behind it begin a
// style, each at its place in styles.
const (
	markCell  = '\uFDD0' // between the cells of a table
	markEnd   = '\uFDD1' // the end of a style
	markStyle = '\uFDD2'
	markLast  = '\uFDEF'
)

func isMark(r rune) bool { return r >= markCell && r <= markLast }

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
		{"32", []string{"resolved", "delivered", "ready", "ok"}},
		{"2", []string{"superseded", "dropped", "skipped"}},
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
// tables within its width.
func (s screen) draw(text string) string {
	var b strings.Builder
	var rows [][]string
	flush := func() {
		for _, line := range s.fit(rows) {
			for _, r := range line + "\n" {
				b.WriteString(s.show(r))
			}
		}
		rows = nil
	}
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), string(markCell))
		if len(rows) > 0 && (len(cells) == 1 || len(cells) != len(rows[0])) {
			flush()
		}
		if len(cells) > 1 {
			rows = append(rows, cells)
			continue
		}
		for _, r := range line {
			b.WriteString(s.show(r))
		}
	}
	flush()
	return b.String()
}

// fit returns the lines of a table, none of which is wider than the screen.
func (s screen) fit(rows [][]string) (lines []string) {
	if len(rows) == 0 {
		return nil
	}
	natural := make([]int, len(rows[0]))
	for _, cells := range rows {
		for n, cell := range cells {
			natural[n] = max(natural[n], width(cell))
		}
	}
	widths := natural
	if s.width > 0 {
		widths = fitted(natural, s.width)
	}
	for _, cells := range rows {
		line := ""
		for n, cell := range cells {
			if widths[n] < natural[n] {
				cell = cut(cell, widths[n], n == len(cells)-1)
			}
			line += cell
		}
		lines = append(lines, line)
	}
	return lines
}

// cut is a cell in a column of a width; all but the last are followed by a gap.
func cut(cell string, room int, last bool) string {
	if last {
		return shorten(cell, room)
	}
	cell = shorten(strings.TrimRight(cell, " "), room-columnGap)
	return cell + strings.Repeat(" ", max(0, room-width(cell)))
}

const (
	// leastColumn is the width to which columns are cut before others are left out.
	leastColumn = 12
	// columnGap is the number of blanks between columns.
	columnGap = 2
)

// fitted are the widths of columns that are no wider than a screen together. Those in the
// middle are cut, the widest first; then they are left out, the last first. The last column
// has what remains.
func fitted(natural []int, most int) []int {
	last := len(natural) - 1
	for shown := last; ; shown-- {
		widths := slices.Clone(natural)
		clear(widths[shown:last])
		widths[last] = min(natural[last], leastColumn)
		cutWidest(widths, widths[1:shown], most)
		if total(widths) <= most || shown == 1 {
			widths[0], widths[last] = min(widths[0], most), 0
			widths[last] = min(natural[last], most-total(widths))
			return widths
		}
	}
}

// cutWidest takes from the widest of some columns until all of them fit.
func cutWidest(widths, some []int, most int) {
	for total(widths) > most && len(some) > 0 {
		widest := slices.Index(some, slices.Max(some))
		if some[widest] <= leastColumn+columnGap {
			return
		}
		some[widest]--
	}
}

func total(widths []int) (sum int) {
	for _, w := range widths {
		sum += w
	}
	return sum
}

// show is one character as the screen shows it.
func (s screen) show(r rune) string {
	switch {
	case !isMark(r):
		return visible(string(r))
	case !s.color || r == markCell:
		return ""
	case r == markEnd:
		return "\x1b[0m"
	}
	if all := styles(); int(r-markStyle) < len(all) {
		return "\x1b[" + all[r-markStyle].code + "m"
	}
	return ""
}

// shorten cuts a text to a width, with an ellipsis.
func shorten(text string, most int) string {
	if width(text) <= most {
		return text
	}
	if most < 1 {
		return ""
	}
	var b strings.Builder
	styled, used := false, 0
	for _, r := range text {
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
	return b.String()
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
