package outbox

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/alert"
)

// What Health distinguishes among the things that a lane may be doing.
const (
	doingHeld = "held"
	doingIdle = "idle"
)

// mostProblems is how many broken conversations Health lists one by one.
const mostProblems = 10

// status is what a goroutine is doing, for those who watch it, and by when it will
// do something else (zero: it can't know).
type status struct {
	mu    sync.Mutex
	doing string
	by    time.Time
	// refused is set while Slack refuses the app in this lane alone.
	refused *alert.Problem
	// trials are those of the lane's posts and of its updates: a working update says
	// nothing about posts.
	trials [2]trial
}

// trial is a delivery, or several in turn, that a lane has been trying to send since
// the last one got through; zero if there is none. reason is the latest failure.
type trial struct {
	since time.Time
	// created is when the delivery was created, if an earlier run may have tried it; else
	// zero. Once it fails in this run, too, it has been late since then.
	created time.Time
	reason  string
	// pause is when the pause ends that is all that Slack has answered so far; zero once it
	// has answered more. Until then the delivery is not late.
	pause time.Time
}

func (s *status) trial(kind alert.Kind) *trial {
	if kind == alert.Update {
		return &s.trials[1]
	}
	return &s.trials[0]
}

// try notes that a delivery is being attempted.
func (s *status) try(job alert.Job, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.trial(job.Kind)
	if !t.since.IsZero() {
		return
	}
	t.since = now
	if job.Attempts > 0 || job.Unsure || job.Class != "" {
		t.created = job.CreatedAt
	}
}

// failed notes why an attempt has failed.
func (t *trial) failed(reason string) {
	t.since, t.reason = earliest(t.since, t.created), reason
}

// onlyPauses is why posts are late whose every answer is a short pause.
const onlyPauses = "Slack answers only with pauses"

// tried notes what an attempt led to. What waits for its turn is not late, nor is an
// edit that is throttled, because all edits share one pace. A long pause is noted
// otherwise (see longPauses).
func (s *status) tried(kind alert.Kind, v verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.trial(kind)
	pending := v.State == alert.Pending || v.State == alert.Sending
	switch reason := v.lateReason(kind); {
	case pending && reason != "":
		t.pause = time.Time{}
		if reason == onlyPauses && t.reason == "" && t.created.IsZero() {
			t.pause = v.NextAt
		}
		t.failed(reason)
	case pending && v.name == nameLookAgain:
	default:
		*t = trial{}
	}
}

// lateReason is why a delivery is late that was decided about, or empty if it is not.
func (v verdict) lateReason(kind alert.Kind) string {
	switch {
	case v.fail == nil || v.effect.hold:
		return ""
	case v.fail.Class != alert.ClassThrottled:
		return v.fail.Error()
	case v.name == string(alert.ClassThrottled) && kind != alert.Update && !v.longPause():
		return onlyPauses
	}
	return ""
}

// idle notes that the lane has nothing to send.
func (s *status) idle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trials = [2]trial{}
}

// undelivered returns since when the lane has been trying to send something, or has
// been doing something for longer than it may take, and why. The time is zero if
// neither is the case.
func (s *status) undelivered(now time.Time) (since time.Time, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.by.IsZero() && s.by.Before(now) {
		since, reason = s.by, s.doing
	}
	for _, t := range s.trials {
		if late := latest(t.since, t.pause); !late.IsZero() && (since.IsZero() || late.Before(since)) {
			since, reason = late, t.reason
		}
	}
	return since, reason
}

func (s *status) set(doing string, by time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doing, s.by = doing, by
}

// setRefusal notes whether Slack refuses the app in a lane.
func (s *status) setRefusal(lane string, v verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case v.effect.hold:
		since := v.Now
		if s.refused != nil {
			since = s.refused.Since
		}
		s.refused = &alert.Problem{Code: alert.ProblemRefused, Lane: lane, Blocks: true, Since: since, What: "Slack refuses the app in " + lane + ": " + v.fail.Code, Fix: hint(v.fail, tokenHint)}
	case v.State == alert.Delivered:
		s.refused = nil
	}
}

func (s *status) refusal() *alert.Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

func (s *status) read() (doing string, by time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doing, s.by
}

// overdue returns by how much the goroutine is past its time.
func (s *status) overdue(now time.Time) (time.Duration, string) {
	doing, by := s.read()
	if by.IsZero() {
		return 0, doing
	}
	return now.Sub(by), doing
}

func hint(fail *alert.SendError, otherwise string) string {
	if fail.Hint != "" {
		return fail.Hint
	}
	return otherwise
}

// lastError is the latest failure, for people to see.
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

// again sets why it fails, and keeps since when it has been failing.
func (e *lastError) again(at time.Time, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.text == "" {
		e.at = at
	}
	e.text = text
}

func (e *lastError) read() (string, time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text, e.at
}

