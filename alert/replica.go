package alert

import (
	"fmt"
	"slices"
	"time"
)

// Replica is one of the daemons that share a PostgreSQL store. Its times are by the
// database's clock.
type Replica struct {
	ID      string       `json:"id"`
	Host    string       `json:"host"`
	Version string       `json:"version"`
	State   ReplicaState `json:"state"`
	// Self is set for the daemon that was asked.
	Self bool `json:"this,omitempty"`
	// Config is a hash of the configuration, Workspace is T…, or empty while Slack has not
	// said it, and Connections are those to Slack.
	Config      string `json:"config"`
	Workspace   string `json:"workspace,omitempty"`
	Connections int    `json:"connections"`
	// Since is when it came, ActiveSince when it became active; zero unless it is.
	Since       time.Time `json:"since"`
	ActiveSince time.Time `json:"active_since,omitzero"`
	// Unseen is for how many seconds one that is lost has not been heard.
	Unseen float64 `json:"unseen_seconds,omitempty"`
}

// Lag is what standbys have accepted and no active replica has decided yet.
type Lag struct {
	Arrivals int64 `json:"arrivals_waiting"`
	// Seconds is for how long the oldest of them has waited.
	Seconds float64 `json:"lag_seconds"`
}

// String says how many wait, and for how long.
func (l Lag) String() string {
	if l.Arrivals == 0 {
		return "no arrivals wait"
	}
	return fmt.Sprintf("arrivals that wait: %d, for up to %.0f s", l.Arrivals, l.Seconds)
}

// Cluster is what one daemon knows of those that share its store.
type Cluster struct {
	Replicas []Replica
	Lag      *Lag
	// At is when that was read, Leaderless since when none has been active; zero if one is.
	At, Leaderless time.Time
}

const (
	// clusterStale is after what time what was read says nothing about now.
	clusterStale = 10 * time.Second
	// leaderlessFor is how long none may be active. One that is lost counts as active for ten
	// seconds, and a takeover takes less than two.
	leaderlessFor = 5 * time.Second
	// lagMost is how many seconds an arrival may wait for its decision.
	lagMost = 15
)

// Share adds what is known of the replicas, and the notes about them.
func (h *Health) Share(c Cluster, now time.Time) {
	h.Replicas, h.Lag = c.Replicas, c.Lag
	if len(c.Replicas) > 0 && now.Sub(c.At) > clusterStale {
		h.ReplicasAsOf = c.At
		return
	}
	h.Notes = append(h.Notes, replicaNotes(c.Replicas)...)
	const look = "tocsin status and the log of each replica say what is wrong there (tocsin cluster lists them); what is accepted meanwhile is kept"
	switch {
	case !c.Leaderless.IsZero() && now.Sub(c.Leaderless) > leaderlessFor:
		h.Notes = append(h.Notes, Problem{Code: ProblemLeaderless, Since: c.Leaderless, What: "no replica is active: alerts are accepted, and nothing is decided or sent", Fix: look})
	case c.Lag != nil && c.Lag.Seconds > lagMost:
		waits := now.Add(-time.Duration(c.Lag.Seconds * float64(time.Second)))
		h.Notes = append(h.Notes, Problem{Code: ProblemLeaderless, Since: waits, What: "the active replica does not decide what others have accepted: " + c.Lag.String(), Fix: look})
	}
}

// ReplicaState is what a replica does.
type ReplicaState string

// The states of a replica. One that is lost has not been heard for some seconds.
const (
	ReplicaActive  ReplicaState = "active"
	ReplicaStandby ReplicaState = "standby"
	ReplicaLost    ReplicaState = "lost"
)

// ReplicaStates returns all states, for metrics.
func ReplicaStates() []ReplicaState {
	return []ReplicaState{ReplicaActive, ReplicaStandby, ReplicaLost}
}

// The Socket Mode connections of replicas. Slack allows an app ten, of which two are left to
// replace others with.
const (
	socketsEach = 2
	socketsAll  = 8
)

// Sockets is how many Socket Mode connections the one of these replicas that asks keeps: two,
// one if there are more than four replicas, none after the first eight, of which the active one
// is first. A replica of another version than the active one's keeps none, because that one may
// not answer what others receive. Who has no list is alone.
func Sockets(all []Replica) int {
	if len(all) == 0 {
		return socketsEach
	}
	self := slices.IndexFunc(all, func(r Replica) bool { return r.Self })
	if self < 0 {
		return 0
	}
	peers := peersOf(all, self)
	place := slices.IndexFunc(peers, func(r Replica) bool { return r.Self })
	switch {
	case place < 0 || place >= socketsAll:
		return 0
	case len(peers)*socketsEach > socketsAll:
		return 1
	}
	return socketsEach
}

// peersOf lists the replicas that keep connections, the active one first. Without an active one
// self is in its place.
func peersOf(all []Replica, self int) (peers []Replica) {
	lead := slices.IndexFunc(all, func(r Replica) bool { return r.State == ReplicaActive })
	if lead < 0 {
		lead = self
	}
	peers = append(peers, all[lead])
	for n, r := range all {
		if n != lead && (n == self || r.State != ReplicaLost) && r.Version == all[lead].Version {
			peers = append(peers, r)
		}
	}
	return peers
}

// replicaNotes are the notes that one of these replicas has about the others.
func replicaNotes(all []Replica) (notes []Problem) {
	var self Replica
	for _, r := range all {
		if r.Self {
			self = r
		}
	}
	for _, r := range all {
		if r.State == ReplicaLost || r.Config == self.Config || self.ID == "" {
			continue
		}
		counts := "the configuration of the active one counts"
		notes = append(notes, Problem{
			Code: ProblemReplicas, What: fmt.Sprintf("the replica %s (%s) has another configuration than this one; %s", r.Host, r.State, counts),
			Fix: "give all replicas the same configuration, and have those that have another read it (tocsin config reload)",
		})
	}
	return notes
}
