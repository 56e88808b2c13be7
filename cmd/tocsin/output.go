package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"tocsin/alert"
)

// writeJSON prints v, indented for people.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// print prints a result: as JSON, or as text without the control characters that
// could steer a terminal.
func (w world) print(asJSON bool, result any, text string) error {
	if asJSON {
		return writeJSON(w.stdout, result)
	}
	_, err := io.WriteString(w.stdout, strings.Map(visible, text))
	return err
}

// table arranges lines in columns.
func table(fill func(line func(cells ...any))) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	fill(func(cells ...any) {
		for i, cell := range cells {
			if i > 0 {
				_, _ = io.WriteString(t, "\t") // a Builder takes everything
			}
			_, _ = io.WriteString(t, strings.Map(visible, fmt.Sprint(cell)))
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

// brief is the beginning of a text on one line, without control characters.
func brief(text string) string {
	const most = 100
	runes := []rune(flat(text))
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(runes)
}

// flat is a text on one line, without control characters.
func flat(s string) string { return strings.Join(strings.Fields(strings.Map(visible, s)), " ") }

// visible drops the control characters that could steer a terminal.
func visible(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\t' {
		return -1
	}
	return r
}

// counted is a number of things: 1 alert, 2 alerts.
func counted[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
