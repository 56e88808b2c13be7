package alert

import (
	"slices"
	"strings"
	"time"
)

// Span is the numbers from First to Last, both included.
type Span struct{ First, Last int }

func (s Span) has(n int) bool { return s.First <= n && n <= s.Last }

// Interval is one of Alertmanager's time intervals: the minutes in which everything that
// it names is true by the clocks of its zone. What it does not name is true always.
type Interval struct {
	// Minutes are counted from midnight, 0 to 1439.
	Minutes []Span
	// Weekdays are numbered as in time.Weekday: 0 is Sunday.
	Weekdays []Span
	// DaysOfMonth are 1 to 31, or -1 for the last day of a month to -31.
	DaysOfMonth []Span
	Months      []Span
	Years       []Span
	Zone        *time.Location // nil is UTC
}

// Times are the time intervals of one name: the times that are in any of them.
type Times struct {
	Name      string
	Intervals []Interval
}

// contains reports whether a time is in one of the intervals.
func (t Times) contains(at time.Time) bool {
	return slices.ContainsFunc(t.Intervals, func(i Interval) bool { return i.contains(at) })
}

func (i Interval) contains(at time.Time) bool {
	local := at.In(i.zone())
	return i.onDay(local) && anyHas(i.Minutes, local.Hour()*60+local.Minute())
}

// onDay reports whether the interval may contain minutes of a day.
func (i Interval) onDay(local time.Time) bool {
	year, month, _ := local.Date()
	return anyHas(i.Years, year) && anyHas(i.Months, int(month)) && anyHas(i.Weekdays, int(local.Weekday())) && i.onDayOfMonth(local)
}

// onDayOfMonth counts negative days from the end of the month. Days that a month lacks are
// left out.
func (i Interval) onDayOfMonth(local time.Time) bool {
	year, month, today := local.Date()
	last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	fromStart := func(day int) int {
		if day < 0 {
			return last + 1 + day
		}
		return day
	}
	return len(i.DaysOfMonth) == 0 || slices.ContainsFunc(i.DaysOfMonth, func(s Span) bool {
		return Span{fromStart(s.First), fromStart(s.Last)}.has(today)
	})
}

func (i Interval) zone() *time.Location {
	if i.Zone == nil {
		return time.UTC
	}
	return i.Zone
}

// anyHas reports whether one of the spans has n; without any, everything does.
func anyHas(spans []Span, n int) bool {
	return len(spans) == 0 || slices.ContainsFunc(spans, func(s Span) bool { return s.has(n) })
}

// change returns the first time after at at which the interval may begin or end: where one
// of its minutes begins or ends, at midnight, or when the clocks of its zone are changed.
func (i Interval) change(at time.Time) time.Time {
	local := at.In(i.zone())
	hour, minute, second := local.Clock()
	now := time.Duration(hour*3600+minute*60+second)*time.Second + time.Duration(local.Nanosecond())
	next := day
	if i.onDay(local) {
		for _, s := range i.Minutes {
			for _, edge := range []int{s.First, s.Last + 1} {
				if d := time.Duration(edge) * time.Minute; d > now && d < next {
					next = d
				}
			}
		}
	}
	then := at.Add(next - now)
	if _, changed := local.ZoneBounds(); !changed.IsZero() && changed.Before(then) {
		return changed
	}
	return then
}

// on returns the names of the times that contain at.
func on(all []Times, at time.Time) (names []string) {
	for _, t := range all {
		if t.contains(at) {
			names = append(names, t.Name)
		}
	}
	return names
}

// nextChange returns when the times end that are on at a time, or when the next ones begin if none
// is, in the zone of the first ones; limit if that is later.
func nextChange(all []Times, at, limit time.Time) time.Time {
	was := len(on(all, at)) > 0
	for at.Before(limit) {
		next := limit
		for _, t := range all {
			for _, i := range t.Intervals {
				if change := i.change(at); change.Before(next) {
					next = change
				}
			}
		}
		at = next
		if (len(on(all, at)) > 0) != was {
			break
		}
	}
	return at.In(all[0].zone())
}

// zone is the zone in which the end of the times is written.
func (t Times) zone() *time.Location {
	if len(t.Intervals) == 0 {
		return time.UTC
	}
	return t.Intervals[0].zone()
}

// longestHold is how far ahead the end of a hold is looked for. What ends later is held
// until then, and looked at again.
const longestHold = 366 * day

// Hold is when a route holds cards back.
type Hold struct {
	// Quiet holds what is not severe; nil holds nothing.
	Quiet *Quiet
	// Mute holds everything, and Active everything outside of these times; without any it
	// holds nothing.
	Mute, Active []Times
}

// Held says until when a card is held back.
type Held struct {
	Until time.Time
	// Why is quiet hours, quiet times NAME, muted by NAME or not active outside of NAME.
	Why string
	// Muted is set if it is held whatever its severity.
	Muted bool
	// Endless is set if no end is within a year.
	Endless bool
}

// At returns until when an alert of this severity is held back at now, and whether it is.
// What follows without a break counts as one.
func (h Hold) At(now time.Time, severity Severity) (held Held, ok bool) {
	limit, end := now.Add(longestHold), now
	for end.Before(limit) {
		next, why, muted := h.end(end, severity, limit)
		if why == "" {
			break
		}
		if end.Equal(now) {
			held.Why, held.Muted = why, muted
		}
		end = next
	}
	held.Until, held.Endless = end, !end.Before(limit)
	return held, end.After(now)
}

// end returns when what holds an alert at a time ends, and why it is held; empty if it is
// not.
func (h Hold) end(at time.Time, severity Severity, limit time.Time) (end time.Time, why string, muted bool) {
	if names := on(h.Mute, at); len(names) > 0 {
		return nextChange(h.Mute, at, limit), "muted by " + strings.Join(names, ", "), true
	}
	if len(h.Active) > 0 && len(on(h.Active, at)) == 0 {
		return nextChange(h.Active, at, limit), "not active outside of " + strings.Join(TimesNames(h.Active), ", "), true
	}
	if h.Quiet == nil || severity.Rank() <= h.Quiet.Below.Rank() {
		return at, "", false
	}
	if end, ok := h.Quiet.end(at); ok && h.Quiet.HasHours() {
		return end, "quiet hours", false
	}
	if names := on(h.Quiet.Times, at); len(names) > 0 {
		return nextChange(h.Quiet.Times, at, limit), "quiet times " + strings.Join(names, ", "), false
	}
	return at, "", false
}

// TimesNames returns the names of times.
func TimesNames(all []Times) (names []string) {
	for _, t := range all {
		names = append(names, t.Name)
	}
	return names
}
