package render

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// A validator for docs/slack.md §2.6 that checks the JSON Slack would get, not our
// types.

// allowed are the only things in angle brackets that a view may contain anywhere.
var allowed = regexp.MustCompile(`<https?://[^<>|\s]+>|<!date\^-?\d+\^[^|<>&]+\|[^<>|]+>|<#[CG][A-Z0-9]+>|<(?:https?://|mailto:|tel:)[^<>|\s]+\|[^<>]*>|<(?:mailto:|tel:)[^<>|\s]+>`)

// quietly are those that notify somebody, except in an attachment or a view.
var quietly = regexp.MustCompile(`<@[UW][A-Z0-9]+>|<!subteam\^S[A-Z0-9]+>`)

var entity = regexp.MustCompile(`&(amp|lt|gt);`)

type validator struct {
	problems []string
	// pings are what else may be in angle brackets where loud is set: in a message's
	// text and its own blocks, which notify.
	pings []string
	loud  bool
	// blockIDs are those seen so far.
	blockIDs map[string]bool
}

// checkMessage checks a message that may notify pings and nobody else.
func checkMessage(m Message, pings ...string) []string {
	v := &validator{pings: pings, loud: true, blockIDs: map[string]bool{}}
	v.text("text", m.Text, maxText)
	var blocks []any
	decode(m.Blocks, &blocks)
	v.blocks("blocks", blocks, 50)
	v.loud = false
	var attachments []map[string]any
	decode(m.Attachments, &attachments)
	if len(attachments) > 100 {
		v.report("attachments: %d", len(attachments))
	}
	if n := characters(blocks); n+characters(attachments) >= 11_000 {
		v.report("all blocks together: %d characters", n+characters(attachments))
	}
	for i, a := range attachments {
		v.text(fmt.Sprintf("attachments/%d/fallback", i), a["fallback"].(string), 3000)
		// Slack was seen to refuse more than 20 blocks in one attachment.
		v.blocks(fmt.Sprintf("attachments/%d/blocks", i), a["blocks"].([]any), 20)
	}
	return v.problems
}

// characters counts all that a person reads in blocks, or opens.
func characters(part any) int {
	n := 0
	switch part := part.(type) {
	case []any:
		for _, one := range part {
			n += characters(one)
		}
	case []map[string]any:
		for _, one := range part {
			n += characters(one["blocks"])
		}
	case map[string]any:
		for name, one := range part {
			if s, ok := one.(string); ok && slices.Contains([]string{"text", "url", "fallback", "alt_text"}, name) {
				n += utf8.RuneCountInString(s)
			}
			n += characters(one)
		}
	}
	return n
}

func checkView(view any) []string {
	v := &validator{blockIDs: map[string]bool{}}
	body, err := json.Marshal(view)
	if err != nil {
		return []string{err.Error()}
	}
	if len(body) > 250_000 {
		v.report("view: %d bytes", len(body))
	}
	var decoded map[string]any
	decode(view, &decoded)
	blocks := decoded["blocks"].([]any)
	if len(blocks) == 0 {
		v.report("a view without blocks")
	}
	v.blocks("blocks", blocks, 100)
	for _, part := range []string{"title", "submit", "close"} {
		if decoded[part] != nil {
			v.object(part, decoded[part], 24)
		}
	}
	isHome := decoded["type"] == string(slack.VTHomeTab)
	if isHome && (decoded["submit"] != nil || decoded["close"] != nil) {
		v.report("a home has no submit or close")
	}
	for name, limit := range map[string]int{"callback_id": 255, "external_id": 255, "private_metadata": 3000} {
		if s, _ := decoded[name].(string); utf8.RuneCountInString(s) > limit {
			v.report("%s too long", name)
		}
	}
	if strings.Contains(string(body), `"type":"input"`) && decoded["submit"] == nil {
		v.report("inputs without submit")
	}
	if isHome && strings.Contains(string(body), `"type":"data_visualization"`) {
		v.report("a home with a block that only messages take")
	}
	return v.problems
}

func decode(from, into any) {
	body, err := json.Marshal(from)
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		panic(err)
	}
}

func (v *validator) report(format string, args ...any) {
	v.problems = append(v.problems, fmt.Sprintf(format, args...))
}

// text checks one text: its length, that it is visible and escaped, and that it
// mentions nobody and hides nothing.
func (v *validator) text(at, s string, limit int) {
	if n := utf8.RuneCountInString(s); n > limit {
		v.report("%s: %d characters, more than %d", at, n, limit)
	}
	if strings.TrimSpace(s) == "" {
		v.report("%s: blank", at)
	}
	if !utf8.ValidString(s) {
		v.report("%s: not UTF-8", at)
	}
	rest := allowed.ReplaceAllString(s, "")
	if !v.loud {
		rest = quietly.ReplaceAllString(rest, "")
	}
	for _, p := range v.pings {
		rest = strings.Replace(rest, p, "", 1)
	}
	rest = entity.ReplaceAllString(rest, "")
	if i := strings.IndexAny(rest, "<>&"); i >= 0 {
		v.report("%s: unescaped: %.40q", at, rest[i:])
	}
	v.marks(at, s)
}

