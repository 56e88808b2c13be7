package engine

import (
	"time"

	"tocsin/alert"
)

// word has the templates of the route say what the card shows of an alert. Where one fails,
// the card is as without them.
func (en *entry) word(a *alert.Alert, plan *alert.Plan, now time.Time) {
	en.Fields, en.SentTitle, en.failed = nil, "", nil
	if a.Message != nil {
		return
	}
	sent := a.Title
	en.Fields, en.failed = plan.Templates.Word(a, plan.Route, en.Count, now)
	if a.Title != sent {
		en.SentTitle = sent
	}
}

// noteFailure says in the thread that a template has failed, unless the card has said the
// same before. before is nil for a new incident.
func (d *draft) noteFailure(en *entry, before *alert.Incident) {
	if en.failed == nil || !en.FlappingSince.IsZero() || before != nil && before.Title == en.Title && before.Text == en.Text {
		return
	}
	d.addNote(en, alert.Note{Topic: alert.TopicTemplate, Text: en.failed.Error()}, nil)
}

// countFailure counts a failed template of the alert that was decided.
func (d *draft) countFailure(en *entry) {
	if en != nil && en.failed != nil {
		d.failures++
		en.failed = nil
	}
}
