package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"tocsin/alert"
)

func checkTruth(value string) (string, *flaw) {
	switch strings.ToLower(value) {
	case yes, no:
		return strings.ToLower(value), nil
	case "yes", "on":
		return "", &flaw{message: printable(value) + " is neither true nor false", write: []string{yes}}
	case "no", "off":
		return "", &flaw{message: printable(value) + " is neither true nor false", write: []string{no}}
	}
	return "", &flaw{message: printable(value) + " is neither true nor false", write: []string{yes, no}}
}

func checkThread() func(string) (string, *flaw) {
	return oneOf(string(alert.ThreadAll), string(alert.ThreadImportant), string(alert.ThreadNone))
}

// longestName is how long a route's name may be; it stands in each incident.
const longestName = 80

func checkRouteName(value string) (string, *flaw) {
	value = strings.TrimSpace(value)
	switch {
	case len([]rune(value)) > longestName:
		return "", &flaw{message: fmt.Sprintf("%s is longer than %d characters", printable(value), longestName), write: []string{"database"}}
	case strings.ContainsFunc(value, unicode.IsControl):
		return "", &flaw{message: printable(value) + " holds a control character", write: []string{"database"}}
	case strings.EqualFold(value, alert.DefaultRoute):
		return "", &flaw{message: printable(value) + " is the name of what no route takes", write: []string{"everything"}}
	case strings.HasPrefix(value, "channel:"):
		return "", &flaw{message: printable(value) + " is the name of what names a channel itself", write: []string{strings.TrimPrefix(value, "channel:")}}
	}
	return value, nil
}

// checkMatch returns matchers as they were written.
func checkMatch(value string) (string, *flaw) {
	matchers, err := alert.ParseMatchers(value)
	if err != nil {
		return "", inputFlaw(err)
	}
	for _, m := range matchers {
		if f := never(m); f != nil {
			return "", f
		}
	}
	return value, nil
}

func inputFlaw(err error) *flaw {
	f := &flaw{message: "has a mistake: " + printableTokens(err.Error()), advice: `write label="value"`}
	if bad, ok := errors.AsType[*alert.InputError](err); ok {
		f.advice = bad.Hint
	}
	return f
}

// never finds a comparison with what no alert has.
func never(m alert.Matcher) *flaw {
	if m.Op != "=" && m.Op != "!=" || m.Value == "" {
		return nil
	}
	switch m.Name {
	case "severity":
		if known := words(alert.Severities()); !slices.Contains(known, m.Value) {
			return &flaw{message: "asks for the severity " + printable(m.Value) + ", which no alert has", advice: "write one of " + strings.Join(known, ", ")}
		}
	case "channel":
		if one, err := alert.ParseConversation(m.Value); err != nil || one != m.Value {
			return &flaw{message: "asks for the channel " + printable(m.Value) + ", which no alert names so", advice: `write it as alerts have it: channel="#ops", or the id`}
		}
	}
	return nil
}

func words[T ~string](all []T) []string {
	out := make([]string, len(all))
	for n, word := range all {
		out[n] = string(word)
	}
	return out
}

func checkMention(value string) (string, *flaw) {
	mention, err := alert.ParseMention(value)
	if err != nil {
		return "", &flaw{message: printable(value) + " is nobody to mention", write: []string{"here", "@name", "name@example.com", "U0123456789", "S0123456789"}}
	}
	return mention, nil
}

var clockTime = regexp.MustCompile(`^([01]?[0-9]|2[0-4]):([0-5][0-9])$`)

// checkClock accepts 24:00 as the end of a day.
func checkClock(value string) (string, *flaw) {
	if clockTime.MatchString(value) && parseClock(value) <= day {
		return value, nil
	}
	return "", &flaw{message: printable(value) + " is no time of day", write: []string{`"22:00"`, `"07:30"`}}
}

const day = 24 * time.Hour

// parseClock reads a time of day as the time since midnight.
func parseClock(value string) time.Duration {
	hours, minutes, _ := strings.Cut(value, ":")
	d, _ := time.ParseDuration(hours + "h" + minutes + "m")
	return d
}

func checkZone(value string) (string, *flaw) {
	if value != "Local" {
		if _, err := time.LoadLocation(value); err == nil {
			return value, nil
		}
	}
	return "", &flaw{message: printable(value) + " is no time zone", write: []string{"Europe/Berlin", "America/New_York", "UTC"}}
}

// weekdays are the days as they are written, Sunday first as time.Weekday has it.
func weekdays() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

func checkDay(value string) (string, *flaw) {
	lower := strings.ToLower(value)
	for n, short := range weekdays() {
		if lower == short || lower == strings.ToLower(time.Weekday(n).String()) {
			return short, nil
		}
	}
	return "", &flaw{message: printable(value) + " is no day of the week", advice: "write days: [mon, tue, wed, thu, fri, sat, sun], or some of them"}
}

// quiet reads quiet hours. Those of every day and all day are a mistake:
// nothing would ever be on time.
func (l *loader) quiet(g group) *alert.Quiet {
	l.need(g, "routes.quiet.from", "it says when the quiet begins", `from: "22:00"`)
	l.need(g, "routes.quiet.till", "it says when the quiet ends", `till: "07:00"`)
	l.need(g, "routes.quiet.zone", "it says whose clock is meant", "zone: Europe/Berlin, or zone: UTC")
	zone, err := time.LoadLocation(g.text("routes.quiet.zone"))
	if err != nil {
		return nil // said already
	}
	q := &alert.Quiet{
		From: parseClock(g.text("routes.quiet.from")), Till: parseClock(g.text("routes.quiet.till")), Zone: zone, Below: alert.Critical,
	}
	if below := g.text("routes.quiet.below"); below != "" {
		q.Below = alert.Severity(below)
	}
	for _, name := range unique(g.values["routes.quiet.days"]) {
		q.Days = append(q.Days, time.Weekday(slices.Index(weekdays(), name)))
	}
	good := g.text("routes.quiet.from") != "" && g.text("routes.quiet.till") != ""
	if everyDay := len(q.Days) == 0 || len(q.Days) == len(weekdays()); good && everyDay && q.From%day == q.Till%day {
		l.fail(g.at.problem("routes.quiet lasts all day on every day", `write other hours, as from: "22:00" and till: "07:00", or the days that are quiet`))
	}
	return q
}
