package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"tocsin/alert"
)

// The groups of options that stand in each route.
const (
	inEscalate = keyRoutes + ".escalate"
	inQuiet    = keyRoutes + ".quiet"
)

// routeOptions returns the options of each route, of each step of its
// escalation, and of its quiet hours.
func routeOptions() []option {
	return []option{
		{key: "routes.name", check: checkRouteName},
		{key: "routes.match", list: true, check: checkMatch},
		{key: "routes.to", list: true, check: checkChannel},
		{key: "routes.mention", list: true, check: checkMention},
		{key: "routes.continue", bare: true, check: checkTruth},
		{key: "routes.escalate.after", check: checkDuration},
		{key: "routes.escalate.to", list: true, check: checkChannel},
		{key: "routes.escalate.mention", list: true, check: checkMention},
		{key: "routes.remind", check: checkDuration},
		{key: "routes.quiet.from", check: checkClock},
		{key: "routes.quiet.till", check: checkClock},
		{key: "routes.quiet.zone", check: checkZone},
		{key: "routes.quiet.days", list: true, check: checkDay},
		{key: "routes.quiet.below", check: oneOf(string(alert.Critical), string(alert.Error), string(alert.Warning))},
		{key: "routes.thread", check: checkThread()},
		{key: "routes.broadcast", bare: true, check: checkTruth},
		{key: "routes.when_unsure", check: oneOf(resend, hold)},
	}
}

// placedRoute is a route with where it stands and whether all of it is good.
type placedRoute struct {
	alert.Route
	at Origin
}

// group is what stands in one group of options, checked.
type group struct {
	at     Origin
	said   map[string]bool // by key: also what is wrong
	values map[string][]string
	groups map[string][]group
}

// readRoutes reads the list of routes.
func (l *loader) readRoutes(node ast.Node, key Origin) {
	l.doc.mentioned[keyRoutes] = true
	var names []string
	for _, g := range l.readGroups(keyRoutes, node) {
		r := l.route(g)
		l.routes = append(l.routes, placedRoute{r, g.at})
		names = append(names, r.Name)
	}
	if len(names) > 0 {
		l.doc.values[keyRoutes] = given{value: strings.Join(names, listed), origin: key}
	}
}

// readGroups reads a list of groups of options.
func (l *loader) readGroups(section string, node ast.Node) []group {
	var all []group
	switch n := node.(type) {
	case *ast.NullNode: // every line is commented out
	case *ast.SequenceNode:
		for _, item := range n.Values {
			if g, ok := l.readGroup(section, item); ok {
				all = append(all, g)
			}
		}
	default:
		l.fail(l.at(node).problem(
			fmt.Sprintf("%s is %s where a list belongs", section, describe(node)),
			"begin each of them with - as in - "+firstOf(section)))
	}
	return all
}

// firstOf is how an item of a list begins.
func firstOf(section string) string {
	if section == inEscalate {
		return "after: 10m"
	}
	return "name: database"
}

// readGroup reads one group of options.
func (l *loader) readGroup(section string, node ast.Node) (group, bool) {
	var entries []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	default:
		l.fail(l.at(node).problem(
			fmt.Sprintf("%s has %s where options belong", section, describe(node)),
			"write them as name: value, one to a line: "+strings.Join(below(section), ", ")))
		return group{}, false
	}
	g := group{at: l.at(node), said: map[string]bool{}, values: map[string][]string{}, groups: map[string][]group{}}
	meant := l.eachEntry(section, entries, func(path string, entry *ast.MappingValueNode, from Origin) bool {
		g.said[path] = true
		opt, known := optionOf(path)
		switch {
		case known:
			g.values[path] = l.readGood(opt, entry.Value, from)
		case path == inEscalate:
			g.groups[path] = l.readGroups(path, entry.Value)
		case path == inQuiet:
			if quiet, ok := l.readGroup(path, entry.Value); ok {
				g.groups[path] = []group{quiet}
			}
		default:
			return false
		}
		return true
	})
	for _, key := range meant {
		g.said[key] = true
	}
	return g, true
}

