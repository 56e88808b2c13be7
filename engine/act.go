package engine

import "tocsin/alert"

// act decides about what a person wants done with an incident.
func (d *draft) act(a alert.Act) alert.Acted {
	en := d.byID[a.Incident]
	if en == nil {
		return alert.Acted{Incident: alert.Incident{ID: a.Incident}, Effect: alert.ActUnknown}
	}
	acted := alert.Acted{Incident: alert.Incident{ID: en.ID}, Effect: alert.ActDone}
	name := actKey{a.RequestID, en.ID}
	if a.RequestID != "" && d.done[name] {
		return acted
	}
	d.expireHolds(en)
	switch line := (alert.Event{Verb: a.Verb, By: a.By, To: a.To, Text: a.Text, RequestID: a.RequestID}); {
	case d.perform(en, line):
	case a.Text != "":
		// What it says is worth keeping although somebody else was first.
		d.note(en, line)
		acted.Effect = alert.ActAlready
	default:
		acted.Effect = alert.ActAlready
		return acted
	}
	d.done[name] = true
	return acted
}

// perform changes the incident as the line of its history is to say, and says
// whether there was anything to change.
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
		d.close(en, line, line.Text)
		return true
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

// assign gives the incident to somebody, who has taken it thereby.
func (d *draft) assign(en *entry, line alert.Event) bool {
	if en.State == alert.StateResolved || en.Assignee.Is(line.To) {
		return false
	}
	d.touch(en)
	if en.State == alert.Open {
		d.markAcked(en, line.To)
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

// markAcked makes the incident acknowledged.
func (d *draft) markAcked(en *entry, by alert.Person) {
	en.State, en.AckedBy, en.AckedAt, en.reminder = alert.Acked, by, d.now, noTime
}

// note adds what a person says. The card shows nothing of it.
func (d *draft) note(en *entry, line alert.Event) {
	line.Verb = alert.VerbNote
	d.addHistory(en, line)
	d.addNote(en, alert.Note{Topic: alert.TopicNote, By: line.By, Text: line.Text}, nil)
}
