// Package blockkit validates Block Kit as Slack does: the blocks of a message, its attachments, and views.
//
// It answers with Slack's own messages, each ending with a JSON pointer to the place. It changes nothing, and holds only rules that
// Slack documents or has been seen to apply.
package blockkit

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Surface is where blocks are shown; the words are those of a view's type.
type Surface string

// The surfaces.
const (
	Message Surface = "message"
	Home    Surface = "home"
	Modal   Surface = "modal"
)

// Limits that several objects share, in characters unless the name says otherwise.
const (
	maxMessageBlocks = 50
	maxViewBlocks    = 100
	maxAttachments   = 100
	maxID            = 255
	maxTextObject    = 3000
	maxURL           = 3000

	maxText = 40000
)

// MaxMarkdown is how many characters of Markdown a message may have.
const MaxMarkdown = 12000

// object is a JSON object and where it is, as a JSON pointer.
type object struct {
	fields map[string]any
	at     string
}

// checker collects what is wrong with blocks. Each message ends with a JSON pointer, as Slack's do.
type checker struct {
	surface  Surface
	opts     Options
	messages []string
	blockIDs map[string]bool
	inputs   bool
	flagged  map[string]bool
	tables   int
	cells    int
	charts   int
	rules    map[string]blockRule
	elems    map[string]elementRule
}

// Options are what blocks are checked against in addition to the rules.
type Options struct {
	// Unknown are types of blocks that are refused as if Slack did not know them.
	Unknown map[string]bool
	// Picture reports whether a file, named by its id or else by its address, can be shown; nil means that none can.
	Picture func(id, address string) bool
}

func newChecker(where Surface, opts Options) *checker {
	return &checker{surface: where, opts: opts, blockIDs: map[string]bool{}, flagged: map[string]bool{}, rules: blockRules(), elems: elementRules()}
}

// Blocks returns what is wrong with the blocks argument of a message; nothing means that Slack would accept it.
func Blocks(where Surface, blocks []any, opts Options) []string {
	c := newChecker(where, opts)
	c.blocks(blocks, "/blocks", maxMessageBlocks)
	return c.messages
}

// Attachments returns what is wrong with the attachments of a message.
func Attachments(attachments []any, opts Options) []string {
	c := newChecker(Message, opts)
	if len(attachments) > maxAttachments {
		c.fail("/attachments", "no more than %d items allowed", maxAttachments)
	}
	for i, a := range attachments {
		at := fmt.Sprintf("/attachments/%d", i)
		fields, ok := a.(map[string]any)
		if !ok {
			c.fail(at, "must be an object")
			continue
		}
		c.attachment(object{fields, at})
	}
	return c.messages
}

func (c *checker) attachment(o object) {
	c.str(o, "footer", 0, 300)
	c.str(o, "color", 0, 20)
	for _, key := range []string{"text", "pretext", "title", "fallback"} {
		c.str(o, key, 0, maxText)
	}
	blocks, given := o.fields["blocks"]
	if !given || blocks == nil {
		return
	}
	list, ok := blocks.([]any)
	if !ok {
		c.fail(o.at+"/blocks", "must be an array")
		return
	}
	c.blocks(list, o.at+"/blocks", maxMessageBlocks)
}

func (c *checker) fail(at, format string, a ...any) {
	c.messages = append(c.messages, fmt.Sprintf(format, a...)+" [json-pointer:"+at+"]")
}

func (c *checker) blocks(blocks []any, at string, most int) {
	if len(blocks) > most {
		c.fail(at, "no more than %d items allowed", most)
		return
	}
	for i, b := range blocks {
		c.block(b, fmt.Sprintf("%s/%d", at, i))
	}
}

func (c *checker) block(v any, at string) {
	fields, ok := v.(map[string]any)
	if !ok {
		c.fail(at, "must be an object")
		return
	}
	o := object{fields, at}
	kind, _ := fields["type"].(string)
	if kind == "" {
		c.fail(at, "missing required field: type")
		return
	}
	rule, known := c.rules[kind]
	if !known || c.opts.Unknown[kind] || !rule.on(c.surface) {
		c.fail(at+"/type", "unsupported type: %s", kind)
		return
	}
	c.properties(o, rule.properties)
	c.blockID(o)
	rule.check(c, o)
}

// blockID checks that a block's id is unique within the message or view.
func (c *checker) blockID(o object) {
	id, given := c.str(o, "block_id", 0, maxID)
	if !given || id == "" {
		return
	}
	if c.blockIDs[id] {
		c.fail(o.at+"/block_id", "`block_id` %q already exists", id)
	}
	c.blockIDs[id] = true
}

// flags are the names that are true or false wherever they are.
const flags = "expand emoji verbatim optional dispatch_action multiline focus_on_load is_decimal_allowed response_url_enabled" +
	" default_to_current_conversation exclude_external_shared_channels exclude_bot_users clear_on_close notify_on_close is_label_visible"

// properties refuses names that Slack does not know in an object, and flags that are neither true nor false. An empty list
// lets every name through.
func (c *checker) properties(o object, known string) {
	for name, v := range o.fields {
		if _, isBool := v.(bool); !isBool && v != nil && containsWord(flags, name) {
			c.fail(o.at+"/"+name, "must be a boolean")
		}
		if known != "" && name != "type" && name != "block_id" && !containsWord(known, name) {
			c.fail(o.at, "invalid additional property: %s", name)
		}
	}
}

