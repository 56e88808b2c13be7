package alert

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"
)

// Silence keeps matching firing alerts out of Slack from StartsAt until EndsAt. They are
// accepted, stored and counted as silenced; incidents that are open at the end are shown.
type Silence struct {
	// ID is short enough for a person to type: s-k7f2.
	ID        string    `json:"id"`
	Matchers  Matchers  `json:"matchers"`
	CreatedAt time.Time `json:"created_at"`
	// UpdatedAt is when people made, changed or ended it last.
	UpdatedAt time.Time `json:"-"`
	// StartsAt is when it begins; zero for when it was created.
	StartsAt time.Time `json:"starts_at,omitzero"`
	EndsAt   time.Time `json:"ends_at"`
	// Every is at which hours it hides alerts; nil for all the time.
	Every *Hours `json:"every,omitempty"`
	By    Person `json:"by,omitzero"`
	Why   string `json:"why,omitempty"`
	// EndedBy is who ended it early.
	EndedBy Person `json:"ended_by,omitzero"`
	// Hidden counts the alerts it has silenced so far.
	Hidden int64 `json:"hidden"`
	// AnnouncedIn are the lanes in which it was announced that it hides a critical
	// alert.
	AnnouncedIn []string `json:"told,omitempty"`
	// Channel is the conversation (C…) in which it was made; empty if that is not known, or
	// is not a channel.
	Channel string `json:"-"`
	// RemindedOf is the latest of its beginnings of which people were reminded; zero for none.
	RemindedOf time.Time `json:"-"`
	// NextAt is when it begins to hide alerts next, in lists (see Listed); zero if it hides
	// them now.
	NextAt time.Time `json:"next_at,omitzero"`
}

// Listed is the silence as lists show it at now.
func (s Silence) Listed(now time.Time) Silence {
	if s.NextAt = (time.Time{}); !s.Active(now) {
		s.NextAt = s.Next(now)
	}
	return s
}

// Over reports whether the silence has ended for good.
func (s Silence) Over(now time.Time) bool { return !now.Before(s.EndsAt) }

// Active reports whether the silence hides alerts at now.
func (s Silence) Active(now time.Time) bool { return s.Until(now).After(now) }

// Begins is when it begins, or began.
func (s Silence) Begins() time.Time {
	if s.StartsAt.IsZero() {
		return s.CreatedAt
	}
	return s.StartsAt
}

// CanBecome reports whether it may be changed to another one at now, so that what it has
// hidden so far stays true: it is not over, the matchers are the same, and so is the second
// in which it began. One that has not begun may begin at any other time to come.
func (s Silence) CanBecome(to Silence, now time.Time) bool {
	switch begins := s.Begins(); {
	case s.Over(now), s.Matchers.String() != to.Matchers.String():
		return false
	case begins.After(now):
		return !to.StartsAt.Before(now)
	default:
		return to.StartsAt.Unix() == begins.Unix()
	}
}

// minExtension is by how much the end of a new silence must differ from that of an active one
// with the same matchers: a double click must not create two.
const minExtension = time.Minute

// Renewing returns the silence to create or update when a person asks for s while others are in
// effect. If one of their own has the same matchers and times, its end is changed. held is true
// if an existing silence already lasts as long; that one is returned unchanged.
func (s Silence) Renewing(holding []Silence) (meant Silence, held bool) {
	for _, old := range holding {
		if old.Matchers.String() != s.Matchers.String() || !old.sameTimes(s) {
			continue
		}
		later := s.EndsAt.Sub(old.EndsAt)
		if old.By.Is(s.By) && later.Abs() > minExtension {
			s.ID, s.StartsAt, s.Why = old.ID, old.Begins(), cmp.Or(s.Why, old.Why)
			return s, false
		}
		if later <= minExtension {
			return old, true
		}
	}
	return s, false
}

// sameTimes reports whether a new silence begins at the same time and recurs alike.
func (s Silence) sameTimes(added Silence) bool {
	begins := s.StartsAt.Equal(added.StartsAt) || added.StartsAt.IsZero() && s.Active(added.CreatedAt)
	return begins && (s.Every == nil) == (added.Every == nil) && (s.Every == nil || s.Every.String() == added.Every.String())
}

// Until is when it stops hiding what it hides at now, for good or until it recurs; zero if
// it hides nothing at now.
func (s Silence) Until(now time.Time) time.Time {
	if now.Before(s.StartsAt) || s.Over(now) {
		return time.Time{}
	}
	if s.Every == nil {
		return s.EndsAt
	}
	until, ok := s.Every.end(now)
	if ok && until.After(s.EndsAt) {
		return s.EndsAt
	}
	return until.UTC()
}

// Next is when it begins to hide alerts next after now; zero if it does not.
func (s Silence) Next(now time.Time) time.Time {
	next := s.StartsAt
	if s.Every != nil {
		if !next.After(now) {
			next = s.Every.next(now).UTC()
		} else if _, begun := s.Every.end(next); !begun {
			next = s.Every.next(next).UTC()
		}
	}
	if !next.After(now) || !next.Before(s.EndsAt) {
		return time.Time{}
	}
	return next
}

// reminderBefore is how long before a silence begins people are reminded of it.
const reminderBefore = 15 * time.Minute

// Reminder is when people are to be reminded of its next beginning after now, and when that
// is; zero for not: they were reminded of it, or it was made too late for that.
func (s Silence) Reminder(now time.Time) (at, begins time.Time) {
	begins = s.Next(now)
	at = begins.Add(-reminderBefore)
	if begins.IsZero() || !begins.After(s.RemindedOf) || at.Before(s.CreatedAt) {
		return time.Time{}, time.Time{}
	}
	return at, begins
}

// Beginning is what people are told of a silence before it begins to hide alerts At, Until
// then.
type Beginning struct {
	Silence  string    `json:"silence"` // its id
	Matchers string    `json:"matchers"`
	At       time.Time `json:"at"`
	Until    time.Time `json:"until"`
	By       Person    `json:"by,omitzero"`
	Why      string    `json:"why,omitempty"`
}

// RemindingIncident is a notice, which has no key, whose message reminds people that the
// silence begins at a time.
func (s Silence) RemindingIncident(at time.Time) Incident {
	return Incident{
		State: StateNotice, Severity: Info, Source: silenceSource, Title: "Silence " + s.ID + " begins",
		Message: &Message{Begins: &Beginning{Silence: s.ID, Matchers: s.Matchers.String(), At: at, Until: s.Until(at), By: s.By, Why: s.Why}},
	}
}

// silenceSource is the source of what is said about silences.
const silenceSource = "silence"

// UnmarshalJSON reads a silence that was listed. One from an older version may have matchers
// that would be refused today.
func (s *Silence) UnmarshalJSON(text []byte) error {
	type fields Silence
	listed := struct {
		*fields
		Matchers string `json:"matchers"`
	}{fields: (*fields)(s)}
	err := json.Unmarshal(text, &listed)
	if err == nil {
		s.Matchers, err = listedMatchers(listed.Matchers)
	}
	return err
}

// silencePrefix distinguishes a silence's id from an incident's.
const silencePrefix = "s-"

// IsSilenceID distinguishes the id of a silence from one of an incident.
func IsSilenceID(id string) bool { return strings.HasPrefix(id, silencePrefix) }

// NextSilenceID is NextShortID for silences: s-k7f2.
func NextSilenceID(last string, skip int) string {
	return silencePrefix + NextShortID(strings.TrimPrefix(last, silencePrefix), skip)
}

// SilenceFilter selects silences, latest first.
type SilenceFilter struct {
	// At keeps those that are not over at this time; zero also keeps those that are.
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
