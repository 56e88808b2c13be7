package blockkit

import (
	"fmt"
	"regexp"
	"strings"
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
	check  func(*checker, object)
}

const (
	anywhere = "section actions input"
	chooser  = "section input actions"
)

func elementRules() map[string]elementRule {
	return map[string]elementRule{
		"button":          {"section actions", (*checker).button},
		"workflow_button": {"section actions", (*checker).labelled},
		"image":           {"section", (*checker).image},
		"overflow":        {"section actions", (*checker).overflow},
		"icon_button":     {"context_actions", (*checker).labelled},
		"feedback_buttons": {
			"context_actions", func(*checker, object) {},
		},

		"checkboxes":    {anywhere, (*checker).choices},
		"radio_buttons": {anywhere, (*checker).choices},

		"static_select":              {anywhere, (*checker).staticSelect},
		"external_select":            {anywhere, (*checker).dynamicSelect},
		"users_select":               {anywhere, (*checker).dynamicSelect},
		"conversations_select":       {anywhere, (*checker).dynamicSelect},
		"channels_select":            {anywhere, (*checker).dynamicSelect},
		"multi_static_select":        {chooser, (*checker).staticSelect},
		"multi_external_select":      {chooser, (*checker).dynamicSelect},
		"multi_users_select":         {chooser, (*checker).dynamicSelect},
		"multi_conversations_select": {chooser, (*checker).dynamicSelect},
		"multi_channels_select":      {chooser, (*checker).dynamicSelect},

		"datepicker":     {anywhere, (*checker).datepicker},
		"timepicker":     {anywhere, (*checker).timepicker},
		"datetimepicker": {"actions input", (*checker).datetimepicker},

		"plain_text_input": {"input", (*checker).plainTextInput},
		"email_text_input": {"input", (*checker).placeholder},
		"url_text_input":   {"input", (*checker).placeholder},
		"number_input":     {"input", (*checker).numberInput},
		"rich_text_input":  {"input", (*checker).placeholder},
		"file_input":       {"input", (*checker).fileInput},
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
	c.str(o, "action_id", 1, maxID)
	c.confirm(o)
	rule.check(c, o)
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
	c.properties(o, "text action_id url value style confirm accessibility_label")
	c.text(o, "text", textRule{most: 75, plain: true, required: true})
	c.str(o, "value", 1, 2000)
	if link, given := c.str(o, "url", 1, maxURL); given && !strings.Contains(link, ":") {
		c.fail(o.at+"/url", "must be a valid url")
	}
	c.str(o, "accessibility_label", 0, 75)
	c.style(o)
}

func (c *checker) labelled(o object) {
	c.text(o, "text", textRule{most: 75, plain: true, required: true})
}

func (c *checker) overflow(o object) {
	c.properties(o, "action_id options confirm")
	c.options(o, 5, true)
}

func (c *checker) choices(o object) {
	c.properties(o, "action_id options initial_options initial_option confirm focus_on_load")
	values := c.options(o, 10, false)
	c.initial(o, values)
}

// options checks the 1..most options of an element or group and returns their values.
func (c *checker) options(o object, most int, plain bool) map[string]bool {
	values := map[string]bool{}
	for i, v := range c.list(o, "options", 1, most) {
		at := fmt.Sprintf("%s/options/%d", o.at, i)
		option, ok := c.asObject(v, at)
		if !ok {
			continue
		}
		c.properties(option, "text value description url")
		c.text(option, "text", textRule{most: 75, plain: plain, required: true})
		c.text(option, "description", textRule{most: 75, plain: plain})
		values[c.need(option, "value", 150)] = true
	}
	return values
}

// initial checks that the initial choice is one of the options.
func (c *checker) initial(o object, values map[string]bool) {
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
		if !values[value] {
			c.fail(o.at, "initial option was not found in options")
		}
	}
}

func (c *checker) staticSelect(o object) {
	c.placeholder(o)
	groups := c.list(o, "option_groups", 0, 100)
	if groups == nil {
		c.initial(o, c.options(o, 100, true))
		return
	}
	values := map[string]bool{}
	for i, g := range groups {
		group, ok := c.asObject(g, fmt.Sprintf("%s/option_groups/%d", o.at, i))
		if !ok {
			continue
		}
		c.text(group, "label", textRule{most: 75, plain: true, required: true})
		for value := range c.options(group, 100, true) {
			values[value] = true
		}
	}
	c.initial(o, values)
}

func (c *checker) dynamicSelect(o object) { c.placeholder(o) }

func (c *checker) placeholder(o object) {
	c.text(o, "placeholder", textRule{most: 150, plain: true})
}

var (
	dateForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	timeForm = regexp.MustCompile(`^\d{2}:\d{2}$`)
)

func (c *checker) datepicker(o object) {
	c.placeholder(o)
	if date, given := c.str(o, "initial_date", 1, 10); given && !dateForm.MatchString(date) {
		c.fail(o.at+"/initial_date", "must be a valid date")
	}
}

func (c *checker) timepicker(o object) {
	c.placeholder(o)
	if clock, given := c.str(o, "initial_time", 1, 5); given && !timeForm.MatchString(clock) {
		c.fail(o.at+"/initial_time", "must be a valid time")
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
}

func (c *checker) fileInput(o object) { c.integer(o, "max_files", 1, 10) }
