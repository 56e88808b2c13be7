package mrkdwn

import (
	"regexp"
	"strings"
)

// Element is one inline element of a rich_text block.
type Element struct {
	Type      string `json:"type"`
	Text      string `json:"text,omitempty"`
	UserID    string `json:"user_id,omitempty"`
	ChannelID string `json:"channel_id,omitempty"`
	URL       string `json:"url,omitempty"`
	Name      string `json:"name,omitempty"`
	Range     string `json:"range,omitempty"`
	GroupID   string `json:"usergroup_id,omitempty"`

	label string // how the element was typed, for the long form <@U…|ann> of slash commands
}

// typedToken finds what Slack's composer does not send as plain text.
var typedToken = regexp.MustCompile(`https?://[^\s<>|]+|[@#][\p{L}\p{N}._-]+|:[a-z0-9_+-]+:`)

// Typed cuts a typed line into the inline elements that Slack's own client would send for it.
func Typed(text string, n Names) []Element {
	var out []Element
	plain := func(s string) {
		if s != "" {
			out = append(out, Element{Type: "text", Text: s})
		}
	}
	at := 0
	for _, span := range typedToken.FindAllStringIndex(text, -1) {
		element, size := n.typed(text[span[0]:span[1]])
		if size == 0 {
			continue
		}
		plain(text[at:span[0]])
		out = append(out, element)
		at = span[0] + size
	}
	plain(text[at:])
	return out
}

// typed resolves one token; size says how many of its bytes belong to it, 0 when it is plain text.
func (n Names) typed(token string) (Element, int) {
	switch token[0] {
	case '@':
		return n.typedMention(token)
	case '#':
		for name := token[1:]; name != ""; name = shorter(name) {
			if id, ok := n.Channel(name); ok {
				return Element{Type: "channel", ChannelID: id, label: name}, len(name) + 1
			}
		}
		return Element{}, 0
	case ':':
		return Element{Type: "emoji", Name: strings.Trim(token, ":")}, len(token)
	}
	url := strings.TrimRight(token, ".,;:!?)")
	return Element{Type: "link", URL: url}, len(url)
}

func (n Names) typedMention(token string) (Element, int) {
	switch word := token[1:]; word {
	case "here", "channel", "everyone":
		return Element{Type: "broadcast", Range: word}, len(token)
	}
	for name := token[1:]; name != ""; name = shorter(name) {
		if id, ok := n.User(name); ok {
			return Element{Type: "user", UserID: id, label: name}, len(name) + 1
		}
		if id, ok := n.Group(name); ok {
			return Element{Type: "usergroup", GroupID: id, label: name}, len(name) + 1
		}
	}
	return Element{}, 0
}

// shorter drops one trailing dot or dash, so that "@ann." still means ann; any other ending ends the search.
func shorter(name string) string {
	if last := name[len(name)-1]; last == '.' || last == '-' || last == '_' {
		return name[:len(name)-1]
	}
	return ""
}

// escaper is Slack's escaping rule: these three characters and nothing else.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// MessageText is the mrkdwn text of a message made of these elements, as events carry it.
func MessageText(elements []Element) string {
	return joinElements(elements, func(e Element) string {
		switch e.Type {
		case "user":
			return "<@" + e.UserID + ">"
		case "usergroup":
			return "<!subteam^" + e.GroupID + ">"
		}
		return "<#" + e.ChannelID + "|>"
	})
}

// CommandText is the argument of a slash command with should_escape: mentions carry the name as well.
func CommandText(elements []Element) string {
	return joinElements(elements, func(e Element) string {
		switch e.Type {
		case "user":
			return "<@" + e.UserID + "|" + e.label + ">"
		case "usergroup":
			return "<!subteam^" + e.GroupID + "|@" + e.label + ">"
		}
		return "<#" + e.ChannelID + "|" + e.label + ">"
	})
}

func joinElements(elements []Element, mention func(Element) string) string {
	var b strings.Builder
	for _, e := range elements {
		switch e.Type {
		case "text":
			b.WriteString(escaper.Replace(e.Text))
		case "user", "usergroup", "channel":
			b.WriteString(mention(e))
		case "broadcast":
			b.WriteString("<!" + e.Range + ">")
		case "link":
			b.WriteString("<" + e.URL + ">")
		case "emoji":
			b.WriteString(":" + e.Name + ":")
		}
	}
	return b.String()
}

// RichText wraps elements in the one rich_text block a typed message has.
func RichText(blockID string, elements []Element) []map[string]any {
	section := map[string]any{"type": "rich_text_section", "elements": elements}
	return []map[string]any{{"type": "rich_text", "block_id": blockID, "elements": []any{section}}}
}
