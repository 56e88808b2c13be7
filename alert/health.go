package alert

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Health is the state of the daemon, for people and probes.
type Health struct {
	// Connections is how many Socket Mode connections are up (of two). RequestsAt is where
	// Slack's requests come in place of those, host:port; empty in Socket Mode.
	Connections    int       `json:"connections"`
	RequestsAt     string    `json:"requests_at,omitempty"`
	ConnectedSince time.Time `json:"connected_since,omitzero"`
	// Held says why nothing is sent at all; empty if deliveries work.
	Held string `json:"held,omitempty"`
	// Waiting is how many lanes have pending deliveries.
	Waiting     int       `json:"waiting_lanes"`
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	// DeadLetters is how many deliveries were given up and not retried or dropped.
	DeadLetters int64 `json:"dead_letters"`
	// UnknownConnections is how many connections Slack counts for the app that are not ours.
	UnknownConnections int `json:"unknown_connections,omitempty"`
	// Spooled is how many requests wait in the daemon's spool; zero once it has accepted
	// all of them.
	Spooled int `json:"spooled,omitempty"`
	// Standby is set while another replica is active and this one waits to take over.
	Standby bool `json:"standby,omitempty"`
	// Replicas are the daemons that share the store; none over SQLite.
	Replicas []Replica `json:"replicas,omitempty"`
	// Lag is what they have yet to decide; nil over SQLite.
	Lag *Lag `json:"lag,omitempty"`
	// ReplicasAsOf is when both were read, if that is some time ago because the store can't be.
	ReplicasAsOf time.Time `json:"replicas_as_of,omitzero"`
	// Problems keep the daemon from being ready, each with its remedy.
	Problems []Problem `json:"problems,omitempty"`
	// Notes need a person, too, and say nothing against the daemon: a conversation that
	// can't be reached, a long pause, dead letters.
	Notes []Problem `json:"notes,omitempty"`
	// Checks are all things that are judged, with the problems and notes among them.
	Checks []Check `json:"checks,omitempty"`
}

// Blocking returns why alerts for one lane alone wait until somebody does something; ok
// is false if nothing is known.
func (h Health) Blocking(lane string) (p Problem, ok bool) {
	for _, p := range slices.Concat(h.Problems, h.Notes) {
		if p.Blocks && p.Lane == lane {
			return p, true
		}
	}
	return Problem{}, false
}

// Problem is a problem and its remedy.
type Problem struct {
	// Code is one of ProblemCodes.
	Code string `json:"problem"`
	What string `json:"error"`
	Fix  string `json:"hint"`
	// Lane is the conversation it concerns; empty for several or none.
	Lane string `json:"lane,omitempty"`
	// Blocks is set when alerts for Lane wait because of it.
	Blocks bool `json:"blocks,omitempty"`
	// Since is when it began; zero if that is unknown.
	Since time.Time `json:"since,omitzero"`
}

// The kinds of problems, for metrics and scripts.
const (
	ProblemStore        = "store"         // the store can't be written: a full or failing disk
	ProblemStoreStuck   = "store_stuck"   // reads or writes of the store do not return
	ProblemStoreChanged = "store_changed" // the store's files are not those that were opened
	ProblemListener     = "listener"      // clients can't connect to a listener
	ProblemToken        = "token"         // a token is missing or can't work; as a note, it looks so and works
	ProblemRefused      = "refused"       // Slack refuses the app, so nothing is sent; as a note, to one conversation
	ProblemConnection   = "connection"    // no Socket Mode connection is up
	ProblemDelivery     = "delivery"      // deliveries fail or are overdue
	ProblemLastResort   = "last_resort"   // the last resort fails
	ProblemBacklog      = "backlog"       // too many alerts wait for Slack
	ProblemDestination  = "destination"   // a conversation can't be reached; only a note
	ProblemThrottled    = "throttled"     // Slack asks for a long pause; only a note
	ProblemDeadLetters  = "dead_letters"  // deliveries were given up; only a note
	ProblemConfig       = "config"        // another configuration has a mistake and is not used; only a note
	ProblemSpool        = "spool"         // a file of the spool can't be used; only a note
	ProblemReplicas     = "replicas"      // replicas have different configurations; only a note
	ProblemLeaderless   = "leaderless"    // no replica is active, or the active one doesn't decide what others accept; only a note
)

// NoteCodes returns all codes of notes.
func NoteCodes() []string {
	return []string{
		ProblemStore, ProblemToken, ProblemRefused, ProblemConnection, ProblemDestination, ProblemThrottled, ProblemDeadLetters,
		ProblemConfig, ProblemSpool, ProblemReplicas, ProblemLeaderless,
	}
}

