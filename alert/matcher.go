package alert

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
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
// string in Alertmanager's syntax.
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
// alerts that lack the label (env!="test"), or fits any alertname.
func (ms Matchers) Broad() bool { return !slices.ContainsFunc(ms, Matcher.narrow) }

// narrow reports whether the condition leaves out more than alerts with one label.
func (m Matcher) narrow() bool {
	switch {
	case m.Name == "severity":
		return m.specific()
	case m.Name == alertName:
		return slices.ContainsFunc([]string{"x", "AnyName"}, func(name string) bool {
			return !m.Match(Subject{Labels: map[string]string{alertName: name}})
		})
	case m.Op == "!=" || m.Op == "!~":
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

// UnmarshalText reads what ParseMatchers does.
func (ms *Matchers) UnmarshalText(text []byte) error {
	parsed, err := ParseMatchers(string(text))
	*ms = parsed
	return err
}

// closing has the marks that may end a quotation, by the mark that begins it:
// keyboards pair typographic quotation marks in every way.
var closing = map[rune]string{'"': `"`, '\'': "'", '“': smartDouble, '”': smartDouble, '„': smartDouble, '«': smartDouble, '»': smartDouble, '‘': smartSingle, '’': smartSingle}

const (
	smartDouble = `”“"»«`
	smartSingle = `’‘'`
)

// ParseMatchers reads matchers in Alertmanager's syntax, with or without braces,
// separated by commas or blanks, values with or without quotes. An empty text has
// none. The error is an *InputError.
func ParseMatchers(s string) (Matchers, error) {
	if !ValidText(s) {
		return nil, &InputError{Message: "the matchers are not valid text", Hint: "send text encoded as UTF-8, without NUL characters"}
	}
	p := matcherText{rest: strings.TrimSpace(s), made: checkedMatcher}
	return p.all()
}

// listedMatchers reads what Matchers.String has written. A matcher that NewMatcher refuses
// matches nothing.
func listedMatchers(s string) (Matchers, error) {
	p := matcherText{rest: s, made: func(name, op, value string) (Matcher, error) {
		m, _ := NewMatcher(name, op, value)
		return m, nil
	}}
	return p.all()
}

// matcherText is the part of a text that has not been read yet, and how matchers are made.
type matcherText struct {
	rest string
	made func(name, op, value string) (Matcher, error)
}

func (p *matcherText) all() (Matchers, error) {
	if inner, ok := strings.CutPrefix(p.rest, "{"); ok {
		if p.rest, ok = strings.CutSuffix(inner, "}"); !ok {
			return nil, &InputError{Message: "the brace { is never closed", Hint: `write {severity="critical", service=~"db-.*"}`}
		}
	}
	var all Matchers
	for p.skip(","); p.rest != ""; p.skip(",") {
		m, err := p.next()
		if err != nil {
			return nil, err
		}
		if all = append(all, m); len(all) > maxMatchers {
			return nil, &InputError{Message: fmt.Sprintf("these are more than %d matchers", maxMatchers), Hint: "match with a regular expression"}
		}
	}
	return all, nil
}

// skip skips blanks and the characters in others, and reports whether there are any.
func (p *matcherText) skip(others string) bool {
	before := len(p.rest)
	p.rest = strings.TrimLeftFunc(p.rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(others, r) })
	return len(p.rest) < before
}

func (p *matcherText) next() (Matcher, error) {
	whole := p.rest
	name, quotedName, err := p.word("=!<>")
	if err != nil {
		return Matcher{}, err
	}
	apart := p.skip("")
	op := p.operator()
	if op == "" || name == "" {
		return Matcher{}, notMatcher(whole, name, "")
	}
	// team= for is an empty variable of a shell and another word, and team = web one matcher.
	missing := p.skip("") && !apart
	value, quoted, err := p.word(",")
	switch {
	case !quotedName && strings.ContainsAny(name, unquotable+"~()"):
		return Matcher{}, notMatcher(whole, name, value)
	case err != nil:
		return Matcher{}, err
	case !quotedName && miswritten(name):
		return Matcher{}, miswrittenField(name, op, value)
	}
	if err = checkValue(name, op, value, quoted, missing); err != nil {
		return Matcher{}, err
	}
	return p.made(name, op, value)
}

// checkValue refuses a value that nobody can have meant: one that needs quotes, or the word
// behind a value that is missing.
func checkValue(name, op, value string, quoted, missing bool) error {
	switch {
	case op == "==" || !quoted && unclear(op, value):
		return unclearValue(name, op, value)
	case !quoted && missing:
		return missingValue(name, op, value)
	}
	return nil
}

// checkedMatcher is NewMatcher for what a person wrote: a value that the field can never
// have is translated or refused.
func checkedMatcher(name, op, value string) (Matcher, error) {
	if strings.ContainsAny(op, "<>") && name != "severity" {
		return Matcher{}, &InputError{Message: name + " can't be compared with " + op, Hint: "only severity can, as in severity>=error"}
	}
	if op == "=~" || op == "!~" {
		return checkedRegexp(name, op, value)
	}
	if m, ok := beginning(name, op, value); ok {
		return NewMatcher(m.Name, m.Op, m.Value)
	}
	value, err := fieldValue(name, value)
	if err != nil {
		return Matcher{}, err
	}
	return NewMatcher(name, op, value)
}

// beginning is the matcher for a value that was copied from where it is cut, and ends in an
// ellipsis: whatever begins with the rest matches, and so does a value that ends in one
// itself. ok is false for any other value.
func beginning(name, op, value string) (m Matcher, ok bool) {
	head, cut := strings.CutSuffix(value, "…")
	if !cut || head == "" || op != "=" || name == "severity" || name == "channel" {
		return m, false
	}
	return Matcher{Name: name, Op: "=~", Value: regexp.QuoteMeta(head) + ".*"}, true
}

// checkedRegexp is checkedMatcher for =~ and !~.
func checkedRegexp(name, op, value string) (Matcher, error) {
	m, err := NewMatcher(name, op, value)
	if err == nil && name == "severity" {
		if value, err = severityRegexp(value); err == nil {
			m, err = NewMatcher(name, op, value)
		}
	}
	if err == nil && op == "!~" && m.nothing() {
		err = &InputError{Message: fmt.Sprintf("%.60s matches no alert", m), Hint: `leave it out, or write for example service!~"db-.*"`}
	}
	return m, err
}

// nothing reports whether no alert passes !~, because every value fits.
func (m Matcher) nothing() bool {
	values := []string{"", "x", "7", "-", "Any word"}
	switch m.Name {
	case "severity":
		return !slices.ContainsFunc(Severities(), func(s Severity) bool { return m.Match(Subject{Severity: s}) })
	case "title", "key": // never empty
		values = values[1:]
	}
	return !slices.ContainsFunc(values, func(v string) bool { return !m.re.MatchString(v) })
}

// severityRegexp translates the alternatives that are other tools' words, as in
// crit|err, and refuses those that no severity fits.
func severityRegexp(value string) (string, error) {
	inner := value
	if strings.HasPrefix(value, "(") && strings.HasSuffix(value, ")") {
		inner = value[1 : len(value)-1]
	}
	alternatives := []string{value}
	if !strings.ContainsAny(inner, `()[]\`) { // else a | may be none between alternatives
		alternatives = strings.Split(inner, "|")
	}
	for n, text := range alternatives {
		text = strings.TrimSpace(text)
		if s, ok := ParseSeverity(text); ok {
			text = string(s)
		}
		m, err := NewMatcher("severity", "=~", text)
		if err != nil {
			return "", err
		}
		if !slices.ContainsFunc(Severities(), func(s Severity) bool { return m.Match(Subject{Severity: s}) }) {
			if text = m.severitiesOfWords(); text == "" {
				return "", unknownSeverity(m.Value)
			}
		}
		alternatives[n] = text
	}
	return strings.Join(slices.Compact(alternatives), "|"), nil
}

// severitiesOfWords are the severities that other tools have a word for which fits, as in
// P[12], with | between them; empty for none.
func (m Matcher) severitiesOfWords() string {
	found := map[Severity]bool{}
	for word, s := range severityWords() {
		if m.re.MatchString(word) || m.re.MatchString(strings.ToUpper(word)) {
			found[s] = true
		}
	}
	var all []string
	for _, s := range Severities() {
		if found[s] {
			all = append(all, string(s))
		}
	}
	return strings.Join(all, "|")
}

// fieldValue is a value in the form in which the field of this name has it.
func fieldValue(name, value string) (string, error) {
	switch name {
	case "severity":
		if s, ok := ParseSeverity(value); ok {
			return string(s), nil
		}
		return "", unknownSeverity(value)
	case "channel":
		if value != "" {
			return ParseConversation(value)
		}
	case "title", "key":
		if value == "" {
			return "", &InputError{Message: "every alert has a " + name, Hint: "leave it out, or write " + name + `="…"`}
		}
	}
	return value, nil
}

func unknownSeverity(value string) *InputError {
	return &InputError{Message: fmt.Sprintf("no alert has the severity %.60q", value), Hint: "write one of critical, error, warning, info"}
}

// operator reads an operator, or ==, which programmers write and which is none.
func (p *matcherText) operator() string {
	for _, op := range []string{"=~", "!~", "!=", "==", ">=", "<=", "=", ">", "<"} {
		if rest, ok := strings.CutPrefix(p.rest, op); ok {
			p.rest = rest
			return op
		}
	}
	return ""
}

// word reads a quoted text, or up to a blank or one of the characters in ends.
func (p *matcherText) word(ends string) (word string, quoted bool, err error) {
	first, size := utf8.DecodeRuneInString(p.rest)
	if marks, ok := closing[first]; ok {
		p.rest = p.rest[size:]
		word, err = p.quoted(marks)
		return word, true, err
	}
	end := strings.IndexFunc(p.rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(ends, r) })
	if end < 0 {
		end = len(p.rest)
	}
	word, p.rest = p.rest[:end], p.rest[end:]
	return word, false, nil
}

// quoted reads up to the next of the marks. A backslash escapes a quote or a
// backslash, \n is a line end, and \x1b and \u202e are characters that can't be seen.
func (p *matcherText) quoted(marks string) (string, error) {
	var b strings.Builder
	for p.rest != "" {
		r, size := utf8.DecodeRuneInString(p.rest)
		p.rest = p.rest[size:]
		switch {
		case r == '\\' && p.rest != "":
			p.escaped(&b)
		case strings.ContainsRune(marks, r):
			return b.String(), nil
		default:
			b.WriteRune(r)
		}
	}
	return "", &InputError{Message: "a quotation mark is never closed", Hint: `write label="value"`}
}

// escaped reads what follows a backslash.
func (p *matcherText) escaped(to *strings.Builder) {
	if char, size := readHidden(p.rest); size > 0 {
		p.rest = p.rest[size:]
		to.WriteString(char)
		return
	}
	r, size := utf8.DecodeRuneInString(p.rest)
	p.rest = p.rest[size:]
	to.WriteString(unescape(r))
}

// unescape returns what a backslash and r stand for. Before other characters a
// backslash is literal, so that a regular expression needs no second one.
func unescape(r rune) string {
	switch {
	case r == 'n':
		return "\n"
	case r == '\\' || closing[r] != "":
		return string(r)
	}
	return `\` + string(r)
}

// plainName reports whether a name needs no quotes.
func plainName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.:/-", r)
	})
}
