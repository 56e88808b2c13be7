package alert

import "time"

// State says how far people have come with an incident.
type State string

// The states of an incident, in the order they usually come.
const (
	Open          State = "open"
	Acked         State = "acked"
	StateResolved State = "resolved"
	// StateDigest is that of the stand-in for a digest, which has a version, a
	// card and deliveries as an incident has. It is none of the states people
	// see, and no list of incidents shows it.
	StateDigest State = "digest"
)

// DefaultRoute names the route every alert takes that asks for no channel.
const DefaultRoute = "default"

// Incident is what all alerts with one key in one route are about. Title,
// Text, Severity, Labels and Links are those of the latest firing alert.
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
	Labels   map[string]string `json:"labels,omitempty"`
	Links    []Link            `json:"links,omitempty"`
	Mention  string            `json:"mention,omitempty"`
	// Count is how many firing alerts it stands for.
	Count      int       `json:"count"`
	FirstAt    time.Time `json:"first_at"`
	LastAt     time.Time `json:"last_at"`
	AckedBy    string    `json:"acked_by,omitempty"`
	AckedAt    time.Time `json:"acked_at,omitzero"`
	ResolvedAt time.Time `json:"resolved_at,omitzero"`
	// Lanes are the conversations that show it, in the order of the route.
	Lanes []string `json:"lanes"`
	// Cards are where it is shown; a lane without a card has not been reached yet.
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
	// Digest is set when the message is a digest that shows many incidents.
	Digest bool `json:"digest,omitempty"`
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

// IncidentFilter chooses incidents. Zero fields do not restrict.
type IncidentFilter struct {
	// States keeps incidents in one of these states.
	States []State
	// Limit is the most that are returned, worst first, then latest first;
	// 0 means 100.
	Limit int
}
