package render

import (
	"strings"

	"github.com/slack-go/slack"
)

// Slack's limits in characters (docs/slack.md §2.6).
const (
	maxText     = 4000 // what chat.update takes as text
	maxSection  = 3000
	maxHeader   = 150
	maxButton   = 75
	maxURL      = 3000
	maxActions  = 25
	maxFallback = 500
)

// markdown is a text object in which only the <…> that this package wrote are
// links or mentions.
func markdown(escaped string) *slack.TextBlockObject {
	return &slack.TextBlockObject{Type: slack.MarkdownType, Text: escaped, Verbatim: true}
}

func plain(escaped string) *slack.TextBlockObject {
	emoji := true
	return &slack.TextBlockObject{Type: slack.PlainTextType, Text: escaped, Emoji: &emoji}
}

func section(escaped string) slack.Block {
	return slack.NewSectionBlock(markdown(escaped), nil, nil)
}

// unfolded is a section that Slack shows in full, without "Show more".
func unfolded(escaped string) slack.Block {
	return slack.NewSectionBlock(markdown(escaped), nil, nil, slack.SectionBlockOptionExpand(true))
}

func header(s string) slack.Block { return slack.NewHeaderBlock(plain(fit(s, maxHeader))) }

// small is a context line with its parts side by side.
func small(parts ...string) slack.Block {
	return slack.NewContextBlock("", markdown(strings.Join(parts, dot)))
}

// fieldset lays short texts out in two columns.
func fieldset(escaped ...string) slack.Block {
	fields := make([]*slack.TextBlockObject, 0, len(escaped))
	for _, f := range escaped {
		fields = append(fields, markdown(f))
	}
	return slack.NewSectionBlock(nil, fields, nil)
}

// barred is an attachment: blocks beside a bar in a colour. fallback is what shows
// where they can't be drawn.
func barred(colour, fallback string, blocks ...slack.Block) []slack.Attachment {
	return []slack.Attachment{{Color: colour, Fallback: fit(fallback, maxFallback), Blocks: slack.Blocks{BlockSet: blocks}}}
}

func button(action, label string) *slack.ButtonBlockElement {
	return slack.NewButtonBlockElement(action, "", plain(fit(label, maxButton)))
}

// code is a block of code; backticks in it can't end it early.
func code(lines ...string) string {
	text := strings.ReplaceAll(strings.Join(lines, "\n"), "`", "ˋ")
	return "```\n" + fit(text, maxSection/2) + "\n```"
}

func quoted(word string) string {
	return "`" + fit(strings.ReplaceAll(oneLine(word), "`", "ˋ"), 100) + "`"
}

// bold makes untrusted text bold, without stars that would end it early.
func bold(s string, budget int) string {
	return "*" + fit(strings.ReplaceAll(literal(s), "*", "∗"), budget) + "*"
}

// answer is a message that says the same with and without blocks.
func answer(lines ...string) Message {
	text := strings.Join(lines, "\n")
	return Message{Text: text, Blocks: []slack.Block{section(text)}}
}
