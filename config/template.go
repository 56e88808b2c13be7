package config

import (
	"errors"
	"fmt"
	"strings"

	"tocsin/alert"
)

// The options of a route that are templates.
const (
	keyTitleTemplate  = keyRoutes + ".title"
	keyTextTemplate   = keyRoutes + ".text"
	keyFieldTemplates = keyRoutes + ".fields"
)

// maxFields is how many fields a card may show: it is read at a glance.
const maxFields = 20

// readTemplates reads and tries the templates of a route.
func (l *loader) readTemplates(s section) (t alert.Templates) {
	t.Title = l.template(keyTitleTemplate, s.values[keyTitleTemplate])
	t.Text = l.template(keyTextTemplate, s.values[keyTextTemplate])
	fields := s.values[keyFieldTemplates]
	if fields.items == nil && fields.value != "" {
		l.fail(fields.origin.problem(keyFieldTemplates+" has a value where names belong", `write fields: {Host: "{{ .Labels.instance }}"}`))
	}
	names := map[string]bool{}
	for _, g := range flat(fields.items) {
		switch {
		case g.name == "":
			l.fail(g.origin.problem(keyFieldTemplates+" has a value without a name", `write fields: {Host: "{{ .Labels.instance }}"}`))
			continue
		case names[g.name]:
			l.fail(g.origin.problem(fmt.Sprintf("%s has %s twice", keyFieldTemplates, printable(g.name)), "keep one of them"))
		case len(t.Fields) == maxFields:
			l.fail(g.origin.problem(fmt.Sprintf("%s has more than %d fields", keyFieldTemplates, maxFields), "keep those that tell what to do"))
			return t
		}
		names[g.name] = true
		t.Fields = append(t.Fields, alert.FieldTemplate{Name: g.name, Value: l.template(keyFieldTemplates+"."+g.name, g)})
	}
	return t
}

// flat are the values of a list of groups in one list.
func flat(items []given) (all []given) {
	for _, g := range items {
		if g.items != nil {
			all = append(all, flat(g.items)...)
		} else {
			all = append(all, g)
		}
	}
	return all
}

// template reads a template, or reports what is wrong with it; nil if there is none.
func (l *loader) template(key string, g given) *alert.Template {
	if g.value == "" {
		return nil
	}
	t, err := alert.ParseTemplate(g.value)
	if err == nil {
		err = t.Check()
	}
	if bad, ok := errors.AsType[*alert.TemplateError](err); ok {
		l.fail(l.placeIn(g, bad.Line, bad.Column).problem(
			fmt.Sprintf("%s has a mistake: %s (at %d:%d of the template)", key, printableTokens(bad.Message), bad.Line, bad.Column), l.templateFix(g)))
		return nil
	}
	return t
}

// templateFix knows what YAML did to a template.
func (l *loader) templateFix(g given) string {
	if line := l.doc.line(g.origin.line); strings.Contains(line, " #") && !strings.Contains(g.value, "#") {
		return "a # after a blank begins a comment in YAML: put the template in quotes, or below after |-"
	}
	return "docs/templates.md lists the names and functions; tocsin config preview < alert.json tries them"
}
