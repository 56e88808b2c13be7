package render

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// mentioning matches what notifies somebody in a text that Slack reads: its <!here>,
// <@U…> and <!subteam^…>, and the bare names that some clients link. There is none in
// a@here.com.
var mentioning = regexp.MustCompile(`<([!@#])|\B@(here|channel|everyone)\b`)

// inMarkdown is Markdown in which nothing notifies anybody: mentions show as they are
// written. In code, where Markdown has no entities, they have a character without width in
// them.
func inMarkdown(text string) string {
	const wordJoiner = "\u2060"
	var b strings.Builder
	at := 0
	for _, code := range codeIn(text) {
		b.WriteString(mentioning.ReplaceAllStringFunc(text[at:code[0]], asEntity))
		b.WriteString(mentioning.ReplaceAllStringFunc(text[code[0]:code[1]], func(found string) string { return found[:1] + wordJoiner + found[1:] }))
		at = code[1]
	}
	return b.String() + mentioning.ReplaceAllStringFunc(text[at:], asEntity)
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
		inCode := slices.ContainsFunc(code, func(c [2]int) bool { return c[0] <= part[0] && part[0] < c[1] })
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

// codeIn finds the code in Markdown, as byte offsets: fenced blocks, of which the last may
// have no end, and code spans.
func codeIn(text string) (code [][2]int) {
	mark, begin, at := "", 0, 0
	for line := range strings.Lines(text) {
		if m := fenceLine.FindStringSubmatch(line); m != nil {
			switch marks, info := m[1], strings.TrimSpace(m[2]); {
			case mark == "" && (marks[0] == '~' || !strings.Contains(info, "`")):
				code = append(code, spansIn(text[:at], begin)...)
				mark, begin = marks, at+len(line)
			case mark != "" && strings.HasPrefix(marks, mark) && info == "":
				code = append(code, [2]int{begin, at})
				mark, begin = "", at+len(line)
			}
		}
		at += len(line)
	}
	if mark != "" {
		return append(code, [2]int{begin, len(text)})
	}
	return append(code, spansIn(text, begin)...)
}

// spansIn finds the code spans from an offset on: between equally many backquotes in one
// paragraph.
func spansIn(text string, from int) (spans [][2]int) {
	runs := backquotes.FindAllStringIndex(text[from:], -1)
	for n := 0; n < len(runs); n++ {
		begin, marks := runs[n][1], runs[n][1]-runs[n][0]
		for to := n + 1; to < len(runs); to++ {
			if runs[to][1]-runs[to][0] == marks && !blankLine.MatchString(text[from+begin:from+runs[to][0]]) {
				spans = append(spans, [2]int{from + begin, from + runs[to][0]})
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
