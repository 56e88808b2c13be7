package engine

import (
	"slices"

	"tocsin/alert"
)

// resolveUnknownMember decides a resolved alert that belongs to a group in which it does not
// fire.
func (d *draft) resolveUnknownMember(en *entry, a alert.Alert) verdict {
	m := d.memberOf(en, a.Key)
	if !m.known() {
		d.touch(en)
		if by := d.addOver(en, m, a); by.ID != "" {
			return verdict{en: en, effect: alert.EffectFolded, standing: alert.StandSilenced, reason: by.String()}
		}
		en.joinMember(a)
	} else if m.Closed {
		d.touch(en)
		d.setMember(en, m, d.ended(m.GroupMember, a))
	}
	return d.resolveAgain(en)
}

// addOver adds a member of which the first that is heard is that it is over. What an incident
// inhibits is not listed.
func (d *draft) addOver(en *entry, m *memberState, a alert.Alert) alert.Inhibitor {
	to := d.ended(m.GroupMember, a)
	_, by := d.look(en, &to)
	to.Unhide()
	to.InhibitedBy = by.ID
	d.setMember(en, m, to)
	m.InhibitedBy = ""
	return by
}

// resolveFiring resolves the firing members of an alert's key, or with a channel only those of
// its own route.
func (d *draft) resolveFiring(a alert.Alert, route string) (all []verdict) {
	for _, m := range slices.Clone(d.memberships[a.Key]) {
		if en := d.byID[m.Incident]; m.Status == alert.Firing && (a.Channel == "" || en.Route == route) {
			all = append(all, d.resolveMember(en, m, a))
		}
	}
	return all
}

// ended is a member as a resolved alert leaves it.
func (d *draft) ended(m alert.GroupMember, a alert.Alert) alert.GroupMember {
	if m.Status == "" {
		m.Severity, m.Title, m.Text, m.Labels, m.Links = a.Severity, a.Title, a.Text, a.Labels, a.Links
		m.Annotations, m.BeganAt = a.Annotations, d.now
		if !a.BeganAt.IsZero() && a.BeganAt.Before(a.At) {
			m.BeganAt = a.BeganAt
		}
	}
	m.Status, m.Closed = alert.Resolved, false
	m.Unhide()
	m.EndedAt, m.LastAt = d.now, d.now
	if a.At.After(m.BeganAt) && d.saysWhen(a) {
		m.EndedAt = a.At
	}
	return m
}

// resolveMember resolves a member because an alert says so, and its incident with the last.
func (d *draft) resolveMember(en *entry, m *memberState, a alert.Alert) verdict {
	d.expireHolds(en)
	d.touch(en)
	was := m.GroupMember
	d.setMember(en, m, d.ended(was, a))
	v := verdict{en: en, effect: alert.EffectResolved, standing: alert.StandPending}
	switch {
	case en.State == alert.StateResolved:
		d.update(en)
	case en.Group.Lasts() && m.N == 0: // nobody has seen it
		v.standing, v.reason = alert.StandSilenced, "inhibited by "+was.InhibitedBy
		return v
	case en.Group.Lasts():
		d.lessMembers(en, 1)
	default:
		a.Title, a.Text = "", resolveText(was.Title, a)
		return d.resolveIncident(en, a)
	}
	if en.unshown && !en.Waiting {
		d.markSilenced(&v)
	}
	return v
}

// lessMembers shows that members of a group were resolved, and others fire.
func (d *draft) lessMembers(en *entry, n int) {
	if !en.unshown {
		en.Group.Ended += n
	}
	d.hideRest(en)
	d.update(en)
}

// openResolved creates the incident of a group of which the first that is heard is that an
// alert is resolved.
func (d *draft) openResolved(a alert.Alert, subject alert.Subject, plan *alert.Plan) verdict {
	en := d.openGroup(a, subject, plan)
	by := d.addOver(en, d.memberOf(en, a.Key), a)
	v := verdict{en: en, effect: alert.EffectResolved, standing: alert.StandSilenced, reason: by.String()}
	if by.ID == "" {
		en.showMember(a, plan, d.now)
		en.Count = 0
		v = d.present(en, alert.EffectResolved, nil)
	} else {
		d.inhibit(en, by)
	}
	en.State, en.ResolvedAt = alert.StateResolved, d.now
	return v
}
