package render

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// How many labels a card shows, and how much of them: as many as fit into one line, and
// a few that are too long for it.
const (
	maxLabelLine  = 400
	maxLabelLong  = 4 // fields, or lines if they are addresses: a card is read at a glance
	maxLabelName  = alert.CardLabelName
	maxLabelValue = alert.CardLabel
	// shortLabel is how many characters a value in the line has.
	shortLabel = 40
)

// firstLabels are the labels that say what is broken and where, the most useful
// first. The others follow by name.
var firstLabels = [...]string{
	"service", "app", "component", "host", "hostname", "instance", "node", "cluster", "env", "environment",
	"region", "zone", "namespace", "deployment", "pod", "container", "job", "team",
}

// label is one name and value, cleaned but not escaped.
type label struct {
	name, value string
	// whole matches the label as it was sent.
	whole alert.Matcher
}

func newLabel(name, value string) label {
	return label{labelText(name), labelText(value), alert.LabelMatcher(labelText(name), strings.ToValidUTF8(value, "\uFFFD"))}
}

// labelsOf lists the labels worth showing, the most useful first. It leaves out
// empty ones and those that only repeat the title or a severity.
func labelsOf(i alert.Incident) []label {
	var all []label
	for name, value := range i.Labels {
		l := newLabel(name, value)
		if !visible(l.name) || !visible(l.value) || repeats(i, name, value) {
			continue
		}
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b label) int {
		if d := rank(a.name) - rank(b.name); d != 0 {
			return d
		}
		return strings.Compare(a.name+"\x00"+a.value, b.name+"\x00"+b.value)
	})
	return all
}

// cardLabels are what a card shows where labels are: the fields of its route, else the
// labels.
func cardLabels(i alert.Incident) []label {
	if len(i.Fields) == 0 {
		return labelsOf(i)
	}
	all := make([]label, len(i.Fields))
	for n, f := range i.Fields {
		all[n] = label{name: labelText(f.Name), value: labelText(f.Value)}
	}
	return all
}

// isField reports whether it is a field, which no matcher finds.
func (l label) isField() bool { return l.whole.Name == "" }

