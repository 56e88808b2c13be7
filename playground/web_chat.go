package playground

import (
	"encoding/json"
	"net/url"
	"strings"
)

// chatPostMessage posts as the bot. Text over 40,000 characters is cut, as Slack does.
func (s *Server) chatPostMessage(c *call) (reply, *apiError) {
	if err := c.args.require("channel"); err != nil {
		return nil, err
	}
	room, err := s.postTargetLocked(c.args.text("channel"))
	if err != nil {
		return nil, err
	}
	if wait := s.limits.allowPost(room.ID, s.now()); wait > 0 {
		return nil, &apiError{Code: "ratelimited", RetryAfter: wait}
	}
	body, err := s.contentLocked(c.args.with("text", truncate(c.args.text("text"), maxPostText)), maxPostText)
	if err != nil {
		return nil, err
	}
	if body.empty() {
		return nil, &apiError{Code: "no_text"}
	}
	m := s.botMessageLocked(body)
	if c.args.given("mrkdwn") && !c.args.flag("mrkdwn") {
		m.Mrkdwn = new(bool)
	}
	// Slack posts a reply to an unknown message at top level, and says so only by leaving thread_ts out of its answer
	// (docs/slack.md §2.3).
	if room.message(c.args.text("thread_ts")) != nil {
		if err := s.threadLocked(room, c.args, &m); err != nil {
			return nil, err
		}
	}
	s.customizeLocked(c.args, &m)
	posted := s.postLocked(room, m)
	c.ts = posted.TS
	return reply{"channel": room.ID, "ts": posted.TS, "message": posted}, nil
}

// postTargetLocked finds where a post goes: an id, the name of a public channel, or a person's id, which means their direct messages.
func (s *Server) postTargetLocked(ref string) (*channelState, *apiError) {
	if u := s.userLocked(ref); u != nil && u.ID == ref {
		switch {
		case u.IsBot:
			return nil, &apiError{Code: "cannot_dm_bot"}
		case u.Deleted:
			return nil, &apiError{Code: "user_disabled"}
		}
		return s.dmLocked(u.ID), nil
	}
	room, err := s.visibleLocked(ref, true)
	switch {
	case err != nil:
		return nil, err
	case room.IsArchived:
		return nil, &apiError{Code: "is_archived"}
	case !room.IsMember && !s.hasScopeLocked("chat:write.public"):
		return nil, &apiError{Code: "not_in_channel"}
	}
	return room, nil
}

// visibleLocked finds a conversation that the bot can see: a public channel, or any other that it is in. Slack does not tell
// "unknown" from "hidden".
func (s *Server) visibleLocked(ref string, byName bool) (*channelState, *apiError) {
	if strings.HasPrefix(ref, "@") {
		return nil, &apiError{Code: "channel_not_found"}
	}
	room := s.channelLocked(ref)
	if room == nil || room.ID != ref && !byName || room.IsPrivate && !room.IsMember {
		return nil, &apiError{Code: "channel_not_found"}
	}
	return room, nil
}

// threadLocked puts m into the thread that thread_ts names.
func (s *Server) threadLocked(room *channelState, a args, m *Message) *apiError {
	ts := a.text("thread_ts")
	if ts == "" {
		return nil
	}
	parent := room.message(ts)
	switch {
	case parent == nil:
		return &apiError{Code: "thread_not_found"}
	case parent.ThreadTS != "" && parent.ThreadTS != parent.TS:
		return &apiError{Code: "cannot_reply_to_message"}
	}
	m.ThreadTS, m.ParentUserID = ts, parent.User
	if a.flag("reply_broadcast") {
		m.Subtype = "thread_broadcast"
	}
	return nil
}

// customizeLocked applies another name or icon, which makes it a classic bot message. Without their scope Slack ignores them.
func (s *Server) customizeLocked(a args, m *Message) {
	icon := map[string]string{}
	if a.given("icon_emoji") {
		icon["emoji"] = a.text("icon_emoji")
	}
	if a.given("icon_url") {
		icon["image_48"] = a.text("icon_url")
	}
	if !a.given("username") && len(icon) == 0 || !s.hasScopeLocked("chat:write.customize") {
		return
	}
	m.Username, m.User = orDefault(a.text("username"), s.ws.bot.RealName), ""
	m.Subtype = orDefault(m.Subtype, "bot_message")
	if len(icon) > 0 {
		m.Icons = encodeJSON(icon)
	}
}

// chatPostEphemeral shows a message to one person of a channel. Its metadata is ignored.
func (s *Server) chatPostEphemeral(c *call) (reply, *apiError) {
	if err := c.args.require("channel", "user"); err != nil {
		return nil, err
	}
	room, err := s.postTargetLocked(c.args.text("channel"))
	if err != nil {
		return nil, err
	}
	if !room.IsMember {
		return nil, &apiError{Code: "not_in_channel"}
	}
	if !room.members[c.args.text("user")] {
		return nil, &apiError{Code: "user_not_in_channel"}
	}
	body, err := s.contentLocked(c.args.with("metadata", ""), maxPostText)
	if err != nil {
		return nil, err
	}
	if body.empty() {
		return nil, &apiError{Code: "no_text"}
	}
	m := s.botMessageLocked(body)
	if err := s.threadLocked(room, c.args, &m); err != nil {
		return nil, err
	}
	shown := s.ephemeralLocked(room, c.args.text("user"), m)
	c.ts = shown.TS
	return reply{"message_ts": shown.TS}, nil
}

