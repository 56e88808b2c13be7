package bot

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Command is a slash command, with the names of Slack's fields.
type Command struct {
	Caller
	Name        string `json:"command"`      // with its slash
	Text        string `json:"text"`         // what follows the name
	ChannelName string `json:"channel_name"` // "directmessage" in a DM
	TriggerID   string `json:"trigger_id"`   // opens one dialog within three seconds
}

// Message is a message to the bot.
type Message struct {
	Caller
	Text string // in Slack's mrkdwn, without the mention of the bot at its start
	TS   string
	// Mention is set when it was written in a channel and mentions the bot.
	Mention bool
}

// Home is the event that somebody opened the App Home.
type Home struct {
	User    string
	Channel string // the DM with them
	Tab     string // home or messages
	// Hash is Slack's hash of the view they see; empty if none was published.
	Hash string
}

// Action is a click on a button or a choice in a menu, in a message or a view.
type Action struct {
	Caller
	ActionID  string
	Value     string // the button's value, or what was chosen
	MessageTS string // of the message it was in; empty in a view
	// Ephemeral is set when nobody else sees that message.
	Ephemeral bool
	ViewID    string // of the view it was in; empty in a message
	ViewHash  string
	// Private is that view's private_metadata.
	Private   string
	TriggerID string
}

// Submission is a submitted dialog.
type Submission struct {
	User       string
	Name       string // the person's user name, or empty
	Team       string
	Outside    string // as a Caller's
	Lost       bool   // as a Caller's
	ViewID     string
	CallbackID string
	// Private is the view's private_metadata.
	Private   string
	TriggerID string
	// Inputs are what was written or chosen, by block id and action id.
	Inputs map[string]map[string]string
}

func decodeCommand(payload []byte, self Identity) (Command, error) {
	var p struct {
		Command
		origin
		Enterprise string `json:"enterprise_id"`
	}
	if err := lenient(payload, &p); err != nil {
		return p.Command, fmt.Errorf("read command: %w", err)
	}
	c := p.Command
	c.Text = strings.TrimSpace(c.Text)
	c.Outside = self.outside(p.UserTeam, p.SourceTeam)
	if c.Outside == "" && !self.isOurs(p.Enterprise) {
		c.Outside = self.outside(c.Team)
	}
	return c, nil
}

// lenient decodes JSON and leaves fields of an unexpected type empty.
func lenient(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	if _, odd := errors.AsType[*json.UnmarshalTypeError](err); odd {
		return nil
	}
	return err
}

// decodedEvent is one of: a message, an opened App Home, a renamed channel, revoked
// access, or an event that is ignored and why.
type decodedEvent struct {
	kind, team string
	message    *Message
	home       *Home
	renamed    *namedChannel
	revoked    bool
	ignored    string
}

// namedChannel is a channel's id and name.
type namedChannel struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// rawEvent is what we read of an inner event (docs/slack.md §7.2, §7.3).
type rawEvent struct {
	Type        string          `json:"type"`
	Subtype     string          `json:"subtype"`
	User        string          `json:"user"`
	BotID       string          `json:"bot_id"`
	Channel     string          `json:"channel"`
	ChannelType string          `json:"channel_type"`
	Text        string          `json:"text"`
	TS          string          `json:"ts"`
	Thread      string          `json:"thread_ts"`
	Tab         string          `json:"tab"`
	Hidden      bool            `json:"hidden"`
	Edited      json.RawMessage `json:"edited"`
	origin
	View struct {
		Hash string `json:"hash"`
	} `json:"view"`
}

func decodeEvent(payload []byte, self Identity) (decodedEvent, error) {
	var p struct {
		Type  string   `json:"type"`
		Team  string   `json:"team_id"`
		Event rawEvent `json:"event"`
		Auth  []struct {
			User       string `json:"user_id"`
			Team       string `json:"team_id"`
			Enterprise string `json:"enterprise_id"`
			IsBot      bool   `json:"is_bot"`
		} `json:"authorizations"`
	}
	if err := lenient(payload, &p); err != nil {
		return decodedEvent{}, fmt.Errorf("read event: %w", err)
	}
	if p.Event.Type == "" {
		return decodedEvent{kind: p.Type, ignored: "it holds no event"}, nil
	}
	// Before the first auth.test, the event says which bot user it is for.
	if self.UserID == "" && len(p.Auth) > 0 && p.Auth[0].IsBot {
		self.UserID, self.TeamID, self.EnterpriseID = p.Auth[0].User, p.Auth[0].Team, p.Auth[0].Enterprise
	}
	if p.Event.Type == "channel_rename" || p.Event.Type == "group_rename" {
		return decodeRename(payload, p.Team)
	}
	return p.Event.decode(p.Team, self), nil
}

