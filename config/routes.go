package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// The groups of options in each route: its steps, and its quiet hours.
const (
	inEscalate = keyRoutes + ".escalate"
	inQuiet    = keyRoutes + ".quiet"
)

// The options of a route that name times.
const (
	keyMute       = keyRoutes + ".mute"
	keyActive     = keyRoutes + ".active"
	keyQuietTimes = inQuiet + ".times"
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
		opt(spec{key: "routes.reopen_within"}, parseDuration, func(r *route, v time.Duration) { r.ReopenWithin = v }),
		opt(spec{key: "routes.expires_in"}, parseExpiry, func(r *route, v time.Duration) { r.ExpiresIn = v }),
		opt(spec{key: "routes.group_by", list: true}, parseGroupLabel, func(r *route, v string) { r.GroupBy = with(r.GroupBy, v) }),
		opt(spec{key: "routes.group_wait"}, parseWait, func(r *route, v time.Duration) { r.GroupWait = v }),
		opt(spec{key: "routes.group_interval"}, parseWait, func(r *route, v time.Duration) { r.GroupInterval = v }),
		opt(spec{key: "routes.remind"}, parseDuration, func(r *route, v time.Duration) { r.Remind = v }),
		opt(spec{key: keyMute, list: true}, anything, func(*route, string) {}), // see namedTimes
		opt(spec{key: keyActive, list: true}, anything, func(*route, string) {}),
		opt(spec{key: "routes.thread"}, parseThread, func(r *route, v alert.ThreadPolicy) { r.Thread = v }),
		opt(spec{key: "routes.broadcast", bare: true}, parseTruth, func(r *route, v bool) { r.Broadcast = &v }),
		opt(spec{key: "routes.when_unsure"}, parseHold, func(r *route, v bool) { r.HoldUnsure = &v }),
		// Read by readTemplates, which knows where in them a mistake is.
		opt(spec{key: keyTitleTemplate, bare: true}, anything, func(*route, string) {}),
		opt(spec{key: keyTextTemplate, bare: true}, anything, func(*route, string) {}),
		opt(spec{key: keyFieldTemplates, bare: true, named: true, list: true}, anything, func(*route, string) {}),
	}
}

func stepOptions() []option[alert.Step] {
	type step = alert.Step
	return []option[step]{
		opt(spec{key: "routes.escalate.after"}, parseDuration, func(s *step, v time.Duration) { s.After = v }),
		opt(spec{key: "routes.escalate.to", list: true}, parseChannel, func(s *step, v string) { s.To = with(s.To, v) }),
		opt(spec{key: "routes.escalate.mention", list: true}, parseMention, func(s *step, v string) { s.Mention = with(s.Mention, v) }),
	}
}

func quietOptions() []option[alert.Quiet] {
	type quiet = alert.Quiet
	return []option[quiet]{
		opt(spec{key: "routes.quiet.from"}, parseClock, func(q *quiet, v time.Duration) { q.From = v }),
		opt(spec{key: "routes.quiet.until"}, parseClock, func(q *quiet, v time.Duration) { q.To = v }),
		opt(spec{key: "routes.quiet.zone"}, parseZone, func(q *quiet, v *time.Location) { q.Zone = v }),
		opt(spec{key: "routes.quiet.days", list: true}, parseDay, func(q *quiet, v time.Weekday) { q.Days = with(q.Days, v) }),
		opt(spec{key: keyQuietTimes, list: true}, anything, func(*quiet, string) {}),
		opt(spec{key: "routes.quiet.below"}, oneSeverity(alert.Critical, alert.Error, alert.Warning), func(q *quiet, v alert.Severity) { q.Below = v }),
	}
}

type placedRoute struct {
	alert.Route
	at Origin
}

func (l *loader) readRoutes() {
	var names []string
	for _, s := range l.doc.groups[keyRoutes] {
		r := l.readRoute(s)
		l.routes = append(l.routes, placedRoute{r, s.at})
		names = append(names, r.Name)
	}
	if len(names) > 0 {
		l.doc.values[keyRoutes] = given{value: strings.Join(names, listed), origin: l.doc.mentioned[keyRoutes]}
	}
}