// chatUpdate changes one of the bot's own messages. Unlike a post it refuses text over 4,000 characters.
func (s *Server) chatUpdate(c *call) (reply, *apiError) {
	room, m, err := s.ownMessageLocked(c, "cant_update_message")
	if err != nil {
		return nil, err
	}
	if room.IsArchived {
		return nil, &apiError{Code: "is_inactive"}
	}
	body, err := s.contentLocked(c.args, maxUpdateText)
	if err != nil {
		return nil, err
	}
	after := s.updated(*m, body)
	if err := checkUpdate(*m, after, body); err != nil {
		return nil, err
	}
	s.editLocked(room, m, func(m *Message) { *m = after })
	return reply{"channel": room.ID, "ts": m.TS, "text": m.Text, "message": m}, nil
}

// checkUpdate refuses an update that says nothing, leaves nothing, or turns rich text into other blocks.
func checkUpdate(before, after Message, body content) *apiError {
	switch {
	case body.empty() && !body.hasBlocks && !body.hasAttachments,
		strings.TrimSpace(after.Text) == "" && after.Blocks == nil && after.Attachments == nil:
		return &apiError{Code: "no_text"}
	case body.blocks != nil && hasRichText(before.Blocks) && !hasRichText(body.blocks):
		return &apiError{Code: "block_mismatch"}
	}
	return nil
}

// updated is m after an update: text alone removes blocks, what is absent stays, and only text without blocks is marked as edited.
func (s *Server) updated(m Message, body content) Message {
	if body.text != "" {
		m.Text = body.text
	}
	switch {
	case body.hasBlocks:
		m.Blocks = body.blocks
	case body.hasText:
		m.Blocks = nil
	}
	if body.hasText && body.blocks == nil {
		m.Edited = &Edited{User: s.ws.bot.ID, TS: tsOf(s.now())}
	}
	if body.hasAttachments {
		m.Attachments = body.attachments
	}
	if body.hasMetadata {
		m.Metadata = body.metadata
	}
	return m
}

// chatDelete removes one of the bot's own messages.
func (s *Server) chatDelete(c *call) (reply, *apiError) {
	room, m, err := s.ownMessageLocked(c, "cant_delete_message")
	if err != nil {
		return nil, err
	}
	if m.Username != "" {
		return nil, &apiError{Code: "cant_delete_message"}
	}
	s.deleteLocked(room, m)
	return reply{"channel": room.ID, "ts": c.ts}, nil
}

// ownMessageLocked finds the message of the bot that channel and ts name; foreign is the code for somebody else's.
func (s *Server) ownMessageLocked(c *call, foreign string) (*channelState, *Message, *apiError) {
	if err := c.args.require("channel", "ts"); err != nil {
		return nil, nil, err
	}
	room, err := s.visibleLocked(c.args.text("channel"), false)
	if err != nil {
		return nil, nil, err
	}
	c.ts = c.args.text("ts")
	m := room.message(c.ts)
	switch {
	case m == nil || m.Subtype == "tombstone":
		return nil, nil, &apiError{Code: "message_not_found"}
	case m.BotID != s.ws.botID:
		return nil, nil, &apiError{Code: foreign}
	}
	return room, m, nil
}

// chatGetPermalink gives the address of a message on the playground's own page.
func (s *Server) chatGetPermalink(c *call) (reply, *apiError) {
	if err := c.args.require("channel", "message_ts"); err != nil {
		return nil, err
	}
	room, err := s.visibleLocked(c.args.text("channel"), false)
	if err != nil {
		return nil, err
	}
	m := room.message(c.args.text("message_ts"))
	if m == nil {
		return nil, &apiError{Code: "message_not_found"}
	}
	c.ts = m.TS
	return reply{"channel": room.ID, "permalink": s.permalink(m)}, nil
}

func (s *Server) permalink(m *Message) string {
	link := s.base + "/archives/" + m.Channel + "/p" + strings.ReplaceAll(m.TS, ".", "")
	if m.ThreadTS != "" && m.ThreadTS != m.TS {
		link += "?" + url.Values{"thread_ts": {m.ThreadTS}, "cid": {m.Channel}}.Encode()
	}
	return link
}

// hasRichText reports whether blocks hold a rich_text block.
func hasRichText(blocks json.RawMessage) bool {
	var kinds []struct{ Type string }
	if json.Unmarshal(blocks, &kinds) != nil {
		return false
	}
	for _, b := range kinds {
		if b.Type == "rich_text" {
			return true
		}
	}
	return false
}
