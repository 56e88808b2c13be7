package alert

import (
	"fmt"
	"regexp"
	"strings"
)

// notMatcher is the error for a text that begins without a name and an operator.
func notMatcher(text, name, value string) error {
	first, _, _ := strings.Cut(text, " ")
	hint := `write label="value"; the operators are = != =~ !~`
	if whole := unwrapped(text); len(whole) > 0 {
		hint = "write " + whole.String()
	}
	if metric, selector, ok := strings.Cut(text, "{"); ok && plainName(metric) {
		if ms, err := ParseMatchers("{" + selector); err == nil && len(ms) > 0 {
			named := append(Matchers{{Name: "alertname", Op: "=", Value: metric}}, ms...)
			hint = fmt.Sprintf("write %s, or %s if %s is a metric", named, ms, metric)
		}
	}
	if isAddress(name) {
		hint = `write the name of the label in front of it, as in url="https://…"`
	}
	if label, rest, ok := strings.Cut(name, "~"); ok && plainName(label) && rest+value != "" {
		m := Matcher{Name: label, Op: "=~", Value: strings.Trim(rest+value, `"'`)}
		if _, err := checkedMatcher(m.Name, m.Op, m.Value); err != nil {
			return err
		}
		hint = "write " + m.String()
	}
	return &InputError{Message: fmt.Sprintf("%.60q is not a matcher", first), Hint: hint}
}

// unwrapped are the matchers of which somebody has put all between quotation marks, as for a
// shell; none if these are no such.
func unwrapped(text string) Matchers {
	p := matcherText{rest: text}
	inner, quoted, err := p.word(",")
	if err != nil || !quoted || strings.Trim(p.rest, ", ") != "" {
		return nil
	}
	ms, _ := ParseMatchers(inner)
	return ms
}

// listOf is err with a better remedy if a word behind a matcher is another value of its
// label, as in host=db-1,db-2.
func (m Matcher) listOf(word string, err error) error {
	if m.Op != "=" && m.Op != "!=" || m.Name == "severity" || !plainName(word) {
		return err
	}
	several := Matcher{Name: m.Name, Op: m.Op, Value: m.Value + "|" + word}.asRegexp()
	return &InputError{Message: fmt.Sprintf("%.60q is not a matcher", word), Hint: fmt.Sprintf("write %s if you mean either", several)}
}

// isPattern reports whether a value without quotes is a pattern for = or !=, which would be
// compared as it is and so match nothing: host=db-*, host=a|b.
func (m Matcher) isPattern() bool {
	return (m.Op == "=" || m.Op == "!=") && strings.ContainsAny(m.Value, "*|")
}

// asRegexp is the matcher that somebody meant who wrote such a pattern.
func (m Matcher) asRegexp() Matcher {
	m.Op = m.Op[:1] + "~"
	switch {
	case m.Value == "*":
		m.Value = ".+"
	case !strings.Contains(m.Value, ".*"): // else it is a regular expression already
		m.Value = strings.NewReplacer(`\*`, ".*", `\|`, "|").Replace(regexp.QuoteMeta(m.Value))
	}
	return m
}

// miswritten reports whether a name is that of a field in other capitals. Without quotes
// that is nearly always the field; in quotes it is a label.
func miswritten(name string) bool {
	field := strings.ToLower(name)
	return isField(field) && name != field
}

// miswrittenField is the error for a matcher with such a name: it says how the field and a
// label are written, as far as these would not be refused too.
func miswrittenField(name, op, value string) error {
	field, label := Matcher{Name: strings.ToLower(name), Op: op, Value: value}, Matcher{Name: name, Op: op, Value: value}
	_, noField := checkedMatcher(field.Name, op, value)
	_, noLabel := checkedMatcher(name, op, value)
	hint := fmt.Sprintf("write %s, or %s for a label of that name", field, label)
	switch {
	case noField != nil && noLabel != nil:
		return noField
	case noField != nil:
		hint = fmt.Sprintf("write %s for a label of that name", label)
	case noLabel != nil:
		hint = fmt.Sprintf("write %s", field)
	}
	return &InputError{Message: fmt.Sprintf("the field is written %s, not %s", field.Name, name), Hint: hint}
}

// unquotable are the characters that a name or value may only contain in quotes. Without
// them they are nearly always a mistake, such as service=!db.
const unquotable = `<>=!{}"`

// unclear reports whether a value needs quotes: not(a=b) is not a matcher, and a=!~b is
// another one.
func unclear(op, value string) bool {
	return value == "" || strings.ContainsAny(value, unquotable) ||
		(op == "=" || op == "!=") && (value[0] == '~' || strings.Trim(value, "()") != value)
}

// unclearValue is the error for such a value: it says what is meant, or why that would be
// refused too.
func unclearValue(name, op, value string) error {
	m, hint := meant(name, op, value)
	if _, err := checkedMatcher(m.Name, m.Op, m.Value); err != nil {
		return err
	}
	return &InputError{Message: fmt.Sprintf("%.60q is not a matcher", name+op+value), Hint: "write " + m.String() + hint}
}

// missingValue is the error for a value that is missing, where next is the word behind it: it
// says how either is written that would not be refused too.
func missingValue(name, op, next string) error {
	var ways []string
	if _, err := checkedMatcher(name, op, next); err == nil {
		ways = append(ways, Matcher{Name: name, Op: op, Value: next}.String())
	}
	_, err := checkedMatcher(name, op, "")
	switch {
	case err == nil:
		ways = append(ways, Matcher{Name: name, Op: op}.String()+" if you mean alerts without it")
	case len(ways) == 0:
		return err
	}
	return &InputError{Message: fmt.Sprintf("%.60q is not a matcher: its value is missing", name+op), Hint: "write " + strings.Join(ways, ", or ")}
}

// meant is the matcher with a value that has to be quoted, or that is a mistake, and what
// there is to say about it.
func meant(name, op, value string) (m Matcher, hint string) {
	op = strings.Replace(op, "==", "=", 1)
	m = Matcher{Name: name, Op: op, Value: value}
	if value == "" {
		return m, " if you mean alerts without it"
	}
	if strings.HasPrefix(value, "<") && strings.HasSuffix(value, ">") { // brackets, no operator
		return m, ""
	}
	if m.isPattern() && !unclear(op, value) {
		return m.asRegexp(), fmt.Sprintf(", or %s if you mean that very value", m)
	}
	rest := strings.TrimLeft(value, "<>=!~")
	other := intended(op + strings.TrimSuffix(value, rest))
	if other == "" || rest == "" {
		return m, ""
	}
	m.Op, m.Value = other, strings.Trim(rest, `"'`)
	if strings.ContainsAny(other, "<>") && name != "severity" {
		m.Op = "="
		return m, "; only severity can be compared, as in severity>=error"
	}
	return m, "; the operators are = != =~ !~"
}

// intended is the operator that somebody meant who wrote this one, or empty.
func intended(written string) string {
	switch written {
	case "=!", "=!=":
		return "!="
	case "=~":
		return "=~"
	case "=!~", "!=~":
		return "!~"
	case "=>":
		return ">="
	case "=<":
		return "<="
	}
	return ""
}
