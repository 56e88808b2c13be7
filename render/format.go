package render

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// mentioning matches what notifies somebody in a text that Slack reads: its <!here>,
// <@U…> and <!subteam^…>, and the bare names that some clients link.
var mentioning = regexp.MustCompile(`<([!@#])|@(here|channel|everyone)\b`)

// inMarkdown is Markdown in which nothing notifies anybody: mentions show as they are
// written.
func inMarkdown(text string) string {
	return mentioning.ReplaceAllStringFunc(text, func(found string) string {
		if name, bare := strings.CutPrefix(found, "@"); bare {
			return "&#64;" + name
		}
		return "&lt;" + found[1:]
	})
}

var (
	// sendersLink matches what a sender may write between < and >: links, dates and
	// channels, none of which notifies anybody.
	sendersLink = regexp.MustCompile(`<(?:(?:https?://|mailto:|tel:)[^<>|\s]+(?:\|[^<>\n]*)?|!date\^\d+\^[^<>|\n]+\|[^<>\n]+|#C[A-Z0-9]+)>`)
	// sendersEscape matches what a sender has escaped.
	sendersEscape = regexp.MustCompile(`&(?:amp|lt|gt);`)
)

// inMrkdwn is Slack's own markup in which nothing notifies anybody, with bare web
// addresses as links as long as there is room.
func inMrkdwn(text string) string {
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
