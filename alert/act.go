package alert

import "time"

// Verb is what a person does with an incident, or what happened to it.
type Verb string

// The verbs of people.
const (
	VerbAck     Verb = "ack"
	VerbResolve Verb = "resolve"
	VerbAssign  Verb = "assign"
	VerbNote    Verb = "note"
)

// The verbs of the history that no person asks for by themselves.
const (
	VerbOpen      Verb = "open"
	VerbReopen    Verb = "reopen"
	VerbSilence   Verb = "silence"
	VerbUnsilence Verb = "unsilence"
	VerbEscalate  Verb = "escalate"
	VerbRemind    Verb = "remind"
	VerbHold      Verb = "hold"
	VerbShow      Verb = "show"
)

// Act is what a person wants done with one incident.
type Act struct {
	Verb     Verb
	Incident string
	By       Person
	// To is who an incident is assigned to.
	To Person
	// Text is a note, which may come with every verb.
	Text string
	// RequestID identifies the request, in Slack or at an HTTP caller: a second one of the
	// same id changes nothing more. Empty for none.
	RequestID string
}

// Acted is what became of an act.
type Acted struct {
	// Incident is as it is now. Its ID is that of the act when nobody knows it.
	Incident Incident
	Effect   ActEffect
}

// ActEffect says what an act changed.
type ActEffect string

// The effects of an act. Already: it was so before, and Incident tells who did it.
const (
	ActDone    ActEffect = "done"
	ActAlready ActEffect = "already"
	ActUnknown ActEffect = "unknown"
)

// Event is a line of an incident's history: everything that people, the clock
// and first alerts did to it. Lines are never changed.
type Event struct {
	Incident string    `json:"incident,omitempty"`
	Silence  string    `json:"silence,omitempty"`
	At       time.Time `json:"at"`
	Verb     Verb      `json:"verb"`
	By       Person    `json:"by,omitzero"`
	To       Person    `json:"to,omitzero"`
	Text     string    `json:"text,omitempty"`
	// RequestID is that of the act it records. The store takes an incident's or a
	// silence's line with a RequestID that it has already for a conflict.
	RequestID string `json:"-"`
}
