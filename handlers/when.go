package handlers

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/alert"
)

// maxSilence is how long a silence may last.
const maxSilence = 365 * 24 * time.Hour

// morning is the time of a day named without a time.
const morning = 9 * time.Hour

// when is a time as people write it: after a duration, or at a time of day in their
// time zone.
type when struct {
	after time.Duration
	// One of these is the day; with none it is the next time with this clock.
	ahead   int // days from today, -1 for none
	weekday int // time.Weekday, -1 for none
	date    time.Time
	yearly  bool           // the year of date is not named
	clock   time.Duration  // since midnight, -1 for none
	zone    *time.Location // nil for theirs
}

// relative reports whether it needs no clock and so no time zone.
func (w when) relative() bool { return w.after > 0 }

// end is the time that is meant at now, which is in the person's time zone.
func (w when) end(now time.Time) (time.Time, *alert.InputError) {
	at := now.Add(w.after)
	if !w.relative() {
		if w.zone != nil {
			now = now.In(w.zone)
		}
		at = w.on(now)
	}
	switch {
	case !at.After(now):
		return at, &alert.InputError{Message: at.Format("15:04 on Monday, 2 January 2006") + " is in the past", Hint: "Name a time in the future, for example `until tomorrow 9am`."}
	case at.Sub(now) > maxSilence:
		return at, &alert.InputError{Message: "that is more than a year", Hint: "Write at most a year, for example `for 30d`."}
	}
	return at, nil
}

func (w when) on(now time.Time) time.Time {
	clock := w.clock
	if clock < 0 {
		clock = morning
	}
	in := func(days int) time.Time {
		return clockOn(now.Year(), now.Month(), now.Day()+days, clock, now.Location())
	}
	days, every := 0, 1
	switch {
	case w.yearly:
		at := clockOn(now.Year(), w.date.Month(), w.date.Day(), clock, now.Location())
		if !at.After(now) {
			at = clockOn(now.Year()+1, w.date.Month(), w.date.Day(), clock, now.Location())
		}
		return at
	case !w.date.IsZero():
		return clockOn(w.date.Year(), w.date.Month(), w.date.Day(), clock, now.Location())
	case w.ahead >= 0:
		return in(w.ahead)
	case w.weekday >= 0:
		days, every = (w.weekday-int(now.Weekday())+7)%7, 7
	}
	at := in(days)
	if !at.After(now) || days == 0 && w.clock < 0 {
		return in(days + every)
	}
	return at
}

func clockOn(year int, month time.Month, day int, at time.Duration, zone *time.Location) time.Time {
	return time.Date(year, month, day, int(at/time.Hour), int(at%time.Hour/time.Minute), 0, 0, zone)
}

// duration reads a duration from the beginning of words. n is the number of its words,
// 0 if there is none.
func duration(words []token) (d time.Duration, n int) {
	keys := make([]string, len(words))
	for i, w := range words {
		keys[i] = w.key
	}
	return alert.LeadingDuration(keys)
}

// pointInTime reads what follows "until": 18:00, tomorrow 9am, monday, 2027-01-31
// 08:00, in any order. n is the number of its words, 0 if there is none.
func pointInTime(words []token) (w when, n int, bad *alert.InputError) {
	w = when{ahead: -1, weekday: -1, clock: -1}
	taken := 0
	for n < len(words) {
		if slices.Contains([]string{"at", "on", "the", "next", "this"}, words[n].key) && n+1 < len(words) {
			n++
			continue
		}
		took := w.readPart(words[n:])
		if took == 0 && w.clock < 0 && notAClock(words[n].key) {
			return w, taken, notATime(words[n].raw)
		}
		if took == 0 {
			break
		}
		n += took
		taken = n
	}
	if taken < len(words) && zoneName.MatchString(words[taken].raw) && w.clock >= 0 {
		return w, taken, &alert.InputError{
			Message: words[taken].raw + " is a time zone I don't know",
			Hint:    "Leave it out to mean the time where you are, or write UTC or for example CET.",
		}
	}
	return w, taken, nil
}

