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
	markText  = '\uFDD1' // between cells of which the last is a text, and wraps
	markEnd   = '\uFDD2' // the end of a style
	markStyle = '\uFDD3'
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
	last := ""
	write := func(text string) {
		for _, r := range text {
			b.WriteString(s.show(r))
		}
	}
	flush := func() {
		for _, line := range s.fit(rows, last) {
			write(line + "\n")
		}
		rows = nil
	}
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		mark := string(markCell)
		if strings.ContainsRune(line, markText) {
			mark = string(markText)
		}
		cells := strings.Split(strings.TrimSuffix(line, "\n"), mark)
		if len(rows) > 0 && (mark != last || len(cells) != len(rows[0])) {
			flush()
		}
		if len(cells) == 1 {
			write(line)
			continue
		}
		rows, last = append(rows, cells), mark
	}
	flush()
	return b.String()
}

// fit returns the lines of a table whose cells had a mark between them. None is wider than
// the screen, except for a web address in a text.
func (s screen) fit(rows [][]string, mark string) (lines []string) {
	if len(rows) == 0 {
		return nil
	}
	natural := naturalWidths(rows)
	switch {
	case s.width == 0 || total(natural) <= s.width:
		return cutRows(rows, natural)
	case mark == string(markText):
		return s.fitTexts(rows, total(natural[:len(natural)-1]))
	}
	return s.fitColumns(rows)
}

func naturalWidths(rows [][]string) []int {
	natural := make([]int, len(rows[0]))
	for _, cells := range rows {
		for n, cell := range cells {
			natural[n] = max(natural[n], width(cell))
		}
	}
	return natural
}

// cutRows are the lines of a table whose columns have these widths.
func cutRows(rows [][]string, widths []int) (lines []string) {
	natural := naturalWidths(rows)
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

// fitTexts wraps the last column of a table; room for the others is what they take.
func (s screen) fitTexts(rows [][]string, others int) (lines []string) {
	for _, cells := range rows {
		last := len(cells) - 1
		if s.width-others < leastColumn {
			lines = append(lines, inLines(cells, s.width)...)
			continue
		}
		for n, part := range wrapped(cells[last], s.width-others) {
			if n == 0 {
				part = strings.Join(cells[:last], "") + part
			} else {
				part = strings.Repeat(" ", others) + part
			}
			lines = append(lines, part)
		}
	}
	return lines
}

// vital are the headings of the columns that every screen shows, as it does the first one.
func vital() []string {
	return []string{"ID", "INCIDENT", "SEVERITY", "TITLE", "UNTIL", "MATCHERS", "STATUS", "DUE", "WHEN", "TO", "NOTIFIES", "ALERTS", "REASON", "DEAD"}
}

// fitColumns leaves out the columns of a table that are empty, and then those that are not
// vital, the last first, until the others fit. If the vital ones do not fit, each row takes
// several lines. Without headings, all are vital.
func (s screen) fitColumns(rows [][]string) (lines []string) {
	shown, least := filled(rows)
	for {
		some, last := only(rows, shown), len(shown)-1
		for _, cells := range some {
			cells[last] = strings.TrimRight(cells[last], " ")
		}
		widths := naturalWidths(some)
		if cutWidest(widths, only([][]int{least}, shown)[0], s.width); total(widths) <= s.width {
			return cutRows(some, widths)
		}
		spare := last
		for spare >= 0 && least[shown[spare]] == leastVital {
			spare--
		}
		if spare < 0 {
			for _, cells := range some {
				lines = append(lines, inLines(cells, s.width)...)
			}
			return lines
		}
		shown = slices.Delete(shown, spare, spare+1)
	}
}

// filled are the columns of a table that are not empty, and the least width of each column.
func filled(rows [][]string) (columns, least []int) {
	headings, body := unmarked(rows[0]), rows
	headed := isHeading(headings)
	if headed {
		body = rows[1:]
	}
	for n, heading := range headings {
		width := leastColumn
		if n == 0 || !headed || slices.Contains(vital(), heading) {
			width = leastVital
		}
		least = append(least, width)
		if n == 0 || slices.ContainsFunc(body, func(cells []string) bool { return strings.Trim(cells[n], " -") != "" }) {
			columns = append(columns, n)
		}
	}
	return columns, least
}

// unmarked are cells without marks and blanks around them.
func unmarked(cells []string) (texts []string) {
	for _, cell := range cells {
		texts = append(texts, strings.TrimFunc(cell, func(r rune) bool { return isMark(r) || r == ' ' }))
	}
	return texts
}

// only are some columns of a table.
func only[T any](rows [][]T, columns []int) (some [][]T) {
	for _, cells := range rows {
		var row []T
		for _, n := range columns {
			row = append(row, cells[n])
		}
		some = append(some, row)
	}
	return some
}

// inLines writes cells one behind the other, in lines of which all but the first are indented.
func inLines(cells []string, most int) (lines []string) {
	line := ""
	first := strings.TrimRight(cells[0], " ")
	lead := len(first) - len(strings.TrimLeft(first, " "))
	indent := strings.Repeat(" ", min(lead+columnGap, most/4))
	for n, cell := range cells {
		cell = strings.TrimRight(cell, " ")
		switch gap := strings.Repeat(" ", columnGap); {
		case n > 0 && cell == "":
		case n > 0 && width(line+gap+cell) <= most:
			line += gap + cell
		default:
			parts := wrapped(cell, most)
			if n > 0 {
				lines = append(lines, line)
				parts = wrapped(cell, most-len(indent))
				for p := range parts {
					parts[p] = indent + parts[p]
				}
			}
			lines = append(lines, parts[:len(parts)-1]...)
			line = parts[len(parts)-1]
		}
	}
	return append(lines, line)
}

// wrapped breaks a text at blanks into lines that fit. A longer word is broken too, but not
// a web address, which a terminal then still opens.
func wrapped(text string, most int) (lines []string) {
	line := ""
	for n, word := range strings.Split(text, " ") {
		if n > 0 && width(line+" "+word) <= most {
			line += " " + word
			continue
		}
		if n > 0 {
			lines = append(lines, line)
		}
		for width(word) > most && !strings.Contains(word, "://") {
			head := beginning(word, most)
			lines, word = append(lines, head), word[len(head):]
		}
		line = word
	}
	return append(lines, line)
}

// beginning is as much of a word as fits, at least a character.
func beginning(word string, most int) string {
	used := 0
	for at, r := range word {
		if used += runeWidth(r); used > most && at > 0 {
			return word[:at]
		}
	}
	return word
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
	// leastColumn is the width, with the gap, to which columns are cut before others are
	// left out; leastVital that of vital ones.
	leastColumn = 14
	leastVital  = 32
	// columnGap is the number of blanks between columns.
	columnGap = 2
)

// cutWidest takes from the widest of the columns that may be narrower until all of them fit.
func cutWidest(widths, least []int, most int) {
	for total(widths) > most {
		widest := -1
		for n, w := range widths {
			if w > least[n] && (widest < 0 || w > widths[widest]) {
				widest = n
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
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
