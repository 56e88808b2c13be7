package alert

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// DefaultRoute names the route of alerts that no other one takes.
const DefaultRoute = "default"

// channelRoute begins the name of the route of an alert that names a channel.
const channelRoute = "channel:"

// ChannelRoute is the name of the route of what is only for one channel.
func ChannelRoute(channel string) string { return channelRoute + channel }

// ThreadPolicy says which notes a card's thread gets. Text that does not fit on the
// card always goes there.
type ThreadPolicy string

// The policies: everything, including each repeated firing; what people do, and when
// an incident is resolved, reopened or escalated; nothing.
const (
	ThreadAll       ThreadPolicy = "all"
	ThreadImportant ThreadPolicy = "important"
	ThreadNone      ThreadPolicy = "none"
)

// Route says where matching alerts go and how they escalate. The first route that
// matches applies, and with Continue also those that match after it: Plans says how.
type Route struct {
	// Name identifies the route. Alerts with one key in one route are one incident.
	Name     string
	Matchers Matchers
	// To are conversations as ParseConversation writes them; empty means the default.
	To []string
	// Mention is who is mentioned in these conversations when a card is posted: U… and
	// S… (user group) ids, @name, user@mail, here, channel.
	Mention  []string
	Continue bool
	// Escalate has the escalation steps while nobody has acknowledged, by After.
	Escalate []Step
	// Remind is how often the assignee of an acknowledged incident is reminded; 0 for never.
	Remind time.Duration
	// ReopenWithin is how long after it was resolved an alert reopens an incident; 0 for
	// the default.
	ReopenWithin time.Duration
	// ExpiresIn is after which time an incident resolves that no alert refreshes; 0 for
	// the default, negative for never.
	ExpiresIn time.Duration
	// Quiet are hours in which cards wait; nil for none.
	Quiet *Quiet
	// Mute are times in which all cards wait, and Active those outside of which they do;
	// empty for none.
	Mute, Active []Times
	// GroupBy, GroupWait and GroupInterval are those of a Grouping. The latter two are the
	// defaults if 0, and none if negative.
	GroupBy       []string
	GroupWait     time.Duration
	GroupInterval time.Duration
	// Thread and Broadcast (important replies are also shown in the channel) are the
	// defaults if empty or nil.
	Thread    ThreadPolicy
	Broadcast *bool
	// HoldUnsure leaves a delivery to a person, instead of sending it again, if its
	// response was lost and Slack can't be searched; nil for the default.
	HoldUnsure *bool
	// Templates word its cards.
	Templates Templates
}

// Step is one escalation step: who else is notified, and when.
type Step struct {
	// After is counted from Incident.OpenedAt.
	After   time.Duration
	To      []string
	Mention []string
}

// Hold is when the route holds cards back.
func (r Route) Hold() Hold { return Hold{Quiet: r.Quiet, Mute: r.Mute, Active: r.Active} }

// Quiet are hours and times during which cards less severe than Below are held.
type Quiet struct {
	// Hours of the zero value are none.
	Hours
	Times []Times
	Below Severity
}

// HasHours reports whether there are hours, not only times.
func (q *Quiet) HasHours() bool { return q.Zone != nil || q.From != q.To || len(q.Days) > 0 }

// Routing is all routes and the defaults.
type Routing struct {
	Default    string
	Routes     []Route
	Thread     ThreadPolicy
	Broadcast  bool
	HoldUnsure bool
	// Inhibit are the rules by which alerts are hidden while others fire.
	Inhibit []InhibitRule
	// ReopenWithin is for routes that say nothing else.
	ReopenWithin time.Duration
	// InfoExpiresIn is the ExpiresIn of alerts of severity info for which neither they nor
	// their route say anything; 0 for never.
	InfoExpiresIn time.Duration
	// Mentionable are the mentions by which senders may notify (see ParseMention), or
	// Everyone.
	Mentionable []string
}

// Everyone permits every mention.
const Everyone = "everyone"

// Permits reports whether senders may notify by a mention as ParseMention writes it.
func (r Routing) Permits(mention string) bool {
	return slices.Contains(r.Mentionable, mention) || slices.Contains(r.Mentionable, Everyone)
}

// Plan is the routing of one alert, or of one of the incidents that it is about.
type Plan struct {
	// Route names the first route of the plan that matched.
	Route string
	// Further is set for all plans of an alert but the first.
	Further bool
	// Stops are the conversations it goes to, each once, with who is mentioned there.
	Stops      []Stop
	Steps      []Step
	Remind     time.Duration
	Hold       Hold
	Group      Grouping
	Thread     ThreadPolicy
	Broadcast  bool
	HoldUnsure bool
	// ReopenWithin and ExpiresIn are those of a Route; not positive is never.
	ReopenWithin time.Duration
	ExpiresIn    time.Duration
	Templates    Templates
	// Matched are the indexes in Routes of those that matched.
	Matched []int
}

// Stop is a conversation of a plan.
type Stop struct {
	Lane    string
	Mention []string
}

