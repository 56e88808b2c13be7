package engine

import (
	"fmt"
	"slices"
	"time"

	"tocsin/alert"
)

// noTime is the zero time.
var noTime time.Time

// silenceFor is the silence that hides the incident's newest alert: of those that
// match, the one that ends last. It is nil if there is none.
func (d *draft) silenceFor(en *entry) *silenceState {
	var found *silenceState
	for _, s := range d.silences {
		if s.Active(d.now) && (found == nil || s.EndsAt.After(found.EndsAt)) && s.Matchers.Match(en.Subject()) {
			found = s
		}
	}
	return found
}

// silenceOf is the silence that keeps the incident quiet now, or nil.
func (d *draft) silenceOf(en *entry) *silenceState {
	if en.Silence == "" {
		return nil
	}
	n := slices.IndexFunc(d.silences, func(s *silenceState) bool { return s.ID == en.Silence && s.Active(d.now) })
	if n < 0 {
		return nil
	}
	return d.silences[n]
}

// reason is why an alert is silenced, in words.
func reason(s alert.Silence) string {
	text := "silence " + s.ID
	if by := s.By.Name; by != "" {
		text += " by " + by
	} else if s.By.ID != "" {
		text += " by " + s.By.ID
	}
	if s.Why != "" {
		text += ": " + s.Why
	}
	return text
}

// hide keeps what a firing alert has changed out of Slack. That a silence hides
// a critical alert is told once in each conversation where people would have
// seen it: a silence is there so that a flood is not read.
func (d *draft) hide(en *entry, s *silenceState, before *alert.Incident) {
	known := before != nil && before.Silence != "" && before.Severity == alert.Critical
	d.applySilence(en, s)
	lanes := slices.DeleteFunc(slices.Clone(en.Lanes), func(lane string) bool { return slices.Contains(s.Told, lane) })
	if en.Severity != alert.Critical || known || len(lanes) == 0 {
		return
	}
	s.Told, s.changed = alert.Union(s.Told, lanes), true
	note := &alert.Note{Topic: alert.TopicHidden, Severity: en.Severity, Text: s.ID, By: s.By, At: s.EndsAt}
	if s.Why != "" {
		note.Text += ": " + s.Why
	}
	d.deliver(en, lanes, alert.Delivery{Kind: alert.Reply, TopLevel: true, Note: note})
}

// applySilence makes the incident one that s keeps quiet.
func (d *draft) applySilence(en *entry, s *silenceState) {
	if en.Silence == s.ID && en.SilencedUntil.Equal(s.EndsAt) {
		return
	}
	d.touch(en)
	en.Silence, en.SilencedUntil = s.ID, s.EndsAt
	switch {
	case en.unshown && !en.waiting:
		en.HeldUntil = s.EndsAt
	case en.unshown && en.HeldUntil.Equal(s.EndsAt):
		en.HeldUntil = en.HeldUntil.Add(time.Microsecond) // so that it can be told that something waits
	}
	d.addHistory(en, alert.Event{Silence: s.ID, Verb: alert.VerbSilence, By: s.By, Text: s.Why})
}

// createSilence begins a silence and returns it with how many incidents it keeps quiet.
func (d *draft) createSilence(s alert.Silence) (alert.Silence, int) {
	d.lastSilence = alert.NextSilenceID(d.lastSilence, d.rules.skip())
	s.ID, s.CreatedAt = d.lastSilence, d.now
	q := &silenceState{Silence: s, changed: true}
	d.silences = append(d.silences, q)
	d.change.History = append(d.change.History, alert.Event{Silence: s.ID, At: d.now, Verb: alert.VerbSilence, By: s.By, Text: s.Why})
	silenced := 0
	for _, en := range d.all {
		if en.State == alert.StateResolved || !s.Matchers.Match(en.Subject()) {
			continue
		}
		silenced++
		d.expireHolds(en)
		if have := d.silenceOf(en); have == nil || have.EndsAt.Before(s.EndsAt) {
			d.applySilence(en, q)
			d.update(en)
			d.addNote(en, alert.Note{Topic: alert.TopicSilenced, By: s.By, Text: s.Why, At: s.EndsAt}, nil)
		}
	}
	return s, silenced
}

// endSilence ends a silence. What it keeps quiet becomes due.
func (d *draft) endSilence(e endRequest) (alert.Silence, error) {
	n := slices.IndexFunc(d.silences, func(s *silenceState) bool { return s.ID == e.id })
	if n < 0 {
		return alert.Silence{}, fmt.Errorf("silence %.20s: %w", e.id, alert.ErrNotFound)
	}
	s := d.silences[n]
	if s.Active(d.now) {
		s.EndsAt, s.EndedBy, s.changed = d.now, e.by, true
		d.change.History = append(d.change.History, alert.Event{Silence: s.ID, At: d.now, Verb: alert.VerbUnsilence, By: e.by})
	}
	return s.Silence, nil
}

// expireHolds ends what kept an incident quiet and is over by now, whether or not
// the clock has looked at it yet. What waits and has ended is shown although a
// silence would hide it.
func (d *draft) expireHolds(en *entry) {
	if en.State != alert.StateResolved && en.Silence != "" && d.silenceOf(en) == nil {
		d.liftSilence(en)
	}
	if en.waiting && !en.HeldUntil.After(d.now) && (en.State == alert.StateResolved || en.Silence == "") {
		d.showNow(en)
	}
}

// liftSilence hands the incident to another silence that matches it, or shows it.
func (d *draft) liftSilence(en *entry) {
	if next := d.silenceFor(en); next != nil {
		d.applySilence(en, next)
		return
	}
	d.touch(en)
	en.Silence, en.SilencedUntil = "", noTime
	if !en.waiting || !en.HeldUntil.After(d.now) {
		d.showNow(en)
	}
}

// showNow shows what nothing keeps quiet any more.
func (d *draft) showNow(en *entry) {
	d.touch(en)
	if en.unshown {
		d.holdOrPost(en)
		return
	}
	en.OpenedAt = d.now
	d.update(en)
	d.addNote(en, alert.Note{Topic: alert.TopicUnsilenced, Severity: en.Severity, Count: en.Count}, nil)
	d.addHistory(en, alert.Event{Verb: alert.VerbShow})
}
