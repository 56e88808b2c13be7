package render

import (
	"fmt"
	"maps"
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

// Digest draws the one message that stands for many incidents: how many of
// which severity, how the label that splits them best divides them, the worst
// of them, and the way to the complete list; listed is its permalink, or empty
// while it is not there yet. Lines of unescaped small print go under the headline,
// and whom it pings (alert.Summary.Mention) stands there and begins its Text.
func Digest(s alert.Summary, listed string, aside ...string) Message {
	var blocks []slack.Block
	for _, part := range []string{bySeverity(s), byLabel(s), topLines(s), digestFacts(s, listed)} {
		if part != "" {
			blocks = append(blocks, section(part))
		}
	}
	top := smallPrint(header(digestTitle(s)), aside)
	if who := ping(s.Mention); who != "" {
		top = append(top, section(who))
	}
	return Message{
		Text:   PlainDigest(s, listed, aside...).Text,
		Blocks: top,
		Attachments: []slack.Attachment{{
			Color: digestColour(s), Fallback: fit(digestTitle(s), maxFallback), Blocks: slack.Blocks{BlockSet: blocks},
		}},
	}
}

// PlainDigest is Digest as escaped text of at most 4,000 characters, for when
// Slack has refused the blocks.
func PlainDigest(s alert.Summary, listed string, aside ...string) Message {
	head := strings.TrimLeft(ping(s.Mention)+" "+digestTitle(s), " ")
	parts := append([]string{head}, asides(aside)...)
	for _, part := range []string{bySeverity(s), byLabel(s), topLines(s), digestFacts(s, listed)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return Message{Text: strings.Join(parts, "\n")}
}

func digestTitle(s alert.Summary) string {
	sign := "✅"
	if worst, ok := worstOf(s); ok {
		sign = severitySign(worst)
	}
	return sign + " " + plural(s.Total, "incident") + " at once"
}

// worstOf is the worst severity that is not resolved yet, if there is any.
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
	if !ok {
		return colourResolved
	}
	return colour(alert.Incident{Severity: worst})
}

func bySeverity(s alert.Summary) string {
	var parts []string
	for _, severity := range alert.Severities() {
		if n := s.Severities[severity]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s *%d* %s", severitySign(severity), n, severity))
		}
	}
	if s.Acked > 0 {
		parts = append(parts, fmt.Sprintf("*%d* of them acknowledged", s.Acked))
	}
	if s.Resolved > 0 {
		parts = append(parts, fmt.Sprintf("✅ *%d* resolved", s.Resolved))
	}
	return strings.Join(parts, dot)
}

func byLabel(s alert.Summary) string {
	if s.Label == "" {
		return ""
	}
	parts := make([]string, 0, len(s.Values)+1)
	for _, v := range s.Values {
		parts = append(parts, fmt.Sprintf("%s *%d*", fit(literal(oneLine(v.Value)), maxLabelName), v.Count))
	}
	if s.Others > 0 {
		parts = append(parts, fmt.Sprintf("others *%d*", s.Others))
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
		tail += dot + "has a card of its own"
	}
	return mark + " " + fit(literal(title(l.Title)), budget-len([]rune(tail))-3) + tail
}

func digestFacts(s alert.Summary, listed string) string {
	parts := []string{plural(s.Alerts, "alert")}
	if !s.FirstAt.IsZero() {
		parts = append(parts, "first "+date(s.FirstAt), "last "+date(s.LastAt))
	}
	if s.Own > 0 {
		parts = append(parts, fmt.Sprintf("%d got a card of their own", s.Own))
	}
	if address, ok := ownAddress(listed); ok {
		return strings.Join(append(parts, linkText(address, "Complete list")), dot)
	}
	return strings.Join(append(parts, "the complete list follows in the thread"), dot)
}

// DigestList draws one part of a digest's complete list for its thread.
func DigestList(s alert.Summary, n alert.Note) Message {
	lines := make([]string, 0, len(s.Lines)+1)
	lines = append(lines, fmt.Sprintf("*Complete list*, %d to %d, in the order they came", n.From+1, n.From+len(s.Lines)))
	for _, l := range s.Lines {
		lines = append(lines, listLine(l, maxListLine))
	}
	return Message{Text: strings.Join(lines, "\n")}
}

// ListFile is a digest's complete list as plain text, for a file.
func ListFile(s alert.Summary) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, in the order they came\n", plural(len(s.Lines), "incident"))
	for _, l := range s.Lines {
		fmt.Fprintf(&b, "\n%-8s  %s  %s\n", strings.ToUpper(string(l.Severity)), l.ID, title(l.Title))
		fmt.Fprintf(&b, "          %s, fired %s, first %s, last %s\n", l.State, times(l.Count), utc(l.FirstAt), utc(l.LastAt))
		for _, name := range slices.Sorted(maps.Keys(l.Labels)) {
			fmt.Fprintf(&b, "          %s=%s\n", oneLine(name), oneLine(l.Labels[name]))
		}
		for line := range strings.Lines(clean(l.Text)) {
			fmt.Fprintf(&b, "          %s\n", strings.TrimRight(line, "\n"))
		}
		if l.TextLeft > 0 {
			fmt.Fprintf(&b, "          … %s more: GET /v1/incidents/%s\n", plural(l.TextLeft, "character"), l.ID)
		}
	}
	return []byte(b.String())
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }
