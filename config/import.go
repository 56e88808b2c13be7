package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	templates "text/template/parse"

	"github.com/goccy/go-yaml/ast"

	"tocsin/alert"
)

// Imported is what another tool's configuration becomes.
type Imported struct {
	// YAML is a configuration for Tocsin.
	YAML string
	// Left are what could not be carried over, by line.
	Left []Left
}

// Left is something that could not be carried over.
type Left struct {
	// Line is where it is in the file that was read.
	Line int
	// What says what it is, and what there is in its place.
	What string
	// place is the name of what it is a part of; empty for the file.
	place string
	said  bool
}

// importer reads Alertmanager's configuration.
type importer struct {
	*tree
	receivers map[string]*amReceiver
	// order has the names of the receivers.
	order   []string
	times   []amTimes
	inhibit []amInhibit
	left    []Left
	names   map[string]bool // of routes
	root    *amRoute
	// files returns the contents of the files that a pattern matches; defined are the
	// templates that they define.
	files   func(pattern string) []string
	defined map[string]*templates.Tree
}

// amReceiver is a receiver: the conversations of its slack_configs, and their templates.
type amReceiver struct {
	name        string
	to          []string
	title, text string
	fields      []treeEntryText
	// others is set if it delivers to other tools.
	others bool
}

// treeEntryText is a name with a text.
type treeEntryText struct{ name, text string }

// nowhere reports whether it delivers nothing at all, so that its alerts are dropped.
func (r *amReceiver) nowhere() bool { return len(r.to) == 0 && !r.others }

// amTimes are a time interval with its name, as it is written.
type amTimes struct {
	name  string
	value ast.Node
}

// amInhibit is an inhibition rule.
type amInhibit struct {
	name                  string
	source, target, equal []string
}

// amRoute is a node of the tree of routes, with what it inherits.
type amRoute struct {
	line                     int
	receiver                 string
	matchers                 alert.Matchers
	groupBy                  []string
	groupWait, groupInterval string
	cont                     bool
	mute, active             []string
	routes                   []*amRoute
}

// place names a route for what is left of it.
func (r *amRoute) place() string { return fmt.Sprint("route ", r.line) }

// ImportAlertmanager makes a configuration of Alertmanager's, which may be in a Secret of
// Kubernetes. files returns the contents of the files of templates that a pattern matches.
func ImportAlertmanager(content []byte, files func(pattern string) []string) (Imported, error) {
	im := &importer{receivers: map[string]*amReceiver{}, names: map[string]bool{}, files: files, defined: map[string]*templates.Tree{}}
	root, err := im.parse(content, 0)
	if err != nil {
		return Imported{}, err
	}
	if inner, above, ok := im.inSecret(root, "alertmanager.yaml", "alertmanager.yml"); ok {
		if root, err = im.parse([]byte(inner), above); err != nil {
			return Imported{}, err
		}
	}
	if _, ok := find(im.entries(root), "route"); !ok {
		return Imported{}, &alert.InputError{Message: "there is no route in it", Hint: "name a configuration of Alertmanager"}
	}
	im.file(root)
	if im.root == nil || im.receivers[im.root.receiver] == nil {
		return Imported{}, &alert.InputError{Message: "its route has no receiver", Hint: "amtool check-config FILE tells what is wrong with it"}
	}
	entries := im.flatten()
	im.compareNeighbours(im.root)
	if len(entries) > maxImported {
		return Imported{}, &alert.InputError{Message: fmt.Sprintf("its routes with continue: true make more than %d routes", maxImported), Hint: "remove some continue: true"}
	}
	yaml := im.write(entries)
	slices.SortStableFunc(im.left, func(a, b Left) int { return a.Line - b.Line })
	return Imported{YAML: yaml, Left: im.left}, nil
}

func (im *importer) parse(content []byte, above int) (ast.Node, error) {
	if len(content) > maxFile {
		return nil, &alert.InputError{Message: "it is larger than 1 MiB", Hint: "name a configuration of Alertmanager"}
	}
	file, err := parse(content)
	if err != nil {
		return nil, &alert.InputError{Message: "it is not YAML: " + onOneLine(printableTokens(err.Error())), Hint: "amtool check-config FILE tells what is wrong with it"}
	}
	t, root := newTree(file)
	t.below = above
	im.tree = t
	return root, nil
}

