package engine

import (
	"cmp"
	"slices"
	"time"

	"tocsin/alert"
)

// memberRef identifies a member: an alert of a key in the group of an incident.
type memberRef struct{ incident, key string }

// memberState is a member of a group in a draft.
type memberState struct {
	alert.GroupMember
	changed bool
}

// known reports whether it was a member before.
func (m *memberState) known() bool { return m.Status != "" }

// loadMembers adds the snapshot's members to the draft.
func (d *draft) loadMembers(snapshot alert.Snapshot) {
	d.members = make(map[memberRef]*memberState, len(snapshot.Members))
	d.memberships, d.groups = make(map[string][]*memberState, len(snapshot.Members)), map[string][]*memberState{}
	for _, m := range snapshot.Members {
		if d.members[memberRef{m.Incident, m.Key}] == nil && d.byID[m.Incident] != nil {
			d.addMember(&memberState{GroupMember: m})
		}
	}
}

func (d *draft) addMember(m *memberState) {
	d.members[memberRef{m.Incident, m.Key}] = m
	d.memberships[m.Key] = append(d.memberships[m.Key], m)
	d.groups[m.Incident] = append(d.groups[m.Incident], m)
}

// finishMembers collects the changed members.
func (d *draft) finishMembers() {
	for _, m := range d.memberOrder {
		d.change.Members = append(d.change.Members, m.GroupMember)
	}
}

// memberOf is the member of a group with this key, a new one if there is none.
func (d *draft) memberOf(en *entry, key string) *memberState {
	m := d.members[memberRef{en.ID, key}]
	if m == nil {
		m = &memberState{GroupMember: alert.GroupMember{Incident: en.ID, Key: key}}
		d.addMember(m)
	}
	return m
}

// groupOf is the incident of the group that an alert belongs to, or nil. One that was
// resolved too long ago to be reopened is not.
func (d *draft) groupOf(subject alert.Subject, plan *alert.Plan) *entry {
	en := d.incidents[ref{plan.Group.Key(subject), plan.Route}]
	if en == nil || en.Group == nil || en.State == alert.StateResolved && d.now.Sub(en.ResolvedAt) > plan.ReopenWithin {
		return nil
	}
	return en
}

// openGroup creates the incident of a group, without members yet.
func (d *draft) openGroup(a alert.Alert, subject alert.Subject, plan *alert.Plan) *entry {
	unworded := *plan
	unworded.Templates = alert.Templates{}
	en := d.open(a, plan.Group.Key(subject), subject, &unworded)
	en.Group = &alert.Group{Labels: plan.Group.Labels(subject)}
	en.Count, en.ExpiresAt, en.ExpiresIn = 0, noTime, 0
	return en
}

// fireMember decides a firing alert of a group: it becomes a member or fires again, and the
// group's incident opens or reopens.
func (d *draft) fireMember(a alert.Alert, subject alert.Subject, plan *alert.Plan) verdict {
	en, effect := d.groupOf(subject, plan), alert.EffectFolded
	var before *alert.Incident
	if en == nil {
		en, effect = d.openGroup(a, subject, plan), alert.EffectOpened
	} else {
		was := en.Incident
		before = &was
	}
	m := d.memberOf(en, a.Key)
	if a.Refreshes && m.Closed && !a.At.After(m.EndedAt) {
		// Somebody has dealt with it, and nothing new has begun since.
		return verdict{en: en, effect: alert.EffectIgnored}
	}
	a = m.complete(a)
	d.leaveGroups(a, en)
	switch {
	case a.Refreshes && m.Status == alert.Firing:
		d.refreshMember(en, m, a, plan)
		return verdict{en: en, effect: alert.EffectRefreshed}
	case en.State == alert.StateResolved:
		effect = alert.EffectReopened
		d.touch(en)
		d.countReopening(en)
		en.reopen(d.now)
		en.mentionOnly(plan.Stops)
		d.addHistory(en, alert.Event{Verb: alert.VerbReopen, By: alert.Person{Name: a.Source}})
	case before != nil:
		d.expireHolds(en)
		d.touch(en)
	}
	was := m.GroupMember
	to := d.firing(m.GroupMember, a, plan)
	s, by := d.look(en, &to)
	d.setMember(en, m, to)
	if by.ID != "" {
		return d.withdraw(en, by, was, effect)
	}
	en.pings = len(a.Pings) > 0
	en.showMember(a, plan, d.now)
	if s != nil {
		return d.hideMember(en, s, effect, before)
	}
	return d.presentMember(en, was, effect, before)
}

