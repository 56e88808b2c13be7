package alert

import (
	"context"
	"fmt"
	"time"
)

// Kind is what a delivery does in Slack.
type Kind string

// The kinds: a new card, an edit of it, a message in its thread; one card for many
// incidents, and a part of their complete list in its thread.
const (
	Post   Kind = "post"
	Update Kind = "update"
	Reply  Kind = "reply"
	Digest Kind = "digest"
	List   Kind = "list"
)

// InThread reports whether a delivery of this kind goes into a card's thread. The
// others show the newest state of the card.
func (k Kind) InThread() bool { return k == Reply || k == List }

// The priorities of deliveries. Replies that notify nobody are quiet.
const (
	PriorityCritical = iota
	PriorityNormal
	PriorityQuiet
)

// DeliveryState is the state of a delivery.
type DeliveryState string

// The states. A superseded delivery was not needed, because another one had shown
// everything it would have shown. A dropped one is a dead letter that a person
// decided not to retry.
const (
	Pending    DeliveryState = "pending"
	Sending    DeliveryState = "sending"
	Delivered  DeliveryState = "delivered"
	Dead       DeliveryState = "dead"
	Superseded DeliveryState = "superseded"
	Dropped    DeliveryState = "dropped"
)

// Delivery is one message for one lane.
type Delivery struct {
	ID       string        `json:"id"`
	Lane     string        `json:"lane"`
	Kind     Kind          `json:"kind"`
	State    DeliveryState `json:"state"`
	Incident string        `json:"incident"`
	// Seq is the order of acceptance; the store numbers it on insert.
	Seq int64 `json:"seq"`
	// Priority is PriorityCritical, PriorityNormal or PriorityQuiet: lower goes first.
	Priority int `json:"priority"`
	// Note is the content of a reply or of a part of a list; nil otherwise.
	Note *Note `json:"note,omitempty"`
	// Attempts counts sends, except those that Slack throttled or that failed
	// because it refuses the app.
	Attempts int `json:"attempts"`
	// CreatedAt is when it was decided, NextAt when it may be attempted next.
	CreatedAt time.Time `json:"created_at"`
	NextAt    time.Time `json:"next_at"`
	// StartedAt is when the latest attempt began (persisted before the attempt).
	// Claiming an unsure delivery does not change it, because the search for what the
	// earlier attempt may have posted begins there. Zero then means that the clock was
	// put back since, so that nobody knows.
	StartedAt time.Time `json:"started_at,omitzero"`
	DoneAt    time.Time `json:"done_at,omitzero"`
	// Plain is set when Slack refused the card's blocks: send escaped text only.
	Plain bool `json:"plain,omitempty"`
	// TopLevel is set when a reply can't go into its thread and is posted in the channel.
	TopLevel bool `json:"top_level,omitempty"`
	// Unsure is set when an earlier attempt may have reached Slack.
	Unsure bool `json:"unsure,omitempty"`
	// PossibleDuplicate is set when it was sent again although an earlier attempt may have
	// been shown.
	PossibleDuplicate bool `json:"possible_duplicate,omitempty"`
	// Via is the fallback conversation of the latest attempt (persisted before the
	// attempt); empty if it went to the lane itself.
	Via string `json:"via,omitempty"`
	// Class is the error class of the latest failed attempt, or empty.
	Class        Class  `json:"class,omitempty"`
	Reason       string `json:"reason,omitempty"`
	Conversation string `json:"conversation,omitempty"`
	TS           string `json:"ts,omitempty"`
}

// SharesFile reports whether the delivery is sent as a file.
func (d Delivery) SharesFile() bool {
	if d.Note == nil || d.Plain {
		return false
	}
	return d.Kind == List && d.Note.Topic == TopicFile || d.Kind == Reply && d.Note.Topic == TopicMemberFile || d.Kind == Reply && (d.Note.Topic == TopicText || d.Note.Topic == TopicImage)
}

// Topic is what a note is about.
type Topic string

