package alert

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The defaults of a Grouping, which are Alertmanager's.
const (
	DefaultGroupWait     = 30 * time.Second
	DefaultGroupInterval = 5 * time.Minute
)

// AllLabels groups by all labels: each set of labels is an incident of its own, as without
// groups.
const AllLabels = "..."

// The bounds of what is shown of a group.
const (
	// CardMembers is the most members that a card lists.
	CardMembers = 10
	// MostListed is the most members that lists in a thread or in an answer have.
	MostListed = 10_000
	// MembersPage is the most members in one reply.
	MembersPage = 20
	// MembersAsFile is the number of members from which a list is a file.
	MembersAsFile = 61
	// MembersInFile is the most members in one file.
	MembersInFile = 2500
	// TemplateMembers is the most firing members that templates see, and the most resolved ones.
	TemplateMembers = 20
)

// Grouping says how the alerts of a route form groups, each of which is one incident.
type Grouping struct {
	// By are the names of the labels that the alerts of a group have in common, as in
	// Subject.Value. Without any, each key is an incident of its own.
	By []string
	// Wait is how long the first card of a group waits for further alerts, Interval how long
	// its thread waits until it says what is new since the last time.
	Wait, Interval time.Duration
}

// Groups reports whether there are groups at all.
func (g Grouping) Groups() bool { return len(g.By) > 0 && !slices.Contains(g.By, AllLabels) }

// Takes reports whether an alert becomes a member of a group. A message that is posted as
// it is, and what Tocsin says about a heartbeat, are incidents of their own.
func (g Grouping) Takes(a Alert) bool {
	return g.Groups() && a.Message == nil && !strings.HasPrefix(a.Key, heartbeatKey)
}

// Labels are the labels by which an alert is grouped. One that it lacks is empty.
func (g Grouping) Labels(s Subject) map[string]string {
	labels := make(map[string]string, len(g.By))
	for _, name := range g.By {
		labels[name] = s.Value(name)
	}
	return labels
}

// Key is the key of the group of an alert, such as {alertname="DiskFull", cluster="eu"}.
func (g Grouping) Key(s Subject) string {
	var key strings.Builder
	for n, name := range g.By {
		if n > 0 {
			key.WriteString(", ")
		}
		key.WriteString(name + "=" + strconv.Quote(s.Value(name)))
	}
	if k := "{" + key.String() + "}"; utf8.RuneCountInString(k) <= MaxKey {
		return k
	}
	return shortKey("{" + key.String() + "}")
}

// GroupKeys are the keys of the groups that an alert may belong to. Which of them it is
// depends on its route.
func (r Routing) GroupKeys(a Alert) []string {
	var keys []string
	for _, route := range r.Routes {
		if g := (Grouping{By: route.GroupBy}); g.Takes(a) {
			keys = Union(keys, []string{g.Key(a.Subject())})
		}
	}
	return keys
}

// Group is what an incident knows of the alerts that form it, its members.
type Group struct {
	// Labels are those by which they are grouped.
	Labels map[string]string `json:"labels"`
	// Total counts all members that it ever had, but for those that were inhibited as long as
	// they fired. Firing, Silenced and Inhibited count those that fire by severity: silences
	// and other incidents hide the latter two.
	Total     int              `json:"total"`
	Firing    map[Severity]int `json:"firing,omitempty"`
	Silenced  map[Severity]int `json:"silenced,omitempty"`
	Inhibited map[Severity]int `json:"inhibited,omitempty"`
	// Withdrawn is how many of Total are inhibited now.
	Withdrawn int `json:"withdrawn,omitempty"`
	// Closed counts the members that were resolved with the incident by a person, and that
	// fire again if that is undone.
	Closed map[Severity]int `json:"-"`
	// SilencedBy is the id of the silence that hid a member last, InhibitedBy that of the
	// incident.
	SilencedBy  string `json:"-"`
	InhibitedBy string `json:"-"`
	// Titles, Texts are set once the members have different ones.
	Titles bool `json:"-"`
	Texts  bool `json:"-"`
	// Latest is what matchers of routes see: the labels of the latest firing member.
	Latest map[string]string `json:"-"`
	// Said is how many members people have been told of by the card or in the thread, Ended how
	// many were resolved and Again how many fired again since the thread spoke last. That was
	// at SaidAt. SayAt is when it says what is new; zero if nothing is.
	Said   int       `json:"-"`
	Ended  int       `json:"-"`
	Again  int       `json:"-"`
	SaidAt time.Time `json:"-"`
	SayAt  time.Time `json:"-"`
	// DueAt is when a member may be due; zero for never. None is due earlier.
	DueAt time.Time `json:"-"`
	// Plain is what the incident says without the templates of its route; nil if that is what
	// it says.
	Plain *Wording `json:"-"`
	// Top are the worst members after the first From, as they are now. They are only set where
	// they are shown.
	Top  []GroupMember `json:"-"`
	From int           `json:"-"`
}

// Wording is what an incident says that templates may say otherwise.
type Wording struct {
	Title  string  `json:"title"`
	Text   string  `json:"text,omitempty"`
	Links  []Link  `json:"links,omitempty"`
	Images []Image `json:"images,omitempty"`
}

// Clone returns a copy that can be changed.
func (g Group) Clone() *Group {
	g.Firing, g.Silenced, g.Inhibited, g.Closed = maps.Clone(g.Firing), maps.Clone(g.Silenced), maps.Clone(g.Inhibited), maps.Clone(g.Closed)
	return &g
}

// Lasts reports whether a member fires, possibly hidden.
func (g Group) Lasts() bool { return g.Fires()+g.Hidden()+sum(g.Inhibited) > 0 }

// Fires is how many members fire that nothing hides.
func (g Group) Fires() int { return sum(g.Firing) }

// Hidden is how many members fire that a silence hides.
func (g Group) Hidden() int { return sum(g.Silenced) }

// Shown is how many members cards and threads list and count: all but those that are
// inhibited. Of a group that is inhibited as a whole they list all.
func (g Group) Shown() int { return g.Total - g.Withdrawn }

// All is how many members there are to list, also of those that are inhibited.
func (g Group) All() int { return g.Shown() + sum(g.Inhibited) }

// Over is how many members are resolved.
func (g Group) Over() int { return g.Shown() - g.Fires() - g.Hidden() }

// Worst is the worst severity of a firing member, of those that are hidden only if there are
// no others; empty if none fires.
func (g Group) Worst() Severity {
	for _, counts := range []map[Severity]int{g.Firing, g.Silenced, g.Inhibited} {
		for _, s := range Severities() {
			if counts[s] > 0 {
				return s
			}
		}
	}
	return ""
}

// News reports whether the thread has something to say that is new.
func (g Group) News() bool { return g.Said < g.Total || g.Ended+g.Again > 0 }

// Close resolves all members that fire, and Reopen undoes that.
func (g *Group) Close() {
	for _, counts := range []map[Severity]int{g.Firing, g.Silenced, g.Inhibited} {
		for s, n := range counts {
			addTo(&g.Closed, s, n)
		}
	}
	g.Firing, g.Silenced, g.Inhibited, g.Withdrawn = nil, nil, nil, 0
}

// Reopen has the members fire again that Close has resolved.
func (g *Group) Reopen() {
	for s, n := range g.Closed {
		addTo(&g.Firing, s, n)
	}
	g.Closed = nil
}

// Count adds n to the count of a member's status and severity.
func (g *Group) Count(m GroupMember, n int) {
	switch {
	case m.Status == Firing && m.InhibitedBy != "":
		addTo(&g.Inhibited, m.Severity, n)
		if m.N > 0 {
			g.Withdrawn += n
		}
	case m.Status == Firing && m.Silence != "":
		addTo(&g.Silenced, m.Severity, n)
	case m.Status == Firing:
		addTo(&g.Firing, m.Severity, n)
	case m.Closed:
		addTo(&g.Closed, m.Severity, n)
	}
}

func addTo(counts *map[Severity]int, s Severity, n int) {
	if *counts == nil {
		*counts = map[Severity]int{}
	}
	if (*counts)[s] += n; (*counts)[s] == 0 {
		delete(*counts, s)
	}
}

// LabelNames are Labels by the names of the labels themselves: source for labels.source.
func (g Group) LabelNames() map[string]string {
	labels := make(map[string]string, len(g.Labels))
	for name, value := range g.Labels {
		if label, prefixed := strings.CutPrefix(name, labelPrefix); prefixed && isField(label) {
			name = label
		}
		labels[name] = value
	}
	return labels
}