// readGood returns an option's values, brought to their one spelling, without
// those that are wrong.
func (l *loader) readGood(opt option, node ast.Node, key Origin) []string {
	g, ok := l.readValue(opt, node, key)
	if !ok {
		return nil
	}
	if g.items == nil {
		g.items = []given{g}
	}
	return l.checkedItems(opt, g)
}

func (g group) text(key string) string {
	if all := g.values[key]; len(all) > 0 {
		return all[0]
	}
	return ""
}

// truth is nil where nothing is said.
func (g group) truth(key, is string) *bool {
	if g.text(key) == "" {
		return nil
	}
	holds := g.text(key) == is
	return &holds
}

// wait reads a duration that was checked.
func (g group) wait(key string) time.Duration {
	d, _ := alert.ParseDuration(g.text(key))
	return d
}

// need says what is missing in a group.
func (l *loader) need(g group, key, why, write string) {
	if !g.said[key] {
		l.fail(g.at.problem(key+" is missing: "+why, "write "+write))
	}
}

func (l *loader) route(g group) alert.Route {
	r := alert.Route{
		Name: g.text("routes.name"), To: unique(g.values["routes.to"]), Mention: unique(g.values["routes.mention"]),
		Continue: g.text("routes.continue") == yes, Remind: g.wait("routes.remind"), Thread: alert.ThreadPolicy(g.text("routes.thread")),
		Broadcast: g.truth("routes.broadcast", yes), HoldUnsure: g.truth("routes.when_unsure", hold),
	}
	l.need(g, "routes.name", "it tells which route an incident came by", "name: database")
	for _, text := range g.values["routes.match"] {
		matchers, _ := alert.ParseMatchers(text) // checked
		r.Matchers = append(r.Matchers, matchers...)
	}
	for _, step := range g.groups[inEscalate] {
		r.Escalate = append(r.Escalate, l.step(step))
	}
	for _, quiet := range g.groups[inQuiet] {
		r.Quiet = l.quiet(quiet)
	}
	return r
}

func (l *loader) step(g group) alert.Step {
	l.need(g, "routes.escalate.after", "it says how long nobody may have acknowledged", "after: 10m")
	if !g.said["routes.escalate.to"] && !g.said["routes.escalate.mention"] {
		l.fail(g.at.problem("routes.escalate has a step that tells nobody", `write to: "#name", or mention: "@name"`))
	}
	return alert.Step{After: g.wait("routes.escalate.after"), To: unique(g.values["routes.escalate.to"]), Mention: unique(g.values["routes.escalate.mention"])}
}

func unique(all []string) []string { return alert.Union(nil, all) }

// checkRoutes finds routes of one name, and warns of those that no alert reaches.
func (l *loader) checkRoutes() {
	for n, r := range l.routes {
		before := l.routes[:n]
		if at := slices.IndexFunc(before, func(b placedRoute) bool { return b.Name == r.Name && r.Name != "" }); at >= 0 {
			l.fail(r.at.problem(
				fmt.Sprintf("routes.name %s stands twice, first on line %d", printable(r.Name), before[at].at.line), "give each route a name of its own"))
		}
		at := slices.IndexFunc(before, func(b placedRoute) bool { return b.hides(r.Route) })
		if at >= 0 && len(l.problems) == 0 { // what is wrong may be what would have told them apart
			l.warn(r.at.problem(
				fmt.Sprintf("no alert reaches the route %s: %s on line %d takes all that it matches", printable(r.Name), printable(before[at].Name), before[at].at.line),
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

func (l *loader) routing() alert.Routing {
	r := alert.Routing{
		Default: l.value(keyDefaultChannel), Thread: alert.ThreadPolicy(l.value(keyThread)),
		Broadcast: l.value(keyBroadcast) == yes, HoldUnsure: l.value(keyWhenUnsure) == hold,
	}
	for _, route := range l.routes {
		r.Routes = append(r.Routes, route.Route)
	}
	return r
}
