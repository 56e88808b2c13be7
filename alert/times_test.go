package alert_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
)

func TestTimesEndWhenTheClocksOfTheirZoneSayIt(t *testing.T) {
	berlin, newYork, kolkata, apia := zone(t, "Europe/Berlin"), zone(t, "America/New_York"), zone(t, "Asia/Kolkata"), zone(t, "Pacific/Apia")
	named := func(name string, intervals ...alert.Interval) []alert.Times {
		return []alert.Times{{Name: name, Intervals: intervals}}
	}
	minutes := func(from, to int) []alert.Span { return []alert.Span{{First: from * 60, Last: to*60 - 1}} }
	weekend := alert.Interval{Weekdays: []alert.Span{{First: 6, Last: 6}, {}}, Zone: berlin}
	workdays := []alert.Span{{First: 1, Last: 5}}
	offhours := named("offhours", weekend,
		alert.Interval{Minutes: append(minutes(18, 24), minutes(0, 8)...), Weekdays: workdays, Zone: berlin})
	lastDays := named("closing", alert.Interval{DaysOfMonth: []alert.Span{{First: -3, Last: -1}}, Zone: newYork})
	thirtyFirst := named("31st", alert.Interval{DaysOfMonth: []alert.Span{{First: 30, Last: 31}}})
	newYear := named("holidays", alert.Interval{Months: []alert.Span{{First: 12, Last: 12}}, DaysOfMonth: []alert.Span{{First: 24, Last: 31}}, Zone: kolkata},
		alert.Interval{Months: []alert.Span{{First: 1, Last: 1}}, DaysOfMonth: []alert.Span{{First: 1, Last: 6}}, Zone: kolkata})
	night := named("night", alert.Interval{Minutes: []alert.Span{{First: 120, Last: 179}}, Zone: berlin})
	friday := named("friday", alert.Interval{Weekdays: []alert.Span{{First: 5, Last: 5}}, Zone: apia})
	thursday := named("thursday", alert.Interval{Weekdays: []alert.Span{{First: 4, Last: 4}}, Zone: apia})
	office := named("office", alert.Interval{Minutes: minutes(9, 17), Weekdays: workdays, Zone: newYork})
	year := named("2026", alert.Interval{Years: []alert.Span{{First: 2026, Last: 2026}}})
	always := named("always", alert.Interval{})
	quiet := &alert.Quiet{Hours: alert.Hours{From: 22 * time.Hour, To: 6 * time.Hour, Zone: berlin}, Times: offhours, Below: alert.Error}
	for what, c := range map[string]struct {
		hold           alert.Hold
		now, until, by string // until is empty for not held
	}{
		"a working day":                      {alert.Hold{Mute: offhours}, "2026-11-27T17:59:59+01:00", "", ""},
		"a whole weekend":                    {alert.Hold{Mute: offhours}, "2026-11-27T18:00:00+01:00", "2026-11-30T08:00:00+01:00", "muted by offhours"},
		"the morning of a working day":       {alert.Hold{Mute: offhours}, "2026-11-30T07:59:59+01:00", "2026-11-30T08:00:00+01:00", "muted by offhours"},
		"the end itself":                     {alert.Hold{Mute: offhours}, "2026-11-30T08:00:00+01:00", "", ""},
		"clocks go back in the weekend":      {alert.Hold{Mute: offhours}, "2026-10-24T12:00:00+02:00", "2026-10-26T08:00:00+01:00", "muted by offhours"},
		"clocks go forward in the weekend":   {alert.Hold{Mute: offhours}, "2026-03-28T12:00:00+01:00", "2026-03-30T08:00:00+02:00", "muted by offhours"},
		"the hour that comes twice":          {alert.Hold{Mute: night}, "2026-10-25T02:30:00+02:00", "2026-10-25T03:00:00+01:00", "muted by night"},
		"the hour that does not come":        {alert.Hold{Mute: night}, "2026-03-29T01:59:59+01:00", "", ""},
		"behind the hour that does not come": {alert.Hold{Mute: night}, "2026-03-29T03:00:00+02:00", "", ""},
		"the last days of february":          {alert.Hold{Mute: lastDays}, "2027-02-26T12:00:00-05:00", "2027-03-01T00:00:00-05:00", "muted by closing"},
		"the last days of a leap february":   {alert.Hold{Mute: lastDays}, "2028-02-26T12:00:00-05:00", "", ""},
		"the 31st of november":               {alert.Hold{Mute: thirtyFirst}, "2026-11-30T12:00:00Z", "2026-12-01T00:00:00Z", "muted by 31st"},
		"the 31st of february":               {alert.Hold{Mute: thirtyFirst}, "2027-02-28T12:00:00Z", "", ""},
		"over the end of the year":           {alert.Hold{Mute: newYear}, "2026-12-24T00:00:00+05:30", "2027-01-07T00:00:00+05:30", "muted by holidays"},
		"a day that was skipped":             {alert.Hold{Mute: friday}, "2011-12-30T11:00:00Z", "", ""},
		"before a day that was skipped":      {alert.Hold{Mute: thursday}, "2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z", "muted by thursday"},
		"outside of the office":              {alert.Hold{Active: office}, "2026-11-27T17:00:00-05:00", "2026-11-30T09:00:00-05:00", "not active outside of office"},
		"in the office":                      {alert.Hold{Active: office}, "2026-11-27T16:59:00-05:00", "", ""},
		"muted in the office":                {alert.Hold{Mute: lastDays, Active: office}, "2026-11-27T12:00:00-05:00", "", ""},
		"muted, and then not active":         {alert.Hold{Mute: lastDays, Active: office}, "2026-11-28T12:00:00-05:00", "2026-12-01T09:00:00-05:00", "muted by closing"},
		"the rest of the year":               {alert.Hold{Mute: year}, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "muted by 2026"},
		"without an end":                     {alert.Hold{Mute: always}, "2026-01-01T00:00:00Z", "2027-01-02T00:00:00Z", "muted by always"},
		"never active":                       {alert.Hold{Active: year}, "2027-01-01T00:00:00Z", "2028-01-02T00:00:00Z", "not active outside of 2026"},
		"active always":                      {alert.Hold{Active: always}, "2027-01-01T00:00:00Z", "", ""},
		"quiet hours, then quiet times":      {alert.Hold{Quiet: quiet}, "2026-11-27T23:00:00+01:00", "2026-11-30T08:00:00+01:00", "quiet hours"},
		"quiet times":                        {alert.Hold{Quiet: quiet}, "2026-11-27T19:00:00+01:00", "2026-11-30T08:00:00+01:00", "quiet times offhours"},
		"quiet, and then muted":              {alert.Hold{Quiet: quiet, Mute: lastDays}, "2026-11-27T23:00:00+01:00", "2026-12-01T08:00:00+01:00", "quiet hours"},
		"one of several":                     {alert.Hold{Mute: slices.Concat(office, night, offhours)}, "2026-11-30T02:30:00+01:00", "2026-11-30T08:00:00+01:00", "muted by night, offhours"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := time.Parse(time.RFC3339, c.until)
		got, held := c.hold.At(now, alert.Warning)
		if held != (c.until != "") || held && !got.Until.Equal(want) || got.Why != c.by {
			t.Errorf("%s: held until %s (%v) %s, want %s %s", what, got.Until, held, got.Why, c.until, c.by)
		}
		if held && got.Muted != (c.hold.Mute != nil && c.hold.Quiet == nil || c.hold.Active != nil) {
			t.Errorf("%s: muted: %t", what, got.Muted)
		}
	}
	if _, held := (alert.Hold{Quiet: quiet}).At(time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), alert.Error); held {
		t.Error("quiet times hold what is severe")
	}
}

