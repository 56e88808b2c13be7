package blockkit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// repeat joins n copies of a JSON value with commas; every %d in it becomes the copy's number.
func repeat(n int, item string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = strings.ReplaceAll(item, "%d", fmt.Sprint(i))
	}
	return strings.Join(parts, ",")
}

func xs(n int) string { return strings.Repeat("x", n) }

func plain(text string) string  { return `{"type":"plain_text","text":"` + text + `"}` }
func mrkdwn(text string) string { return `{"type":"mrkdwn","text":"` + text + `"}` }

func chart(body string) string {
	return `{"type":"data_visualization","title":"` + xs(50) + `","chart":` + body + `}`
}

// decode reads a test's own JSON as the playground does, numbers as they were written.
func decode[T any](t *testing.T, raw string) T {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(raw))
	dec.UseNumber()
	var v T
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("the test's own JSON is broken: %v", err)
	}
	return v
}

func TestBlocksSlackTakes(t *testing.T) {
	button := `{"type":"button","action_id":"a%d","text":` + plain("Ack") + `,"value":"1","style":"primary","confirm":{"title":` + plain("t") + `,"text":` + mrkdwn("sure?") + `,"confirm":` + plain("y") + `,"deny":` + plain("n") + `}}`
	option := `{"text":` + plain("o") + `,"value":"v%d"}`
	rows := map[string]string{
		"section":       `{"type":"section","text":` + mrkdwn(xs(3000)) + `,"expand":true}`,
		"fields":        `{"type":"section","fields":[` + repeat(10, mrkdwn(xs(2000))) + `]}`,
		"accessory":     `{"type":"section","text":` + plain("x") + `,"accessory":{"type":"overflow","options":[` + repeat(5, option) + `]}}`,
		"image inside":  `{"type":"section","text":` + plain("x") + `,"accessory":{"type":"image","image_url":"https://x.test/a.png","alt_text":"a"}}`,
		"header":        `{"type":"header","text":` + plain(xs(150)) + `,"level":2}`,
		"divider":       `{"type":"divider","block_id":"d"}`,
		"context":       `{"type":"context","elements":[` + repeat(9, mrkdwn("x")) + `,{"type":"image","image_url":"https://x.test/a.png","alt_text":"a"}]}`,
		"actions":       `{"type":"actions","elements":[` + repeat(25, button) + `]}`,
		"select":        `{"type":"actions","elements":[{"type":"static_select","action_id":"s","placeholder":` + plain("p") + `,"options":[` + repeat(100, option) + `],"initial_option":{"text":` + plain("o") + `,"value":"v3"}}]}`,
		"select groups": `{"type":"actions","elements":[{"type":"static_select","action_id":"s","option_groups":[{"label":` + plain("g") + `,"options":[` + repeat(2, option) + `]}]}]}`,
		"pickers":       `{"type":"actions","elements":[{"type":"datepicker","initial_date":"2026-01-31"},{"type":"timepicker","initial_time":"09:30"},{"type":"datetimepicker","initial_date_time":1767225600},{"type":"users_select"}]}`,
		"input":         `{"type":"input","label":` + plain("l") + `,"element":{"type":"plain_text_input","min_length":1,"max_length":3000,"multiline":true},"optional":true,"hint":` + plain("h") + `}`,
		"choices":       `{"type":"input","label":` + plain("l") + `,"element":{"type":"checkboxes","options":[` + repeat(10, option) + `],"initial_options":[{"text":` + plain("o") + `,"value":"v1"}]}}`,
		"number":        `{"type":"input","label":` + plain("l") + `,"element":{"type":"number_input","is_decimal_allowed":false}}`,
		"image":         `{"type":"image","image_url":"https://x.test/a.png","alt_text":"a","title":` + plain("t") + `}`,
		"markdown":      `{"type":"markdown","text":"` + xs(12000) + `"}`,
		"rich text":     `{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"a","style":{"bold":true}},{"type":"link","url":"https://x.test"},{"type":"user","user_id":"U0ANN"},{"type":"broadcast","range":"here"},{"type":"date","timestamp":1767225600,"format":"{ago}"}]},{"type":"rich_text_list","style":"bullet","elements":[{"type":"rich_text_section","elements":[{"type":"emoji","name":"bell"}]}]},{"type":"rich_text_preformatted","elements":[{"type":"text","text":"code"}]},{"type":"rich_text_quote","elements":[]}]}`,
		"table":         `{"type":"table","column_settings":[{"align":"right"}],"rows":[` + repeat(100, `[`+repeat(20, `{"type":"raw_text","text":"c"}`)+`]`) + `]}`,
		"card":          `{"type":"card","title":` + plain("t") + `}`,
		"carousel":      `{"type":"carousel","elements":[{"type":"card","title":` + plain("t") + `}]}`,
		"container":     `{"type":"container","blocks":[{"type":"divider"}]}`,
		"data table":    `{"type":"data_table","caption":"c","rows":[[],[]],"page_size":5}`,
		"feedback":      `{"type":"context_actions","elements":[{"type":"feedback_buttons","action_id":"f"},{"type":"icon_button","action_id":"i","icon":"trash","text":` + plain("Delete") + `}]}`,
		"pie":           chart(`{"type":"pie","segments":[` + repeat(6, `{"label":"`+xs(19)+`%d","value":0.5}`) + `]}`),
		"bars":          chart(`{"type":"bar","axis_config":{"categories":["a","b"],"x_label":"` + xs(50) + `"},"series":[` + repeat(6, `{"name":"s%d","data":[{"label":"a","value":-1},{"label":"b","value":2.5}]}`) + `]}`),
		"line":          chart(`{"type":"line","axis_config":{"categories":[` + repeat(20, `"%d"`) + `]},"series":[{"name":"s","data":[` + repeat(20, `{"label":"%d","value":%d}`) + `]}]}`),
		"files":         `{"type":"input","label":` + plain("l") + `,"element":{"type":"file_input","max_files":3}}`,
		"layout":        `{"type":"layout","label":"l","rows":[{"items":[{"block":{"type":"divider"}}]}],"fallback":[{"type":"divider"}]}`,
		"empty value":   `{"type":"actions","elements":[{"type":"button","text":` + plain("b") + `,"value":"","visible_to_user_ids":["U0ANN"]}]}`,
		"video":         `{"type":"video","title":` + plain("t") + `,"video_url":"https://x.test/v","thumbnail_url":"https://x.test/t","alt_text":"a"}`,
	}
	for name, block := range rows {
		t.Run(name, func(t *testing.T) {
			blocks := decode[[]any](t, "["+block+"]")
			if messages := Blocks(Message, blocks, Options{}); len(messages) != 0 {
				t.Errorf("refused: %v", messages)
			}
		})
	}
}

