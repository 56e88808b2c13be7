package render

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// passed draws an incident's Message as its sender wrote it, with lines of small print at
// its end. A click on what is in it does nothing but open addresses.
func passed(i alert.Incident, aside []string) Message {
	if b := i.Message.Begins; b != nil {
		return silenceBegins(*b, aside)
	}
	m := Message{Text: i.Message.Text, Mrkdwn: true}
	clicks := 0
	harmless := func(o map[string]any) {
		if _, ok := o["action_id"]; ok || clickable(o) {
			o["action_id"] = fmt.Sprintf("%s:passed-%d", ActionLink, clicks)
			clicks++
		}
	}
	for _, block := range i.Message.Blocks {
		m.Blocks = append(m.Blocks, passedBlock(alert.ChangeJSON(block, harmless)))
	}
	for _, attachment := range i.Message.Attachments {
		m.Passed = append(m.Passed, alert.ChangeJSON(attachment, harmless))
	}
	if m.Text == "" && len(m.Blocks) > 0 { // then it is only for notifications
		m.Text, m.Mrkdwn = plainPassed(i, nil).Text, false
	}
	lines := asides(aside)
	switch {
	case len(m.Blocks) > 0 && len(lines) > 0:
		m.Blocks = append(m.Blocks, small(lines...))
	case len(lines) > 0:
		m.Text = strings.TrimLeft(m.Text+"\n"+said(strings.Join(lines, "\n")), "\n")
	}
	return m
}

// clickable reports whether an object is an element for which Slack makes an action_id.
func clickable(o map[string]any) bool {
	kind, _ := o["type"].(string)
	return slices.Contains([]string{"button", "overflow", "checkboxes", "radio_buttons", "workflow_button", "feedback_buttons", "icon_button"}, kind) ||
		strings.HasSuffix(kind, "_select") || strings.HasSuffix(kind, "picker") || strings.HasSuffix(kind, "_input")
}

// passedBlock is a block as somebody else wrote it.
type passedBlock json.RawMessage

// BlockType returns the type that the block says.
func (b passedBlock) BlockType() slack.MessageBlockType {
	var said struct{ Type slack.MessageBlockType }
	_ = json.Unmarshal(b, &said) // then it has none
	return said.Type
}

// ID returns nothing: nobody asks for it.
func (passedBlock) ID() string { return "" }

// MarshalJSON returns the block.
func (b passedBlock) MarshalJSON() ([]byte, error) { return b, nil }

// maxPassed is how much of a message without blocks is shown (docs/slack.md §2.6): Slack
// cuts what is longer.
const maxPassed = 39_000

// plainPassed is what a Message says, as escaped text, for when Slack has refused it.
func plainPassed(i alert.Incident, aside []string) Message {
	if b := i.Message.Begins; b != nil {
		return Message{Text: silenceBegins(*b, aside).Text}
	}
	lines := []string{shorter(title(i.Title), alert.MaxTitle)}
	if text := shorter(clean(i.Text), maxPassed); visible(text) {
		lines = append(lines, text)
	}
	for n := range lines {
		lines[n] = literal(lines[n])
	}
	return Message{Text: said(strings.Join(append(lines, asides(aside)...), "\n"))}
}
