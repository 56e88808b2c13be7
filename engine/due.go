package engine

import (
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// decideDue decides what the clock changes: every incident that is due is processed
// and gets its next due time, heartbeats that are due are missing, and
// people are reminded of silences that begin soon.
func decideDue(r rules, now time.Time, snapshot alert.Snapshot) alert.Change {
	d := newDraft(r, now, snapshot)
	for _, en := range d.all {
		if !en.DueAt.IsZero() && !en.DueAt.After(now) {
			d.processDue(en)
		}
	}
	d.processHeartbeats()
	d.remindOfSilences()
	d.finish()
	return d.change
}

// decideAhead corrects incidents whose times are in the future because the clock was put
// back. What was opened or acknowledged in the future counts from now on, so that
// escalations and reminders come no later than they should, and so does what lasts for a
// time after the latest alert. The ends of silences and of
// quiet hours are times on the wall clock and stay.
func decideAhead(r rules, now time.Time, snapshot alert.Snapshot) alert.Change {
	d := newDraft(r, now, snapshot)
	for _, en := range d.all {
		d.touch(en)
		en.OpenedAt = earlier(en.OpenedAt, now)
		en.AckedAt = earlier(en.AckedAt, now)
		en.FlappingSince = earlier(en.FlappingSince, now)
		en.LastAt = earlier(en.LastAt, now)
		if en.ExpiresIn > 0 {
			en.ExpiresAt = earlier(en.ExpiresAt, now.Add(en.ExpiresIn))
		}
		if en.Waiting && en.Group != nil {
			en.HeldUntil = earlier(en.HeldUntil, d.gathersUntil(en))
		}
		en.RemindAt = noTime // nextDue sets it again
	}
	d.finish()
	return d.change
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// processDue decides what happens to one incident that is due.
func (d *draft) processDue(en *entry) {
	d.learnSources()
	d.touch(en)
	en.processed = true
	d.hideDue(en)
	d.processMembers(en)
	d.expireHolds(en)
	d.endFlapping(en)
	if at := en.expiry(); !at.IsZero() && !at.After(d.now) {
		d.expire(en)
	}
	switch {
	case en.State == alert.StateResolved, en.Hidden():
	case en.unshown && en.looks(d.now):
	case en.unshown:
		d.gather(en)
	case en.State == alert.Open:
		d.notifyLate(en)
		d.escalate(en)
	case en.State == alert.Acked:
		d.remind(en)
	}
}

// hideDue hides the incident if a silence has begun, or another incident inhibits it.
func (d *draft) hideDue(en *entry) {
	if en.State == alert.StateResolved {
		return
	}
	if s := d.silenceOf(en); s != nil {
		d.keepSilenced(en, s)
	}
	if en.Hidden() {
		return
	}
	if s := d.silenceFor(en); s != nil {
		d.silence(en, s)
	} else if by, inhibited := d.inhibitorOf(en); inhibited {
		d.inhibit(en, by)
	}
}

// notifyLate notifies people, once quiet hours are over, that the incident fires again.
func (d *draft) notifyLate(en *entry) {
	if en.NotifyAt.IsZero() || en.NotifyAt.After(d.now) {
		return
	}
	en.NotifyAt = noTime
	d.addNote(en, alert.Note{Topic: alert.TopicReopened, Severity: en.Severity, Count: en.Count}, en.Mentions)
}

// escalate performs the escalation steps that are due, in order.
func (d *draft) escalate(en *entry) {
	for at := d.nextStep(en); !at.IsZero() && !at.After(d.now); at = d.nextStep(en) {
		s := d.planOf(en).Steps[en.Escalated]
		en.Escalated++
		d.step(en, s)
	}
}

// step performs one escalation step of an incident that nobody has acknowledged: it
// posts a card in conversations that have none, and replies in the others' threads.
func (d *draft) step(en *entry, s alert.Step) {
	d.addHistory(en, alert.Event{Verb: alert.VerbEscalate, Text: strings.Join(append(slices.Clone(s.To), s.Mention...), " ")})
	to := s.To
	if len(to) == 0 {
		to = en.Lanes
	}
	pings := map[string][]string{}
	for _, lane := range to {
		if slices.Contains(en.Lanes, lane) {
			pings[lane] = s.Mention
		}
	}
	d.addNote(en, alert.Note{
		Topic: alert.TopicUnanswered, Severity: en.Severity, Count: en.Count, After: d.now.Sub(en.OpenedAt),
	}, pings)
	for _, lane := range to {
		if !slices.Contains(en.Lanes, lane) {
			d.join(en, lane, s.Mention)
		}
	}
}

// remind reminds the assignee of an acknowledged incident that it is still open, if
// the reminder is due.
func (d *draft) remind(en *entry) {
	if en.RemindAt.IsZero() || en.RemindAt.After(d.now) {
		return
	}
	en.RemindAt = noTime
	if d.planOf(en).Remind <= 0 {
		return
	}
	pings, to := en.mentionEverywhere(en.Assignee), en.Assignee
	if acker := en.mentionEverywhere(en.AckedBy); len(pings) == 0 && len(acker) > 0 {
		pings, to = acker, en.AckedBy
	}
	d.addHistory(en, alert.Event{Verb: alert.VerbRemind, To: to})
	n := alert.Note{Topic: alert.TopicReminder, Severity: en.Severity, By: en.AckedBy, After: d.now.Sub(en.AckedAt)}
	d.addNote(en, n, pings)
}

// nextDue is when the incident is due next; zero for never.
func (d *draft) nextDue(en *entry) time.Time {
	next := d.nextOfState(en)
	for _, at := range []time.Time{d.stableAt(en), en.expiry(), d.nextSilence(en), en.nextMember(), en.nextNews()} {
		if next.IsZero() || !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	return next
}

// expiry is when the incident expires; zero if it does not.
func (en *entry) expiry() time.Time {
	if en.State == alert.StateResolved {
		return noTime
	}
	return en.ExpiresAt
}

// nextOfState is when the incident is due next because of its state; zero for never.
func (d *draft) nextOfState(en *entry) time.Time {
	switch {
	case en.State == alert.StateResolved && !en.Waiting:
		return noTime
	case en.State == alert.StateResolved:
		return en.HeldUntil
	case en.Silence != "":
		if s := d.silenceOf(en); s != nil {
			return s.Until(d.now)
		}
		return d.now // the silence has just been ended
	case en.InhibitedBy != "":
		return noTime // what inhibits it ends at any time
	case en.unshown:
		return d.nextLook(en)
	case en.State == alert.Open:
		if step := d.nextStep(en); en.NotifyAt.IsZero() || !step.IsZero() && step.Before(en.NotifyAt) {
			return step
		}
		return en.NotifyAt
	}
	en.RemindAt = d.nextReminder(en)
	return en.RemindAt
}

// nextStep is when the next escalation step is due, when nothing is held back; zero if
// there is none.
func (d *draft) nextStep(en *entry) time.Time {
	plan := d.planOf(en)
	if en.Escalated >= len(plan.Steps) {
		return noTime
	}
	return afterHold(plan, en.OpenedAt.Add(plan.Steps[en.Escalated].After), en.Severity)
}

// nextReminder is when the person who acknowledged it is to be reminded, possibly in
// the past; zero for never.
func (d *draft) nextReminder(en *entry) time.Time {
	plan := d.planOf(en)
	switch {
	case plan.Remind <= 0:
		return noTime
	case !en.RemindAt.IsZero() && !en.RemindAt.After(d.now):
		return en.RemindAt
	}
	since := max(d.now.Sub(en.AckedAt), 0)
	return afterHold(plan, en.AckedAt.Add(since-since%plan.Remind+plan.Remind), en.Severity)
}

// afterHold returns at, or the end of the quiet hours or times that at falls into.
func afterHold(plan *alert.Plan, at time.Time, severity alert.Severity) time.Time {
	if held, ok := plan.Hold.At(at, severity); ok {
		return held.Until.UTC()
	}
	return at
}
