package playground

import (
	"net/url"
	"regexp"
	"strings"
)

// textMode is what Slack does to a text besides escaping.
type textMode struct {
	// links turns bare URLs into <url>.
	links bool
	// names turns bare @here, @channel, @everyone, @person and #channel into mentions.
	names bool
}

// modeOf reads parse, link_names and mrkdwn arguments of a message.
func modeOf(a args) textMode {
	switch a.text("parse") {
	case "none":
		return textMode{names: a.flag("link_names")}
	case "full":
		return textMode{links: true, names: true}
	default:
		return textMode{links: true, names: a.flag("link_names")}
	}
}

var (
	controlSequence = regexp.MustCompile(`<(?:https?://|mailto:|tel:|slack://|[@#!])[^<>\n]*>`)
	bareURL         = regexp.MustCompile(`https?://[^\s<>|"` + "`" + `]+`)
	bareName        = regexp.MustCompile(`(^|[\s(])([@#])([a-z0-9][a-z0-9._-]*)`)
	entity          = regexp.MustCompile(`&(?:amp|lt|gt);`)
)

// mutateLocked is a text as Slack gives it back: control sequences stay, everything else is escaped once and linked.
func (s *Server) mutateLocked(text string, mode textMode) string {
	if !strings.ContainsAny(text, "&<>@#:") {
		return text
	}
	var out strings.Builder
	rest := 0
	for _, at := range controlSequence.FindAllStringIndex(text, -1) {
		out.WriteString(s.mutatePlainLocked(text[rest:at[0]], mode))
		out.WriteString(text[at[0]:at[1]])
		rest = at[1]
	}
	out.WriteString(s.mutatePlainLocked(text[rest:], mode))
	return out.String()
}

func (s *Server) mutatePlainLocked(text string, mode textMode) string {
	if !mode.links {
		return s.linkNamesLocked(escapeText(text), mode)
	}
	var out strings.Builder
	rest := 0
	for _, at := range bareURL.FindAllStringIndex(text, -1) {
		link := strings.TrimRight(text[at[0]:at[1]], ".,;:!?)*_~'")
		out.WriteString(s.linkNamesLocked(escapeText(text[rest:at[0]]), mode))
		out.WriteString("<" + escapeText(link) + ">")
		rest = at[0] + len(link)
	}
	out.WriteString(s.linkNamesLocked(escapeText(text[rest:]), mode))
	return out.String()
}

// escapeText escapes &, < and >, and leaves the entities that are there already.
func escapeText(text string) string {
	if !strings.ContainsAny(text, "&<>") {
		return text
	}
	var out strings.Builder
	rest := 0
	escaper := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	for _, at := range entity.FindAllStringIndex(text, -1) {
		out.WriteString(escaper.Replace(text[rest:at[0]]))
		out.WriteString(text[at[0]:at[1]])
		rest = at[1]
	}
	out.WriteString(escaper.Replace(text[rest:]))
	return out.String()
}

// linkNamesLocked turns the names of people, channels and broadcasts into mentions.
func (s *Server) linkNamesLocked(text string, mode textMode) string {
	if !mode.names || !strings.ContainsAny(text, "@#") {
		return text
	}
	return bareName.ReplaceAllStringFunc(text, func(hit string) string {
		parts := bareName.FindStringSubmatch(hit)
		name := strings.TrimRight(parts[3], ".-_")
		if mention := s.mentionLocked(parts[2], name); mention != "" {
			return parts[1] + mention + parts[3][len(name):]
		}
		return hit
	})
}

func (s *Server) mentionLocked(sign, name string) string {
	if sign == "#" {
		if c := s.channelLocked("#" + name); c != nil && !c.IsPrivate && !c.IsIM {
			return "<#" + c.ID + "|" + c.Name + ">"
		}
		return ""
	}
	switch name {
	case "here", "channel", "everyone":
		return "<!" + name + ">"
	}
	if u := s.userLocked(name); u != nil && u.Name == name {
		return "<@" + u.ID + ">"
	}
	if g := s.groupLocked(name); g != nil && g.Handle == name && !g.Disabled {
		return "<!subteam^" + g.ID + ">"
	}
	return ""
}

func pathEscape(name string) string { return url.PathEscape(name) }
