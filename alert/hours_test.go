package alert_test

import (
	"encoding/json"
	"testing"
	"time"

	"tocsin/alert"
)

func TestWhenASilenceHidesAlertsAndWhenItDoesNext(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	at := func(day, hour, minute int) time.Time {
		return time.Date(2026, time.October, day, hour, minute, 0, 0, berlin)
	}
	// The 24th is a Saturday; clocks are put back at 03:00 on the 25th.
	nights := &alert.Hours{From: 23 * time.Hour, To: 5 * time.Hour, Zone: berlin, Days: []time.Weekday{time.Saturday}}
	planned := alert.Silence{StartsAt: at(23, 22, 0), EndsAt: at(24, 4, 0)}
	weekly := alert.Silence{EndsAt: at(31, 23, 30), Every: nights}
	late := alert.Silence{StartsAt: at(25, 0, 0), EndsAt: at(31, 23, 30), Every: nights}
	for what, c := range map[string]struct {
		s                alert.Silence
		now, until, next time.Time
	}{
		"before a planned one":       {planned, at(23, 21, 0), time.Time{}, at(23, 22, 0)},
		"as it begins":               {planned, at(23, 22, 0), at(24, 4, 0), time.Time{}},
		"as it ends":                 {planned, at(24, 4, 0), time.Time{}, time.Time{}},
		"before a weekly one":        {weekly, at(24, 12, 0), time.Time{}, at(24, 23, 0)},
		"in it, over the clock":      {weekly, at(24, 23, 30), at(25, 5, 0), at(31, 23, 0)},
		"behind it":                  {weekly, at(25, 5, 0), time.Time{}, at(31, 23, 0)},
		"in the last, which is cut":  {weekly, at(31, 23, 10), at(31, 23, 30), time.Time{}},
		"when it is over":            {weekly, at(31, 23, 30), time.Time{}, time.Time{}},
		"a weekly one that is ahead": {late, at(24, 12, 0), time.Time{}, at(25, 0, 0)},
	} {
		if got := c.s.Until(c.now); !got.Equal(c.until) || c.s.Active(c.now) == c.until.IsZero() {
			t.Errorf("%s, it hides alerts until %s, want %s", what, got, c.until)
		}
		if got := c.s.Next(c.now); !got.Equal(c.next) {
			t.Errorf("%s, it begins next at %s, want %s", what, got, c.next)
		}
	}
}

func TestHoursAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]string{
		`{"days":["sat","Sunday"],"from":"02:00","until":"05:30","zone":"Europe/Berlin"}`: "saturday, sunday 02:00 to 05:30 (Europe/Berlin)",
		`{"from":"22:00","until":"24:00"}`:                                                "day 22:00 to 24:00 (UTC)",
		`{"from":"2","until":"05:00"}`:                                                    "",
		`{"from":"02:00"}`:                                                                "",
		`{"from":"02:00","until":"05:00","days":["someday"]}`:                             "",
		`{"from":"02:00","until":"05:00","zone":"Mars/Olympus"}`:                          "",
		`{"from":"02:00","until":"05:00","zone":"Local"}`:                                 "",
		`{"from":2,"until":5}`:                                                            "",
		`{"from":"02:00","until":"05:00","zone":"../etc/passwd"}`:                         "",
	} {
		var h alert.Hours
		if err := json.Unmarshal([]byte(text), &h); (err != nil) != (want == "") || err == nil && h.String() != want {
			t.Errorf("%s is %s, %v; want %q", text, h, err, want)
			continue
		}
		written, err := json.Marshal(h)
		var again alert.Hours
		if err != nil || want != "" && (json.Unmarshal(written, &again) != nil || again.String() != want) {
			t.Errorf("%s is written as %s, %v", text, written, err)
		}
	}
}
