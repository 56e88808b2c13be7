package engine

import (
	"fmt"
	"slices"
	"time"

	"tocsin/alert"
)

// noTime is the zero time.
var noTime time.Time

// silenceFor returns the silence that matches the incident's newest alert, or all members of
// its group, of several the one that ends last, or nil.
func (d *draft) silenceFor(en *entry) *silenceState {
	subject := d.subjectOf(en)
	return d.latestSilence(func(ms alert.Matchers) bool {
		if en.Group == nil {
			return ms.Match(subject)
		}
		all, _ := en.Group.Match(ms, subject)
		return all
	})
}

func (d *draft) silenceOver(subject alert.Subject) *silenceState {
	return d.latestSilence(func(ms alert.Matchers) bool { return ms.Match(subject) })
}

// latestSilence returns the silence that ends last of those active whose matchers match, or nil.
func (d *draft) latestSilence(match func(alert.Matchers) bool) *silenceState {
	var found *silenceState
	for _, s := range d.silences {
		if s.Active(d.now) && (found == nil || s.Until(d.now).After(found.Until(d.now))) && match(s.Matchers) {
			found = s
		}
	}
	return found
}

// silenceOf returns the silence that silences the incident now, or nil.
func (d *draft) silenceOf(en *entry) *silenceState {
	return d.activeSilence(en.Silence)
}

// activeSilence returns the silence of an id if it hides alerts now, or nil.
func (d *draft) activeSilence(id string) *silenceState {
	n := slices.IndexFunc(d.silences, func(s *silenceState) bool { return s.ID == id && id != "" && s.Active(d.now) })
	if n < 0 {
		return nil
	}
	return d.silences[n]
}

// reason describes the silence of an alert.
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

// hide silences what a firing alert has changed. The first critical alert that a
// silence hides is announced once in each lane that would have shown it, not every
// one: a silence is there to stop a flood.
func (d *draft) hide(en *entry, s *silenceState, before *alert.Incident) {
	known := before != nil && before.Silence != "" && before.Severity == alert.Critical
	d.applySilence(en, s)
	en.keepText(before)
	if en.Severity == alert.Critical && !known {
		d.announce(en, s)
	}
}

// announce says in the lanes of an incident, once in each, that a silence hides a critical
// alert.
func (d *draft) announce(en *entry, s *silenceState) {
	lanes := slices.DeleteFunc(slices.Clone(en.Lanes), func(lane string) bool { return slices.Contains(s.AnnouncedIn, lane) })
	if len(lanes) == 0 {
		return
	}
	s.AnnouncedIn, s.changed = alert.Union(s.AnnouncedIn, lanes), true
	note := &alert.Note{Topic: alert.TopicHidden, Severity: alert.Critical, Text: s.ID, By: s.By, At: s.Until(d.now)}
	if s.Why != "" {
		note.Text += ": " + s.Why
	}
	d.deliver(en, lanes, alert.Delivery{Kind: alert.Reply, TopLevel: true, Note: note})
}

// applySilence silences the incident by s.
func (d *draft) applySilence(en *entry, s *silenceState) {
	until := s.Until(d.now)
	if en.Silence == s.ID && en.SilencedUntil.Equal(until) {
		return
	}
	d.touch(en)
	en.Silence, en.SilencedUntil, en.InhibitedBy = s.ID, until, ""
	en.RemindAt = noTime
	if en.unshown && !en.Waiting {
		en.HeldUntil = until
	}
	d.addHistory(en, alert.Event{Silence: s.ID, Verb: alert.VerbSilence, By: s.By, Text: s.Why})
}

// createSilence creates a silence and returns it.
func (d *draft) createSilence(s alert.Silence) alert.Silence {
	d.lastSilence = alert.NextSilenceID(d.lastSilence, d.rules.skip())
	s.ID, s.CreatedAt, s.UpdatedAt = d.lastSilence, d.now, d.now
	if !s.StartsAt.After(d.now) {
		s.StartsAt = noTime
	}
	q := &silenceState{Silence: s}
	d.silences = append(d.silences, q)
	d.silenceOpen(q)
	return s
}

