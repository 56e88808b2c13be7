// Package mrkdwn is what Slack makes of text: it escapes and links what apps send, and turns what people type into the elements that its
// own client would send. It resolves names by the functions it is given and knows no workspace.
package mrkdwn

import (
	"regexp"
	"strings"
)

// Names resolves the names after @ and # to ids; ok is false for an unknown name.
type Names struct {
	User    func(name string) (id string, ok bool)
	Channel func(name string) (id string, ok bool)
	Group   func(handle string) (id string, ok bool)
}

// Mode is what Slack does to a text in addition to escaping.
type Mode struct {
	// Links turns bare URLs into <url>.
	Links bool
	// Names turns bare @here, @channel, @everyone, @person, @group and #channel into mentions.
	Names bool
}

var (
	controlSequence = regexp.MustCompile(`<(?:https?://|mailto:|tel:|slack://|[@#!])[^<>\n]*>`)
	bareURL         = regexp.MustCompile(`https?://[^\s<>|"` + "`" + `]+`)
	bareName        = regexp.MustCompile(`(^|[\s(])([@#])([a-z0-9][a-z0-9._-]*)`)
	entity          = regexp.MustCompile(`&(?:amp|lt|gt);`)
)

// Link returns a text as Slack gives it back: control sequences stay, everything else is escaped once and linked.
func Link(text string, mode Mode, n Names) string {
	if !strings.ContainsAny(text, "&<>@#:") {
		return text
	}
	var out strings.Builder
	rest := 0
	for _, at := range controlSequence.FindAllStringIndex(text, -1) {
		out.WriteString(linkPlain(text[rest:at[0]], mode, n))
		out.WriteString(text[at[0]:at[1]])
		rest = at[1]
	}
	out.WriteString(linkPlain(text[rest:], mode, n))
	return out.String()
}

func linkPlain(text string, mode Mode, n Names) string {
	if !mode.Links {
		return linkNames(escapeOnce(text), mode, n)
	}
	var out strings.Builder
	rest := 0
	for _, at := range bareURL.FindAllStringIndex(text, -1) {
		link := strings.TrimRight(text[at[0]:at[1]], ".,;:!?)*_~'")
		out.WriteString(linkNames(escapeOnce(text[rest:at[0]]), mode, n))
		out.WriteString("<" + escapeOnce(link) + ">")
		rest = at[0] + len(link)
	}
	out.WriteString(linkNames(escapeOnce(text[rest:]), mode, n))
	return out.String()
}

// escapeOnce escapes &, < and >, and leaves the entities that are there already.
func escapeOnce(text string) string {
	if !strings.ContainsAny(text, "&<>") {
		return text
	}
	var out strings.Builder
	rest := 0
	for _, at := range entity.FindAllStringIndex(text, -1) {
		out.WriteString(escaper.Replace(text[rest:at[0]]))
		out.WriteString(text[at[0]:at[1]])
		rest = at[1]
	}
	out.WriteString(escaper.Replace(text[rest:]))
	return out.String()
}

// linkNames turns the names of people, channels and broadcasts into mentions.
func linkNames(text string, mode Mode, n Names) string {
	if !mode.Names || !strings.ContainsAny(text, "@#") {
		return text
	}
	return bareName.ReplaceAllStringFunc(text, func(hit string) string {
		parts := bareName.FindStringSubmatch(hit)
		name := strings.TrimRight(parts[3], ".-_")
		if mention := n.mention(parts[2], name); mention != "" {
			return parts[1] + mention + parts[3][len(name):]
		}
		return hit
	})
}

// mention is the control sequence for a bare name, or empty when the name is unknown.
func (n Names) mention(sign, name string) string {
	if sign == "#" {
		if id, ok := n.Channel(name); ok {
			return "<#" + id + "|" + name + ">"
		}
		return ""
	}
	switch name {
	case "here", "channel", "everyone":
		return "<!" + name + ">"
	}
	if id, ok := n.User(name); ok {
		return "<@" + id + ">"
	}
	if id, ok := n.Group(name); ok {
		return "<!subteam^" + id + ">"
	}
	return ""
}