// containsWord reports whether word is one of the words, which are separated by spaces.
func containsWord(words, word string) bool { return slices.Contains(strings.Fields(words), word) }

// str checks an optional string of least..most characters; given is false when it is absent or not a string.
func (c *checker) str(o object, key string, least, most int) (value string, given bool) {
	v, there := o.fields[key]
	if !there || v == nil {
		return "", false
	}
	at := o.at + "/" + key
	text, ok := v.(string)
	if !ok {
		c.fail(at, "must be a string")
		return "", false
	}
	c.length(text, at, least, most)
	return text, true
}

func (c *checker) length(text, at string, least, most int) {
	switch n := utf8.RuneCountInString(text); {
	case n < least:
		c.fail(at, "must be more than %d characters", least-1)
	case n > most:
		c.fail(at, "must be less than %d characters", most+1)
	}
}

// need is str for a field that must be there and not be empty.
func (c *checker) need(o object, key string, most int) string {
	if v, there := o.fields[key]; !there || v == nil {
		c.missing(o, key)
		return ""
	}
	text, _ := c.str(o, key, 1, most)
	return text
}

// web is need for the address of something that Slack fetches.
func (c *checker) web(o object, key string, schemes ...string) {
	address := c.need(o, key, maxURL)
	if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme)) {
		c.fail(o.at+"/"+key, "must be a valid url")
	}
}

func (c *checker) missing(o object, key string) {
	c.fail(o.at, "missing required field: %s", key)
}

// list checks an array of least..most items; a missing one is an error when least is above 0.
func (c *checker) list(o object, key string, least, most int) []any {
	v, there := o.fields[key]
	if !there || v == nil {
		if least > 0 {
			c.missing(o, key)
		}
		return nil
	}
	at := o.at + "/" + key
	items, ok := v.([]any)
	switch {
	case !ok:
		c.fail(at, "must be an array")
		return nil
	case len(items) < least:
		c.fail(at, "no fewer than %d items allowed", least)
	case len(items) > most:
		c.fail(at, "no more than %d items allowed", most)
		return nil
	}
	return items
}

// child returns the object under key; ok is false when it is absent or not an object.
func (c *checker) child(o object, key string) (object, bool) {
	v, there := o.fields[key]
	if !there || v == nil {
		return object{}, false
	}
	return c.asObject(v, o.at+"/"+key)
}

func (c *checker) asObject(v any, at string) (object, bool) {
	fields, ok := v.(map[string]any)
	if !ok {
		c.fail(at, "must be an object")
	}
	return object{fields, at}, ok
}

// textRule says what a text object may be.
type textRule struct {
	most     int
	plain    bool
	required bool
}

// text checks the text object under key.
func (c *checker) text(o object, key string, rule textRule) {
	t, ok := c.child(o, key)
	if !ok {
		if v := o.fields[key]; rule.required && v == nil {
			c.missing(o, key)
		}
		return
	}
	c.textObject(t, rule)
}

func (c *checker) textObject(t object, rule textRule) {
	switch kind, _ := t.fields["type"].(string); {
	case kind == "plain_text":
		c.properties(t, "text emoji")
	case kind == "mrkdwn" && !rule.plain:
		c.properties(t, "text verbatim")
	case kind == "mrkdwn":
		c.fail(t.at+"/type", "must be plain_text")
		return
	default:
		c.fail(t.at+"/type", "unsupported type: %s", kind)
		return
	}
	c.need(t, "text", rule.most)
}

// integer checks an optional number of least..most.
func (c *checker) integer(o object, key string, least, most int) (int, bool) {
	v, there := o.fields[key]
	if !there || v == nil {
		return 0, false
	}
	n, err := strconv.Atoi(fmt.Sprint(v))
	if err != nil {
		c.fail(o.at+"/"+key, "must be an integer")
		return 0, false
	}
	if n < least || n > most {
		c.fail(o.at+"/"+key, "must be between %d and %d", least, most)
	}
	return n, true
}

// View returns what is wrong with a view.
func View(where Surface, fields map[string]any, opts Options) []string {
	c := newChecker(where, opts)
	v := object{fields, "/view"}
	if kind, _ := fields["type"].(string); kind != string(where) {
		c.fail("/view/type", "must be %s", where)
		return c.messages
	}
	known := "title blocks private_metadata callback_id external_id clear_on_close notify_on_close"
	if where == Modal {
		known += " close submit submit_disabled"
	}
	c.properties(v, known)
	c.str(v, "private_metadata", 0, 3000)
	c.str(v, "callback_id", 0, maxID)
	c.str(v, "external_id", 0, maxID)
	c.blocks(c.list(v, "blocks", 1, maxViewBlocks), "/view/blocks", maxViewBlocks)
	c.viewFrame(v)
	return c.messages
}

// viewFrame checks what a view has in addition to its blocks: only a modal has a title and buttons, and one with inputs needs submit.
func (c *checker) viewFrame(v object) {
	if c.surface == Home {
		return
	}
	c.text(v, "title", textRule{most: 24, plain: true, required: true})
	c.text(v, "close", textRule{most: 24, plain: true})
	c.text(v, "submit", textRule{most: 24, plain: true})
	if c.inputs && v.fields["submit"] == nil {
		c.fail("/view", "missing required field: submit")
	}
}
