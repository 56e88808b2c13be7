package handlers

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
	"tocsin/bot"
)

// plan is when a silence hides alerts, as people write it: until a time, from a time on, or
// at hours that recur.
type plan struct {
	// starts is when it begins; nil for at once. ends may count from then.
	starts *when
	ends   when
	// every is the days on which it recurs, and at when it begins on them; nil for not.
	every *recurrence
}

type recurrence struct {
	days []time.Weekday
	at   time.Duration
	zone *time.Location // nil for the person's
}

// longestHours is how long a silence that recurs hides alerts at a time.
const longestHours = 24 * time.Hour

const daysOfWeek = 7

// recurs is how long a silence that recurs is kept.
const recurs = maxSilence

// silence is a silence at the times that are meant at now, which is in the person's time
// zone.
func (p plan) silence(now time.Time) (s alert.Silence, bad *alert.InputError) {
	switch {
	case p.every != nil:
		return p.recurring(now)
	case p.starts == nil:
		s.EndsAt, bad = p.ends.end(now)
		return s, bad
	}
	starts := *p.starts
	if starts.zone == nil && p.ends.unnamed() { // from 22:00 to 23:00 UTC
		starts.zone = p.ends.zone
	}
	if s.StartsAt, bad = starts.end(now); bad != nil {
		return s, bad
	}
	s.EndsAt, bad = p.ends.end(s.StartsAt)
	if bad == nil && s.EndsAt.Sub(now) > maxSilence {
		bad = &alert.InputError{Message: "that is more than a year ahead", Hint: "Write an end within a year."}
	}
	return s, bad
}

func (p plan) recurring(now time.Time) (s alert.Silence, bad *alert.InputError) {
	hours := &alert.Hours{From: p.every.at, Zone: now.Location(), Days: p.every.days}
	if bad := p.readEnd(hours); bad != nil {
		return s, bad
	}
	switch zone := cmp.Or(p.ends.zone, p.every.zone); zone {
	case nil:
	case time.UTC:
		hours.Zone = zone
	default: // it has no summer time, nor a name that can be stored
		return s, &alert.InputError{Message: "a silence that recurs can't be in " + zone.String(), Hint: "Leave it out to mean the time where you are, or write UTC."}
	}
	return alert.Silence{EndsAt: now.Add(recurs), Every: hours}, nil
}

// readEnd says when the hours end that begin at their From.
func (p plan) readEnd(hours *alert.Hours) *alert.InputError {
	if p.endsOnAnotherDay(hours) {
		return nil
	}
	sameTime := !p.ends.relative() && p.ends.unnamed() && p.ends.clock == hours.From
	switch length := p.ends.after; {
	case p.ends.relative() && length >= longestHours, sameTime:
		return &alert.InputError{Message: "a silence that recurs hides less than a day at a time", Hint: "Write for example `every saturday 02:00 for 3h`."}
	case p.ends.relative():
		hours.To = (hours.From + length) % longestHours
	case p.ends.clock < 0 || !p.ends.unnamed():
		return &alert.InputError{Message: "until what time of the day?", Hint: "Write for example `every saturday 02:00 for 3h`, `every day 22:00 until 06:00`, or `every friday 22:00 until monday 06:00`."}
	default:
		hours.To = p.ends.clock
	}
	return nil
}

// endsOnAnotherDay sets the end of hours that go on over several days, which only those can
// that begin on one day of the week.
func (p plan) endsOnAnotherDay(hours *alert.Hours) bool {
	if len(hours.Days) != 1 {
		return false
	}
	switch length := p.ends.after; {
	case p.ends.relative() && length >= longestHours && length < daysOfWeek*longestHours:
		ends := hours.From + length
		hours.To, hours.Later = ends%longestHours, int(ends/longestHours)
	case !p.ends.relative() && p.ends.weekday >= 0 && p.ends.clock >= 0:
		hours.To, hours.Later = p.ends.clock, (p.ends.weekday-int(hours.Days[0])+daysOfWeek)%daysOfWeek
		if hours.Later == 0 && hours.To <= hours.From {
			hours.Later = daysOfWeek
		}
	default:
		return false
	}
	return true
}

// zoned reports whether the times depend on the time zone of the person.
func (p plan) zoned() bool {
	if p.every != nil || !p.ends.relative() && p.ends.zone == nil {
		return true
	}
	return p.starts != nil && !p.starts.relative() && p.starts.zone == nil
}

// planned is a silence at the times that a person means, in their own time zone.
func (h *Handlers) planned(ctx context.Context, p plan, by bot.Caller) (alert.Silence, *alert.InputError) {
	now := h.opts.Now()
	if p.zoned() {
		zone, bad := h.zoneOf(ctx, by)
		if bad != nil {
			return alert.Silence{}, bad
		}
		now = now.In(zone)
	}
	return p.silence(now)
}

