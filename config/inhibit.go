package config

import (
	"cmp"
	"slices"
	"strings"

	"tocsin/alert"
)

// keyInhibit are the rules by which alerts are hidden while others fire.
const keyInhibit = "inhibit"

func inhibitOptions() []option[alert.InhibitRule] {
	type rule = alert.InhibitRule
	return []option[rule]{
		opt(spec{key: keyInhibit + ".name"}, parseRuleName, func(r *rule, v string) { r.Name = v }),
		opt(spec{key: keyInhibit + ".source", list: true}, parseMatch, func(r *rule, v alert.Matchers) { r.Source = append(r.Source, v...) }),
		opt(spec{key: keyInhibit + ".target", list: true}, parseMatch, func(r *rule, v alert.Matchers) { r.Target = append(r.Target, v...) }),
		opt(spec{key: keyInhibit + ".equal", list: true}, parseLabelName, func(r *rule, v string) { r.Equal = with(r.Equal, v) }),
	}
}

func parseRuleName(value string) (string, *flaw) {
	value = strings.TrimSpace(value)
	return value, nameFlaw(value)
}

// parseLabelName reads the name of a label, or of one of the alert's own fields.
func parseLabelName(value string) (string, *flaw) {
	if strings.ContainsAny(value, `=~!"'{}`) || len(value) > alert.MaxLabel {
		return "", &flaw{message: printable(value) + " is not the name of a label", write: []string{"cluster"}}
	}
	return strings.TrimSpace(value), nil
}

func (l *loader) readInhibit() {
	var names []string
	for _, s := range l.doc.groups[keyInhibit] {
		var r alert.InhibitRule
		mistakes := len(l.problems)
		applyAll(l, inhibitOptions(), s, &r)
		l.need(s, keyInhibit+".source", "it says which alerts hide others", `source: severity="critical"`)
		l.need(s, keyInhibit+".target", "it says which alerts are hidden", `target: severity=~"warning|info"`)
		if len(l.problems) == mistakes {
			l.checkInhibit(s.at, r)
		}
		l.config.Routing.Inhibit = append(l.config.Routing.Inhibit, r)
		names = append(names, cmp.Or(r.Name, r.Source.String()))
	}
	if len(names) > 0 {
		l.doc.values[keyInhibit] = given{value: strings.Join(names, listed), origin: l.doc.mentioned[keyInhibit]}
	}
}

// checkInhibit warns of rules that hide everything or nothing.
func (l *loader) checkInhibit(at Origin, r alert.InhibitRule) {
	source, target := printableTokens(r.Source.String()), printableTokens(r.Target.String())
	switch {
	case covers(r.Target, r.Source) && covers(r.Source, r.Target), r.Source.Broad() && r.Target.Broad():
		l.warn(at.problem(
			"inhibit has a rule that hides nothing: an alert that matches source and target is not hidden by one that does, too",
			"let source and target match different alerts"))
	case r.Target.Broad() && len(r.Equal) == 0:
		l.warn(at.problem(
			"inhibit has a rule that hides "+nearly(r.Target)+"everything else while one alert fires that matches "+source,
			`say what is hidden, as in target: severity=~"warning|info", or what must be the same, as in equal: [cluster]`))
	case r.Source.Broad() && len(r.Equal) == 0:
		l.warn(at.problem(
			"inhibit has a rule that hides what matches "+target+" while "+nearly(r.Source)+"any other alert fires",
			`say which alerts hide others, as in source: severity="critical", or what must be the same, as in equal: [cluster]`))
	}
}

// nearly is the word for broad matchers that leave out something.
func nearly(ms alert.Matchers) string {
	if ms.Everything() {
		return ""
	}
	return "nearly "
}

// covers reports whether all that matches narrow matches wide, as far as that can be told
// without comparing regular expressions.
func covers(narrow, wide alert.Matchers) bool {
	return !slices.ContainsFunc(wide, func(m alert.Matcher) bool {
		return !slices.ContainsFunc(narrow, func(n alert.Matcher) bool { return n.String() == m.String() })
	})
}
