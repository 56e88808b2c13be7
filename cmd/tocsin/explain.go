package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// explanation says where an alert goes, and why.
type explanation struct {
	Severity   alert.Severity    `json:"severity"`
	Channel    string            `json:"channel,omitempty"`
	Labels     map[string]string `json:"labels"`
	Routes     []routeResult     `json:"routes"`
	Route      string            `json:"route"`
	To         []stop            `json:"to"`
	Quiet      *quietNow         `json:"quiet"`
	Escalation []step            `json:"escalation"`
	Remind     string            `json:"remind,omitempty"`
	Thread     string            `json:"thread"`
	Broadcast  bool              `json:"broadcast"`
	WhenUnsure string            `json:"when_unsure"`
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

// quietNow describes quiet hours and whether they hold the alert back.
type quietNow struct {
	From  string         `json:"from"`
	Till  string         `json:"till"`
	Zone  string         `json:"zone"`
	Days  []string       `json:"days,omitempty"`
	Below alert.Severity `json:"below"`
	Holds bool           `json:"holds"`
	Until time.Time      `json:"until,omitzero"`
}

// step is a step of an escalation: the conversations that get a card, and those
// whose thread says that nobody has acknowledged the incident.
type step struct {
	After string `json:"after"`
	Posts []stop `json:"posts"`
	Tells []stop `json:"tells"`
}

func explain(r alert.Routing, s alert.Subject, at time.Time) explanation {
	plan := r.Plan(s)
	x := explanation{
		Severity: s.Severity, Channel: s.Channel, Labels: s.Labels, Routes: []routeResult{}, Route: plan.Route, To: []stop{},
		Thread: string(plan.Thread), Broadcast: plan.Broadcast, WhenUnsure: "resend",
	}
	if plan.HoldUnsure {
		x.WhenUnsure = "hold"
	}
	if plan.Remind > 0 {
		x.Remind = short(plan.Remind)
	}
	reached := true
	for n, route := range r.Routes {
		matched := slices.Contains(plan.Matched, n)
		x.Routes = append(x.Routes, newRouteResult(route, s, reached, matched))
		reached = reached && (!matched || route.Continue)
	}
	for _, st := range plan.Stops {
		x.To = append(x.To, stop{st.Lane, orNone(st.Mention)})
	}
	x.Quiet = explainQuiet(plan.Quiet, s.Severity, at)
	x.Escalation = explainSteps(plan)
	return x
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

func newRouteResult(route alert.Route, s alert.Subject, reached, matched bool) routeResult {
	a := routeResult{Name: route.Name, Asked: reached, Takes: matched, Continue: route.Continue, Matchers: []matcherResult{}}
	for _, m := range route.Matchers {
		a.Matchers = append(a.Matchers, matcherResult{m.String(), s.Value(m.Name), m.Match(s)})
	}
	return a
}

func explainQuiet(q *alert.Quiet, severity alert.Severity, at time.Time) *quietNow {
	if q == nil {
		return nil
	}
	x := &quietNow{From: timeOfDay(q.From), Till: timeOfDay(q.Till), Zone: q.Zone.String(), Below: q.Below}
	for _, day := range q.Days {
		x.Days = append(x.Days, strings.ToLower(day.String()[:3]))
	}
	x.Until, x.Holds = q.Until(at, severity)
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

func (x explanation) print(out io.Writer) error {
	var b strings.Builder
	for _, r := range x.Routes {
		r.print(&b)
	}
	if len(x.Routes) == 0 {
		b.WriteString("There are no routes: an alert goes to the channel it names, or to the default channel.\n")
	}
	fmt.Fprintf(&b, "\nThe incident's route is %s. It goes to:\n", x.Route)
	for _, s := range x.To {
		fmt.Fprintf(&b, "  %s, %s\n", s.Conversation, pings(s.Pings))
	}
	x.printQuiet(&b)
	x.printEscalation(&b)
	if x.Remind != "" {
		fmt.Fprintf(&b, "Whoever acknowledges it is reminded every %s until it is resolved.\n", x.Remind)
	}
	broadcast := "not shown"
	if x.Broadcast {
		broadcast = "shown"
	}
	fmt.Fprintf(&b, "Threads show %s; important replies are %s in the channel as well. If Slack's answer to a post is lost: %s.\n", x.Thread, broadcast, x.WhenUnsure)
	_, err := io.WriteString(out, strings.Map(visible, b.String()))
	return err
}

func (r routeResult) print(b *strings.Builder) {
	result := "does not match"
	switch {
	case !r.Asked:
		result = "is not reached, because an earlier route matched"
	case r.Takes && r.Continue:
		result = "matches, and later routes are tried too"
	case r.Takes:
		result = "matches"
	}
	fmt.Fprintf(b, "Route %s %s:\n", r.Name, result)
	if len(r.Matchers) == 0 {
		b.WriteString("  true   (no matchers: it matches everything)\n")
	}
	for _, m := range r.Matchers {
		fmt.Fprintf(b, "  %-5t  %s, the value is %q\n", m.True, m.Matcher, m.Value)
	}
}

func (x explanation) printQuiet(b *strings.Builder) {
	q := x.Quiet
	if q == nil {
		b.WriteString("No quiet hours.\n")
		return
	}
	days := "every day"
	if len(q.Days) > 0 {
		days = strings.Join(q.Days, ", ")
	}
	effect := "it is not held back now"
	if q.Holds {
		effect = "it is held back until " + q.Until.Format("Mon 2006-01-02 15:04 MST")
	}
	fmt.Fprintf(b, "Quiet hours are %s to %s in %s, %s, for severities below %s: %s.\n", q.From, q.Till, q.Zone, days, q.Below, effect)
}

func (x explanation) printEscalation(b *strings.Builder) {
	if len(x.Escalation) == 0 {
		b.WriteString("No escalation.\n")
		return
	}
	b.WriteString("While nobody has acknowledged it:\n")
	for _, s := range x.Escalation {
		fmt.Fprintf(b, "  after %s\n", s.After)
		for _, to := range s.Posts {
			fmt.Fprintf(b, "    it is posted to %s, %s\n", to.Conversation, pings(to.Pings))
		}
		for _, to := range s.Tells {
			fmt.Fprintf(b, "    its thread in %s shows that nobody has acknowledged it, %s\n", to.Conversation, pings(to.Pings))
		}
	}
}

func pings(who []string) string {
	if len(who) == 0 {
		return "notifying nobody"
	}
	return "notifying " + strings.Join(who, ", ")
}
