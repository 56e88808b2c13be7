package render

import (
	"strings"
	"unicode/utf8"

	"tocsin/alert"
)

// PlainCard draws an incident as escaped text of at most 4,000 characters
// without blocks, for when Slack has refused the card.
//
// The first page of its text is always shown whole; the title gets what that
// leaves, then labels and links as far as they fit. Lines of unescaped small
// print go under the headline.
func PlainCard(i alert.Incident, aside ...string) Message {
	text := fit(literal(strings.TrimRight(clean(alert.Pages(i.Text)[0]), " \t\n")), alert.PageSize)
	state := strings.Join(facts(i), dot) + dot + strings.Join(origin(i), dot)
	print := strings.Join(append(asides(aside), state), "\n")
	budget := maxText - utf8.RuneCountInString(text) - utf8.RuneCountInString(print) - len("\n\n")
	lines := newLines(max(budget, maxFallback/2))
	lines.add(fit(literal(summary(i)), lines.left))
	lines.all = append(lines.all, print)
	all := labelsOf(i)
	if len(all) > 0 && lines.left > maxLabelValue {
		lines.add(pairs(all, min(lines.left-len(" and 200 more labels "), maxMoreLabels)))
	}
	if visible(text) {
		lines.all = append(lines.all, text)
	}
	for _, l := range i.Links {
		if address, ok := webAddress(l.URL); ok {
			lines.add(linkText(address, linkLabel(l)))
		}
	}
	return Message{Text: strings.Join(lines.all, "\n")}
}

// lines collects whole lines within a budget of characters.
type lines struct {
	all  []string
	left int
}

func newLines(budget int) *lines { return &lines{left: budget} }

// add takes a line if it fits.
func (l *lines) add(line string) {
	size := utf8.RuneCountInString(line) + len("\n")
	if size <= l.left+1 && line != "" {
		l.all = append(l.all, line)
		l.left -= size
	}
}
