package render

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// The most characters of one line: in a digest, and in a part of its list, so
// that alert.ListPage of them fit into 4,000 characters.
const (
	maxTopLine  = 180
	maxListLine = 190
)

// Digest draws the one message that represents many incidents: how many of each
// severity, how the most telling label divides them, the worst of them, and a
// link to the complete list; listed is its permalink, or empty until there is
// one. Lines of small print go under the headline, and so does whom it pings
// (alert.Summary.Mention), which is the end of its Text.
func Digest(s alert.Summary, listed string, aside ...string) Message {
	var blocks []slack.Block
	for _, part := range digestParts(s, listed) {
		blocks = append(blocks, section(part))
	}
	blocks = append(blocks, digestActions(s)...)
	return Message{
		Text:        PlainDigest(s, listed, aside...).Text,
		Blocks:      top(digestTitle(s), aside, s.Mention),
		Attachments: barred(digestColour(s), digestTitle(s), blocks...),
	}
}

var digestID = regexp.MustCompile(`^[A-Za-z0-9-]{1,100}$`)

// digestActions are the buttons for all incidents of a digest that it still shows as open.
func digestActions(s alert.Summary) []slack.Block {
	unresolved := totalOf(s.Severities)
	if unresolved == 0 || !digestID.MatchString(s.ID) {
		return nil
	}
	var buttons []slack.BlockElement
	if unresolved > s.Acked {
		buttons = append(buttons, primary(chosen(ActionAckAll, "Acknowledge all", s.ID)))
	}
	return actionRow(append(buttons, chosen(ActionSilenceAll, "Silence…", s.ID)))
}

// PlainDigest is Digest as escaped text of at most 4,000 characters, for when
// Slack has refused the blocks.
func PlainDigest(s alert.Summary, listed string, aside ...string) Message {
	parts := slices.Concat([]string{digestTitle(s)}, digestParts(s, listed), asides(aside))
	if who := ping(s.Mention); who != "" {
		parts = append(parts, who)
	}
	return Message{Text: said(strings.Join(parts, "\n"))}
}

func digestParts(s alert.Summary, listed string) []string {
	parts := []string{bySeverity(s), inCommon(s), byLabel(s), topLines(s), digestFacts(s, listed)}
	return slices.DeleteFunc(parts, func(part string) bool { return part == "" })
}

func digestTitle(s alert.Summary) string {
	sign := "✅"
	if worst, ok := worstOf(s); ok {
		sign = severitySign(worst)
	} else if s.Own > 0 {
		sign = "⚪" // their own cards show their state
	}
	return sign + " " + plural(s.Total, "incident") + " at once"
}

// worstOf is the worst severity of those not resolved, if there is any.
func worstOf(s alert.Summary) (alert.Severity, bool) {
	for _, severity := range alert.Severities() {
		if s.Severities[severity] > 0 {
			return severity, true
		}
	}
	return "", false
}

func digestColour(s alert.Summary) string {
	worst, ok := worstOf(s)
	switch {
	case ok:
		return colour(alert.Incident{Severity: worst})
	case s.Own > 0:
		return colourAcked
	}
	return colourResolved
}

func bySeverity(s alert.Summary) string {
	parts := severityCounts(s.Severities)
	if s.Acked > 0 {
		parts = append(parts, fmt.Sprintf("*%d* of them acknowledged", s.Acked))
	}
	if s.Resolved > 0 {
		parts = append(parts, fmt.Sprintf("✅ *%d* resolved", s.Resolved))
	}
	return strings.Join(parts, dot)
}

// inCommon are the labels that all incidents share.
func inCommon(s alert.Summary) string {
	parts := make([]string, 0, len(s.Common))
	for _, c := range s.Common {
		parts = append(parts, fit(oneLine(c.Label+"="+c.Value), maxTopLine))
	}
	if len(parts) == 0 {
		return ""
	}
	return "*All*: " + strings.Join(parts, ", ")
}