// ProblemCodes returns all codes of problems that keep the daemon from being ready, the
// most serious first.
func ProblemCodes() []string {
	return []string{
		ProblemStore, ProblemStoreStuck, ProblemStoreChanged, ProblemListener, ProblemToken, ProblemRefused, ProblemDelivery,
		ProblemConnection, ProblemLastResort, ProblemBacklog,
	}
}

// Limits are how long something may make no progress before it is a problem.
type Limits struct {
	// Connection is how long there may be no usable Socket Mode connection.
	Connection time.Duration
	// Delivery is how long a delivery may fail or be overdue.
	Delivery time.Duration
	// Store is how long a read or a write of the store may take.
	Store time.Duration
}

// Progress is what was measured about the things that should move.
type Progress struct {
	// Reported are problems that the parts of the daemon know of themselves.
	Reported []Problem
	// Connected is when a Socket Mode connection was usable last, which is now while
	// one is. ConnectionError is why the latest one ended or could not be opened.
	Connected       time.Time
	ConnectionError string
	// Undelivered are the lanes whose oldest due delivery did not get through yet,
	// without those that fail only because their conversation can't be reached.
	Undelivered []Undelivered
	// StoreRead and StoreWrite are since when the store has not returned from a read
	// and from a write; zero if nothing waits.
	StoreRead, StoreWrite time.Time
}

// Undelivered is a lane's oldest due delivery: since when it has been failing or
// overdue, and why.
type Undelivered struct {
	Lane   string
	Since  time.Time
	Reason string
	// Fix is what to do; empty for checking the network.
	Fix string
}

// Problems returns what was reported and what has made no progress for longer than its
// limit, the most serious first.
func (p Progress) Problems(now time.Time, limits Limits) []Problem {
	all := slices.Clone(p.Reported)
	has := func(code string) bool {
		return slices.ContainsFunc(all, func(p Problem) bool { return p.Code == code })
	}
	if stuck := p.stuckStore(now.Add(-limits.Store)); stuck != nil {
		all = append(all, *stuck)
	}
	// Without the store, nothing can be delivered.
	if late := p.lateDeliveries(now.Add(-limits.Delivery)); late != nil && !has(ProblemStore) && !has(ProblemStoreStuck) {
		all = append(all, *late)
	}
	// What was reported says more about the cause.
	if now.Sub(p.Connected) > limits.Connection && !has(ProblemConnection) {
		all = append(all, Problem{
			Code: ProblemConnection, Since: p.Connected, What: because("no usable connection to Slack", p.ConnectionError),
			Fix: "commands and clicks do not arrive: check that this machine can keep a WebSocket open to Slack (network, HTTPS_PROXY, firewall); Tocsin keeps trying",
		})
	}
	codes := ProblemCodes()
	slices.SortStableFunc(all, func(a, b Problem) int { return slices.Index(codes, a.Code) - slices.Index(codes, b.Code) })
	return all
}

func (p Progress) stuckStore(latest time.Time) *Problem {
	what, since := "", time.Time{}
	for name, waits := range map[string]time.Time{"a read": p.StoreRead, "a write": p.StoreWrite} {
		if !waits.IsZero() && waits.Before(latest) && (since.IsZero() || waits.Before(since)) {
			what, since = name, waits
		}
	}
	if since.IsZero() {
		return nil
	}
	return &Problem{
		Code: ProblemStoreStuck, Since: since, What: "nothing is accepted or sent: the store does not answer, " + what + " does not return",
		Fix: "check the store's disk (is it frozen, or a network disk that is gone?) or the PostgreSQL server and who holds locks there; Tocsin then continues by itself",
	}
}

// lateDeliveries returns one problem for all lanes that have been late since before
// latest; it names the one that has been for longest.
func (p Progress) lateDeliveries(latest time.Time) *Problem {
	var oldest Undelivered
	lanes := 0
	for _, u := range p.Undelivered {
		if !u.Since.Before(latest) {
			continue
		}
		lanes++
		if lanes == 1 || u.Since.Before(oldest.Since) {
			oldest = u
		}
	}
	if lanes == 0 {
		return nil
	}
	late := Problem{
		Code: ProblemDelivery, Since: oldest.Since, Lane: oldest.Lane, Blocks: true, What: because("messages to "+oldest.Lane+" do not get through", oldest.Reason),
		Fix: cmp.Or(oldest.Fix, "check that this machine reaches Slack's Web API (network, HTTPS_PROXY, firewall, https://slack-status.com); alerts are kept, and Tocsin keeps trying"),
	}
	if lanes > 1 {
		late.Lane, late.Blocks, late.What = "", false, because(fmt.Sprintf("messages to %d conversations do not get through", lanes), oldest.Reason)
	}
	return &late
}

// because adds a reason, if one is known.
func because(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + reason
}
