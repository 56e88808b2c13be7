package alert

import "time"

// Query asks the store for what a decision needs.
type Query struct {
	// Keys asks for the latest incident of each route of each key.
	Keys []string
	// IdempotencyKeys asks which of these were accepted before.
	IdempotencyKeys []string
	// Acts asks for the lines of the history that have one of these as RequestID.
	Acts []string
	// IDs asks for these incidents.
	IDs []string
	// Now asks for the silences that hold then and for all subscriptions. The
	// store has them in memory.
	Now time.Time
	// Due asks for the incidents whose DueAt is not after Now, at most MaxFound,
	// those that are due longest first, and for NextDue.
	Due bool
	// Open asks for the incidents that are open or acknowledged, worst first, at
	// most MaxFound.
	Open bool
	// Silence asks for the silence of this id, ended or not.
	Silence string
}

// MaxFound bounds how many incidents one query returns by Due or Open.
const MaxFound = 1000

// Snapshot answers a Query: what is true in the store now.
type Snapshot struct {
	// Incidents come once each: the latest of the query's Keys first, and
	// behind them what else is asked for, perhaps an older one of such a key.
	Incidents []Incident
	// Seen maps an idempotency key to the receipt it got the first time.
	Seen map[string]Accepted
	// Done are the lines that the query's Acts have left.
	Done []Event
	// LastID is the id of the latest incident of all, or empty.
	LastID string
	// Silences are those that hold at the query's Now, the latest first, and
	// the one it names. Only for the latter Hidden is up to date.
	Silences []Silence
	// LastSilence is the id of the latest silence of all, or empty.
	LastSilence   string
	Subscriptions []Subscription
	// NextDue is the earliest DueAt of all incidents, those that are due included;
	// zero when there is none.
	NextDue time.Time
}

// Change is what one decision wants written, all of it or nothing.
type Change struct {
	Alerts []Record
	// Incidents are new (Version 1) or changed (Version is one more than the
	// version that was loaded; otherwise the commit fails with ErrConflict).
	Incidents []Incident
	// Deliveries are new ones, in their order. An update is left out by the
	// store while an earlier post or update of the same card still waits,
	// because that one will show the newest state anyway.
	Deliveries []Delivery
	// Silences are new or changed. An incident that is kept quiet by one of them
	// becomes due when it ends, if it was to be later. Hidden is not taken from
	// here: the store counts the alerts whose Silence names it.
	Silences []Silence
	// History are lines to add. That an incident was first opened needs none: the
	// store tells it from FirstAt.
	History []Event
}

// Lanes lists the lanes that the change owes something to, each once.
func (c Change) Lanes() []string {
	seen := map[string]bool{}
	var lanes []string
	for _, d := range c.Deliveries {
		if !seen[d.Lane] {
			seen[d.Lane] = true
			lanes = append(lanes, d.Lane)
		}
	}
	return lanes
}

// Envelope is one request from Slack, as it came, kept until it is handled.
type Envelope struct {
	ID string
	// Dedupe is the sender's own identity of the content (event_id, trigger_id),
	// or empty.
	Dedupe string
	// Type is events_api, slash_commands or interactive.
	Type       string
	Payload    []byte
	ReceivedAt time.Time
}

// Counts is one line of the ledger; Accepted is the sum of the others.
type Counts struct {
	Accepted  int64 `json:"accepted"`
	Pending   int64 `json:"pending"`
	Delivered int64 `json:"delivered"`
	Folded    int64 `json:"folded"`
	Silenced  int64 `json:"silenced"`
	Dead      int64 `json:"dead"`
}

// LaneCounts is the ledger of one lane.
type LaneCounts struct {
	Lane string `json:"lane"`
	Counts
	// PossibleDuplicates is how many deliveries may be shown twice, because they
	// were sent again without being able to look. It is no part of the sum.
	PossibleDuplicates int64 `json:"possible_duplicates,omitempty"`
}

// Ledger accounts for every accepted alert, from one consistent read.
type Ledger struct {
	Total Counts       `json:"total"`
	Lanes []LaneCounts `json:"lanes"`
	// PossibleDuplicates is the sum over all lanes.
	PossibleDuplicates int64 `json:"possible_duplicates"`
}

// Health is how the daemon is doing, for people and probes.
type Health struct {
	// Connections is how many Socket Mode connections are up (of two).
	Connections    int       `json:"connections"`
	ConnectedSince time.Time `json:"connected_since,omitzero"`
	// Held says why nothing is being sent at all, or is empty.
	Held string `json:"held,omitempty"`
	// Waiting is how many lanes have something to send.
	Waiting     int       `json:"waiting_lanes"`
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	// DeadLetters is how many deliveries were given up and wait for a person.
	DeadLetters int64 `json:"dead_letters"`
	// Problems are what a person should know, each with its remedy; empty means ready.
	Problems []Problem `json:"problems,omitempty"`
	// Notes are what a person should look at although alerts come through.
	Notes []Problem `json:"notes,omitempty"`
}

// Problem is something wrong and what to do about it.
type Problem struct {
	What string `json:"error"`
	Fix  string `json:"hint"`
	// Lane is the conversation it concerns; empty if it is more than one.
	Lane string `json:"lane,omitempty"`
}
