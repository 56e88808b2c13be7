package render

import "github.com/slack-go/slack"

// Twice is the small print of a message that may be shown a second time.
const Twice = "Possibly shown twice: the answer to an earlier attempt was lost, and Slack could not be searched for it."

// maxAside bounds one line of small print, so that two of them and the first
// page of a text fit into one message.
const maxAside = 250

// Below adds lines of unescaped small print to the end of a message of text
// alone.
func (m Message) Below(lines ...string) Message {
	for _, line := range asides(lines) {
		m.Text += "\n_" + line + "_"
	}
	return m
}

// asides escapes lines of small print and leaves out those that show nothing.
func asides(lines []string) []string {
	var escaped []string
	for _, line := range lines {
		if line = oneLine(line); visible(line) {
			escaped = append(escaped, fit(literal(line), maxAside))
		}
	}
	return escaped
}

// smallPrint is a headline with lines of small print under it.
func smallPrint(headline slack.Block, lines []string) []slack.Block {
	blocks := []slack.Block{headline}
	for _, line := range asides(lines) {
		blocks = append(blocks, small(line))
	}
	return blocks
}