var (
	zoneName = regexp.MustCompile(`^[A-Z]{1,4}T$|^[A-Z][a-z]+/[A-Z][A-Za-z_]+$`)
	hours    = regexp.MustCompile(`^(\d{1,2})(?:[:.](\d{2}))?(?::\d{2})?\s?([ap]\.?m)?$`)
)

// readPart reads one part of a time and returns the number of its words.
func (w *when) readPart(words []token) int {
	switch {
	case w.unnamed() && w.readDay(words[0]):
		return 1
	case w.unnamed() && len(words) > 1 && (w.readDate(words[0].key, words[1].key) || w.readDate(words[1].key, words[0].key)):
		return 2
	case w.clock < 0:
		return w.readClock(words)
	}
	return w.readZone(words[0])
}

// readZone reads UTC, CET: in capitals, unless it is no other word, as wet is.
func (w *when) readZone(word token) int {
	name := word.raw
	if slices.Contains([]string{"utc", "gmt", "z"}, word.key) {
		name = strings.ToUpper(name)
	}
	zone := alert.ZoneNamed(name)
	if zone == nil || w.zone != nil {
		return 0
	}
	w.zone = zone
	return 1
}

func (w *when) unnamed() bool { return w.ahead < 0 && w.weekday < 0 && w.date.IsZero() }

// readDay reads today, tomorrow, monday or a date, which may have a time.
func (w *when) readDay(word token) bool {
	if word.key == "today" || word.key == "tomorrow" {
		w.ahead = strings.Count(word.key, "morrow")
		return true
	}
	if w.weekday = weekday(word.key); w.weekday >= 0 {
		return true
	}
	date, clock, ok := isoDate(word.raw)
	if ok {
		w.date, w.clock = date, max(w.clock, clock)
		if strings.HasSuffix(word.key, "z") {
			w.zone = time.UTC
		}
	}
	return ok
}

// readDate reads 1 dec and 1st december: the next one.
func (w *when) readDate(day, month string) bool {
	n, err := strconv.Atoi(strings.TrimRight(day, "snrtdh"))
	if err != nil || len(month) < 3 || n < 1 || n > 31 {
		return false
	}
	for m := time.January; m <= time.December; m++ {
		if strings.HasPrefix(strings.ToLower(m.String()), month) {
			w.date, w.yearly = time.Date(0, m, n, 0, 0, 0, 0, time.UTC), true
			return w.date.Day() == n
		}
	}
	return false
}

// readClock reads a time of day: 18:00, 9am, 9 am, noon.
func (w *when) readClock(words []token) int {
	switch words[0].key {
	case "noon", "midday":
		w.clock = 12 * time.Hour
		return 1
	case "midnight":
		w.clock = 0
		return 1
	}
	text, took := words[0].key, 1
	if len(words) > 1 && slices.Contains([]string{"am", "pm", "a.m", "p.m"}, words[1].key) {
		text, took = text+words[1].key, 2
	}
	clock, ok := clockTime(text)
	if !ok {
		return 0
	}
	w.clock = clock
	return took
}

// clockTime reads 18:00, 18.00, 9am and 9:30pm, but not a bare 9.
func clockTime(text string) (time.Duration, bool) {
	m := hours.FindStringSubmatch(text)
	if m == nil || m[2] == "" && m[3] == "" {
		return 0, false
	}
	hour, _ := strconv.Atoi(m[1])
	minute, _ := strconv.Atoi("0" + m[2])
	if m[3] == "" {
		return clockOf(hour%24, minute), hour <= 24 && minute <= 59
	}
	half := hour % 12
	if m[3][0] == 'p' {
		half += 12
	}
	return clockOf(half, minute), 1 <= hour && hour <= 12 && minute <= 59
}

// notAClock reports whether a word looks like a time of day that does not exist: 25:00.
func notAClock(word string) bool {
	_, ok := clockTime(word)
	return !ok && clockShape.MatchString(word)
}

var clockShape = regexp.MustCompile(`^\d{1,2}:\d{2}$`)

func notATime(word string) *alert.InputError {
	return &alert.InputError{Message: "there is no " + word + " on a clock", Hint: "Write a time from 00:00 to 24:00, for example `22:00` or `10pm`."}
}

func clockOf(hour, minute int) time.Duration {
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
}