// Lanes are the conversations of the plan.
func (p Plan) Lanes() []string {
	lanes := make([]string, len(p.Stops))
	for n, s := range p.Stops {
		lanes[n] = s.Lane
	}
	return lanes
}

// Plan returns the routing of s as that of one incident. An alert that names a channel goes
// only there; everything else applies to it as to others.
func (r Routing) Plan(s Subject) Plan {
	p := r.noPlan(s)
	for _, n := range r.matching(s) {
		r.apply(&p, n, s)
	}
	r.complete(&p, s)
	return p
}

// Plans returns the routing of s for each incident that it is about, of which there is at
// least one: each route that forms groups has one. What names a channel is one incident
// there, and what Tocsin says about a heartbeat is in no group.
func (r Routing) Plans(s Subject) []Plan {
	if s.Channel != "" || strings.HasPrefix(s.Key, heartbeatKey) {
		return []Plan{r.Plan(s)}
	}
	var plans []Plan
	for _, n := range r.matching(s) {
		at := r.shares(plans, r.Routes[n])
		if at < 0 {
			at = len(plans)
			plans = append(plans, r.noPlan(s))
			plans[at].Further = at > 0
		}
		r.apply(&plans[at], n, s)
	}
	if len(plans) == 0 {
		plans = []Plan{r.noPlan(s)}
	}
	for n := range plans {
		r.complete(&plans[n], s)
	}
	return plans
}

// PlanOf returns the routing of an incident: of the plans of its latest firing alert that for
// its route, or the first if its alerts have another route by now.
func (r Routing) PlanOf(i Incident, names *Aliases) Plan {
	s := i.Subject()
	if i.Group != nil {
		s.Labels = i.Group.Latest
	}
	s = names.Subject(s)
	if i.Message != nil {
		return r.Plan(s)
	}
	return *PlanBy(r.Plans(s), i.Route)
}

// PlanBy is that one of an alert's plans which is for a route, or the first.
func PlanBy(plans []Plan, route string) *Plan {
	at := slices.IndexFunc(plans, func(p Plan) bool { return p.Route == route })
	return &plans[max(at, 0)]
}

// shares returns to which of an alert's plans a route that matches it adds; -1 is none. One
// that forms groups has a plan of its own, and the others have one together. A route that says
// nothing of groups adds to one that sends to all its conversations already.
func (r Routing) shares(plans []Plan, route Route) int {
	if (Grouping{By: route.GroupBy}).Groups() {
		return -1
	}
	if len(route.GroupBy) == 0 {
		if at := slices.IndexFunc(plans, func(p Plan) bool { return covers(p.Lanes(), r.to(route)) }); at >= 0 {
			return at
		}
	}
	return slices.IndexFunc(plans, func(p Plan) bool { return !p.Group.Groups() })
}

// covers reports whether all has each of some.
func covers(all, some []string) bool {
	return !slices.ContainsFunc(some, func(one string) bool { return !slices.Contains(all, one) })
}

// noPlan is a plan by which no route applies yet.
func (r Routing) noPlan(s Subject) Plan {
	p := Plan{Route: DefaultRoute, Thread: cmp.Or(r.Thread, ThreadImportant), Broadcast: r.Broadcast, HoldUnsure: r.HoldUnsure, ReopenWithin: r.ReopenWithin}
	if s.Severity == Info {
		p.ExpiresIn = r.InfoExpiresIn
	}
	return p
}

// matching are the indexes of the routes that apply to s.
func (r Routing) matching(s Subject) (matched []int) {
	for n, route := range r.Routes {
		if !route.Matchers.Match(s) {
			continue
		}
		matched = append(matched, n)
		if !route.Continue {
			break
		}
	}
	return matched
}

// complete adds to a plan what does not come from routes.
func (r Routing) complete(p *Plan, s Subject) {
	if s.Channel != "" && s.Channel != r.Default {
		p.Route = ChannelRoute(s.Channel)
	} else if s.Channel != "" {
		p.Route = DefaultRoute
	}
	if len(p.Stops) == 0 {
		p.stop(cmp.Or(s.Channel, r.Default), nil)
	}
	slices.SortStableFunc(p.Steps, func(a, b Step) int { return cmp.Compare(a.After, b.After) })
}

// to are the conversations of a route.
func (r Routing) to(route Route) []string {
	if len(route.To) == 0 {
		return []string{r.Default}
	}
	return route.To
}

// HoldsIn is HoldUnsure for a message in lane that shows alerts of many routes: set
// if it is set for any route that sends there. A lane to which no route sends has
// alerts that named it, and they may match any route.
func (r Routing) HoldsIn(lane string) bool {
	sends := lane == r.Default
	holds := sends && r.HoldUnsure
	somewhere := r.HoldUnsure
	for _, route := range r.Routes {
		wants := orElse(route.HoldUnsure, r.HoldUnsure)
		somewhere = somewhere || wants
		if route.sends(lane) || len(route.To) == 0 && lane == r.Default {
			sends, holds = true, holds || wants
		}
	}
	return holds || !sends && somewhere
}

