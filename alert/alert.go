// Package alert holds the domain types that all packages share (alert, incident,
// delivery, card, lane, ledger) and the pure rules that need nothing else.
//
// It does no I/O, and except for new ids it gets the time as a parameter. It knows how
// Slack writes ids and what its error codes mean, but calls no API.
package alert

import "time"

// Status says whether an alert reports a problem or its end.
type Status string

// The two statuses, in Alertmanager's words.
const (
	Firing   Status = "firing"
	Resolved Status = "resolved"
)

// Format is how the text of an alert is to be read. The empty one is as it is written.
type Format string

// The formats in which marks in a text are read: Markdown, and Slack's own.
const (
	FormatMarkdown Format = "markdown"
	FormatMrkdwn   Format = "mrkdwn"
)

// Link is a place to go for more: a runbook, a dashboard.
type Link struct {
	Label string `json:"label"`
	URL   string `json:"url"`
}

// Image is a picture at a web address, with what it shows in words.
type Image struct {
	URL string `json:"url"`
	Alt string `json:"alt,omitempty"`
	// Fetch is set if Slack can't fetch it and Tocsin does.
	Fetch bool `json:"fetch,omitempty"`
}

// Alert is one incoming message, as its sender wrote it, with ID, AcceptedAt and
// defaults added by Prepare.
type Alert struct {
	ID       string            `json:"id"`
	Source   string            `json:"source,omitempty"`
	Key      string            `json:"key,omitempty"`
	Status   Status            `json:"status"`
	Severity Severity          `json:"severity"`
	Title    string            `json:"title"`
	Text     string            `json:"text,omitempty"`
	Format   Format            `json:"format,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Links    []Link            `json:"links,omitempty"`
	Images   []Image           `json:"images,omitempty"`
	// Annotations are Prometheus', as they came, of which Title, Text and Links are made; nil
	// for an alert of anybody else.
	Annotations map[string]string `json:"-"`
	Channel     string            `json:"channel,omitempty"`
	Mention     string            `json:"mention,omitempty"`
	At          time.Time         `json:"at"`
	// BeganAt is when it began, if At is when it ended; zero if the sender doesn't say.
	BeganAt        time.Time `json:"-"`
	IdempotencyKey string    `json:"idempotency_key,omitempty"`
	// Traceparent is the trace in which it was sent.
	Traceparent Traceparent `json:"traceparent,omitempty"`
	// Tracestate is what tracing systems say of that trace.
	Tracestate Tracestate `json:"tracestate,omitempty"`
	// TokenName is the name of the token that it was sent with; empty for none.
	TokenName string `json:"token_name,omitempty"`
	// Message is posted in place of a card; nil for a card.
	Message *Message `json:"-"`
	// Sender is that token, whose limits Prepare checks.
	Sender *Token `json:"-"`
	// EndsAt is when its incident resolves unless another alert refreshes it, and ExpiresIn
	// the same as a time from now; negative is never, and zero is what the routes say.
	EndsAt    time.Time     `json:"-"`
	ExpiresIn time.Duration `json:"-"`
	// Pings are the mentions of Mention that the configuration permits (see ParseMention).
	Pings      []string  `json:"-"`
	AcceptedAt time.Time `json:"accepted_at"`
	// Hash is the ContentHash of an alert with an idempotency key; 0 where it is not known,
	// as for those that were accepted before there was one.
	Hash int64 `json:"-"`
	// Notes say what was repaired in what the sender wrote, a sentence each. They
	// go into the response and are not stored.
	Notes []string `json:"-"`
	// Strict has Prepare refuse the alert instead of repairing it.
	Strict bool `json:"-"`
	// OnlyIfOpen has an alert that resolves nothing ignored, instead of shown as resolved:
	// the success of what has not failed.
	OnlyIfOpen bool `json:"-"`
	// Refreshes is set by a sender that repeats an alert as long as it lasts, as Prometheus
	// does: while its incident is open, it changes nothing but when that ends. One with an
	// EndsAt that has passed is the end.
	Refreshes bool `json:"-"`
	// Brief is set for an alert that says less than others with its key: if it reopens their
	// incident, the card goes on saying what they did.
	Brief bool `json:"-"`
}

// Standing is an accepted alert's state in the ledger. Each alert has exactly one at
// every moment.
type Standing string

// The standings. Folded means that a card or digest that counts it has been shown.
const (
	// StandQueued is not in the ledger: a standby has stored the alert, and the active
	// replica has not decided what it does. Nothing but its id is known of it.
	StandQueued    Standing = "queued"
	StandPending   Standing = "pending"
	StandDelivered Standing = "delivered"
	StandFolded    Standing = "folded"
	StandSilenced  Standing = "silenced"
	StandDead      Standing = "dead"
)

// Record is an accepted alert with its standing and what is known of its delivery.
// Zero times mean: not yet.
type Record struct {
	Alert
	Standing Standing `json:"standing"`
	Reason   string   `json:"reason,omitempty"`
	Incident string   `json:"incident"`
	Lane     string   `json:"lane"`
	// Silence is the id of the silence that hides it. It is only set in a Change;
	// afterwards Reason names the silence.
	Silence string `json:"-"`
	// Version is the first version of the incident that counts this alert. A card
	// with this version or a later one accounts for it.
	Version int64 `json:"-"`
	// Delivery is the post that this alert caused, or empty if it was folded.
	Delivery     string    `json:"delivery,omitempty"`
	StartedAt    time.Time `json:"started_at,omitzero"`
	DeliveredAt  time.Time `json:"delivered_at,omitzero"`
	Conversation string    `json:"conversation,omitempty"`
	TS           string    `json:"ts,omitempty"`
	// PossibleDuplicate is set when it may be shown twice: a response was lost, and
	// the conversation could not be searched for the first attempt.
	PossibleDuplicate bool `json:"possible_duplicate,omitempty"`
}

// Effect is what an accepted alert did.
type Effect string

// The effects of one alert.
const (
	EffectOpened    Effect = "opened"
	EffectFolded    Effect = "folded"
	EffectReopened  Effect = "reopened"
	EffectResolved  Effect = "resolved"
	EffectDuplicate Effect = "duplicate"
	// EffectIgnored is that of an alert that counts only if something is open.
	EffectIgnored Effect = "ignored"
	// EffectRefreshed is that of an alert that says only that its incident goes on. Like an
	// ignored one, it is not in the ledger.
	EffectRefreshed Effect = "refreshed"
	// EffectQueued is that of an alert that a standby has stored, and the active replica has
	// not decided within a second.
	EffectQueued Effect = "queued"
)

// Accepted is the receipt for one alert that is on disk.
type Accepted struct {
	ID       string `json:"id"`
	Key      string `json:"key"`
	Incident string `json:"incident"`
	Effect   Effect `json:"effect"`
	// Hash is that of the alert.
	Hash int64 `json:"-"`
	// Notes say what was repaired in what the sender wrote.
	Notes []string `json:"notes,omitempty"`
}
