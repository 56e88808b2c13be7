package ingest

import (
	"cmp"
	"regexp"
	"strings"

	"tocsin/alert"
)

// code is a passage of mrkdwn in which nothing stands for anything else.
const code = "(?s:```.*?```)|`[^`\n]+`"

// inMrkdwn is code, or a link, mention or special command of mrkdwn (docs/slack.md §5).
var inMrkdwn = regexp.MustCompile(code + `|<([^<>\n]*)>`)

// inBold is code, or a bold passage: stars around words, not between them.
var inBold = regexp.MustCompile(`(` + code + `)|(^|[\s(])\*([^\s*](?:[^*\n]*[^\s*])?)\*\B`)

// fromMrkdwn returns mrkdwn as text, and the links in it. Nobody is mentioned by text.
func fromMrkdwn(s string) (string, []alert.Link) {
	var links []alert.Link
	// In a long text without their characters, the expressions look for a second.
	if strings.Contains(s, "<") {
		s = inMrkdwn.ReplaceAllStringFunc(s, func(found string) string { return linkFromMrkdwn(found, &links) })
	}
	if strings.Contains(s, "*") {
		s = inBold.ReplaceAllString(s, "$1$2$3")
	}
	return unescape(s), links
}

// linkFromMrkdwn returns what is found by inMrkdwn as text, and adds a link.
func linkFromMrkdwn(found string, links *[]alert.Link) string {
	if found[0] == '`' {
		return found
	}
	target, label, named := strings.Cut(found[1:len(found)-1], "|")
	switch {
	case strings.HasPrefix(target, "!date^") && label != "":
		return label
	case strings.HasPrefix(target, "!"):
		return "@" + cmp.Or(strings.TrimPrefix(label, "@"), strings.TrimPrefix(target, "!"))
	case strings.HasPrefix(target, "@"), strings.HasPrefix(target, "#"):
		return target[:1] + cmp.Or(strings.TrimLeft(label, "@#"), target[1:])
	}
	address := unescape(target)
	if mail, ok := strings.CutPrefix(target, "mailto:"); ok {
		return cmp.Or(label, mail)
	}
	if more := addLink(*links, unescape(cmp.Or(label, "Open")), address); len(more) > len(*links) {
		*links = more
	} else if !isAddress(address) {
		return found
	}
	if named && label != target {
		return label + " (" + target + ")"
	}
	return target
}

// unescape reads the three characters that mrkdwn escapes.
func unescape(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}
