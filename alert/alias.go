package alert

import (
	"maps"
	"slices"
)

// Aliases says which lane each spelling of a conversation belongs to, as far as Slack
// has told the ids. It is never changed, so that it can be shared; nil knows nothing.
type Aliases struct {
	lanes     map[string]string   // by spelling
	spellings map[string][]string // by lane
}

// NewAliases returns the aliases of a map from spellings to lanes, which nobody changes after
// that.
func NewAliases(lanes map[string]string) *Aliases {
	a := &Aliases{lanes: lanes, spellings: make(map[string][]string, len(lanes)/2)}
	for spelling, lane := range lanes {
		a.spellings[lane] = append(a.spellings[lane], spelling)
	}
	for _, spellings := range a.spellings {
		slices.Sort(spellings)
	}
	return a
}

// Lane is the lane of a spelling. An unknown spelling is a lane of its own.
func (a *Aliases) Lane(spelling string) string {
	if a == nil {
		return spelling
	}
	if lane, known := a.lanes[spelling]; known {
		return lane
	}
	return spelling
}

// Lanes lists the lanes of spellings, each once.
func (a *Aliases) Lanes(spellings []string) []string {
	if a == nil || !slices.ContainsFunc(spellings, a.renames) {
		return spellings
	}
	var lanes []string
	for _, s := range spellings {
		lanes = Union(lanes, []string{a.Lane(s)})
	}
	return lanes
}

// renames reports whether a spelling is not the name of its lane.
func (a *Aliases) renames(spelling string) bool { return a.Lane(spelling) != spelling }

// Subject adds how else the channel of a subject is written, so that matchers may use
// every spelling.
func (a *Aliases) Subject(s Subject) Subject {
	if a == nil || s.Channel == "" {
		return s
	}
	s.Channel = a.Lane(s.Channel)
	s.ChannelAliases = a.spellings[s.Channel]
	return s
}

// Incident returns the incident with the names of its lanes in place of other
// spellings.
func (a *Aliases) Incident(i Incident) Incident {
	if a == nil {
		return i
	}
	i.Lanes = a.Lanes(i.Lanes)
	if channel := i.Subject().Channel; channel != "" {
		i.Route = ChannelRoute(a.Lane(channel))
	}
	for lane := range i.Mentions {
		if a.renames(lane) {
			i.Mentions = a.mentions(i.Mentions)
			break
		}
	}
	return i
}

func (a *Aliases) mentions(by map[string][]string) map[string][]string {
	all := map[string][]string{}
	for _, spelling := range slices.Sorted(maps.Keys(by)) {
		lane := a.Lane(spelling)
		all[lane] = Union(all[lane], by[spelling])
	}
	return all
}

// Routing returns the routing with the names of lanes in place of other spellings.
func (a *Aliases) Routing(r Routing) Routing {
	if a == nil {
		return r
	}
	r.Default = a.Lane(r.Default)
	r.Routes = slices.Clone(r.Routes)
	for n := range r.Routes {
		route := &r.Routes[n]
		route.To = a.Lanes(route.To)
		route.Escalate = slices.Clone(route.Escalate)
		for k := range route.Escalate {
			route.Escalate[k].To = a.Lanes(route.Escalate[k].To)
		}
	}
	return r
}

// Naming is what is known of the names of one conversation.
type Naming struct {
	// Lane is the spelling that people see, Spellings are all, Lane included.
	Lane      string
	Spellings []string
}

// idOf is the spelling that is an id with one of these letters in front, or empty.
func (n Naming) idOf(letters string) string {
	for _, s := range n.Spellings {
		if idRank(s) > 0 && containsByte(letters, s[0]) {
			return s
		}
	}
	return ""
}

// Merge returns the naming of a conversation that has both of these, of which n is
// older. It is false if they are two: each has an id of the same kind.
func (n Naming) Merge(other Naming) (Naming, bool) {
	for _, kind := range []string{"CGD", "UW"} {
		a, b := n.idOf(kind), other.idOf(kind)
		if a != "" && b != "" && a != b {
			return n, false
		}
	}
	merged := Naming{Lane: n.Lane, Spellings: Union(n.Spellings, other.Spellings)}
	if nameRank(other.Lane) < nameRank(n.Lane) {
		merged.Lane = other.Lane
	}
	return merged, true
}

// Named returns the naming after Slack has used one of its spellings. A channel is
// shown by the name that it has now.
func (n Naming) Named(spelling string) Naming {
	if nameRank(spelling) == 0 {
		n.Lane = spelling
	}
	return n
}

// nameRank orders spellings by how well people know them: #name, @name, mail address,
// id of a person, id of a conversation.
func nameRank(spelling string) int {
	switch {
	case spelling != "" && spelling[0] == '#':
		return 0
	case spelling != "" && spelling[0] == '@':
		return 1
	}
	return 2 + idRank(spelling)
}

// idRank is 1 for the id of a person, 2 for that of a conversation, and 0 for a name.
func idRank(spelling string) int {
	switch {
	case !slackID.MatchString(spelling):
		return 0
	case personID.MatchString(spelling):
		return 1
	}
	return 2
}

func containsByte(letters string, b byte) bool { return slices.Contains([]byte(letters), b) }
