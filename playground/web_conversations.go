package playground

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// kindScope is the word in scopes that covers a conversation: channels, groups or im.
func (c *channelState) kindScope() string {
	switch {
	case c.IsIM:
		return "im"
	case c.IsPrivate:
		return "groups"
	default:
		return "channels"
	}
}

// readableLocked finds a conversation the bot can see and has the scope for: action is "read" or "history".
func (s *Server) readableLocked(a args, action string) (*channelState, *apiError) {
	if err := a.require("channel"); err != nil {
		return nil, err
	}
	room, err := s.visibleLocked(a.text("channel"), false)
	if err != nil {
		return nil, err
	}
	if needed := room.kindScope() + ":" + action; !s.hasScopeLocked(needed) {
		return nil, missingScope(needed)
	}
	return room, nil
}

func (s *Server) conversationsInfo(c *call) (reply, *apiError) {
	room, err := s.readableLocked(c.args, "read")
	if err != nil {
		return nil, err
	}
	info := s.conversationLocked(room)
	if c.args.flag("include_num_members") {
		info["num_members"] = room.memberCount()
	}
	return reply{"channel": info}, nil
}

// conversationsMembers pages through the ids of who is in a conversation.
func (s *Server) conversationsMembers(c *call) (reply, *apiError) {
	room, err := s.readableLocked(c.args, "read")
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(c, slices.DeleteFunc(slices.Sorted(maps.Keys(room.members)), func(id string) bool { return !room.members[id] }))
	if err != nil {
		return nil, err
	}
	return reply{"members": orEmpty(page), "response_metadata": map[string]any{"next_cursor": next}}, nil
}

func (c *channelState) memberCount() int {
	n := 0
	for _, in := range c.members {
		if in {
			n++
		}
	}
	return n
}

// conversationLocked is Slack's conversation object.
func (s *Server) conversationLocked(room *channelState) map[string]any {
	info := map[string]any{
		"id": room.ID, "created": room.created.Unix(), "is_archived": room.IsArchived, "is_im": room.IsIM, "is_private": room.IsPrivate || room.IsIM,
		"is_channel": !room.IsIM, "is_group": false, "is_mpim": false, "is_org_shared": false, "context_team_id": s.ws.teamID,
	}
	if room.IsIM {
		info["user"], info["is_user_deleted"], info["is_open"] = room.User, false, true
		return info
	}
	text := func(v string) map[string]any { return map[string]any{"value": v, "creator": "", "last_set": 0} }
	info["name"], info["name_normalized"], info["is_member"] = room.Name, room.Name, room.IsMember
	info["topic"], info["purpose"], info["creator"] = text(room.Topic), text(""), "U0ANN"
	info["is_general"], info["is_shared"], info["is_ext_shared"] = false, false, false
	info["previous_names"] = []string{}
	return info
}

// conversationsList pages through the conversations of the wanted types that the bot can see.
func (s *Server) conversationsList(c *call) (reply, *apiError) {
	return s.listing(c, func(*channelState) bool { return true })
}

// usersConversations is conversations.list for those that the bot is a member of.
func (s *Server) usersConversations(c *call) (reply, *apiError) {
	return s.listing(c, func(room *channelState) bool { return room.IsMember || room.IsIM })
}

func (s *Server) listing(c *call, wanted func(*channelState) bool) (reply, *apiError) {
	types, err := s.listTypesLocked(c.args)
	if err != nil {
		return nil, err
	}
	var rooms []*channelState
	for _, room := range s.listedLocked(types, c.args.flag("exclude_archived")) {
		if wanted(room) {
			rooms = append(rooms, room)
		}
	}
	page, next, err := pageOf(c, rooms)
	if err != nil {
		return nil, err
	}
	list := make([]map[string]any, 0, len(page))
	for _, room := range page {
		info := s.conversationLocked(room)
		if !room.IsIM {
			info["num_members"] = room.memberCount()
		}
		list = append(list, info)
	}
	return reply{"channels": list, "response_metadata": map[string]any{"next_cursor": next}}, nil
}

// pageOf cuts the page out of list that limit and cursor ask for.
func pageOf[T any](c *call, list []T) (page []T, next string, err *apiError) {
	limit, ok := c.args.number("limit", 100)
	if !ok || limit < 1 || limit > 1000 {
		return nil, "", &apiError{Code: "invalid_limit"}
	}
	return paged(list, c.args.text("cursor"), limit)
}

