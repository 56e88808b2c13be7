package alert

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// InhibitRule hides alerts that match Target while one fires that matches Source and has
// the same value of each label in Equal, as an inhibit_rule of Alertmanager: a label that
// is missing is an empty one, and an alert that matches both is not inhibited by one that
// matches both. An alert never inhibits one with its own key. A group neither inhibits nor is
// inhibited where that depends on a label in which its members differ.
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

// source reports whether s inhibits alerts by the rule, and target whether alerts inhibit it.
func (r InhibitRule) source(s Subject) bool {
	return r.Source.Match(s) && !r.Source.mixed(s) && !r.mixed(s)
}

func (r InhibitRule) target(s Subject) bool {
	return r.Target.Match(s) && !r.Target.mixed(s) && !r.mixed(s)
}

// mixed reports whether s is a group whose members differ in a label of Equal.
func (r InhibitRule) mixed(s Subject) bool { return slices.ContainsFunc(r.Equal, s.mixed) }

// Inhibitor is an unresolved incident that inhibits others.
type Inhibitor struct {
	ID    string
	Title string
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

// Inhibition knows the unresolved incidents that inhibit others by some rules. Looking one
// up takes about as long for many of them as for few.
type Inhibition struct {
	rules []InhibitRule
	// below has what this one does not say otherwise; nil for nothing.
	below *Inhibition
	// sources are by incident; one without groups inhibits nothing (any more).
	sources map[string]*source
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

type source struct {
	Inhibitor
	key    string
	groups []group
}

// NewInhibition returns an Inhibition that knows no incident yet.
func NewInhibition(rules []InhibitRule) *Inhibition {
	return &Inhibition{rules: rules, sources: map[string]*source{}, members: map[group][]*source{}}
}

// Above returns an Inhibition that knows what x does and keeps what it is told to itself.
// x must not change while that is in use.
func (x *Inhibition) Above() *Inhibition {
	above := NewInhibition(x.rules)
	above.below = x
	return above
}

// Set remembers an incident as it is now. It reports whether some alerts are not inhibited
// by it any more that were before.
func (x *Inhibition) Set(i Incident, names *Aliases) (less bool) {
	if len(x.rules) == 0 {
		return false
	}
	next := &source{Inhibitor: Inhibitor{i.ID, i.Title}, key: i.Key}
	if i.State == Open || i.State == Acked {
		next.groups = x.groupsOf(names.Subject(i.Subject()))
	}
	was := x.sources[i.ID]
	if was != nil {
		x.remove(was)
		less = slices.ContainsFunc(was.groups, func(g group) bool { return !next.covers(g) })
	}
	if len(next.groups) == 0 && x.below == nil {
		delete(x.sources, i.ID)
		return less
	}
	x.sources[i.ID] = next
	for _, g := range next.groups {
		at, _ := slices.BinarySearchFunc(x.members[g], next, older)
		x.members[g] = slices.Insert(x.members[g], at, next)
	}
	return less
}

func (x *Inhibition) remove(was *source) {
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

// older orders sources by their ids, which ascend.
func older(a, b *source) int { return CompareShortIDs(a.ID, b.ID) }

// groupsOf are the groups in which an alert is a source.
func (x *Inhibition) groupsOf(s Subject) (all []group) {
	for n, r := range x.rules {
		if r.source(s) { // of a group whose members differ, one may match the target
			all = append(all, group{n, r.values(s), r.Target.Match(s) || r.Target.mixed(s)})
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

// Of returns an incident that inhibits s: the one with the id current if it does, else by
// the first rule the oldest.
func (x *Inhibition) Of(s Subject, current string) (by Inhibitor, inhibited bool) {
	if len(x.rules) == 0 {
		return Inhibitor{}, false
	}
	asked := x.askedBy(s)
	if have := x.source(current); have != nil && have.key != s.Key && slices.ContainsFunc(asked, have.covers) {
		return have.Inhibitor, true
	}
	for _, g := range asked {
		found := x.oldest(group{g.rule, g.values, false}, s.Key)
		if g.both { // s matches the target only
			if other := x.oldest(g, s.Key); found == nil || other != nil && older(other, found) < 0 {
				found = other
			}
		}
		if found != nil {
			return found.Inhibitor, true
		}
	}
	return Inhibitor{}, false
}

// askedBy are the groups whose sources inhibit an alert; both is set where it does not
// matter whether the sources match the target.
func (x *Inhibition) askedBy(s Subject) (all []group) {
	for n, r := range x.rules {
		if r.target(s) {
			all = append(all, group{n, r.values(s), !r.Source.Match(s) && !r.Source.mixed(s)})
		}
	}
	return all
}

func (x *Inhibition) source(id string) *source {
	if have, known := x.sources[id]; known || x.below == nil {
		return have
	}
	return x.below.source(id)
}

// oldest is the oldest source of a group that has another key; nil if there is none.
func (x *Inhibition) oldest(g group, key string) *source {
	var found *source
	for y := x; y != nil; y = y.below {
		for _, s := range y.members[g] {
			if found != nil && older(found, s) < 0 {
				break
			}
			if s.key != key && x.source(s.ID) == s {
				found = s
				break
			}
		}
	}
	return found
}
