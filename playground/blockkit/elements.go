package blockkit

import (
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"
)

// place is a kind of block that holds elements.
type place string

const (
	placeSection        place = "section"
	placeActions        place = "actions"
	placeContextActions place = "context_actions"
	placeInput          place = "input"
)

// elementRule is what Slack requires of one type of element.
type elementRule struct {
	// places are the blocks that may hold the element.
	places string
	// properties are the names that it may have in addition to type and action_id.
	properties string
	check      func(*checker, object)
}

const (
	anywhere = "section actions input"
	chooser  = "section input actions"
)

func elementRules() map[string]elementRule {
	selects, chosen, many := "placeholder confirm focus_on_load ", "default_to_current_conversation filter ", "max_selected_items "
	input := "placeholder initial_value dispatch_action_config focus_on_load "
	return map[string]elementRule{
		"button":           {"section actions", "text url value style confirm accessibility_label agent_prompt agent_prompt_display visible_to_user_ids", (*checker).button},
		"workflow_button":  {"section actions", "text workflow style accessibility_label visible_to_user_ids", (*checker).labelled},
		"image":            {"section", "image_url slack_file alt_text", (*checker).image},
		"overflow":         {"section actions", "options confirm", (*checker).overflow},
		"icon_button":      {"context_actions", "icon text value confirm accessibility_label visible_to_user_ids", (*checker).iconButton},
		"feedback_buttons": {"context_actions", "positive_button negative_button", func(*checker, object) {}},

		"checkboxes":    {anywhere, "options initial_options confirm focus_on_load visible_to_user_ids", (*checker).choices},
		"radio_buttons": {anywhere, "options initial_option confirm focus_on_load", (*checker).choices},

		"static_select":              {anywhere, selects + "options option_groups initial_option", (*checker).staticSelect},
		"external_select":            {anywhere, selects + "initial_option min_query_length", (*checker).dynamicSelect},
		"users_select":               {anywhere, selects + "initial_user", (*checker).dynamicSelect},
		"conversations_select":       {anywhere, selects + chosen + "initial_conversation response_url_enabled", (*checker).dynamicSelect},
		"channels_select":            {anywhere, selects + "initial_channel response_url_enabled", (*checker).dynamicSelect},
		"multi_static_select":        {chooser, selects + many + "options option_groups initial_options", (*checker).staticSelect},
		"multi_external_select":      {chooser, selects + many + "initial_options min_query_length", (*checker).dynamicSelect},
		"multi_users_select":         {chooser, selects + many + "initial_users", (*checker).dynamicSelect},
		"multi_conversations_select": {chooser, selects + many + chosen + "initial_conversations", (*checker).dynamicSelect},
		"multi_channels_select":      {chooser, selects + many + "initial_channels", (*checker).dynamicSelect},

		"datepicker":     {anywhere, selects + "initial_date", (*checker).datepicker},
		"timepicker":     {anywhere, selects + "initial_time timezone", (*checker).timepicker},
		"datetimepicker": {"actions input", "initial_date_time confirm focus_on_load", (*checker).datetimepicker},

		"plain_text_input": {"input", input + "multiline min_length max_length", (*checker).plainTextInput},
		"email_text_input": {"input", input, (*checker).placeholder},
		"url_text_input":   {"input", input, (*checker).placeholder},
		"number_input":     {"input", input + "is_decimal_allowed min_value max_value", (*checker).numberInput},
		"rich_text_input":  {"input", input + "min_lines max_lines", (*checker).placeholder},
		"file_input":       {"input", "filetypes max_files", (*checker).fileInput},
	}
}

// element checks an interactive element, or an image, in its block.
func (c *checker) element(o object, where place) {
	kind, _ := o.fields["type"].(string)
	if kind == "" {
		c.missing(o, "type")
		return
	}
	rule, known := c.elems[kind]
	if !known || !containsWord(rule.places, string(where)) {
		c.fail(o.at+"/type", "unsupported type: %s", kind)
		return
	}
	c.properties(o, "action_id "+rule.properties)
	c.str(o, "action_id", 1, maxID)
	c.confirm(o)
	c.onlyOne(o, "focus_on_load")
	c.onlyOne(o, "response_url_enabled")
	if c.surface != Modal && o.fields["response_url_enabled"] == true {
		c.fail(o.at+"/response_url_enabled", "only allowed in modals")
	}
	if config, ok := c.child(o, "dispatch_action_config"); ok {
		c.words(config, "trigger_actions_on", "on_enter_pressed on_character_entered")
	}
	rule.check(c, o)
}

// onlyOne checks that no more than one element of the message or view has the flag.
func (c *checker) onlyOne(o object, flag string) {
	if o.fields[flag] != true {
		return
	}
	if c.flagged[flag] {
		c.fail(o.at+"/"+flag, "only one element may have %s", flag)
	}
	c.flagged[flag] = true
}

// words checks a list of words, of which there must be one.
func (c *checker) words(o object, key, known string) {
	for i, v := range c.list(o, key, 1, 10) {
		if word, _ := v.(string); !containsWord(known, word) {
			c.fail(fmt.Sprintf("%s/%s/%d", o.at, key, i), "must be a valid enum value")
		}
	}
}

// confirm checks an element's confirmation dialog.
func (c *checker) confirm(o object) {
	d, ok := c.child(o, "confirm")
	if !ok {
		return
	}
	c.text(d, "title", textRule{most: 100, plain: true, required: true})
	c.text(d, "text", textRule{most: 300, required: true})
	c.text(d, "confirm", textRule{most: 30, plain: true, required: true})
	c.text(d, "deny", textRule{most: 30, plain: true, required: true})
	c.style(d)
}