// Due has the group due when a member is.
func (g *Group) Due(m GroupMember) {
	if at := m.DueAt(); !at.IsZero() && (g.DueAt.IsZero() || at.Before(g.DueAt)) {
		g.DueAt = at
	}
}

// Name is the title of a group whose members have different ones: the name of the alert if
// all have the same, and the other values by which they are grouped.
func (g Group) Name(common map[string]string) string {
	var values []string
	for _, name := range slices.Sorted(maps.Keys(g.Labels)) {
		if value := g.Labels[name]; value != "" && name != alertName {
			values = append(values, value)
		}
	}
	name, rest := common[alertName], strings.Join(values, ", ")
	switch {
	case name == "" && rest == "":
		return "Alerts of one route"
	case name == "":
		return rest
	case rest == "":
		return name
	}
	return name + " (" + rest + ")"
}

// alertName is the label that names an alert of Prometheus.
const alertName = "alertname"

func sum(counts map[Severity]int) (all int) {
	for _, n := range counts {
		all += n
	}
	return all
}

// GroupMember is one alert of a group, as it was said last.
type GroupMember struct {
	// Incident is the id of the group's incident, Key the alert's own key.
	Incident string `json:"-"`
	Key      string `json:"key"`
	// N is its place in the order in which they were to be shown first, from 1; 0 if it was
	// inhibited whenever it fired.
	N        int               `json:"n"`
	Status   Status            `json:"status"`
	Severity Severity          `json:"severity"`
	Title    string            `json:"title"`
	Text     string            `json:"text,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Links    []Link            `json:"links,omitempty"`
	// Annotations are as in Alert.
	Annotations map[string]string `json:"-"`
	// Count is how often it fired.
	Count   int       `json:"count"`
	BeganAt time.Time `json:"began_at"`
	// LastAt is when it was accepted last, EndedAt when it was resolved; zero while it fires.
	LastAt  time.Time `json:"last_at"`
	EndedAt time.Time `json:"ended_at,omitzero"`
	// ExpiresAt is when it resolves unless an alert refreshes it; zero for never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Expired   bool      `json:"expired,omitempty"`
	// Silence is the id of the silence that hides it until SilencedUntil, InhibitedBy that of
	// the incident that inhibits it; at most one of the two is set.
	Silence       string    `json:"silence,omitempty"`
	SilencedUntil time.Time `json:"silenced_until,omitzero"`
	InhibitedBy   string    `json:"inhibited_by,omitempty"`
	// LookAt is when it is looked again at what hides it; zero for at its next change.
	LookAt time.Time `json:"-"`
	// Closed is set when a person resolved it with the whole incident.
	Closed bool `json:"closed,omitempty"`
}

// Hidden reports whether a silence or another incident hides it.
func (m GroupMember) Hidden() bool { return m.Silence != "" || m.InhibitedBy != "" }

// Unhide forgets what has hidden it.
func (m *GroupMember) Unhide() {
	m.Silence, m.SilencedUntil, m.InhibitedBy, m.LookAt = "", time.Time{}, "", time.Time{}
}

// DueAt is when it expires, its silence ends, or it is looked at; zero for never, or if it is
// resolved.
func (m GroupMember) DueAt() time.Time {
	if m.Status != Firing {
		return time.Time{}
	}
	due := m.ExpiresAt
	for _, at := range []time.Time{m.SilencedUntil, m.LookAt} {
		if !at.IsZero() && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return due
}

// Rank orders members worst first: those that fire, then those that are inhibited, then those
// that a silence hides, then those that are resolved.
func (m GroupMember) Rank() int {
	switch {
	case m.Status != Firing:
		return len(Severities()) + 2
	case m.Silence != "":
		return len(Severities()) + 1
	case m.InhibitedBy != "":
		return len(Severities())
	}
	return m.Severity.Rank()
}

// RankOver is the Rank of members that are resolved.
func RankOver() int { return GroupMember{}.Rank() }

// Subject is what matchers see of the member, given the incident of its group.
func (m GroupMember) Subject(i Incident) Subject {
	s := i.Subject()
	s.Severity, s.Key, s.Title, s.Shown, s.Labels, s.Group = m.Severity, m.Key, m.Title, "", m.Labels, nil
	return s
}

// Match reports whether the conditions match all members of the group, or at least may match
// some, given what matchers see of its incident: that tells only what all have in common.
func (g Group) Match(ms Matchers, s Subject) (all, some bool) {
	all = true
	for _, m := range ms {
		common := g.common(m, s)
		if common && !m.Match(s) {
			return false, false
		}
		all = all && common
	}
	return all, true
}

// common reports whether a condition is about what all members have in common. The key of
// the group stands for that of each.
func (g Group) common(m Matcher, s Subject) bool {
	if isField(m.Name) {
		return m.Name == "channel" || m.Name == "key" && m.Match(s)
	}
	label := strings.TrimPrefix(m.Name, labelPrefix)
	_, common := s.Labels[label]
	_, grouped := g.Labels[LabelMatcher(label, "").Name]
	return common || grouped
}

// Common are the labels that both have, with the same values.
func Common(a, b map[string]string) map[string]string {
	if maps.Equal(a, b) {
		return a
	}
	both := map[string]string{}
	for name, value := range a {
		if other, has := b[name]; has && other == value {
			both[name] = value
		}
	}
	return both
}

// Member is the incident as if the member had one of its own.
func (i Incident) Member(m GroupMember) Incident {
	i.Key, i.Severity, i.Title, i.Text, i.Labels, i.Links = m.Key, m.Severity, m.Title, m.Text, m.Labels, m.Links
	i.Annotations, i.SentTitle = m.Annotations, ""
	i.FirstAt, i.BeganAt, i.LastAt, i.EndedAt, i.Count = m.BeganAt, m.BeganAt, m.LastAt, m.EndedAt, m.Count
	i.ExpiresAt, i.SilencedUntil = m.ExpiresAt, m.SilencedUntil
	if m.Hidden() {
		i.Silence, i.InhibitedBy = m.Silence, m.InhibitedBy
	}
	i.Group, i.Fields = nil, nil
	return i
}

// MemberKey names an alert that may be a member of a group.
type MemberKey struct{ Group, Key string }

// Wake has members looked at from At on: those that the incident or the silence By hides, or
// those that fire visibly in the group of Incident.
type Wake struct {
	By, Incident string
	At           time.Time
}

// TurnedGroup is a group of which all firing members were resolved by a person, or of which
// those fire again because that was undone.
type TurnedGroup struct {
	Incident string
	Status   Status
	At       time.Time
}

// MemberNotes are the notes that name the members after the first from of a group: in pages,
// or in files if there are many. At most MostListed are named, the last note counts the others.
func MemberNotes(from, total int) (notes []Note) {
	page, topic := MembersPage, TopicMembers
	if total-from >= MembersAsFile {
		page, topic = MembersInFile, TopicMemberFile
	}
	end := min(total, MostListed)
	for ; from < end; from += page {
		notes = append(notes, Note{Topic: topic, From: from, Count: min(page, end-from)})
	}
	if len(notes) == 0 && from < total {
		notes, end = []Note{{Topic: TopicMembers, From: from}}, from
	}
	if len(notes) > 0 {
		notes[len(notes)-1].More = total - end
	}
	return notes
}

// Headline is the title, for a group with how many of its members fire, unless a template
// says what it is.
func (i Incident) Headline() string {
	if i.Group == nil || i.Group.Total < 2 || i.Titled() {
		return i.Title
	}
	return i.Title + ": " + i.MemberCounts()
}

// Titled reports whether a template says what the title is.
func (i Incident) Titled() bool { return i.SentTitle != "" }

// MemberCounts says in words how many members of the group fire, are silenced and are resolved. Those
// that are inhibited count only if that hides the whole group.
func (i Incident) MemberCounts() string {
	g := i.Group
	firing, silenced, inhibited := g.Fires(), g.Hidden(), 0
	switch {
	case i.Silence != "": // which may hide all of it
		firing, silenced = 0, firing+silenced
	case i.InhibitedBy != "":
		inhibited = g.Withdrawn
	}
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{{firing, "firing"}, {silenced, "silenced"}, {inhibited, "inhibited"}, {g.Over(), "resolved"}} {
		if p.n > 0 {
			parts = append(parts, strconv.Itoa(p.n)+" "+p.word)
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing firing")
}
