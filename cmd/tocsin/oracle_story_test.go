package main

import (
	"fmt"
	"strings"
	"time"

	"tocsin/alert"
)

// sent is one alert that a pusher made. Its tag (a000123) stands in its title
// and in each word of its text, so that it is known wherever it is shown.
type sent struct {
	tag, key, lane string
	// channel is the lane as it is sent: its name, or Slack's id.
	channel     string
	status      alert.Status
	severity    alert.Severity
	words       int
	idempotency string
	labels      map[string]string

	pushed  time.Time // when the first try began
	receipt alert.Accepted
}

func (a *sent) title() string { return "oracle " + a.tag + " of " + a.key }

// text is numbered words, some with what Slack wants escaped, so that each one
// that is missing or out of place shows.
func (a *sent) text() string {
	var b strings.Builder
	for n := range a.words {
		b.WriteString(a.word(n))
		b.WriteString([]string{" ", " ", "\n", " & ", " ", " <b> "}[n%6])
	}
	return strings.TrimSpace(b.String())
}

func (a *sent) word(n int) string { return fmt.Sprintf("%sw%04d", a.tag, n) }

// body is the alert as it goes over the wire. What goes to the default
// conversation names none, nor does what has labels: routes decide by those.
func (a *sent) body() map[string]any {
	m := firing(a.key, a.title())
	m["severity"], m["status"] = a.severity, a.status
	if a.words > 0 {
		m["text"] = a.text()
	}
	if a.labels != nil {
		m["labels"] = a.labels
	} else if a.lane != defaultLane {
		m["channel"] = a.channel
	}
	if a.idempotency != "" {
		m["idempotency_key"] = a.idempotency
	}
	return m
}

// defaultLane is the conversation for alerts that name none.
const defaultLane = "#alerts"

// note is what a card's thread has to say: its topic and the alert it is about.
type note struct {
	topic alert.Topic
	by    *sent
}

func (n note) String() string { return fmt.Sprintf("%s (%s)", n.topic, n.by.tag) }

// story is what Tocsin has to make of the alerts with one key, told by a model
// of a dozen lines that shares nothing with the program.
type story struct {
	key, lane string
	alerts    []*sent
	// doubtful: the only alert got no answer, so it may have been accepted or not.
	doubtful bool
	// flaps is in how many requests it resolved and fired again many times.
	flaps int

	latest   *sent // whose title, text and severity the card shows
	resolved bool
	acked    bool
	count    int
	notes    []note
	// firstCritical is when it may first have been critical.
	firstCritical time.Time
	// turns is how often it became critical after its first alert. Each time it may get a
	// card of its own, which a digest may show if too many wait.
	turns int
}

// opened is the alert that made the card.
func (s *story) opened() *sent { return s.alerts[0] }

// add tells the story on and says what the receipt has to call it.
func (s *story) add(a *sent) alert.Effect {
	first := len(s.alerts) == 0
	s.alerts = append(s.alerts, a)
	if !first && a.status == alert.Firing && a.severity == alert.Critical && (s.resolved || s.latest.severity != alert.Critical) {
		s.turns++
	}
	if a.severity == alert.Critical && s.firstCritical.IsZero() && (first || a.status == alert.Firing) {
		s.firstCritical = a.pushed
	}
	switch {
	case a.status == alert.Firing:
		return s.fire(a, first)
	case first:
		s.latest, s.resolved = a, true
		s.more(a)
		return alert.EffectResolved
	case s.resolved:
		return alert.EffectFolded
	}
	s.resolved = true
	s.notes = append(s.notes, note{alert.TopicResolved, a})
	return alert.EffectResolved
}

func (s *story) fire(a *sent, first bool) alert.Effect {
	before := s.latest
	s.latest = a
	s.count++
	effect := alert.EffectFolded
	switch {
	case first:
		effect = alert.EffectOpened
	case s.resolved:
		effect = alert.EffectReopened
		s.notes = append(s.notes, note{alert.TopicReopened, a})
	case a.severity.Rank() < before.severity.Rank():
		s.notes = append(s.notes, note{alert.TopicEscalated, a})
	default: // its text is another one
		s.notes = append(s.notes, note{alert.TopicRefired, a})
	}
	s.acked = s.acked && !s.resolved
	s.resolved = false
	s.more(a)
	return effect
}

// person tells the story on by what somebody does, and says what the answer has
// to call it.
func (s *story) person(verb alert.Verb, by *sent) alert.ActEffect {
	topic := alert.TopicNote
	switch {
	case verb == alert.VerbNote:
	case s.resolved, verb == alert.VerbAck && s.acked:
		return alert.ActAlready
	case verb == alert.VerbAck:
		s.acked, topic = true, alert.TopicAcked
	default:
		s.resolved, topic = true, alert.TopicResolved
	}
	s.notes = append(s.notes, note{topic, by})
	return alert.ActDone
}

// more expects the end of a long text in the thread, as pages or as a file.
func (s *story) more(a *sent) {
	if a.long() {
		s.notes = append(s.notes, note{alert.TopicText, a})
	}
}

// A page holds between 100 and 200 words.
func (a *sent) long() bool { return a.words > 200 }

// goesAhead says whether s may be shown before other, which was accepted
// earlier in the same lane: only when it was critical by then, and other had
// not begun so.
func (s *story) goesAhead(other *story, shown time.Time) bool {
	return !s.firstCritical.IsZero() && !s.firstCritical.After(shown) && other.opened().severity != alert.Critical
}