// leave notes what can't be carried over.
func (im *importer) leave(place string, line int, format string, args ...any) {
	im.left = append(im.left, Left{Line: line, What: onOneLine(printableTokens(fmt.Sprintf(format, args...))), place: place})
}

func (im *importer) file(root ast.Node) {
	var route treeEntry
	if e, ok := find(im.entries(root), "templates"); ok {
		im.templateFiles(e)
	}
	for _, e := range im.entries(root) {
		switch e.name {
		case "route":
			route = e
		case "templates":
		default:
			im.definition(e)
		}
	}
	im.root = im.route(route.value, &amRoute{}, 0)
	if im.root != nil && len(im.root.groupBy) == 0 {
		im.leave(im.root.place(), im.root.line, "route: without group_by Alertmanager makes one group of all alerts of a route; here each has a card of its own")
	}
}

// definition reads a part of the file other than its route.
func (im *importer) definition(e treeEntry) {
	switch e.name {
	case "receivers":
		for _, item := range im.items(e.value) {
			im.receiver(item)
		}
	case "inhibit_rules":
		for _, item := range im.items(e.value) {
			im.inhibition(item)
		}
	case "time_intervals", "mute_time_intervals":
		im.intervals(e.value)
	case "global":
		im.global(e.value)
	default:
		im.leave("", e.line, "%s: Tocsin has nothing like it", e.name)
	}
}

// defaultResolve is the resolve_timeout that both have.
const defaultResolve = "5m"

func (im *importer) global(node ast.Node) {
	for _, e := range im.entries(node) {
		switch {
		case e.name == "resolve_timeout":
			if text := im.text(e.value); text != defaultResolve {
				im.leave("", e.line, "global.resolve_timeout: %s: an alert without an end resolves after %s; a route's expires_in may say otherwise", text, defaultResolve)
			}
		case strings.HasPrefix(e.name, "slack_"):
			im.leave("", e.line, "global.%s: Tocsin posts with the token of its app (tocsin manifest makes one)", e.name)
		default:
			im.leave("", e.line, "global.%s: Tocsin delivers to Slack only", e.name)
		}
	}
}

func (im *importer) intervals(node ast.Node) {
	for _, item := range im.items(node) {
		var t amTimes
		for _, e := range im.entries(item) {
			switch e.name {
			case "name":
				t.name = im.text(e.value)
			case "time_intervals":
				t.value = e.value
				im.zones(e.value)
			}
		}
		if t.name != "" && t.value != nil {
			im.times = append(im.times, t)
		}
	}
}

// zones has intervals in the machine's time zone, which has no name, in UTC.
func (im *importer) zones(intervals ast.Node) {
	for _, one := range im.items(intervals) {
		for _, e := range im.entries(one) {
			zone, ok := im.value(e.value).(*ast.StringNode)
			if ok && e.name == "location" && zone.Value == "Local" {
				zone.Value = "UTC"
				im.leave("", e.line, "time_intervals: location: Local: times are in a zone that has a name; write yours where it says UTC")
			}
		}
	}
}

func (im *importer) receiver(node ast.Node) {
	name, _ := find(im.entries(node), "name")
	r := &amReceiver{name: im.text(name.value)}
	for _, e := range im.entries(node) {
		switch {
		case e.name == "slack_configs":
			for n, item := range im.items(e.value) {
				im.slack(r, item, n == 0)
			}
		case e.name != "name":
			r.others = r.others || len(im.items(e.value)) > 0
			im.leave(r.name, e.line, "receiver %s: %s: Tocsin delivers to Slack only", r.name, e.name)
		}
	}
	im.receivers[r.name] = r
	im.order = append(im.order, r.name)
}

// slack reads a slack_config. The templates of the first one count.
func (im *importer) slack(r *amReceiver, node ast.Node, first bool) {
	for _, e := range im.entries(node) {
		switch e.name {
		case "channel":
			im.channel(r, e)
		case "title":
			r.title += im.template(r, e, first)
		case "text":
			r.text += im.template(r, e, first)
		case "fields":
			im.fields(r, e, first)
		default:
			im.slackOption(r, e)
		}
	}
	if len(r.to) == 0 {
		r.others = true // the channel may be in the webhook's address
	}
}

