package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"tocsin/alert"
)

// writeJSON prints v, indented for people. Characters that a terminal does not show
// are written as JSON's escapes, so that readers get the same text.
func writeJSON(w io.Writer, v any) error {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, escape(b.String(), func(r rune) string {
		if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
			return fmt.Sprintf(`\u%04x\u%04x`, high, low)
		}
		return fmt.Sprintf(`\u%04x`, r)
	}))
	return err
}

// print prints a result: as JSON, or as text that is safe for a terminal.
func (w world) print(asJSON bool, result any, text string) error {
	if asJSON {
		return writeJSON(w.stdout, result)
	}
	_, err := io.WriteString(w.stdout, w.screen().draw(text))
	return err
}

// oneCell keeps a text from ending its line or its column.
var oneCell = strings.NewReplacer("\n", `\n`, "\t", `\t`)

// table arranges lines in columns. Words for severities and states are marked for the
// colours of a terminal, and the columns for its width.
func table(fill func(line func(cells ...any))) string { return columns(string(markCell), fill) }

// texts is a table whose last column a narrow terminal wraps.
func texts(fill func(line func(cells ...any))) string { return columns(string(markText), fill) }

// fields lists names and values, without those that have none.
func fields(all [][2]string) string {
	return texts(func(line func(cells ...any)) {
		for _, f := range all {
			if f[1] != "" {
				line(f[0]+":", f[1])
			}
		}
	})
}

// columns arranges lines in columns, with mark between the cells.
func columns(mark string, fill func(line func(cells ...any))) string {
	var lines [][]string
	var widths []int // without the last columns, which end their lines
	fill(func(cells ...any) {
		line := make([]string, len(cells))
		for i, cell := range cells {
			line[i] = oneCell.Replace(visible(fmt.Sprint(cell)))
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(cells)-1 {
				widths[i] = max(widths[i], width(line[i]))
			}
		}
		lines = append(lines, line)
	})
	var b strings.Builder
	for n, line := range lines {
		style := styled
		if n == 0 && isHeading(line) {
			style = heading
		}
		for i, cell := range line[:len(line)-1] {
			b.WriteString(style(cell) + strings.Repeat(" ", widths[i]-width(cell)+columnGap) + mark)
		}
		b.WriteString(style(line[len(line)-1]) + "\n")
	}
	return b.String()
}

// isHeading reports whether all cells are in capitals.
func isHeading(line []string) bool {
	return !slices.ContainsFunc(line, func(cell string) bool {
		return cell == "" || strings.ContainsFunc(cell, func(r rune) bool { return !unicode.IsUpper(r) && r != ' ' })
	})
}

// labelsAndLinks are the fields of an alert's labels and links.
func labelsAndLinks(labels map[string]string, links []alert.Link) (all [][2]string) {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, [2]string{"label", name + "=" + labels[name]})
	}
	for _, link := range links {
		all = append(all, [2]string{"link", link.Label + " " + link.URL})
	}
	return all
}

// age is how long ago a time was, or in how long it will be; nothing for none.
func age(at, now time.Time) string {
	if at.IsZero() {
		return ""
	}
	if d := at.Sub(now); d >= time.Second {
		return "in " + roughly(d)
	}
	return roughly(now.Sub(at))
}

// roughly is a duration in its largest unit, or in two while they matter: 42s, 3m, 5h,
// 1h 20m, 4d.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 10*time.Hour && d%time.Hour >= time.Minute:
		return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
	case d < 2*day:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d/day))
}

// ago is a time with its age: 2026-01-02 15:04:05 (3m ago).
func ago(at time.Time) string {
	now := time.Now()
	switch {
	case at.IsZero():
		return ""
	case at.After(now):
		return clock(at) + " (" + age(at, now) + ")"
	}
	return clock(at) + " (" + age(at, now) + " ago)"
}

// clock shows a time as people read it; nothing for none.
func clock(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Local().Format("2006-01-02 15:04:05")
}

// brief is the beginning of a text on one line, safe for a terminal.
func brief(text string) string {
	const most = 100
	runes := []rune(flat(text))
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(runes)
}

// flat is a text on one line, safe for a terminal.
func flat(s string) string { return visible(strings.Join(strings.Fields(s), " ")) }

// indented is a text whose lines can't be mistaken for other output.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(visible(text)) {
		b.WriteString("  | " + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

// visible is a text that is safe for a terminal: characters that could steer it,
// reorder the text around them or hide are written as Go's escapes.
func visible(text string) string {
	return escape(strings.ReplaceAll(text, "\r\n", "\n"), func(r rune) string {
		return strings.Trim(strconv.QuoteRuneToASCII(r), "'")
	})
}

// escape replaces each character that a terminal does not show, except for tabs and
// ends of lines.
func escape(text string, escaped func(rune) string) string {
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hidden(r) {
			b.WriteString(escaped(r))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// hidden says whether a terminal acts on a character instead of showing it, or whether
// it is one of the marks. The joiners stay, because emoji and several scripts need them.
func hidden(r rune) bool {
	switch r {
	case '\n', '\t', '\u200C', '\u200D':
		return false
	}
	return isMark(r) || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}

// counted is a number of things: 1 alert, 2 alerts.
func counted[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
