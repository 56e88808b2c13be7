package alert_test

import (
	"slices"
	"testing"
	"time"

	"tocsin/alert"
)

func TestAWeekIsDividedIntoTheDaysOfAZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 10, 27, 0, 30, 0, 0, berlin) // the clocks went back on the 25th
	for name, c := range map[string]struct {
		back time.Duration
		now  time.Time
		want []string
	}{
		"a week": {7 * 24 * time.Hour, now, []string{
			"Wed 21 00:00 +02", "Thu 22 00:00 +02", "Fri 23 00:00 +02", "Sat 24 00:00 +02", "Sun 25 00:00 +02", "Mon 26 00:00 +01", "Tue 27 00:00 +01", "Tue 27 00:30 +01",
		}},
		"a week elsewhere": {7 * 24 * time.Hour, now.In(time.UTC), []string{
			"Tue 20 00:00 +00", "Wed 21 00:00 +00", "Thu 22 00:00 +00", "Fri 23 00:00 +00", "Sat 24 00:00 +00", "Sun 25 00:00 +00", "Mon 26 00:00 +00", "Mon 26 23:30 +00",
		}},
		"half an hour": {30 * time.Minute, now, []string{"Tue 27 00:00 +01", "Tue 27 00:10 +01", "Tue 27 00:20 +01", "Tue 27 00:30 +01"}},
		"a rest":       {25 * time.Minute, now, []string{"Tue 27 00:05 +01", "Tue 27 00:10 +01", "Tue 27 00:20 +01", "Tue 27 00:30 +01"}},
		"a minute":     {time.Minute, now, []string{"Tue 27 00:29 +01", "Tue 27 00:30 +01"}},
	} {
		var got []string
		for _, at := range alert.Parts(c.back, c.now) {
			got = append(got, at.Format("Mon 2 15:04 -07"))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if got := alert.Parts(30*24*time.Hour, now); len(got) != 31 {
		t.Errorf("a month has %d parts", len(got)-1)
	}
}
