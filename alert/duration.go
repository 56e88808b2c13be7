package alert

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// day is 24 hours. No duration knows of daylight saving time.
const day = 24 * time.Hour

// maxDuration is what longer durations are cut to, 100 years: more than anything
// allows, and little enough to add to a time.
const maxDuration = 36500 * day

// ParseDuration reads a whole text as a duration: 90m, 2h30m, 30d, 1 week, 2 hours
// and 30 minutes, half an hour. Everything that time.ParseDuration reads and that
// is not negative is understood. The error is an *InputError.
func ParseDuration(s string) (time.Duration, error) {
	if len(s) <= longestDuration {
		words := strings.Fields(strings.ToLower(s))
		if d, n := LeadingDuration(words); n > 0 && n == len(words) {
			return d, nil
		}
	}
	return 0, &InputError{Message: fmt.Sprintf("%.60q is not a duration", s), Hint: "write for example 90m, 2h30m, 30d or 1 week"}
}

// longestDuration is how many bytes a duration may have.
const longestDuration = 200

var errExpiry = errors.New("not a duration such as 2h, or forever")

// ParseSeconds is ParseDuration in which a number without a unit is in seconds.
func ParseSeconds(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	return ParseDuration(text)
}

// ParseExpiry reads after what time an incident expires. forever and never are negative.
// A number without a unit is in seconds.
func ParseExpiry(text string) (time.Duration, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "forever" || text == "never" {
		return -1, nil
	}
	d, err := ParseSeconds(text)
	if err != nil || d == 0 {
		return 0, errExpiry
	}
	return d, nil
}

// LeadingDuration reads a duration from the beginning of words, which are in
// lower case. n is how many words it took, 0 if there is none.
func LeadingDuration(words []string) (d time.Duration, n int) {
	for n < len(words) {
		part, took := durationPart(words[n:])
		if took == 0 && n > 0 && words[n] == "and" {
			if part, took = durationPart(words[n+1:]); took > 0 {
				took++
			}
		}
		if took == 0 {
			break
		}
		d = min(d+part, maxDuration)
		n += took
	}
	return d, n
}

// durationPart reads one part: 2h30m, 2 hours, an hour, half an hour.
func durationPart(words []string) (time.Duration, int) {
	if len(words) == 0 {
		return 0, 0
	}
	if d, ok := compactDuration(words[0]); ok {
		return d, 1
	}
	amount, took := quantity(words)
	if took == 0 || took >= len(words) || durationUnits()[words[took]] == 0 {
		return 0, 0
	}
	return times(amount, durationUnits()[words[took]]), took + 1
}

// quantity reads a number, "a", or "half an".
func quantity(words []string) (amount float64, took int) {
	switch first := words[0]; first {
	case "a", "an", "one":
		return 1, 1
	case "half":
		if len(words) > 1 && (words[1] == "a" || words[1] == "an") {
			return 0.5, 2
		}
		return 0.5, 1
	default:
		if n := slices.Index(smallNumbers(), first); n >= 0 {
			return float64(n + 2), 1
		}
		amount, err := strconv.ParseFloat(first, 64)
		if err != nil || !plainNumber.MatchString(first) {
			return 0, 0
		}
		return amount, 1
	}
}

// smallNumbers are the words for numbers, from 2 on.
func smallNumbers() []string {
	return strings.Fields("two three four five six seven eight nine ten eleven twelve")
}

var (
	plainNumber = regexp.MustCompile(`^(?:\d+\.?\d*|\.\d+)$`)
	// hoursAndMinutes is 1h30, whose minutes are no hour and have two digits.
	hoursAndMinutes = regexp.MustCompile(`^\d+h[0-5]\d$`)
	iso8601         = regexp.MustCompile(`^p(\d+[dw])?(?:t(\d.*))?$`)
	compactPieces   = regexp.MustCompile(`^(\d+\.?\d*|\.\d+)(\pL+)`)
)

// compactDuration reads 2h30m, 1d, 90min, 1h30, ISO 8601's pt2h; and 0, which needs no unit.
func compactDuration(word string) (d time.Duration, ok bool) {
	if hoursAndMinutes.MatchString(word) {
		word += "m"
	}
	if m := iso8601.FindStringSubmatch(word); m != nil {
		word = m[1] + m[2]
	}
	for rest := word; rest != ""; {
		m := compactPieces.FindStringSubmatch(rest)
		if m == nil || durationUnits()[m[2]] == 0 {
			return 0, word == "0"
		}
		amount, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return 0, false
		}
		d = min(d+times(amount, durationUnits()[m[2]]), maxDuration)
		rest = rest[len(m[0]):]
	}
	return d, word != ""
}

func times(amount float64, unit time.Duration) time.Duration {
	return time.Duration(min(amount*float64(unit), float64(maxDuration)))
}

func durationUnits() map[string]time.Duration {
	return map[string]time.Duration{
		"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "μs": time.Microsecond, "ms": time.Millisecond,
		"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
		"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
		"h": time.Hour, "hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour, "std": time.Hour,
		"d": day, "day": day, "days": day, "w": 7 * day, "wk": 7 * day, "wks": 7 * day, "week": 7 * day, "weeks": 7 * day,
	}
}

// FormatDuration writes a duration as ParseDuration reads it, without parts that are zero:
// 90s is 1m30s, and 48h is 2d.
func FormatDuration(d time.Duration) string {
	days, text := d/day, ""
	if days > 0 {
		text = strconv.Itoa(int(days)) + "d"
		if d %= day; d == 0 {
			return text
		}
	}
	rest := d.String()
	if short, ok := strings.CutSuffix(rest, "m0s"); ok {
		rest = short + "m"
	}
	if short, ok := strings.CutSuffix(rest, "h0m"); ok {
		rest = short + "h"
	}
	return text + rest
}
