package engine

import (
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// retell has a note say what a firing alert says, if that is something else than before. One
// that flaps says it when it is stable. The first time, the thread also keeps what the card
// said until then. What a group says is that of no alert.
func (d *draft) retell(en *entry, before *alert.Incident, n *alert.Note) {
	if en.Group != nil && en.Group.Total > 1 {
		if n.Topic == alert.TopicEscalated {
			n.Title = en.newest
		}
		return
	}
	d.wordGroup(en)
	if !en.FlappingSince.IsZero() {
		en.Unpaged = en.Unpaged || en.Text != before.Text
		return
	}
	former, changed := en.differ(before, n)
	if !changed {
		return
	}
	d.dropText(en)
	if former != nil {
		d.addNote(en, *former, nil)
	}
}

// differ has a note say what an incident says that it did not say before, and reports whether
// it says something else. former is what its thread has to say first: what the card said until
// then; nil for nothing.
func (en *entry) differ(before *alert.Incident, n *alert.Note) (former *alert.Note, changed bool) {
	retold, renamed := en.Text != before.Text, en.Title != before.Title
	if !retold && !renamed {
		return nil, false
	}
	was := alert.Note{Topic: alert.TopicFormer, Severity: before.Severity}
	n.Latest = n.Topic == alert.TopicRefired
	if renamed {
		was.Title, n.Title = before.Title, en.Title
	}
	if retold {
		brief, whole := alert.Briefly(before.Text)
		was.Text, was.Cut, n.Text = brief, !whole, en.Text
	}
	if before.Retold || was.Title+was.Text == "" {
		return nil, true
	}
	return &was, true
}

// keepText keeps what a firing alert says that is hidden, if that is something else than
// before, for the thread of a card that is there already. What a group of several says, or the
// templates of its route, is that of no alert.
func (en *entry) keepText(before *alert.Incident) {
	if en.unshown || before == nil || before.Group != nil && (en.Group.Total > 1 || before.Group.Plain != nil) {
		return
	}
	n := alert.Note{Topic: alert.TopicRefired, Severity: en.Severity, Count: en.Count, By: alert.Person{Name: en.Source}}
	former, changed := en.differ(before, &n)
	if !changed {
		return
	}
	brief, whole := alert.Briefly(n.Text)
	n.Text, n.Cut = brief, !whole
	if en.Untold == nil && former != nil {
		en.Untold = former
	}
	if en.Untold == nil {
		en.Untold = &n
	} else if both, ok := en.Untold.Fold(n); ok {
		en.Untold = both
	}
}

// addKeptTexts adds replies with what hidden alerts have said: up to four texts, of which the one
// that the card shows now is whole, and where the others are.
func (d *draft) addKeptTexts(en *entry) {
	if en.Untold == nil {
		return
	}
	d.dropText(en)
	notes := en.Untold.Notes()
	last := &notes[len(notes)-1]
	if brief, _ := alert.Briefly(en.Text); brief == last.Text {
		last.Text, last.Cut = en.Text, false
	}
	en.Untold = nil
	for _, n := range notes {
		d.addNote(en, n, nil)
	}
}

// dropText leaves out what the threads do not say yet of the text of an earlier firing
// alert, but for its beginning: the latest counts.
func (d *draft) dropText(en *entry) {
	d.change.Deliveries = slices.DeleteFunc(d.change.Deliveries, func(w alert.Delivery) bool {
		return w.Incident == en.ID && w.Note != nil && outdate(w.Note)
	})
	if d.change.Retold == nil {
		d.change.Retold = map[string]time.Time{}
	}
	d.change.Retold[en.ID] = d.now
}

// outdate cuts a note to what it says once there is a later text, and reports whether that
// is nothing.
func outdate(n *alert.Note) bool {
	left, changed := n.Outdated()
	if changed && left != nil {
		*n = *left
	}
	return left == nil
}

// logFiring adds to the history that an incident is open again, or that an alert says
// something else than before. The first time, the opening gets what it has said.
func (d *draft) logFiring(en *entry, before *alert.Incident, verb alert.Verb) {
	line := alert.Event{Verb: verb, By: alert.Person{Name: en.Source}}
	switch retold := en.Title != before.Title || en.Text != before.Text; {
	case retold && !en.Retold:
		en.Retold = true
		d.change.History = append(d.change.History, alert.Event{
			Incident: en.ID, At: en.FirstAt, Verb: alert.VerbOpen, By: alert.Person{Name: before.Source}, Text: wordsBeside(before, en.Title),
		})
		fallthrough
	case retold:
		line.Text = wordsBeside(&en.Incident, before.Title)
	case verb == alert.VerbRefire:
		return
	}
	d.addHistory(en, line)
}

// wordsBeside is the beginning of what an incident says that is not its title beside another one.
func wordsBeside(i *alert.Incident, title string) string {
	words := i.Text
	if i.Title != title && !strings.HasPrefix(i.Text, strings.TrimSuffix(i.Title, "…")) {
		words = strings.TrimSpace(i.Title + "\n" + i.Text)
	}
	if brief, whole := alert.Briefly(words); !whole {
		return brief + " …"
	}
	return words
}
