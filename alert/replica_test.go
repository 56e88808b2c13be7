package alert

import (
	"slices"
	"testing"
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
