package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"tocsin/alert"
)

// The groups of options in each route.
const (
	inEscalate = keyRoutes + ".escalate"
	inQuiet    = keyRoutes + ".quiet"
)

// routeOptions returns the options of each route, without those of its groups.
func routeOptions() []option[alert.Route] {
	type route = alert.Route
	return []option[route]{
		opt(spec{key: "routes.name"}, parseRouteName, func(r *route, v string) { r.Name = v }),
		opt(spec{key: "routes.match", list: true}, parseMatch, func(r *route, v alert.Matchers) { r.Matchers = append(r.Matchers, v...) }),
		opt(spec{key: "routes.to", list: true}, parseChannel, func(r *route, v string) { r.To = with(r.To, v) }),
		opt(spec{key: "routes.mention", list: true}, parseMention, func(r *route, v string) { r.Mention = with(r.Mention, v) }),
		opt(spec{key: "routes.continue", bare: true}, parseTruth, func(r *route, v bool) { r.Continue = v }),
		opt(spec{key: "routes.remind"}, parseDuration, func(r *route, v time.Duration) { r.Remind = v }),
		opt(spec{key: "routes.thread"}, parseThread, func(r *route, v alert.ThreadPolicy) { r.Thread = v }),
		opt(spec{key: "routes.broadcast", bare: true}, parseTruth, func(r *route, v bool) { r.Broadcast = &v }),
		opt(spec{key: "routes.when_unsure"}, parseHold, func(r *route, v bool) { r.HoldUnsure = &v }),
	}
}

// stepOptions returns the options of each step of a route's escalation.
func stepOptions() []option[alert.Step] {
	type step = alert.Step
	return []option[step]{
		opt(spec{key: "routes.escalate.after"}, parseDuration, func(s *step, v time.Duration) { s.After = v }),
		opt(spec{key: "routes.escalate.to", list: true}, parseChannel, func(s *step, v string) { s.To = with(s.To, v) }),
		opt(spec{key: "routes.escalate.mention", list: true}, parseMention, func(s *step, v string) { s.Mention = with(s.Mention, v) }),
	}
}

// quietOptions returns the options of a route's quiet hours.
func quietOptions() []option[alert.Quiet] {
	type quiet = alert.Quiet
	return []option[quiet]{
		opt(spec{key: "routes.quiet.from"}, parseClock, func(q *quiet, v time.Duration) { q.From = v }),
		opt(spec{key: "routes.quiet.till"}, parseClock, func(q *quiet, v time.Duration) { q.Till = v }),
		opt(spec{key: "routes.quiet.zone"}, parseZone, func(q *quiet, v *time.Location) { q.Zone = v }),
		opt(spec{key: "routes.quiet.days", list: true}, parseDay, func(q *quiet, v time.Weekday) { q.Days = with(q.Days, v) }),
		opt(spec{key: "routes.quiet.below"}, parseQuietBelow, func(q *quiet, v alert.Severity) { q.Below = v }),
	}
}

// placedRoute is a route with its place in the file.
type placedRoute struct {
	alert.Route
	at Origin
}

// readRoutes reads the list of routes.
func (l *loader) readRoutes(node ast.Node, key Origin) {
	l.doc.mentioned[keyRoutes] = true
	readGroups(l, l.routeGroup(), node)
	var names []string
	for _, r := range l.routes {
		names = append(names, r.Name)
	}
	if len(names) > 0 {
		l.doc.values[keyRoutes] = given{value: strings.Join(names, listed), origin: key}
	}
}

// routeGroup reads a route. Each that is done is added to l.routes.
func (l *loader) routeGroup() group[alert.Route] {
	return group[alert.Route]{
		path: keyRoutes, example: "name: database", options: routeOptions(),
		inner: func(r *alert.Route, path string, node ast.Node) bool {
			switch path {
			case inEscalate:
				r.Escalate = readGroups(l, l.stepGroup(), node)
			case inQuiet:
				if quiet, ok := readGroup(l, l.quietGroup(), node); ok {
					r.Quiet = &quiet
				}
			default:
				return false
			}
			return true
		},
		done: func(r *alert.Route, p placed) {
			l.need(p, "routes.name", "it identifies the route of an incident", "name: database")
			l.routes = append(l.routes, placedRoute{*r, p.at})
		},
	}
}

func (l *loader) stepGroup() group[alert.Step] {
	return group[alert.Step]{
		path: inEscalate, example: "after: 10m", options: stepOptions(),
		done: func(_ *alert.Step, p placed) {
			l.need(p, "routes.escalate.after", "it says how long nobody may have acknowledged", "after: 10m")
			if !p.given["routes.escalate.to"] && !p.given["routes.escalate.mention"] {
				l.fail(p.at.problem("routes.escalate has a step that notifies nobody", `write to: "#name", or mention: "@name"`))
			}
		},
	}
}

// quietGroup reads quiet hours. Those of every day and all day are a mistake:
// nothing would ever be on time.
func (l *loader) quietGroup() group[alert.Quiet] {
	return group[alert.Quiet]{
		path: inQuiet, options: quietOptions(),
		done: func(q *alert.Quiet, p placed) {
			l.need(p, "routes.quiet.from", "it says when quiet hours begin", `from: "22:00"`)
			l.need(p, "routes.quiet.till", "it says when quiet hours end", `till: "07:00"`)
			l.need(p, "routes.quiet.zone", "it is the time zone of from and till", "zone: Europe/Berlin, or zone: UTC")
			if q.Below == "" {
				q.Below = alert.Critical
			}
			good := p.good["routes.quiet.from"] && p.good["routes.quiet.till"] && p.good["routes.quiet.zone"]
			if everyDay := len(q.Days) == 0 || len(q.Days) == 7; good && everyDay && q.From%day == q.Till%day {
				l.fail(p.at.problem("routes.quiet lasts all day on every day", `write other hours, as from: "22:00" and till: "07:00", or days`))
			}
		},
	}
}

// need says what is missing in a group.
func (l *loader) need(p placed, key, why, write string) {
	if !p.given[key] {
		l.fail(p.at.problem(key+" is missing: "+why, "write "+write))
	}
}

// checkRoutes finds routes of one name, and warns of those that no alert reaches.
func (l *loader) checkRoutes() {
	for n, r := range l.routes {
		before := l.routes[:n]
		if at := slices.IndexFunc(before, func(b placedRoute) bool { return b.Name == r.Name && r.Name != "" }); at >= 0 {
			l.fail(r.at.problem(
				fmt.Sprintf("routes.name %s is used twice, first on line %d", printable(r.Name), before[at].at.line), "give each route a name of its own"))
		}
		at := slices.IndexFunc(before, func(b placedRoute) bool { return b.hides(r.Route) })
		if at >= 0 && len(l.problems) == 0 { // what is wrong may be what would have told them apart
			l.warn(r.at.problem(
				fmt.Sprintf("no alert reaches the route %s: %s on line %d matches everything that it matches", printable(r.Name), printable(before[at].Name), before[at].at.line),
				"put it before that one, or write continue: true there"))
		}
	}
}

// hides says whether later never gets anything, as far as that can be told
// without comparing regular expressions.
func (r placedRoute) hides(later alert.Route) bool {
	if r.Continue {
		return false
	}
	for _, m := range r.Matchers {
		everything := m.Op == "=~" && m.Value == ".*"
		asked := slices.ContainsFunc(later.Matchers, func(other alert.Matcher) bool { return other.String() == m.String() })
		if !everything && !asked {
			return false
		}
	}
	return true
}