// decodeRename decodes the event of a renamed channel, whose channel is not an id
// (docs/slack.md §7.6).
func decodeRename(payload []byte, team string) (decodedEvent, error) {
	var p struct {
		Event struct {
			Type    string       `json:"type"`
			Channel namedChannel `json:"channel"`
		} `json:"event"`
	}
	if err := lenient(payload, &p); err != nil {
		return decodedEvent{}, fmt.Errorf("read event: %w", err)
	}
	return decodedEvent{kind: p.Event.Type, team: team, renamed: &p.Event.Channel}, nil
}

func (e rawEvent) decode(team string, self Identity) decodedEvent {
	d := decodedEvent{kind: e.Type}
	switch e.Type {
	case "message", "app_mention":
		if d.ignored = e.whyIgnored(self); d.ignored == "" {
			d.message = e.message(team, self)
		}
	case "app_home_opened":
		d.home = &Home{User: e.User, Channel: e.Channel, Tab: e.Tab, Hash: e.View.Hash}
	case "tokens_revoked", "app_uninstalled":
		d.revoked = true
	default:
		d.ignored = "there is no handler for it"
	}
	return d
}

// whyIgnored says why a message gets no answer, or is empty if it does. Answering
// ourselves, other bots, edits or Slack's notices would make a loop or noise
// (docs/slack.md §7.2).
func (e rawEvent) whyIgnored(self Identity) string {
	if why := e.whyNotAPerson(self); why != "" {
		return why
	}
	direct := e.ChannelType == "im" || strings.HasPrefix(e.Channel, "D")
	switch {
	case e.isEdit():
		return "it is an edit"
	case e.Subtype != "" && e.Subtype != "file_share" && e.Subtype != "thread_broadcast":
		return "subtype " + e.Subtype
	case e.Type == "message" && !direct:
		return "it is not a direct message"
	case e.Type == "app_mention" && direct:
		return "it also comes as a direct message"
	}
	return ""
}

func (e rawEvent) isEdit() bool {
	return e.Hidden || len(e.Edited) > 0 && string(e.Edited) != "null"
}

// whyNotAPerson says why the author is not a person, or is empty if it is one. Our
// own posts may lack the user id or the bot id, so both are compared.
func (e rawEvent) whyNotAPerson(self Identity) string {
	switch {
	case e.User == "":
		return "it has no author"
	case e.User == self.UserID:
		return "the bot wrote it"
	case e.BotID != "" && e.BotID == self.BotID:
		return "the bot wrote it"
	case e.BotID != "" || e.User == "USLACKBOT":
		return "another bot wrote it"
	}
	return ""
}

func (e rawEvent) message(team string, self Identity) *Message {
	return &Message{
		Caller:  Caller{User: e.User, Channel: e.Channel, Thread: e.Thread, Team: team, Outside: self.outside(e.UserTeam, e.SourceTeam)},
		Text:    self.told(e.Text),
		TS:      e.TS,
		Mention: e.Type == "app_mention",
	}
}

// greeting is what people write before they name the bot.
var greeting = regexp.MustCompile(`(?i)^(?:(?:hey|hi|hello|hallo|dear|ok|okay|please)\b[\s,!]*)*$`)

// told is what a text says to the bot: without its name, which may have a greeting before it
// and a colon or a comma behind it.
func (id Identity) told(text string) string {
	text = strings.TrimSpace(text)
	before, behind, named := strings.Cut(text, "<@"+id.UserID+">")
	if id.UserID == "" || !named || !greeting.MatchString(before) {
		return text
	}
	return strings.TrimSpace(strings.TrimLeft(behind, ":,"))
}
