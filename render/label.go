package render

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// How many labels a card shows: as fields, and in one small line with more.
const (
	maxLabelFields = 6 // of the 10 that fit: a card is read at a glance
	maxLabelName   = 60
	maxLabelValue  = 200
	maxMoreLabels  = 400
)

// firstLabels are the labels that say what is broken and where, the most useful
// first. The others follow by name.
var firstLabels = [...]string{
	"service", "app", "component", "host", "hostname", "instance", "node", "cluster", "env", "environment",
	"region", "zone", "namespace", "deployment", "pod", "container", "job", "team",
}

// label is one name and value, cleaned but not escaped.
type label struct{ name, value string }

// labelsOf lists the labels worth showing, the most useful first. It leaves out
// empty ones and those that only repeat the title or a severity.
func labelsOf(i alert.Incident) []label {
	var all []label
	for name, value := range i.Labels {
		l := label{literal(labelText(name)), literal(labelText(value))}
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

// labelText is a label's name or value on one line. Labels identify things, so
// characters that hide or reorder text are written as escapes, not removed.
func labelText(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if !strings.ContainsFunc(s, invisible) {
		return oneLine(s)
	}
	var b strings.Builder
	for _, r := range s {
		if invisible(r) && !unicode.IsSpace(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return oneLine(b.String())
}

func repeats(i alert.Incident, name, value string) bool {
	switch strings.ToLower(name) {
	case "severity":
		// The card shows the incident's own, which may have changed since.
		return slices.Contains(alert.Severities(), alert.Severity(strings.ToLower(value)))
	case "alertname", "title", "summary":
		return oneLine(value) == title(i.Title)
	}
	return false
}

func rank(name string) int {
	if at := slices.Index(firstLabels[:], strings.ToLower(name)); at >= 0 {
		return at
	}
	return len(firstLabels)
}

func labelBlocks(i alert.Incident) []slack.Block {
	all := labelsOf(i)
	if len(all) == 0 {
		return nil
	}
	return []slack.Block{labelFields(all[:min(len(all), maxLabelFields)], maxLabelValue)}
}

func labelFields(labels []label, most int) slack.Block {
	fields := make([]string, 0, len(labels))
	for _, l := range labels {
		fields = append(fields, bold(l.name, maxLabelName)+"\n"+fit(l.value, most))
	}
	return fieldset(fields...)
}

// pairs lists labels as name=value within budget characters, and says how many
// did not fit.
func pairs(labels []label, budget int) string {
	var b strings.Builder
	for at, l := range labels {
		one := fit(l.name, maxLabelName) + "=" + fit(l.value, maxLabelValue)
		if at > 0 {
			one = ", " + one
		}
		if utf8.RuneCountInString(b.String())+utf8.RuneCountInString(one) > budget {
			more := plural(len(labels)-at, "more label")
			if at == 0 {
				return "and " + more
			}
			return b.String() + " and " + more
		}
		b.WriteString(one)
	}
	return b.String()
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
	for _, link := range links {
		if address, ok := webAddress(link.URL); ok {
			l.add(mark + linkText(address, linkLabel(link)))
		}
	}
}

// linkText is a link in mrkdwn; the address comes from webAddress.
func linkText(address, name string) string {
	name = strings.ReplaceAll(literal(oneLine(name)), "|", "¦")
	return fmt.Sprintf("<%s|%s>", escaper.Replace(address), fit(name, maxButton))
}
