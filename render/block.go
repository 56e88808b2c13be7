package render

import (
	"encoding/json"
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
	maxContext  = 10
	maxFallback = 500
	// maxBlocks is how many characters all blocks of a message have together
	// (docs/slack.md §5).
	maxBlocks = 10900
)

// markdown is a text object in which only the <…> that this package wrote are
// links or mentions.
func markdown(escaped string) *slack.TextBlockObject {
	return &slack.TextBlockObject{Type: slack.MarkdownType, Text: escaped, Verbatim: true}
}

// plain is a text object without markup, in which no name of an emoji is replaced.
func plain(line string) *slack.TextBlockObject {
	emoji := false
	var b strings.Builder
	for _, p := range pieces(line) {
		b.WriteString(escaper.Replace(p.text))
	}
	return &slack.TextBlockObject{Type: slack.PlainTextType, Text: b.String(), Emoji: &emoji}
}

// section draws a line, or several, as text.
func section(line string) slack.Block {
	return slack.NewRichTextBlock("", slack.NewRichTextSection(inline(line)...))
}

// pinging is the block that notifies whom it names.
func pinging(mentions string) slack.Block {
	return slack.NewSectionBlock(markdown(said(mentions)), nil, nil)
}

func header(s string) slack.Block { return slack.NewHeaderBlock(plain(fit(s, maxHeader))) }

// small is a context block: its parts side by side. Only mrkdwn draws dates and bold
// words and only plain text draws text from outside as it is, so a line of both has an
// element for each run of them.
func small(parts ...string) slack.Block {
	var runs []*slack.TextBlockObject
	for _, p := range pieces(strings.Join(parts, dot)) {
		text, kind := inSmall(p)
		last := len(runs) - 1
		switch {
		case last >= 0 && (kind == "" || kind == runs[last].Type):
			runs[last].Text += text
		case last+1 == maxContext:
			runs[last].Text += escaper.Replace(p.text)
		case kind == slack.PlainTextType:
			runs = append(runs, plain(""))
			runs[last+1].Text = text
		default:
			runs = append(runs, markdown(text))
		}
	}
	var all []slack.MixedElement
	for _, run := range runs {
		all = append(all, run)
	}
	return slack.NewContextBlock("", all...)
}

// inSmall is a piece in a context block, and which text object draws it; empty for any.
func inSmall(p piece) (text, kind string) {
	text = escaper.Replace(p.text)
	switch {
	case p.control:
		return "<" + p.text + ">", slack.MarkdownType
	case !p.own:
		return text, slack.PlainTextType
	case p.code:
		return "`" + text + "`", slack.MarkdownType
	case p.bold:
		return "*" + text + "*", slack.MarkdownType
	}
	return text, ""
}

// fieldset lays short texts of ours out in two columns.
func fieldset(own ...string) slack.Block {
	fields := make([]*slack.TextBlockObject, 0, len(own))
	for _, f := range own {
		fields = append(fields, markdown(f))
	}
	return slack.NewSectionBlock(nil, fields, nil)
}

// barred is an attachment: blocks beside a bar in a colour. fallback is what shows
// where they can't be drawn.
func barred(colour, fallback string, blocks ...slack.Block) []slack.Attachment {
	return []slack.Attachment{{Color: colour, Fallback: said(fit(fallback, maxFallback)), Blocks: slack.Blocks{BlockSet: blocks}}}
}

func button(action, label string) *slack.ButtonBlockElement {
	return slack.NewButtonBlockElement(action, "", plain(fit(label, maxButton)))
}

// preformatted is a block of code.
func preformatted(code string) *slack.RichTextPreformatted {
	return &slack.RichTextPreformatted{
		Type: slack.RTEPreformatted, Elements: []slack.RichTextSectionElement{slack.NewRichTextSectionTextElement(code, nil)},
	}
}

func quoted(word string) string { return "`" + fit(oneLine(word), 100) + "`" }

// bold makes text from outside bold.
func bold(s string, budget int) string { return "*" + fit(s, budget) + "*" }

// answer is a message that says the same with and without blocks.
func answer(lines ...string) Message {
	line := strings.Join(lines, "\n")
	return Message{Text: said(line), Blocks: []slack.Block{section(line)}}
}

// weight bounds how many characters a message's blocks have together.
func weight(m Message) int {
	body, _ := json.Marshal([]any{m.Blocks, m.Attachments}) // all of it can be encoded
	return len(body)
}