func weekday(word string) int {
	if len(word) < 3 {
		return -1
	}
	for day := time.Sunday; day <= time.Saturday; day++ {
		if name := strings.ToLower(day.String()); word == name || word == name[:3] || word == "tues" && day == time.Tuesday || word == "thurs" && day == time.Thursday {
			return int(day)
		}
	}
	return -1
}

// isoDate reads 2027-01-31 and 2027-01-31T18:00; clock is -1 for the former.
func isoDate(word string) (date time.Time, clock time.Duration, ok bool) {
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04Z", "2006-01-02T15:04:05Z"} {
		if t, err := time.Parse(layout, strings.ToUpper(word)); err == nil {
			clock = -1
			if strings.Contains(layout, "T") {
				clock = clockOf(t.Hour(), t.Minute())
			}
			return t, clock, true
		}
	}
	return time.Time{}, -1, false
}

// timing reads an end from the beginning of words: a duration, with or without "for",
// or "until" and a time. n is the number of its words, 0 if there is none.
func timing(words []token) (w when, n int, bad *alert.InputError) {
	switch first := words[0].key; {
	case first == "until" || first == "till" || first == "til":
		return until(words)
	case first == "for" || first == "during":
		if len(words) > 1 && words[1].key == "the" {
			n++
		}
		d, took := duration(words[n+1:])
		if took == 0 {
			return w, 0, notADuration(words[n+1:])
		}
		return when{after: d}, n + 1 + took, checkDuration(d)
	}
	d, took := duration(words)
	if took == 0 {
		return w, 0, nil
	}
	return when{after: d}, took, checkDuration(d)
}

// saysUntil reports whether a word stands between a beginning and an end.
func saysUntil(word string) bool {
	return slices.Contains([]string{"to", "-", "–", "—", "until", "till", "til"}, word)
}

// apart takes the cells that are two times of day apart: 22:00-23:30.
func apart(words []token) []token {
	var all []token
	for _, w := range words {
		from, to, ok := strings.Cut(strings.NewReplacer("–", "-", "—", "-").Replace(w.key), "-")
		_, starts := clockTime(from)
		_, ends := clockTime(to)
		if ok && starts && ends {
			all = append(all, newToken(from, w.at), newToken("-", w.at+len(from)))
			w = newToken(to, w.at+len(w.key)-len(to))
		}
		all = append(all, w)
	}
	return all
}

func until(words []token) (when, int, *alert.InputError) {
	w, n, bad := pointInTime(words[1:])
	if bad != nil {
		return w, n + 1, bad
	}
	if n > 0 {
		return w, n + 1, nil
	}
	if d, took := duration(words[1:]); took > 0 {
		return when{after: d}, took + 1, checkDuration(d)
	}
	what := "nothing"
	if len(words) > 1 {
		what = words[1].raw
	}
	hint := "Write `until 18:00`, `until tomorrow 9am`, `until monday`, `until 2027-01-31`, or `for 2h`."
	if hour, err := strconv.Atoi(what); err == nil && 0 < hour && hour < 24 {
		hint = fmt.Sprintf("Write `until %d:00`, or `for %dh`.", hour, hour)
	}
	return w, 0, &alert.InputError{Message: "I don't know a time called " + what, Hint: hint}
}

func checkDuration(d time.Duration) *alert.InputError {
	if d <= 0 {
		return &alert.InputError{Message: "the duration is zero", Hint: "Write for example `for 2h30m`."}
	}
	return nil
}

var number = regexp.MustCompile(`^\d+(\.\d+)?$`)

// notADuration is the error for what follows "for".
func notADuration(words []token) *alert.InputError {
	if len(words) == 0 {
		return &alert.InputError{Message: "for how long?", Hint: "Write for example `for 2h` or `until 18:00`."}
	}
	said := words[0].raw
	if number.MatchString(said) {
		return &alert.InputError{Message: said + " of what?", Hint: fmt.Sprintf("Write `%sm` for minutes, `%sh` for hours or `%sd` for days.", said, said, said)}
	}
	return &alert.InputError{Message: said + " is not a duration", Hint: "Write for example `for 30m`, `for 2h30m`, `for 1d` or `until 18:00`."}
}