func (l *loader) readRoute(s section) (r alert.Route) {
	applyAll(l, routeOptions(), s, &r)
	l.need(s, "routes.name", "it identifies the route of an incident", "name: database")
	r.Templates = l.readTemplates(s)
	for _, step := range s.groups[inEscalate] {
		r.Escalate = append(r.Escalate, l.readStep(step))
	}
	for _, hours := range s.groups[inQuiet] {
		r.Quiet = l.readQuiet(hours)
	}
	r.Mute, r.Active = l.namedTimes(s, keyMute), l.namedTimes(s, keyActive)
	l.checkGroups(s, r)
	return r
}

// checkGroups finds options of groups that contradict each other.
func (l *loader) checkGroups(s section, r alert.Route) {
	all := slices.Contains(r.GroupBy, alert.AllLabels)
	if all && len(r.GroupBy) > 1 {
		l.fail(s.at.problem("routes.group_by has ... and labels: ... alone means all labels", "write group_by: [...], or only the labels"))
	}
	if slices.Contains(r.GroupBy, "severity") {
		l.warn(s.values["routes.group_by"].origin.problem(
			"routes.group_by has severity: an alert that becomes worse moves to another group, which is another incident",
			"leave severity out; the card of a group shows the worst, and pings again if it becomes worse"))
	}
	if s.mentions("routes.group_by") {
		return
	}
	for _, key := range []string{"routes.group_wait", "routes.group_interval"} {
		if s.mentions(key) {
			l.fail(s.at.problem(key+" needs routes.group_by: without it there are no groups", "add group_by: [alertname], or remove "+key))
		}
	}
}

func (l *loader) readStep(s section) (step alert.Step) {
	applyAll(l, stepOptions(), s, &step)
	l.need(s, "routes.escalate.after", "it says how long to wait for somebody to acknowledge", "after: 10m")
	if !s.mentions("routes.escalate.to") && !s.mentions("routes.escalate.mention") {
		l.fail(s.at.problem("routes.escalate has a step that notifies nobody", `write to: "#name", or mention: "@name"`))
	}
	return step
}

// readQuiet reads quiet hours and times. Hours of every day and all day are a mistake:
// nothing would ever be on time.
func (l *loader) readQuiet(s section) *alert.Quiet {
	q, mistakes := alert.Quiet{Below: alert.Critical}, len(l.problems)
	applyAll(l, quietOptions(), s, &q)
	q.Times = l.namedTimes(s, keyQuietTimes)
	if hours := []string{"routes.quiet.from", "routes.quiet.until", "routes.quiet.zone", "routes.quiet.days"}; s.mentions(keyQuietTimes) && !slices.ContainsFunc(hours, s.mentions) {
		return &q
	}
	l.need(s, "routes.quiet.from", "it says when quiet hours begin", `from: "22:00"`)
	l.need(s, "routes.quiet.until", "it says when quiet hours end", `until: "07:00"`)
	l.need(s, "routes.quiet.zone", "it is the time zone of from and until", "zone: Europe/Berlin, or zone: UTC")
	good := len(l.problems) == mistakes
	if everyDay := len(q.Days) == 0 || len(q.Days) == 7; good && everyDay && q.From%day == q.To%day {
		l.fail(s.at.problem("routes.quiet lasts all day on every day", `write other hours, as from: "22:00" and until: "07:00", or days`))
	}
	return &q
}

func applyAll[T any](l *loader, options []option[T], s section, target *T) {
	for _, o := range options {
		if g, ok := s.values[o.key]; ok {
			apply(l, o, g, target)
		}
	}
}

// need reports an option that a section must have.
func (l *loader) need(s section, key, why, write string) {
	if !s.mentions(key) {
		l.fail(s.at.problem(key+" is missing: "+why, "write "+write))
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
		for _, m := range r.Matchers {
			if field := m.NearField(); field != "" {
				l.warn(r.at.problem(
					fmt.Sprintf("the route %s matches the label %s; did you mean %s?", printable(r.Name), printable(m.Name), field),
					fmt.Sprintf("write %s, or labels.%s if it is the label", field, m.Name)))
			}
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
