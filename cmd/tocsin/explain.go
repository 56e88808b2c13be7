package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// explanation says where an alert goes, and why.
type explanation struct {
	Severity alert.Severity    `json:"severity"`
	Channel  string            `json:"channel,omitempty"`
	Labels   map[string]string `json:"labels"`
	Routes   []routeResult     `json:"routes"`
	Inhibit  []inhibitResult   `json:"inhibit"`
	planned
	// Also are the plans of the other incidents that it becomes.
	Also []planned `json:"also,omitempty"`
}

// planned is what happens to an incident.
type planned struct {
	Route      string     `json:"route"`
	To         []stop     `json:"to"`
	Quiet      *quietNow  `json:"quiet"`
	Mute       []string   `json:"mute,omitempty"`
	Active     []string   `json:"active,omitempty"`
	Held       *heldNow   `json:"held"`
	Escalation []step     `json:"escalation"`
	Remind     string     `json:"remind,omitempty"`
	Group      *groupedBy `json:"group,omitempty"`
	Reopen     string     `json:"reopen_within"`
	Expires    string     `json:"expires_in,omitempty"`
	Thread     string     `json:"thread"`
	Broadcast  bool       `json:"broadcast"`
	WhenUnsure string     `json:"when_unsure"`
}

// routeResult is a route, whether the alert got as far as that, and whether it matched.
type routeResult struct {
	Name     string          `json:"name"`
	Asked    bool            `json:"asked"`
	Takes    bool            `json:"takes"`
	Continue bool            `json:"continue"`
	Matchers []matcherResult `json:"matchers"`
}

type matcherResult struct {
	Matcher string `json:"matcher"`
	Value   string `json:"value"`
	True    bool   `json:"matches"`
}

type stop struct {
	Conversation string   `json:"conversation"`
	Pings        []string `json:"pings"`
}

// quietNow describes quiet hours and times, and whether they hold the alert back.
type quietNow struct {
	From  string         `json:"from,omitempty"`
	To    string         `json:"to,omitempty"`
	Zone  string         `json:"zone,omitempty"`
	Days  []string       `json:"days,omitempty"`
	Times []string       `json:"times,omitempty"`
	Below alert.Severity `json:"below"`
	Holds bool           `json:"holds"`
	Until time.Time      `json:"until,omitzero"`
}

// heldNow says why the alert is held back, and until when; Endless is set if no end is
// within a year.
type heldNow struct {
	Why     string    `json:"why"`
	Until   time.Time `json:"until"`
	Endless bool      `json:"endless,omitempty"`
}

// step is a step of an escalation: the conversations that get a card, and those
// whose thread says that nobody has acknowledged the incident.
type step struct {
	After string `json:"after"`
	Posts []stop `json:"posts"`
	Tells []stop `json:"tells"`
}

func explain(r alert.Routing, s alert.Subject, at time.Time) explanation {
	x := explanation{Severity: s.Severity, Channel: s.Channel, Labels: s.Labels, Routes: []routeResult{}, Inhibit: explainInhibit(r.Inhibit, s)}
	var matched []int
	for n, plan := range r.Plans(s) {
		matched = append(matched, plan.Matched...)
		if one := explainPlan(plan, s, at); n == 0 {
			x.planned = one
		} else {
			x.Also = append(x.Also, one)
		}
	}
	reached := true
	for n, route := range r.Routes {
		result := routeResult{Name: route.Name, Asked: reached, Takes: slices.Contains(matched, n), Continue: route.Continue, Matchers: []matcherResult{}}
		for _, m := range route.Matchers {
			result.Matchers = append(result.Matchers, matcherResult{m.String(), s.Value(m.Name), m.Match(s)})
		}
		x.Routes = append(x.Routes, result)
		reached = reached && (!result.Takes || route.Continue)
	}
	return x
}

