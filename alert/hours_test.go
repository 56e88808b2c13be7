package alert_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
)

func TestWhenASilenceHidesAlertsAndWhenItDoesNext(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	at := func(day, hour, minute int) time.Time {
		return time.Date(2026, time.October, day, hour, minute, 0, 0, berlin)
	}
	// The 24th is a Saturday; clocks are put back at 03:00 on the 25th.
	weekend := alert.Silence{EndsAt: at(31, 23, 30), Every: &alert.Hours{From: 22 * time.Hour, To: 6 * time.Hour, Zone: berlin, Days: []time.Weekday{time.Friday}, Later: 3}}
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
		"before one of days":         {weekend, at(23, 21, 0), time.Time{}, at(23, 22, 0)},
		"in it, over the clocks":     {weekend, at(25, 12, 0), at(26, 6, 0), at(30, 22, 0)},
		"as one of days ends":        {weekend, at(26, 6, 0), time.Time{}, at(30, 22, 0)},
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

func TestASilenceRecursOnTheDaysOnWhichClocksAreChanged(t *testing.T) {
	berlin, apia := zone(t, "Europe/Berlin"), zone(t, "Pacific/Apia")
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	// Clocks go forward from 02:00 to 03:00 on 2026-03-29, and back from 03:00 on 2026-10-25.
	missing := alert.Hours{From: 2*time.Hour + 15*time.Minute, To: 2*time.Hour + 45*time.Minute, Zone: berlin}
	into := alert.Hours{From: time.Hour, To: 2*time.Hour + 30*time.Minute, Zone: berlin}
	outOf := alert.Hours{From: 2*time.Hour + 30*time.Minute, To: 4 * time.Hour, Zone: berlin}
	skipped := alert.Hours{From: 10 * time.Hour, To: 11 * time.Hour, Zone: apia} // there was no 2011-12-30
	for what, c := range map[string]struct {
		every             alert.Hours
		now, begins, ends string
	}{
		"an hour that does not come":    {missing, "2026-03-28T12:00:00+01:00", "2026-03-29T03:15:00+02:00", "2026-03-29T03:45:00+02:00"},
		"an end that does not come":     {into, "2026-03-28T12:00:00+01:00", "2026-03-29T01:00:00+01:00", "2026-03-29T03:30:00+02:00"},
		"a beginning that doesn't come": {outOf, "2026-03-28T12:00:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-29T04:00:00+02:00"},
		"an hour that comes twice":      {missing, "2026-10-24T12:00:00+02:00", "2026-10-25T02:15:00+01:00", "2026-10-25T02:45:00+01:00"},
		"a beginning that comes twice":  {outOf, "2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T04:00:00+01:00"},
		"a day that does not come":      {skipped, "2011-12-29T12:00:00-10:00", "2011-12-31T10:00:00+14:00", "2011-12-31T11:00:00+14:00"},
	} {
		s := alert.Silence{EndsAt: at("2027-01-01T00:00:00Z"), Every: &c.every}
		next := s.Next(at(c.now))
		if !next.Equal(at(c.begins)) || !s.Until(next).Equal(at(c.ends)) {
			t.Errorf("%s: from %s until %s, want %s until %s", what, next, s.Until(next), c.begins, c.ends)
		}
	}
}

// Whatever its hours are: what a silence hides ends later, and it begins again later still.
func TestASilenceThatRecursAlwaysEndsAndBeginsAgain(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia"}
	rapid.Check(t, func(rt *rapid.T) {
		from := rapid.IntRange(0, 1439).Draw(rt, "from")
		length := rapid.IntRange(1, 1439).Draw(rt, "length")
		every := &alert.Hours{From: time.Duration(from) * time.Minute, To: time.Duration((from+length)%1440) * time.Minute, Zone: zone(t, rapid.SampledFrom(zones).Draw(rt, "zone"))}
		if rapid.Bool().Draw(rt, "weekly") {
			every.Days = []time.Weekday{time.Weekday(rapid.IntRange(0, 6).Draw(rt, "day"))}
			every.Later = rapid.IntRange(0, 6).Draw(rt, "later")
		}
		now := time.Unix(rapid.Int64Range(1_300_000_000, 1_900_000_000).Draw(rt, "now"), 0)
		s := alert.Silence{EndsAt: now.AddDate(1, 0, 0), Every: every}
		for range 10 {
			if until := s.Until(now); s.Active(now) && (!until.After(now) || until.Sub(now) > time.Duration(every.Later)*24*time.Hour+26*time.Hour) {
				rt.Fatalf("at %s it hides until %s", now, until)
			}
			next := s.Next(now)
			if !next.After(now) || next.Sub(now) > 15*24*time.Hour {
				rt.Fatalf("at %s it begins next at %s", now, next)
			}
			now = next
		}
	})
}

func TestHoursAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]string{
		`{"days":["sat","Sunday"],"from":"02:00","until":"05:30","zone":"Europe/Berlin"}`: "saturday, sunday 02:00 to 05:30 (Europe/Berlin)",
		`{"from":"22:00","until":"24:00"}`:                                                "day 22:00 to 24:00 (UTC)",
		`{"days":["fri"],"from":"22:00","until":"06:00","until_day":"mon"}`:               "friday 22:00 to monday 06:00 (UTC)",
		`{"days":["fri"],"from":"22:00","until":"06:00","until_day":"friday"}`:            "friday 22:00 to friday 06:00 (UTC)",
		`{"days":["fri"],"from":"06:00","until":"22:00","until_day":"fri"}`:               "friday 06:00 to 22:00 (UTC)",
		`{"from":"22:00","until":"06:00","until_day":"mon"}`:                              "",
		`{"days":["fri"],"from":"22:00","until":"06:00","until_day":"someday"}`:           "",
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
