package engine

import (
	"slices"

	"tocsin/alert"
)

// post adds the first post of the incident's card in all its lanes.
func (d *draft) post(en *entry) {
	if !en.HeldUntil.IsZero() {
		d.addHistory(en, alert.Event{Verb: alert.VerbShow})
	}
	if en.State != alert.StateResolved {
		en.OpenedAt = d.now
	}
	en.unshown, en.Waiting, en.HeldUntil = false, false, noTime
	en.opener = d.deliver(en, en.Lanes, alert.Delivery{Kind: alert.Post})
	d.deliverPages(en, en.Lanes, alert.Pages(en.Text)[1:])
}

// join adds a lane and posts the card there.
func (d *draft) join(en *entry, lane string, mention []string) {
	en.Lanes = append(slices.Clone(en.Lanes), lane)
	en.mention(lane, mention)
	if en.unshown {
		return
	}
	to := []string{lane}
	d.deliver(en, to, alert.Delivery{Kind: alert.Post})
	d.deliverPages(en, to, alert.Pages(en.Text)[1:])
}

// update adds an edit of each card of the incident.
func (d *draft) update(en *entry) { d.deliver(en, en.Lanes, alert.Delivery{Kind: alert.Update}) }

// deliverPages adds replies with the further pages of a text.
func (d *draft) deliverPages(en *entry, lanes, pages []string) {
	for _, page := range pages {
		d.deliver(en, lanes, alert.Delivery{Kind: alert.Reply, Note: &alert.Note{Topic: alert.TopicMore, Text: page, At: d.now}})
	}
}

// addNote adds a reply with the note in each thread, if the thread policy wants it
// or somebody is mentioned. pings says who is mentioned in which lane.
func (d *draft) addNote(en *entry, n alert.Note, pings map[string][]string) {
	plan := d.planOf(en)
	if !noteWanted(plan.Thread, n) && len(pings) == 0 {
		return
	}
	n.Broadcast = plan.Broadcast && broadcastable(n.Topic)
	if n.At.IsZero() {
		n.At = d.now
	}
	pages := alert.Pages(n.Text)
	n.Text = pages[0]
	for _, lane := range en.Lanes {
		note := n
		who, pinged := pings[lane]
		note.Mention = who
		note.Broadcast = n.Broadcast || pinged && n.Topic == alert.TopicUnanswered
		d.deliver(en, []string{lane}, alert.Delivery{Kind: alert.Reply, Note: &note})
	}
	d.deliverPages(en, en.Lanes, pages[1:])
}

// mentionEverywhere mentions a person in every lane of the incident, if their Slack
// id is known.
func (en *entry) mentionEverywhere(p alert.Person) map[string][]string {
	if id := alert.ParsePerson(p.ID); id.ID == "" || id.Name != "" {
		return nil
	}
	pings := map[string][]string{}
	for _, lane := range en.Lanes {
		pings[lane] = []string{p.ID}
	}
	return pings
}

// noteWanted reports whether a thread policy wants a note. Notes that people wrote,
// and those that routes ask for, are always wanted.
func noteWanted(policy alert.ThreadPolicy, n alert.Note) bool {
	switch n.Topic {
	case alert.TopicNote, alert.TopicUnanswered, alert.TopicReminder:
		return true
	case alert.TopicRefired:
		return policy == alert.ThreadAll
	case alert.TopicResolved, alert.TopicStable, alert.TopicAcked, alert.TopicAssigned, alert.TopicUnacked:
		return policy != alert.ThreadNone || n.Text != ""
	}
	return policy != alert.ThreadNone
}

// broadcastable reports whether a route may show such notes in the channel as well.
func broadcastable(t alert.Topic) bool {
	switch t {
	case alert.TopicResolved, alert.TopicReopened, alert.TopicUnresolved, alert.TopicEscalated, alert.TopicUnanswered, alert.TopicUnsilenced,
		alert.TopicFlapping, alert.TopicStable:
		return true
	}
	return false
}

// deliver adds a delivery for each of the lanes and returns the id of the first.
// An incident without a card, not even a pending one, gets no edits and replies.
func (d *draft) deliver(en *entry, lanes []string, what alert.Delivery) (first string) {
	if en.unshown && !what.TopLevel {
		return ""
	}
	what.Incident, what.State, what.CreatedAt, what.NextAt = en.ID, alert.Pending, d.now, d.now
	what.Priority = en.priority(what)
	for n, lane := range lanes {
		what.ID, what.Lane = alert.NewID(), lane
		if n == 0 {
			first = what.ID
		}
		d.change.Deliveries = append(d.change.Deliveries, what)
	}
	return first
}

// priority is the priority of a delivery. Critical alerts must not wait behind notices
// that something is silenced or resolved, and no alert behind replies that notify
// nobody: there may be many of them at once.
func (en *entry) priority(d alert.Delivery) int {
	notice := d.TopLevel || d.Kind == alert.Reply && en.State == alert.StateResolved
	switch {
	case en.Severity == alert.Critical && !notice:
		return alert.PriorityCritical
	case d.Kind == alert.Reply && !d.Note.Notifies():
		return alert.PriorityQuiet
	}
	return alert.PriorityNormal
}
