// Package alert holds the words that all of Tocsin speaks (alert, incident,
// delivery, card, lane, ledger) and the pure rules that need only them.
//
// It refuses to do I/O, to read a clock, and to know Slack, SQL or HTTP.
package alert

import "time"

// Severity says how bad an alert is, from Info up to Critical.
type Severity string

// The severities, worst first.
const (
	Critical Severity = "critical"
	Error    Severity = "error"
	Warning  Severity = "warning"
	Info     Severity = "info"
)

// Severities lists every severity, worst first.
func Severities() []Severity { return []Severity{Critical, Error, Warning, Info} }

// Rank is 0 for critical up to 3 for info; an unknown severity ranks last, 4.
func (s Severity) Rank() int {
	for i, known := range Severities() {
		if s == known {
			return i
		}
	}
	return len(Severities())
}

// Status says whether an alert reports trouble or its end.
type Status string

// The two statuses, in Alertmanager's words.
const (
	Firing   Status = "firing"
	Resolved Status = "resolved"
)

// Link is a place to go for more: a runbook, a dashboard.
type Link struct {
	Label string `json:"label"`
	URL   string `json:"url"`
}

// Alert is one message in, as its sender wrote it plus what acceptance added
// (ID, AcceptedAt, and defaults for what was left out).
type Alert struct {
	ID             string            `json:"id"`
	Source         string            `json:"source,omitempty"`
	Key            string            `json:"key,omitempty"`
	Status         Status            `json:"status"`
	Severity       Severity          `json:"severity"`
	Title          string            `json:"title"`
	Text           string            `json:"text,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Links          []Link            `json:"links,omitempty"`
	Channel        string            `json:"channel,omitempty"`
	Mention        string            `json:"mention,omitempty"`
	At             time.Time         `json:"at"`
	IdempotencyKey string            `json:"idempotency_key,omitempty"`
	AcceptedAt     time.Time         `json:"accepted_at"`
}

// Standing says where an accepted alert stands in the ledger; each alert has
// exactly one at every instant.
type Standing string

// The standings. Folded means: a card that counts it has been shown.
const (
	StandPending   Standing = "pending"
	StandDelivered Standing = "delivered"
	StandFolded    Standing = "folded"
	StandSilenced  Standing = "silenced"
	StandDead      Standing = "dead"
)

// Record is an accepted alert together with its standing and the times of its
// way to Slack. Zero times mean: not yet.
type Record struct {
	Alert
	Standing Standing `json:"standing"`
	Reason   string   `json:"reason,omitempty"`
	Incident string   `json:"incident"`
	Lane     string   `json:"lane"`
	// Silence is the id of the silence that hides it, which counts it when it is
	// committed; afterwards Reason tells.
	Silence string `json:"-"`
	// Version is the incident's version that first counted this alert; a card
	// that shows this version or a later one accounts for it.
	Version int64 `json:"-"`
	// Delivery is the post that this alert opened, or empty if it was folded.
	Delivery     string    `json:"delivery,omitempty"`
	StartedAt    time.Time `json:"started_at,omitzero"`
	DeliveredAt  time.Time `json:"delivered_at,omitzero"`
	Conversation string    `json:"conversation,omitempty"`
	TS           string    `json:"ts,omitempty"`
	// PossibleDuplicate: it may be shown twice, because an answer was lost and
	// Slack could not be searched for the first attempt.
	PossibleDuplicate bool `json:"possible_duplicate,omitempty"`
}

// Effect says what an accepted alert did.
type Effect string

// The effects of one alert.
const (
	EffectOpened    Effect = "opened"
	EffectFolded    Effect = "folded"
	EffectReopened  Effect = "reopened"
	EffectResolved  Effect = "resolved"
	EffectDuplicate Effect = "duplicate"
)

// Accepted is the receipt for one alert: it is on disk.
type Accepted struct {
	ID       string `json:"id"`
	Key      string `json:"key"`
	Incident string `json:"incident"`
	Effect   Effect `json:"effect"`
}
