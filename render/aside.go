package render

import (
	"cmp"
	"fmt"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// Twice is the small print of a message that may be a duplicate.
const Twice = "Possibly a duplicate: Slack's answer to an earlier attempt was lost."

// FileTwice says the same at the end of a file's title.
const FileTwice = " (possibly a duplicate)"

// maxAside bounds one line of small print, so that two of them and the first
// page of a text fit into one message.
const maxAside = 250

// Below adds lines of small print to the end of a message.
func (m Message) Below(lines ...string) Message {
	for _, line := range asides(lines) {
		m.Text += "\n" + said(line)
		if m.Blocks != nil {
			m.Blocks = append(m.Blocks, small(line))
		}
	}
	return m
}

// asides are lines of small print without those that show nothing.
func asides(lines []string) []string {
	var escaped []string
	for _, line := range lines {
		if line = oneLine(line); visible(line) {
			escaped = append(escaped, fit(line, maxAside))
		}
	}
	return escaped
}

// top is a headline with lines of small print under it, and whom it pings.
func top(headline string, aside, mentions []string) []slack.Block {
	blocks := []slack.Block{header(headline)}
	for _, line := range asides(aside) {
		blocks = append(blocks, small(line))
	}
	if who := ping(mentions); who != "" {
		blocks = append(blocks, pinging(who))
	}
	return blocks
}

// MeantFor is the small print of a message that is shown in another conversation
// than intended; code is Slack's reason, or empty once that is over.
func MeantFor(lane, code string) string {
	if code == "" {
		return "Meant for " + lane + ", which could not be reached."
	}
	return "Meant for " + lane + ", " + unreachable(code) + "."
}

func unreachable(code string) string {
	return cmp.Or(alert.ExplainSlackError(code).Clause, "which Slack refuses ("+code+")")
}

// DeadLetters reports that messages for a conversation were given up, and how to
// see them.
func DeadLetters(g alert.UnreportedDeadLetters) Message {
	what := fmt.Sprintf("%d messages for %s were", g.Count, g.Lane)
	if g.Count == 1 {
		what = "1 message for " + g.Lane + " was"
	}
	return answer("⚠️ "+bold(oneLine(what)+" given up", maxAside)+": "+fit(oneLine(g.Reason), maxAside),
		"`tocsin queue list --state dead` lists them, `tocsin queue retry` sends them again.")
}