func TestBlocksSlackRefuses(t *testing.T) {
	option := `{"text":` + plain("o") + `,"value":"v%d"}`
	actions := func(element string) string { return `{"type":"actions","elements":[` + element + `]}` }
	input := func(element string) string {
		return `{"type":"input","label":` + plain("l") + `,"element":` + element + `}`
	}
	button := `{"type":"button","action_id":"a%d","text":` + plain("b") + `}`
	series := func(axis, data string) string {
		return chart(`{"type":"area","axis_config":` + axis + `,"series":[{"name":"s","data":[` + data + `]}]}`)
	}
	point := `{"label":"a","value":1}`
	rows := map[string]struct{ blocks, want string }{
		"chart without title": {`{"type":"data_visualization","chart":{"type":"pie","segments":[{"label":"a","value":1}]}}`, "missing required field: title [json-pointer:/blocks/0]"},
		"no chart":            {`{"type":"data_visualization","title":"t"}`, "missing required field: chart [json-pointer:/blocks/0]"},
		"unknown chart":       {chart(`{"type":"donut"}`), "must be a valid enum value [json-pointer:/blocks/0/chart/type]"},
		"seven slices":        {chart(`{"type":"pie","segments":[` + repeat(7, `{"label":"%d","value":1}`) + `]}`), "no more than 6 items allowed [json-pointer:/blocks/0/chart/segments]"},
		"empty slice":         {chart(`{"type":"pie","segments":[{"label":"a","value":0}]}`), "must be greater than 0 [json-pointer:/blocks/0/chart/segments/0/value]"},
		"no categories":       {series(`{}`, point), "missing required field: categories [json-pointer:/blocks/0/chart/axis_config]"},
		"21 categories":       {series(`{"categories":[`+repeat(21, `"%d"`)+`]}`, point), "no more than 20 items allowed [json-pointer:/blocks/0/chart/axis_config/categories]"},
		"long category":       {series(`{"categories":["`+xs(21)+`"]}`, point), "must be less than 21 characters [json-pointer:/blocks/0/chart/axis_config/categories/0]"},
		"category twice":      {series(`{"categories":["a","a"]}`, point), "must be unique [json-pointer:/blocks/0/chart/axis_config/categories/1]"},
		"foreign point":       {series(`{"categories":["b"]}`, point), "must match one of the categories, each once [json-pointer:/blocks/0/chart/series/0/data/0/label]"},
		"point missing":       {series(`{"categories":["a","b"]}`, point), "must have a point for every category [json-pointer:/blocks/0/chart/series/0/data]"},
		"value as text":       {series(`{"categories":["a"]}`, `{"label":"a","value":"1"}`), "must be a number [json-pointer:/blocks/0/chart/series/0/data/0/value]"},
		"series twice":        {chart(`{"type":"bar","axis_config":{"categories":["a"]},"series":[` + repeat(2, `{"name":"s","data":[`+point+`]}`) + `]}`), "must be unique [json-pointer:/blocks/0/chart/series/1/name]"},
		"three charts":        {repeat(3, chart(`{"type":"pie","segments":[{"label":"a","value":1}]}`)), "no more than 2 data_visualization blocks allowed [json-pointer:/blocks/2]"},
		"file and address":    {`{"type":"image","alt_text":"a","image_url":"https://x.test/a.png","slack_file":{"id":"F00PG0001"}}`, "only one of image_url and slack_file allowed [json-pointer:/blocks/0]"},
		"file by both":        {`{"type":"image","alt_text":"a","slack_file":{"id":"F00PG0001","url":"https://x.test/a.png"}}`, "exactly one of id and url required [json-pointer:/blocks/0/slack_file]"},
		"no file id":          {`{"type":"image","alt_text":"a","slack_file":{"id":"https://x.test/a.png"}}`, "input must match regex pattern: ^F[A-Z0-9]{8,}$ [json-pointer:/blocks/0/slack_file/id]"},
		"unknown file":        {`{"type":"image","alt_text":"a","slack_file":{"id":"F00PG0001"}}`, "invalid slack file [json-pointer:/blocks/0/slack_file]"},
		"no object":           {`1`, "must be an object [json-pointer:/blocks/0]"},
		"no type":             {`{}`, "missing required field: type [json-pointer:/blocks/0]"},
		"unknown type":        {`{"type":"nope"}`, "unsupported type: nope [json-pointer:/blocks/0/type]"},
		"alert in a message":  {`{"type":"alert","text":` + plain("x") + `}`, "unsupported type: alert [json-pointer:/blocks/0/type]"},
		"unknown property":    {`{"type":"divider","colour":"red"}`, "invalid additional property: colour [json-pointer:/blocks/0]"},
		"51 blocks":           {repeat(51, `{"type":"divider"}`), "no more than 50 items allowed [json-pointer:/blocks]"},
		"same block_id":       {repeat(2, `{"type":"divider","block_id":"d"}`), "`block_id` \"d\" already exists [json-pointer:/blocks/1/block_id]"},
		"long block_id":       {`{"type":"divider","block_id":"` + xs(256) + `"}`, "must be less than 256 characters [json-pointer:/blocks/0/block_id]"},
		"number as block_id":  {`{"type":"divider","block_id":1}`, "must be a string [json-pointer:/blocks/0/block_id]"},
		"empty section":       {`{"type":"section"}`, "missing required field: text [json-pointer:/blocks/0]"},
		"long section":        {`{"type":"section","text":` + mrkdwn(xs(3001)) + `}`, "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"},
		"empty text":          {`{"type":"section","text":` + mrkdwn("") + `}`, "must be more than 0 characters [json-pointer:/blocks/0/text/text]"},
		"text as a string":    {`{"type":"section","text":"x"}`, "must be an object [json-pointer:/blocks/0/text]"},
		"text of no type":     {`{"type":"section","text":{"text":"x"}}`, "unsupported type:  [json-pointer:/blocks/0/text/type]"},
		"11 fields":           {`{"type":"section","fields":[` + repeat(11, mrkdwn("x")) + `]}`, "no more than 10 items allowed [json-pointer:/blocks/0/fields]"},
		"long field":          {`{"type":"section","fields":[` + mrkdwn(xs(2001)) + `]}`, "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]"},
		"fields no list":      {`{"type":"section","fields":{}}`, "must be an array [json-pointer:/blocks/0/fields]"},
		"long header":         {`{"type":"header","text":` + plain(xs(151)) + `}`, "must be less than 151 characters [json-pointer:/blocks/0/text/text]"},
		"mrkdwn header":       {`{"type":"header","text":` + mrkdwn("x") + `}`, "must be plain_text [json-pointer:/blocks/0/text/type]"},
		"header level":        {`{"type":"header","text":` + plain("x") + `,"level":5}`, "must be between 1 and 4 [json-pointer:/blocks/0/level]"},
		"11 in context":       {`{"type":"context","elements":[` + repeat(11, mrkdwn("x")) + `]}`, "no more than 10 items allowed [json-pointer:/blocks/0/elements]"},
		"empty context":       {`{"type":"context","elements":[]}`, "no fewer than 1 items allowed [json-pointer:/blocks/0/elements]"},
		"26 actions":          {actions(repeat(26, button)), "no more than 25 items allowed [json-pointer:/blocks/0/elements]"},
		"no actions":          {`{"type":"actions"}`, "missing required field: elements [json-pointer:/blocks/0]"},
		"same action_id":      {actions(button + "," + button), "`action_id` \"a%d\" already exists for this block [json-pointer:/blocks/0/elements/1/action_id]"},
		"long button":         {actions(`{"type":"button","text":` + plain(xs(76)) + `}`), "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]"},
		"long button value":   {actions(`{"type":"button","text":` + plain("b") + `,"value":"` + xs(2001) + `"}`), "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]"},
		"odd style":           {actions(`{"type":"button","text":` + plain("b") + `,"style":"green"}`), "must be a valid enum value [json-pointer:/blocks/0/elements/0/style]"},
		"no url":              {actions(`{"type":"button","text":` + plain("b") + `,"url":"nowhere"}`), "must be a valid url [json-pointer:/blocks/0/elements/0/url]"},
		"half a confirm":      {actions(`{"type":"button","text":` + plain("b") + `,"confirm":{}}`), "missing required field: title [json-pointer:/blocks/0/elements/0/confirm]"},
		"input in actions":    {actions(`{"type":"plain_text_input"}`), "unsupported type: plain_text_input [json-pointer:/blocks/0/elements/0/type]"},
		"6 in overflow":       {actions(`{"type":"overflow","options":[` + repeat(6, option) + `]}`), "no more than 5 items allowed [json-pointer:/blocks/0/elements/0/options]"},
		"101 options":         {actions(`{"type":"static_select","options":[` + repeat(101, option) + `]}`), "no more than 100 items allowed [json-pointer:/blocks/0/elements/0/options]"},
		"unknown initial":     {actions(`{"type":"static_select","options":[` + option + `],"initial_option":{"text":` + plain("o") + `,"value":"z"}}`), "initial option was not found in options [json-pointer:/blocks/0/elements/0]"},
		"long option":         {actions(`{"type":"static_select","options":[{"text":` + plain(xs(76)) + `,"value":"v"}]}`), "must be less than 76 characters [json-pointer:/blocks/0/elements/0/options/0/text/text]"},
		"long option value":   {actions(`{"type":"static_select","options":[{"text":` + plain("o") + `,"value":"` + xs(151) + `"}]}`), "must be less than 151 characters [json-pointer:/blocks/0/elements/0/options/0/value]"},
		"long placeholder":    {actions(`{"type":"users_select","placeholder":` + plain(xs(151)) + `}`), "must be less than 151 characters [json-pointer:/blocks/0/elements/0/placeholder/text]"},
		"11 checkboxes":       {input(`{"type":"checkboxes","options":[` + repeat(11, option) + `]}`), "no more than 10 items allowed [json-pointer:/blocks/0/element/options]"},
		"bad date":            {input(`{"type":"datepicker","initial_date":"31.1.26"}`), "must be a valid date [json-pointer:/blocks/0/element/initial_date]"},
		"bad time":            {input(`{"type":"timepicker","initial_time":"9:30"}`), "must be a valid time [json-pointer:/blocks/0/element/initial_time]"},
		"max_length":          {input(`{"type":"plain_text_input","max_length":3001}`), "must be between 1 and 3000 [json-pointer:/blocks/0/element/max_length]"},
		"min over max":        {input(`{"type":"plain_text_input","min_length":5,"max_length":4}`), "must be less than or equal to max_length [json-pointer:/blocks/0/element/min_length]"},
		"number without kind": {input(`{"type":"number_input"}`), "missing required field: is_decimal_allowed [json-pointer:/blocks/0/element]"},
		"button in an input":  {input(button), "unsupported type: button [json-pointer:/blocks/0/element/type]"},
		"input without label": {`{"type":"input","element":{"type":"users_select"}}`, "missing required field: label [json-pointer:/blocks/0]"},
		"input without field": {`{"type":"input","label":` + plain("l") + `}`, "missing required field: element [json-pointer:/blocks/0]"},
		"image without alt":   {`{"type":"image","image_url":"https://x.test"}`, "missing required field: alt_text [json-pointer:/blocks/0]"},
		"image without url":   {`{"type":"image","alt_text":"a"}`, "missing required field: image_url [json-pointer:/blocks/0]"},
		"long markdown":       {`{"type":"markdown","text":"` + xs(12001) + `"}`, "must be less than 12001 characters [json-pointer:/blocks/0/text]"},
		"rich text child":     {`{"type":"rich_text","elements":[{"type":"text","text":"a"}]}`, "unsupported type: text [json-pointer:/blocks/0/elements/0/type]"},
		"rich text style":     {`{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"a","style":{"boldx":true}}]}]}`, "invalid additional property: boldx [json-pointer:/blocks/0/elements/0/elements/0/style]"},
		"rich text styled":    {`{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"a","style":"bold"}]}]}`, "must be an object [json-pointer:/blocks/0/elements/0/elements/0/style]"},
		"rich text in code":   {`{"type":"rich_text","elements":[{"type":"rich_text_preformatted","elements":[{"type":"user","user_id":"U0ANN"}]}]}`, "unsupported type: user [json-pointer:/blocks/0/elements/0/elements/0/type]"},
		"rich text colour":    {`{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"color","value":"red"}]}]}`, "must be a valid color [json-pointer:/blocks/0/elements/0/elements/0/value]"},
		"rich text empty":     {`{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":""}]}]}`, "must be more than 0 characters [json-pointer:/blocks/0/elements/0/elements/0/text]"},
		"rich list style":     {`{"type":"rich_text","elements":[{"type":"rich_text_list","style":"star","elements":[{"type":"rich_text_section","elements":[]}]}]}`, "must be a valid enum value [json-pointer:/blocks/0/elements/0/style]"},
		"101 rows":            {`{"type":"table","rows":[` + repeat(101, `[]`) + `]}`, "no more than 100 items allowed [json-pointer:/blocks/0/rows]"},
		"21 columns":          {`{"type":"table","rows":[[` + repeat(21, `{"type":"raw_text","text":"c"}`) + `]]}`, "no more than 20 items allowed [json-pointer:/blocks/0/rows/0]"},
		"number in a table":   {`{"type":"table","rows":[[{"type":"raw_number","value":1}]]}`, "unsupported type: raw_number [json-pointer:/blocks/0/rows/0/0/type]"},
		"two tables":          {repeat(2, `{"type":"table","rows":[[]]}`), "only_one_table_allowed [json-pointer:/blocks/1]"},
		"no fields":           {`{"type":"section","text":` + plain("x") + `,"fields":[]}`, "no fewer than 1 items allowed [json-pointer:/blocks/0/fields]"},
		"flag as text":        {`{"type":"section","text":{"type":"plain_text","text":"x","emoji":"no"}}`, "must be a boolean [json-pointer:/blocks/0/text/emoji]"},
		"no web address":      {`{"type":"image","alt_text":"a","image_url":"not a url"}`, "must be a valid url [json-pointer:/blocks/0/image_url]"},
		"option with a link":  {actions(`{"type":"static_select","options":[{"text":` + plain("o") + `,"value":"v","url":"https://x.test"}]}`), "invalid additional property: url [json-pointer:/blocks/0/elements/0/options/0]"},
		"options and groups":  {actions(`{"type":"static_select","options":[` + option + `],"option_groups":[{"label":` + plain("g") + `,"options":[` + option + `]}]}`), "only one of options and option_groups allowed [json-pointer:/blocks/0/elements/0]"},
		"initial text":        {actions(`{"type":"static_select","options":[` + option + `],"initial_option":{"text":` + plain("other") + `,"value":"v%d"}}`), "initial option was not found in options [json-pointer:/blocks/0/elements/0]"},
		"select nothing":      {actions(`{"type":"multi_users_select","max_selected_items":0}`), "must be between 1 and 2147483647 [json-pointer:/blocks/0/elements/0/max_selected_items]"},
		"empty filter":        {actions(`{"type":"conversations_select","filter":{}}`), "must not be empty [json-pointer:/blocks/0/elements/0/filter]"},
		"odd filter":          {actions(`{"type":"conversations_select","filter":{"include":["x"]}}`), "must be a valid enum value [json-pointer:/blocks/0/elements/0/filter/include/0]"},
		"answer to a message": {actions(`{"type":"channels_select","response_url_enabled":true}`), "only allowed in modals [json-pointer:/blocks/0/elements/0/response_url_enabled]"},
		"no such day":         {actions(`{"type":"datepicker","initial_date":"2026-02-30"}`), "must be a valid date [json-pointer:/blocks/0/elements/0/initial_date]"},
		"no such hour":        {actions(`{"type":"timepicker","initial_time":"24:30"}`), "must be a valid time [json-pointer:/blocks/0/elements/0/initial_time]"},
		"no such zone":        {actions(`{"type":"timepicker","timezone":"Mars/X"}`), "must be a valid timezone [json-pointer:/blocks/0/elements/0/timezone]"},
		"unknown in element":  {input(`{"type":"plain_text_input","foo":1}`), "invalid additional property: foo [json-pointer:/blocks/0/element]"},
		"numbers crossed":     {input(`{"type":"number_input","is_decimal_allowed":true,"min_value":"5","max_value":"4.5"}`), "must be less than or equal to max_value [json-pointer:/blocks/0/element/min_value]"},
		"odd trigger":         {input(`{"type":"plain_text_input","dispatch_action_config":{"trigger_actions_on":["x"]}}`), "must be a valid enum value [json-pointer:/blocks/0/element/dispatch_action_config/trigger_actions_on/0]"},
		"two in focus":        {repeat(2, input(`{"type":"plain_text_input","focus_on_load":true}`)), "only one element may have focus_on_load [json-pointer:/blocks/1/element/focus_on_load]"},
		"button without icon": {`{"type":"context_actions","elements":[{"type":"icon_button","text":` + plain("x") + `}]}`, "missing required field: icon [json-pointer:/blocks/0/elements/0]"},
		"long video title":    {`{"type":"video","title":` + plain(xs(200)) + `,"video_url":"https://x.test/v","thumbnail_url":"https://x.test/t","alt_text":"a"}`, "must be less than 200 characters [json-pointer:/blocks/0/title/text]"},
		"long video author":   {`{"type":"video","author_name":"` + xs(51) + `"}`, "must be less than 51 characters [json-pointer:/blocks/0/author_name]"},
		"video by http":       {`{"type":"video","video_url":"http://x.test/v"}`, "must be a valid url [json-pointer:/blocks/0/video_url]"},
		"column on top":       {`{"type":"table","rows":[[]],"column_settings":[null,{"align":"top"}]}`, "must be a valid enum value [json-pointer:/blocks/0/column_settings/1/align]"},
		"much in a table":     {`{"type":"table","rows":[` + repeat(2, `[{"type":"raw_text","text":"`+xs(5001)+`"}]`) + `]}`, "must have less than 10001 characters [json-pointer:/blocks/0/rows]"},
		"rich heading":        {`{"type":"data_table","caption":"c","rows":[[{"type":"rich_text","elements":[]}],[]]}`, "unsupported type: rich_text [json-pointer:/blocks/0/rows/0/0/type]"},
		"odd cell":            {`{"type":"data_table","caption":"c","rows":[[],[{"type":"nope"}]]}`, "unsupported type: nope [json-pointer:/blocks/0/rows/1/0/type]"},
		"unknown on a card":   {`{"type":"card","foo":1}`, "invalid additional property: foo [json-pointer:/blocks/0]"},
		"odd action of card":  {`{"type":"card","actions":[{"type":"nope"}]}`, "unsupported type: nope [json-pointer:/blocks/0/actions/0/type]"},
		"carousel of lines":   {`{"type":"carousel","elements":[{"type":"divider"}]}`, "unsupported type: divider [json-pointer:/blocks/0/elements/0/type]"},
		"odd block in layout": {`{"type":"layout","label":"l","rows":[{"items":[{"block":{"type":"nope"}}]}]}`, "unsupported type: nope [json-pointer:/blocks/0/rows/0/items/0/block/type]"},
		"nested container":    {`{"type":"container","blocks":[{"type":"container"}]}`, "unsupported type: container [json-pointer:/blocks/0/blocks/0/type]"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			blocks := decode[[]any](t, "["+row.blocks+"]")
			if messages := Blocks(Message, blocks, Options{}); !slices.Contains(messages, row.want) {
				t.Errorf("got %q, want %q", messages, row.want)
			}
		})
	}
}

