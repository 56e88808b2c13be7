package alert

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReplicasShareTheConnectionsThatSlackAllows(t *testing.T) {
	replica := func(state ReplicaState, version string) Replica { return Replica{State: state, Version: version} }
	group := func(standbys int) (all []Replica) {
		for range standbys {
			all = append(all, replica(ReplicaStandby, "1"))
		}
		return append(all, replica(ReplicaActive, "1")) // which came last
	}
	for name, tt := range map[string]struct {
		all  []Replica
		want []int
	}{
		"one":                        {group(0), []int{2}},
		"two":                        {group(1), []int{2, 2}},
		"four":                       {group(3), []int{2, 2, 2, 2}},
		"five":                       {group(4), []int{1, 1, 1, 1, 1}},
		"ten":                        {group(9), []int{1, 1, 1, 1, 1, 1, 1, 0, 0, 1}},
		"lost ones":                  {append(group(3), replica(ReplicaLost, "1"), replica(ReplicaLost, "1")), []int{2, 2, 2, 2}},
		"none active":                {group(2)[:2], []int{2, 2}},
		"another version":            {append(group(3), replica(ReplicaStandby, "2")), []int{2, 2, 2, 2, 0}},
		"only the active one is old": {[]Replica{replica(ReplicaStandby, "2"), replica(ReplicaActive, "1")}, []int{0, 2}},
	} {
		var got []int
		for n, r := range tt.all {
			if r.State == ReplicaLost {
				continue
			}
			all := slices.Clone(tt.all)
			all[n].Self = true
			got = append(got, Sockets(all))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: the connections are %v, want %v", name, got, tt.want)
		}
	}
	if got := Sockets(nil); got != 2 {
		t.Errorf("one that shares nothing has %d connections", got)
	}
	if got := Sockets(group(1)); got != 0 {
		t.Errorf("one that is not in the list has %d connections", got)
	}
}

func TestEveryReplicaNotesThatNoneIsActiveOrDecides(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	standby, active, lost := Replica{ID: "a", Self: true, State: ReplicaStandby}, Replica{ID: "b", Host: "db-2", State: ReplicaActive}, Replica{ID: "b", State: ReplicaLost}
	for name, c := range map[string]struct {
		cluster Cluster
		note    string
		line    string
	}{
		"one is active":        {Cluster{Replicas: []Replica{standby, active}, Lag: &Lag{Arrivals: 3, Seconds: 2}, At: now}, "", "active: db-2"},
		"during a takeover":    {Cluster{Replicas: []Replica{standby, lost}, At: now, Leaderless: ago(4 * time.Second)}, "", "active: none"},
		"none is active":       {Cluster{Replicas: []Replica{standby, lost}, At: now, Leaderless: ago(6 * time.Second)}, "no replica is active", "active: none"},
		"it decides nothing":   {Cluster{Replicas: []Replica{standby, active}, Lag: &Lag{Arrivals: 3, Seconds: 16}, At: now}, "the active replica does not decide", "active: db-2"},
		"the store is away":    {Cluster{Replicas: []Replica{standby, active}, Lag: &Lag{Arrivals: 3, Seconds: 16}, At: ago(11 * time.Second)}, "", "not known since 11:59:49 UTC"},
		"one that is alone":    {Cluster{}, "", ""},
		"another config there": {Cluster{Replicas: []Replica{standby, {ID: "b", State: ReplicaActive, Config: "x"}}, At: now}, "another configuration", "active"},
	} {
		h := Health{Standby: true}
		h.Share(c.cluster, now)
		if (len(h.Notes) == 1) != (c.note != "") || c.note != "" && (!strings.Contains(h.Notes[0].What, c.note) || h.Notes[0].Fix == "" || !slices.Contains(NoteCodes(), h.Notes[0].Code)) {
			t.Errorf("%s: the notes are %+v", name, h.Notes)
		}
		if line := h.Cluster(); !strings.HasPrefix(line, c.line) {
			t.Errorf("%s: the line says %q", name, line)
		}
		warned := slices.ContainsFunc(h.Judged(), func(c Check) bool { return c.Name == "replicas" && c.Result == CheckWarning })
		if warned != (c.note != "") {
			t.Errorf("%s: the checks are %+v", name, h.Judged())
		}
	}
}

func TestAStandbyJudgesOnlyWhatItKnows(t *testing.T) {
	for _, c := range (Health{Standby: true}).Judged() {
		if slices.Contains([]string{"deliveries", "conversations", "last resort", "dead letters"}, c.Name) {
			t.Errorf("of %s it says %q", c.Name, c.Found)
		}
	}
}
