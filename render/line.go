package render

import (
	"cmp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// A line is what this package writes: a string with *bold*, `code`, and Slack's <…> for
// dates, channels and people. Text from outside and links are in it between marks, which
// are control characters that clean removes from every text, so that nothing in them is
// read as markup. section draws a line as rich_text, small as a context block, and said
// as the text of a message.
const (
	outsideBegin = "\x0e"
	outsideEnd   = "\x0f"
	linkBegin    = "\x1c"
	linkAddress  = "\x1d" // between the name and the address
	linkEnd      = "\x1e"
)

// piece is a part of a line that is drawn in one way.
type piece struct {
	// text is what a person reads; of a control, what is between < and >.
	text string
	// address is where a link leads.
	address               string
	bold, code            bool
	outside, control, own bool
}

// literal is text from outside in a line. What can't be markup stays without marks.
func literal(s string) string {
	if !strings.ContainsFunc(s, markup) {
		return s
	}
	return outsideBegin + s + outsideEnd
}

// markup says whether a character can be a part of markup, of an emoji's name or of an
// address.
func markup(r rune) bool { return strings.ContainsRune("*_~`<>&:\n", r) }

// link is a link in a line, both parts from outside.
func link(name, address string) string { return linkBegin + name + linkAddress + address + linkEnd }

// pieces takes a line apart.
func pieces(line string) []piece {
	var all []piece
	var now piece
	for line != "" {
		p := now
		var size int
		switch line[:1] {
		case "*":
			if !now.code {
				now.bold, line = !now.bold, line[1:]
				continue
			}
			p.own, p.text, size = true, "*", 1
		case "`":
			now.code, line = !now.code, line[1:]
			continue
		case outsideBegin:
			p.outside, size = true, through(line, outsideEnd)
			p.text = line[1 : size-1]
		case linkBegin:
			size = through(line, linkEnd)
			p.text, p.address, _ = strings.Cut(line[1:size-1], linkAddress)
		case "<":
			p.control, size = true, through(line, ">")
			p.text = line[1 : size-1]
		default:
			size = strings.IndexAny(line[1:], "*`<"+outsideBegin+linkBegin) + 1
			if size == 0 {
				size = len(line)
			}
			p.own, p.text = true, line[:size]
		}
		all, line = append(all, p), line[size:]
	}
	return all
}

// through is the length of line up to and with end.
func through(line, end string) int {
	if at := strings.Index(line, end); at > 0 {
		return at + len(end)
	}
	return len(line)
}

// said is a line as the text of a message, where Slack is asked to read no markup but
// <…> (mrkdwn: false, docs/slack.md §5). Commands are in backquotes there too.
func said(line string) string {
	var b strings.Builder
	inCode := false
	for _, p := range pieces(line) {
		if p.code != inCode {
			b.WriteString("`")
			inCode = p.code
		}
		switch address := escaper.Replace(harmless.Replace(p.address)); {
		case p.control:
			b.WriteString("<" + p.text + ">")
		case address != "" && !strings.ContainsFunc(p.text, markup) && !strings.Contains(p.text, "|"):
			b.WriteString("<" + address + "|" + p.text + ">")
		case address != "":
			b.WriteString(escaper.Replace(p.text) + " <" + address + ">")
		default:
			b.WriteString(escaper.Replace(p.text))
		}
	}
	if inCode {
		b.WriteString("`")
	}
	return b.String()
}

// size is the length of a line in characters, as it is said.
func size(line string) int { return utf8.RuneCountInString(said(line)) }

// inline draws a line as the elements of rich text.
func inline(line string) []slack.RichTextSectionElement {
	var row elements
	for _, p := range pieces(line) {
		style := style(p)
		switch {
		case p.control:
			row.control(p.text, style)
		case p.address != "":
			row.link(p.text, p.address, style)
		case p.outside && !p.code:
			row.linked(p.text, style)
		default:
			row.text(p.text, style)
		}
	}
	return row.all
}

func style(p piece) slack.RichTextSectionTextStyle {
	return slack.RichTextSectionTextStyle{Bold: p.bold, Code: p.code}
}

// elements collects the elements of one section of rich text.
type elements struct {
	all []slack.RichTextSectionElement
}

// text adds text, to the element before it if that looks the same.
func (e *elements) text(s string, style slack.RichTextSectionTextStyle) {
	if s == "" {
		return
	}
	if n := len(e.all); n > 0 {
		if before, ok := e.all[n-1].(*slack.RichTextSectionTextElement); ok && *cmp.Or(before.Style, &slack.RichTextSectionTextStyle{}) == style {
			before.Text += s
			return
		}
	}
	e.all = append(e.all, slack.NewRichTextSectionTextElement(s, styled(style)))
}

func styled(style slack.RichTextSectionTextStyle) *slack.RichTextSectionTextStyle {
	if style == (slack.RichTextSectionTextStyle{}) {
		return nil
	}
	return &style
}

func (e *elements) link(name, address string, style slack.RichTextSectionTextStyle) {
	if name == address {
		name = ""
	}
	e.all = append(e.all, slack.NewRichTextSectionLinkElement(address, name, styled(style)))
}

// linked adds text with the web addresses in it as links.
func (e *elements) linked(s string, style slack.RichTextSectionTextStyle) {
	at := 0
	for _, span := range addressesIn(s) {
		e.text(s[at:span[0]], style)
		e.link("", s[span[0]:span[1]], style)
		at = span[1]
	}
	e.text(s[at:], style)
}

// control adds a date, or the name of a channel, person or group. It notifies nobody at
// large: <!here> is not drawn.
func (e *elements) control(s string, style slack.RichTextSectionTextStyle) {
	if id, ok := strings.CutPrefix(s, "#"); ok {
		e.all = append(e.all, slack.NewRichTextSectionChannelElement(id, styled(style)))
	} else if id, ok := strings.CutPrefix(s, "@"); ok {
		e.all = append(e.all, slack.NewRichTextSectionUserElement(id, styled(style)))
	} else if id, ok := strings.CutPrefix(s, "!subteam^"); ok {
		e.all = append(e.all, slack.NewRichTextSectionUserGroupElement(id))
	} else if date, ok := strings.CutPrefix(s, "!date^"); ok {
		words, fallback, _ := strings.Cut(date, "|")
		at, format, _ := strings.Cut(words, "^")
		seconds, _ := strconv.ParseInt(at, 10, 64) // dateAs wrote it
		e.all = append(e.all, slack.NewRichTextSectionDateElement(seconds, format, nil, &fallback))
	}
}
