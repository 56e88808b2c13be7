package render

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// mentioning matches what notifies somebody in a text that Slack reads: its <!here>,
// <@U…> and <!subteam^…>, and the bare names that some clients link. There is none in
// a@here.com.
var mentioning = regexp.MustCompile(`<([!@#])|\B@(here|channel|everyone)\b`)

// wholeMention is mentioning with what belongs to it.
var wholeMention = regexp.MustCompile(`<[!@#][^<>]*>|` + mentioning.String())

// mostCode is how many blocks of code in a page of Markdown are blocks of their own.
const mostCode = 5

// markdownBlocks draws Markdown in which nothing notifies anybody. A fenced block that
// mentions somebody is a block of its own, because Markdown has no entities in code.
func markdownBlocks(text string) (blocks []slack.Block) {
	add := func(part string) {
		if part = strings.Trim(part, "\n"); visible(part) {
			blocks = append(blocks, slack.NewMarkdownBlock("", inMarkdown(part)))
		}
	}
	at, own := 0, 0
	for _, c := range codeIn(text) {
		inside := text[c.from:c.to]
		if c.fenced && own < mostCode && mentioning.MatchString(inside) {
			add(text[at:c.begin])
			blocks = append(blocks, slack.NewRichTextBlock("", preformatted(strings.TrimSuffix(inside, "\n"))))
			at, own = c.end, own+1
		}
	}
	add(text[at:])
	return blocks
}

// inMarkdown is Markdown in which nothing notifies anybody: mentions show as they are
// written. In code that can't be divided around them, they have a character without width in
// them.
func inMarkdown(text string) string {
	const wordJoiner = "\u2060"
	var b strings.Builder
	at := 0
	for _, c := range codeIn(text) {
		inside := text[c.from:c.to]
		if !mentioning.MatchString(inside) {
			continue
		}
		if divided, ok := c.around(inside); ok {
			b.WriteString(mentioning.ReplaceAllStringFunc(text[at:c.begin], asEntity) + divided)
			at = c.end
			continue
		}
		b.WriteString(mentioning.ReplaceAllStringFunc(text[at:c.from], asEntity))
		b.WriteString(mentioning.ReplaceAllStringFunc(inside, func(found string) string { return found[:1] + wordJoiner + found[1:] }))
		at = c.to
	}
	return b.String() + mentioning.ReplaceAllStringFunc(text[at:], asEntity)
}

// around is a code span as several, with what it mentions between them.
func (c codePart) around(inside string) (divided string, ok bool) {
	marks := strings.Repeat("`", c.from-c.begin)
	if c.fenced || strings.Contains(inside, "\n") {
		return "", false
	}
	for part := range strings.SplitSeq(wholeMention.ReplaceAllString(inside, "\n$0\n"), "\n") {
		switch {
		case mentioning.MatchString(part):
			divided += mentioning.ReplaceAllStringFunc(part, asEntity)
		case strings.HasPrefix(part, "`"), strings.HasSuffix(part, "`"):
			return "", false
		case strings.TrimSpace(part) == "":
			divided += part
		default:
			divided += marks + part + marks
		}
	}
	return divided, true
}

// partsAsCode is Markdown with the parts of addresses that are longer than a page as code:
// Slack would make links of them, which lead elsewhere. So many bytes of it continue one.
func partsAsCode(text string, within int) string {
	if within > 0 {
		return "`" + text[:within] + "`" + partsAsCode(text[within:], 0)
	}
	var b strings.Builder
	code := codeIn(text)
	at := 0
	for _, part := range longAddresses(text) {
		inCode := slices.ContainsFunc(code, func(c codePart) bool { return c.from <= part[0] && part[0] < c.to })
		if !inCode {
			b.WriteString(text[at:part[0]] + "`" + text[part[0]:part[1]] + "`")
			at = part[1]
		}
	}
	return b.String() + text[at:]
}

// asEntity is a mention with the entity of its first character.
func asEntity(found string) string {
	if name, bare := strings.CutPrefix(found, "@"); bare {
		return "&#64;" + name
	}
	return "&lt;" + found[1:]
}

