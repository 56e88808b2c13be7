package config

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/alert"
)

// flatRoute is a route of the list that the tree becomes.
type flatRoute struct {
	matchers alert.Matchers
	// of are the nodes of the tree that it is, several where one continues.
	of   []*amRoute
	cont bool
	// end is set if it only ends the search for what an earlier one has taken.
	end bool
}

// maxImported is how many routes an import may make.
const maxImported = 1000

// flatten makes a list of the tree, in the order in which Alertmanager looks: children
// before their parent, whose matchers they have, too.
func (im *importer) flatten() (all []flatRoute) {
	for _, r := range im.flatNode(im.root, nil, true) {
		all = append(all, im.byGroups(r)...)
	}
	return all
}

// byGroups has a route for each node of one that forms groups, and one for the others. They
// have the same matchers, and all but the last go on. Nodes without a conversation come last.
func (im *importer) byGroups(r flatRoute) (parts []flatRoute) {
	var silent []*amRoute
	for _, node := range r.of {
		if len(im.receivers[node.receiver].to) == 0 {
			silent = append(silent, node)
			continue
		}
		at := slices.IndexFunc(parts, func(p flatRoute) bool { return p.of[0].alone() && node.alone() })
		if at < 0 {
			at = len(parts)
			parts = append(parts, flatRoute{matchers: r.matchers, cont: true})
		}
		parts[at].of = append(parts[at].of, node)
	}
	if len(parts) == 0 {
		return []flatRoute{r}
	}
	last := &parts[len(parts)-1]
	last.cont, last.end, last.of = r.cont, r.end, append(last.of, silent...)
	return parts
}

// flatNode is a node and what is below it. plain is set if the search ends with it, so that
// routes below it may continue.
func (im *importer) flatNode(r *amRoute, inherited alert.Matchers, plain bool) []flatRoute {
	matchers := joined(inherited, r.matchers)
	return append(im.flatChildren(r.routes, matchers, plain), flatRoute{matchers: matchers, of: []*amRoute{r}})
}

// flatChildren are routes next to each other. A leaf that continues is listed again, behind
// those that it goes on to and before its parent: what has matched it must not get to that.
// What is below another one that continues can't skip its neighbours, and a route without a
// conversation would add the default one: then there is a route for each combination with
// those that it goes on to.
func (im *importer) flatChildren(rs []*amRoute, inherited alert.Matchers, plain bool) []flatRoute {
	if len(rs) == 0 {
		return nil
	}
	r, rest := rs[0], im.flatChildren(rs[1:], inherited, plain)
	switch {
	case !r.cont || len(rest) == 0:
		return append(im.flatNode(r, inherited, plain), rest...)
	case plain && len(r.routes) == 0 && len(im.receivers[r.receiver].to) > 0 && !slices.ContainsFunc(rest, im.nowhere):
		leaf := im.flatNode(r, inherited, true)[0]
		again := leaf
		leaf.cont, again.end = true, true
		return append(append([]flatRoute{leaf}, rest...), again)
	}
	others := rest
	if plain {
		others = im.flatChildren(rs[1:], inherited, false)
	}
	return append(combined(im.flatNode(r, inherited, false), others), rest...)
}

// combined has a route for each that one and another match, and one for each alone.
func combined(ones, others []flatRoute) (all []flatRoute) {
	for _, one := range ones {
		for _, other := range others {
			if len(all) > maxImported {
				break
			}
			if both := joined(one.matchers, other.matchers); possible(both) {
				all = append(all, flatRoute{matchers: both, of: slices.Concat(one.of, other.of)})
			}
		}
		all = append(all, one)
	}
	return all
}

// to are the conversations of a route.
func (im *importer) to(r flatRoute) (all []string) {
	for _, node := range r.of {
		all = alert.Union(all, im.receivers[node.receiver].to)
	}
	return all
}

// nowhere reports whether a route has no conversation, so that it would get the default one.
func (im *importer) nowhere(r flatRoute) bool { return len(im.to(r)) == 0 }

// joined are the matchers of both, each once.
func joined(a, b alert.Matchers) alert.Matchers {
	all := slices.Clone(a)
	for _, m := range b {
		if !slices.ContainsFunc(all, func(other alert.Matcher) bool { return other.String() == m.String() }) {
			all = append(all, m)
		}
	}
	return all
}

