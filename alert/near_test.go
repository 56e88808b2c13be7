package alert_test

import (
	"testing"

	"tocsin/alert"
)

func TestDistanceCountsSlipsOfTheHand(t *testing.T) {
	for _, c := range []struct {
		a, b       string
		most, want int
	}{
		{"status", "status", 2, 0}, {"staus", "status", 2, 1}, {"sttaus", "status", 2, 1}, {"sätus", "status", 2, 2},
		{"", "ab", 2, 2}, {"help", "stats", 2, 3}, {"a", "abcdef", 2, 3}, {"help", "stats", 9, 5},
	} {
		if got, back := alert.Distance(c.a, c.b, c.most), alert.Distance(c.b, c.a, c.most); got != c.want || back != c.want {
			t.Errorf("%q and %q are %d and %d apart, want %d", c.a, c.b, got, back, c.want)
		}
	}
}
