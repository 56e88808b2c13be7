package alert

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// Subject is what matchers look at: an alert, or the incident it is part of.
type Subject struct {
	Severity Severity
	Source   string
	Key      string
	Title    string
	// Shown is the title of its card, if a template has made another one; words are looked
	// for in both.
	Shown string
	// Channel is the conversation that the sender named, or empty. ChannelAliases are
	// all its spellings, if more than one is known.
	Channel        string
	ChannelAliases []string
	Labels         map[string]string
	// Group is that of an incident of a group, whose Labels are those that its members have
	// in common; nil for any other.
	Group *Group
}

// Subject is what matchers see of the alert.
func (a Alert) Subject() Subject {
	return Subject{Severity: a.Severity, Source: a.Source, Key: a.Key, Title: a.Title, Channel: a.Channel, Labels: a.Labels}
}

// labelPrefix is in front of the name of a label where a matcher must not mean the field of
// that name.
const labelPrefix = "labels."

// sentSeverity is the word that was sent as the severity. It is a label only if it is not
// what the severity itself is called.
const sentSeverity = labelPrefix + "severity"

// Value is what a matcher of that name compares with: one of the alert's own fields
// severity, source, key, title and channel, else the label, which may also be written
// labels.NAME; empty when there is none.
func (s Subject) Value(name string) string {
	switch name {
	case "severity":
		return string(s.Severity)
	case "source":
		return s.Source
	case "key":
		return s.Key
	case "title":
		return s.Title
	case "channel":
		return s.Channel
	}
	value, found := s.Labels[name]
	if label, prefixed := strings.CutPrefix(name, labelPrefix); prefixed && !found {
		value, found = s.Labels[label]
	}
	if name == sentSeverity && !found {
		return string(s.Severity)
	}
	return value
}

// Matcher is one condition in Alertmanager's syntax: name="value", name!="value",
// name=~"regexp", name!~"regexp". A regular expression must match the whole value.
// Severities can also be compared, as in severity>="error", with >= <= > <.
type Matcher struct {
	Name  string
	Op    string
	Value string
	re    *regexp.Regexp
}

// The bounds of what a person or a file may write as matchers.
const (
	maxMatchers = 20
	maxMatcher  = 1000
	// maxRegexp is how many instructions an expression may be compiled to.
	maxRegexp = 5000
)

// NewMatcher returns a matcher. The error is an *InputError.
func NewMatcher(name, op, value string) (Matcher, error) {
	m := Matcher{Name: name, Op: op, Value: value}
	if len(name)+len(value) > maxMatcher {
		return m, &InputError{Message: fmt.Sprintf("the matcher on %.40q is longer than %d characters", name, maxMatcher), Hint: "match on a shorter label"}
	}
	if op != "=~" && op != "!~" {
		return m, nil
	}
	err := checkRegexp(value)
	if err == nil {
		m.re, err = regexp.Compile("^(?s:" + value + ")$")
	}
	if err != nil {
		return m, &InputError{Message: fmt.Sprintf("%.60q is not a regular expression: %v", value, err), Hint: `write for example service=~"db-.*"`}
	}
	return m, nil
}

// LabelMatcher returns the matcher for a label with this value: labels.NAME where NAME alone
// would be one of the alert's own fields.
func LabelMatcher(name, value string) Matcher {
	if isField(name) {
		name = labelPrefix + name
	}
	return Matcher{Name: name, Op: "=", Value: value}
}

func isField(name string) bool {
	switch name {
	case "severity", "source", "key", "title", "channel":
		return true
	}
	return false
}

// NearField is the field that a matcher on a label was perhaps meant for, as in sev=crit or
// titel=x; empty for none.
func (m Matcher) NearField() string {
	name := strings.ToLower(m.Name)
	if isField(m.Name) || len(name) < len("sev") {
		return ""
	}
	for _, field := range []string{"severity", "source", "title", "channel"} {
		if strings.HasPrefix(field, name) || Distance(name, field, 1) <= 1 {
			return field
		}
	}
	if _, ok := ParseSeverity(m.Value); ok && slices.Contains([]string{"level", "loglevel", "prio", "priority"}, name) {
		return "severity"
	}
	return ""
}

// NearFields says of each matcher which field it was perhaps meant for.
func (ms Matchers) NearFields() (hints []string) {
	for _, m := range ms {
		if field := m.NearField(); field != "" {
			hints = append(hints, m.Name+" is a label; did you mean "+field+"?")
		}
	}
	return hints
}

// checkRegexp parses an expression by itself, because a)|(b would be valid between
// brackets, and refuses one that would take much time for every alert.
func checkRegexp(value string) error {
	re, err := syntax.Parse(value, syntax.Perl)
	if err != nil {
		return err
	}
	prog, err := syntax.Compile(re.Simplify())
	if err == nil && len(prog.Inst) > maxRegexp {
		err = errors.New("it repeats too much")
	}
	return err
}

