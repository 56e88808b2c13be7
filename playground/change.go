package playground

import (
	"slices"
	"strings"
)

// messageChange is the argument of onMessage. Before is nil for a new message, and After for a deletion.
type messageChange struct {
	Before, After *Message
	// TS is the time of the change itself, which Slack gives to message_changed and message_deleted events.
	TS string
}

// postLocked shows m in c: it gives it a ts, keeps the thread's counts, records it and calls onMessage. It returns the message
// that is now part of the channel; callers must not change it.
func (s *Server) postLocked(c *channelState, m Message) *Message {
	now := s.now()
	m.Type, m.Team, m.Channel, m.At = "message", s.ws.teamID, c.ID, now
	m.TS = c.nextTS(now)
	msg := &m
	c.messages = append(c.messages, msg)
	shown := *msg
	msg.Seq = s.recordLocked(Entry{Kind: KindMessage, Channel: c.ID, User: m.User, Message: &shown})
	if parent := c.message(m.ThreadTS); parent != nil {
		s.countRepliesLocked(c, parent)
	}
	s.tellLocked(messageChange{After: &shown, TS: m.TS})
	return msg
}

// countRepliesLocked updates a parent's reply fields.
func (s *Server) countRepliesLocked(c *channelState, parent *Message) {
	parent.ThreadTS, parent.ReplyCount, parent.ReplyUsers, parent.LatestReply = parent.TS, 0, nil, ""
	for _, m := range c.messages {
		if m.ThreadTS != parent.TS || m == parent {
			continue
		}
		parent.ReplyCount++
		parent.LatestReply = m.TS
		if !slices.Contains(parent.ReplyUsers, m.User) {
			parent.ReplyUsers = append(parent.ReplyUsers, m.User)
		}
	}
	if parent.ReplyCount == 0 {
		parent.ThreadTS = ""
	}
	shown := *parent
	parent.Seq = s.recordLocked(Entry{Kind: KindMessageChanged, Channel: c.ID, User: parent.User, Reason: "thread", Message: &shown})
}

// editLocked changes a message in place, records it and calls onMessage.
func (s *Server) editLocked(c *channelState, m *Message, change func(*Message)) {
	before := *m
	change(m)
	shown := *m
	m.Seq = s.recordLocked(Entry{Kind: KindMessageChanged, Channel: c.ID, User: m.User, Message: &shown})
	s.tellLocked(messageChange{Before: &before, After: &shown, TS: c.nextTS(s.now())})
}

// deleteLocked removes a message. A parent with replies leaves a tombstone, under which the replies stay.
func (s *Server) deleteLocked(c *channelState, m *Message) {
	before := *m
	if m.ReplyCount > 0 {
		*m = Message{
			Type: "message", Subtype: "tombstone", Hidden: true, User: "USLACKBOT", Text: "This message was deleted.", TS: m.TS, ThreadTS: m.TS,
			ReplyCount: m.ReplyCount, ReplyUsers: m.ReplyUsers, LatestReply: m.LatestReply, Channel: c.ID, At: m.At, Team: m.Team,
		}
		shown := *m
		m.Seq = s.recordLocked(Entry{Kind: KindMessageChanged, Channel: c.ID, Reason: "tombstone", Message: &shown})
	} else {
		c.messages = slices.DeleteFunc(c.messages, func(other *Message) bool { return other == m })
		s.recordLocked(Entry{Kind: KindMessageDeleted, Channel: c.ID, User: m.User, Message: &before})
		if parent := c.message(m.ThreadTS); parent != nil {
			s.countRepliesLocked(c, parent)
		}
	}
	s.tellLocked(messageChange{Before: &before, TS: c.nextTS(s.now())})
}

// ephemeralLocked shows m in c to one person (by id) only.
func (s *Server) ephemeralLocked(c *channelState, user string, m Message) *Message {
	now := s.now()
	m.Type, m.Team, m.Channel, m.At = "message", s.ws.teamID, c.ID, now
	m.Ephemeral, m.EphemeralTo, m.TS = true, user, c.nextTS(now)
	msg := &m
	c.ephemerals = append(c.ephemerals, msg)
	shown := *msg
	msg.Seq = s.recordLocked(Entry{Kind: KindEphemeral, Channel: c.ID, User: user, Message: &shown})
	return msg
}

// editEphemeralLocked replaces an ephemeral message in place.
func (s *Server) editEphemeralLocked(c *channelState, m *Message, change func(*Message)) {
	change(m)
	shown := *m
	m.Seq = s.recordLocked(Entry{Kind: KindEphemeral, Channel: c.ID, User: m.EphemeralTo, Reason: "changed", Message: &shown})
}

// deleteEphemeralLocked deletes an ephemeral message.
func (s *Server) deleteEphemeralLocked(c *channelState, m *Message) {
	c.ephemerals = slices.DeleteFunc(c.ephemerals, func(other *Message) bool { return other == m })
	gone := *m
	s.recordLocked(Entry{Kind: KindMessageDeleted, Channel: c.ID, User: m.EphemeralTo, Reason: "ephemeral", Message: &gone})
}

// ephemeral finds an ephemeral message by ts; nil when there is none.
func (c *channelState) ephemeral(ts string) *Message {
	for _, m := range c.ephemerals {
		if strings.Compare(m.TS, ts) == 0 {
			return m
		}
	}
	return nil
}

func (s *Server) tellLocked(change messageChange) {
	if s.onMessage != nil {
		s.onMessage(change)
	}
}
