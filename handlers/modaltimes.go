package handlers

import (
	"strconv"
	"time"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// readTimes reads when a silence of the dialog begins and ends, the first time if it
// repeats.
func readTimes(s bot.Submission, now time.Time, wanted *alert.Silence, errs map[string]string) {
	begins, wrong := readTime(s, render.InputBegins, now, now)
	if wrong != "" {
		errs[render.InputBegins] = wrong
		return
	}
	ends, block, wrong := readEnd(s, now, begins)
	length := ends.Sub(begins)
	switch repeat := field(s, render.InputRepeat); {
	case wrong != "":
		errs[block] = wrong
	case ends.Sub(now) > maxSilence:
		errs[block] = "A silence ends within a year."
	case repeat == render.RepeatWeekly && length >= daysOfWeek*longestHours:
		errs[block] = "A silence that repeats each week lasts less than a week at a time."
	case repeats(repeat) && repeat != render.RepeatWeekly && length >= longestHours:
		errs[block] = "A silence that repeats each day lasts less than a day at a time."
	case repeats(repeat) && length < time.Minute:
		errs[block] = "A silence that repeats lasts at least a minute."
	}
	if begins.After(now) {
		wanted.StartsAt = begins
	}
	wanted.EndsAt = ends
}

// readEnd reads the end of a silence. A chosen time has priority over the menu of
// durations: nobody chooses one by accident.
func readEnd(s bot.Submission, now, begins time.Time) (ends time.Time, block, wrong string) {
	chosen := field(s, render.InputDuration)
	if field(s, render.InputUntil) == "" {
		if chosen == render.DurationUntil {
			return ends, render.InputUntil, "Choose the day and the time here."
		}
		d, err := alert.ParseDuration(chosen)
		if err != nil || d <= 0 || d > maxSilence {
			return ends, render.InputDuration, "Choose how long."
		}
		return begins.Add(d), render.InputDuration, ""
	}
	ends, wrong = readTime(s, render.InputUntil, now, begins)
	if wrong == "" && !ends.After(begins) {
		wrong = "This is not after the beginning. Choose a later time."
	}
	return ends, render.InputUntil, wrong
}

// readTime reads a day and a time that must be in the future; otherwise if it is empty.
func readTime(s bot.Submission, name string, now, otherwise time.Time) (at time.Time, wrong string) {
	text := field(s, name)
	if text == "" {
		return otherwise, ""
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	at = time.Unix(seconds, 0)
	switch {
	case err != nil:
		return at, "Choose the day and the time again."
	case !at.After(now):
		return at, "This time is in the past. Choose one in the future."
	case at.Sub(now) > maxSilence:
		return at, "Choose a time within a year."
	}
	return at, ""
}

func repeats(repeat string) bool {
	return repeat == render.RepeatDaily || repeat == render.RepeatWeekly
}

// repeated is a silence that recurs each day, or each week, at the times of s by the clock
// of now's zone.
func repeated(s alert.Silence, weekly bool, now time.Time) alert.Silence {
	begins := now
	if !s.StartsAt.IsZero() {
		begins = s.StartsAt.In(now.Location())
	}
	ends, length := s.EndsAt.In(now.Location()), s.EndsAt.Sub(begins)
	hours := &alert.Hours{From: sinceMidnight(begins), To: sinceMidnight(ends), Zone: now.Location()}
	if weekly {
		hours.Days = []time.Weekday{begins.Weekday()}
	}
	switch days := int(dayOf(ends).Sub(dayOf(begins)) / longestHours); {
	case weekly && days > 0 && (length >= longestHours || hours.To == hours.From):
		hours.Later = days
	case hours.To == hours.From: // clocks are changed meanwhile, and a whole day was not meant
		hours.To = (hours.From + length) % longestHours
	}
	s.Every, s.EndsAt = hours, now.Add(recurs)
	return s
}

// dayOf is a day by its clock, as a time of which each day is 24 hours later than the one before.
func dayOf(at time.Time) time.Time {
	year, month, day := at.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// sinceMidnight is the time of day by its clock, in whole minutes.
func sinceMidnight(at time.Time) time.Duration {
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
}
