package alert

import (
	"strings"
	"time"
)

// Silence keeps firing alerts that match out of Slack until EndsAt. They are
// accepted, kept and counted as silenced; what is still open at the end is shown.
type Silence struct {
	// ID is short enough for a person to type: s-k7f2.
	ID        string    `json:"id"`
	Matchers  Matchers  `json:"matchers"`
	CreatedAt time.Time `json:"created_at"`
	EndsAt    time.Time `json:"ends_at"`
	By        Person    `json:"by,omitzero"`
	Why       string    `json:"why,omitempty"`
	// EndedBy is who ended it before its time.
	EndedBy Person `json:"ended_by,omitzero"`
	// Hidden counts the alerts it has kept out so far.
	Hidden int64 `json:"hidden"`
	// Told are the conversations in which it was said that it hides something
	// critical.
	Told []string `json:"told,omitempty"`
}

// Active tells whether the silence holds at now.
func (s Silence) Active(now time.Time) bool { return now.Before(s.EndsAt) }

// silencePrefix tells a silence's id from an incident's.
const silencePrefix = "s-"

// NextSilenceID is NextShortID for silences: s-k7f2.
func NextSilenceID(last string, skip int) string {
	return silencePrefix + NextShortID(strings.TrimPrefix(last, silencePrefix), skip)
}

// SilenceFilter chooses silences. The latest come first.
type SilenceFilter struct {
	// At keeps those that hold at this time; zero keeps the ended ones as well.
	At time.Time
	// ID keeps the one of this id.
	ID string
	// Limit is the most that are returned; 0 means 100.
	Limit int
}

// Subscription brings a person alerts that match as direct messages.
type Subscription struct {
	// Person is the Slack id (U…) of who wants them, and the lane they go to.
	Person    string    `json:"person"`
	Matchers  Matchers  `json:"matchers"`
	CreatedAt time.Time `json:"created_at"`
}
