package blockkit

import (
	"fmt"
	"regexp"
)

// richTextBlock checks a rich_text block: sections, lists, quotes and preformatted text.
func (c *checker) richTextBlock(o object) {
	for i, e := range c.list(o, "elements", 1, 1000) {
		at := fmt.Sprintf("%s/elements/%d", o.at, i)
		el, ok := c.asObject(e, at)
		if !ok {
			continue
		}
		switch kind, _ := el.fields["type"].(string); kind {
		case "rich_text_section", "rich_text_quote":
			c.richInline(el)
		case "rich_text_preformatted":
			c.integer(el, "border", 0, 1)
			c.str(el, "language", 0, 50)
			c.richCode(el)
		case "rich_text_list":
			c.richList(el)
		default:
			c.fail(at+"/type", "unsupported type: %s", kind)
		}
	}
}

func (c *checker) richList(o object) {
	if style := c.need(o, "style", 10); style != "" && style != "bullet" && style != "ordered" {
		c.fail(o.at+"/style", "must be a valid enum value")
	}
	c.integer(o, "indent", 0, 8)
	c.integer(o, "border", 0, 1)
	for i, e := range c.list(o, "elements", 1, 1000) {
		at := fmt.Sprintf("%s/elements/%d", o.at, i)
		el, ok := c.asObject(e, at)
		if !ok {
			continue
		}
		if kind, _ := el.fields["type"].(string); kind != "rich_text_section" {
			c.fail(at+"/type", "unsupported type: %s", kind)
			continue
		}
		c.richInline(el)
	}
}

// richInline checks the inline elements of a section.
func (c *checker) richInline(o object) {
	for i, e := range c.list(o, "elements", 0, 10000) {
		if el, ok := c.asObject(e, fmt.Sprintf("%s/elements/%d", o.at, i)); ok {
			c.richElement(el)
		}
	}
}

// richCode checks the inline elements of preformatted text: text and links.
func (c *checker) richCode(o object) {
	for i, e := range c.list(o, "elements", 0, 10000) {
		at := fmt.Sprintf("%s/elements/%d", o.at, i)
		el, ok := c.asObject(e, at)
		if !ok {
			continue
		}
		if kind, _ := el.fields["type"].(string); kind != "text" && kind != "link" {
			c.fail(at+"/type", "unsupported type: %s", kind)
			continue
		}
		c.richElement(el)
	}
}

// richStyle checks how an inline element looks: names of styles, each true or false.
func (c *checker) richStyle(o object) {
	if o.fields["style"] == nil {
		return
	}
	style, ok := c.child(o, "style")
	if !ok {
		return
	}
	c.properties(style, "bold italic strike code underline highlight client_highlight unlink")
	for name, value := range style.fields {
		if _, isFlag := value.(bool); !isFlag {
			c.fail(style.at+"/"+name, "must be a boolean")
		}
	}
}

var hexColour = regexp.MustCompile(`^#[0-9A-Fa-f]{3,8}$`)

func (c *checker) richElement(o object) {
	kind, _ := o.fields["type"].(string)
	required := map[string]string{
		"text": "text", "link": "url", "emoji": "name", "user": "user_id", "channel": "channel_id", "usergroup": "usergroup_id",
		"broadcast": "range", "color": "value", "team": "team_id", "date": "format",
	}
	key, known := required[kind]
	if !known {
		c.fail(o.at+"/type", "unsupported type: %s", kind)
		return
	}
	value := c.need(o, key, maxText)
	c.richStyle(o)
	if kind == "color" && value != "" && !hexColour.MatchString(value) {
		c.fail(o.at+"/value", "must be a valid color")
	}
	if kind == "broadcast" && !containsWord("here channel everyone", fmt.Sprint(o.fields["range"])) {
		c.fail(o.at+"/range", "must be a valid enum value")
	}
	if kind == "date" {
		if _, given := c.integer(o, "timestamp", 0, 1<<40); !given {
			c.missing(o, "timestamp")
		}
	}
}
