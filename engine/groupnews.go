package engine

import (
	"maps"
	"time"

	"tocsin/alert"
)

// gather posts a first card, or holds that of a group until its wait has passed.
// It reports what holdOrPost does.
func (d *draft) gather(en *entry) (why string, muted bool) {
	until := d.gathersUntil(en)
	if _, held := d.planOf(en).Hold.At(d.now, en.Severity); !held && until.After(d.now) {
		en.HeldUntil, en.Waiting = until, true
		return "", false
	}
	return d.holdOrPost(en)
}

// gathersUntil is until when the first card of a group waits for further alerts; zero if it
// does not.
func (d *draft) gathersUntil(en *entry) time.Time {
	if en.Group == nil {
		return noTime
	}
	return earlier(en.FirstAt, d.now).Add(d.planOf(en).Group.Wait)
}

// listMembers lists all members in the threads of a first card that has no room for them.
func (d *draft) listMembers(en *entry) {
	if en.Group == nil {
		return
	}
	g := en.Group.Clone()
	if g.Said = 0; g.Total <= alert.CardMembers {
		g.Said = g.Total
	}
	g.Ended, g.Again = 0, 0
	en.Group = g
	d.addMemberNotes(en)
}

// announceMembers says in the threads which members are new and how many were resolved, or remembers
// to do so when it spoke too recently.
func (d *draft) announceMembers(en *entry) {
	if en.Group == nil || en.unshown {
		return
	}
	at := noTime
	if en.Group.News() && en.State != alert.StateResolved && !en.Hidden() {
		at = en.Group.SaidAt.Add(d.planOf(en).Group.Interval)
	}
	if !at.IsZero() && !at.After(d.now) {
		d.addMemberNotes(en)
		at = noTime
	}
	if !at.Equal(en.Group.SayAt) {
		g := en.Group.Clone()
		g.SayAt = at
		en.Group = g
	}
}

// addMemberNotes says in the threads what they have not said of the members.
func (d *draft) addMemberNotes(en *entry) {
	g := en.Group.Clone()
	notes := alert.MemberNotes(g.Said, g.Total)
	if len(notes) == 0 && g.Ended+g.Again > 0 {
		notes = []alert.Note{{Topic: alert.TopicMembers, From: g.Said}}
	}
	if len(notes) > 0 {
		notes[0].Over, notes[0].Again = g.Ended, g.Again
	}
	g.Said, g.Ended, g.Again, g.SaidAt = g.Total, 0, 0, d.now
	en.Group = g
	for _, n := range notes {
		d.addNote(en, n, nil)
	}
}

// addUnnamedMembers names in the threads the members that nothing has named yet, before they say
// that the group is resolved.
func (d *draft) addUnnamedMembers(en *entry) {
	if en.Group == nil || en.unshown || en.Group.Total <= alert.CardMembers {
		return
	}
	g := en.Group.Clone()
	g.Ended, g.Again = 0, 0
	en.Group = g
	d.addMemberNotes(en)
}

// nextMember is when a member of the group may be due; zero for never.
func (en *entry) nextMember() time.Time {
	if en.Group == nil || en.State == alert.StateResolved {
		return noTime
	}
	return en.Group.DueAt
}

// looks reports whether members of the group are still to be looked at before it is shown.
func (en *entry) looks(now time.Time) bool {
	at := en.nextMember()
	return !at.IsZero() && !at.After(now)
}

// woken reports whether members of the group were made due before next, and are still to be
// looked at: what they are due by is only known in the store.
func (en *entry) woken(next time.Time) bool {
	return en.Group != nil && !en.processed && !en.DueAt.IsZero() && (next.IsZero() || en.DueAt.Before(next))
}

// nextNews is when the threads say what is new about the group; zero for never.
func (en *entry) nextNews() time.Time {
	if en.Group == nil || en.unshown || en.State == alert.StateResolved {
		return noTime
	}
	return en.Group.SayAt
}

// mentionsFor are those whom a note of this topic mentions: whom the routing has added, and
// everybody if a group got worse.
func (en *entry) mentionsFor(topic alert.Topic) map[string][]string {
	added := en.newMentions()
	if topic == alert.TopicEscalated && en.Group != nil {
		return en.allMentions(added)
	}
	return added
}

// allMentions are those whom the cards of an incident mention and those whom others add.
func (en *entry) allMentions(others map[string][]string) map[string][]string {
	all := maps.Clone(en.Mentions)
	for lane, who := range others {
		if all == nil {
			all = map[string][]string{}
		}
		all[lane] = alert.Union(all[lane], who)
	}
	return all
}
