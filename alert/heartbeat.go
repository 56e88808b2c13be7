package alert

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"
)

// Limits of heartbeats.
const (
	MinEvery = time.Second
	MaxEvery = 365 * day
	// MaxHeartbeats is how many there may be.
	MaxHeartbeats = 10_000
	// maxDefaultGrace is the longest grace that nobody has asked for.
	maxDefaultGrace = time.Hour
	// maxChance is the longest time that senders get after Tocsin could not hear them.
	maxChance = time.Hour
)

// Terms say how a heartbeat is watched. What is zero is not said.
type Terms struct {
	// Every is how often it should be heard, and Grace how much later it may be.
	Every, Grace time.Duration
	// Severity, Channel, Mention and Labels are those of the alert that says that it is
	// missing. Mention is one that may notify.
	Severity         Severity
	Channel, Mention string
	Labels           map[string]string
	// About says in a sentence what it means that it is missing.
	About string
}

// Waits is how long after a heartbeat the next one is missing.
func (t Terms) Waits() time.Duration { return t.Every + t.Tolerance() }

// Tolerance is the grace, or half of the period up to an hour if nobody has said one.
func (t Terms) Tolerance() time.Duration {
	return cmp.Or(t.Grace, min(max(t.Every/2, MinEvery), maxDefaultGrace))
}

// Check returns an *InputError if a duration is out of bounds.
func (t Terms) Check() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"every", t.Every}, {"grace", t.Grace}} {
		if d.value != 0 && (d.value < MinEvery || d.value > MaxEvery) {
			return &InputError{Message: fmt.Sprintf("%s is %s", d.name, FormatDuration(d.value)), Hint: "write a duration from 1s to 365d"}
		}
	}
	return nil
}

// With are the terms where said says nothing else.
func (t Terms) With(said Terms) Terms {
	if len(said.Labels) == 0 {
		said.Labels = t.Labels
	}
	grace := cmp.Or(said.Grace, t.Grace)
	if said.Every != 0 && said.Every != t.Every {
		grace = said.Grace // the other was meant for another period
	}
	return Terms{
		Every: cmp.Or(said.Every, t.Every), Grace: grace, Severity: cmp.Or(said.Severity, t.Severity),
		Channel: cmp.Or(said.Channel, t.Channel), Mention: cmp.Or(said.Mention, t.Mention), Labels: said.Labels, About: cmp.Or(said.About, t.About),
	}
}

// Heartbeat is a sender that says regularly that it works, and what is known of it.
type Heartbeat struct {
	Name string
	Terms
	// Configured is set if the configuration names it, whose terms then win.
	Configured bool
	// BeganAt is since when it is expected, LastAt when it was last heard, or zero.
	BeganAt, LastAt time.Time
	// DueAt is when it is missing unless it is heard before; zero while it is missing.
	DueAt time.Time
	// MissingAt is when it was found missing; zero while it is not.
	MissingAt time.Time
}

// Beat is one sign of life.
type Beat struct {
	Name string
	// Terms are what the sender says about the following ones, and Default what counts
	// where nobody has said anything.
	Terms, Default Terms
	// At is when it was sent; zero is now.
	At time.Time
	// Stopped is set when the sender says that there will be no further ones, and EndsAt
	// when it says at what time that is so; zero for none.
	Stopped bool
	EndsAt  time.Time
	// Sender is the token that it came with, or nil, whose limits count as for an alert.
	Sender *Token
}

// Heard is a heartbeat after a Beat.
type Heard struct {
	Heartbeat
	// Notes say what of the request does not count, and why, a sentence each.
	Notes []string
}

// HeartbeatStatus is how a heartbeat is.
type HeartbeatStatus string

// The statuses. Late is one whose grace runs.
const (
	HeartbeatNew     HeartbeatStatus = "new"
	HeartbeatUp      HeartbeatStatus = "up"
	HeartbeatLate    HeartbeatStatus = "late"
	HeartbeatMissing HeartbeatStatus = "missing"
)

// HeartbeatStatuses are all statuses, the worst first.
func HeartbeatStatuses() []HeartbeatStatus {
	return []HeartbeatStatus{HeartbeatMissing, HeartbeatLate, HeartbeatUp, HeartbeatNew}
}

// Status is how it is at a time.
func (h Heartbeat) Status(now time.Time) HeartbeatStatus {
	switch {
	case !h.MissingAt.IsZero():
		return HeartbeatMissing
	case now.After(h.expected()):
		return HeartbeatLate
	case h.LastAt.IsZero():
		return HeartbeatNew
	}
	return HeartbeatUp
}

// CountHeartbeats counts heartbeats by their status at a time.
func CountHeartbeats(all []Heartbeat, now time.Time) map[HeartbeatStatus]int {
	count := map[HeartbeatStatus]int{}
	for _, h := range all {
		count[h.Status(now)]++
	}
	return count
}

// since is when it was last heard, or since when it is expected.
func (h Heartbeat) since() time.Time {
	if h.LastAt.IsZero() {
		return h.BeganAt
	}
	return h.LastAt
}

// expected is when the next one should come.
func (h Heartbeat) expected() time.Time { return h.since().Add(h.Every) }

var heartbeatName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// CheckHeartbeatName returns an *InputError for a name that is none.
func CheckHeartbeatName(name string) error {
	if heartbeatName.MatchString(name) {
		return nil
	}
	return &InputError{Message: fmt.Sprintf("%.120q is not the name of a heartbeat", name), Hint: "write 1 to 100 letters, digits, dots, hyphens and underscores, as in nightly-backup"}
}

// HeartbeatKey is the key of the alerts about a heartbeat.
func HeartbeatKey(name string) string { return heartbeatKey + name }

// heartbeatKey begins the keys of alerts about heartbeats.
const heartbeatKey = "heartbeat:"

