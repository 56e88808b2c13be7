package playground

import (
	"encoding/json"
	"strings"
)

// messageChangedLocked turns what people see in a conversation into the events that the app is subscribed to: message.im and
// app_mention. The bot's own posts come back like anybody's.
func (s *Server) messageChangedLocked(change messageChange) {
	m := change.After
	if m == nil {
		m = change.Before
	}
	c := s.channelLocked(m.Channel)
	switch {
	case c == nil:
	case c.IsIM && s.hasScopeLocked("im:history"):
		inner := imEvent(change, c.ID)
		s.addOriginLocked(inner, m)
		s.emitLocked(inner)
	case !c.IsIM && c.IsMember && change.Before == nil && s.mentionsBot(m) && s.hasScopeLocked("app_mentions:read"):
		inner := messageFields(m)
		inner["type"], inner["channel"], inner["event_ts"] = "app_mention", c.ID, m.TS
		delete(inner, "subtype")
		s.addOriginLocked(inner, m)
		s.emitLocked(inner)
	}
}

// addOriginLocked adds where the author is from, which Slack says in shared conversations.
func (s *Server) addOriginLocked(inner map[string]any, m *Message) {
	if u := s.userLocked(m.User); u != nil && u.TeamID != "" {
		inner["team"], inner["user_team"], inner["source_team"] = u.TeamID, u.TeamID, u.TeamID
	}
}

// teamOf is the workspace that a person is from.
func (s *Server) teamOf(u *User) string { return orDefault(u.TeamID, s.ws.teamID) }

func (s *Server) mentionsBot(m *Message) bool {
	return m.BotID == "" && strings.Contains(m.Text, "<@"+s.ws.bot.ID+">")
}

// imEvent is the inner message event of a change in a direct conversation.
func imEvent(change messageChange, channel string) map[string]any {
	var inner map[string]any
	switch {
	case change.Before == nil:
		inner = messageFields(change.After)
	case change.After == nil:
		inner = map[string]any{
			"type": "message", "subtype": "message_deleted", "hidden": true, "ts": change.TS,
			"deleted_ts": change.Before.TS, "previous_message": change.Before,
		}
	default:
		inner = map[string]any{
			"type": "message", "subtype": "message_changed", "hidden": true, "ts": change.TS,
			"message": change.After, "previous_message": change.Before,
		}
	}
	inner["channel"], inner["channel_type"], inner["event_ts"] = channel, "im", change.TS
	return inner
}

// messageFields is a message as a map of its JSON fields, so that an event can add its own.
func messageFields(m *Message) map[string]any {
	raw, _ := json.Marshal(m)
	fields := map[string]any{}
	_ = json.Unmarshal(raw, &fields)
	return fields
}
