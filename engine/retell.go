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
	retold, renamed := en.Text != before.Text, en.Title != before.Title
	switch {
	case !en.FlappingSince.IsZero():
		en.Unpaged = en.Unpaged || retold
		return
	case !retold && !renamed:
		return
	}
	d.dropText(en)
	former := alert.Note{Topic: alert.TopicFormer, Severity: before.Severity}
	n.Latest = n.Topic == alert.TopicRefired
	if renamed {
		former.Title, n.Title = before.Title, en.Title
	}
	if retold {
		brief, whole := alert.Briefly(before.Text)
		former.Text, former.Cut, n.Text = brief, !whole, en.Text
	}
	if !before.Retold && former.Title+former.Text != "" {
		d.addNote(en, former, nil)
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
