package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/alert"
)

// The named times, in Alertmanager's words: a list of names with time intervals, which have
// ranges of times.
const (
	keyTimes     = "times"
	keyIntervals = keyTimes + ".time_intervals"
	keyRanges    = keyIntervals + ".times"
)

// placedTimes are named times with where they are in the file.
type placedTimes struct {
	alert.Times
	at   Origin
	used bool
}

// clockRange is one of the times of a time interval.
type clockRange struct{ start, end time.Duration }

func timesOptions() []option[alert.Times] {
	return []option[alert.Times]{
		opt(spec{key: keyTimes + ".name"}, parseTimesName, func(t *alert.Times, v string) { t.Name = v }),
	}
}

func intervalOptions() []option[alert.Interval] {
	type interval = alert.Interval
	return []option[interval]{
		opt(spec{key: keyIntervals + ".weekdays", list: true}, parseWeekdays, func(i *interval, v alert.Span) { i.Weekdays = append(i.Weekdays, v) }),
		opt(spec{key: keyIntervals + ".days_of_month", list: true, bare: true}, parseDaysOfMonth, func(i *interval, v alert.Span) { i.DaysOfMonth = append(i.DaysOfMonth, v) }),
		opt(spec{key: keyIntervals + ".months", list: true, bare: true}, parseMonths, func(i *interval, v alert.Span) { i.Months = append(i.Months, v) }),
		opt(spec{key: keyIntervals + ".years", list: true, bare: true}, parseYears, func(i *interval, v alert.Span) { i.Years = append(i.Years, v) }),
		opt(spec{key: keyIntervals + ".location"}, parseZone, func(i *interval, v *time.Location) { i.Zone = v }),
	}
}

func rangeOptions() []option[clockRange] {
	return []option[clockRange]{
		opt(spec{key: keyRanges + ".start_time"}, parseClock, func(r *clockRange, v time.Duration) { r.start = v }),
		opt(spec{key: keyRanges + ".end_time"}, parseClock, func(r *clockRange, v time.Duration) { r.end = v }),
	}
}

func parseTimesName(value string) (string, *flaw) {
	value = strings.TrimSpace(value)
	if !timesName.MatchString(value) {
		return "", &flaw{message: printable(value) + " is not a name: up to 80 letters, digits and -_. /", write: []string{"offhours"}}
	}
	return value, nil
}

var timesName = regexp.MustCompile(`^[\pL\pN][\pL\pN_./ -]{0,79}$`)

// span is how the numbers of one kind are written in a time interval.
type span struct {
	parse  func(string) (int, bool)
	what   string   // what one is called
	write  []string // examples
	advice string
}

// read reads one number, or a range as in monday:friday.
func (s span) read(value string) (alert.Span, *flaw) {
	first, last, ranged := strings.Cut(value, ":")
	from, ok := s.parse(strings.ToLower(strings.TrimSpace(first)))
	to := from
	if ranged && ok {
		to, ok = s.parse(strings.ToLower(strings.TrimSpace(last)))
	}
	if !ok {
		return alert.Span{}, &flaw{message: printable(value) + " is not " + s.what + " or a range of them", write: s.write}
	}
	return alert.Span{First: from, Last: to}, nil
}

// ordered is read for ranges that must not end before they start.
func (s span) ordered(value string) (alert.Span, *flaw) {
	read, f := s.read(value)
	if f == nil && read.Last < read.First {
		return read, &flaw{message: printable(value) + " ends before it starts", advice: s.advice}
	}
	return read, f
}

func parseWeekdays(value string) (alert.Span, *flaw) {
	return span{
		parse:  func(text string) (int, bool) { d, ok := alert.ParseWeekday(text); return int(d), ok },
		what:   "a day of the week",
		write:  []string{"monday:friday", "[saturday, sunday]"},
		advice: "a week begins on sunday: write the days as a list, such as [saturday, sunday]",
	}.ordered(value)
}

func parseMonths(value string) (alert.Span, *flaw) {
	return span{
		parse: func(text string) (int, bool) {
			for month := time.January; month <= time.December; month++ {
				name := strings.ToLower(month.String())
				if text == name || text == name[:3] {
					return int(month), true
				}
			}
			return number(text, 1, 12)
		},
		what:   "a month",
		write:  []string{"december", "january:march", "12"},
		advice: "write two ranges in a list, such as [november:december, january:february]",
	}.ordered(value)
}

func parseYears(value string) (alert.Span, *flaw) {
	return span{
		parse:  func(text string) (int, bool) { return number(text, 1, 9999) },
		what:   "a year",
		write:  []string{"2027", `"2027:2029"`},
		advice: "write the earlier year first",
	}.ordered(value)
}

// parseDaysOfMonth refuses what Alertmanager does: ranges from the end of the month into it,
// and those that are backward in every month.
func parseDaysOfMonth(value string) (alert.Span, *flaw) {
	s := span{
		parse: func(text string) (int, bool) {
			day, ok := number(text, -31, 31)
			return day, ok && day != 0
		},
		what:  "a day of the month, 1 to 31, or -1 for its last day to -31,",
		write: []string{"1", `"1:7"`, `"-3:-1"`},
	}
	read, f := s.read(value)
	first, last := read.First, read.Last
	switch {
	case f != nil:
		return read, f
	case first < 0 && last > 0:
		return read, &flaw{message: printable(value) + " starts at the end of a month and ends at its beginning", write: []string{`["-3:-1", "1:3"]`}}
	case first > 0 && last < 0:
		last += 31 + 1
	}
	if last < first {
		return read, &flaw{message: printable(value) + " ends before it starts", advice: "write the earlier day first"}
	}
	return read, nil
}

