package playground

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"

	"tocsin/playground/blockkit"
	"tocsin/playground/mrkdwn"
)

// Slack's limits for the text of a message, in characters, and for attachments; the one for metadata is a guess.
const (
	maxPostText    = 40000
	maxUpdateText  = 4000
	maxAttachments = 100
	maxMetadata    = 8000
)

// content is the checked and normalised body of a message.
type content struct {
	text                string
	blocks, attachments json.RawMessage
	metadata            *Metadata
	hasText, hasBlocks  bool
	hasAttachments      bool
	hasMetadata         bool
}

// modeOf reads parse, link_names and mrkdwn arguments of a message.
func modeOf(a args) mrkdwn.Mode {
	switch a.text("parse") {
	case "none":
		return mrkdwn.Mode{Names: a.flag("link_names")}
	case "full":
		return mrkdwn.Mode{Links: true, Names: true}
	default:
		return mrkdwn.Mode{Links: true, Names: a.flag("link_names")}
	}
}

// contentLocked reads text, blocks, attachments, markdown_text and metadata. maxText, in characters, is a limit for text.
func (s *Server) contentLocked(a args, maxText int) (content, *apiError) {
	c := content{text: a.text("text"), hasText: a.given("text")}
	if a.given("markdown_text") {
		if err := c.readMarkdown(a); err != nil {
			return c, err
		}
	}
	if utf8.RuneCountInString(c.text) > maxText {
		return c, &apiError{Code: "msg_too_long"}
	}
	mode := modeOf(a)
	c.text = s.linkLocked(c.text, mode)
	if err := s.readBlocksLocked(&c, a); err != nil {
		return c, err
	}
	if err := s.readAttachmentsLocked(&c, a); err != nil {
		return c, err
	}
	return c, c.readMetadata(a)
}

func (c *content) readMarkdown(a args) *apiError {
	if a.given("text") || a.given("blocks") {
		return &apiError{Code: "markdown_text_conflict"}
	}
	if utf8.RuneCountInString(a.text("markdown_text")) > blockkit.MaxMarkdown {
		return &apiError{Code: "msg_too_long"}
	}
	c.text, c.hasText = a.text("markdown_text"), true
	return nil
}

func (s *Server) readBlocksLocked(c *content, a args) *apiError {
	if !a.given("blocks") {
		return nil
	}
	blocks, err := decodeBlocks(a.text("blocks"))
	if err != nil {
		return err
	}
	if messages := blockkit.Blocks(blockkit.Message, blocks, s.blockOptionsLocked()); len(messages) > 0 {
		return &apiError{Code: "invalid_blocks", Messages: messages}
	}
	c.hasBlocks = true
	if len(blocks) > 0 {
		c.blocks = encodeJSON(s.normalizeBlocksLocked(blocks))
		if c.text == "" {
			c.text = fallbackText(blocks)
		}
	}
	return nil
}

func (s *Server) readAttachmentsLocked(c *content, a args) *apiError {
	if !a.given("attachments") {
		return nil
	}
	attachments, err := decodeList(a.text("attachments"))
	if err != nil {
		return &apiError{Code: "invalid_attachments"}
	}
	if len(attachments) > maxAttachments {
		return &apiError{Code: "too_many_attachments"}
	}
	if messages := blockkit.Attachments(attachments, s.blockOptionsLocked()); len(messages) > 0 {
		return &apiError{Code: "invalid_attachments", Messages: messages}
	}
	c.hasAttachments = true
	if len(attachments) > 0 {
		c.attachments = encodeJSON(s.normalizeAttachmentsLocked(attachments))
	}
	return nil
}

var eventType = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// readMetadata accepts {} as "remove" and otherwise wants event_type and an object in event_payload.
func (c *content) readMetadata(a args) *apiError {
	if !a.given("metadata") {
		return nil
	}
	raw := a.text("metadata")
	var m struct {
		EventType    *string                    `json:"event_type"`
		EventPayload map[string]json.RawMessage `json:"event_payload"`
	}
	if err := json.Unmarshal([]byte(raw), &m); err != nil || !strings.HasPrefix(strings.TrimSpace(raw), "{") {
		return &apiError{Code: "invalid_metadata_format"}
	}
	c.hasMetadata = true
	if m.EventType == nil && m.EventPayload == nil {
		return nil
	}
	if m.EventType == nil || m.EventPayload == nil || !eventType.MatchString(*m.EventType) {
		return &apiError{Code: "invalid_metadata_schema"}
	}
	if len(raw) > maxMetadata {
		return &apiError{Code: "metadata_too_large"}
	}
	c.metadata = &Metadata{EventType: *m.EventType, EventPayload: encodeJSON(m.EventPayload)}
	return nil
}

// empty reports whether there is nothing that could be shown.
func (c *content) empty() bool {
	return strings.TrimSpace(c.text) == "" && c.blocks == nil && c.attachments == nil
}

// botMessageLocked is a message of the bot with this content.
func (s *Server) botMessageLocked(c content) Message {
	return Message{
		User: s.ws.bot.ID, BotID: s.ws.botID, AppID: s.ws.appID, Text: c.text, Blocks: c.blocks, Attachments: c.attachments, Metadata: c.metadata,
		BotProfile: &BotProfile{ID: s.ws.botID, AppID: s.ws.appID, Name: s.ws.bot.RealName, TeamID: s.ws.teamID},
	}
}

// truncate cuts s to n characters.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	count := 0
	for i := range s {
		if count == n {
			return s[:i]
		}
		count++
	}
	return s
}