// complete returns an alert that, if it is brief, says what its member does already.
func (m *memberState) complete(a alert.Alert) alert.Alert {
	if a.Brief && m.Count > 0 {
		a.Severity, a.Title, a.Text, a.Labels, a.Links, a.Annotations = m.Severity, m.Title, m.Text, m.Labels, m.Links, m.Annotations
	}
	return a
}

// leaveGroups ends a firing alert in other groups of the same route: its labels have changed,
// and now it belongs to the group of another incident.
func (d *draft) leaveGroups(a alert.Alert, to *entry) {
	for _, m := range d.memberships[a.Key] {
		from := d.byID[m.Incident]
		if m.Status == alert.Firing && from != to && from.Route == to.Route {
			d.resolveMember(from, m, alert.Alert{Source: a.Source, Title: m.Title, Text: "moved to " + to.ID})
		}
	}
}

// firing is a member as a firing alert leaves it.
func (d *draft) firing(m alert.GroupMember, a alert.Alert, plan *alert.Plan) alert.GroupMember {
	if m.Status != alert.Firing {
		m.BeganAt, m.EndedAt, m.Expired, m.Closed = a.At, noTime, false, false
		if a.At.After(d.now) {
			m.BeganAt = d.now
		}
	}
	m.Status, m.Severity, m.Title, m.Text, m.Labels, m.Links = alert.Firing, a.Severity, a.Title, a.Text, a.Labels, a.Links
	m.Annotations = a.Annotations
	m.Count++
	m.LastAt = d.now
	m.ExpiresAt, _ = expiry(a, plan, d.now)
	return m
}

// setMember replaces what is known of a member, and counts it.
func (d *draft) setMember(en *entry, m *memberState, to alert.GroupMember) {
	g := en.Group.Clone()
	if m.known() {
		g.Count(m.GroupMember, -1)
	}
	if to.N == 0 && to.InhibitedBy == "" && (to.Status == alert.Firing || !m.known()) {
		g.Total++
		to.N = g.Total
	}
	g.Count(to, 1)
	g.Due(to)
	g.SilencedBy, g.InhibitedBy = cmp.Or(to.Silence, g.SilencedBy), cmp.Or(to.InhibitedBy, g.InhibitedBy)
	en.reword = en.reword || m.Status != to.Status || m.Silence != to.Silence || m.InhibitedBy != to.InhibitedBy
	en.Group, m.GroupMember = g, to
	en.Severity = cmp.Or(g.Worst(), en.Severity)
	d.inhibition.SetMember(en.Incident, to, d.aliases)
	if !m.changed {
		m.changed = true
		d.memberOrder = append(d.memberOrder, m)
	}
}

// showMember has the incident say what its members have in common, once another alert fires.
func (en *entry) showMember(a alert.Alert, plan *alert.Plan, now time.Time) {
	en.Count++
	en.LastAt = now
	en.Source, en.Mention, en.TokenName = a.Source, a.Mention, a.TokenName
	en.plan, en.newest = plan, a.Title
	en.joinMember(a)
	g := en.Group.Clone()
	g.Latest = a.Labels
	en.Group = g
}

// joinMember has the incident say what its members have in common with one that is shown, or
// says something else than before.
func (en *entry) joinMember(a alert.Alert) {
	en.reword = true
	en.Unword()
	g := en.Group.Clone()
	en.Group = g
	if g.Total == 1 {
		en.Title, en.Text, en.Format, en.Labels, en.Links, en.Images = a.Title, a.Text, a.Format, a.Labels, a.Links, a.Images
		en.Annotations = a.Annotations
		return
	}
	en.Labels, en.Annotations = alert.Common(en.Labels, a.Labels), alert.Common(en.Annotations, a.Annotations)
	if g.Titles = g.Titles || a.Title != en.Title; g.Titles {
		en.Title = g.Name(en.Labels)
	}
	if g.Texts = g.Texts || a.Text != en.Text; g.Texts {
		en.Text, en.Images = "", nil
	}
	if a.Format != en.Format {
		en.Format = ""
	}
	en.Links = slices.DeleteFunc(slices.Clone(en.Links), func(l alert.Link) bool { return !slices.Contains(a.Links, l) })
}

// hideMember silences what a firing member has changed. While others fire, their incident is
// shown, and its card counts the one that is not.
func (d *draft) hideMember(en *entry, s *silenceState, effect alert.Effect, before *alert.Incident) verdict {
	switch {
	case en.Group.Fires() == 0:
		d.hide(en, s, before)
	case en.Group.Silenced[alert.Critical] > 0:
		d.announce(en, s)
	}
	d.update(en)
	return verdict{en: en, effect: effect, standing: alert.StandSilenced, silence: s.ID, reason: reason(s.Silence)}
}

