package playground

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// workspace is the team: who is in it, its conversations and its views.
type workspace struct {
	team, teamID, domain string
	bot                  User
	botID, appID         string
	users                []*User
	groups               []*UserGroup
	channels             []*channelState
	files                map[string]*File
	fileData             map[string][]byte
	homes                map[string]*View
	modals               map[string][]*View
	started              time.Time
	nextID               int
}

// channelState is a conversation with what was said in it. messages are in ts order and hold thread replies too.
type channelState struct {
	Channel
	created    time.Time
	members    map[string]bool
	messages   []*Message
	ephemerals []*Message
	lastTS     int64
}

// AddUser adds a person and returns the id. An empty ID, RealName, TZ, Email or Color is filled in. The person joins every public
// channel.
func (s *Server) AddUser(u User) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.ID = orDefault(u.ID, s.ws.newID("U0PG"))
	s.ws.addUser(u)
	for _, c := range s.ws.channels {
		if !c.IsPrivate && !c.IsIM {
			c.members[u.ID] = true
		}
	}
	s.recordLocked(Entry{Kind: KindPeople, User: u.ID})
	return u.ID
}

// ChangeUser changes a person (by id or name), as when somebody moves to another zone or leaves (Deleted); ID and Name stay.
func (s *Server) ChangeUser(ref string, change func(*User)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.userLocked(ref)
	if u == nil {
		return fmt.Errorf("change user: %w: %q", errNoPerson, ref)
	}
	changed := *u
	change(&changed)
	changed.ID, changed.Name = u.ID, u.Name
	*u = changed
	s.recordLocked(Entry{Kind: KindPeople, User: u.ID})
	return nil
}

// AddChannel adds a conversation with all people in it (the bot as well when IsMember is set) and returns the id.
func (s *Server) AddChannel(c Channel) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.ID = orDefault(c.ID, s.ws.newID("C0PG"))
	c.Name = strings.TrimPrefix(c.Name, "#")
	s.ws.addChannel(c, s.now())
	s.recordLocked(Entry{Kind: KindChannel, Channel: c.ID})
	return c.ID
}

// Archive archives a channel, named by id or "#name".
func (s *Server) Archive(channel string) error {
	return s.changeChannel(channel, func(c *channelState) { c.IsArchived = true })
}

// Unarchive opens an archived channel again.
func (s *Server) Unarchive(channel string) error {
	return s.changeChannel(channel, func(c *channelState) { c.IsArchived = false })
}

// Rename gives a channel another name; its id stays. An app that is in it gets an event.
func (s *Server) Rename(channel, name string) error {
	return s.changeChannel(channel, func(c *channelState) {
		c.Name = strings.TrimPrefix(name, "#")
		if !c.IsMember {
			return
		}
		kind := "channel_rename"
		if c.IsPrivate {
			kind = "group_rename"
		}
		s.emitLocked(map[string]any{"type": kind, "channel": map[string]any{"id": c.ID, "name": c.Name, "created": c.created.Unix()}})
	})
}

// Kick removes the bot from a channel.
func (s *Server) Kick(channel string) error {
	return s.changeChannel(channel, func(c *channelState) { s.setBotMember(c, false) })
}

// Invite adds the bot to a channel.
func (s *Server) Invite(channel string) error {
	return s.changeChannel(channel, func(c *channelState) { s.setBotMember(c, true) })
}

func (s *Server) setBotMember(c *channelState, member bool) {
	c.IsMember = member
	c.members[s.ws.bot.ID] = member
}

// AddMember puts a person (by id or name) into a channel.
func (s *Server) AddMember(channel, user string) error { return s.setMember(channel, user, true) }

// RemoveMember removes a person from a channel. They still see it on the page, as everybody sees a public channel.
func (s *Server) RemoveMember(channel, user string) error { return s.setMember(channel, user, false) }

func (s *Server) setMember(channel, user string, member bool) error {
	found := true
	err := s.changeChannel(channel, func(c *channelState) {
		u := s.userLocked(user)
		if found = u != nil && !u.IsBot; found {
			c.members[u.ID] = member
		}
	})
	if err == nil && !found {
		return fmt.Errorf("change members of %q: %w: %q", channel, errNoPerson, user)
	}
	return err
}

func (s *Server) changeChannel(ref string, change func(*channelState)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channelLocked(ref)
	if c == nil {
		return fmt.Errorf("change channel %q: there is no such channel", ref)
	}
	change(c)
	s.recordLocked(Entry{Kind: KindChannel, Channel: c.ID})
	return nil
}

// Users returns the people and the bot.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	users := make([]User, 0, len(s.ws.users))
	for _, u := range s.ws.users {
		users = append(users, *u)
	}
	return users
}

// Channels returns every conversation, direct ones last.
func (s *Server) Channels() []Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rooms, ims []Channel
	for _, c := range s.ws.channels {
		if c.IsIM {
			ims = append(ims, c.Channel)
		} else {
			rooms = append(rooms, c.Channel)
		}
	}
	return append(rooms, ims...)
}

// Messages returns what a channel (id, "#name", or "@person" for the conversation with the bot) shows now, in order, thread replies
// included.
func (s *Server) Messages(channel string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messagesLocked(channel)
}

func (s *Server) messagesLocked(channel string) []Message {
	c := s.channelLocked(channel)
	if c == nil {
		return nil
	}
	return copyMessages(c.messages)
}

// Message returns one message as it is shown now.
func (s *Server) Message(channel, ts string) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channelLocked(channel); c != nil {
		if m := c.message(ts); m != nil {
			return *m, true
		}
	}
	return Message{}, false
}