// silenceOpen hides what is open by a silence that is new or changed.
func (d *draft) silenceOpen(q *silenceState) {
	s := q.Silence
	q.changed = true
	d.change.History = append(d.change.History, alert.Event{Silence: s.ID, At: d.now, Verb: alert.VerbSilence, By: s.By, Text: s.Why})
	for _, en := range d.all {
		if en.State == alert.StateResolved || d.silencesMembers(s, en) || !s.Matchers.Match(d.subjectOf(en)) {
			continue
		}
		d.expireHolds(en)
		switch have := d.silenceOf(en); {
		case !s.Active(d.now):
			d.touch(en) // it is due when the silence begins
		case have == q:
			d.keepSilenced(en, q)
		case have == nil || have.Until(d.now).Before(s.Until(d.now)):
			d.silence(en, q)
		}
	}
}

// changeSilence changes the end, the person and the reason of a silence, and when it begins if
// it has not yet. If anything else is different, or it is over, a new one takes its place.
func (d *draft) changeSilence(s alert.Silence) (alert.Silence, error) {
	n := slices.IndexFunc(d.silences, func(q *silenceState) bool { return q.ID == s.ID })
	if n < 0 {
		return alert.Silence{}, fmt.Errorf("silence %.20s: %w", s.ID, alert.ErrNotFound)
	}
	q := d.silences[n]
	s.Every, s.Channel = q.Every, q.Channel
	if !q.CanBecome(s, d.now) {
		made := d.createSilence(s)
		_, err := d.endSilence(endRequest{q.ID, s.By}) // the new one hides already what this one did
		return made, err
	}
	if q.StartsAt.After(d.now) {
		q.StartsAt = s.StartsAt
	}
	if !q.EndsAt.Equal(s.EndsAt) { // members of groups say until when they are hidden
		d.change.Woken = append(d.change.Woken, alert.Wake{By: q.ID, At: d.now})
	}
	q.EndsAt, q.By, q.Why, q.UpdatedAt = s.EndsAt, s.By, s.Why, d.now
	d.silenceOpen(q)
	return q.Silence, nil
}

// keepSilenced has the cards say until when the silence that hides the incident does now.
func (d *draft) keepSilenced(en *entry, s *silenceState) {
	if !en.SilencedUntil.Equal(s.Until(d.now)) {
		d.applySilence(en, s)
		d.update(en)
	}
}

// silencesMembers reports whether a silence is not about a group as a whole. If it may match
// some of the members, those are looked at.
func (d *draft) silencesMembers(s alert.Silence, en *entry) bool {
	if en.Group == nil {
		return false
	}
	all, some := en.Group.Match(s.Matchers, d.subjectOf(en))
	if some && !all && !s.Over(d.now) && en.Group.Fires() > 0 {
		d.touch(en)
		g := en.Group.Clone()
		g.DueAt = d.now
		en.Group = g
		d.change.Woken = append(d.change.Woken, alert.Wake{Incident: en.ID, At: d.now})
	}
	return !all
}

// silence silences the incident by s, and says so.
func (d *draft) silence(en *entry, s *silenceState) {
	d.applySilence(en, s)
	d.update(en)
	d.addNote(en, alert.Note{Topic: alert.TopicSilenced, By: s.By, Text: s.Why, At: s.Until(d.now)}, nil)
}

// nextSilence is when the next silence begins that hides the incident; zero if none does.
func (d *draft) nextSilence(en *entry) (next time.Time) {
	if en.State == alert.StateResolved {
		return noTime
	}
	return d.nextSilenceOver(d.subjectOf(en))
}

// nextSilenceOver is when the next silence begins that matches; zero if none does.
func (d *draft) nextSilenceOver(subject alert.Subject) (next time.Time) {
	for _, s := range d.silences {
		at := s.Next(d.now)
		if !at.IsZero() && (next.IsZero() || at.Before(next)) && s.Matchers.Match(subject) {
			next = at
		}
	}
	return next
}

