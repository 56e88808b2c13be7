package main

import (
	"fmt"
	"strings"

	"tocsin/alert"
)

// inhibitResult is a rule of inhibit that an alert matches, with the values that the other
// alert must have. Hidden is set if the alert can be hidden by it, Hides if it can hide
// others.
type inhibitResult struct {
	Name   string   `json:"name,omitempty"`
	Source string   `json:"source"`
	Target string   `json:"target"`
	Equal  []string `json:"equal"`
	Hidden bool     `json:"hidden"`
	Hides  bool     `json:"hides"`
}

func explainInhibit(rules []alert.InhibitRule, s alert.Subject) []inhibitResult {
	all := []inhibitResult{}
	for _, r := range rules {
		x := inhibitResult{
			Name: r.Name, Source: r.Source.String(), Target: r.Target.String(), Equal: []string{},
			Hidden: r.Target.Match(s), Hides: r.Source.Match(s),
		}
		for _, name := range r.Equal {
			x.Equal = append(x.Equal, alert.Matcher{Name: name, Op: "=", Value: s.Value(name)}.String())
		}
		if x.Hidden || x.Hides {
			all = append(all, x)
		}
	}
	return all
}

func (x inhibitResult) text() (text string) {
	rule := ""
	if x.Name != "" {
		rule = " (rule " + x.Name + ")"
	}
	source, target := strings.Join(append([]string{x.Source}, x.Equal...), ", "), strings.Join(append([]string{x.Target}, x.Equal...), ", ")
	if x.Hidden && x.Hides { // one that matches both does not count
		source, target = source+" and not "+x.Target, target+" and not "+x.Source
	}
	if x.Hidden {
		text += fmt.Sprintf("It is hidden while another alert fires that matches %s%s.\n", source, rule)
	}
	if x.Hides {
		text += fmt.Sprintf("While it fires, others are hidden that match %s%s.\n", target, rule)
	}
	return text
}
