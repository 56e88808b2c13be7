package engine

import (
	"cmp"
	"slices"
	"strings"

	"tocsin/alert"
)

// resolve decides a resolved alert: it resolves the incidents and members of its key, or with
// a channel only those of its own route. If there are none, it is posted as an incident
// that is resolved already, so that no alert gets lost.
func (d *draft) resolve(a alert.Alert, subject alert.Subject, plans []alert.Plan) (all []verdict) {
	if all = d.resolveOpen(a, plans); len(all) > 0 {
		return all
	}
	for n := range plans {
		all = append(all, d.resolveUnknown(a, subject, &plans[n]))
	}
	return all
}

// resolveOpen resolves what is open of the alert's key. It returns the verdicts about incidents
// of the alert's own plans or, if there are none, the first.
func (d *draft) resolveOpen(a alert.Alert, plans []alert.Plan) (all []verdict) {
	all = d.resolveFiring(a, plans[0].Route)
	for _, en := range d.toResolve(a, plans[0].Route) {
		said, plan := a, alert.PlanBy(plans, en.Route)
		_, err := plan.Templates.Word(&said, plan.Route, en.Count, d.now)
		all = append(all, d.resolveIncident(en, said))
		en.failed = err != nil
		d.countFailure(en)
	}
	own := slices.DeleteFunc(slices.Clone(all), func(v verdict) bool {
		return !slices.ContainsFunc(plans, func(p alert.Plan) bool { return p.Route == v.en.Route })
	})
	if len(own) > 0 {
		return own
	}
	return all[:min(len(all), 1)]
}

// resolveUnknown decides by one plan a resolved alert of whose key nothing is open.
func (d *draft) resolveUnknown(a alert.Alert, subject alert.Subject, plan *alert.Plan) verdict {
	own, grouped := d.incidents[ref{a.Key, plan.Route}], plan.Group.Takes(a)
	if en := d.groupOf(subject, plan); grouped && en != nil {
		return d.resolveUnknownMember(en, a)
	}
	if own == nil && a.Channel == "" {
		own = d.latest(a.Key)
	}
	if own != nil {
		return d.resolveAgain(own)
	}
	if grouped {
		return d.openResolved(a, subject, plan)
	}
	en := d.open(a, a.Key, subject, plan)
	en.Count = 0
	v := d.present(en, alert.EffectResolved, nil)
	en.State, en.ResolvedAt = alert.StateResolved, d.now
	d.endAsSaid(en, a)
	return v
}

// isOpen reports whether an incident of a key is not resolved.
func (d *draft) isOpen(key string) bool {
	return slices.ContainsFunc(d.byKey[key], func(en *entry) bool { return en.State != alert.StateResolved }) ||
		slices.ContainsFunc(d.memberships[key], func(m *memberState) bool { return m.Status == alert.Firing })
}

// toResolve returns the unresolved incidents of the alert's key, those of its own
// route first: one, unless their lanes have become one since they opened. Severity or
// labels may have changed the route since an incident opened, so without a channel
// those of all configured routes are resolved. If there are none, those whose alerts
// named a channel are, because a sender may leave it out.
func (d *draft) toResolve(a alert.Alert, route string) []*entry {
	var own, configured, elsewhere []*entry
	for _, en := range d.byKey[a.Key] {
		switch {
		case en.State == alert.StateResolved:
		case en.Route == route:
			own = append(own, en)
		case en.Subject().Channel == "":
			configured = append(configured, en)
		default:
			elsewhere = append(elsewhere, en)
		}
	}
	slices.SortFunc(own, func(x, y *entry) int { return alert.CompareShortIDs(y.ID, x.ID) })
	switch {
	case a.Channel != "":
		return own
	case len(own)+len(configured) > 0:
		return append(own, configured...)
	}
	return elsewhere
}

// latest returns the key's latest incident in any route, or nil.
func (d *draft) latest(key string) *entry {
	var found *entry
	for _, en := range d.byKey[key] {
		if found == nil || later(en.ID, found.ID) {
			found = en
		}
	}
	return found
}

// resolveIncident resolves an incident because an alert says so.
func (d *draft) resolveIncident(en *entry, a alert.Alert) verdict {
	d.expireHolds(en)
	words := resolveText(en.Title, a)
	d.endAsSaid(en, a)
	d.close(en, alert.Event{Verb: alert.VerbResolve, By: alert.Person{Name: a.Source}, Text: words}, words)
	v := verdict{en: en, effect: alert.EffectResolved, standing: alert.StandPending}
	if en.unshown && !en.Waiting {
		d.markSilenced(&v)
	}
	return v
}