// The topics of a note in a card's thread.
const (
	TopicMore       Topic = "more"       // continues the card's text
	TopicResolved   Topic = "resolved"   // it is resolved
	TopicReopened   Topic = "reopened"   // it fires again; To had acknowledged it
	TopicEscalated  Topic = "escalated"  // it got worse
	TopicList       Topic = "list"       // Count of a digest's incidents after the first From
	TopicFile       Topic = "file"       // the same as a file, with all that they say
	TopicText       Topic = "text"       // all of a text (Text) that is too long for pages, as a file
	TopicImage      Topic = "image"      // the image at an address (Text), as a file
	TopicRefired    Topic = "refired"    // it fired again while it was open
	TopicFormer     Topic = "former"     // the card said Text before
	TopicOthers     Topic = "others"     // Count texts are not said; 0 for an unknown number
	TopicAcked      Topic = "acked"      // By acknowledged it
	TopicAssigned   Topic = "assigned"   // By gave it to To
	TopicNote       Topic = "note"       // By says Text
	TopicSilenced   Topic = "silenced"   // By silenced it until At, because of Text
	TopicUnanswered Topic = "unanswered" // nobody has acknowledged it for After
	TopicReminder   Topic = "reminder"   // By acknowledged it After ago, and it is still open
	TopicHidden     Topic = "hidden"     // a silence (Text) hides this critical one until At
	TopicUnsilenced Topic = "unsilenced" // the silence is over, and it is still open
	TopicFlapping   Topic = "flapping"   // it was reopened Count times within After
	TopicUnacked    Topic = "unacked"    // By undid the acknowledgement of To
	TopicUnresolved Topic = "unresolved" // By undid the resolution; To had acknowledged it
	TopicTemplate   Topic = "template"   // a template failed (Text), so that the card is the default one
	TopicStable     Topic = "stable"     // it no longer flaps: Severity is empty if it is resolved
	TopicMembers    Topic = "members"    // Count new members of a group after the first From; Over were resolved
	TopicMemberFile Topic = "memberfile" // the same as a file

	// TopicUninhibited is that no incident inhibits it any more, and it is still open.
	TopicUninhibited Topic = "uninhibited"
)

// Note is the content of a reply, as of its decision.
type Note struct {
	Topic    Topic         `json:"topic"`
	Text     string        `json:"text,omitempty"`
	Severity Severity      `json:"severity,omitempty"`
	Count    int           `json:"count,omitempty"`
	From     int           `json:"from,omitempty"`
	After    time.Duration `json:"after,omitempty"`
	By       Person        `json:"by,omitzero"`
	To       Person        `json:"to,omitzero"`
	At       time.Time     `json:"at,omitzero"`
	// Over is how many members of a group were resolved since its thread spoke last, More how
	// many there are in addition to those that the note names.
	// Again is how many fired again.
	Over  int `json:"over,omitempty"`
	Again int `json:"again,omitempty"`
	More  int `json:"more,omitempty"`
	// Worse is set when it fires again and is more severe than before.
	Worse bool `json:"worse,omitempty"`
	// Expired is set when nothing but time has resolved it.
	Expired bool `json:"expired,omitempty"`
	// Title is that of the alert that it is about, if it is not the one before.
	Title string `json:"title,omitempty"`
	// Cut is set when Text is only the beginning of what the alert said.
	Cut bool `json:"cut,omitempty"`
	// Latest is set when it says, or continues, the text of the latest firing alert. Once
	// there is a later one, what waits is cut (see Outdated).
	Latest bool `json:"latest,omitempty"`
	// Mention is who is mentioned by it (see ParseMention).
	Mention []string `json:"mention,omitempty"`
	// Broadcast shows the reply in the channel as well.
	Broadcast bool `json:"broadcast,omitempty"`
	// Before are the notes that the same reply says before this one, in order.
	Before []Note `json:"before,omitempty"`
}

// Job is a claimed delivery with everything needed to send it, as of the claim.
type Job struct {
	Delivery
	Incident Incident `json:"-"`
	// Card is the incident's card in this lane; TS is empty before the post was
	// delivered.
	Card Card `json:"-"`
	// Known is the Slack id of the job's Place from an earlier delivery, or empty.
	Known string `json:"-"`
	// Refused is Slack's word for why the lane can't be reached while something
	// replaces it, or empty.
	Refused string `json:"-"`
	// Digest is what a digest, its edits and its lists show; nil for all others.
	Digest *Summary `json:"-"`
	// Members is set for a reply that lists members of a group. It reads them, as they are
	// then, in order of arrival.
	Members func(context.Context) ([]GroupMember, error) `json:"-"`
	// Followed is set on an unsure job if something else waits in its lane.
	Followed bool `json:"-"`
}

// NewCardKind is the kind that shows the job's subject where no card can be edited.
func (j Job) NewCardKind() Kind {
	if j.Digest != nil {
		return Digest
	}
	return Post
}