var (
	// fenceLine is a line that may open or close a block of code in Markdown.
	fenceLine = regexp.MustCompile("^ {0,3}(`{3,}|~{3,})(.*)")
	// blankLine ends a paragraph.
	blankLine = regexp.MustCompile(`\n[ \t\r]*\n`)
)

// codePart is code in Markdown: a fenced block or a code span. The code is from one byte to
// another, and with the marks around it from begin to end.
type codePart struct {
	begin, from, to, end int
	fenced               bool
}

// codeIn finds the code in Markdown: fenced blocks, of which the last may have no end, and
// code spans.
func codeIn(text string) (code []codePart) {
	mark, open, begin, at := "", 0, 0, 0
	for line := range strings.Lines(text) {
		if m := fenceLine.FindStringSubmatch(line); m != nil {
			switch marks, info := m[1], strings.TrimSpace(m[2]); {
			case mark == "" && (marks[0] == '~' || !strings.Contains(info, "`")):
				code = append(code, spansIn(text[:at], begin)...)
				mark, open, begin = marks, at, at+len(line)
			case mark != "" && strings.HasPrefix(marks, mark) && info == "":
				code = append(code, codePart{open, begin, at, at + len(line), true})
				mark, begin = "", at+len(line)
			}
		}
		at += len(line)
	}
	if mark != "" {
		return append(code, codePart{open, begin, len(text), len(text), true})
	}
	return append(code, spansIn(text, begin)...)
}

// spansIn finds the code spans from an offset on: between equally many backquotes in one
// paragraph.
func spansIn(text string, from int) (spans []codePart) {
	runs := backquotes.FindAllStringIndex(text[from:], -1)
	for n := 0; n < len(runs); n++ {
		begin, marks := runs[n][1], runs[n][1]-runs[n][0]
		for to := n + 1; to < len(runs); to++ {
			if runs[to][1]-runs[to][0] == marks && !blankLine.MatchString(text[from+begin:from+runs[to][0]]) {
				spans = append(spans, codePart{from + runs[n][0], from + begin, from + runs[to][0], from + runs[to][1], false})
				n = to
				break
			}
		}
	}
	return spans
}

var backquotes = regexp.MustCompile("`+")

var (
	// sendersLink matches what a sender may write between < and >: links, dates and
	// channels, none of which notifies anybody.
	sendersLink = regexp.MustCompile(`<(?:(?:https?://|mailto:|tel:)[^<>|\s]+(?:\|[^<>\n]*)?|!date\^\d+\^[^<>|\n]+\|[^<>\n]+|#C[A-Z0-9]+)>`)
	// sendersEscape matches what a sender has escaped.
	sendersEscape = regexp.MustCompile(`&(?:amp|lt|gt);`)
)

// inMrkdwn is Slack's own markup in which nothing notifies anybody, with bare web
// addresses as links as long as there is room. So many bytes of it continue an address, of
// which nothing is a link.
func inMrkdwn(text string, within int) string {
	if within = min(within, len(text)); within > 0 { // the text may have been shortened
		return escaper.Replace(text[:within]) + inMrkdwn(text[within:], 0)
	}
	linked := between(text, sendersLink, func(s string) string {
		var b strings.Builder
		at := 0
		for _, span := range addressesIn(s) {
			b.WriteString(escapeOnce(s[at:span[0]]) + "<" + escapeOnce(s[span[0]:span[1]]) + ">")
			at = span[1]
		}
		return b.String() + escapeOnce(s[at:])
	})
	if utf8.RuneCountInString(linked) <= maxSection {
		return linked
	}
	return between(text, sendersLink, escapeOnce)
}

// escapeOnce escapes what the sender has not.
func escapeOnce(s string) string { return between(s, sendersEscape, escaper.Replace) }

// between changes what is between the matches of a pattern, and keeps those.
func between(s string, kept *regexp.Regexp, change func(string) string) string {
	var b strings.Builder
	at := 0
	for _, span := range kept.FindAllStringIndex(s, -1) {
		b.WriteString(change(s[at:span[0]]) + s[span[0]:span[1]])
		at = span[1]
	}
	return b.String() + change(s[at:])
}
