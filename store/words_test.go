package store

import (
	"slices"
	"testing"

	"tocsin/alert"
)

func TestEachWordThatAColumnHoldsHasANumber(t *testing.T) {
	var all []string
	for _, s := range alert.Severities() {
		all = append(all, string(s))
	}
	for _, s := range alert.DeliveryStates() {
		all = append(all, string(s))
	}
	for _, s := range []alert.Standing{alert.StandPending, alert.StandDelivered, alert.StandFolded, alert.StandSilenced, alert.StandDead} {
		all = append(all, string(s))
	}
	for _, s := range []alert.State{alert.Open, alert.Acked, alert.StateResolved, alert.StateDigest, alert.StateNotice} {
		all = append(all, string(s))
	}
	for _, s := range []alert.Kind{alert.Post, alert.Update, alert.Reply, alert.Digest, alert.List} {
		all = append(all, string(s))
	}
	for _, s := range append(all, string(alert.Firing), string(alert.Resolved)) {
		var read string
		must(t, word(&read).Scan(code(s)))
		if read != s {
			t.Errorf("%q was read as %q", s, read)
		}
	}
	if word(new(string)).Scan(code("unheard of")) == nil {
		t.Error("a word without a number was read")
	}
}

func TestAWorseSeverityHasAHigherNumber(t *testing.T) {
	severities := alert.Severities() // worst first
	if !slices.IsSortedFunc(severities, func(a, b alert.Severity) int { return int(code(b) - code(a)) }) {
		t.Error("the numbers of the severities do not ascend")
	}
}