// Claim asks for a lane's next delivery. With Posts only posts and replies are
// wanted, with Updates only updates; at least one must be set.
type Claim struct {
	Lane           string
	Now            time.Time
	Posts, Updates bool
	// Retry does not wait for the back-off of a delivery that failed because Slack was
	// away, or could not be looked for.
	Retry bool
	// Began is when this run began. A pause that Slack asked an earlier run for is not
	// waited for, so that a restart tries once whether it still applies.
	Began time.Time
	// QuietFirst prefers a quiet reply to everything but criticals.
	QuietFirst bool
	// DigestAbove gathers posts in one digest when more of one priority than
	// this have been waiting for DigestAfter; 0 never does.
	DigestAbove int
	DigestAfter time.Duration
	// DigestUrgentAfter replaces DigestAfter for criticals, unless it is 0.
	DigestUrgentAfter time.Duration
	// Shown is how many new incidents of each priority (PriorityCritical, PriorityNormal)
	// the lane has shown within BusyWithin, up to DigestAbove+1 each.
	Shown [2]int
	// Via is the conversation that replaces the lane; empty for none. What
	// concerns a card goes where that is.
	Via string
}

// longestDoubt is how long a delivery in doubt waits at most: the longest back-off, and
// ClockSlack.
const longestDoubt = 5*time.Minute + ClockSlack

// Due reports whether a delivery may be attempted now. Only a clock that was put back
// can show a time before the delivery's wait began; the delivery does not wait until
// that clock has caught up. One in doubt keeps the start of its first attempt, so the
// length of its wait decides as well.
func (c Claim) Due(d Delivery) bool {
	switch {
	case !d.NextAt.After(c.Now):
		return true
	case c.Retry && (d.State == Sending || d.Class == ClassTransient):
		return true
	case d.State == Sending:
		return c.Now.Before(d.StartedAt) || d.NextAt.Sub(c.Now) > longestDoubt
	}
	earlierRun := d.Class == ClassThrottled && d.StartedAt.Before(c.Began)
	return earlierRun || c.Now.Before(d.CreatedAt) || c.Now.Before(d.StartedAt)
}

// Sent is Slack's receipt: where a delivery is shown, and which version of the
// incident it shows.
type Sent struct {
	Conversation string
	TS           string
	Version      int64
}

// Outcome is what became of an attempt; the queue makes it durable.
type Outcome struct {
	Delivery string
	// State is Delivered, Superseded or Dead, or Pending or Sending (unsure) to
	// try again at NextAt.
	State  DeliveryState
	Sent   Sent
	NextAt time.Time
	Now    time.Time
	// StartedAt is when a delivery in doubt begins to be sent again; zero if it does not.
	StartedAt time.Time
	// Attempts, Kind, Plain, TopLevel, PossibleDuplicate and Class replace the
	// delivery's own.
	Attempts          int
	Kind              Kind
	Plain             bool
	TopLevel          bool
	PossibleDuplicate bool
	Class             Class
	// Reason names why, in words for a person and a log: "throttled",
	// "channel_not_found: …".
	Reason string
	// CardFirst posts a new card before the delivery, which waits for it.
	CardFirst bool
	// Broken is the destination that this attempt found broken, or nil; Mended is
	// the lane of one that was, and has taken this delivery, or empty.
	Broken *Destination
	Mended string
}

// Class groups Slack's answers by what has to be done about them.
type Class string

// The classes of docs/slack.md §2.7.
const (
	ClassAuth        Class = "auth"        // the whole app is refused: hold everything
	ClassDestination Class = "destination" // this conversation can't be reached
	ClassPayload     Class = "payload"     // Slack will never accept this content
	ClassThread      Class = "thread"      // not in this thread
	ClassGone        Class = "gone"        // the card to edit is gone
	ClassThrottled   Class = "throttled"   // wait RetryAfter
	ClassTransient   Class = "transient"   // not applied, try again
	ClassUnsure      Class = "unsure"      // perhaps applied: search before trying again
	ClassUnknown     Class = "unknown"     // an unknown code
)

// SendError is a failed attempt: its class, Slack's code, and what a person can
// do about it.
type SendError struct {
	Class      Class
	Code       string
	RetryAfter time.Duration
	Hint       string
	// Near is a name similar to one that is unknown, such as @bob; empty for none.
	Near string
	Err  error
}

// Error says the code and the hint in one line.
func (e *SendError) Error() string {
	s := e.Code
	if e.Err != nil {
		s = fmt.Sprintf("%s: %v", e.Code, e.Err)
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap returns the cause, or nil.
func (e *SendError) Unwrap() error { return e.Err }