func (c *checker) style(o object) {
	if style, given := c.str(o, "style", 0, 20); given && style != "primary" && style != "danger" {
		c.fail(o.at+"/style", "must be a valid enum value")
	}
}

func (c *checker) button(o object) {
	c.text(o, "text", textRule{most: 75, plain: true, required: true})
	c.str(o, "value", 0, 2000)
	if link, given := c.str(o, "url", 1, maxURL); given && !strings.Contains(link, ":") {
		c.fail(o.at+"/url", "must be a valid url")
	}
	c.str(o, "accessibility_label", 0, 75)
	c.style(o)
}

func (c *checker) labelled(o object) {
	c.text(o, "text", textRule{most: 75, plain: true, required: true})
}

func (c *checker) iconButton(o object) {
	c.labelled(o)
	c.need(o, "icon", maxID)
}

func (c *checker) overflow(o object) { c.options(o, 5, true) }

func (c *checker) choices(o object) { c.initial(o, c.options(o, 10, false)) }

// options checks the 1..most options of an element or group and returns the text of each value.
func (c *checker) options(o object, most int, plain bool) map[string]any {
	known, values := "text value description", map[string]any{}
	if o.fields["type"] == "overflow" {
		known += " url"
	}
	for i, v := range c.list(o, "options", 1, most) {
		at := fmt.Sprintf("%s/options/%d", o.at, i)
		option, ok := c.asObject(v, at)
		if !ok {
			continue
		}
		c.properties(option, known)
		c.text(option, "text", textRule{most: 75, plain: plain, required: true})
		c.text(option, "description", textRule{most: 75, plain: plain})
		text, _ := option.fields["text"].(map[string]any)
		values[c.need(option, "value", 150)] = text["text"]
	}
	return values
}

// initial checks that the initial choice is one of the options.
func (c *checker) initial(o object, values map[string]any) {
	chosen := []any{}
	if one, given := o.fields["initial_option"]; given && one != nil {
		chosen = append(chosen, one)
	}
	if many, ok := o.fields["initial_options"].([]any); ok {
		chosen = append(chosen, many...)
	}
	for _, v := range chosen {
		option, _ := v.(map[string]any)
		value, _ := option["value"].(string)
		text, _ := option["text"].(map[string]any)
		if shown, known := values[value]; !known || shown != text["text"] {
			c.fail(o.at, "initial option was not found in options")
		}
	}
}

func (c *checker) staticSelect(o object) {
	c.dynamicSelect(o)
	groups := c.list(o, "option_groups", 0, 100)
	if groups == nil {
		c.initial(o, c.options(o, 100, true))
		return
	}
	if o.fields["options"] != nil {
		c.fail(o.at, "only one of options and option_groups allowed")
	}
	values := map[string]any{}
	for i, g := range groups {
		group, ok := c.asObject(g, fmt.Sprintf("%s/option_groups/%d", o.at, i))
		if !ok {
			continue
		}
		c.text(group, "label", textRule{most: 75, plain: true, required: true})
		maps.Copy(values, c.options(group, 100, true))
	}
	c.initial(o, values)
}

func (c *checker) dynamicSelect(o object) {
	c.placeholder(o)
	c.integer(o, "max_selected_items", 1, math.MaxInt32)
	filter, ok := c.child(o, "filter")
	if !ok {
		return
	}
	c.properties(filter, "include exclude_external_shared_channels exclude_bot_users")
	if len(filter.fields) == 0 {
		c.fail(filter.at, "must not be empty")
	}
	if filter.fields["include"] != nil {
		c.words(filter, "include", "im mpim private public")
	}
}

func (c *checker) placeholder(o object) {
	c.text(o, "placeholder", textRule{most: 150, plain: true})
}

func (c *checker) datepicker(o object) {
	c.placeholder(o)
	if date, given := c.str(o, "initial_date", 1, 10); given {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			c.fail(o.at+"/initial_date", "must be a valid date")
		}
	}
}

func (c *checker) timepicker(o object) {
	c.placeholder(o)
	if clock, given := c.str(o, "initial_time", 1, 5); given {
		if _, err := time.Parse("15:04", clock); err != nil || len(clock) < 5 {
			c.fail(o.at+"/initial_time", "must be a valid time")
		}
	}
	if zone, given := c.str(o, "timezone", 1, maxID); given {
		if _, err := time.LoadLocation(zone); err != nil {
			c.fail(o.at+"/timezone", "must be a valid timezone")
		}
	}
}

func (c *checker) datetimepicker(o object) {
	c.integer(o, "initial_date_time", 1e9, 9999999999)
}

func (c *checker) plainTextInput(o object) {
	c.placeholder(o)
	c.str(o, "initial_value", 0, 3000)
	least, hasLeast := c.integer(o, "min_length", 0, 3000)
	most, hasMost := c.integer(o, "max_length", 1, 3000)
	if hasLeast && hasMost && least > most {
		c.fail(o.at+"/min_length", "must be less than or equal to max_length")
	}
}

func (c *checker) numberInput(o object) {
	c.placeholder(o)
	if _, ok := o.fields["is_decimal_allowed"].(bool); !ok {
		c.missing(o, "is_decimal_allowed")
	}
	least, noLeast := strconv.ParseFloat(fmt.Sprint(o.fields["min_value"]), 64)
	most, noMost := strconv.ParseFloat(fmt.Sprint(o.fields["max_value"]), 64)
	if noLeast == nil && noMost == nil && least > most {
		c.fail(o.at+"/min_value", "must be less than or equal to max_value")
	}
}

func (c *checker) fileInput(o object) {
	if c.surface == Home {
		c.fail(o.at+"/type", "unsupported type: file_input")
	}
	c.integer(o, "max_files", 1, 10)
}
