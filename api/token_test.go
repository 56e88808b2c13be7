package api

import (
	"testing"
	"time"

	"tocsin/alert"
)

func TestABudgetFillsAtItsRateAndABatchMayOverdrawIt(t *testing.T) {
	start := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	tenPerSecond := alert.Rate{Alerts: 10, Per: time.Second}
	var b budget
	for n, step := range []struct {
		after  time.Duration // since the start
		alerts int
		wait   time.Duration
	}{
		{0, 10, 0},
		{0, 1, 100 * time.Millisecond},
		{100 * time.Millisecond, 1, 0},
		{100 * time.Millisecond, 5, 500 * time.Millisecond},
		{time.Hour, 60, 0},                                    // of a full budget
		{time.Hour + time.Second, 1, 4100 * time.Millisecond}, // 40 are owed
		{time.Hour + time.Second, 60, 5 * time.Second},
		{time.Hour + 6*time.Second, 10, 0},
		{0, 1, 100 * time.Millisecond}, // the clock was turned back
	} {
		if wait := b.spend(tenPerSecond, step.alerts, start.Add(step.after)); wait.Round(time.Millisecond) != step.wait {
			t.Errorf("step %d: waits %s, want %s", n, wait, step.wait)
		}
	}
	if wait := new(budget).spend(alert.Rate{}, 10_000, start); wait != 0 {
		t.Errorf("without a rate: waits %s", wait)
	}
}
