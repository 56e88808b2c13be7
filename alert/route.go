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

// ThreadPolicy says what is told in a card's thread besides what has no room on
// the card, which always goes there.
type ThreadPolicy string

// The policies: every firing again as well; what people do, and an end, a
// return and a worse severity; nothing.
const (
	ThreadAll       ThreadPolicy = "all"
	ThreadImportant ThreadPolicy = "important"
	ThreadNone      ThreadPolicy = "none"
)

// Route says where alerts that match go and what is done until somebody takes
// them. Routes are asked in order; the first that matches takes the alert, and
// with Continue further ones send it to their conversations as well.
type Route struct {
	// Name tells routes apart; two alerts with one key in one route are one incident.
	Name     string
	Matchers Matchers
	// To are conversations as ParseConversation writes them; empty means the default.
	To []string
	// Mention are pinged in these conversations when a card is posted: U… and S…
	// (user group) ids, @name, user@mail, here, channel.
	Mention  []string
	Continue bool
	// Escalate are the steps that are taken while nobody has acknowledged, by After.
	Escalate []Step
	// Remind is how often who acknowledged is reminded that it is still open; 0 is never.
	Remind time.Duration
	// Quiet are hours in which cards wait; nil for none.
	Quiet *Quiet
	// Thread and Broadcast (replies that matter show in the channel as well) are
	// the defaults where they are empty or nil.
	Thread    ThreadPolicy
	Broadcast *bool
	// HoldUnsure leaves to a person what can't be looked for after its answer was
	// lost, in place of sending it again; nil is the default.
	HoldUnsure *bool
}

// Step is one step of an escalation: who else hears of it, and when.
type Step struct {
	// After is counted from when the incident began to be open and was not held back.
	After   time.Duration
	To      []string
	Mention []string
}

// Quiet are the hours of a day, in a zone, in which what is less severe than
// Below waits for their end.
type Quiet struct {
	// From and Till are times since midnight; From after Till spans midnight.
	From, Till time.Duration
	Zone       *time.Location
	// Days are those on which the quiet begins; empty means every day.
	Days  []time.Weekday
	Below Severity
}

// longestQuiet is how many quiet times on end are taken as one, so that nothing
// waits for ever where the quiet never ends.
const longestQuiet = 7

// Until returns the end of the quiet hours that hold back an alert of this
// severity at now, and whether there are any. Where the next ones begin at that
// end or before, it is theirs.
func (q *Quiet) Until(now time.Time, severity Severity) (time.Time, bool) {
	if q == nil || severity.Rank() <= q.Below.Rank() {
		return time.Time{}, false
	}
	end := now
	for range longestQuiet {
		next, ok := q.end(end)
		if !ok {
			break
		}
		end = next
	}
	return end, end.After(now)
}

// end is when the quiet that holds at a time ends.
func (q *Quiet) end(at time.Time) (time.Time, bool) {
	zone := q.Zone
	if zone == nil {
		zone = time.UTC
	}
	year, month, today := at.In(zone).Date()
	for _, back := range []int{0, 1} {
		// Noon is on every day in every zone; midnight is not.
		day := time.Date(year, month, today-back, 12, 0, 0, 0, zone)
		if len(q.Days) > 0 && !slices.Contains(q.Days, day.Weekday()) {
			continue
		}
		from, till := clock(day, q.From, zone), clock(day, q.Till, zone)
		if q.Till <= q.From {
			till = clock(day.AddDate(0, 0, 1), q.Till, zone)
		}
		if !at.Before(from) && at.Before(till) {
			return till, true
		}
	}
	return time.Time{}, false
}

// clock is a time of day as the clocks of a zone show it.
func clock(day time.Time, at time.Duration, zone *time.Location) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), int(at/time.Hour), int(at%time.Hour/time.Minute), 0, 0, zone)
}

// Routing is all routes and what holds where they say nothing.
type Routing struct {
	Default    string
	Routes     []Route
	Thread     ThreadPolicy
	Broadcast  bool
	HoldUnsure bool
}