// alone reports whether each alert is a group of its own.
func (r *amRoute) alone() bool {
	return len(r.groupBy) == 0 || slices.Contains(r.groupBy, alert.AllLabels)
}

// compareNeighbours notes where an alert that is alone goes on to a route that says something
// else of it: here it is one incident then, and what the first route says counts.
func (im *importer) compareNeighbours(r *amRoute) {
	for n, one := range r.routes {
		im.compareNeighbours(one)
		for _, other := range r.routes[n+1:] {
			if !one.cont || !possible(joined(one.matchers, other.matchers)) {
				continue
			}
			if what := im.different(one, other); len(what) > 0 {
				im.leave(one.place(), one.line, "route: it goes on to the route in line %d, which has %s of its own: what matches both is one incident here, for which those of this one count",
					other.line, strings.Join(what, " and "))
			}
		}
	}
}

// different is what two routes say differently that form no groups.
func (im *importer) different(one, other *amRoute) (what []string) {
	a, b := im.receivers[one.receiver], im.receivers[other.receiver]
	if !one.alone() || !other.alone() || len(a.to) == 0 || len(b.to) == 0 {
		return nil
	}
	if !slices.Equal(one.mute, other.mute) || !slices.Equal(one.active, other.active) {
		what = append(what, "times")
	}
	if a.title != b.title || a.text != b.text || !slices.Equal(a.fields, b.fields) {
		what = append(what, "templates")
	}
	return what
}

// possible reports whether no label would need two values.
func possible(ms alert.Matchers) bool {
	values := map[string]string{}
	for _, m := range ms {
		if m.Op != "=" {
			continue
		}
		if value, has := values[m.Name]; has && value != m.Value {
			return false
		}
		values[m.Name] = m.Value
	}
	return true
}

// write is the configuration.
func (im *importer) write(routes []flatRoute) string {
	var b strings.Builder
	b.WriteString("# Made of a configuration of Alertmanager. What could not be carried over is in\n# comments with its line there.\n")
	im.comment(&b, "", "")
	main := im.receivers[im.root.receiver]
	channel := "#alerts"
	if len(main.to) > 0 {
		channel = main.to[0]
	} else {
		im.leave(main.name, im.root.line, "route: its receiver %s has no channel of Slack: write one as default_channel%s", main.name, im.unmute(main))
	}
	fmt.Fprintf(&b, "\ndefault_channel: %s\n", yamlText(channel, ""))
	im.writeTimes(&b, routes)
	im.writeInhibit(&b)
	b.WriteString("\nroutes:\n")
	for _, r := range routes {
		im.writeRoute(&b, r)
	}
	for _, name := range im.order {
		im.comment(&b, name, "")
	}
	return b.String()
}

// unmute is what else to do so that a receiver delivers something.
func (im *importer) unmute(r *amReceiver) string {
	if r.nowhere() {
		return ", and leave out mute: it delivers nothing so far"
	}
	return ""
}

// comment writes what is left of something, once.
func (im *importer) comment(b *strings.Builder, place, indent string) {
	for n := range im.left {
		if l := &im.left[n]; l.place == place && !l.said {
			l.said = true
			fmt.Fprintf(b, "%s# line %d: %s\n", indent, l.Line, l.What)
		}
	}
}

// always are the times in which nothing is shown of a receiver that delivers nothing.
const always = "always"

func (im *importer) writeTimes(b *strings.Builder, routes []flatRoute) {
	var all strings.Builder
	for _, t := range im.times {
		fmt.Fprintf(&all, "  - name: %s\n    time_intervals:\n", yamlText(timesNameOf(t.name), ""))
		lines := strings.Split(strings.Trim(t.value.String(), "\n"), "\n")
		inside := len(lines[0]) - len(strings.TrimLeft(lines[0], " "))
		for _, line := range lines {
			fmt.Fprintf(&all, "      %s\n", line[min(inside, len(line)-len(strings.TrimLeft(line, " "))):])
		}
	}
	if slices.ContainsFunc(routes, im.dropped) {
		fmt.Fprintf(&all, "  - name: %s\n    time_intervals:\n      - times: [{start_time: \"00:00\", end_time: \"24:00\"}]\n", always)
	}
	if all.Len() > 0 {
		b.WriteString("\ntimes:\n" + all.String())
	}
}

