package alert

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Hours are hours of the day, in a time zone, on some days of the week.
type Hours struct {
	// From and To are times since midnight; From after To spans midnight.
	From, To time.Duration
	Zone     *time.Location
	// Days are the days on which they begin; empty for every day.
	Days []time.Weekday
	// Later is how many days after the one on which they begin To is, if there is one such day
	// in a week; 0 for the same day or, with From after To, the next one.
	Later int
}

// end returns when the hours at a time end, and whether there are any.
func (h Hours) end(at time.Time) (time.Time, bool) {
	year, month, today := at.In(h.zone()).Date()
	for back := range max(h.Later, 1) + 1 {
		if from, until, ok := h.on(year, month, today-back); ok && !at.Before(from) && at.Before(until) {
			return until, true
		}
	}
	return time.Time{}, false
}

// next returns when the hours begin next after a time.
func (h Hours) next(at time.Time) time.Time {
	year, month, today := at.In(h.zone()).Date()
	for ahead := 0; ; ahead++ {
		if from, _, ok := h.on(year, month, today+ahead); ok && from.After(at) || ahead > 14 {
			return from
		}
	}
}

// on returns when the hours of a day begin and end, if there are any on that day.
func (h Hours) on(year int, month time.Month, day int) (from, until time.Time, ok bool) {
	// Noon is on every day in every zone; midnight is not.
	noon := time.Date(year, month, day, 12, 0, 0, 0, h.zone())
	from, until = clock(noon, h.From, h.zone()), clock(noon, h.To, h.zone())
	switch {
	case h.Later > 0:
		until = clock(noon.AddDate(0, 0, h.Later), h.To, h.zone())
	case h.To <= h.From:
		until = clock(noon.AddDate(0, 0, 1), h.To, h.zone())
	}
	return from, until, len(h.Days) == 0 || slices.Contains(h.Days, noon.Weekday())
}

func (h Hours) zone() *time.Location {
	if h.Zone == nil {
		return time.UTC
	}
	return h.Zone
}

// clock returns the given time of day, by the clock of a time zone.
func clock(day time.Time, at time.Duration, zone *time.Location) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), int(at/time.Hour), int(at%time.Hour/time.Minute), 0, 0, zone)
}

// String is the hours as people say them: saturday 02:00 to 05:00 (Europe/Berlin), or
// friday 22:00 to monday 06:00 (Europe/Berlin).
func (h Hours) String() string {
	days := "day"
	if len(h.Days) > 0 {
		days = strings.Join(h.days(), ", ")
	}
	to := timeOfDay(h.To)
	if day := h.lastDay(); day != "" {
		to = day + " " + to
	}
	return fmt.Sprintf("%s %s to %s (%s)", days, timeOfDay(h.From), to, h.zone())
}

// lastDay is the name of the day on which they end if that is a later one; empty otherwise.
func (h Hours) lastDay() string {
	if h.Later == 0 || len(h.Days) != 1 {
		return ""
	}
	return strings.ToLower(((h.Days[0] + time.Weekday(h.Later)) % daysOfWeek).String())
}

const daysOfWeek = 7

func (h Hours) days() []string {
	names := make([]string, len(h.Days))
	for n, d := range h.Days {
		names[n] = strings.ToLower(d.String())
	}
	return names
}

func timeOfDay(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d/time.Hour), int(d%time.Hour/time.Minute))
}

// writtenHours are hours in JSON.
type writtenHours struct {
	Days []string `json:"days,omitempty"`
	From string   `json:"from"`
	To   string   `json:"until"`
	Zone string   `json:"zone,omitempty"`
	Last string   `json:"until_day,omitempty"`
}

// MarshalJSON writes {"days":["saturday"],"from":"02:00","until":"05:00","zone":"UTC"}, and
// "until_day":"monday" if they end on a later day.
func (h Hours) MarshalJSON() ([]byte, error) {
	return json.Marshal(writtenHours{Days: h.days(), From: timeOfDay(h.From), To: timeOfDay(h.To), Zone: h.zone().String(), Last: h.lastDay()})
}

// UnmarshalJSON reads what MarshalJSON writes; days may have three letters.
func (h *Hours) UnmarshalJSON(text []byte) error {
	var w writtenHours
	if err := json.Unmarshal(text, &w); err != nil {
		return &InputError{Message: "the hours of a silence can't be read", Hint: `write {"days": ["saturday"], "from": "02:00", "until": "05:00", "zone": "Europe/Berlin"}`}
	}
	var read Hours
	var err error
	if read.From, err = parseTimeOfDay(w.From); err != nil {
		return err
	}
	if read.To, err = parseTimeOfDay(w.To); err != nil {
		return err
	}
	for _, name := range w.Days {
		day, ok := ParseWeekday(name)
		if !ok {
			return &InputError{Message: name + " is not a day of the week", Hint: "write monday to sunday, or mon to sun"}
		}
		read.Days = append(read.Days, day)
	}
	if read.Later, err = read.later(w.Last); err != nil {
		return err
	}
	if read.Zone, err = time.LoadLocation(w.Zone); err != nil || w.Zone == "Local" {
		return &InputError{Message: w.Zone + " is not a time zone", Hint: "write a name such as Europe/Berlin, or UTC"}
	}
	*h = read
	return nil
}

// later is how many days after the one on which the hours begin that of a name is.
func (h Hours) later(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	last, ok := ParseWeekday(name)
	if !ok {
		return 0, &InputError{Message: name + " is not a day of the week", Hint: "write monday to sunday, or mon to sun"}
	}
	if len(h.Days) != 1 {
		return 0, &InputError{Message: "until_day needs one day in days", Hint: `write {"days": ["friday"], "from": "22:00", "until_day": "monday", "until": "06:00"}`}
	}
	days := int(last-h.Days[0]+daysOfWeek) % daysOfWeek
	if days == 0 && h.To < h.From {
		days = daysOfWeek
	}
	return days, nil
}

// parseTimeOfDay reads 02:00, up to 24:00.
func parseTimeOfDay(text string) (time.Duration, error) {
	at, err := time.Parse("15:04", text)
	switch {
	case text == "24:00":
		return 24 * time.Hour, nil
	case err != nil:
		return 0, &InputError{Message: fmt.Sprintf("%q is not a time of day", text), Hint: "write hours and minutes, as in 02:00"}
	}
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute, nil
}

// ParseWeekday reads the name of a day of the week, also its first three letters, in any
// case.
func ParseWeekday(name string) (day time.Weekday, ok bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	for day := time.Sunday; day <= time.Saturday; day++ {
		full := strings.ToLower(day.String())
		if name == full || name == full[:3] {
			return day, true
		}
	}
	return 0, false
}
