package bot

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"tocsin/alert"
)

// Command is a slash command.
type Command struct {
	Caller
	Name        string // with its slash
	Text        string // what follows the name
	ChannelName string // directmessage in a DM
	TriggerID   string // opens a dialog, for three seconds
}

// Message is what somebody wrote to the bot.
type Message struct {
	Caller
	Text string // as Slack writes it, without the mention of the bot at its start
	TS   string
	// Mention is set when it was written in a channel, not in the Messages tab.
	Mention bool
}

// Home says that somebody opened the App Home.
type Home struct {
	User    string
	Channel string // the DM with them
	Tab     string // home or messages
	// Hash is Slack's hash of the view they see; empty when none was published.
	Hash string
}

// Action is a click or a choice in a message or a view.
type Action struct {
	Caller
	ActionID  string
	BlockID   string
	Value     string // the button's value, or what was chosen
	MessageTS string // of the message it was in; empty in a view
	// Ephemeral is set when only the person sees that message.
	Ephemeral bool
	ViewID    string // of the view it was in; empty in a message
	ViewHash  string
	// Private is that view's private_metadata.
	Private   string
	TriggerID string
}

// Submission is a filled-in dialog.
type Submission struct {
	User       string
	Name       string // the person's user name, or empty
	Team       string
	ViewID     string
	CallbackID string
	// Private is the view's private_metadata.
	Private   string
	TriggerID string
	// Inputs are by block id and action id.
	Inputs map[string]map[string]Input
}

// Input is what was filled into one field: Value for one, Values for several.
type Input struct {
	Type   string
	Value  string
	Values []string
}

func decodeCommand(payload []byte) (Command, error) {
	var p struct {
		Command     string       `json:"command"`
		Text        string       `json:"text"`
		User        string       `json:"user_id"`
		UserName    string       `json:"user_name"`
		Channel     string       `json:"channel_id"`
		ChannelName string       `json:"channel_name"`
		Team        string       `json:"team_id"`
		Trigger     string       `json:"trigger_id"`
		ResponseURL alert.Secret `json:"response_url"`
	}
	if err := lenient(payload, &p); err != nil {
		return Command{}, fmt.Errorf("read command: %w", err)
	}
	return Command{
		Caller: Caller{User: p.User, Name: p.UserName, Channel: p.Channel, Team: p.Team, ResponseURL: p.ResponseURL},
		Name:   p.Command, Text: strings.TrimSpace(p.Text), ChannelName: p.ChannelName, TriggerID: p.Trigger,
	}, nil
}

// lenient decodes what it can: a field of an unexpected type stays empty.
func lenient(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	if _, odd := errors.AsType[*json.UnmarshalTypeError](err); odd {
		return nil
	}
	return err
}

// happening is a decoded event: a message or a home to be handled, an alarm, or
// something passed over and why.
type happening struct {
	kind    string
	message *Message
	home    *Home
	alarm   bool
	why     string
}

// rawEvent is the part of an inner event that matters to us (docs/slack.md §7.2,
// §7.3).
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
	View        struct {
		Hash string `json:"hash"`
	} `json:"view"`
}

func decodeEvent(payload []byte, self Identity) (happening, error) {
	var p struct {
		Type  string   `json:"type"`
		Team  string   `json:"team_id"`
		Event rawEvent `json:"event"`
		Auth  []struct {
			User  string `json:"user_id"`
			IsBot bool   `json:"is_bot"`
		} `json:"authorizations"`
	}
	if err := lenient(payload, &p); err != nil {
		return happening{}, fmt.Errorf("read event: %w", err)
	}
	if p.Event.Type == "" {
		return happening{kind: p.Type, why: "it holds no event"}, nil
	}
	// Before the first auth.test, the event itself says which bot user it is for.
	if self.UserID == "" && len(p.Auth) > 0 && p.Auth[0].IsBot {
		self.UserID = p.Auth[0].User
	}
	return p.Event.sort(p.Team, self), nil
}

func (e rawEvent) sort(team string, self Identity) happening {
	h := happening{kind: e.Type}
	switch e.Type {
	case "message", "app_mention":
		if h.why = e.deaf(self); h.why == "" {
			h.message = e.message(team, self)
		}
	case "app_home_opened":
		h.home = &Home{User: e.User, Channel: e.Channel, Tab: e.Tab, Hash: e.View.Hash}
	case "tokens_revoked", "app_uninstalled":
		h.alarm = true
	default:
		h.why = "nothing answers this event"
	}
	return h
}

// deaf says why a message is not for us, or is empty. Answering ourselves, other
// bots, edits or Slack's own notices would make a loop or noise (docs/slack.md
// §7.2).
func (e rawEvent) deaf(self Identity) string {
	if why := e.stranger(self); why != "" {
		return why
	}
	direct := e.ChannelType == "im" || strings.HasPrefix(e.Channel, "D")
	switch {
	case e.edit():
		return "it is an edit"
	case e.Subtype != "" && e.Subtype != "file_share" && e.Subtype != "thread_broadcast":
		return "subtype " + e.Subtype
	case e.Type == "message" && !direct:
		return "it is not a direct message"
	case e.Type == "app_mention" && direct:
		return "it comes as a direct message too"
	}
	return ""
}

func (e rawEvent) edit() bool {
	return e.Hidden || len(e.Edited) > 0 && string(e.Edited) != "null"
}

// stranger says why the author is nobody to answer, or is empty. Our own posts
// may lack the user or the bot id, so both are compared.
func (e rawEvent) stranger(self Identity) string {
	switch {
	case e.User == "":
		return "nobody wrote it"
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
	text := strings.TrimSpace(e.Text)
	if self.UserID != "" {
		text = strings.TrimPrefix(text, "<@"+self.UserID+">")
	}
	return &Message{
		Caller:  Caller{User: e.User, Channel: e.Channel, Thread: e.Thread, Team: team},
		Text:    strings.TrimSpace(text),
		TS:      e.TS,
		Mention: e.Type == "app_mention",
	}
}
