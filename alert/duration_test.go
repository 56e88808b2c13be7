package alert_test

import (
	"testing"
	"time"

	"tocsin/alert"
)

func TestADurationIsReadAsPeopleWriteIt(t *testing.T) {
	const day = 24 * time.Hour
	for s, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "2h30m": 150 * time.Minute, "1.5h": 90 * time.Minute, "30d": 30 * day, "1 week": 7 * day, "2w": 14 * day,
		"2 hours and 30 minutes": 150 * time.Minute, "half an hour": 30 * time.Minute, "an hour": time.Hour, "two hours": 2 * time.Hour, "twelve hours and ten minutes": 730 * time.Minute, "1h30": 90 * time.Minute, "PT2H": 2 * time.Hour, "P1DT30M": day + 30*time.Minute, "p2w": 14 * day, "1D": day, " 45 min ": 45 * time.Minute,
		"1d12h": 36 * time.Hour, "1d 12h": 36 * time.Hour, "0": 0, "0s": 0, "24h0m0s": day, "250ms": 250 * time.Millisecond, "1µs": time.Microsecond,
		"1e9d": 0, "": 0, "ever": 0, "24": 0, "-5m": 0, "5m ago": 0, "and 5m": 0, "2 h and": 0, "h": 0, "1..5h": 0,
	} {
		got, err := alert.ParseDuration(s)
		invalid := want == 0 && s != "0" && s != "0s"
		if got != want || (err != nil) != invalid {
			t.Errorf("%q is read as %v, %v; want %v", s, got, err, want)
		}
	}
	if d, err := alert.ParseDuration("99999999999999999999w 99999999999999999999w 3 weeks"); err != nil || d != 36500*day {
		t.Errorf("the longest is %v, %v", d, err)
	}
}

func FuzzParseDurationReadsWhatGoReads(f *testing.F) {
	for _, s := range []string{"1h30m", "1.5h", ".5m", "1.h", "0", "+1h", "3us"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := alert.ParseDuration(s)
		if got < 0 {
			t.Fatalf("%q is %v", s, got)
		}
		want, goErr := time.ParseDuration(s)
		if goErr != nil || want < 0 || s[0] == '+' || s[0] == '-' {
			return
		}
		if err != nil || (got-want).Abs() > want/1e9+10*time.Nanosecond {
			t.Errorf("%q is read as %v, %v; time.ParseDuration reads %v", s, got, err, want)
		}
	})
}