// Ephemerals returns the messages in a channel that only this person sees.
func (s *Server) Ephemerals(user, channel string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ephemeralsLocked(user, channel)
}

func (s *Server) ephemeralsLocked(user, channel string) []Message {
	c, u := s.channelLocked(channel), s.userLocked(user)
	if c == nil || u == nil {
		return nil
	}
	var seen []Message
	for _, m := range c.ephemerals {
		if m.EphemeralTo == u.ID {
			seen = append(seen, *m)
		}
	}
	return seen
}

// channelLocked finds a conversation by id, "#name", name, or "@person" (the direct messages with the bot); nil when there is none.
func (s *Server) channelLocked(ref string) *channelState {
	if name, ok := strings.CutPrefix(ref, "@"); ok {
		if u := s.userLocked(name); u != nil {
			return s.dmLocked(u.ID)
		}
		return nil
	}
	name := strings.TrimPrefix(ref, "#")
	for _, c := range s.ws.channels {
		if c.ID == ref || (!c.IsIM && c.Name == name) {
			return c
		}
	}
	return nil
}

// userLocked finds a person or the bot by id, name or "@name"; nil when there is none.
func (s *Server) userLocked(ref string) *User {
	name := strings.TrimPrefix(ref, "@")
	for _, u := range s.ws.users {
		if u.ID == ref || u.Name == name {
			return u
		}
	}
	return nil
}

// dmLocked returns the direct conversation of a person (by id) with the bot and opens it when it is new.
func (s *Server) dmLocked(userID string) *channelState {
	for _, c := range s.ws.channels {
		if c.IsIM && c.User == userID {
			return c
		}
	}
	id := "D" + strings.TrimPrefix(userID, "U")
	c := s.ws.addChannel(Channel{ID: id, IsIM: true, IsMember: true, User: userID}, s.now())
	s.recordLocked(Entry{Kind: KindChannel, Channel: id})
	return c
}

// message finds a message by ts; nil when there is none.
func (c *channelState) message(ts string) *Message {
	i, ok := slices.BinarySearchFunc(c.messages, ts, func(m *Message, ts string) int { return strings.Compare(m.TS, ts) })
	if !ok {
		return nil
	}
	return c.messages[i]
}

// nextTS returns a ts that no message of the channel has had, later than all before it.
func (c *channelState) nextTS(now time.Time) string {
	c.lastTS = max(now.UnixMicro(), c.lastTS+1)
	return fmt.Sprintf("%010d.%06d", c.lastTS/1e6, c.lastTS%1e6)
}

func copyMessages(messages []*Message) []Message {
	out := make([]Message, 0, len(messages))
	for _, m := range messages {
		out = append(out, *m)
	}
	return out
}

func (w *workspace) newID(prefix string) string {
	w.nextID++
	return fmt.Sprintf("%s%04d", prefix, w.nextID)
}

func (w *workspace) addUser(u User) {
	u.RealName = orDefault(u.RealName, u.Name)
	u.TZ = orDefault(u.TZ, "UTC")
	u.Email = orDefault(u.Email, u.Name+"@example.com")
	u.Color = orDefault(u.Color, "4a154b")
	w.users = append(w.users, &u)
}

func (w *workspace) addChannel(c Channel, now time.Time) *channelState {
	state := &channelState{Channel: c, created: now, members: map[string]bool{}}
	if c.IsIM {
		state.members[c.User] = true
	}
	for _, u := range w.users {
		if !c.IsIM && !u.IsBot {
			state.members[u.ID] = true
		}
	}
	state.members[w.bot.ID] = c.IsMember
	w.channels = append(w.channels, state)
	return state
}

// newWorkspace is the workspace that every playground begins with.
func newWorkspace(team, id string, now time.Time) workspace {
	w := workspace{team: team, teamID: id, domain: "playground", botID: "B0TOCSIN", appID: "A0TOCSIN", started: now}
	w.files, w.fileData = map[string]*File{}, map[string][]byte{}
	w.homes, w.modals = map[string]*View{}, map[string][]*View{}
	w.bot = User{ID: "U0TOCSIN", Name: "tocsin", RealName: "Tocsin", TZ: "UTC", IsBot: true, Color: "c0392b"}
	w.users = append(w.users, &w.bot)
	w.addUser(User{ID: "U0ANN", Name: "ann", RealName: "Ann Field", TZ: "Europe/Berlin", Color: "2f6f8f"})
	w.addUser(User{ID: "U0BOB", Name: "bob", RealName: "Bob Marsh", TZ: "America/New_York", Color: "3c8f4f"})
	w.addUser(User{ID: "U0CAROL", Name: "carol", RealName: "Carol Reed", TZ: "Asia/Tokyo", Color: "8f5f2f"})
	w.addChannel(Channel{ID: "C0ALERTS", Name: "alerts", Topic: "What needs attention", IsMember: true}, now)
	w.addChannel(Channel{ID: "C0OPS", Name: "ops", Topic: "Keeping it running", IsMember: true}, now)
	w.addChannel(Channel{ID: "C0RANDOM", Name: "random", Topic: "Anything else"}, now)
	w.addChannel(Channel{ID: "C0SECRET", Name: "secret", Topic: "The bot is not here", IsPrivate: true}, now)
	w.addChannel(Channel{ID: "C0OLD", Name: "old", Topic: "Finished", IsArchived: true, IsMember: true}, now)
	return w
}
