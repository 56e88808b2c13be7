package alert

import "time"

// Verb is what a person does with an incident, or an entry in its history.
type Verb string

// The verbs of acts.
const (
	VerbAck     Verb = "ack"
	VerbResolve Verb = "resolve"
	VerbAssign  Verb = "assign"
	VerbNote    Verb = "note"
	// VerbUnack and VerbReopen undo VerbAck and VerbResolve. In a history, VerbReopen is
	// also an alert that fires again.
	VerbUnack  Verb = "unack"
	VerbReopen Verb = "reopen"
)

// UndoWithin is how soon a resolution can be undone so that everything is as before.
const UndoWithin = time.Minute

// Undo is the verb that undoes this one, or empty.
func (v Verb) Undo() Verb {
	switch v {
	case VerbAck:
		return VerbUnack
	case VerbResolve:
		return VerbReopen
	}
	return ""
}

// The verbs that appear only in the history.
const (
	VerbOpen      Verb = "open"
	VerbSilence   Verb = "silence"
	VerbUnsilence Verb = "unsilence"
	VerbEscalate  Verb = "escalate"
	VerbRemind    Verb = "remind"
	VerbHold      Verb = "hold"
	VerbShow      Verb = "show"
	VerbExpire    Verb = "expire"
	VerbInhibit   Verb = "inhibit"
	// VerbRefire is an alert that fires with another text while its incident is open.
	VerbRefire Verb = "refire"
	// VerbNothing is an act with a RequestID that changed nothing. No history shows it.
	VerbNothing Verb = ""
)

// Act is what a person wants done with one incident.
type Act struct {
	Verb     Verb
	Incident string
	By       Person
	// To is who an incident is assigned to.
	To Person
	// Text is a note, which every verb may have.
	Text string
	// RequestID identifies the request, in Slack or at an HTTP caller: a second one of the
	// same id changes nothing more. Empty for none.
	RequestID string
}

// Acted is the result of an act.
type Acted struct {
	// Incident is the incident as it is now. For ActUnknown it has only the ID.
	Incident Incident
	Effect   ActEffect
}

// ActEffect is the effect of an act.
type ActEffect string

// The effects. ActAlready means that nothing changed: Incident says who did it before.
// ActNewer means that an incident was not reopened because its key has fired since:
// Incident is the newer one.
const (
	ActDone    ActEffect = "done"
	ActAlready ActEffect = "already"
	ActUnknown ActEffect = "unknown"
	ActNewer   ActEffect = "newer"
)

// Event is a line of an incident's history: what people, the clock and alerts did to
// it. Lines are never changed.
type Event struct {
	Incident string    `json:"incident,omitempty"`
	Silence  string    `json:"silence,omitempty"`
	At       time.Time `json:"at"`
	Verb     Verb      `json:"verb"`
	By       Person    `json:"by,omitzero"`
	To       Person    `json:"to,omitzero"`
	Text     string    `json:"text,omitempty"`
	// RequestID is that of the act it records. A second line of an incident or a
	// silence with the same RequestID is a conflict.
	RequestID string `json:"-"`
}