func explainPlan(plan alert.Plan, s alert.Subject, at time.Time) planned {
	x := planned{
		Route: plan.Route, To: []stop{}, Quiet: explainQuiet(plan.Hold.Quiet, s.Severity, at), Mute: alert.TimesNames(plan.Hold.Mute),
		Active: alert.TimesNames(plan.Hold.Active), Escalation: explainSteps(plan), Group: explainGroup(plan.Group, s),
		Reopen: short(plan.ReopenWithin), Thread: string(plan.Thread), Broadcast: plan.Broadcast, WhenUnsure: "resend",
	}
	if plan.HoldUnsure {
		x.WhenUnsure = "hold"
	}
	if held, ok := plan.Hold.At(at, s.Severity); ok {
		x.Held = &heldNow{held.Why, held.Until, held.Endless}
	}
	if plan.Remind > 0 {
		x.Remind = short(plan.Remind)
	}
	if plan.ExpiresIn > 0 {
		x.Expires = short(plan.ExpiresIn)
	}
	for _, st := range plan.Stops {
		x.To = append(x.To, stop{st.Lane, orNone(st.Mention)})
	}
	return x
}

// groupedBy is the group of an alert.
type groupedBy struct {
	Key      string            `json:"key"`
	Labels   map[string]string `json:"labels"`
	Wait     string            `json:"wait"`
	Interval string            `json:"interval"`
}

func explainGroup(g alert.Grouping, s alert.Subject) *groupedBy {
	if !g.Groups() {
		return nil
	}
	return &groupedBy{g.Key(s), g.Labels(s), short(g.Wait), short(g.Interval)}
}

func (g *groupedBy) text() string {
	if g == nil {
		return "Alerts with its key are one incident.\n"
	}
	return fmt.Sprintf("It belongs to the group %s, which is one incident. The card waits %s for others; the thread says what is new every %s.\n", g.Key, g.Wait, g.Interval)
}

// explainSteps lists where each step of a plan is seen. A step without a
// conversation notifies people where the alert is shown already.
func explainSteps(plan alert.Plan) []step {
	steps, lanes := []step{}, plan.Lanes()
	for _, st := range plan.Steps {
		next := step{After: short(st.After), Posts: []stop{}, Tells: []stop{}}
		for _, lane := range lanes {
			tells := stop{lane, []string{}}
			if len(st.To) == 0 || slices.Contains(st.To, lane) {
				tells.Pings = orNone(st.Mention)
			}
			next.Tells = append(next.Tells, tells)
		}
		for _, lane := range st.To {
			if !slices.Contains(lanes, lane) {
				next.Posts = append(next.Posts, stop{lane, orNone(st.Mention)})
				lanes = append(lanes, lane)
			}
		}
		steps = append(steps, next)
	}
	return steps
}

func explainQuiet(q *alert.Quiet, severity alert.Severity, at time.Time) *quietNow {
	if q == nil {
		return nil
	}
	x := &quietNow{Times: alert.TimesNames(q.Times), Below: q.Below}
	if q.HasHours() {
		x.From, x.To, x.Zone = timeOfDay(q.From), timeOfDay(q.To), q.Zone.String()
	}
	for _, day := range q.Days {
		x.Days = append(x.Days, strings.ToLower(day.String()[:3]))
	}
	var held alert.Held
	if held, x.Holds = (alert.Hold{Quiet: q}).At(at, severity); x.Holds {
		x.Until = held.Until
	}
	return x
}

func timeOfDay(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d/time.Hour), int(d%time.Hour/time.Minute))
}

func orNone(all []string) []string { return append([]string{}, all...) }

// short writes a duration without parts that are zero: 10m, 1h30m.
func short(d time.Duration) string {
	s := d.String()
	if rest, ok := strings.CutSuffix(s, "m0s"); ok {
		s = rest + "m"
	}
	if rest, ok := strings.CutSuffix(s, "h0m"); ok {
		s = rest + "h"
	}
	return s
}

func (x explanation) text() string {
	text := ""
	for _, r := range x.Routes {
		text += r.text()
	}
	if len(x.Routes) == 0 {
		text = "There are no routes: an alert goes to the channel it names, or to the default channel.\n"
	}
	text += fmt.Sprintf("\nThe incident's route is %s. It goes to:\n", x.Route)
	var hidden strings.Builder
	for _, rule := range x.Inhibit {
		hidden.WriteString(rule.text())
	}
	text += x.planned.text(hidden.String())
	for _, other := range x.Also {
		text += fmt.Sprintf("\nIt is also an incident of the route %s. That one goes to:\n", other.Route) + other.text("")
	}
	return text
}