// listedLocked finds the conversations of these types that the bot can see.
func (s *Server) listedLocked(types []string, noArchived bool) []*channelState {
	var rooms []*channelState
	for _, room := range s.ws.channels {
		hidden := room.IsPrivate && !room.IsMember || room.IsArchived && noArchived
		if !hidden && slices.Contains(types, room.kindScope()) {
			rooms = append(rooms, room)
		}
	}
	return rooms
}

// listTypesLocked reads types and checks the scope of each.
func (s *Server) listTypesLocked(a args) ([]string, *apiError) {
	words := map[string]string{"public_channel": "channels", "private_channel": "groups", "im": "im", "mpim": "mpim"}
	var types []string
	for word := range strings.SplitSeq(orDefault(a.text("types"), "public_channel"), ",") {
		scope, ok := words[strings.TrimSpace(word)]
		if !ok {
			return nil, &apiError{Code: "invalid_types"}
		}
		if !s.hasScopeLocked(scope + ":read") {
			return nil, missingScope(scope + ":read")
		}
		types = append(types, scope)
	}
	return types, nil
}

// paged cuts one page out of a list; the cursor is opaque to clients.
func paged[T any](list []T, cursor string, limit int) (page []T, next string, err *apiError) {
	start := 0
	if cursor != "" {
		plain, decodeErr := base64.StdEncoding.DecodeString(cursor)
		n, numberErr := strconv.Atoi(strings.TrimPrefix(string(plain), "next:"))
		if decodeErr != nil || numberErr != nil || n < 0 {
			return nil, "", &apiError{Code: "invalid_cursor"}
		}
		start = min(n, len(list))
	}
	end := min(start+limit, len(list))
	if end < len(list) {
		next = base64.StdEncoding.EncodeToString([]byte("next:" + strconv.Itoa(end)))
	}
	return list[start:end], next, nil
}

// conversationsOpen opens the direct messages of one person.
func (s *Server) conversationsOpen(c *call) (reply, *apiError) {
	if c.args.given("channel") {
		room, err := s.visibleLocked(c.args.text("channel"), false)
		if err != nil {
			return nil, err
		}
		return s.openedLocked(c.args, room, true), nil
	}
	if !c.args.given("users") {
		return nil, &apiError{Code: "users_list_not_supplied"}
	}
	users := strings.Split(c.args.text("users"), ",")
	if len(users) > 1 {
		return nil, missingScope("mpim:write")
	}
	if !s.hasScopeLocked("im:write") {
		return nil, missingScope("im:write")
	}
	u := s.userLocked(users[0])
	switch {
	case u == nil || u.ID != users[0]:
		return nil, &apiError{Code: "user_not_found"}
	case u.IsBot:
		return nil, &apiError{Code: "cannot_dm_bot"}
	case u.Deleted:
		return nil, &apiError{Code: "user_disabled"}
	}
	open := slices.ContainsFunc(s.ws.channels, func(room *channelState) bool { return room.IsIM && room.User == u.ID })
	return s.openedLocked(c.args, s.dmLocked(u.ID), open), nil
}

func (s *Server) openedLocked(a args, room *channelState, already bool) reply {
	r := reply{"channel": map[string]any{"id": room.ID}}
	if a.flag("return_im") {
		r["channel"] = s.conversationLocked(room)
	}
	if already {
		r["no_op"], r["already_open"] = true, true
	}
	return r
}

// conversationsJoin lets the bot into a public channel.
func (s *Server) conversationsJoin(c *call) (reply, *apiError) {
	if err := c.args.require("channel"); err != nil {
		return nil, err
	}
	room, err := s.visibleLocked(c.args.text("channel"), false)
	switch {
	case err != nil:
		return nil, err
	case room.IsIM || room.IsPrivate:
		return nil, &apiError{Code: "method_not_supported_for_channel_type"}
	case room.IsArchived:
		return nil, &apiError{Code: "is_archived"}
	}
	r := reply{}
	if room.IsMember {
		r["warning"] = "already_in_channel"
	} else {
		s.setBotMember(room, true)
		s.recordLocked(Entry{Kind: KindChannel, Channel: room.ID})
	}
	r["channel"] = s.conversationLocked(room)
	return r, nil
}
