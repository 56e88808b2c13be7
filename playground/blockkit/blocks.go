package blockkit

import (
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"
)

// blockRule is what Slack requires of one type of block.
type blockRule struct {
	// surfaces is where the block may be shown; empty means everywhere.
	surfaces []Surface
	// properties are the names a block may have in addition to type and block_id; empty allows every name.
	properties string
	check      func(*checker, object)
}

func (r blockRule) on(where Surface) bool {
	return len(r.surfaces) == 0 || slices.Contains(r.surfaces, where)
}

func blockRules() map[string]blockRule {
	message, modal, noModal := []Surface{Message}, []Surface{Modal}, []Surface{Message, Home}
	return map[string]blockRule{
		"actions":            {properties: "elements", check: (*checker).actionsBlock},
		"alert":              {surfaces: modal, check: (*checker).alertBlock},
		"card":               {properties: "hero_image icon slack_icon title subtitle body subtext actions", check: (*checker).cardBlock},
		"carousel":           {surfaces: noModal, check: (*checker).carouselBlock},
		"container":          {surfaces: message, check: (*checker).containerBlock},
		"context":            {properties: "elements", check: (*checker).contextBlock},
		"context_actions":    {surfaces: message, properties: "elements", check: (*checker).contextActionsBlock},
		"data_table":         {surfaces: message, check: (*checker).dataTableBlock},
		"data_visualization": {surfaces: message, properties: "title chart", check: (*checker).chartBlock},
		"divider":            {properties: " ", check: (*checker).anyBlock},
		"header":             {properties: "text level", check: (*checker).headerBlock},
		"image":              {properties: "image_url slack_file alt_text title", check: (*checker).imageBlock},
		"input":              {properties: "label element dispatch_action hint optional", check: (*checker).inputBlock},
		"layout":             {properties: "label rows is_label_visible grid_lines fallback", check: (*checker).layoutBlock},
		"markdown":           {surfaces: message, properties: "text", check: (*checker).markdownBlock},
		"plan":               {surfaces: message, check: (*checker).anyBlock},
		"rich_text":          {properties: "elements", check: (*checker).richTextBlock},
		"section":            {properties: "text fields accessory expand", check: (*checker).sectionBlock},
		"table":              {surfaces: noModal, properties: "rows column_settings", check: (*checker).tableBlock},
		"task_card":          {surfaces: message, check: (*checker).anyBlock},
		"video":              {check: (*checker).videoBlock},
	}
}

// anyBlock is for blocks that are not checked further.
func (c *checker) anyBlock(object) {}

func (c *checker) sectionBlock(o object) {
	var fields []any
	if o.fields["fields"] != nil {
		fields = c.list(o, "fields", 1, 10)
	} else if o.fields["text"] == nil {
		c.missing(o, "text")
	}
	c.text(o, "text", textRule{most: maxTextObject})
	for i, f := range fields {
		if t, ok := c.asObject(f, fmt.Sprintf("%s/fields/%d", o.at, i)); ok {
			c.textObject(t, textRule{most: 2000})
		}
	}
	if accessory, ok := c.child(o, "accessory"); ok {
		c.element(accessory, placeSection)
	}
}

func (c *checker) headerBlock(o object) {
	c.text(o, "text", textRule{most: 150, plain: true, required: true})
	c.integer(o, "level", 1, 4)
}

func (c *checker) imageBlock(o object) {
	c.image(o)
	c.text(o, "title", textRule{most: 2000, plain: true})
}

// image checks what image blocks and image elements share: one address, or one file.
func (c *checker) image(o object) {
	c.need(o, "alt_text", 2000)
	file, ok := c.child(o, "slack_file")
	switch {
	case !ok && o.fields["slack_file"] == nil:
		c.web(o, "image_url", "http", "https")
	case !ok:
	case o.fields["image_url"] != nil:
		c.fail(o.at, "only one of image_url and slack_file allowed")
	default:
		c.slackFile(file)
	}
}

var fileID = regexp.MustCompile(`^F[A-Z0-9]{8,}$`)

// slackFile checks that the file, named by id or by url but not by both, is a picture that Slack has finished checking.
func (c *checker) slackFile(o object) {
	c.properties(o, "id url")
	id, byID := c.str(o, "id", 1, maxID)
	address, byURL := c.str(o, "url", 1, maxURL)
	switch {
	case byID == byURL:
		c.fail(o.at, "exactly one of id and url required")
	case byID && !fileID.MatchString(id):
		c.fail(o.at+"/id", "input must match regex pattern: %s", fileID)
	case c.opts.Picture == nil || !c.opts.Picture(id, address):
		c.fail(o.at, "invalid slack file")
	}
}

func (c *checker) contextBlock(o object) {
	for i, e := range c.list(o, "elements", 1, 10) {
		t, ok := c.asObject(e, fmt.Sprintf("%s/elements/%d", o.at, i))
		if !ok {
			continue
		}
		if t.fields["type"] == "image" {
			c.properties(t, "image_url slack_file alt_text")
			c.image(t)
			continue
		}
		c.textObject(t, textRule{most: maxTextObject})
	}
}

func (c *checker) actionsBlock(o object) {
	c.elements(o, "elements", c.list(o, "elements", 1, 25), placeActions)
}

func (c *checker) contextActionsBlock(o object) {
	c.elements(o, "elements", c.list(o, "elements", 1, 5), placeContextActions)
}

