package playground

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxHistory    = 999
	strictHistory = 15
)

var tsForm = regexp.MustCompile(`^\d+(\.\d+)?$`)

// tsOf is a time as a ts.
func tsOf(t time.Time) string {
	return fmt.Sprintf("%010d.%06d", t.Unix(), t.Nanosecond()/1000)
}

// span is which messages a history call wants.
type span struct {
	oldest, latest time.Time
	inclusive      bool
	limit          int
	metadata       bool
}

// conversationsHistory gives the newest messages first, without thread replies; the bot has to be a member.
func (s *Server) conversationsHistory(c *call) (reply, *apiError) {
	room, sp, err := s.historyTargetLocked(c)
	if err != nil {
		return nil, err
	}
	var found []*Message
	for _, m := range room.messages {
		reply := m.ThreadTS != "" && m.ThreadTS != m.TS && m.Subtype != "thread_broadcast"
		if !reply && sp.covers(m) {
			found = append(found, m)
		}
	}
	slices.Reverse(found)
	return historyPage(c.args, found, sp)
}

// conversationsReplies gives a parent and its replies, oldest first.
func (s *Server) conversationsReplies(c *call) (reply, *apiError) {
	room, sp, err := s.historyTargetLocked(c)
	if err != nil {
		return nil, err
	}
	if err := c.args.require("ts"); err != nil {
		return nil, err
	}
	parent := room.message(c.args.text("ts"))
	if parent == nil {
		return nil, &apiError{Code: "thread_not_found"}
	}
	var found []*Message
	for _, m := range room.messages {
		if m == parent || m.ThreadTS == parent.TS && sp.covers(m) {
			found = append(found, m)
		}
	}
	return historyPage(c.args, found, sp)
}

func (s *Server) historyTargetLocked(c *call) (*channelState, span, *apiError) {
	room, err := s.readableLocked(c.args, "history")
	if err != nil {
		return nil, span{}, err
	}
	if !room.IsMember {
		return nil, span{}, &apiError{Code: "not_in_channel"}
	}
	sp, err := s.spanOf(c.args)
	if listed := s.now().Add(-c.lag); c.lag > 0 && (sp.latest.IsZero() || listed.Before(sp.latest)) {
		sp.latest = listed
	}
	return room, sp, err
}

func (s *Server) spanOf(a args) (span, *apiError) {
	sp := span{inclusive: a.flag("inclusive"), metadata: a.flag("include_all_metadata")}
	var ok bool
	if sp.oldest, ok = parseTS(a.text("oldest")); !ok {
		return sp, &apiError{Code: "invalid_ts_oldest"}
	}
	if sp.latest, ok = parseTS(a.text("latest")); !ok {
		return sp, &apiError{Code: "invalid_ts_latest"}
	}
	n, ok := a.number("limit", 100)
	if !ok || n < 1 {
		return sp, invalidArguments("must be a positive number: limit")
	}
	sp.limit = min(n, maxHistory)
	if s.limits.limits.StrictHistory {
		sp.limit = min(n, strictHistory)
	}
	return sp, nil
}

// parseTS reads a ts or a number of seconds; empty or "0" is the zero time, which means no bound.
func parseTS(ts string) (time.Time, bool) {
	if ts == "" || ts == "0" {
		return time.Time{}, true
	}
	if !tsForm.MatchString(ts) || len(ts) > 24 {
		return time.Time{}, false
	}
	whole, frac, _ := strings.Cut(ts, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	micro, err := strconv.ParseInt((frac + "000000")[:6], 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(sec, micro*1000), true
}

func (sp span) covers(m *Message) bool {
	at, ok := parseTS(m.TS)
	if !ok {
		return false
	}
	after := sp.oldest.IsZero() || at.After(sp.oldest) || sp.inclusive && at.Equal(sp.oldest)
	before := sp.latest.IsZero() || at.Before(sp.latest) || sp.inclusive && at.Equal(sp.latest)
	return after && before
}

func historyPage(a args, found []*Message, sp span) (reply, *apiError) {
	page, next, err := paged(found, a.text("cursor"), sp.limit)
	if err != nil {
		return nil, err
	}
	messages := make([]Message, 0, len(page))
	for _, m := range page {
		messages = append(messages, asRead(m, sp.metadata))
	}
	r := reply{"messages": messages, "has_more": next != ""}
	if next != "" {
		r["response_metadata"] = map[string]any{"next_cursor": next}
	}
	return r, nil
}

// asRead is a message as history shows it: of its metadata only the type, unless all was asked for.
func asRead(m *Message, metadata bool) Message {
	read := *m
	if read.Metadata != nil && !metadata {
		read.Metadata = &Metadata{EventType: read.Metadata.EventType}
	}
	return read
}