// Plan is what the routes say about one alert.
type Plan struct {
	// Route names the first route that took it.
	Route string
	// Stops are the conversations it goes to, each once, with who is pinged there.
	Stops      []Stop
	Steps      []Step
	Remind     time.Duration
	Quiet      *Quiet
	Thread     ThreadPolicy
	Broadcast  bool
	HoldUnsure bool
	// Taken are the places in Routes of those that took it.
	Taken []int
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

// Plan asks the routes where s goes. An alert that names a channel goes there
// and nowhere else; all the rest holds for it as for others.
func (r Routing) Plan(s Subject) Plan {
	p := Plan{Route: DefaultRoute, Thread: cmp.Or(r.Thread, ThreadImportant), Broadcast: r.Broadcast, HoldUnsure: r.HoldUnsure}
	for n, route := range r.Routes {
		if !route.Matchers.Match(s) {
			continue
		}
		r.take(&p, n, s)
		if !route.Continue {
			break
		}
	}
	if s.Channel != "" && s.Channel != r.Default {
		p.Route = channelRoute + s.Channel
	} else if s.Channel != "" {
		p.Route = DefaultRoute
	}
	if len(p.Stops) == 0 {
		p.stop(cmp.Or(s.Channel, r.Default), nil)
	}
	slices.SortStableFunc(p.Steps, func(a, b Step) int { return cmp.Compare(a.After, b.After) })
	return p
}

// HoldsIn says whether a message in lane that stands for alerts of many routes
// is left to a person when it is unsure: when one of the routes that send there
// wants that. Where no route sends, alerts go that name the conversation, by any
// route.
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

// sends says whether the route names the conversation, perhaps in a step.
func (r Route) sends(lane string) bool {
	return slices.Contains(r.To, lane) || slices.ContainsFunc(r.Escalate, func(s Step) bool { return slices.Contains(s.To, lane) })
}

// take adds what the n-th route says; the first that took the alert has the
// say where only one can.
func (r Routing) take(p *Plan, n int, s Subject) {
	route := r.Routes[n]
	if len(p.Taken) == 0 {
		p.Route, p.Quiet, p.Remind = route.Name, route.Quiet, route.Remind
		p.Thread = cmp.Or(route.Thread, p.Thread)
		p.Broadcast, p.HoldUnsure = orElse(route.Broadcast, p.Broadcast), orElse(route.HoldUnsure, p.HoldUnsure)
	}
	p.Taken = append(p.Taken, n)
	p.Steps = append(p.Steps, route.Escalate...)
	lanes := route.To
	if s.Channel != "" {
		lanes = []string{s.Channel}
	} else if len(lanes) == 0 {
		lanes = []string{r.Default}
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

func (p *Plan) stop(lane string, mention []string) {
	at := slices.IndexFunc(p.Stops, func(s Stop) bool { return s.Lane == lane })
	if at < 0 {
		p.Stops = append(p.Stops, Stop{Lane: lane})
		at = len(p.Stops) - 1
	}
	p.Stops[at].Mention = Union(p.Stops[at].Mention, mention)
}

// Union is a and what b has besides, in their order.
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

// ParseMention brings a mention to one spelling: here, channel, a U…, W… or S…
// id, @name or user@mail. Slack's own <@U…>, <!subteam^S…> and <!here> are
// understood. The error is an *InputError.
func ParseMention(s string) (string, error) {
	s = strings.TrimSpace(s)
	for _, own := range []*regexp.Regexp{slackLink, slackGroup} {
		if m := own.FindStringSubmatch(s); m != nil && mentionID.MatchString(m[1]) {
			return m[1], nil
		}
	}
	switch word := strings.ToLower(strings.Trim(s, "@<!>")); {
	case word == "here", word == "channel":
		return word, nil
	case isMentionID(strings.TrimPrefix(s, "@")):
		return strings.TrimPrefix(s, "@"), nil
	case userName.MatchString(s), mailAddress.MatchString(s):
		return strings.ToLower(s), nil
	}
	return "", &InputError{
		Message: fmt.Sprintf("%.60q is nobody to mention", s),
		Hint:    "write here, channel, @name, user@example.com, or the id of a person (U…) or a user group (S…)",
	}
}

// isMentionID tells an id from a name in capitals, such as @SRE.
func isMentionID(s string) bool {
	return mentionID.MatchString(s) && (len(s) >= shortestID || strings.ContainsAny(s, "0123456789"))
}
