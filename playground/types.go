package playground

import (
	"encoding/json"
	"time"
)

// User is a person or a bot of the workspace.
type User struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	RealName string `json:"real_name"`
	Email    string `json:"email,omitempty"`
	// TZ is an IANA zone such as "Europe/Berlin".
	TZ      string `json:"tz"`
	IsBot   bool   `json:"is_bot"`
	Deleted bool   `json:"deleted"`
	// Color is six hex digits without the number sign.
	Color string `json:"color"`
	// TeamID is the other workspace (T…) that a person is from, who is here in channels shared over Slack Connect; empty for this one's.
	TeamID string `json:"team_id,omitempty"`
}

// Channel is a conversation: a public or private channel, or the direct messages of one person with the bot (IsIM).
type Channel struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Topic      string `json:"topic"`
	IsPrivate  bool   `json:"is_private"`
	IsArchived bool   `json:"is_archived"`
	IsIM       bool   `json:"is_im"`
	// IsMember reports whether the bot is in the channel.
	IsMember bool `json:"is_member"`
	// User is the person of a direct conversation.
	User string `json:"user,omitempty"`
}

// Message is one message as Slack shows it; its JSON is Slack's own message object. Channel, At and Seq are the playground's and
// are not in the JSON.
type Message struct {
	Type        string          `json:"type"`
	Subtype     string          `json:"subtype,omitempty"`
	Hidden      bool            `json:"hidden,omitempty"`
	User        string          `json:"user,omitempty"`
	BotID       string          `json:"bot_id,omitempty"`
	AppID       string          `json:"app_id,omitempty"`
	Team        string          `json:"team,omitempty"`
	Username    string          `json:"username,omitempty"`
	Icons       json.RawMessage `json:"icons,omitempty"`
	BotProfile  *BotProfile     `json:"bot_profile,omitempty"`
	ClientMsgID string          `json:"client_msg_id,omitempty"`
	Text        string          `json:"text"`
	// Mrkdwn is false if the app asked that marks in Text are not read (mrkdwn=false).
	Mrkdwn       *bool           `json:"mrkdwn,omitempty"`
	TS           string          `json:"ts"`
	ThreadTS     string          `json:"thread_ts,omitempty"`
	ParentUserID string          `json:"parent_user_id,omitempty"`
	ReplyCount   int             `json:"reply_count,omitempty"`
	ReplyUsers   []string        `json:"reply_users,omitempty"`
	LatestReply  string          `json:"latest_reply,omitempty"`
	Edited       *Edited         `json:"edited,omitempty"`
	Blocks       json.RawMessage `json:"blocks,omitempty"`
	Attachments  json.RawMessage `json:"attachments,omitempty"`
	Files        []File          `json:"files,omitempty"`
	Metadata     *Metadata       `json:"metadata,omitempty"`
	// Ephemeral marks a message that only EphemeralTo can see.
	Ephemeral   bool   `json:"ephemeral,omitempty"`
	EphemeralTo string `json:"-"`

	Channel string    `json:"-"`
	At      time.Time `json:"-"`
	// Seq is the number of the journal entry that showed the message last.
	Seq int64 `json:"-"`
}

// Edited says who changed a message's text last, and when (a ts).
type Edited struct {
	User string `json:"user"`
	TS   string `json:"ts"`
}

// Metadata is the machine-readable part of a message (chat.postMessage's metadata argument).
type Metadata struct {
	EventType    string          `json:"event_type"`
	EventPayload json.RawMessage `json:"event_payload,omitempty"`
}

// BotProfile is the author block that Slack adds to a bot's messages.
type BotProfile struct {
	ID     string `json:"id"`
	AppID  string `json:"app_id"`
	Name   string `json:"name"`
	TeamID string `json:"team_id"`
}

// File is an uploaded file as a message carries it.
type File struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Title      string `json:"title"`
	Mimetype   string `json:"mimetype"`
	Filetype   string `json:"filetype"`
	Size       int64  `json:"size"`
	User       string `json:"user"`
	URLPrivate string `json:"url_private"`
	Created    int64  `json:"created"`
	Mode       string `json:"mode,omitempty"`
	AltTxt     string `json:"alt_txt,omitempty"`

	// scanned is when Slack has checked it; before that no block can show it.
	scanned time.Time
}

// View is a modal or a person's Home tab; its JSON is Slack's own view object. User, who sees it, is not in the JSON.
type View struct {
	ID                 string          `json:"id"`
	TeamID             string          `json:"team_id"`
	Type               string          `json:"type"`
	Blocks             json.RawMessage `json:"blocks"`
	PrivateMetadata    string          `json:"private_metadata"`
	CallbackID         string          `json:"callback_id"`
	State              ViewState       `json:"state"`
	Hash               string          `json:"hash"`
	Title              json.RawMessage `json:"title,omitempty"`
	Submit             json.RawMessage `json:"submit"`
	Close              json.RawMessage `json:"close"`
	ClearOnClose       bool            `json:"clear_on_close"`
	NotifyOnClose      bool            `json:"notify_on_close"`
	SubmitDisabled     bool            `json:"submit_disabled"`
	PreviousViewID     *string         `json:"previous_view_id"`
	RootViewID         string          `json:"root_view_id"`
	AppID              string          `json:"app_id"`
	ExternalID         string          `json:"external_id"`
	AppInstalledTeamID string          `json:"app_installed_team_id"`
	BotID              string          `json:"bot_id"`

	User string `json:"-"`
}

// ViewState is what the inputs of a view hold: block_id, then action_id, then the element's own value object.
type ViewState struct {
	Values map[string]map[string]json.RawMessage `json:"values"`
}