// timesNameOf is a name that times may have here.
func timesNameOf(name string) string {
	if timesName.MatchString(name) {
		return name
	}
	return "times " + strings.Map(func(r rune) rune {
		if timesName.MatchString("x" + string(r)) {
			return r
		}
		return '_'
	}, name)
}

// dropped reports whether a route's alerts are shown nowhere.
func (im *importer) dropped(r flatRoute) bool {
	return !slices.ContainsFunc(r.of, func(node *amRoute) bool { return !im.receivers[node.receiver].nowhere() })
}

func (im *importer) writeInhibit(b *strings.Builder) {
	if len(im.inhibit) > 0 {
		b.WriteString("\ninhibit:\n")
	}
	for _, rule := range im.inhibit {
		fmt.Fprintf(b, "  - source: %s\n    target: %s\n", yamlList(rule.source), yamlList(rule.target))
		if rule.name != "" {
			fmt.Fprintf(b, "    name: %s\n", yamlText(rule.name, ""))
		}
		if len(rule.equal) > 0 {
			fmt.Fprintf(b, "    equal: %s\n", yamlList(rule.equal))
		}
	}
	im.comment(b, keyInhibit, "")
}

func (im *importer) writeRoute(b *strings.Builder, r flatRoute) {
	var names []string
	for _, node := range r.of {
		names = append(names, node.receiver)
	}
	to, name := im.to(r), strings.Join(names, " + ")
	if r.end {
		fmt.Fprintf(b, "  # What has matched %s above goes on to here, and not further.\n", yamlText(name, ""))
	}
	fmt.Fprintf(b, "  - name: %s\n", yamlText(im.routeName(name), ""))
	for _, node := range r.of {
		im.comment(b, node.place(), "    ")
		im.comment(b, node.receiver, "    ")
	}
	if len(r.matchers) > 0 {
		var match []string
		for _, m := range r.matchers {
			match = append(match, m.String())
		}
		fmt.Fprintf(b, "    match: %s\n", yamlList(match))
	}
	if len(to) > 0 {
		fmt.Fprintf(b, "    to: %s\n", yamlList(to))
	} else if !im.dropped(r) {
		b.WriteString("    # It goes to default_channel: write another one as to.\n")
	}
	if r.cont {
		b.WriteString("    continue: true\n")
	}
	if !r.end {
		im.writeSettings(b, r)
	}
}

// writeSettings writes what the first node of a route says.
func (im *importer) writeSettings(b *strings.Builder, r flatRoute) {
	first := r.of[0]
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "    %s: %s\n", name, value)
		}
	}
	if len(first.groupBy) > 0 {
		line("group_by", yamlList(first.groupBy))
		line("group_wait", first.groupWait)
		line("group_interval", first.groupInterval)
	}
	mute := first.mute
	if im.dropped(r) {
		fmt.Fprintf(b, "    # %s delivers nothing: its alerts are counted and never shown.\n", yamlText(first.receiver, ""))
		mute = append(slices.Clone(mute), always)
	}
	for _, times := range []struct {
		name  string
		names []string
	}{{"mute", mute}, {"active", first.active}} {
		var names []string
		for _, name := range times.names {
			names = append(names, timesNameOf(name))
		}
		if len(names) > 0 {
			line(times.name, yamlList(names))
		}
	}
	receiver := im.receivers[first.receiver]
	if receiver.title != "" {
		line("title", yamlText(receiver.title, "      "))
	}
	if receiver.text != "" {
		line("text", yamlText(receiver.text, "      "))
	}
	if len(receiver.fields) > 0 {
		b.WriteString("    fields:\n")
	}
	for _, f := range receiver.fields {
		fmt.Fprintf(b, "      %s: %s\n", yamlText(f.name, ""), yamlText(f.text, "        "))
	}
}

// routeName makes a name that no other route has.
func (im *importer) routeName(name string) string {
	name = onOneLine(strings.TrimSpace(name))
	if runes := []rune(name); len(runes) > longestName-6 {
		name = string(runes[:longestName-6])
	}
	if _, f := parseRouteName(name); f != nil || name == "" {
		name = "to " + strings.TrimPrefix(name, "channel:")
	}
	unique := name
	for n := 2; im.names[unique]; n++ {
		unique = fmt.Sprint(name, " ", n)
	}
	im.names[unique] = true
	return unique
}
