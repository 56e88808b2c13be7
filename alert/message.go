package alert

import (
	"bytes"
	"cmp"
	"encoding/json"
	"regexp"
	"strings"
)

// Message is a message of Slack as its sender wrote it, which is posted in place of a card.
type Message struct {
	// Text is mrkdwn. With blocks it is only for notifications.
	Text        string            `json:"text,omitempty"`
	Blocks      []json.RawMessage `json:"blocks,omitempty"`
	Attachments []json.RawMessage `json:"attachments,omitempty"`
	// Begins is set in place of them where it is our own, about a silence.
	Begins *Beginning `json:"begins,omitempty"`
}

var (
	// controlMention is a mention in mrkdwn: <@U1>, <@U1|ann>, <!here>, <!subteam^S1|@dba>.
	controlMention = regexp.MustCompile(`<(?:@([UW][A-Z0-9]+)|!(here|channel|everyone|group)|!subteam\^([A-Z0-9]+))(?:\|([^<>]*))?>`)
	// bareMention is what Slack makes a mention of in a text object that is not verbatim.
	bareMention = regexp.MustCompile(`(^|[^\w<])@\w`)
)

// WithMentions returns the message in which only mentions notify that permits says yes to;
// they are written as by ParseMention. The others are shown as text.
func (m *Message) WithMentions(permits func(mention string) bool) *Message {
	if m == nil {
		return nil
	}
	r := restriction{permits}
	return &Message{Text: r.text(m.Text, "@"), Blocks: r.all(m.Blocks), Attachments: r.all(m.Attachments)}
}

// restriction changes the parts of a message.
type restriction struct {
	permits func(mention string) bool
}

func (r restriction) all(parts []json.RawMessage) (changed []json.RawMessage) {
	for _, part := range parts {
		changed = append(changed, ChangeJSON(part, r.object))
	}
	return changed
}

// text takes the mentions out of mrkdwn that may not notify; at is written for an @.
func (r restriction) text(text, at string) string {
	return controlMention.ReplaceAllStringFunc(text, func(found string) string {
		m := controlMention.FindStringSubmatch(found)
		if who := cmp.Or(m[1], m[2], m[3]); !r.permits(who) {
			return at + strings.TrimPrefix(cmp.Or(m[4], who), "@")
		}
		return found
	})
}

// object changes an object of Block Kit or an attachment.
func (r restriction) object(o map[string]any) {
	kind, _ := o["type"].(string)
	switch kind {
	case "plain_text", "text": // is shown as it is written
		return
	case "user", "usergroup", "broadcast":
		r.element(o)
		return
	}
	at := "@"
	if kind == "markdown" {
		at = "&#64;"
	}
	for name, value := range o {
		text, ok := value.(string)
		if !ok {
			continue
		}
		o[name] = r.text(text, at)
		switch bare := bareMention.MatchString(controlMention.ReplaceAllString(o[name].(string), "")); {
		case bare && kind == "mrkdwn":
			o["verbatim"] = true
		case bare && kind == "markdown":
			o[name] = bareMention.ReplaceAllStringFunc(o[name].(string), func(s string) string { return strings.ReplaceAll(s, "@", at) })
		}
	}
}

// element makes text of a mention in rich text that may not notify.
func (r restriction) element(o map[string]any) {
	for _, name := range []string{"user_id", "usergroup_id", "range"} {
		if who, ok := o[name].(string); ok && !r.permits(who) {
			delete(o, name)
			o["type"], o["text"] = "text", "@"+who
		}
	}
}

// ChangeJSON returns a JSON value with each object in it changed, the outer ones first. What
// is not JSON stays as it is.
func ChangeJSON(raw json.RawMessage, change func(map[string]any)) json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var value any
	if d.Decode(&value) != nil {
		return raw
	}
	changeObjects(value, change)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(value) != nil {
		return raw
	}
	return bytes.TrimSpace(b.Bytes())
}

func changeObjects(value any, change func(map[string]any)) {
	switch v := value.(type) {
	case []any:
		for _, one := range v {
			changeObjects(one, change)
		}
	case map[string]any:
		change(v)
		for _, one := range v {
			changeObjects(one, change)
		}
	}
}
