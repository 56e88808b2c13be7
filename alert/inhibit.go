package alert

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// InhibitRule hides alerts that match Target while one fires that matches Source and has
// the same value of each label in Equal, as an inhibit_rule of Alertmanager: a label that
// is missing is an empty one, and an alert that matches both is not inhibited by one that
// matches both. An alert never inhibits one with its own key. Of a group, each member is an
// alert of its own.
type InhibitRule struct {
	// Name is what people call it; it may be empty.
	Name           string
	Source, Target Matchers
	Equal          []string
}

// values are those of Equal, as one text.
func (r InhibitRule) values(s Subject) string {
	var b strings.Builder
	for _, name := range r.Equal {
		value := s.Value(name)
		b.WriteString(strconv.Itoa(len(value)))
		b.WriteByte(' ')
		b.WriteString(value)
	}
	return b.String()
}

// Inhibitor is an unresolved incident that inhibits others, with its title, or that of the
// member of its group that does.
type Inhibitor struct {
	ID    string
	Title string
	// Key is the alert's own key.
	Key string
}

// inhibitorTitle is how many characters of its title Inhibitor.String has.
const inhibitorTitle = 100

// String says who inhibits, for people: inhibited by k7f2 (cluster is down).
func (i Inhibitor) String() string {
	title := i.Title
	if utf8.RuneCountInString(title) > inhibitorTitle {
		title = string([]rune(title)[:inhibitorTitle-1]) + "…"
	}
	return "inhibited by " + i.ID + " (" + title + ")"
}

// Inhibition knows the unresolved incidents that inhibit others by some rules, of groups the
// firing members that do. Looking one up takes about as long for many of them as for few.
type Inhibition struct {
	rules []InhibitRule
	// below has what this one does not say otherwise; nil for nothing.
	below *Inhibition
	// sources are by incident and key; one without groups inhibits nothing (any more). Those
	// below of an incident in ended are forgotten.
	sources map[string]map[string]*source
	ended   map[string]bool
	// members are the sources of a group, the oldest first.
	members map[group][]*source
}

// group is what all sources have in common that inhibit the same alerts.
type group struct {
	rule   int
	values string
	// both is set for sources that match the rule's Target, too.
	both bool
}

// source is an incident that inhibits others, or a member of its group that does.
type source struct {
	Inhibitor
	groups []group
}

// NewInhibition returns an Inhibition that knows no incident yet.
func NewInhibition(rules []InhibitRule) *Inhibition {
	return &Inhibition{rules: rules, sources: map[string]map[string]*source{}, ended: map[string]bool{}, members: map[group][]*source{}}
}

// Above returns an Inhibition that knows what x does and keeps what it is told to itself.
// x must not change while that is in use.
func (x *Inhibition) Above() *Inhibition {
	above := NewInhibition(x.rules)
	above.below = x
	return above
}

// Set remembers an incident as it is now; of a group, whose members SetMember remembers,
// only that it is over. It reports whether some alerts are not inhibited by it any more that
// were before.
func (x *Inhibition) Set(i Incident, names *Aliases) (less bool) {
	fires := i.State == Open || i.State == Acked
	switch {
	case len(x.rules) == 0:
		return false
	case i.Group == nil:
		return x.set(Inhibitor{i.ID, i.Title, i.Key}, fires, names.Subject(i.Subject()))
	case fires:
		return false
	}
	return x.end(i.ID)
}

// SetMember is Set for a member of the group whose incident is i.
func (x *Inhibition) SetMember(i Incident, m GroupMember, names *Aliases) (less bool) {
	if len(x.rules) == 0 {
		return false
	}
	fires := m.Status == Firing && i.State != StateResolved
	return x.set(Inhibitor{i.ID, m.Title, m.Key}, fires, names.Subject(m.Subject(i)))
}

func (x *Inhibition) set(by Inhibitor, fires bool, s Subject) (less bool) {
	next := &source{Inhibitor: by}
	if fires {
		next.groups = x.groupsOf(s)
	}
	was := x.source(by.ID, by.Key)
	if was == nil && len(next.groups) == 0 {
		return false
	}
	if was != nil && x.sources[by.ID][by.Key] == was {
		x.remove(was)
	}
	x.add(next)
	return was != nil && slices.ContainsFunc(was.groups, func(g group) bool { return !next.covers(g) && !x.stillCovers(by.ID, g) })
}

// add adds a source. One that inhibits nothing is only kept in place of one below.
func (x *Inhibition) add(s *source) {
	if len(s.groups) == 0 && x.below == nil {
		return
	}
	if x.sources[s.ID] == nil {
		x.sources[s.ID] = map[string]*source{}
	}
	x.sources[s.ID][s.Key] = s
	for _, g := range s.groups {
		at, _ := slices.BinarySearchFunc(x.members[g], s, older)
		x.members[g] = slices.Insert(x.members[g], at, s)
	}
}

func (x *Inhibition) remove(was *source) {
	if delete(x.sources[was.ID], was.Key); len(x.sources[was.ID]) == 0 {
		delete(x.sources, was.ID)
	}
	for _, g := range was.groups {
		at, found := slices.BinarySearchFunc(x.members[g], was, older)
		if !found {
			continue
		}
		if x.members[g] = slices.Delete(x.members[g], at, at+1); len(x.members[g]) == 0 {
			delete(x.members, g)
		}
	}
}