// endSilence ends a silence early. The store makes the incidents it silenced due.
func (d *draft) endSilence(e endRequest) (alert.Silence, error) {
	n := slices.IndexFunc(d.silences, func(s *silenceState) bool { return s.ID == e.id })
	if n < 0 {
		return alert.Silence{}, fmt.Errorf("silence %.20s: %w", e.id, alert.ErrNotFound)
	}
	s := d.silences[n]
	if !s.Over(d.now) {
		s.EndsAt, s.EndedBy, s.UpdatedAt, s.changed = d.now, e.by, d.now, true
		d.change.History = append(d.change.History, alert.Event{Silence: s.ID, At: d.now, Verb: alert.VerbUnsilence, By: e.by})
	}
	return s.Silence, nil
}

// expireHolds ends what hides the incident, or quiet hours or times, if that is over by now,
// even if the clock has not processed that yet. A resolved incident that waits for
// its first card is posted even if a silence matches it.
func (d *draft) expireHolds(en *entry) {
	if en.State != alert.StateResolved && en.Hidden() && !d.isHidden(en) {
		d.lift(en)
	}
	waits := en.Waiting || en.unshown && en.State != alert.StateResolved
	if en.looks(d.now) {
		return
	}
	if waits && !en.HeldUntil.After(d.now) && (en.State == alert.StateResolved || !en.Hidden()) {
		d.showNow(en, alert.TopicUnsilenced)
	}
}

// isHidden reports whether what hides the incident still does.
func (d *draft) isHidden(en *entry) bool {
	if en.InhibitedBy == "" {
		return d.silenceOf(en) != nil
	}
	by, inhibited := d.inhibitorOf(en)
	return inhibited && by.ID == en.InhibitedBy
}

// unhide forgets what hid the incident.
func (en *entry) unhide() { en.Silence, en.SilencedUntil, en.InhibitedBy = "", noTime, "" }

// remindOfSilences reminds people of the silences that begin soon, each where it was made or,
// where that is not known, in the default conversation.
func (d *draft) remindOfSilences() {
	for _, s := range d.silences {
		at, begins := s.Reminder(d.now)
		if begins.IsZero() || at.After(d.now) {
			continue
		}
		s.RemindedOf, s.changed = begins, true
		en := &entry{Incident: s.RemindingIncident(begins)}
		en.ID, en.Route, en.Lanes = d.nextID(), alert.DefaultRoute, []string{d.rules.routing.Default}
		if lane := d.aliases.Lane(s.Channel); lane != "" && lane != d.rules.routing.Default {
			en.Route, en.Lanes = alert.ChannelRoute(lane), []string{lane}
		}
		en.FirstAt, en.LastAt, en.OpenedAt, en.ResolvedAt = d.now, d.now, d.now, d.now
		d.index(en)
		d.touch(en)
		d.post(en)
	}
}

// expectReminders remembers when people are to be reminded of silences.
func (e *Engine) expectReminders(now time.Time, all []alert.Silence) {
	for _, s := range all {
		if at, _ := s.Reminder(now); at.After(now) {
			e.dueBy(at)
		}
	}
}

// lift hides the incident by something else that does, or shows it.
func (d *draft) lift(en *entry) {
	next := d.silenceFor(en)
	if next == nil {
		next = d.silenceOfMembers(en)
	}
	if next != nil {
		d.applySilence(en, next)
		d.update(en)
		return
	}
	if by, inhibited := d.inhibitorOf(en); inhibited {
		d.inhibit(en, by)
		return
	}
	d.touch(en)
	over := alert.TopicUnsilenced
	if en.InhibitedBy != "" {
		over = alert.TopicUninhibited
	}
	en.unhide()
	if !en.Waiting || !en.HeldUntil.After(d.now) {
		d.showNow(en, over)
	}
}

// showNow shows an incident that nothing holds back any more. Where it was shown before,
// over says what is over.
func (d *draft) showNow(en *entry, over alert.Topic) {
	d.touch(en)
	if en.unshown {
		d.holdOrPost(en)
		return
	}
	en.OpenedAt = d.now
	d.update(en)
	d.addNote(en, alert.Note{Topic: over, Severity: en.Severity, Count: en.Count}, nil)
	d.addKeptTexts(en)
	d.addHistory(en, alert.Event{Verb: alert.VerbShow})
}
