package playground

import (
	"regexp"
	"strings"
)

// names resolves what people type after @ and # to ids.
type names struct {
	user    func(name string) (id string, ok bool)
	channel func(name string) (id string, ok bool)
	group   func(handle string) (id string, ok bool)
}

// richElement is one inline element of a rich_text block.
type richElement struct {
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

// typedToken finds what Slack's composer turns into something else than plain text.
var typedToken = regexp.MustCompile(`https?://[^\s<>|]+|[@#][\p{L}\p{N}._-]+|:[a-z0-9_+-]+:`)

// typed cuts a typed line into the inline elements that Slack's own client would send for it.
func typed(text string, n names) []richElement {
	var out []richElement
	plain := func(s string) {
		if s != "" {
			out = append(out, richElement{Type: "text", Text: s})
		}
	}
	at := 0
	for _, span := range typedToken.FindAllStringIndex(text, -1) {
		element, size := n.element(text[span[0]:span[1]])
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

// element resolves one token; size says how many of its bytes belong to it, 0 when it is plain text after all.
func (n names) element(token string) (richElement, int) {
	switch token[0] {
	case '@':
		return n.mention(token)
	case '#':
		for name := token[1:]; name != ""; name = shorter(name) {
			if id, ok := n.channel(name); ok {
				return richElement{Type: "channel", ChannelID: id, label: name}, len(name) + 1
			}
		}
		return richElement{}, 0
	case ':':
		return richElement{Type: "emoji", Name: strings.Trim(token, ":")}, len(token)
	}
	url := strings.TrimRight(token, ".,;:!?)")
	return richElement{Type: "link", URL: url}, len(url)
}

func (n names) mention(token string) (richElement, int) {
	switch word := token[1:]; word {
	case "here", "channel", "everyone":
		return richElement{Type: "broadcast", Range: word}, len(token)
	}
	for name := token[1:]; name != ""; name = shorter(name) {
		if id, ok := n.user(name); ok {
			return richElement{Type: "user", UserID: id, label: name}, len(name) + 1
		}
		if id, ok := n.group(name); ok {
			return richElement{Type: "usergroup", GroupID: id, label: name}, len(name) + 1
		}
	}
	return richElement{}, 0
}

// shorter drops one trailing dot or dash, so that "@ann." still means ann; any other ending ends the search.
func shorter(name string) string {
	if last := name[len(name)-1]; last == '.' || last == '-' || last == '_' {
		return name[:len(name)-1]
	}
	return ""
}

// escaper is Slack's whole escaping rule: these three characters, nothing else.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// messageText is the mrkdwn text of a message made of these elements, as events carry it.
func messageText(elements []richElement) string {
	return joinElements(elements, func(e richElement) string {
		switch e.Type {
		case "user":
			return "<@" + e.UserID + ">"
		case "usergroup":
			return "<!subteam^" + e.GroupID + ">"
		}
		return "<#" + e.ChannelID + "|>"
	})
}

// commandText is the argument of a slash command with should_escape: mentions carry the name as well.
func commandText(elements []richElement) string {
	return joinElements(elements, func(e richElement) string {
		switch e.Type {
		case "user":
			return "<@" + e.UserID + "|" + e.label + ">"
		case "usergroup":
			return "<!subteam^" + e.GroupID + "|@" + e.label + ">"
		}
		return "<#" + e.ChannelID + "|" + e.label + ">"
	})
}

func joinElements(elements []richElement, mention func(richElement) string) string {
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

// richText wraps elements in the one rich_text block a typed message has.
func richText(blockID string, elements []richElement) []map[string]any {
	section := map[string]any{"type": "rich_text_section", "elements": elements}
	return []map[string]any{{"type": "rich_text", "block_id": blockID, "elements": []any{section}}}
}
