package render

import (
	"fmt"
	"strings"
	"time"

	"tocsin/alert"
)

// The colours of the bar beside a card, and of a chart. Those of severities are the hues of
// their signs (severitySign), so that red, orange and yellow are told apart in both.
const (
	colourCritical = "#C4243B"
	colourError    = "#F4900C"
	colourWarning  = "#F2CB2E"
	colourInfo     = "#3B7DD8"
	colourAcked    = "#7C8794"
	colourResolved = "#2EB67D"
)

// dot joins the parts of a line of facts.
const dot = "  ·  "

// colour is the bar's colour: the severity's, grey once acknowledged, green once
// resolved.
func colour(i alert.Incident) string {
	switch i.State {
	case alert.StateResolved:
		return colourResolved
	case alert.Acked:
		return colourAcked
	}
	return [...]string{colourCritical, colourError, colourWarning, colourInfo, colourInfo}[i.Severity.Rank()]
}

// sign is the one emoji before a title: the severity's colour, or a tick.
func sign(i alert.Incident) string {
	if i.State == alert.StateResolved {
		return "✅"
	}
	return severitySign(i.Severity)
}

func severitySign(s alert.Severity) string {
	return [...]string{"🔴", "🟠", "🟡", "🔵", "⚪"}[s.Rank()]
}

// severityWord is the severity with a capital: Critical.
func severityWord(s alert.Severity) string {
	word := oneLine(string(s))
	if word == "" {
		return "Unknown severity"
	}
	runes := []rune(word)
	return fit(strings.ToUpper(string(runes[:1]))+string(runes[1:]), 30)
}

// severityCounts are 🔴 *2* critical and so on, worst first.
func severityCounts[N int | int64](counts map[alert.Severity]N) []string {
	var parts []string
	for _, s := range alert.Severities() {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s *%d* %s", severitySign(s), n, s))
		}
	}
	return parts
}

// date shows t in the reader's time zone, or in UTC where Slack can't.
func date(t time.Time) string { return dateAs(t, "{date_short_pretty} {time}") }

// ago shows how long ago t was. The text stays the same over time, because the
// reader's Slack does the counting.
func ago(t time.Time) string { return dateAs(t, "{ago}") }

func dateAs(t time.Time, format string) string {
	return fmt.Sprintf("<!date^%d^%s|%s>", t.Unix(), format, t.UTC().Format("2006-01-02 15:04 UTC"))
}

// times counts in words: once, 3 times.
func times(n int) string {
	if n <= 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// fired is how often an incident fired: 0 if only its end was reported.
func fired(n int) string {
	if n == 0 {
		return "never seen firing"
	}
	return "fired " + times(n)
}

// plural is "1 alert" or "3 alerts".
func plural[N int | int64](n N, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// span is a duration in its two largest units: 45 s, 12 min, 2 h 5 min, 3 d 4 h.
func span(d time.Duration) string {
	d = max(d, 0)
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	for at, u := range units {
		if d < u.size {
			continue
		}
		s := fmt.Sprintf("%d %s", d/u.size, u.name)
		if at+1 < len(units) && u.size != time.Minute {
			next := units[at+1]
			if rest := d % u.size / next.size; rest > 0 {
				s += fmt.Sprintf(" %d %s", rest, next.name)
			}
		}
		return s
	}
	return "a moment"
}

// brief is a short duration: 0.8 ms, 34 ms, 2.4 s, 3 min.
func brief(d time.Duration) string {
	switch {
	case d < 0:
		return "0 ms"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return span(d)
}

// place names a conversation: a link to a channel if its id is known, else what
// the sender wrote.
func place(name string) string {
	if name == "" {
		return "the default channel"
	}
	if channelID(name) {
		return "<#" + name + ">"
	}
	if strings.HasPrefix(name, "D") && slackID(name) {
		return "a direct message"
	}
	return fit(oneLine(name), 100)
}

func channelID(s string) bool {
	return (strings.HasPrefix(s, "C") || strings.HasPrefix(s, "G")) && slackID(s)
}

// slackID tells Slack's ids (C0123ABCD) from names.
func slackID(s string) bool {
	if len(s) < 3 || len(s) > 30 || !strings.ContainsAny(s, "0123456789") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') })
}

// sentence capitalizes the word for an unnamed person at the beginning of a
// sentence; names stay as they are.
func sentence(s string) string {
	if s == somebody {
		return "Somebody"
	}
	return s
}

// when is t after a space, or empty if it is not known.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " " + date(t)
}