// Health returns Held, Waiting, LastError, LastErrorAt, Problems and Notes; others
// fill the rest of alert.Health.
func (o *Outbox) Health() alert.Health {
	var h alert.Health
	h.LastError, h.LastErrorAt = o.recent.read()
	for _, l := range o.active() {
		if doing, _ := l.status.read(); doing != doingIdle {
			h.Waiting++
		}
		if p := l.status.refusal(); p != nil {
			h.Notes = append(h.Notes, *p)
		}
	}
	if p := o.gate.problem(); p != nil { // the one thing to fix
		h.Held = strings.TrimPrefix(p.What, heldWhat)
		h.Problems, h.Notes = []alert.Problem{*p}, nil
		return h
	}
	r := o.destinations.known()
	for _, m := range r.sorted() {
		h.Notes = append(h.Notes, o.problem(r, m))
	}
	slices.SortStableFunc(h.Notes, blockingFirst)
	h.Notes = atMost(append(h.Notes, o.longPauses.notes(time.Now())...))
	if why, since := o.lastResortError.read(); why != "" {
		h.Problems = append(h.Problems, alert.Problem{Code: alert.ProblemLastResort, Since: since, What: "the last resort fails: " + why, Fix: "see the log, and try delivery.last_resort in a shell"})
	}
	return h
}

// blockingFirst orders what keeps alerts waiting before what does not.
func blockingFirst(a, b alert.Problem) int {
	switch {
	case a.Blocks == b.Blocks:
		return strings.Compare(a.What, b.What)
	case a.Blocks:
		return -1
	}
	return 1
}

// Undelivered returns the lanes whose oldest due delivery is being tried or overdue.
// Those that wait because of a problem that Health reports are left out. A broken lane
// with a fallback is not: what goes there has to get through, too.
func (o *Outbox) Undelivered(now time.Time) []alert.Undelivered {
	if o.gate.problem() != nil {
		return nil
	}
	r := o.destinations.known()
	var all []alert.Undelivered
	for _, l := range o.active() {
		since, reason := l.status.undelivered(now)
		_, broken := r.broken[l.name]
		if broken && r.fallbackFor(l.name) == "" || since.IsZero() || l.status.refusal() != nil {
			continue
		}
		u := alert.Undelivered{Lane: l.name, Since: since, Reason: reason}
		if reason == onlyPauses {
			u.Fix = "see whether another program posts too much to Slack; if alerts are too many, send fewer to one conversation (group_by, routes); they are kept, and Tocsin keeps trying"
		}
		all = append(all, u)
	}
	return all
}

// blocksAlerts reports whether alerts wait, or will wait, because of a broken
// destination. They do not while the fallback is used, or when nobody sends there.
func (o *Outbox) blocksAlerts(r reachability, m mark) bool {
	if r.fallbackFor(m.Lane) != "" {
		return false
	}
	_, fallbackBroken := r.broken[r.fallback]
	return fallbackBroken && len(r.broken) > 1 || o.hasPending(m.Lane)
}

// problem describes a broken destination and how to fix it.
func (o *Outbox) problem(r reachability, m mark) alert.Problem {
	p := alert.Problem{Code: alert.ProblemDestination, Lane: m.Lane, Blocks: o.blocksAlerts(r, m), What: m.Lane + " can't be reached: " + m.Code, Fix: m.Hint, Since: m.Since}
	if p.Fix == "" {
		p.Fix = "check that the conversation exists and that the app is a member of it"
	}
	switch {
	case r.fallback == m.Lane:
		p.What += "; it is the fallback for all others"
	case r.fallbackFor(m.Lane) != "":
		p.What += "; alerts for it are sent to " + r.fallback
		if why := o.failing(m.Lane); why != "" && !strings.HasPrefix(why, m.Code) {
			p.What += ", which fails at the moment: " + why
		}
	case p.Blocks:
		p.What += "; alerts for it wait"
	}
	return p
}

// failing returns why a lane's latest attempt has failed, or empty if it has not.
func (o *Outbox) failing(lane string) string {
	o.mu.Lock()
	l := o.lanes[lane]
	o.mu.Unlock()
	if l == nil {
		return ""
	}
	_, reason := l.status.undelivered(time.Time{})
	return reason
}

// atMost shortens a list of conversations that can't be reached or have to wait.
func atMost(all []alert.Problem) []alert.Problem {
	if more := len(all) - mostProblems; more > 0 {
		all = append(all[:mostProblems], alert.Problem{Code: alert.ProblemDestination, What: fmt.Sprintf("%d more conversations can't be reached, or wait", more), Fix: "see the log"})
	}
	return all
}

// Moving is for a watchdog. An error means that a lane, or the search for lanes, is
// stuckAfter past the time at which it should have continued. While all
// deliveries are held, lanes are supposed to wait.
func (o *Outbox) Moving(now time.Time) error {
	if late, doing := o.scan.overdue(now); late > stuckAfter {
		return fmt.Errorf("outbox is stuck: %s, %v late", doing, late.Round(time.Second))
	}
	for _, l := range o.active() {
		if late, doing := l.status.overdue(now); late > stuckAfter {
			return fmt.Errorf("lane %s is stuck: %s, %v late", l.name, doing, late.Round(time.Second))
		}
	}
	return nil
}

// active returns the lanes that are not retired.
func (o *Outbox) active() []*lane {
	o.mu.Lock()
	defer o.mu.Unlock()
	lanes := make([]*lane, 0, len(o.lanes))
	for _, l := range o.lanes {
		lanes = append(lanes, l)
	}
	return lanes
}