// minute says whether an interval contains a time, told again by the clock on the wall.
func minute(i alert.Interval, at time.Time) bool {
	local := at.In(i.Zone)
	within := func(spans []alert.Span, n int) bool {
		for _, s := range spans {
			if n >= s.First && n <= s.Last {
				return true
			}
		}
		return len(spans) == 0
	}
	monthEnd := local.AddDate(0, 0, 1-local.Day()).AddDate(0, 1, -1).Day()
	ofMonth := len(i.DaysOfMonth) == 0
	for _, s := range i.DaysOfMonth {
		for n := s.First; n <= s.Last; n++ {
			ofMonth = ofMonth || n == local.Day() || n < 0 && monthEnd+1+n == local.Day()
		}
	}
	return ofMonth && within(i.Minutes, local.Hour()*60+local.Minute()) && within(i.Weekdays, int(local.Weekday())) &&
		within(i.Months, int(local.Month())) && within(i.Years, local.Year())
}

// Whatever the times are, a hold ends in the first minute in which nothing holds.
func TestTheEndOfTimesIsTheFirstMinuteThatTheyDoNotContain(t *testing.T) {
	zones := []*time.Location{time.UTC, zone(t, "Europe/Berlin"), zone(t, "America/New_York"), zone(t, "Asia/Kolkata"), zone(t, "Pacific/Apia")}
	spans := func(rt *rapid.T, what string, least, most int) (all []alert.Span) {
		for range rapid.IntRange(0, 2).Draw(rt, what) {
			first := rapid.IntRange(least, most).Draw(rt, "first")
			all = append(all, alert.Span{First: first, Last: rapid.IntRange(first, most).Draw(rt, "last")})
		}
		return all
	}
	interval := func(rt *rapid.T) alert.Interval {
		i := alert.Interval{
			Minutes: spans(rt, "minutes", 0, 1439), Weekdays: spans(rt, "weekdays", 0, 6), Months: spans(rt, "months", 1, 12),
			Zone: rapid.SampledFrom(zones).Draw(rt, "zone"),
		}
		if i.DaysOfMonth = spans(rt, "days", 1, 31); rapid.Bool().Draw(rt, "from the end") {
			i.DaysOfMonth = spans(rt, "days", -31, -1)
		}
		if rapid.Bool().Draw(rt, "years") {
			i.Years = spans(rt, "years", 2009, 2030)
		}
		return i
	}
	times := func(rt *rapid.T, most int) (all []alert.Times) {
		for range rapid.IntRange(0, most).Draw(rt, "names") {
			all = append(all, alert.Times{Name: "x", Intervals: rapid.SliceOfN(rapid.Custom(interval), 1, 3).Draw(rt, "intervals")})
		}
		return all
	}
	in := func(all []alert.Times, at time.Time) bool {
		return slices.ContainsFunc(all, func(t alert.Times) bool {
			return slices.ContainsFunc(t.Intervals, func(i alert.Interval) bool { return minute(i, at) })
		})
	}
	// The clocks of each zone change near some of these.
	near := []int64{1325239200, 1774746000, 1792890000, 1772953200, 1793512800, 1798761600, 1835481600}
	rapid.Check(t, func(rt *rapid.T) {
		hold := alert.Hold{Mute: times(rt, 2), Active: times(rt, 1)}
		holds := func(at time.Time) bool {
			return in(hold.Mute, at) || len(hold.Active) > 0 && !in(hold.Active, at)
		}
		now := time.Unix(rapid.SampledFrom(near).Draw(rt, "near")+rapid.Int64Range(-4*86400, 4*86400).Draw(rt, "seconds"), 0)
		const ahead = 20 * 24 * 60 // minutes that the model looks ahead
		want, n := now, 0
		for ; n < ahead && holds(want); n++ {
			want = want.Truncate(time.Minute).Add(time.Minute)
		}
		got, held := hold.At(now, alert.Critical)
		if held != (n > 0) || n < ahead && !got.Until.Equal(want) || n == ahead && got.Until.Before(want) {
			rt.Fatalf("at %s held until %s (%v), want %s after %d minutes", now.UTC(), got.Until.UTC(), held, want.UTC(), n)
		}
	})
}
