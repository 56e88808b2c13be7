package render

import (
	"slices"
	"strings"
	"unicode/utf8"

	"tocsin/alert"
)

// minTitle is how many characters a plain card always has for its headline.
const minTitle = 250

// PlainCard draws an incident as escaped text of at most 4,000 characters
// without blocks, for when Slack has refused the card.
//
// It begins with whom it pings in lane; lines of unescaped small print go under
// the headline. It shows the first page of the text in full, unless a dozen long
// names leave no room; then as much of the title, labels and links as fits.
func PlainCard(i alert.Incident, lane string, aside ...string) Message {
	state := strings.Join(slices.Concat(facts(i), handling(i, called), origin(i)), dot)
	state = strings.Join(append(asides(aside), state), "\n")
	who := ping(i.Mentions[lane])
	if who != "" {
		who += " "
	}
	left := maxText - utf8.RuneCountInString(who+state) - len("\n\n")
	text := fit(literal(page(alert.Pages(i.Text)[0])), min(alert.PageSize, left-minTitle))
	lines := newLines(left - utf8.RuneCountInString(text))
	lines.add(fit(literal(summary(i)), lines.left))
	lines.all[0] = who + lines.all[0]
	lines.all = append(lines.all, state)
	if all := labelsOf(i); len(all) > 0 && lines.left > maxLabelValue {
		lines.add(pairs(all, min(lines.left-len(" and 200 more labels "), maxMoreLabels)))
	}
	if visible(text) {
		lines.all = append(lines.all, text)
	}
	lines.addLinks("", i.Links)
	return Message{Text: lines.text()}
}

// lines collects whole lines within a budget of characters.
type lines struct {
	all  []string
	left int
}

func newLines(budget int) *lines { return &lines{left: budget} }

// add takes a line if it fits, and reports whether it did.
func (l *lines) add(line string) bool {
	size := utf8.RuneCountInString(line) + len("\n")
	if size > l.left+1 || line == "" {
		return false
	}
	l.all = append(l.all, line)
	l.left -= size
	return true
}

func (l *lines) addAll(all ...string) {
	for _, line := range all {
		l.add(line)
	}
}

func (l *lines) text() string { return strings.Join(l.all, "\n") }