func number(text string, least, most int) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= least && n <= most
}

func (l *loader) readTimes() {
	var names []string
	for _, s := range l.doc.groups[keyTimes] {
		t := placedTimes{at: s.at}
		applyAll(l, timesOptions(), s, &t.Times)
		l.need(s, keyTimes+".name", "routes use the times by it", "name: offhours")
		l.need(s, keyIntervals, "it says when these times are", "time_intervals: with a list of intervals, such as - weekdays: [saturday, sunday]")
		for _, interval := range s.groups[keyIntervals] {
			t.Intervals = append(t.Intervals, l.readInterval(interval))
		}
		if s.mentions(keyIntervals) && len(t.Intervals) == 0 {
			l.fail(s.at.problem(keyIntervals+" is empty", "write an interval, such as - weekdays: [saturday, sunday]"))
		}
		if at := slices.IndexFunc(l.times, func(b *placedTimes) bool { return b.Name == t.Name && t.Name != "" }); at >= 0 {
			l.fail(s.at.problem(fmt.Sprintf("times.name %s is used twice, first on line %d", printable(t.Name), l.times[at].at.line), "put the intervals of both below one of them"))
		}
		l.times = append(l.times, &t)
		names = append(names, t.Name)
	}
	if len(names) > 0 {
		l.doc.values[keyTimes] = given{value: strings.Join(names, listed), origin: l.doc.mentioned[keyTimes]}
	}
}

func (l *loader) readInterval(s section) (i alert.Interval) {
	applyAll(l, intervalOptions(), s, &i)
	for _, r := range s.groups[keyRanges] {
		if minutes, ok := l.readRange(r); ok {
			i.Minutes = append(i.Minutes, minutes)
		}
	}
	return i
}

// readRange reads a range of times of the day.
func (l *loader) readRange(s section) (alert.Span, bool) {
	var r clockRange
	mistakes := len(l.problems)
	applyAll(l, rangeOptions(), s, &r)
	l.need(s, keyRanges+".start_time", "a range has both", `start_time: "00:00"`)
	l.need(s, keyRanges+".end_time", "a range has both", `end_time: "24:00"`)
	if len(l.problems) == mistakes && r.end <= r.start {
		fix := `write end_time: "24:00" for the end of the day`
		if r.end > 0 {
			fix = fmt.Sprintf(`a range ends on its own day: write two, one until "24:00" and one from "00:00" until %q`, s.values[keyRanges+".end_time"].value)
		}
		l.fail(s.at.problem(keyRanges+" has a range that ends before it starts", fix))
	}
	return alert.Span{First: int(r.start / time.Minute), Last: int(r.end/time.Minute) - 1}, len(l.problems) == mistakes
}

// namedTimes finds the times whose names an option of a route lists.
func (l *loader) namedTimes(s section, key string) (all []alert.Times) {
	g, ok := s.values[key]
	if !ok {
		return nil
	}
	items := g.items
	if items == nil {
		items = []given{g}
	}
	for _, item := range items {
		name := strings.TrimSpace(item.value)
		at := slices.IndexFunc(l.times, func(t *placedTimes) bool { return t.Name == name })
		if at < 0 {
			fix := l.knownTimes(name)
			if key == keyQuietTimes {
				fix += "; hours are written as from, until and zone, one to a line"
			}
			l.fail(item.origin.problem(fmt.Sprintf("%s names %s, which is not below times", key, printable(item.value)), fix))
			continue
		}
		l.times[at].used = true
		if !slices.ContainsFunc(all, func(t alert.Times) bool { return t.Name == name }) {
			all = append(all, l.times[at].Times)
		}
	}
	return all
}

// knownTimes says which names there are.
func (l *loader) knownTimes(name string) string {
	var names []string
	for _, t := range l.times {
		names = append(names, t.Name)
	}
	switch near := nearest(name, names); {
	case near != "":
		return "did you mean " + near + "?"
	case len(names) > 0:
		return "write one of " + strings.Join(names, ", ")
	}
	return "name times at the top level: tocsin config example shows how"
}

// checkTimes warns of times that no route uses, and of routes that hold their cards for more
// than a year.
func (l *loader) checkTimes() {
	for _, t := range l.times {
		if !t.used {
			l.warn(t.at.problem(fmt.Sprintf("no route uses the times %s", printable(t.Name)), "name them in quiet, mute or active of a route, or remove them"))
		}
	}
	for _, r := range l.routes {
		if held, ok := r.Hold().At(l.in.now(), alert.Info); ok && held.Endless && len(l.problems) == 0 {
			l.warn(r.at.problem(fmt.Sprintf("the route %s shows nothing for at least a year: %s", printable(r.Name), held.Why), "write times that end"))
		}
	}
}
