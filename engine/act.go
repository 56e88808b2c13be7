package engine

import "tocsin/alert"

// act decides what a person's act changes.
func (d *draft) act(a alert.Act) alert.Acted {
	en := d.byID[a.Incident]
	if en == nil {
		return alert.Acted{Incident: alert.Incident{ID: a.Incident}, Effect: alert.ActUnknown}
	}
	acted := alert.Acted{Incident: alert.Incident{ID: en.ID}, Effect: alert.ActDone}
	key := actKey{a.RequestID, en.ID}
	if did, again := d.done[key]; again && a.RequestID != "" {
		if did != a.Verb {
			acted.Effect = alert.ActAlready
		}
		return acted
	}
	if newer := d.incidents[ref{en.Key, en.Route}]; a.Verb == alert.VerbReopen && newer != nil && later(newer.ID, en.ID) {
		return alert.Acted{Incident: alert.Incident{ID: newer.ID}, Effect: alert.ActNewer}
	}
	d.learnSources()
	d.expireHolds(en)
	switch line := (alert.Event{Verb: a.Verb, By: a.By, To: a.To, Text: a.Text, RequestID: a.RequestID}); {
	case d.perform(en, line):
		d.done[key] = a.Verb
	case a.Text != "":
		// Somebody else was first, but the text is worth keeping.
		d.note(en, line)
		acted.Effect, d.done[key] = alert.ActAlready, alert.VerbNote
	case a.RequestID != "":
		// It changes nothing either if it comes again when something could be changed.
		line.Verb = alert.VerbNothing
		d.addHistory(en, line)
		acted.Effect, d.done[key] = alert.ActAlready, alert.VerbNothing
	default:
		acted.Effect = alert.ActAlready
	}
	return acted
}

// perform changes the incident as line says and reports whether there was anything
// to change.
func (d *draft) perform(en *entry, line alert.Event) bool {
	switch line.Verb {
	case alert.VerbAck:
		return d.ack(en, line)
	case alert.VerbAssign:
		return d.assign(en, line)
	case alert.VerbResolve:
		if en.State == alert.StateResolved {
			return false
		}
		en.ResolvedBy = line.By
		d.setMembers(en, alert.Resolved)
		d.close(en, line, line.Text)
		return true
	case alert.VerbUnack:
		return d.unack(en, line)
	case alert.VerbReopen:
		return d.reopen(en, line)
	case alert.VerbNote:
		d.note(en, line)
		return true
	}
	return false
}

func (d *draft) ack(en *entry, line alert.Event) bool {
	if en.State != alert.Open {
		return false
	}
	d.touch(en)
	d.markAcked(en, line.By)
	if en.Assignee == (alert.Person{}) {
		en.Assignee = line.By
	}
	d.addHistory(en, line)
	d.update(en)
	d.addNote(en, alert.Note{Topic: alert.TopicAcked, By: line.By, Text: line.Text}, nil)
	return true
}

// unack undoes an acknowledgement. Escalation continues where it was: the time for which
// the incident was acknowledged does not count.
func (d *draft) unack(en *entry, line alert.Event) bool {
	if en.State != alert.Acked {
		return false
	}
	d.touch(en)
	had := en.AckedBy
	en.OpenedAt = en.OpenedAt.Add(max(d.now.Sub(en.AckedAt), 0))
	if en.Assignee.Is(had) {
		en.Assignee = alert.Person{}
	}
	en.State, en.AckedBy, en.AckedAt, en.RemindAt = alert.Open, alert.Person{}, noTime, noTime
	d.addUndone(en, line, alert.Note{Topic: alert.TopicUnacked, To: had})
	return true
}

// reopen undoes a resolution. Soon after it everything is as it was before; later the
// incident is open for everybody, like one that fires again.
func (d *draft) reopen(en *entry, line alert.Event) bool {
	if en.State != alert.StateResolved {
		return false
	}
	d.touch(en)
	d.setMembers(en, alert.Firing)
	over := max(d.now.Sub(en.ResolvedAt), 0)
	acked := en.AckedBy
	if en.Expired { // whoever wants it open decides when it ends
		en.ExpiresAt, en.ExpiresIn = noTime, 0
	}
	en.EndedAt, en.Expired = noTime, false
	if over > alert.UndoWithin {
		en.reopen(d.now)
	} else {
		en.OpenedAt = en.OpenedAt.Add(over)
		en.State, en.ResolvedAt, en.ResolvedBy, en.Unsaid = alert.Open, noTime, alert.Person{}, ""
		if !en.AckedAt.IsZero() {
			en.State = alert.Acked
		}
	}
	inhibitor, inhibited := d.inhibitorOf(en)
	switch s := d.silenceFor(en); {
	case s != nil:
		d.applySilence(en, s)
	case inhibited:
		d.inhibit(en, inhibitor)
	case en.unshown:
		d.expireHolds(en)
	default:
		en.unhide()
	}
	note := alert.Note{Topic: alert.TopicUnresolved, After: over}
	if en.State == alert.Open {
		note.To = acked
	}
	d.addUndone(en, line, note)
	return true
}

// addUndone records that somebody undid something. Who had the incident until then is
// mentioned if it was somebody else.
func (d *draft) addUndone(en *entry, line alert.Event, n alert.Note) {
	d.addHistory(en, line)
	d.update(en)
	var pings map[string][]string
	if n.To != (alert.Person{}) && !n.To.Is(line.By) {
		pings = en.mentionEverywhere(n.To)
	}
	n.By, n.Text, n.Severity = line.By, line.Text, en.Severity
	d.addNote(en, n, pings)
}

// assign assigns the incident to somebody, which also acknowledges it: by whoever assigns.
func (d *draft) assign(en *entry, line alert.Event) bool {
	if en.State == alert.StateResolved || en.Assignee.Is(line.To) {
		return false
	}
	d.touch(en)
	if en.State == alert.Open {
		d.markAcked(en, line.By)
	}
	en.Assignee = line.To
	d.addHistory(en, line)
	d.update(en)
	var pings map[string][]string
	if !line.To.Is(line.By) {
		pings = en.mentionEverywhere(line.To)
	}
	d.addNote(en, alert.Note{Topic: alert.TopicAssigned, By: line.By, To: line.To, Text: line.Text}, pings)
	return true
}

// markAcked marks the incident as acknowledged by a person.
func (d *draft) markAcked(en *entry, by alert.Person) {
	en.State, en.AckedBy, en.AckedAt, en.RemindAt = alert.Acked, by, d.now, noTime
}

// note adds a person's note to the history and the thread. The card does not show it.
func (d *draft) note(en *entry, line alert.Event) {
	line.Verb = alert.VerbNote
	d.addHistory(en, line)
	d.addNote(en, alert.Note{Topic: alert.TopicNote, By: line.By, Text: line.Text}, nil)
}
