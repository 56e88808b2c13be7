package alert

import (
	"strings"
	"time"
)

// State is the state of an incident.
type State string

// The states of an incident, in the order they usually come.
const (
	Open          State = "open"
	Acked         State = "acked"
	StateResolved State = "resolved"
	// StateDigest marks the row that represents a digest, which has a version, a card
	// and deliveries like an incident. People never see it in a list.
	StateDigest State = "digest"
	// StateNotice marks the row of a message of our own that is about no alert, such as the
	// reminder that a silence begins. People never see it in a list either.
	StateNotice State = "notice"
)

// Listed reports whether what is in this state is an incident, which people can list, find
// and act on.
func (s State) Listed() bool { return s != StateDigest && s != StateNotice }

// Incident is what all alerts with one key in one route are about. Title,
// Text, its Format, Severity, Labels, Links, Images and Annotations are those of the latest firing alert.
type Incident struct {
	// ID is short enough for a person to type: k7f2.
	ID    string `json:"id"`
	Key   string `json:"key"`
	Route string `json:"route"`
	// Version counts changes from 1; each committed change adds exactly one.
	Version  int64             `json:"version"`
	State    State             `json:"state"`
	Severity Severity          `json:"severity"`
	Source   string            `json:"source,omitempty"`
	Title    string            `json:"title"`
	Text     string            `json:"text,omitempty"`
	Format   Format            `json:"format,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Links    []Link            `json:"links,omitempty"`
	Images   []Image           `json:"images,omitempty"`
	// Annotations are as in Alert; those of a group are what its members have in common.
	Annotations map[string]string `json:"-"`
	// Fields are shown in place of the labels if the route has templates for them.
	Fields []Field `json:"fields,omitempty"`
	// SentTitle is the title that was sent if the route has a template for it; empty if that
	// is Title.
	SentTitle string `json:"sent_title,omitempty"`
	// Unworded is why a template of its route fails, so that it is as without them; empty if
	// none does.
	Unworded string `json:"-"`
	Mention  string `json:"mention,omitempty"`
	// TokenName is the name of the token that the latest firing alert was sent with.
	TokenName string `json:"token_name,omitempty"`
	// Message is posted in place of a card; nil for a card.
	Message *Message `json:"-"`
	// Group is what is known of its members if it is that of a group, and nil otherwise. What
	// it says is then what they have in common, and Severity that of the worst firing one.
	Group *Group `json:"group,omitempty"`
	// Count is the number of its firing alerts.
	Count   int       `json:"count"`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
	// BeganAt is when it began as its first alert says, EndedAt when it ended as the alert
	// says that resolved it; zero where they do not say.
	BeganAt time.Time `json:"began_at,omitzero"`
	EndedAt time.Time `json:"ended_at,omitzero"`
	// LastBeganAt is when its latest firing alert says it began; zero if that does not say.
	LastBeganAt time.Time `json:"last_began_at,omitzero"`
	// ExpiresAt is when it resolves unless an alert refreshes it; zero for never. ExpiresIn
	// is how long after the latest alert that is; 0 if it is a time that the sender named.
	ExpiresAt time.Time     `json:"expires_at,omitzero"`
	ExpiresIn time.Duration `json:"-"`
	// Repeated is set if a sender that repeats its alerts decides until when it lasts: cards
	// don't say that, because repeats do not edit them.
	Repeated bool `json:"-"`
	// Expired is set when nothing but time has resolved it.
	Expired bool `json:"expired,omitempty"`
	// OpenedAt is when it last became open and visible: FirstAt, when it was reopened,
	// or when a silence or quiet hours ended. Escalation counts from it. While it flaps,
	// reopening it changes this only if somebody had acknowledged it.
	OpenedAt time.Time `json:"opened_at,omitzero"`
	AckedBy  Person    `json:"acked_by,omitzero"`
	AckedAt  time.Time `json:"acked_at,omitzero"`
	// Assignee is who is responsible. Acknowledging also assigns the incident.
	Assignee   Person    `json:"assignee,omitzero"`
	ResolvedAt time.Time `json:"resolved_at,omitzero"`
	// ResolvedBy is who resolved it; empty if an alert did.
	ResolvedBy Person `json:"resolved_by,omitzero"`
	// Silence is the id of the silence that silences it until SilencedUntil; empty for
	// none.
	Silence       string    `json:"silence,omitempty"`
	SilencedUntil time.Time `json:"silenced_until,omitzero"`
	// InhibitedBy is the id of the incident that inhibits it; empty for none. A silence
	// goes before: at most one of the two is set.
	InhibitedBy string `json:"inhibited_by,omitempty"`
	// HeldUntil is when its first card is posted, while a silence, quiet hours or times hold
	// it, or since when an incident inhibits it that has none; zero once a card is
	// pending. Waiting is set if an alert waits for that card
	// that is not silenced.
	HeldUntil time.Time `json:"held_until,omitzero"`
	Waiting   bool      `json:"waiting,omitempty"`
	// RemindAt is when the person who acknowledged it is reminded; zero for never.
	RemindAt time.Time `json:"remind_at,omitzero"`
	// NotifyAt is when people are notified that it fires again, because it did in quiet
	// hours; zero for never.
	NotifyAt time.Time `json:"-"`
	// Escalated is how many escalation steps were performed since OpenedAt.
	Escalated int `json:"escalated,omitempty"`
	// ReopenedAt are the latest times at which it was reopened, as many as it takes to
	// flap. FlappingSince is when it began to flap; zero if it is stable.
	ReopenedAt    []time.Time `json:"-"`
	FlappingSince time.Time   `json:"flapping_since,omitzero"`
	// Unsaid is what the alert that resolved it says, and Unpaged is set if its text has
	// changed, while it flaps. Its thread says both when it is stable.
	Unsaid  string `json:"-"`
	Unpaged bool   `json:"-"`
	// Retold is set once an alert has fired with another title or text than before.
	Retold bool `json:"-"`
	// Untold is what alerts have said that were hidden although its cards were there. Its
	// thread says it once nothing hides it any more. It is never changed in place.
	Untold *Note `json:"-"`
	// DueAt is when it is due for the next decision of the clock; zero for never.
	DueAt time.Time `json:"due_at,omitzero"`
	// Mentions says who is mentioned by its card in a lane (see ParseMention).
	Mentions map[string][]string `json:"mentions,omitempty"`
	// Lanes are the conversations that show it, in the order of its route.
	Lanes []string `json:"lanes"`
	// Cards are its cards. A lane without one has not been reached yet.
	Cards []Card `json:"cards,omitempty"`
}

// Card is the one Slack message that shows an incident in a conversation.
type Card struct {
	Lane string `json:"lane"`
	// Conversation is Slack's id (C…, D…), TS the message's id in it.
	Conversation string `json:"conversation"`
	TS           string `json:"ts"`
	// Version is the incident's version the card shows.
	Version int64 `json:"version"`
	// Via is the fallback conversation in which the card was posted; empty if it is in
	// the lane itself.
	Via string `json:"via,omitempty"`
	// Digest is set when the message is a digest that shows many incidents.
	Digest bool `json:"digest,omitempty"`
}

// Hidden reports whether a silence or another incident hides what its alerts say.
func (i Incident) Hidden() bool { return i.Silence != "" || i.InhibitedBy != "" }

// Since is when the incident got into its state.
func (i Incident) Since() time.Time {
	switch i.State {
	case StateResolved:
		return i.ResolvedAt
	case Acked:
		return i.AckedAt
	}
	return i.OpenedAt
}

// Began is when it began: when its first alert says, else when that was accepted.
func (i Incident) Began() time.Time {
	if i.BeganAt.IsZero() {
		return i.FirstAt
	}
	return i.BeganAt
}

// LastBegan is when its latest firing alert says it began, else when that was accepted.
func (i Incident) LastBegan() time.Time {
	if i.LastBeganAt.IsZero() {
		return i.LastAt
	}
	return i.LastBeganAt
}

// Lasted is how long it lasted until it was resolved.
func (i Incident) Lasted() time.Duration {
	if i.EndedAt.IsZero() {
		return i.ResolvedAt.Sub(i.Began())
	}
	return i.EndedAt.Sub(i.Began())
}

// ReceivedLate is when its latest alert came, or its first one, if that was so long after it
// began that people have to know both times; else zero.
func (i Incident) ReceivedLate() time.Time {
	switch {
	case i.LastAt.Sub(i.LastBegan()) > time.Minute:
		return i.LastAt
	case i.FirstAt.Sub(i.Began()) > time.Minute:
		return i.FirstAt
	}
	return time.Time{}
}

// Card returns the incident's card in lane; its TS is empty when there is none.
func (i Incident) Card(lane string) Card {
	for _, c := range i.Cards {
		if c.Lane == lane {
			return c
		}
	}
	return Card{Lane: lane}
}

// Owner is who the incident is assigned to, or else who acknowledged it.
func (i Incident) Owner() Person {
	if i.Assignee != (Person{}) {
		return i.Assignee
	}
	return i.AckedBy
}

// IncidentFilter selects incidents. Zero fields do not restrict.
type IncidentFilter struct {
	// States keeps incidents in one of these states.
	States []State
	// Matchers keeps incidents that match.
	Matchers Matchers
	// AnyOf keeps incidents that match one of these, unless it is empty.
	AnyOf []Matchers
	// Words keeps incidents that contain each of these (see Subject.Contains).
	Words []string
	// Beginnings keeps only those in which the Words begin a word (see Subject.Begins).
	Beginnings bool
	// Wholes keeps only those in which the Words are whole words (see Subject.Has).
	Wholes bool
	// Members also keeps groups that are not resolved and of which a firing member matches. A
	// person who acts on a group acts on all of them, so this is for lists and silences.
	Members bool
	// Mine keeps those that this person (U…) owns.
	Mine string
	// Digest keeps those that the digest of this id shows.
	Digest string
	// Before keeps those that have been in their state since then or longer.
	Before time.Time
	// Latest sorts by When, the latest first; Offset is ignored.
	Latest bool
	// Offset skips the first ones.
	Offset int
	// Limit is the most that are returned, worst first, then latest first;
	// 0 means 100.
	Limit int
}

// When is the time by which Latest sorts: when the incident opened, or when it got into
// its state if only one state is asked for.
func (f IncidentFilter) When(i Incident) time.Time {
	if len(f.States) == 1 {
		return i.Since()
	}
	return i.OpenedAt
}

// Subject is what matchers see of the incident: its latest firing alert.
func (i Incident) Subject() Subject {
	channel, _ := strings.CutPrefix(i.Route, channelRoute)
	if channel == i.Route {
		channel = ""
	}
	s := Subject{Severity: i.Severity, Source: i.Source, Key: i.Key, Title: i.Title, Channel: channel, Labels: i.Labels, Group: i.Group}
	if i.SentTitle != "" {
		s.Title, s.Shown = i.SentTitle, i.Title
	}
	return s
}
