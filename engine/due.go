package engine

import (
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// decideDue says what the clock changes: each incident that is due gets what its
// time has come for, and its next time.
func decideDue(r rules, now time.Time, snapshot alert.Snapshot) alert.Change {
	d := newDraft(r, now, snapshot)
	for _, en := range d.all {
		if !en.DueAt.IsZero() && !en.DueAt.After(now) {
			d.processDue(en)
		}
	}
	d.finish()
	return d.change
}

// processDue does what an incident is due for.
func (d *draft) processDue(en *entry) {
	d.touch(en)
	d.expireHolds(en)
	if en.State == alert.StateResolved || en.Silence != "" || en.unshown {
		return
	}
	if s := d.silenceFor(en); s != nil {
		// When the silence began more were open than it looked at.
		d.applySilence(en, s)
		return
	}
	switch en.State {
	case alert.Open:
		d.escalate(en)
	case alert.Acked:
		d.remind(en)
	}
}

// escalate takes the steps whose time has come, in order.
func (d *draft) escalate(en *entry) {
	for at := d.nextStep(en); !at.IsZero() && !at.After(d.now); at = d.nextStep(en) {
		s := d.planOf(en).Steps[en.Escalated]
		en.Escalated++
		d.step(en, s)
	}
}

// step tells who else is to hear of an incident that nobody has acknowledged:
// with a card in conversations that have none, else in the thread.
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

// remind tells who acknowledged an incident that it is still open, when it is
// time to.
func (d *draft) remind(en *entry) {
	if en.reminder.IsZero() || en.reminder.After(d.now) {
		return
	}
	en.reminder = noTime
	if d.planOf(en).Remind <= 0 {
		return
	}
	d.addHistory(en, alert.Event{Verb: alert.VerbRemind, To: en.Assignee})
	n := alert.Note{Topic: alert.TopicReminder, Severity: en.Severity, By: en.AckedBy, After: d.now.Sub(en.AckedAt)}
	d.addNote(en, n, en.mentionEverywhere(en.Assignee))
}

// nextDue is when the clock has to look at an incident next; zero for never.
func (d *draft) nextDue(en *entry) time.Time {
	switch {
	case en.State == alert.StateResolved && !en.waiting:
		return noTime
	case en.State == alert.StateResolved:
		return en.HeldUntil
	case en.Silence != "":
		if s := d.silenceOf(en); s != nil {
			return s.EndsAt
		}
		return d.now // somebody has just ended it
	case en.unshown:
		return en.HeldUntil
	case en.State == alert.Open:
		return d.nextStep(en)
	}
	return d.nextReminder(en)
}

// nextStep is when the next step of its escalation is to be taken: not in quiet
// hours. It is zero when there is none.
func (d *draft) nextStep(en *entry) time.Time {
	plan := d.planOf(en)
	if en.Escalated >= len(plan.Steps) {
		return noTime
	}
	return afterQuietHours(plan, en.OpenedAt.Add(plan.Steps[en.Escalated].After), en.Severity)
}

// nextReminder is when who acknowledged it is to be reminded, which may be
// overdue; zero for never.
func (d *draft) nextReminder(en *entry) time.Time {
	plan := d.planOf(en)
	switch {
	case plan.Remind <= 0:
		return noTime
	case !en.reminder.IsZero() && !en.reminder.After(d.now):
		return en.reminder
	}
	since := max(d.now.Sub(en.AckedAt), 0)
	return afterQuietHours(plan, en.AckedAt.Add(since-since%plan.Remind+plan.Remind), en.Severity)
}

// afterQuietHours is at, or the end of the quiet hours that it falls into.
func afterQuietHours(plan *alert.Plan, at time.Time, severity alert.Severity) time.Time {
	if end, quiet := plan.Quiet.Until(at, severity); quiet {
		return end.UTC()
	}
	return at
}
