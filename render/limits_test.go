package render

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// A validator of slack-facts §2.6 that looks at the JSON Slack would get, not
// at our types.

// allowed are the only things in angle brackets that a view may hold.
var allowed = regexp.MustCompile(`<!date\^-?\d+\^[^|<>&]+\|[^<>|]+>|<#[CG][A-Z0-9]+>|<https?://[^<>|\s]+\|[^<>|]*>`)

var entity = regexp.MustCompile(`&(amp|lt|gt);`)

type validator struct {
	problems []string
	actions  map[string]bool
}

func checkMessage(m Message) []string {
	v := &validator{actions: map[string]bool{}}
	v.text("text", m.Text, maxText)
	var blocks []any
	decode(m.Blocks, &blocks)
	v.blocks("blocks", blocks, 50)
	var attachments []map[string]any
	decode(m.Attachments, &attachments)
	if len(attachments) > 100 {
		v.report("attachments: %d", len(attachments))
	}
	for i, a := range attachments {
		v.text(fmt.Sprintf("attachments/%d/fallback", i), a["fallback"].(string), 3000)
		v.blocks(fmt.Sprintf("attachments/%d/blocks", i), a["blocks"].([]any), 50)
	}
	return v.problems
}

func checkView(view any) []string {
	v := &validator{actions: map[string]bool{}}
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
	if len(fmt.Sprint(decoded["callback_id"])) > 255 {
		v.report("callback_id too long")
	}
	if strings.Contains(string(body), `"type":"input"`) && decoded["submit"] == nil {
		v.report("inputs without submit")
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

// text checks one text: its length, that it shows something, that it is
// escaped, mentions nobody and hides nothing.
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
	rest = entity.ReplaceAllString(rest, "")
	if i := strings.IndexAny(rest, "<>&"); i >= 0 {
		v.report("%s: unescaped: %.40q", at, rest[i:])
	}
	for _, r := range s {
		if r != '\n' && r != '\t' && (unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Bidi_Control, r)) {
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
	if id, _ := b["block_id"].(string); len(id) > 255 {
		v.report("%s: block_id too long", at)
	}
	switch b["type"] {
	case "header":
		v.object(at, b["text"], 150)
	case "section":
		v.section(at, b)
	case "context":
		v.elements(at, b, 10, func(at string, e map[string]any) { v.object(at, e, 3000) })
	case "actions":
		v.elements(at, b, 25, v.button)
	case "input":
		v.input(at, b)
	case "divider":
	default:
		v.report("%s: block %v is not known here", at, b["type"])
	}
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
}

func (v *validator) elements(at string, b map[string]any, limit int, check func(string, map[string]any)) {
	elements := b["elements"].([]any)
	if len(elements) == 0 || len(elements) > limit {
		v.report("%s: %d elements", at, len(elements))
	}
	for i, e := range elements {
		check(fmt.Sprintf("%s/%d", at, i), e.(map[string]any))
	}
}

func (v *validator) action(at string, e map[string]any) {
	id, _ := e["action_id"].(string)
	if id == "" || len(id) > 255 || v.actions[id] {
		v.report("%s: action_id %q is empty, long or used twice", at, id)
	}
	v.actions[id] = true
}

func (v *validator) button(at string, e map[string]any) {
	v.action(at, e)
	v.object(at, e["text"], 75)
	if u, _ := e["url"].(string); utf8.RuneCountInString(u) > 3000 || (u != "" && !strings.HasPrefix(u, "http")) {
		v.report("%s: url %.40q", at, u)
	}
	if value, _ := e["value"].(string); len(value) > 2000 {
		v.report("%s: value too long", at)
	}
}

func (v *validator) input(at string, b map[string]any) {
	v.object(at+"/label", b["label"], 2000)
	if b["hint"] != nil {
		v.object(at+"/hint", b["hint"], 2000)
	}
	e := b["element"].(map[string]any)
	v.action(at, e)
	if e["placeholder"] != nil {
		v.object(at+"/placeholder", e["placeholder"], 150)
	}
	options, _ := e["options"].([]any)
	if len(options) > 100 {
		v.report("%s: %d options", at, len(options))
	}
	for i, o := range options {
		option := o.(map[string]any)
		v.object(fmt.Sprintf("%s/options/%d", at, i), option["text"], 75)
		if value, _ := option["value"].(string); value == "" || len(value) > 75 {
			v.report("%s: option value %q", at, value)
		}
	}
}
