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

// Stranded is what waits for a conversation that can't be reached while nothing
// replaces it.
type Stranded struct {
	Destination
	// Fallback is the conversation that should stand in and can't be reached,
	// either; its Lane is empty when there is none.
	Fallback Destination
	Jobs     []Job
}

// UnreportedDeadLetters are the dead letters of a lane that have not been
// reported in the fallback conversation yet.
type UnreportedDeadLetters struct {
	Lane  string
	Count int64
	// Reason is why the latest of them was given up, Last its Seq.
	Reason string
	Last   int64
}
