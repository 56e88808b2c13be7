package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"tocsin/alert"
)

// matchers reads match, match_re or matchers. Names are those of labels, some of which are
// fields of an alert here.
func (im *importer) matchers(e treeEntry) (alert.Matchers, error) {
	var all alert.Matchers
	if e.name == "matchers" {
		for _, text := range im.texts(e.value) {
			some, err := alert.ParseLabelMatchers(text)
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
	} else {
		op := "="
		if e.name == "match_re" {
			op = "=~"
		}
		for _, label := range im.entries(e.value) {
			m, err := alert.NewMatcher(label.name, op, im.text(label.value))
			if err != nil {
				return nil, err
			}
			all = append(all, m)
		}
	}
	for n, m := range all {
		m, err := im.ownMatcher(m)
		if err != nil {
			return nil, err
		}
		all[n] = m
	}
	return slices.DeleteFunc(all, func(m alert.Matcher) bool { return m.Name == "" }), nil
}

// ownMatcher is a matcher on a label as it is written here. One that always holds has no
// name.
func (im *importer) ownMatcher(m alert.Matcher) (alert.Matcher, error) {
	label := alert.LabelMatcher(m.Name, "").Name
	switch {
	case m.Name != "severity":
		m.Name = label
	case m.Op == "=" || m.Op == "!=":
		if m.Value == "" && m.Op == "!=" {
			return alert.Matcher{}, nil
		}
		if m.Value == "" {
			return m, fmt.Errorf("every alert has a severity here")
		}
		if !sentAlone(m.Value) {
			m.Name = label
		}
	case !alternatives.MatchString(m.Value), slices.ContainsFunc(strings.Split(strings.Trim(m.Value, "^$()"), "|"), func(word string) bool { return !sentAlone(word) }):
		m.Name = label
	}
	return m, im.accepted(m)
}

// labelNames are the names in a list as they are written here, where some labels would be
// fields of an alert.
func (im *importer) labelNames(node ast.Node) []string {
	names := im.texts(node)
	for n, name := range names {
		names[n] = alert.LabelMatcher(name, "").Name
	}
	return names
}

// alternatives matches words between bars.
var alternatives = regexp.MustCompile(`^\^?\(?[\w-]+(\|[\w-]+)*\)?\$?$`)

// sentAlone reports whether an alert that was sent with this severity has no label of it.
func sentAlone(word string) bool {
	return slices.ContainsFunc(alert.Severities(), func(s alert.Severity) bool { return s.IsWord(word) })
}

// accepted reports a matcher that would be refused.
func (im *importer) accepted(m alert.Matcher) error {
	_, err := alert.ParseMatchers(m.String())
	return err
}