func TestAlertBlockIsForModalsOnly(t *testing.T) {
	view := func(level string) map[string]any {
		return decode[map[string]any](t, `{"type":"modal","title":`+plain("t")+`,"blocks":[{"type":"alert","level":"`+level+`","text":`+plain("x")+`}]}`)
	}
	if messages := View(Modal, view("error"), Options{}); len(messages) != 0 {
		t.Errorf("refused: %v", messages)
	}
	want := "must be a valid enum value [json-pointer:/view/blocks/0/level]"
	if messages := View(Modal, view("loud"), Options{}); !slices.Contains(messages, want) {
		t.Errorf("got %q, want %q", messages, want)
	}
}

func TestViewsAndAttachmentsSlackRefuses(t *testing.T) {
	inHome := func(fields string) []string {
		return View(Home, decode[map[string]any](t, `{"type":"home",`+fields+`}`), Options{})
	}
	for _, row := range []struct {
		got  []string
		want string
	}{
		{inHome(`"blocks":[{"type":"divider"}],"foo":1`), "invalid additional property: foo [json-pointer:/view]"},
		{inHome(`"blocks":[{"type":"divider"}],"submit":` + plain("s")), "invalid additional property: submit [json-pointer:/view]"},
		{inHome(`"blocks":[{"type":"input","label":` + plain("l") + `,"element":{"type":"file_input"}}]`), "unsupported type: file_input [json-pointer:/view/blocks/0/element/type]"},
		{Attachments(decode[[]any](t, `[`+repeat(101, `{"text":"x"}`)+`]`), Options{}), "no more than 100 items allowed [json-pointer:/attachments]"},
	} {
		if !slices.Contains(row.got, row.want) {
			t.Errorf("got %q, want %q", row.got, row.want)
		}
	}
}

func FuzzBlocks(f *testing.F) {
	f.Add(`[{"type":"section","text":{"type":"mrkdwn","text":"a"}}]`)
	f.Add(`[{"type":"actions","elements":[{"type":"static_select","option_groups":[{"options":[null]}],"initial_options":[1]}]}]`)
	f.Add(`[{"type":"table","rows":[[{"type":"rich_text","elements":[{"type":"rich_text_list"}]}]]}]`)
	f.Add(`[{"type":"container","blocks":[{"type":"input","element":{"type":"checkboxes","confirm":[]}}]}]`)
	f.Fuzz(func(t *testing.T, raw string) {
		var blocks []any
		if json.Unmarshal([]byte(raw), &blocks) != nil {
			return
		}
		for _, where := range []Surface{Message, Home, Modal} {
			_ = Blocks(where, blocks, Options{})
		}
		_ = Attachments(blocks, Options{})
		for _, b := range blocks {
			if fields, ok := b.(map[string]any); ok {
				_ = View(Modal, fields, Options{})
			}
		}
	})
}