// withdraw hides a firing member, which was so before, because an incident inhibits it. Its
// group lists and counts it no longer.
func (d *draft) withdraw(en *entry, by alert.Inhibitor, was alert.GroupMember, effect alert.Effect) verdict {
	en.LastAt = d.now
	d.hideRest(en)
	if was.N > 0 && was.InhibitedBy == "" {
		d.update(en)
	}
	return verdict{en: en, effect: effect, standing: alert.StandSilenced, reason: by.String()}
}

// presentMember shows what a firing member has changed, which was so before. It notifies
// people if the incident got worse or fires again.
func (d *draft) presentMember(en *entry, was alert.GroupMember, effect alert.Effect, before *alert.Incident) verdict {
	v := d.presentUnsilenced(en, effect, before, en.Group.Total > 1 && was.Status != alert.Firing)
	if !en.Hidden() && was.Status == alert.Resolved && effect == alert.EffectFolded {
		en.countAgain(was)
	}
	return v
}

// countAgain counts a member that is shown again, which was so before.
func (en *entry) countAgain(was alert.GroupMember) {
	if !en.unshown && was.N > 0 && was.Silence == "" {
		en.Group.Again++
	}
}

// refreshMember decides until when a member lasts. A silence that began meanwhile hides it, or
// an incident that inhibits it.
func (d *draft) refreshMember(en *entry, m *memberState, a alert.Alert, plan *alert.Plan) {
	to := m.GroupMember
	to.LastAt, to.Annotations = d.now, a.Annotations
	if at := saidAt(a, d.now); !at.IsZero() && at.Before(to.BeganAt) {
		to.BeganAt = at
	}
	to.ExpiresAt, _ = expiry(a, plan, d.now)
	if !to.Hidden() { // in a group that is silenced by then, so that it is looked at once that ends
		d.look(en, &to)
	}
	if to.Hidden() != m.Hidden() {
		d.touch(en)
		hidden := en.Hidden()
		d.setMember(en, m, to)
		if d.hideRest(en); !hidden {
			d.update(en)
		}
		return
	}
	due := en.Group.DueAt
	d.setMember(en, m, to)
	if !due.Equal(en.Group.DueAt) {
		d.touch(en)
	}
}

// look has a firing member hidden by a silence that matches it, or else by an incident that
// inhibits it, or by nothing. It is looked at again when a silence begins that matches it and,
// if it waits for the first card of its group, before that is shown.
func (d *draft) look(en *entry, m *alert.GroupMember) (s *silenceState, by alert.Inhibitor) {
	had := m.InhibitedBy
	m.Unhide()
	if s = d.silenceOfMember(en, *m); s != nil {
		m.Silence, m.SilencedUntil = s.ID, s.Until(d.now)
		return s, by
	}
	subject := d.aliases.Subject(m.Subject(en.Incident))
	by, _ = d.inhibition.Of(subject, had)
	m.InhibitedBy = by.ID
	m.LookAt = d.nextSilenceOver(subject)
	if until := d.gathersUntil(en); !m.Hidden() && en.unshown && until.After(d.now) && d.inhibition.MayInhibit(subject) && (m.LookAt.IsZero() || until.Before(m.LookAt)) {
		m.LookAt = until
	}
	return nil, by
}

// silenceOfMember returns the silence that matches a member, by its own key or by that of
// the group, or nil.
func (d *draft) silenceOfMember(en *entry, m alert.GroupMember) *silenceState {
	subject := d.aliases.Subject(m.Subject(en.Incident))
	if s := d.silenceOver(subject); s != nil {
		return s
	}
	subject.Key = en.Key
	return d.silenceOver(subject)
}

// hideRest hides an incident of which only members are left that are hidden.
func (d *draft) hideRest(en *entry) {
	if en.Hidden() {
		return
	}
	if s := d.silenceOfMembers(en); s != nil {
		d.applySilence(en, s)
	} else if by, inhibited := d.inhibitorOf(en); inhibited {
		d.inhibit(en, by)
	}
}