// marks checks that nothing hides or reorders text, but for a line from right to left.
func (v *validator) marks(at, s string) {
	isolated := strings.Count(s, rightToLeft)
	if isolated != strings.Count(s, isolateEnd) {
		v.report("%s: an isolate does not end", at)
	}
	s = strings.NewReplacer(rightToLeft, "", isolateEnd, "").Replace(s)
	for _, r := range s {
		if r != '\n' && r != '\t' && unicode.Is(unicode.Cc, r) || alert.Reorders(r) {
			v.report("%s: hidden character %U", at, r)
		}
	}
}

func (v *validator) object(at string, o any, limit int) {
	m := o.(map[string]any)
	s, _ := m["text"].(string)
	v.text(at, s, min(limit, 3000))
	if m["type"] == "mrkdwn" && m["verbatim"] != true {
		v.report("%s: mrkdwn that is not verbatim", at)
	}
	if m["type"] == "plain_text" && m["emoji"] != false {
		v.report("%s: names of emoji are replaced", at)
	}
	if m["type"] == "plain_text" && allowed.MatchString(s) {
		v.report("%s: a control sequence in plain text", at)
	}
}

func (v *validator) blocks(at string, blocks []any, limit int) {
	if len(blocks) > limit {
		v.report("%s: %d blocks, more than %d", at, len(blocks), limit)
	}
	for i, b := range blocks {
		v.block(fmt.Sprintf("%s/%d", at, i), b.(map[string]any))
	}
}

func (v *validator) block(at string, b map[string]any) {
	id, _ := b["block_id"].(string)
	if len(id) > 255 || id != "" && v.blockIDs[id] {
		v.report("%s: block_id %q is long or used twice", at, id)
	}
	v.blockIDs[id] = true
	switch b["type"] {
	case "header":
		v.object(at, b["text"], 150)
	case "rich_text":
		for i, e := range v.list(at, b, "elements", 1000) {
			v.rich(fmt.Sprintf("%s/%d", at, i), e.(map[string]any))
		}
	case "section":
		v.section(at, b)
	case "context":
		for i, e := range v.list(at, b, "elements", 10) {
			v.object(fmt.Sprintf("%s/%d", at, i), e, 3000)
		}
	case "actions":
		seen := map[any]bool{}
		for i, e := range v.list(at, b, "elements", 25) {
			element := e.(map[string]any)
			v.element(fmt.Sprintf("%s/%d", at, i), element)
			if seen[element["action_id"]] {
				v.report("%s: action_id %v twice in one block", at, element["action_id"])
			}
			seen[element["action_id"]] = true
		}
	case "image":
		v.image(at, b)
	case "input":
		v.input(at, b)
	case "data_visualization":
		v.chart(at, b)
	case "markdown":
		text, _ := b["text"].(string)
		if n := utf8.RuneCountInString(text); n == 0 || n > 12_000 || mentioning.MatchString(text) || !v.loud {
			v.report("%s: markdown of %d characters: %.40q", at, n, text)
		}
		v.marks(at, text)
	case "divider":
	default:
		v.report("%s: block %v is not known here", at, b["type"])
	}
}

// rich checks a part of rich text, whose texts are literal: of the elements, only names
// of people and groups beside a bar can notify.
func (v *validator) rich(at string, part map[string]any) {
	for i, e := range v.list(at, part, "elements", 10_000) {
		element := e.(map[string]any)
		at := fmt.Sprintf("%s/%d", at, i)
		text, _ := element["text"].(string)
		v.marks(at, text)
		switch kind := element["type"]; {
		case kind == "text" && text != "" && utf8.ValidString(text):
		case part["type"] == "rich_text_preformatted":
			v.report("%s: %v in code", at, kind)
		case kind == "link":
			if u, _ := element["url"].(string); !strings.HasPrefix(strings.ToLower(u), "http") || len(u) > 3000 {
				v.report("%s: url %q", at, u)
			}
		case kind == "date" && element["fallback"] != "" && element["format"] != "":
		case kind == "channel" && channelID(element["channel_id"].(string)):
		case kind == "user" && !v.loud && userID(element["user_id"].(string)):
		case kind == "usergroup" && !v.loud && groupID(element["usergroup_id"].(string)):
		default:
			v.report("%s: %v", at, element)
		}
	}
}

