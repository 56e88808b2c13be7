package alert

import (
	"fmt"
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

// ReplicaNotes are the notes that one of these replicas has about the others.
func ReplicaNotes(all []Replica) (notes []Problem) {
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
			Fix: "give all replicas the same configuration, and restart those that have another",
		})
	}
	return notes
}