// Expect returns a heartbeat that nobody has heard yet.
func Expect(name string, terms Terms, now time.Time) Heartbeat {
	return Heartbeat{Name: name, Terms: terms, BeganAt: now, DueAt: now.Add(terms.Waits())}
}

// Hear returns the heartbeat after a beat at now, and whether it is back.
func (h Heartbeat) Hear(b Beat, now time.Time) (after Heartbeat, back bool) {
	h.LastAt, h.BeganAt = earlierOf(h.LastAt, now), earlierOf(h.BeganAt, now) // the clock may have been put back
	waited := !b.At.IsZero() && b.At.Before(now)
	at := now
	if waited {
		at = b.At
	}
	h.LastAt = laterOf(h.LastAt, at)
	due := h.LastAt.Add(h.Waits())
	switch missing := !h.MissingAt.IsZero(); {
	case missing && !due.After(now):
		return h, false // it was sent too long ago
	case missing:
		h.MissingAt, h.DueAt, back = time.Time{}, due, true
	case waited: // one that could not be sent in time says nothing against the sender
		h.DueAt = laterOf(h.DueAt, due)
	default:
		h.DueAt = due
	}
	return h, back
}

// Miss returns the heartbeat when it is found missing.
func (h Heartbeat) Miss(now time.Time) Heartbeat {
	h.MissingAt, h.DueAt = now, time.Time{}
	return h
}

// Watch returns the heartbeat with these terms.
func (h Heartbeat) Watch(terms Terms) Heartbeat {
	waited := h.Waits()
	h.Terms = terms
	if h.MissingAt.IsZero() && waited != terms.Waits() {
		h.DueAt = h.since().Add(terms.Waits())
	}
	return h
}

// Restart returns the heartbeat after a time in which Tocsin did not run. One that fell due
// in that time is not missing before its period and grace have passed again, or an hour if
// they are longer: its sender may have tried. Any other is due when it was.
func (h Heartbeat) Restart(now time.Time) Heartbeat {
	h = h.until(now)
	if !h.DueAt.After(now) {
		h = h.giveChance(now)
	}
	return h
}

// Resume returns the heartbeat after a time in which Tocsin ran and could not hear it, or in
// which the clock was set. It is as Restart for one that was expected in that time, also if
// its grace still runs: that may be shorter than what is left of its period.
func (h Heartbeat) Resume(now time.Time) Heartbeat {
	h = h.until(now)
	if h.expected().Before(now) {
		h = h.giveChance(now)
	}
	return h
}

// until is the heartbeat without times after now, which the clock had before it was set.
func (h Heartbeat) until(now time.Time) Heartbeat {
	if h.LastAt.After(now) || h.BeganAt.After(now) {
		h.LastAt, h.BeganAt = earlierOf(h.LastAt, now), earlierOf(h.BeganAt, now)
		if h.MissingAt.IsZero() {
			h.DueAt = now.Add(h.Waits())
		}
	}
	h.MissingAt = earlierOf(h.MissingAt, now)
	return h
}

// giveChance is the heartbeat with a new time in which it has to be heard.
func (h Heartbeat) giveChance(now time.Time) Heartbeat {
	if h.MissingAt.IsZero() {
		h.DueAt = laterOf(h.DueAt, now.Add(min(h.Waits(), maxChance)))
	}
	return h
}

// Same reports whether the two have the same state.
func (h Heartbeat) Same(other Heartbeat) bool {
	return h.Name == other.Name && h.Configured == other.Configured && h.BeganAt.Equal(other.BeganAt) && h.LastAt.Equal(other.LastAt) &&
		h.DueAt.Equal(other.DueAt) && h.MissingAt.Equal(other.MissingAt) && h.Terms.same(other.Terms)
}

func (t Terms) same(other Terms) bool {
	return t.Every == other.Every && t.Grace == other.Grace && t.Severity == other.Severity && t.Channel == other.Channel &&
		t.Mention == other.Mention && t.About == other.About && maps.Equal(t.Labels, other.Labels)
}

const heartbeatSource = "heartbeat"

// Alarm is the alert that says that it is missing. stopped is set if its sender has
// said so.
func (h Heartbeat) Alarm(stopped bool) Alert {
	labels := maps.Clone(h.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels["heartbeat"] = h.Name
	var pings []string
	if h.Mention != "" {
		pings = []string{h.Mention}
	}
	return Alert{
		Source: heartbeatSource, Key: HeartbeatKey(h.Name), Status: Firing, Severity: cmp.Or(h.Severity, Critical),
		Title: "Heartbeat " + h.Name + " is missing", Text: h.alarmText(stopped), Labels: labels,
		Channel: h.Channel, Pings: pings, ExpiresIn: -1,
	}
}

func (h Heartbeat) alarmText(stopped bool) string {
	heard := "It was last heard at " + clockTime(h.LastAt)
	if h.LastAt.IsZero() {
		heard = "It has never been heard since " + clockTime(h.BeganAt)
	}
	expected := fmt.Sprintf("; it is expected every %s, and the next one was due by %s (with %s of grace).",
		FormatDuration(h.Every), clockTime(h.since().Add(h.Waits())), FormatDuration(h.Tolerance()))
	if stopped {
		expected = "; its sender has reported that it stopped."
	}
	return strings.TrimSpace(heard + expected + "\n" + h.About)
}

// Return is the alert that resolves the incident of Alarm.
func (h Heartbeat) Return(text string) Alert {
	return Alert{
		Source: heartbeatSource, Key: HeartbeatKey(h.Name), Status: Resolved, Severity: cmp.Or(h.Severity, Critical),
		Title: "Heartbeat " + h.Name, Text: text, OnlyIfOpen: true,
	}
}

func clockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func earlierOf(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
