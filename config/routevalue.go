package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"tocsin/alert"
)

func parseTruth(value string) (bool, *flaw) {
	f := &flaw{message: printable(value) + " is neither true nor false", write: []string{"true", "false"}}
	switch strings.ToLower(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "yes", "on":
		f.write = []string{"true"}
	case "no", "off":
		f.write = []string{"false"}
	}
	return false, f
}

func parseThread(value string) (alert.ThreadPolicy, *flaw) {
	return oneOf(alert.ThreadAll, alert.ThreadImportant, alert.ThreadNone)(value)
}

// parseHold reads when_unsure: whether to hold.
func parseHold(value string) (bool, *flaw) {
	v, f := oneOf(resend, hold)(value)
	return v == hold, f
}

// longestName is how long a route's name may be; it is part of each incident.
const longestName = 80

func parseRouteName(value string) (string, *flaw) {
	value = strings.TrimSpace(value)
	f := nameFlaw(value)
	switch {
	case f != nil:
		return "", f
	case strings.EqualFold(value, alert.DefaultRoute):
		return "", &flaw{message: printable(value) + " is the name of the default route", write: []string{"everything"}}
	case strings.HasPrefix(value, "channel:"):
		return "", &flaw{message: printable(value) + " begins with channel:, which is reserved for alerts that name a channel", write: []string{strings.TrimPrefix(value, "channel:")}}
	}
	return value, nil
}

// nameFlaw is what is wrong with the name of a route or a rule; nil for nothing.
func nameFlaw(value string) *flaw {
	switch {
	case len([]rune(value)) > longestName:
		return &flaw{message: fmt.Sprintf("%s is longer than %d characters", printable(value), longestName), write: []string{"database"}}
	case strings.ContainsFunc(value, unicode.IsControl):
		return &flaw{message: printable(value) + " contains a control character", write: []string{"database"}}
	}
	return nil
}

func parseMatch(value string) (alert.Matchers, *flaw) {
	matchers, err := alert.ParseMatchers(value)
	if err != nil {
		return nil, inputFlaw(err)
	}
	return matchers, nil
}

func inputFlaw(err error) *flaw {
	f := &flaw{message: "has a mistake: " + printableTokens(err.Error()), advice: `write label="value"`}
	if bad, ok := errors.AsType[*alert.InputError](err); ok {
		f.advice = bad.Hint
	}
	return f
}

func words[T ~string](all []T) []string {
	out := make([]string, len(all))
	for n, word := range all {
		out[n] = string(word)
	}
	return out
}

func parseMention(value string) (string, *flaw) {
	mention, err := alert.ParseMention(value)
	if err != nil {
		return "", &flaw{message: printable(value) + " can't be mentioned", write: []string{"here", "@name", "name@example.com", "U0123456789", "S0123456789"}}
	}
	return mention, nil
}

// parseExpiry reads after what an incident expires; forever is negative.
func parseExpiry(value string) (time.Duration, *flaw) {
	d, f := parseDurationOrForever(value)
	if f == nil && d == 0 {
		return -1, nil
	}
	return d, f
}

// parseWait reads how long to wait; not at all is negative.
func parseWait(value string) (time.Duration, *flaw) {
	d, err := alert.ParseDuration(value)
	switch {
	case value == "0" || err == nil && d == 0:
		return -1, nil
	case err != nil:
		return 0, &flaw{message: printable(value) + " is not a duration", write: []string{"30s", "5m", "0s"}}
	}
	return d, nil
}

// longestLabelName is how long the name of a label in group_by may be.
const longestLabelName = 100

func parseGroupLabel(value string) (string, *flaw) {
	switch {
	case strings.TrimSpace(value) == "":
		return "", &flaw{message: "has a label without a name", write: []string{"alertname", "cluster", alert.AllLabels}}
	case strings.ContainsAny(value, "=\"{}") || len([]rune(value)) > longestLabelName || strings.ContainsFunc(value, unicode.IsControl):
		return "", &flaw{message: printable(value) + " is not the name of a label", write: []string{"alertname", "cluster", alert.AllLabels}}
	}
	return strings.TrimSpace(value), nil
}

var clockTime = regexp.MustCompile(`^([01]?[0-9]|2[0-4]):([0-5][0-9])$`)

// parseClock reads a time of day as the time since midnight. It accepts 24:00 as
// the end of a day.
func parseClock(value string) (time.Duration, *flaw) {
	if clockTime.MatchString(value) {
		hours, minutes, _ := strings.Cut(value, ":")
		if d, err := time.ParseDuration(hours + "h" + minutes + "m"); err == nil && d <= day {
			return d, nil
		}
	}
	return 0, &flaw{message: printable(value) + " is not a time of day", write: []string{`"22:00"`, `"07:30"`}}
}

const day = 24 * time.Hour

func parseZone(value string) (*time.Location, *flaw) {
	if value != "Local" {
		if zone, err := time.LoadLocation(value); err == nil {
			return zone, nil
		}
	}
	return nil, &flaw{message: printable(value) + " is not a time zone", write: []string{"Europe/Berlin", "America/New_York", "UTC"}}
}

// parseDay reads a day of the week, in full or by its first three letters.
func parseDay(value string) (time.Weekday, *flaw) {
	for day := time.Sunday; day <= time.Saturday; day++ {
		name := day.String()
		if strings.EqualFold(value, name) || strings.EqualFold(value, name[:3]) {
			return day, nil
		}
	}
	return 0, &flaw{message: printable(value) + " is not a day of the week", advice: "write days: [mon, tue, wed, thu, fri, sat, sun], or some of them"}
}