func byLabel(s alert.Summary) string {
	if s.Label == "" {
		return ""
	}
	parts := make([]string, 0, len(s.Values)+1)
	for _, v := range s.Values {
		parts = append(parts, fmt.Sprintf("%s *%d*", fit(oneLine(v.Value), maxLabelName), v.Count))
	}
	if s.Others > 0 {
		parts = append(parts, fmt.Sprintf("other *%d*", s.Others))
	}
	return bold(oneLine(s.Label), maxLabelName) + ": " + strings.Join(parts, dot)
}

func topLines(s alert.Summary) string {
	lines := make([]string, 0, len(s.Top))
	for _, l := range s.Top {
		lines = append(lines, listLine(l, maxTopLine))
	}
	return strings.Join(lines, "\n")
}

// listLine is one incident on one line of at most budget characters.
func listLine(l alert.Line, budget int) string {
	mark := sign(alert.Incident{Severity: l.Severity, State: l.State})
	tail := dot + quoted(orDash(l.ID))
	if l.Count > 1 {
		tail += dot + times(l.Count)
	}
	if l.Own {
		tail += dot + "has its own card"
	}
	return mark + " " + titleIn(l.Title, budget-size(tail)-3) + tail
}

func digestFacts(s alert.Summary, listed string) string {
	parts := []string{plural(s.Alerts, "alert")}
	if !s.FirstAt.IsZero() {
		parts = append(parts, "first "+date(s.FirstAt), "last "+date(s.LastAt))
	}
	if s.Own > 0 {
		parts = append(parts, fmt.Sprintf("%d shown separately", s.Own))
	}
	if address, ok := ownAddress(listed); ok {
		return strings.Join(append(parts, link("Complete list", address)), dot)
	}
	return strings.Join(append(parts, "the complete list follows in the thread"), dot)
}

// DigestList draws one part of a digest's complete list for its thread.
func DigestList(lines []alert.Line, n alert.Note) Message {
	text := make([]string, 0, len(lines)+1)
	text = append(text, "*Complete list*, "+listPart(lines, n))
	for _, l := range lines {
		text = append(text, listLine(l, maxListLine))
	}
	return Message{Text: said(strings.Join(text, "\n")), Blocks: []slack.Block{section(strings.Join(text, "\n"))}}
}

// ListTitle is the title of a file with a part of a digest's complete list.
func ListTitle(lines []alert.Line, n alert.Note) string {
	return "Complete list, " + listPart(lines, n)
}

func listPart(lines []alert.Line, n alert.Note) string {
	return fmt.Sprintf("%d to %d, in order of arrival", n.From+1, n.From+len(lines))
}

// ListFile is a part of a digest's complete list as plain text, for a file, with
// everything that the latest alert of each incident says.
func ListFile(lines []alert.Line, n alert.Note) []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, ListTitle(lines, n))
	for _, l := range lines {
		fmt.Fprintf(&b, "\n%-8s  %s  %s\n", strings.ToUpper(string(l.Severity)), l.ID, title(l.Title))
		fmt.Fprintf(&b, "          %s, fired %s, first %s, last %s\n", l.State, times(l.Count), utc(l.FirstAt), utc(l.LastAt))
		if l.Source != "" {
			fmt.Fprintf(&b, "          from %s\n", oneLine(l.Source))
		}
		for _, name := range slices.Sorted(maps.Keys(l.Labels)) {
			fmt.Fprintf(&b, "          %s=%s\n", labelText(name), labelText(l.Labels[name]))
		}
		for _, link := range l.Links {
			fmt.Fprintf(&b, "          %s\n", oneLine(link.Label+" "+link.URL))
		}
		for line := range strings.Lines(clean(l.Text)) {
			fmt.Fprintf(&b, "          %s\n", strings.TrimRight(line, "\n"))
		}
	}
	return b.Bytes()
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }
