package alert

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// longestTime is how many bytes a time may have, with its zone's name and other remarks.
const longestTime = 200

var errTime = errors.New("not a time such as 2026-01-02T15:04:05Z, or seconds since 1970")

// ParseTime reads a time as tools write it: RFC 3339, with a blank for the T, in ISO 8601's
// compact form, with a zone as +0000 or UTC or none (which is UTC), a day alone; as mail,
// HTTP, date, C, .NET and Go write it, with the zone as an offset or one of RFC 822's names; or the
// seconds, milli-, micro- or nanoseconds since 1970. The zero time is what many tools write
// for none; it is returned as time.Time{}.
func ParseTime(text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil { // as nearly all tools write it
		return known(t.UTC())
	}
	if len(text) > longestTime || !strings.ContainsAny(text, "0123456789") {
		return time.Time{}, errTime
	}
	text = strings.ToUpper(strings.TrimSpace(text))
	text = strings.TrimSuffix(strings.TrimPrefix(text, "/DATE("), ")/") // as .NET writes it
	number, seconds := strings.CutPrefix(text, "@")                     // as date takes them
	if n, err := strconv.ParseFloat(number, 64); err == nil {
		if day, ok := digits(text); ok && !seconds {
			return day, nil
		}
		return fromEpoch(n)
	}
	written := timeWords(text)
	iso := strings.Join(written, " ")
	if yearFirst.MatchString(iso) {
		at := len(time.DateOnly)
		iso = strings.NewReplacer("/", "-", ".", "-").Replace(iso[:at]) + iso[at:]
		if strings.HasPrefix(iso[at:], " ") {
			iso = iso[:at] + "T" + iso[at+1:]
		}
		iso = strings.ReplaceAll(iso, " ", "") // before a zone
	}
	for _, layout := range timeLayouts() {
		if t, err := time.Parse(layout, iso); err == nil {
			return known(t.UTC())
		}
	}
	return time.Time{}, errTime
}

var (
	yearFirst  = regexp.MustCompile(`^[0-9]{4}[-/.][0-9]{2}[-/.][0-9]{2}`)
	zoneOffset = regexp.MustCompile(`[+-][0-9]{2}(?::?[0-9]{2})?$`)
	// timeRemark is what some tools write behind a time: the zone's name in brackets, or
	// Go's monotonic clock.
	timeRemark = regexp.MustCompile(` *(?:\[[^\]]*\]| \([^)]*\)| M=[+-][0-9.]+)$`)
	// attachedZone is a zone without a blank before it.
	attachedZone = regexp.MustCompile(`([0-9])(?:UTC|GMT|Z)$`)
)

// timeLayouts are the forms of timeWords, in capitals.
func timeLayouts() []string {
	return []string{
		time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04", time.DateOnly,
		"20060102T150405Z0700", "20060102T150405Z07:00", "20060102T150405Z07", "20060102T150405", "20060102T1504Z0700",
		"2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05 -07:00", "2 Jan 2006 15:04:05", "2 Jan 2006 15:04 -0700",
		"2 Jan 06 15:04:05 -0700", "2 Jan 06 15:04 -0700", "2-Jan-06 15:04:05 -0700", "2-Jan-2006 15:04:05 -0700", "2/Jan/2006:15:04:05 -0700",
		"Jan 2 15:04:05 2006", "Jan 2 15:04:05 -0700 2006", "Jan 2 03:04:05 PM -0700 2006", "Jan 2 2006 15:04:05 -0700", "Jan 2 2006 15:04:05", "Jan 2 2006 3:04:05 PM",
		"2.1.2006 15:04:05", "2.1.2006 15:04:05 -0700", "2.1.2006 15:04", "1/2/2006 3:04:05 PM", "1/2/2006 3:04 PM", // with AM or PM, the month is first
	}
}

// timeWords are the words of a time without the day of the week, and with its zone as an
// offset.
func timeWords(text string) []string {
	text = attachedZone.ReplaceAllString(timeRemark.ReplaceAllString(text, ""), "$1+0000")
	words := strings.Fields(text)
	if len(words) > 3 {
		switch day := strings.TrimSuffix(words[0], ","); day[:min(3, len(day))] {
		case "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN":
			words = words[1:]
		}
	}
	var all []string
	for n := range words {
		words[n] = strings.TrimSuffix(words[n], ",")
		word := strings.TrimPrefix(strings.TrimPrefix(words[n], "GMT+"), "UTC+")
		if word != words[n] {
			word = "+" + word
		}
		zoned := n > 0 && len(all) > 0 && zoneOffset.MatchString(all[len(all)-1]) && (len(all) > 1 || strings.Contains(all[0], ":"))
		if zoned && strings.Trim(word, "0123456789") != "" { // the zone's name behind its offset
			continue
		}
		if offset, ok := zoneNames()[word]; ok {
			word = offset
		}
		all = append(all, word)
	}
	return all
}

// zoneNames are those of RFC 822, and the others that mean one zone only.
func zoneNames() map[string]string {
	return map[string]string{
		"Z": "+0000", "UTC": "+0000", "GMT": "+0000", "UT": "+0000", "WET": "+0000", "CET": "+0100", "CEST": "+0200", "EET": "+0200", "EEST": "+0300", "JST": "+0900",
		"EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500", "MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700",
	}
}

// ZoneNamed is the zone of a name that ParseTime knows, such as CET, in capitals; nil for
// another.
func ZoneNamed(name string) *time.Location {
	offset, ok := zoneNames()[name]
	if at, err := time.Parse("-0700", offset); ok && err == nil {
		_, seconds := at.Zone()
		if seconds == 0 {
			return time.UTC
		}
		return time.FixedZone(name, seconds)
	}
	return nil
}

// digits reads a day, or a day and a time, that is written in digits alone. As a number of
// seconds or milliseconds it would be decades away.
func digits(text string) (time.Time, bool) {
	for _, layout := range []string{"20060102", "20060102150405"} {
		if t, err := time.Parse(layout, text); err == nil && len(text) == len(layout) && t.Year() >= 1970 && t.Year() < 2100 {
			return t, true
		}
	}
	return time.Time{}, false
}

// fromEpoch tells the units apart by their size: each is good for times from 1973 to 5138.
func fromEpoch(n float64) (time.Time, error) {
	switch {
	case n == 0:
		return time.Time{}, nil
	case n < 0 || n >= 1e20 || n != n:
		return time.Time{}, errTime
	}
	micros := n * 1e6
	for n >= 1e11 {
		n /= 1e3
		micros = n * 1e6
	}
	return known(time.UnixMicro(int64(micros)).UTC())
}

func known(t time.Time) (time.Time, error) {
	if t.Year() <= 1 {
		return time.Time{}, nil
	}
	return t, nil
}
