package engine

import (
	"slices"

	"tocsin/alert"
)

// post adds the first post of the incident's card in all its lanes.
func (d *draft) post(en *entry) {
	if !en.HeldUntil.IsZero() && !en.HeldUntil.Equal(d.gathersUntil(en)) {
		d.addHistory(en, alert.Event{Verb: alert.VerbShow})
	}
	if en.State != alert.StateResolved {
		en.OpenedAt = d.now
	}
	d.wordGroup(en)
	en.unshown, en.Waiting, en.HeldUntil = false, false, noTime
	en.opener = d.deliver(en, en.Lanes, alert.Delivery{Kind: alert.Post})
	d.deliverRest(en, en.Lanes, en.cardText(), true)
	d.deliverImages(en, en.Lanes)
	if en.Retold {
		d.addNote(en, alert.Note{Topic: alert.TopicOthers}, nil)
	}
	d.listMembers(en)
	d.noteFailure(en, "")
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
	d.deliverRest(en, to, en.cardText(), true)
	d.deliverImages(en, to)
}

// update adds an edit of each card of the incident.
func (d *draft) update(en *entry) { d.deliver(en, en.Lanes, alert.Delivery{Kind: alert.Update}) }

// cardText is the text of which the card shows the first page; empty for a message, which is
// shown whole.
func (en *entry) cardText() string {
	if en.Message != nil {
		return ""
	}
	return en.Text
}

// deliverRest adds replies with what the first page of a text does not say. latest is set
// for the text of the latest firing alert.
func (d *draft) deliverRest(en *entry, lanes []string, text string, latest bool) {
	for _, n := range alert.AfterFirstPage(text) {
		n.At, n.Latest = d.now, latest
		d.deliver(en, lanes, alert.Delivery{Kind: alert.Reply, Note: &n})
	}
}

// deliverImages adds replies with the images that Slack can't fetch.
func (d *draft) deliverImages(en *entry, lanes []string) {
	for _, i := range en.Images {
		if i.Fetch && en.Message == nil {
			d.deliver(en, lanes, alert.Delivery{Kind: alert.Reply, Note: &alert.Note{Topic: alert.TopicImage, Text: i.URL, At: d.now}})
		}
	}
}

// addNote adds a reply with the note in each thread, if the thread policy wants it
// or somebody is mentioned. pings says who is mentioned in which lane. What does not fit
// on a page always goes there.
func (d *draft) addNote(en *entry, n alert.Note, pings map[string][]string) {
	plan := d.planOf(en)
	text, latest := n.Text, n.Latest || n.Topic == alert.TopicReopened || n.Topic == alert.TopicEscalated
	if !noteWanted(plan.Thread, n) && len(pings) == 0 {
		d.deliverRest(en, en.Lanes, text, latest)
		return
	}
	n.Broadcast = n.Broadcast || plan.Broadcast && broadcastable(n.Topic)
	if n.At.IsZero() {
		n.At = d.now
	}
	n.Text = alert.Pages(text, 1)[0]
	for _, lane := range en.Lanes {
		note := n
		who, pinged := pings[lane]
		note.Mention, note.Latest = who, n.Latest && len(who) == 0 // nobody's mention is replaced
		note.Broadcast = n.Broadcast || pinged && n.Topic == alert.TopicUnanswered
		d.deliver(en, []string{lane}, alert.Delivery{Kind: alert.Reply, Note: &note})
	}
	d.deliverRest(en, en.Lanes, text, latest)
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
		return policy == alert.ThreadAll || n.Latest && policy != alert.ThreadNone
	case alert.TopicResolved, alert.TopicStable, alert.TopicAcked, alert.TopicAssigned, alert.TopicUnacked:
		return policy != alert.ThreadNone || n.Text != ""
	}
	return policy != alert.ThreadNone
}

// broadcastable reports whether a route may show such notes in the channel as well.
func broadcastable(t alert.Topic) bool {
	switch t {
	case alert.TopicResolved, alert.TopicReopened, alert.TopicUnresolved, alert.TopicEscalated, alert.TopicUnanswered, alert.TopicUnsilenced,
		alert.TopicUninhibited, alert.TopicFlapping, alert.TopicStable:
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
// nobody: there may be many of them at once. What a text says is never urgent: the card
// shows its beginning.
func (en *entry) priority(d alert.Delivery) int {
	notice := d.TopLevel || d.Kind == alert.Reply && en.State == alert.StateResolved
	switch {
	case d.Note.SaysText():
		return alert.PriorityQuiet
	case en.Severity == alert.Critical && !notice:
		return alert.PriorityCritical
	case d.Kind == alert.Reply && !d.Note.Notifies():
		return alert.PriorityQuiet
	}
	return alert.PriorityNormal
}