// beginning reads when a silence begins from the beginning of words: "from tomorrow 22:00",
// "starting in 2h", "every saturday 02:00". n is the number of its words, 0 if there is none.
func (p *plan) beginning(words []token) (n int, bad *alert.InputError) {
	switch words[0].key {
	case "from", "starting", "beginning", "after":
		n = 1
		if len(words) > 1 && (words[1].key == "in" || words[1].key == "from") {
			n = 2
		}
		return p.startsAt(words, n)
	case "every", "each":
		return p.recurringAt(words)
	}
	return p.startsUntil(words)
}

// startsUntil reads a beginning without a from: a time of day with what says when it ends,
// as in tomorrow 22:00 for 6h, or 22:00 to 23:00.
func (p *plan) startsUntil(words []token) (int, *alert.InputError) {
	starts, n, bad := pointInTime(words)
	if n == 0 { // also for 30:70, which may be a word to search for
		return 0, nil
	}
	if bad != nil || starts.clock < 0 || n == len(words) {
		return 0, bad
	}
	if !slices.Contains([]string{"for", "during"}, words[n].key) && !saysUntil(words[n].key) {
		return 0, nil
	}
	p.starts = &starts
	return n, nil
}

// ending reads when a silence ends from the beginning of words. Behind a beginning it may be
// "to 23:00". n is the number of its words, 0 if there is none.
func (p *plan) ending(words []token) (n int, bad *alert.InputError) {
	if p.begun() && saysUntil(words[0].key) {
		p.ends, n, bad = until(words)
	} else {
		p.ends, n, bad = timing(words)
	}
	return n, bad
}

// begun reports whether the plan has a beginning.
func (p *plan) begun() bool { return p.starts != nil || p.every != nil }

func (p *plan) startsAt(words []token, n int) (int, *alert.InputError) {
	starts, took, bad := pointInTime(words[n:])
	if bad == nil && took == 0 {
		var d time.Duration
		if d, took = duration(words[n:]); took > 0 {
			starts = when{after: d}
		}
	}
	switch {
	case bad != nil:
		return n, bad
	case took == 0 && len(words) > n && words[n].key == "now":
		return n + 1, nil
	case took == 0:
		return n, &alert.InputError{Message: "from when?", Hint: "Write for example `from 22:00 for 2h`, or `from tomorrow 22:00 until 06:00`."}
	}
	p.starts = &starts
	return n + took, nil
}

// recurringAt reads "every saturday and sunday at 02:00"; words[0] is every.
func (p *plan) recurringAt(words []token) (n int, bad *alert.InputError) {
	r, n := recurrence{at: -1}, 1
	for n < len(words) && r.readDays(words[n].key) {
		n++
	}
	if r.wholeWeekend(words[n:]) && p.ends == (when{}) {
		p.every, p.ends = &recurrence{days: r.days[:1]}, when{after: 2 * longestHours}
		return n, nil
	}
	named := n > 1
	took, bad := r.readTime(words[n:])
	if n += took; bad != nil {
		return n, bad
	}
	if r.at < 0 || !named {
		return n, &alert.InputError{Message: "on which days, and at what time?", Hint: "Write for example `every saturday 02:00 for 3h`, or `every day 22:00 until 06:00`."}
	}
	p.every = &r
	return n, nil
}

// readTime reads "at 02:00 UTC"; n is the number of its words.
func (r *recurrence) readTime(words []token) (n int, bad *alert.InputError) {
	if len(words) > 0 && slices.Contains([]string{"at", "from"}, words[0].key) {
		n++
	}
	if n == len(words) {
		return n, nil
	}
	if notAClock(words[n].key) {
		return n, notATime(words[n].raw)
	}
	w := when{ahead: -1, weekday: -1, clock: -1}
	n += w.readClock(words[n:])
	r.at = w.clock
	if r.at >= 0 && n < len(words) && w.readZone(words[n]) > 0 {
		r.zone, n = w.zone, n+1
	}
	return n, nil
}

// wholeWeekend reports whether "every weekend" is all that is said, with what follows.
func (r *recurrence) wholeWeekend(words []token) bool {
	if !slices.Equal(r.days, []time.Weekday{time.Saturday, time.Sunday}) {
		return false
	}
	return len(words) == 0 || !slices.Contains([]string{"at", "from", "for", "during"}, words[0].key) && !saysUntil(words[0].key) &&
		!notAClock(words[0].key) && new(when).readClock(words) == 0
}

// readDays reads a day, or several between commas: sat,sun.
func (r *recurrence) readDays(word string) bool {
	for _, day := range strings.Split(word, ",") {
		if !r.readDay(day) {
			return false
		}
	}
	return true
}

// readDay reads a day of the week, or several: day, weekday, weekend.
func (r *recurrence) readDay(word string) bool {
	switch word {
	case "and", "day", "night", "days", "nights":
		return true
	case "weekday", "weekdays", "workday", "workdays":
		r.days = append(r.days, time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday)
		return true
	case "weekend", "weekends":
		r.days = append(r.days, time.Saturday, time.Sunday)
		return true
	}
	day := weekday(word)
	if day < 0 && len(word) > 3 && word[len(word)-1] == 's' { // saturdays
		day = weekday(word[:len(word)-1])
	}
	if day >= 0 {
		r.days = append(r.days, time.Weekday(day))
	}
	return day >= 0
}
