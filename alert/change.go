package alert

import "time"

// Query says what a decision needs from the store.
type Query struct {
	// Keys asks for the latest incident of each route of each key.
	Keys []string
	// IdempotencyKeys asks which of these were accepted before.
	IdempotencyKeys []string
	// Acts asks for the lines of the history that have one of these as RequestID.
	Acts []string
	// IDs asks for these incidents.
	IDs []string
	// Now is the time of the decision. The silences that are active then and all
	// subscriptions are always returned: the store has them in memory.
	Now time.Time
	// Due asks for the incidents whose DueAt is not after Now, earliest first, at most
	// MaxFound, and for NextDue.
	Due bool
	// Ahead asks for incidents with a DueAt that were opened or acknowledged, or whose
	// latest alert came, more than ClockSlack after Now, because the clock was put back since; at most MaxFound.
	Ahead bool
	// Open asks for the open and acknowledged incidents, worst first, at most MaxFound.
	Open bool
	// Sources asks for what is known of all open and acknowledged incidents that match one
	// of these, and of the firing members of groups that do with their incidents, Inhibitors
	// for the ids of those that inhibit others.
	Sources    []Matchers
	Inhibitors bool
	// InhibitedBy asks for the open and acknowledged incidents that one of these inhibits,
	// oldest first, those after the incident After, at most MaxInhibited.
	InhibitedBy []string
	After       string
	// Silence asks for the silence of this id, active or ended.
	Silence string
	// Heartbeats asks for those of these names, AllHeartbeats for all of them; Due also
	// for those whose DueAt is not after Now, at most MaxFound. The latest incidents of
	// their keys come with them.
	Heartbeats    []string
	AllHeartbeats bool
	// Members asks for these members of the latest incidents of their groups. The firing
	// members of all groups that have one of Keys as their key always come, with their
	// incidents, and those that are due of groups that are due.
	Members []MemberKey
	// Listed asks for members that templates see, of each group that is returned:
	// TemplateMembers of those that fire and that no silence hides, worst first, and of those
	// that are resolved, and of each kind as many more as are asked for otherwise.
	Listed bool
}

// MaxDueMembers bounds how many due members of one group a query returns.
const MaxDueMembers = 500

// MaxFound bounds how many incidents one query returns by Due, Ahead or Open.
const MaxFound = 1000

// MaxInhibited bounds how many one query returns by InhibitedBy. Deciding them again must not
// make alerts wait that come meanwhile.
const MaxInhibited = 250

// ClockSlack is how much longer than was asked for something may wait because the clock
// was put back.
const ClockSlack = 10 * time.Minute

// Snapshot is what the store returns for a Query.
type Snapshot struct {
	// Incidents are returned once each: first the latest of the query's Keys, then the
	// others, possibly including older ones of the same keys.
	Incidents []Incident
	// Sources are what the query asks for: id, key, route, state and what matchers see.
	// SourceMembers are what matchers see of members of these, by incident in their order.
	Sources       []Incident
	SourceMembers []GroupMember
	// Inhibitors are each named once.
	Inhibitors []string
	// Seen maps an idempotency key to the receipt it got the first time.
	Seen map[string]Accepted
	// Done are the history lines with a RequestID of the query's Acts.
	Done []Event
	// LastID is the id of the latest incident of all, or empty.
	LastID string
	// Silences are those active at the query's Now, latest first, and the one that it
	// names. Hidden is up to date only for the latter.
	Silences []Silence
	// LastSilence is the id of the latest silence of all, or empty.
	LastSilence   string
	Subscriptions []Subscription
	// Aliases are the spellings of conversations that are known. Incidents and silences
	// have the names of lanes already.
	Aliases *Aliases
	// NextDue is the earliest DueAt of all incidents and heartbeats, including those that
	// are due; zero if there is none.
	NextDue time.Time
	// Heartbeats are those that were asked for. HeartbeatCount is how many there are in
	// all if one of the names is unknown.
	Heartbeats     []Heartbeat
	HeartbeatCount int
	// Members are those that were asked for. Of a group that is due they include the
	// MaxDueMembers firing ones that are due first, and the next one, also if it is not due yet.
	Members []GroupMember
}

// Change is the result of one decision. It is written completely or not at all.
type Change struct {
	// Aliases are those of the snapshot that was decided on. A change with others than
	// the store has now is a conflict; nil is none.
	Aliases *Aliases
	Alerts  []Record
	// Incidents are new (Version 1) or changed (Version is one more than the
	// version that was loaded; otherwise the commit fails with ErrConflict).
	Incidents []Incident
	// Apart are the ids of those that say what an alert says which is recorded with another
	// incident, because it is about several.
	Apart []string
	// NeverShown are incidents that end before a card of them: their pending alerts are silenced.
	NeverShown []NeverShown
	// Retold are incidents whose text is another one, each with since when: what pending
	// replies say of an earlier one is cut (Note.Outdated) before Deliveries are added.
	Retold map[string]time.Time
	// Deliveries are new ones, in their order. An update is left out by the
	// store while an earlier post or update of the same card still waits,
	// because that one will show the newest state anyway.
	Deliveries []Delivery
	// Silences are new or changed. The incidents that one of them silences become due
	// when it ends, unless they are due before. Hidden is ignored: the store counts the
	// alerts whose Silence names it.
	Silences []Silence
	// Heartbeats are new or changed, Forgotten the names of those that are deleted.
	Heartbeats []Heartbeat
	Forgotten  []string
	// Turned are groups whose members change all at once, in this order and before Members,
	// which are new or changed. Woken are then due, their groups too.
	Turned  []TurnedGroup
	Members []GroupMember
	Woken   []Wake
	// History are lines to add. The opening of an incident needs none: the store
	// derives it from FirstAt.
	History []Event
	// Receipts answer the arrivals of these ids, which are over with the change. One that is
	// not there any more is a conflict.
	Receipts map[string][]byte
}

// Arrival is a request that another replica has accepted for the one that decides.
type Arrival struct {
	ID      string
	Request []byte
}

// NeverShown is an incident that ends hidden before it was shown: by the silence of this id, or for
// the reason.
type NeverShown struct{ Incident, Silence, Reason string }

// Lanes lists the lanes of the new deliveries, each once.
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

// Envelope is one request from Slack as received, kept until it is handled.
type Envelope struct {
	ID string
	// Dedupe is Slack's id of the content (event_id, trigger_id), or empty.
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
	// PossibleDuplicates counts deliveries that may be shown twice, because they were
	// sent again after an answer was lost. It is not part of the sum.
	PossibleDuplicates int64 `json:"possible_duplicates,omitempty"`
}

// Ledger accounts for every accepted alert, from one consistent read.
type Ledger struct {
	Total Counts       `json:"total"`
	Lanes []LaneCounts `json:"lanes"`
	// PossibleDuplicates is the sum over all lanes.
	PossibleDuplicates int64 `json:"possible_duplicates"`
}