// end forgets all sources of an incident.
func (x *Inhibition) end(incident string) (less bool) {
	_, less = x.Inhibitor(incident)
	gone := map[group]bool{}
	for _, s := range x.sources[incident] {
		for _, g := range s.groups {
			gone[g] = true
		}
	}
	for g := range gone {
		x.members[g] = slices.DeleteFunc(x.members[g], func(s *source) bool { return s.ID == incident })
		if len(x.members[g]) == 0 {
			delete(x.members, g)
		}
	}
	delete(x.sources, incident)
	if x.below != nil {
		x.ended[incident] = true
	}
	return less
}

// Inhibitor is what is known of an incident that inhibits alerts; ok is false if it does not.
func (x *Inhibition) Inhibitor(incident string) (by Inhibitor, ok bool) {
	for y := x; y != nil; y = y.below {
		for _, s := range y.sources[incident] {
			if len(s.groups) > 0 && x.source(incident, s.Key) == s {
				return s.Inhibitor, true
			}
		}
	}
	return Inhibitor{ID: incident}, false
}

// older orders sources by their incidents' ids, which ascend, and then by their keys.
func older(a, b *source) int {
	return cmp.Or(CompareShortIDs(a.ID, b.ID), strings.Compare(a.Key, b.Key))
}

// groupsOf are the groups in which an alert is a source.
func (x *Inhibition) groupsOf(s Subject) (all []group) {
	for n, r := range x.rules {
		if r.Source.Match(s) {
			all = append(all, group{n, r.values(s), r.Target.Match(s)})
		}
	}
	return all
}

// covers reports whether the source inhibits everything that one in g does.
func (s *source) covers(g group) bool {
	return slices.ContainsFunc(s.groups, func(have group) bool {
		return have.rule == g.rule && have.values == g.values && (!have.both || g.both)
	})
}

// stillCovers reports whether sources of an incident inhibit everything that one in g does:
// it takes two, because none inhibits an alert with its own key.
func (x *Inhibition) stillCovers(incident string, g group) bool {
	key := ""
	for range 2 {
		s := x.first(incident, g, key)
		if s == nil {
			return false
		}
		key = s.Key
	}
	return true
}

// Of returns an incident that inhibits s: the one with the id current if it does, else by
// the first rule the oldest.
func (x *Inhibition) Of(s Subject, current string) (by Inhibitor, inhibited bool) {
	if len(x.rules) == 0 {
		return Inhibitor{}, false
	}
	asked := x.askedBy(s)
	for _, g := range asked {
		if have := x.first(current, g, s.Key); have != nil {
			return have.Inhibitor, true
		}
	}
	for _, g := range asked {
		if found := x.oldest(g, s.Key); found != nil {
			return found.Inhibitor, true
		}
	}
	return Inhibitor{}, false
}

// MayInhibit reports whether an alert matches the target of a rule.
func (x *Inhibition) MayInhibit(s Subject) bool {
	return slices.ContainsFunc(x.rules, func(r InhibitRule) bool { return r.Target.Match(s) })
}

// askedBy are the groups whose sources inhibit an alert; both is set where it does not
// matter whether the sources match the target.
func (x *Inhibition) askedBy(s Subject) (all []group) {
	for n, r := range x.rules {
		if r.Target.Match(s) {
			all = append(all, group{n, r.values(s), !r.Source.Match(s)})
		}
	}
	return all
}

// source is the source of an incident with a key; nil if there is none.
func (x *Inhibition) source(incident, key string) *source {
	if have, known := x.sources[incident][key]; known || x.ended[incident] || x.below == nil {
		return have
	}
	return x.below.source(incident, key)
}

// first is a source of an incident that inhibits what asks for g and has not this key; nil if
// there is none.
func (x *Inhibition) first(incident string, g group, key string) *source {
	return x.pick(g, func(y *Inhibition, g group) *source {
		at, _ := slices.BinarySearchFunc(y.members[g], &source{Inhibitor: Inhibitor{ID: incident}}, older)
		for _, s := range y.members[g][at:] {
			if s.ID != incident {
				return nil
			}
			if s.Key != key && x.source(s.ID, s.Key) == s {
				return s
			}
		}
		return nil
	})
}

// oldest is the oldest source that inhibits what asks for g and has another key; nil if there
// is none.
func (x *Inhibition) oldest(g group, key string) *source {
	return x.pick(g, func(y *Inhibition, g group) *source {
		for _, s := range y.members[g] {
			if s.Key != key && x.source(s.ID, s.Key) == s {
				return s
			}
		}
		return nil
	})
}

// pick is the oldest of the sources that look finds in x and all below, of g and, if g asks
// for both, of those that match the target.
func (x *Inhibition) pick(g group, look func(y *Inhibition, g group) *source) (found *source) {
	sides := []group{{g.rule, g.values, false}}
	if g.both {
		sides = append(sides, g)
	}
	for y := x; y != nil; y = y.below {
		for _, g := range sides {
			if s := look(y, g); s != nil && (found == nil || older(s, found) < 0) {
				found = s
			}
		}
	}
	return found
}