// silenceOfMembers returns a silence that hides the group if silences hide all its firing
// members, or nil.
func (d *draft) silenceOfMembers(en *entry) *silenceState {
	if en.Group == nil || en.Group.Fires() > 0 || en.Group.Hidden() == 0 {
		return nil
	}
	if s := d.activeSilence(en.Group.SilencedBy); s != nil {
		return s
	}
	subject := d.subjectOf(en) // that one has ended, another one hides them still
	return d.latestSilence(func(ms alert.Matchers) bool { _, some := en.Group.Match(ms, subject); return some })
}

// setMembers resolves all members of a group with its incident, or undoes that.
func (d *draft) setMembers(en *entry, to alert.Status) {
	if en.Group == nil {
		return
	}
	g := en.Group.Clone()
	if to == alert.Resolved {
		g.Close()
	} else {
		g.Reopen()
		g.DueAt = d.now // whatever has become due meanwhile
		en.Severity = cmp.Or(g.Worst(), en.Severity)
	}
	en.Group, en.reword = g, true
	d.change.Turned = append(d.change.Turned, alert.TurnedGroup{Incident: en.ID, Status: to, At: d.now})
	for _, m := range d.groups[en.ID] {
		switch {
		case to == alert.Resolved && m.Status == alert.Firing:
			m.Status, m.EndedAt, m.Closed = alert.Resolved, d.now, true
			m.Unhide()
		case to == alert.Firing && m.Closed:
			m.Status, m.EndedAt, m.Closed, m.LookAt = alert.Firing, noTime, false, d.now
		}
	}
}

// processMembers decides what happens to the members of a group that are due: they expire,
// or what hides them is over, or something hides them from now on.
func (d *draft) processMembers(en *entry) {
	if en.Group == nil || en.State == alert.StateResolved {
		return
	}
	before := en.Incident
	switch expired, shown, hidden := d.endDue(en); {
	case before.Group.Lasts() && !en.Group.Lasts():
		d.expire(en)
	case shown > 0:
		d.showMembers(en, &before)
	case expired+hidden > 0:
		d.lessMembers(en, expired)
	}
}

// endDue ends what is due of a group's members. It returns how many have expired that people
// have seen, how many nothing hides any more, and how many are hidden from now on.
func (d *draft) endDue(en *entry) (expired, shown, hidden int) {
	g := en.Group.Clone()
	g.DueAt = noTime
	en.Group = g
	for n, m := range d.dueMembers(en) {
		switch was := m.GroupMember; {
		case n >= alert.MaxDueMembers, m.DueAt().After(d.now):
			en.Group.Due(m.GroupMember)
		case !m.ExpiresAt.IsZero() && !m.ExpiresAt.After(d.now):
			to := was
			to.Status, to.EndedAt, to.Expired = alert.Resolved, d.now, true
			to.Unhide()
			d.setMember(en, m, to)
			expired += min(m.N, 1)
		default:
			d.lookAgain(en, m)
			if was.Hidden() && !m.Hidden() {
				shown++
				en.countAgain(was)
			} else if was.InhibitedBy != m.InhibitedBy || was.Hidden() != m.Hidden() {
				hidden++
			}
		}
	}
	return expired, shown, hidden
}

// dueMembers are the loaded members of a group that are due at some time, the first one first.
func (d *draft) dueMembers(en *entry) (due []*memberState) {
	for _, m := range d.groups[en.ID] {
		if !m.DueAt().IsZero() {
			due = append(due, m)
		}
	}
	slices.SortFunc(due, func(a, b *memberState) int { return a.DueAt().Compare(b.DueAt()) })
	return due
}

// lookAgain hides or shows a firing member as what matches it says now.
func (d *draft) lookAgain(en *entry, m *memberState) {
	was, to := m.GroupMember, m.GroupMember
	d.look(en, &to)
	d.setMember(en, m, to)
	if was.InhibitedBy == "" || m.InhibitedBy != "" {
		return
	}
	a := alert.Alert{Title: m.Title, Text: m.Text, Labels: m.Labels, Links: m.Links, Annotations: m.Annotations, Source: en.Source, Mention: en.Mention, TokenName: en.TokenName}
	if a.Text == en.Text {
		a.Format, a.Images = en.Format, en.Images
	}
	if was.N > 0 {
		en.joinMember(a)
		return
	}
	en.showMember(a, d.planOf(en), d.now)
}

// showMembers shows members that nothing hides any more.
func (d *draft) showMembers(en *entry, before *alert.Incident) {
	d.planOf(en)
	switch {
	case en.Hidden():
		en.keepText(before)
		d.lift(en)
	case en.Severity.Rank() < before.Severity.Rank():
		d.showChange(en, before, alert.TopicEscalated)
	default:
		d.update(en)
	}
}