// text is the plan with what hides its alert.
func (x planned) text(hidden string) (text string) {
	for _, s := range x.To {
		text += fmt.Sprintf("  %s\n", s)
	}
	text += x.Group.text() + hidden + x.Quiet.text() + x.timesText() + x.escalationText()
	if x.Remind != "" {
		text += fmt.Sprintf("Whoever acknowledges it is reminded every %s until it is resolved.\n", x.Remind)
	}
	text += fmt.Sprintf("Firing again within %s of its resolve reopens it and notifies people again.\n", x.Reopen)
	if x.Expires != "" {
		text += fmt.Sprintf("Unless it fires again, it expires after %s.\n", x.Expires)
	}
	broadcast := "not shown"
	if x.Broadcast {
		broadcast = "shown"
	}
	return text + fmt.Sprintf("Threads show %s; important replies are %s in the channel as well. If Slack's answer to a post is lost: %s.\n", x.Thread, broadcast, x.WhenUnsure)
}

func (r routeResult) text() string {
	result := "does not match"
	switch {
	case !r.Asked:
		result = "is not reached, because an earlier route matched"
	case r.Takes && r.Continue:
		result = "matches, and later routes are tried too"
	case r.Takes:
		result = "matches"
	}
	text := fmt.Sprintf("Route %s %s:\n", r.Name, result)
	if len(r.Matchers) == 0 {
		text += "  true   (no matchers: it matches everything)\n"
	}
	for _, m := range r.Matchers {
		text += fmt.Sprintf("  %-5t  %s, the value is %q\n", m.True, m.Matcher, m.Value)
	}
	return text
}

func (q *quietNow) text() string {
	if q == nil {
		return "No quiet hours.\n"
	}
	days := "every day"
	if len(q.Days) > 0 {
		days = strings.Join(q.Days, ", ")
	}
	effect := "it is not held back now"
	if q.Holds {
		effect = "it is held back until " + q.Until.Format(longTime)
	}
	var when []string
	if q.From != "" {
		when = append(when, fmt.Sprintf("%s to %s in %s, %s", q.From, q.To, q.Zone, days))
	}
	if len(q.Times) > 0 {
		when = append(when, strings.Join(q.Times, ", "))
	}
	return fmt.Sprintf("Quiet hours are %s, for severities below %s: %s.\n", strings.Join(when, ", and "), q.Below, effect)
}

const longTime = "Mon 2006-01-02 15:04 MST"

// timesText says in which times the route holds cards of every severity, and why this one
// is held.
func (x planned) timesText() (text string) {
	if len(x.Mute) > 0 {
		text += "Cards are muted by " + strings.Join(x.Mute, ", ") + ".\n"
	}
	if len(x.Active) > 0 {
		text += "Cards are muted outside of " + strings.Join(x.Active, ", ") + ".\n"
	}
	switch {
	case text == "":
	case x.Held == nil:
		text += "It is shown at once.\n"
	case x.Held.Endless:
		text += "It is held back: " + x.Held.Why + " for more than a year.\n"
	default:
		text += "It is held back: " + x.Held.Why + " until " + x.Held.Until.Format(longTime) + ".\n"
	}
	return text
}

func (x planned) escalationText() string {
	if len(x.Escalation) == 0 {
		return "No escalation.\n"
	}
	text := "While nobody has acknowledged it:\n"
	for _, s := range x.Escalation {
		text += fmt.Sprintf("  after %s\n", s.After)
		for _, to := range s.Posts {
			text += fmt.Sprintf("    it is posted to %s\n", to)
		}
		for _, to := range s.Tells {
			text += fmt.Sprintf("    its thread in %s shows that nobody has acknowledged it, %s\n", to.Conversation, to.pings())
		}
	}
	return text
}

func (s stop) String() string { return s.Conversation + ", " + s.pings() }

func (s stop) pings() string {
	if len(s.Pings) == 0 {
		return "notifying nobody"
	}
	return "notifying " + strings.Join(s.Pings, ", ")
}
