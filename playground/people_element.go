package playground

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// element is an interactive element and the block it is in.
type element struct {
	blockID    string
	attachment int // 1 for the first attachment, 0 outside of attachments
	inInput    bool
	optional   bool
	dispatches bool // an input that sends each change
	fields     map[string]any
}

func (e element) text(name string) string {
	text, _ := e.fields[name].(string)
	return text
}

func (e element) kind() string     { return e.text("type") }
func (e element) actionID() string { return e.text("action_id") }

// elementsIn lists the interactive elements of blocks in reading order.
func elementsIn(blocks json.RawMessage) []element {
	var list []any
	if json.Unmarshal(blocks, &list) != nil {
		return nil
	}
	var out []element
	collectElements(list, element{}, &out)
	return out
}

// elementsOfMessage lists those of a message and of its attachments.
func elementsOfMessage(m *Message) []element {
	out := elementsIn(m.Blocks)
	var attachments []struct {
		Blocks json.RawMessage `json:"blocks"`
	}
	if json.Unmarshal(m.Attachments, &attachments) != nil {
		return out
	}
	for i, a := range attachments {
		for _, e := range elementsIn(a.Blocks) {
			e.attachment = i + 1
			out = append(out, e)
		}
	}
	return out
}

// collectElements collects the elements of blocks at any depth; around describes the enclosing block.
func collectElements(v any, around element, out *[]element) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			collectElements(item, around, out)
		}
	case map[string]any:
		if id, ok := v["block_id"].(string); ok {
			around.blockID, around.inInput = id, v["type"] == "input"
			around.optional, _ = v["optional"].(bool)
			around.dispatches, _ = v["dispatch_action"].(bool)
		}
		if _, ok := v["action_id"].(string); ok {
			around.fields = v
			*out = append(*out, around)
			return
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			collectElements(v[key], around, out)
		}
	}
}

// findElement finds an element by action_id or, failing that, by the block_id it is in. With block set only that block is searched.
func findElement(list []element, block, ref string) (element, bool) {
	for _, e := range list {
		if e.actionID() == ref && (block == "" || e.blockID == block) {
			return e, true
		}
	}
	for _, e := range list {
		if block == "" && e.blockID == ref {
			return e, true
		}
	}
	return element{}, false
}

// valueField is the field that holds what a person put into an element of this type; empty for one that holds nothing.
func valueField(kind string) string {
	switch kind {
	case "plain_text_input", "email_text_input", "url_text_input", "number_input":
		return "value"
	case "rich_text_input":
		return "rich_text_value"
	case "static_select", "external_select", "radio_buttons":
		return "selected_option"
	case "multi_static_select", "multi_external_select", "checkboxes":
		return "selected_options"
	case "datepicker", "timepicker":
		return "selected_" + strings.TrimSuffix(kind, "picker")
	case "datetimepicker":
		return "selected_date_time"
	case "users_select", "conversations_select", "channels_select":
		return "selected_" + strings.TrimSuffix(kind, "s_select")
	case "multi_users_select", "multi_conversations_select", "multi_channels_select":
		return "selected_" + strings.TrimSuffix(strings.TrimPrefix(kind, "multi_"), "_select")
	}
	return ""
}

// many reports whether a value field holds a list.
func many(field string) bool {
	return strings.HasPrefix(field, "selected_") && strings.HasSuffix(field, "s")
}

// emptyValue is the state of an element nobody touched: its initial value, or null.
func (e element) emptyValue() map[string]any {
	field := valueField(e.kind())
	initial := "initial_" + strings.TrimPrefix(strings.TrimPrefix(field, "selected_"), "rich_text_")
	value := map[string]any{"type": e.kind(), field: nil}
	if many(field) {
		value[field] = []any{}
	}
	if v, ok := e.fields[initial]; ok {
		value[field] = v
	}
	return value
}

// picked is the value of an element after a person picked or typed these; names stand for ids where the element holds ids.
func (s *Server) pickedLocked(e element, picks []string) (map[string]any, error) {
	field := valueField(e.kind())
	if e.kind() == "overflow" {
		field = "selected_option"
	}
	if field == "" {
		return nil, fmt.Errorf("a %s holds no value", e.kind())
	}
	values := make([]any, 0, len(picks))
	for _, pick := range picks {
		v, err := s.pickLocked(e, pick)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	out := map[string]any{"type": e.kind(), field: values}
	if !many(field) {
		out[field] = nil
		if len(values) > 0 {
			out[field] = values[0]
		}
	}
	return out, nil
}

// pickLocked is one pick as it is in the element's payload.
func (s *Server) pickLocked(e element, pick string) (any, error) {
	kind := strings.TrimPrefix(e.kind(), "multi_")
	switch kind {
	case "static_select", "radio_buttons", "checkboxes", "overflow":
		return e.option(pick)
	case "external_select":
		return map[string]any{"text": map[string]any{"type": "plain_text", "text": pick}, "value": pick}, nil
	case "users_select":
		if u := s.userLocked(pick); u != nil {
			return u.ID, nil
		}
		return nil, fmt.Errorf("%w: %q", errNoPerson, pick)
	case "conversations_select", "channels_select":
		if c := s.channelLocked(pick); c != nil {
			return c.ID, nil
		}
		return nil, fmt.Errorf("%w: %q", errNoChannel, pick)
	case "datetimepicker":
		return strconv.ParseInt(pick, 10, 64)
	}
	return pick, nil
}

// option finds an option by its value or its text.
func (e element) option(pick string) (any, error) {
	options, _ := e.fields["options"].([]any)
	groups, _ := e.fields["option_groups"].([]any)
	for _, g := range groups {
		group, _ := g.(map[string]any)
		inside, _ := group["options"].([]any)
		options = append(options, inside...)
	}
	for _, o := range options {
		option, _ := o.(map[string]any)
		label, _ := option["text"].(map[string]any)
		if option["value"] == pick || label["text"] == pick {
			return option, nil
		}
	}
	return nil, fmt.Errorf("%s has no option %q", e.actionID(), pick)
}

// valuesOf is state.values: the value of every element that has one, as a person set it or else its initial value.
func valuesOf(list []element, stored map[string]map[string]json.RawMessage) map[string]map[string]json.RawMessage {
	out := emptyValues()
	for _, e := range list {
		if valueField(e.kind()) == "" {
			continue
		}
		value := stored[e.blockID][e.actionID()]
		if value == nil {
			value = mustJSON(e.emptyValue())
		}
		setValue(out, e, value)
	}
	return out
}

func setValue(values map[string]map[string]json.RawMessage, e element, value json.RawMessage) {
	if values[e.blockID] == nil {
		values[e.blockID] = map[string]json.RawMessage{}
	}
	values[e.blockID][e.actionID()] = value
}
