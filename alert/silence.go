package alert

import (
	"strings"
	"time"
)

// Silence keeps matching firing alerts out of Slack until EndsAt. They are accepted,
// stored and counted as silenced; incidents that are open at the end are shown.
type Silence struct {
	// ID is short enough for a person to type: s-k7f2.
	ID        string    `json:"id"`
	Matchers  Matchers  `json:"matchers"`
	CreatedAt time.Time `json:"created_at"`
	EndsAt    time.Time `json:"ends_at"`
	By        Person    `json:"by,omitzero"`
	Why       string    `json:"why,omitempty"`
	// EndedBy is who ended it early.
	EndedBy Person `json:"ended_by,omitzero"`
	// Hidden counts the alerts it has silenced so far.
	Hidden int64 `json:"hidden"`
	// AnnouncedIn are the lanes in which it was announced that it hides a critical
	// alert.
	AnnouncedIn []string `json:"told,omitempty"`
}

// Active reports whether the silence is active at now.
func (s Silence) Active(now time.Time) bool { return now.Before(s.EndsAt) }

// silencePrefix distinguishes a silence's id from an incident's.
const silencePrefix = "s-"

// NextSilenceID is NextShortID for silences: s-k7f2.
func NextSilenceID(last string, skip int) string {
	return silencePrefix + NextShortID(strings.TrimPrefix(last, silencePrefix), skip)
}

// SilenceFilter selects silences, latest first.
type SilenceFilter struct {
	// At keeps those active at this time; zero also keeps ended ones.
	At time.Time
	// ID keeps only this one.
	ID string
	// Limit is the most that are returned; 0 means 100.
	Limit int
}

// Subscription sends a person matching alerts as direct messages.
type Subscription struct {
	// Person is the person's Slack id (U…), which is also the lane.
	Person    string    `json:"person"`
	Matchers  Matchers  `json:"matchers"`
	CreatedAt time.Time `json:"created_at"`
}
