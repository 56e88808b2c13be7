package engine

import (
	"cmp"
	"slices"
	"time"

	"tocsin/alert"
)

// word has the templates of the route say what the card shows of an alert. Where one fails,
// the card is as without them.
func (en *entry) word(a *alert.Alert, plan *alert.Plan, now time.Time) {
	en.Fields, en.SentTitle, en.Unworded, en.failed = nil, "", "", false
	if a.Message != nil {
		return
	}
	sent := a.Title
	fields, err := plan.Templates.Word(a, plan.Route, en.Count, now)
	if en.Fields = fields; err != nil {
		en.Unworded, en.failed = err.Error(), true
	}
	if a.Title != sent {
		en.SentTitle = sent
	}
}

// wordGroup has the templates of the route say what the card of a group shows, if its members
// have changed since. Cards that are shown already say that one fails.
func (d *draft) wordGroup(en *entry) {
	if en.Group == nil || !en.reword {
		return
	}
	en.reword = false
	en.Unword()
	before := en.Unworded
	en.Unworded = ""
	if err := d.planOf(en).Templates.WordGroup(&en.Incident, d.listed(en), d.now); err != nil {
		en.Unworded = err.Error()
		d.failures++
	}
	if !en.unshown {
		d.noteFailure(en, before)
	}
}

// listed are the members of a group that templates see: those that fire and that nothing
// hides, worst first, then those that are resolved, the latest first.
func (d *draft) listed(en *entry) []alert.GroupMember {
	var fire, over []alert.GroupMember
	for _, m := range d.groups[en.ID] {
		switch {
		case m.Status != alert.Firing && m.N > 0:
			over = append(over, m.GroupMember)
		case m.Status == alert.Firing && !m.Hidden():
			fire = append(fire, m.GroupMember)
		}
	}
	slices.SortFunc(fire, func(a, b alert.GroupMember) int { return cmp.Or(a.Rank()-b.Rank(), a.N-b.N) })
	slices.SortFunc(over, func(a, b alert.GroupMember) int { return cmp.Or(b.EndedAt.Compare(a.EndedAt), b.N-a.N) })
	return append(fire[:min(len(fire), alert.TemplateMembers)], over[:min(len(over), alert.TemplateMembers)]...)
}

// noteFailure says in the thread that a template fails, unless it has said the same before.
func (d *draft) noteFailure(en *entry, before string) {
	if en.Unworded != "" && en.Unworded != before && en.FlappingSince.IsZero() {
		d.addNote(en, alert.Note{Topic: alert.TopicTemplate, Text: en.Unworded}, nil)
	}
}

// countFailure counts a failed template of the alert that was decided.
func (d *draft) countFailure(en *entry) {
	if en != nil && en.failed {
		d.failures++
		en.failed = false
	}
}

// wordsGroups reports whether a route has templates for its groups.
func wordsGroups(routing alert.Routing) bool {
	return slices.ContainsFunc(routing.Routes, func(r alert.Route) bool { return len(r.GroupBy) > 0 && !r.Templates.Empty() })
}