// labelText is a label's name or value. Labels identify things, so it is what the
// sender wrote, but for control characters and those that reorder text, which are
// written as escapes.
func labelText(s string) string {
	hides := func(r rune) bool {
		return unicode.Is(unicode.Cc, r) && !unicode.IsSpace(r) || unicode.Is(unicode.Bidi_Control, r)
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if !strings.ContainsFunc(s, hides) {
		return clean(s)
	}
	var b strings.Builder
	for _, r := range s {
		if hides(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return clean(b.String())
}

// repeats reports whether a label says only what the sign or the title says already.
func repeats(i alert.Incident, name, value string) bool {
	switch strings.ToLower(name) {
	case "severity":
		return alert.Severity(strings.ToLower(value)) == i.Severity
	case "alertname", "title", "summary":
		return oneLine(value) == title(i.Title) || i.Group != nil && strings.HasPrefix(title(i.Title), oneLine(value)+" (")
	}
	return false
}

func rank(name string) int {
	if at := slices.Index(firstLabels[:], strings.ToLower(name)); at >= 0 {
		return at
	}
	return len(firstLabels)
}

// labelBlocks draws as many labels as fit: short ones in a line, addresses in a line
// each, and the others in two columns, or one alone in a line.
func labelBlocks(all []label) []slack.Block {
	var short []label
	var lines, long []string
	left := 0
	for _, l := range all {
		switch {
		case l.short():
			short = append(short, l)
		case len(lines)+len(long) == maxLabelLong || alert.EscapedLen(l.value) > maxLabelLink && l.linked():
			left++
		case l.linked():
			lines = append(lines, l.pair(maxLabelLink))
		default:
			long = append(long, l.field())
		}
	}
	if len(long) == 1 {
		lines, long = append(lines, strings.Replace(long[0], "\n", ": ", 1)), nil
	}
	if len(short) > 0 || left > 0 {
		lines = append([]string{pairs(short, maxLabelLine, left)}, lines...)
	}
	return drawn(lines, long)
}

// drawn draws lines of labels, and below them labels in columns.
func drawn(lines, inColumns []string) (blocks []slack.Block) {
	if len(lines) > 0 {
		blocks = append(blocks, section(strings.Join(lines, "\n")))
	}
	if len(inColumns) > 0 {
		blocks = append(blocks, columns(inColumns))
	}
	return blocks
}

// maxLabelLink is how many characters, escaped, a label with an address has on a card.
const maxLabelLink = alert.CardLabelLink

// short says whether a label is drawn as name=value, which can be pasted into a silence.
func (l label) short() bool {
	return utf8.RuneCountInString(l.value) <= shortLabel && utf8.RuneCountInString(l.name) <= maxLabelName && !l.linked()
}

// linked says whether there is a web address in a label.
func (l label) linked() bool { return len(addressesIn(l.value)) > 0 }

// pair is a label as a matcher that finds it, if it has at most so many characters.
func (l label) pair(budget int) string {
	if l.isField() {
		return fit(l.name+": "+l.value, budget+maxLabelName)
	}
	written := l.whole.String()
	if strings.HasSuffix(written, `="`+l.value+`"`) && !strings.ContainsFunc(l.value, func(r rune) bool { return !wordRune(r) && !strings.ContainsRune("._/-+@%", r) }) {
		written = strings.TrimSuffix(written, `"`+l.value+`"`) + l.value
	}
	if alert.EscapedLen(written) <= budget+maxLabelName {
		return literal(written)
	}
	return l.beginning(budget + maxLabelName)
}

// field is a long label: as a matcher if it is one line, else as text.
func (l label) field() string {
	if !l.isField() && !strings.Contains(l.value, "\n") {
		return l.beginning(maxLabelValue + maxLabelName)
	}
	return fit(l.name, maxLabelName) + "\n" + fit(l.value, maxLabelValue)
}

// beginning is a label as a matcher of at most so many characters. Where its value is cut,
// the matcher finds what begins like it.
func (l label) beginning(budget int) string {
	m := l.whole
	for room := budget; room > 0; {
		m.Value = shorter(l.whole.Value, room)
		over := alert.EscapedLen(m.String()) - budget
		if over <= 0 {
			return literal(m.String())
		}
		room -= (over + 1) / 2 // a quotation mark is two characters
	}
	return fit(l.whole.String(), budget)
}

// pairs lists labels as name=value within budget characters, and says how many there are
// in addition, with those that are left out already.
func pairs(labels []label, budget, left int) string {
	var b strings.Builder
	used := 0
	for at, l := range labels {
		one := l.pair(maxLabelValue)
		if at > 0 {
			one = ", " + one
		}
		if used += size(one); used > budget {
			left += len(labels) - at
			break
		}
		b.WriteString(one)
	}
	switch {
	case left == 0:
		return b.String()
	case b.Len() == 0:
		return plural(left, "label")
	}
	return b.String() + " and " + plural(left, "more label")
}

// columns lays texts from outside out in two columns.
func columns(texts []string) slack.Block {
	fields := make([]*slack.TextBlockObject, 0, len(texts))
	for _, t := range texts {
		fields = append(fields, plain(t))
	}
	return slack.NewSectionBlock(nil, fields, nil)
}

// harmless percent-encodes the characters that would end a link early or begin
// another.
var harmless = strings.NewReplacer("|", "%7C", "<", "%3C", ">", "%3E", " ", "%20")

// webAddress returns an http or https address in the form that a button takes.
func webAddress(raw string) (string, bool) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", false
	}
	address := harmless.Replace(u.String())
	return address, clean(address) == address && utf8.RuneCountInString(address) <= maxURL
}

// ownAddress is webAddress for Slack's permalinks, which are short enough to go
// into a text without being counted.
func ownAddress(raw string) (string, bool) {
	const most = 500
	address, ok := webAddress(raw)
	return address, ok && alert.EscapedLen(address) <= most
}

// linkLabel is a link's own label, or the host it leads to.
func linkLabel(l alert.Link) string {
	if s := oneLine(l.Label); visible(s) {
		return s
	}
	if u, err := url.Parse(strings.TrimSpace(l.URL)); err == nil && visible(oneLine(u.Host)) {
		return oneLine(u.Host)
	}
	return "Open"
}

// addLinks takes the links that fit, each with mark before it.
func (l *lines) addLinks(mark string, links []alert.Link) {
	for _, one := range links {
		if address, ok := webAddress(one.URL); ok {
			l.add(mark + link(cut(linkLabel(one), maxButton), address))
		}
	}
}