// elements checks interactive elements, whose action_ids have to differ within the block.
func (c *checker) elements(o object, key string, list []any, where place) {
	seen := map[string]bool{}
	for i, e := range list {
		at := fmt.Sprintf("%s/%s/%d", o.at, key, i)
		el, ok := c.asObject(e, at)
		if !ok {
			continue
		}
		c.element(el, where)
		id, _ := el.fields["action_id"].(string)
		if id != "" && seen[id] {
			c.fail(at+"/action_id", "`action_id` %q already exists for this block", id)
		}
		seen[id] = true
	}
}

func (c *checker) inputBlock(o object) {
	c.inputs = true
	c.text(o, "label", textRule{most: 2000, plain: true, required: true})
	c.text(o, "hint", textRule{most: 2000, plain: true})
	el, ok := c.child(o, "element")
	if !ok {
		c.missing(o, "element")
		return
	}
	c.element(el, placeInput)
}

func (c *checker) markdownBlock(o object) { c.need(o, "text", MaxMarkdown) }

func (c *checker) videoBlock(o object) {
	c.text(o, "title", textRule{most: 199, plain: true, required: true})
	c.str(o, "author_name", 0, 50)
	c.web(o, "video_url", "https")
	c.web(o, "thumbnail_url", "http", "https")
	c.need(o, "alt_text", 2000)
}

func (c *checker) alertBlock(o object) {
	if o.fields["text"] == nil {
		c.missing(o, "text")
	}
	level, given := c.str(o, "level", 1, 20)
	if given && !containsWord("default info warning error success", level) {
		c.fail(o.at+"/level", "must be a valid enum value")
	}
}

func (c *checker) cardBlock(o object) {
	c.text(o, "title", textRule{most: 150})
	c.text(o, "subtitle", textRule{most: 150})
	c.text(o, "body", textRule{most: 200})
	c.elements(o, "actions", c.list(o, "actions", 0, 25), placeActions)
}

func (c *checker) carouselBlock(o object) {
	for i, e := range c.list(o, "elements", 1, 10) {
		at := fmt.Sprintf("%s/elements/%d", o.at, i)
		if card, ok := c.asObject(e, at); ok && card.fields["type"] != "card" {
			c.fail(at+"/type", "unsupported type: %v", card.fields["type"])
		} else if ok {
			c.block(e, at)
		}
	}
}

// layoutBlock checks a grid of other blocks.
func (c *checker) layoutBlock(o object) {
	c.need(o, "label", 150)
	for i, v := range c.list(o, "rows", 1, 5) {
		row, _ := c.asObject(v, fmt.Sprintf("%s/rows/%d", o.at, i))
		for j, v := range c.list(row, "items", 1, maxMessageBlocks) {
			at := fmt.Sprintf("%s/items/%d", row.at, j)
			if item, ok := c.asObject(v, at); ok {
				c.block(item.fields["block"], at+"/block")
			}
		}
	}
	c.blocks(c.list(o, "fallback", 0, maxMessageBlocks), o.at+"/fallback", maxMessageBlocks)
}

func (c *checker) containerBlock(o object) {
	for i, b := range c.list(o, "blocks", 0, 10) {
		c.nested(b, fmt.Sprintf("%s/blocks/%d", o.at, i))
	}
}

// nested checks a block within a container; containers can't be nested.
func (c *checker) nested(v any, at string) {
	if fields, ok := v.(map[string]any); ok && fields["type"] == "container" {
		c.fail(at+"/type", "unsupported type: container")
		return
	}
	c.block(v, at)
}

func (c *checker) dataTableBlock(o object) {
	if o.fields["caption"] == nil {
		c.missing(o, "caption")
	}
	c.rows(o, 2, 101, func(row int) string {
		if row == 0 {
			return "raw_text"
		}
		return "raw_text raw_number rich_text action_cell"
	})
	c.integer(o, "page_size", 1, 100)
}

// maxCells is how many characters the cells of all tables of a message may have.
const maxCells = 10000

// tableBlock checks a table: 100 rows of 20 cells, each raw_text or rich_text, and one table in a message.
func (c *checker) tableBlock(o object) {
	if c.tables++; c.tables > 1 {
		c.fail(o.at, "only_one_table_allowed")
	}
	for i, v := range c.list(o, "column_settings", 0, 20) {
		if v == nil {
			continue // a column without settings
		}
		column, _ := c.asObject(v, fmt.Sprintf("%s/column_settings/%d", o.at, i))
		if align, given := c.str(column, "align", 0, 20); given && !containsWord("left center right", align) {
			c.fail(column.at+"/align", "must be a valid enum value")
		}
	}
	c.rows(o, 1, 100, func(int) string { return "raw_text rich_text" })
	if c.cells > maxCells {
		c.fail(o.at+"/rows", "must have less than %d characters", maxCells+1)
	}
}

// rows checks the least..most rows of a table, whose cells are of the kinds that the row may have.
func (c *checker) rows(o object, least, most int, kinds func(row int) string) {
	for i, row := range c.list(o, "rows", least, most) {
		at := fmt.Sprintf("%s/rows/%d", o.at, i)
		cells, ok := row.([]any)
		if !ok {
			c.fail(at, "must be an array")
			continue
		}
		if len(cells) > 20 {
			c.fail(at, "no more than 20 items allowed")
			continue
		}
		for j, cell := range cells {
			c.cell(cell, fmt.Sprintf("%s/%d", at, j), kinds(i))
		}
	}
}

func (c *checker) cell(v any, at, kinds string) {
	o, ok := c.asObject(v, at)
	if !ok {
		return
	}
	kind, _ := o.fields["type"].(string)
	switch {
	case !containsWord(kinds, kind):
		c.fail(at+"/type", "unsupported type: %s", kind)
	case kind == "raw_text":
		c.cells += utf8.RuneCountInString(c.need(o, "text", maxCells))
	case kind == "rich_text":
		c.richTextBlock(o)
	}
}