// Sends reports whether alerts go to the conversation that do not name it themselves.
func (r Routing) Sends(lane string) bool {
	return lane == r.Default || slices.ContainsFunc(r.Routes, func(route Route) bool { return route.sends(lane) })
}

// sends reports whether the route sends to the conversation, possibly in a step.
func (r Route) sends(lane string) bool {
	return slices.Contains(r.To, lane) || slices.ContainsFunc(r.Escalate, func(s Step) bool { return slices.Contains(s.To, lane) })
}

// apply adds the n-th route to the plan. Settings that a plan has once come from the
// first route.
func (r Routing) apply(p *Plan, n int, s Subject) {
	route := r.Routes[n]
	if len(p.Matched) == 0 {
		p.Route, p.Hold, p.Remind, p.Templates = route.Name, route.Hold(), route.Remind, route.Templates
		p.ReopenWithin, p.ExpiresIn = cmp.Or(route.ReopenWithin, p.ReopenWithin), cmp.Or(route.ExpiresIn, p.ExpiresIn)
		p.Group = Grouping{
			By: route.GroupBy, Wait: max(cmp.Or(route.GroupWait, DefaultGroupWait), 0), Interval: max(cmp.Or(route.GroupInterval, DefaultGroupInterval), 0),
		}
		p.Thread = cmp.Or(route.Thread, p.Thread)
		p.Broadcast, p.HoldUnsure = orElse(route.Broadcast, p.Broadcast), orElse(route.HoldUnsure, p.HoldUnsure)
	}
	p.Matched = append(p.Matched, n)
	p.Steps = append(p.Steps, route.Escalate...)
	lanes := r.to(route)
	if s.Channel != "" {
		lanes = []string{s.Channel}
	}
	for _, lane := range lanes {
		p.stop(lane, route.Mention)
	}
}

func orElse(choice *bool, otherwise bool) bool {
	if choice == nil {
		return otherwise
	}
	return *choice
}

// Notify adds somebody who is mentioned in every conversation of the plan.
func (p *Plan) Notify(who string) {
	for n := range p.Stops {
		p.Stops[n].Mention = Union(p.Stops[n].Mention, []string{who})
	}
}

func (p *Plan) stop(lane string, mention []string) {
	at := slices.IndexFunc(p.Stops, func(s Stop) bool { return s.Lane == lane })
	if at < 0 {
		p.Stops = append(p.Stops, Stop{Lane: lane})
		at = len(p.Stops) - 1
	}
	p.Stops[at].Mention = Union(p.Stops[at].Mention, mention)
}

// Union is a followed by the elements of b that it lacks.
func Union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// slackGroup is how Slack writes a user group in a message.
var slackGroup = regexp.MustCompile(`^<!subteam\^(S[A-Z0-9]{2,})(\|[^>]*)?>$`)

// oneMention is a mention among others: as Slack writes it, or a word.
var oneMention = regexp.MustCompile(`<[^<>]*>|[^\s,;<>]+`)

// ParseMentions normalizes mentions that are separated by blanks, commas or semicolons, as
// ParseMention does. Those that can't be mentioned are in unknown, as they are written, or
// the whole text if nobody in it can.
func ParseMentions(s string) (mentions, unknown []string) {
	for _, word := range oneMention.FindAllString(s, -1) {
		if who, err := ParseMention(word); err == nil {
			mentions = Union(mentions, []string{who})
		} else {
			unknown = append(unknown, word)
		}
	}
	if len(mentions) == 0 && len(unknown) > 0 {
		unknown = []string{strings.TrimSpace(s)}
	}
	return mentions, unknown
}

// ParseMention normalizes a mention to here, channel, a U…, W… or S… id, @name or
// user@mail. It also reads Slack's <@U…>, <!subteam^S…>, <!here> and <mailto:…>. The error is
// an *InputError.
func ParseMention(s string) (string, error) {
	s = strings.TrimSpace(s)
	for _, own := range []*regexp.Regexp{slackLink, slackGroup} {
		if m := own.FindStringSubmatch(s); m != nil && mentionID.MatchString(m[1]) {
			return m[1], nil
		}
	}
	plain, _, _ := strings.Cut(strings.TrimPrefix(strings.Trim(s, "<>"), "mailto:"), "|")
	address := strings.TrimPrefix(plain, "@")
	switch word := strings.ToLower(strings.Trim(plain, "@!")); {
	case word == "here", word == "channel":
		return word, nil
	case isMentionID(strings.TrimPrefix(s, "@")):
		return strings.TrimPrefix(s, "@"), nil
	case userName.MatchString(s):
		return strings.ToLower(s), nil
	case mailAddress.MatchString(address):
		return strings.ToLower(address), nil
	}
	return "", &InputError{
		Message: fmt.Sprintf("%.60q can't be mentioned", s),
		Hint:    "write here, channel, @name, user@example.com, or the id of a person (U…) or a user group (S…)",
	}
}

// isMentionID distinguishes an id from a name in capitals, such as @SRE.
func isMentionID(s string) bool {
	return mentionID.MatchString(s) && (len(s) >= shortestID || strings.ContainsAny(s, "0123456789"))
}