// Match reports whether the condition holds for s. A matcher with a regular
// expression must come from NewMatcher, or it matches nothing.
func (m Matcher) Match(s Subject) bool {
	switch m.Op {
	case "=":
		return m.fits(s)
	case "!=":
		return !m.fits(s)
	case "=~":
		return m.re != nil && m.fits(s)
	case "!~":
		return m.re != nil && !m.fits(s)
	}
	return compare(s.Severity.Rank(), m.Op, Severity(m.Value).Rank())
}

// compare compares two ranks, of which the lower one is the worse severity.
func compare(rank int, op string, with int) bool {
	switch op {
	case ">=":
		return rank <= with
	case "<=":
		return rank >= with
	case ">":
		return rank < with
	case "<":
		return rank > with
	}
	return false
}

// fits reports whether the value, or any spelling of the channel, is the one that the
// matcher names. For a regular expression a channel's name may be without # and @.
func (m Matcher) fits(s Subject) bool {
	fits := func(value string) bool {
		if m.re != nil {
			return m.re.MatchString(value) || m.Name == "channel" && m.re.MatchString(strings.TrimLeft(value, "#@"))
		}
		return value == m.Value
	}
	return fits(s.Value(m.Name)) || m.Name == "channel" && slices.ContainsFunc(s.ChannelAliases, fits)
}

// String is the matcher as it is written.
func (m Matcher) String() string {
	name := m.Name
	if !plainName(name) || miswritten(name) {
		name = quote(name)
	}
	return name + m.Op + quote(m.Value)
}

// Matchers are conditions that must all hold. JSON and YAML have them as one
// string in Alertmanager's syntax, or as a list of such strings.
type Matchers []Matcher

// Match reports whether every condition holds for s.
func (ms Matchers) Match(s Subject) bool {
	for _, m := range ms {
		if !m.Match(s) {
			return false
		}
	}
	return true
}

// Everything reports whether they leave nothing out: each of them says nothing, such as
// severity=~".+", or only that a label is missing.
func (ms Matchers) Everything() bool {
	return !slices.ContainsFunc(ms, Matcher.specific)
}

// specific reports whether the condition narrows down which alerts are meant.
func (m Matcher) specific() bool {
	switch {
	case m.Name == "severity", m.Name == sentSeverity && (m.Op == "=" || m.Op == "=~"):
		return slices.ContainsFunc(Severities(), func(s Severity) bool { return !m.Match(Subject{Severity: s}) })
	case m.Op == "=~" && (m.Name == "title" || m.Name == "key"): // never empty
		return m.re != nil && !m.re.MatchString("any word") && !m.re.MatchString("x")
	case m.Op == "=" || m.Op == "=~":
		return !m.Match(Subject{})
	}
	return true
}

// Broad reports whether they leave out next to nothing: each of them says nothing, fits
// alerts that lack the label (env!="test"), or fits any alertname, source, title or key.
func (ms Matchers) Broad() bool { return !slices.ContainsFunc(ms, Matcher.narrow) }

// narrow reports whether the condition leaves out more than alerts with one label.
func (m Matcher) narrow() bool {
	switch m.Name {
	case "severity", sentSeverity:
		return slices.ContainsFunc(Severities(), func(s Severity) bool { return !m.Match(Subject{Severity: s}) })
	case alertName, labelPrefix + alertName, "source", "title", "key":
		return slices.ContainsFunc([]string{"x", "AnyName"}, func(name string) bool {
			return !m.Match(Subject{Source: name, Title: name, Key: name, Labels: map[string]string{alertName: name}})
		})
	}
	if m.Op == "!=" || m.Op == "!~" {
		return !m.Match(Subject{})
	}
	return m.specific()
}

// String is the matchers as they are written: severity="critical", service=~"db-.*".
func (ms Matchers) String() string {
	parts := make([]string, len(ms))
	for n, m := range ms {
		parts[n] = m.String()
	}
	return strings.Join(parts, ", ")
}

// MarshalText writes what String does.
func (ms Matchers) MarshalText() ([]byte, error) { return []byte(ms.String()), nil }

// UnmarshalJSON reads what ParseMatchers does, or a list of it.
func (ms *Matchers) UnmarshalJSON(written []byte) error {
	texts := make([]string, 1)
	into := any(&texts[0])
	if written[0] == '[' {
		into = &texts
	}
	if err := json.Unmarshal(written, into); err != nil {
		return &InputError{Message: "the matchers are neither a text nor a list of texts", Hint: `write "team=web, severity>=error", or ["team=web"]`}
	}
	*ms = nil
	for _, text := range texts {
		parsed, err := ParseMatchers(text)
		if err != nil {
			return err
		}
		*ms = append(*ms, parsed...)
	}
	return ms.few()
}

// few refuses more matchers than a person writes.
func (ms Matchers) few() error {
	if len(ms) > maxMatchers {
		return &InputError{Message: fmt.Sprintf("these are more than %d matchers", maxMatchers), Hint: "match with a regular expression"}
	}
	return nil
}