// list checks that there are 1 to limit elements.
func (v *validator) list(at string, b map[string]any, name string, limit int) []any {
	list, _ := b[name].([]any)
	if len(list) == 0 || len(list) > limit {
		v.report("%s: %d %s", at, len(list), name)
	}
	return list
}

func (v *validator) section(at string, b map[string]any) {
	fields, _ := b["fields"].([]any)
	if b["text"] == nil && len(fields) == 0 {
		v.report("%s: empty section", at)
	}
	if b["text"] != nil {
		v.object(at, b["text"], 3000)
	}
	if len(fields) > 10 {
		v.report("%s: %d fields", at, len(fields))
	}
	for i, f := range fields {
		v.object(fmt.Sprintf("%s/fields/%d", at, i), f, 2000)
	}
	if accessory, ok := b["accessory"].(map[string]any); ok {
		v.element(at+"/accessory", accessory)
	}
}

func (v *validator) image(at string, b map[string]any) {
	file, _ := b["slack_file"].(map[string]any)
	id, _ := file["id"].(string)
	address, _ := b["image_url"].(string)
	if web := strings.HasPrefix(address, "https://") && len(address) <= 3000; fileID(id) == web {
		v.report("%s: file %q and address %.40q", at, id, address)
	}
	alt, _ := b["alt_text"].(string)
	v.text(at+"/alt_text", alt, 1000)
	if b["title"] != nil {
		v.object(at+"/title", b["title"], 2000)
	}
}

// element checks what can be clicked or filled in.
func (v *validator) element(at string, e map[string]any) {
	if id, _ := e["action_id"].(string); id == "" || len(id) > 255 {
		v.report("%s: action_id %q", at, id)
	}
	if e["placeholder"] != nil {
		v.object(at+"/placeholder", e["placeholder"], 150)
	}
	if confirm, ok := e["confirm"].(map[string]any); ok {
		for name, limit := range map[string]int{"title": 100, "text": 300, "confirm": 30, "deny": 30} {
			v.object(at+"/confirm/"+name, confirm[name], limit)
		}
	}
	switch e["type"] {
	case "button":
		v.button(at, e)
	case "overflow":
		v.options(at, e, 5)
	case "static_select":
		v.options(at, e, 100)
	case "plain_text_input":
		value, _ := e["initial_value"].(string)
		most, limited := e["max_length"].(float64)
		if most > 3000 || limited && utf8.RuneCountInString(value) > int(most) || utf8.RuneCountInString(value) > 3000 {
			v.report("%s: %d characters begin an input of %v", at, utf8.RuneCountInString(value), most)
		}
	case "users_select", "datetimepicker":
	default:
		v.report("%s: element %v is not known here", at, e["type"])
	}
}

func (v *validator) button(at string, e map[string]any) {
	v.object(at, e["text"], 75)
	if u, _ := e["url"].(string); utf8.RuneCountInString(u) > 3000 || (u != "" && !strings.HasPrefix(u, "http")) {
		v.report("%s: url %.40q", at, u)
	}
	if label, given := e["accessibility_label"].(string); given {
		v.text(at+"/accessibility_label", label, 75)
	}
	if value, _ := e["value"].(string); len(value) > 2000 {
		v.report("%s: value too long", at)
	}
	if style, _ := e["style"].(string); style != "" && style != "primary" && style != "danger" {
		v.report("%s: style %q", at, style)
	}
}

func (v *validator) options(at string, e map[string]any, limit int) {
	seen := map[string]bool{}
	for i, o := range v.list(at, e, "options", limit) {
		option := o.(map[string]any)
		v.object(fmt.Sprintf("%s/options/%d", at, i), option["text"], 75)
		value, _ := option["value"].(string)
		if value == "" || len(value) > 75 || seen[value] {
			v.report("%s: option value %q", at, value)
		}
		seen[value] = true
	}
}

func (v *validator) input(at string, b map[string]any) {
	v.object(at+"/label", b["label"], 2000)
	if b["hint"] != nil {
		v.object(at+"/hint", b["hint"], 2000)
	}
	e := b["element"].(map[string]any)
	v.element(at, e)
	if b["block_id"] != e["action_id"] {
		v.report("%s: input %v in block %v", at, e["action_id"], b["block_id"])
	}
}

func (v *validator) chart(at string, b map[string]any) {
	body, err := json.Marshal(b)
	if err != nil {
		v.report("%s: %v", at, err)
		return
	}
	var block slack.DataVisualizationBlock
	if err := json.Unmarshal(body, &block); err != nil {
		v.report("%s: %v", at, err)
	} else if err := block.Validate(); err != nil {
		v.report("%s: %v", at, err)
	}
}
