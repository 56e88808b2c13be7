package alert

import (
	"cmp"
	"time"
)

// Destination is a conversation that takes no messages until somebody mends
// something there.
type Destination struct {
	// Lane is the conversation as it is spelled, Known Slack's id of it from an
	// earlier delivery, or empty.
	Lane  string
	Known string
	// Code is Slack's word for why, Hint what a person can do about it.
	Code string
	Hint string
	// Since is when it was found broken; zero: it is not.
	Since time.Time
	// ProbeAt is when it is looked at next.
	ProbeAt time.Time
}

// Place is the conversation that the latest attempt at the delivery went to: its
// lane, or what stood in for that.
func (d Delivery) Place() string { return cmp.Or(d.Via, d.Lane) }

// Place is the conversation that the card was posted to: its lane, or what stood
// in for that.
func (c Card) Place() string { return cmp.Or(c.Via, c.Lane) }
