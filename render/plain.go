package render

import (
	"slices"
	"strings"

	"tocsin/alert"
)

// minTitle is how many characters a plain card always has for its headline.
const minTitle = 250

// PlainCard draws an incident as escaped text of at most 4,000 characters
// without blocks, for when Slack has refused the card, and for notifications: severity
// and title first, then what happened, then labels, small print, status, whom it pings
// in lane, and links.
//
// It shows the first page of the text in full, unless a dozen long names leave no room;
// then as much of the title, labels and links as fits. A Message may have 40,000.
func PlainCard(i alert.Incident, lane string, aside ...string) Message {
	if i.Message != nil {
		return plainPassed(i, aside)
	}
	tail := asides(aside)
	tail = append(tail, strings.Join(slices.Concat(handling(i, called), facts(i, called), origin(i, lane)), dot))
	if who := ping(i.Mentions[lane]); who != "" {
		tail = append(tail, who)
	}
	left := maxText - size(strings.Join(tail, "\n")) - len("\n\n")
	text := shorter(page(alert.Pages(i.Text, 1)[0]), min(alert.PageSize, left-minTitle))
	lines := newLines(left - alert.EscapedLen(text))
	lines.add(fit(summary(i), lines.left))
	if visible(text) {
		lines.all = append(lines.all, literal(text))
	}
	if members := topMembers(i, min(lines.left-len("\n"), maxPlainMembers)); members != "" {
		lines.add(members)
	}
	if all := cardLabels(i); len(all) > 0 && lines.left > maxLabelValue {
		lines.add(pairs(all, min(lines.left-len(" and 200 more labels "), maxLabelLine), 0))
	}
	lines.all = append(lines.all, tail...)
	lines.addLinks("", i.Links)
	return Message{Text: said(lines.text())}
}

// lines collects whole lines within a budget of characters.
type lines struct {
	all  []string
	left int
}

func newLines(budget int) *lines { return &lines{left: budget} }

// add takes a line if it fits, and reports whether it did.
func (l *lines) add(line string) bool {
	size := size(line) + len("\n")
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