func (im *importer) channel(r *amReceiver, e treeEntry) {
	text := im.text(e.value)
	to, err := alert.ParseConversation(text)
	if err != nil || strings.Contains(text, "{{") {
		im.leave(r.name, e.line, "receiver %s: channel: %s is not a channel's name", r.name, printable(text))
		return
	}
	r.to = with(r.to, to)
}

// slackOption says why an option of a slack_config is left.
func (im *importer) slackOption(r *amReceiver, e treeEntry) {
	text := im.text(e.value)
	switch e.name {
	case "api_url", "api_url_file", "http_config", "app_token", "app_token_file", "app_url":
		im.leave(r.name, e.line, "receiver %s: %s: Tocsin posts with the token of its app (tocsin manifest makes one)", r.name, e.name)
	case "send_resolved":
		if text == "false" {
			im.leave(r.name, e.line, "receiver %s: send_resolved: false: a card always shows when it is resolved, in place", r.name)
		}
	case "actions":
		for _, item := range im.items(e.value) {
			im.leave(r.name, im.line(item), "receiver %s: actions: %s: the buttons of a card lead to the graph, and where the annotations runbook_url and dashboard_url do", r.name, im.actionName(item))
		}
	default:
		if list := im.items(e.value); len(list) > 0 || !defaultTemplate.MatchString(text) {
			im.leave(r.name, e.line, "receiver %s: %s: cards have a look of their own", r.name, e.name)
		}
	}
}

// actionName is what a button of a slack_config says.
func (im *importer) actionName(node ast.Node) string {
	text, _ := find(im.entries(node), "text")
	if name := im.text(text.value); name != "" {
		return printable(name)
	}
	return "a button"
}

// defaultTemplate matches what Alertmanager shows unless it is told otherwise.
var defaultTemplate = regexp.MustCompile(`^\s*(\{\{-?\s*template "slack\.default\.[a-z]+" \.\s*-?\}\}\s*)*$`)

// slackMarks matches what Slack would read as bold, or as a link.
var slackMarks = regexp.MustCompile(`\*\S|<[^<>\s]+\|`)

// template returns a template that works here, or nothing.
func (im *importer) template(r *amReceiver, e treeEntry, first bool) string {
	text := im.text(e.value)
	if defaultTemplate.MatchString(text) {
		return ""
	}
	if !first {
		im.leave(r.name, e.line, "receiver %s: %s: a route has one, that of the receiver's first slack_config", r.name, e.name)
		return ""
	}
	text = im.definitions(text) + text
	t, err := alert.ParseTemplate(text)
	if err == nil {
		err = t.Check()
	}
	if err != nil {
		im.leave(r.name, e.line, "receiver %s: %s: %s", r.name, e.name, err)
		return ""
	}
	if slackMarks.MatchString(text) {
		im.leave(r.name, e.line, "receiver %s: %s: is carried over, but Slack's marks in it (*bold*, <address|name>) are shown as they are written", r.name, e.name)
	}
	return text
}

func (im *importer) fields(r *amReceiver, fields treeEntry, first bool) {
	for _, item := range im.items(fields.value) {
		name, _ := find(im.entries(item), "title")
		value, ok := find(im.entries(item), "value")
		title := im.text(name.value)
		switch {
		case !ok || title == "" || strings.Contains(title, "{{"):
			im.leave(r.name, im.line(item), "receiver %s: fields: a field needs a title that is not a template, and a value", r.name)
		case slices.ContainsFunc(r.fields, func(f treeEntryText) bool { return f.name == title }) || len(r.fields) == maxFields:
			im.leave(r.name, im.line(item), "receiver %s: fields: %s: there is one of this name, or %d", r.name, printable(title), maxFields)
		default:
			if text := im.template(r, treeEntry{"fields: " + title, value.line, value.value}, first); text != "" {
				r.fields = append(r.fields, treeEntryText{title, text})
			}
		}
	}
}

// maxDepth is how deep routes may be nested.
const maxDepth = 50

