package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
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
	_, err := io.WriteString(w.stdout, visible(text))
	return err
}

// oneCell keeps a text from ending its line or its column.
var oneCell = strings.NewReplacer("\n", `\n`, "\t", `\t`)

// table arranges lines in columns.
func table(fill func(line func(cells ...any))) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	fill(func(cells ...any) {
		for i, cell := range cells {
			if i > 0 {
				_, _ = io.WriteString(t, "\t") // a Builder takes everything
			}
			_, _ = io.WriteString(t, oneCell.Replace(visible(fmt.Sprint(cell))))
		}
		_, _ = io.WriteString(t, "\n")
	})
	_ = t.Flush()
	return b.String()
}

// fields lists names and values, without those that have none.
func fields(all [][2]string) string {
	return table(func(line func(cells ...any)) {
		for _, f := range all {
			if f[1] != "" {
				line(f[0]+":", f[1])
			}
		}
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

// hidden says whether a terminal acts on a character instead of showing it. The
// joiners stay, because emoji and several scripts need them.
func hidden(r rune) bool {
	switch r {
	case '\n', '\t', '\u200C', '\u200D':
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}

// counted is a number of things: 1 alert, 2 alerts.
func counted[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
