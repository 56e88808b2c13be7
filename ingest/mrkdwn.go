package ingest

import (
	"cmp"
	"slices"
	"strings"

	"tocsin/alert"
)

// plain returns mrkdwn as text, and keeps the links in it and whom it mentions
// (docs/slack.md §5).
func (m *slackMessage) plain(s string) string {
	if strings.Contains(s, "<") {
		s = rewritten(s, '<', func(rest string, _ int) (string, int) { return m.reference(rest) })
	}
	return unescape(unbold(s))
}

// unbold returns mrkdwn without the stars around bold words.
func unbold(s string) string {
	if !strings.Contains(s, "*") {
		return s
	}
	return rewritten(s, '*', boldFromMrkdwn)
}

// rewritten returns mrkdwn in which read has read what begins with a mark, except in code. read
// is given the mark with what follows it, and the byte before it or -1, and returns what that
// becomes and how many bytes it has read; 0 if the mark stands for itself.
func rewritten(s string, mark byte, read func(rest string, before int) (string, int)) string {
	var out strings.Builder
	done, fenced := 0, true
	for i := 0; i < len(s); {
		switch s[i] {
		case '`':
			var size int
			size, fenced = codeSize(s[i:], fenced)
			i += max(size, 1)
			continue
		case mark:
			before := -1
			if i > 0 {
				before = int(s[i-1])
			}
			if becomes, size := read(s[i:], before); size > 0 {
				out.WriteString(s[done:i])
				out.WriteString(becomes)
				i += size
				done = i
				continue
			}
		}
		i++
	}
	if done == 0 {
		return s
	}
	out.WriteString(s[done:])
	return out.String()
}

// codeSize is how many bytes of code s begins with, in which nothing stands for anything else:
// a block between three backquotes each, or a span in one line. It is 0 if the backquote is none
// of code's. fenced is false once no block ends any more.
func codeSize(s string, fenced bool) (size int, fencedStill bool) {
	const fence = "```"
	if fenced && strings.HasPrefix(s, fence) {
		if n := strings.Index(s[len(fence):], fence); n >= 0 {
			return len(fence) + n + len(fence), true
		}
		fenced = false
	}
	if n := strings.IndexAny(s[1:], "`\n"); n > 0 && s[1+n] == '`' {
		return n + 2, fenced
	}
	return 0, fenced
}

// boldFromMrkdwn returns the words of the bold passage that s begins with, and its size: stars
// around words, not between them.
func boldFromMrkdwn(s string, before int) (words string, size int) {
	if before >= 0 && !isBlankByte(byte(before)) && before != '(' {
		return "", 0
	}
	n := strings.IndexAny(s[1:], "*\n")
	if n < 1 || s[1+n] != '*' || isBlankByte(s[1]) || isBlankByte(s[n]) {
		return "", 0
	}
	if end := n + 2; end < len(s) && isWordByte(s[end]) {
		return "", 0
	}
	return s[1 : 1+n], n + 2
}

func isBlankByte(c byte) bool { return strings.IndexByte("\t\n\f\r ", c) >= 0 }

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// reference returns the link, mention or special command that s begins with as text, and its
// size. It keeps a link, and who is mentioned.
func (m *slackMessage) reference(s string) (said string, size int) {
	n := strings.IndexAny(s[1:], "<>\n")
	if n < 0 || s[1+n] != '>' {
		return "", 0
	}
	size = n + 2
	target, label, named := strings.Cut(s[1:1+n], "|")
	switch {
	case strings.HasPrefix(target, "!date^"):
		return cmp.Or(label, dateOf(target)), size
	case strings.HasPrefix(target, "!"):
		who := strings.TrimPrefix(target[1:], "subteam^")
		m.mention(who)
		return "@" + cmp.Or(strings.TrimPrefix(label, "@"), who), size
	case strings.HasPrefix(target, "@"), strings.HasPrefix(target, "#"):
		if target[0] == '@' {
			m.mention(target[1:])
		}
		return target[:1] + cmp.Or(strings.TrimLeft(label, "@#"), target[1:]), size
	}
	address := unescape(target)
	if mail, ok := strings.CutPrefix(target, "mailto:"); ok {
		return cmp.Or(label, mail), size
	}
	if !isAddress(address) {
		return s[:size], size
	}
	if len(m.links) < alert.MaxLinks { // the text says them all
		m.links = appendLink(m.links, unescape(unbold(label)), address)
	}
	if named && label != target {
		return label + " (" + target + ")", size
	}
	return target, size
}

// dateOf is the time of a date without words, !date^1392734382^{date}.
func dateOf(target string) string {
	seconds, _, _ := strings.Cut(strings.TrimPrefix(target, "!date^"), "^")
	at := timeOf(text(seconds))
	if at.IsZero() {
		return strings.TrimPrefix(target, "!")
	}
	return at.UTC().Format(dateLayout)
}

// dateLayout is how a text says a time that Slack would show in a reader's own zone.
const dateLayout = "2006-01-02 15:04 MST"

// mention keeps who is mentioned. Whether they are notified is for the configuration to say.
func (m *slackMessage) mention(who string) {
	if _, err := alert.ParseMention(who); err == nil && len(m.mentions) < alert.MostMentions && !slices.Contains(m.mentions, who) {
		m.mentions = append(m.mentions, who)
	}
}

// unescape reads the three characters that mrkdwn escapes.
func unescape(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}