// endAsSaid sets when the incident ended, if the alert says so.
func (d *draft) endAsSaid(en *entry, a alert.Alert) {
	en.EndedAt = noTime
	if a.At.After(en.Began()) && d.saysWhen(a) {
		en.EndedAt = a.At
	}
}

// saysWhen reports whether a sender has said when what it reports happened.
func (d *draft) saysWhen(a alert.Alert) bool {
	return a.At.Before(d.now) && !a.At.Equal(a.AcceptedAt)
}

// markSilenced counts the alert as silenced, like the incident that it resolves.
func (d *draft) markSilenced(v *verdict) {
	if id := v.en.InhibitedBy; id != "" {
		v.standing, v.reason = alert.StandSilenced, "inhibited by "+id
		return
	}
	if v.en.Silence == "" {
		held, _ := d.planOf(v.en).Hold.At(d.now, v.en.Severity)
		v.standing, v.reason = alert.StandSilenced, cmp.Or(held.Why, "muted")
		return
	}
	v.standing, v.silence, v.reason = alert.StandSilenced, v.en.Silence, "silence "+v.en.Silence
	if s := d.silenceOf(v.en); s != nil {
		v.reason = reason(s.Silence)
	}
}

// close resolves an incident. One that was never shown gets no note, nor does one that
// flaps, unless a person resolved it: it says so once it is stable. One that waits for its first card is still posted
// at its time, but for a group that something has hidden since.
func (d *draft) close(en *entry, line alert.Event, words string) {
	d.touch(en)
	en.State, en.ResolvedAt, en.RemindAt, en.NotifyAt = alert.StateResolved, d.now, noTime, noTime
	d.addHistory(en, line)
	d.silenceUnshown(en)
	d.update(en)
	if !en.FlappingSince.IsZero() && en.ResolvedBy == (alert.Person{}) {
		en.Unsaid = words
		return
	}
	d.addUnnamedMembers(en)
	d.addNote(en, alert.Note{Topic: alert.TopicResolved, Text: words, Count: en.Count, After: en.Lasted(), By: line.By, Expired: en.Expired}, nil)
}

// silenceUnshown silences the alerts of a group that ends hidden while it still waits for more,
// so that it is never shown.
func (d *draft) silenceUnshown(en *entry) {
	if en.Group == nil || !en.unshown || !en.Waiting || !en.Hidden() || !en.HeldUntil.Equal(d.gathersUntil(en)) {
		return
	}
	en.Waiting = false
	v := verdict{en: en}
	d.markSilenced(&v)
	for n := range d.change.Alerts {
		if r := &d.change.Alerts[n]; r.Incident == en.ID && r.Standing == alert.StandPending {
			r.Standing, r.Silence, r.Reason = v.standing, v.silence, v.reason
		}
	}
	d.change.NeverShown = append(d.change.NeverShown, alert.NeverShown{Incident: en.ID, Silence: v.silence, Reason: v.reason})
}

// expire resolves an incident that no alert has refreshed in time.
func (d *draft) expire(en *entry) {
	en.Expired = true
	d.close(en, alert.Event{Verb: alert.VerbExpire}, "")
}

// resolveText is the part of a resolved alert that a card with this title does not show: its
// text and its title, unless the card or the text contains it or it is only the key.
func resolveText(title string, a alert.Alert) string {
	switch begins := strings.TrimSuffix(a.Title, "…"); {
	case a.Title == title, a.Title == a.Key, strings.HasPrefix(strings.TrimSpace(a.Text), begins):
		return a.Text
	case a.Text == "":
		return a.Title
	}
	return a.Title + "\n" + a.Text
}

// resolveAgain decides a resolved alert of an incident that is resolved. Nothing
// changes if every card is up to date.
func (d *draft) resolveAgain(en *entry) verdict {
	v := verdict{en: en, effect: alert.EffectFolded, standing: alert.StandPending}
	switch {
	case en.unshown && en.Waiting:
	case en.unshown:
		d.markSilenced(&v)
	case d.upToDate(en):
		v.standing = alert.StandFolded
	default:
		d.touch(en)
		d.update(en)
	}
	return v
}

// upToDate reports whether every card shows the incident as it is.
func (d *draft) upToDate(en *entry) bool {
	for _, lane := range en.Lanes {
		if c := en.Card(lane); en.changed || c.TS == "" || c.Version < en.Version {
			return false
		}
	}
	return true
}
