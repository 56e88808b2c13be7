package outbox

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/alert"
)

// What a lane may be doing that watchers have to tell from the rest.
const (
	doingHeld = "held"
	doingIdle = "idle"
)

// mostProblems bounds how many broken conversations Health names one by one.
const mostProblems = 10

// status is what a goroutine tells its watchers: what it does and by when it
// means to do something else (zero: it can't know).
type status struct {
	mu      sync.Mutex
	doing   string
	by      time.Time
	problem *alert.Problem
}

func (s *status) set(doing string, by time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doing, s.by = doing, by
}

// trouble notes the conversation's problem, or with nil that it has none.
func (s *status) trouble(p *alert.Problem, known bool) {
	if !known {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem = p
}

func (s *status) read() (doing string, by time.Time, problem *alert.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doing, s.by, s.problem
}

// overdue says by how much the goroutine is past its time.
func (s *status) overdue(now time.Time) (time.Duration, string) {
	doing, by, _ := s.read()
	if by.IsZero() {
		return 0, doing
	}
	return now.Sub(by), doing
}

// trouble says what v tells about its conversation; known is false when it tells
// nothing.
func trouble(lane string, v verdict) (p *alert.Problem, known bool) {
	switch {
	case v.State == alert.Delivered:
		return nil, true
	case v.fail == nil:
		return nil, false
	case v.name == string(alert.ClassDestination) || v.name == string(alert.ClassAuth):
		return &alert.Problem{Lane: lane, What: lane + " can't be reached: " + v.fail.Code, Fix: hint(v.fail,
			"check that the conversation exists and that the app is a member of it")}, true
	}
	return nil, false
}

func hint(fail *alert.SendError, otherwise string) string {
	if fail.Hint != "" {
		return fail.Hint
	}
	return otherwise
}

// lastError keeps the latest failure for people to see.
type lastError struct {
	mu   sync.Mutex
	text string
	at   time.Time
}

func (e *lastError) set(at time.Time, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.text, e.at = text, at
}

func (e *lastError) read() (string, time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text, e.at
}

// Health fills Held, Waiting, LastError, LastErrorAt and Problems; the rest of
// alert.Health is for others to fill.
func (o *Outbox) Health() alert.Health {
	var h alert.Health
	h.LastError, h.LastErrorAt = o.recent.read()
	if p := o.gate.problem(); p != nil {
		h.Held = strings.TrimPrefix(p.What, heldWhat)
		h.Problems = append(h.Problems, *p)
	}
	var broken []alert.Problem
	for _, l := range o.active() {
		doing, _, problem := l.status.read()
		if doing != doingIdle {
			h.Waiting++
		}
		if problem != nil {
			broken = append(broken, *problem)
		}
	}
	slices.SortFunc(broken, func(a, b alert.Problem) int { return strings.Compare(a.What, b.What) })
	if more := len(broken) - mostProblems; more > 0 {
		broken = append(broken[:mostProblems], alert.Problem{
			What: fmt.Sprintf("%d more conversations can't be reached", more), Fix: "see the log",
		})
	}
	if h.Held == "" { // else that is the one thing to mend
		h.Problems = broken
	}
	return h
}

// Moving is for a watchdog: an error says that a lane, or the search for lanes,
// is Options.StuckAfter past the time at which it meant to go on. While
// everything is held, waiting is what lanes are supposed to do.
func (o *Outbox) Moving(now time.Time) error {
	if late, doing := o.scan.overdue(now); late > o.opts.StuckAfter {
		return fmt.Errorf("outbox is stuck: %s, %v late", doing, late.Round(time.Second))
	}
	for _, l := range o.active() {
		if late, doing := l.status.overdue(now); late > o.opts.StuckAfter {
			return fmt.Errorf("lane %s is stuck: %s, %v late", l.name, doing, late.Round(time.Second))
		}
	}
	return nil
}

// active lists the lanes that have a goroutine.
func (o *Outbox) active() []*lane {
	o.mu.Lock()
	defer o.mu.Unlock()
	lanes := make([]*lane, 0, len(o.lanes))
	for _, l := range o.lanes {
		lanes = append(lanes, l)
	}
	return lanes
}