// route reads a route and those below it. One whose matchers can't be carried over is left
// out with them.
func (im *importer) route(node ast.Node, parent *amRoute, depth int) *amRoute {
	r := &amRoute{line: im.line(node), receiver: parent.receiver, groupBy: parent.groupBy, groupWait: parent.groupWait, groupInterval: parent.groupInterval}
	entries, good := im.entries(node), true
	if len(entries) > 0 {
		r.line = entries[0].line
	}
	var below treeEntry
	for _, e := range entries {
		if e.name == "routes" {
			below = e
			continue
		}
		good = im.routeOption(r, e) && good
	}
	switch {
	case !good:
		return nil
	case im.receivers[r.receiver] == nil && r.receiver != "":
		im.leave("", r.line, "route: there is no receiver %s", printable(r.receiver))
		return nil
	case depth == maxDepth:
		im.leave(r.place(), r.line, "route: is nested too deep")
		return r
	}
	for _, item := range im.items(below.value) {
		if child := im.route(item, r, depth+1); child != nil {
			r.routes = append(r.routes, child)
		}
	}
	return r
}

// routeOption reads an option of a route. It returns false if the route can't be carried
// over.
func (im *importer) routeOption(r *amRoute, e treeEntry) bool {
	switch e.name {
	case "receiver":
		r.receiver = cmp.Or(im.text(e.value), r.receiver)
	case "group_by":
		if names := im.labelNames(e.value); len(names) > 0 { // an empty list is as none
			r.groupBy = names
		}
	case "group_wait":
		r.groupWait = im.text(e.value)
	case "group_interval":
		r.groupInterval = im.text(e.value)
	case "repeat_interval":
		im.leave(r.place(), e.line, "repeat_interval: %s: a card stays until it is resolved, so nothing is repeated; remind and escalate notify people again", im.text(e.value))
	case "continue":
		r.cont = strings.EqualFold(im.text(e.value), "true")
	case "mute_time_intervals":
		r.mute = im.texts(e.value)
	case "active_time_intervals":
		r.active = im.texts(e.value)
	case "match", "match_re", "matchers":
		return im.routeMatchers(r, e)
	default:
		im.leave(r.place(), e.line, "%s: Tocsin has nothing like it", e.name)
	}
	return true
}

// routeMatchers reads matchers of a route. It returns false if they can't be carried over.
func (im *importer) routeMatchers(r *amRoute, e treeEntry) bool {
	matchers, err := im.matchers(e)
	if err != nil {
		im.leave("", e.line, "route: %s: %s; the route and those below it are left out", e.name, err)
		return false
	}
	r.matchers = append(r.matchers, matchers...)
	return true
}

func (im *importer) inhibition(node ast.Node) {
	rule, ok := im.inhibitRule(node)
	switch {
	case !ok:
	case len(rule.source) == 0 || len(rule.target) == 0:
		im.leave(keyInhibit, im.line(node), "inhibit_rules: a rule without matchers for its source or its target is left out")
	default:
		im.inhibit = append(im.inhibit, rule)
	}
}

// inhibitRule reads an inhibition rule. It returns false if the matchers of one of its sides
// can't be carried over.
func (im *importer) inhibitRule(node ast.Node) (rule amInhibit, ok bool) {
	ok = true
	for _, e := range im.entries(node) {
		switch e.name {
		case "name":
			rule.name = im.text(e.value)
		case "equal":
			rule.equal = im.labelNames(e.value)
		case "source_match", "source_match_re", "source_matchers":
			ok = im.side(&rule.source, e) && ok
		case "target_match", "target_match_re", "target_matchers":
			ok = im.side(&rule.target, e) && ok
		default:
			im.leave(keyInhibit, e.line, "inhibit_rules: %s: Tocsin has nothing like it", e.name)
		}
	}
	return rule, ok
}

// side reads the matchers of one side of an inhibition rule. It returns false if they can't
// be carried over.
func (im *importer) side(to *[]string, e treeEntry) bool {
	_, kind, _ := strings.Cut(e.name, "_")
	matchers, err := im.matchers(treeEntry{kind, e.line, e.value})
	if err != nil {
		im.leave(keyInhibit, e.line, "inhibit_rules: %s: %s; the rule is left out", e.name, err)
		return false
	}
	for _, m := range matchers {
		*to = append(*to, m.String())
	}
	return true
}
