package alert

import (
	"fmt"
	"slices"
)

// healthCheck is one thing that is judged: the problems and notes by which it fails, and
// what is said of it while it does not.
type healthCheck struct {
	name  string
	codes []string
	good  func(Health) string
}

func healthChecks() []healthCheck {
	always := func(s string) func(Health) string { return func(Health) string { return s } }
	return []healthCheck{
		{"store", []string{ProblemStore, ProblemStoreStuck, ProblemStoreChanged}, always("can be read and written")},
		{"reload", []string{ProblemConfig}, always("the configuration that was read last is in use")},
		{"listeners", []string{ProblemListener}, always("clients can connect")},
		{"app", []string{ProblemToken, ProblemRefused}, always("no token is missing or refused")},
		{"connections", []string{ProblemConnection}, Health.Link},
		{"deliveries", []string{ProblemDelivery, ProblemBacklog, ProblemThrottled}, func(h Health) string {
			if h.Waiting == 0 {
				return "nothing waits"
			}
			return fmt.Sprintf("get through; conversations in which something waits: %d", h.Waiting)
		}},
		{"conversations", []string{ProblemDestination}, always("none is known to be out of reach")},
		{"last resort", []string{ProblemLastResort}, always("has not failed")},
		{"dead letters", []string{ProblemDeadLetters}, always("there are none")},
		{"spool", []string{ProblemSpool}, func(h Health) string {
			if h.Spooled == 0 {
				return "is empty"
			}
			return fmt.Sprintf("requests that wait: %d", h.Spooled)
		}},
		{"replicas", []string{ProblemReplicas, ProblemLeaderless}, Health.Cluster},
	}
}

// Link says how requests come from Slack.
func (h Health) Link() string {
	if h.RequestsAt != "" {
		return "requests from Slack at " + h.RequestsAt
	}
	return fmt.Sprintf("%d of %d connections to Slack", h.Connections, Sockets(h.Replicas))
}

// Cluster says which replicas there are, in one line; empty for one alone.
func (h Health) Cluster() string {
	if len(h.Replicas) < 2 {
		return ""
	}
	if !h.ReplicasAsOf.IsZero() {
		return "not known since " + h.ReplicasAsOf.UTC().Format("15:04:05 UTC") + ", because the store can't be read"
	}
	count, active := map[ReplicaState]int{}, "none"
	for _, r := range h.Replicas {
		count[r.State]++
		if r.State == ReplicaActive {
			active = r.Host
		}
	}
	line := fmt.Sprintf("active: %s, on standby: %d", active, count[ReplicaStandby])
	if lost := count[ReplicaLost]; lost > 0 {
		line += fmt.Sprintf(", lost: %d", lost)
	}
	if h.Lag != nil && h.Lag.Arrivals > 0 {
		line += ", " + h.Lag.String()
	}
	return line
}

// Judged are all things that are judged: an error for each problem, a warning for each
// note, and what is as it should be.
func (h Health) Judged() []Check {
	var all []Check
	for _, kind := range healthChecks() {
		if !h.judges(kind) {
			continue
		}
		before := len(all)
		add := func(result CheckResult, problems []Problem) {
			for _, p := range problems {
				if slices.Contains(kind.codes, p.Code) {
					all = append(all, Check{Name: kind.name, About: p.Lane, Result: result, Found: p.What, Fix: p.Fix})
				}
			}
		}
		add(CheckError, h.Problems)
		add(CheckWarning, h.Notes)
		switch {
		case kind.name == "connections" && h.UnknownConnections > 0:
			all = append(all, unknownConnections(h.UnknownConnections))
		case kind.name == "deliveries" && h.Held != "":
			all = append(all, Check{Name: kind.name, Result: CheckError, Found: "nothing is sent: " + h.Held, Fix: h.heldFix()})
		}
		if len(all) == before {
			all = append(all, Check{Name: kind.name, Result: CheckOK, Found: kind.good(h)})
		}
	}
	return all
}

// judges reports whether there is anything to judge: a daemon that is alone has no replicas,
// and what is sent only the active one knows.
func (h Health) judges(kind healthCheck) bool {
	switch kind.name {
	case "replicas":
		return len(h.Replicas) > 1
	case "deliveries", "conversations", "last resort", "dead letters":
		return !h.Standby
	}
	return true
}

// heldFix is the remedy of the problem that holds everything.
func (h Health) heldFix() string {
	for _, p := range h.Problems {
		if p.Code == ProblemRefused {
			return p.Fix
		}
	}
	return "the other checks say what to do"
}

// UnknownConnectionsHint says what connections of the app may be that are not ours.
const UnknownConnectionsHint = "another process uses the same app token and receives some of what people do, or Slack still counts connections that were lost, for some hours"

func unknownConnections(n int) Check {
	return Check{
		Name: "connections", Result: CheckWarning, Fix: UnknownConnectionsHint,
		Found: fmt.Sprintf("Slack counts %d more for the app: they get some of what people do", n),
	}
}
