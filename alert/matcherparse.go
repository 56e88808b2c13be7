package alert

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

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
	p := matcherText{rest: s, listed: true, made: func(name, op, value string) (Matcher, error) {
		m, _ := NewMatcher(name, op, value)
		return m, nil
	}}
	return p.all()
}

// matcherText is the part of a text that has not been read yet, and how matchers are made.
type matcherText struct {
	rest   string
	listed bool // no person wrote it
	asIs   bool // values are what Alertmanager takes them for
	made   func(name, op, value string) (Matcher, error)
}

func (p *matcherText) all() (Matchers, error) {
	if inner, ok := strings.CutPrefix(p.rest, "{"); ok {
		if p.rest, ok = strings.CutSuffix(inner, "}"); !ok {
			return nil, &InputError{Message: "the brace { is never closed", Hint: `write {severity="critical", service=~"db-.*"}`}
		}
	}
	var all Matchers
	for p.skip(","); p.rest != ""; p.skip(",") {
		m, err := p.behind(all)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
		if err := all.few(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// behind reads the matcher behind others, which it has to go with.
func (p *matcherText) behind(all Matchers) (Matcher, error) {
	word, _, _ := strings.Cut(p.rest, ",")
	m, err := p.next()
	switch {
	case err != nil && len(all) > 0:
		last := all[len(all)-1]
		if s, ok := ParseSeverity(word); ok && last.Name == "severity" {
			return m, severalSeverities(last.Op, []string{last.Value, string(s)})
		}
		return m, last.listOf(strings.TrimSpace(word), err)
	case err == nil && !p.listed:
		return m, all.clash(m)
	}
	return m, err
}

// clash refuses severity=error behind severity=critical, as no alert has both.
func (ms Matchers) clash(with Matcher) error {
	for _, m := range ms {
		if m.Name == "severity" && m.Op == "=" && with.Name == m.Name && with.Op == m.Op && with.Value != m.Value {
			return severalSeverities(m.Op, []string{m.Value, with.Value})
		}
	}
	return nil
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
	case !quotedName && p.needsQuotes(name):
		return Matcher{}, notMatcher(whole, name, value)
	case err != nil:
		return Matcher{}, err
	case !quotedName && miswritten(name):
		return Matcher{}, miswrittenField(name, op, value)
	}
	if err = p.checkValue(Matcher{Name: name, Op: op, Value: value}, quoted, missing); err != nil {
		return Matcher{}, err
	}
	return p.made(name, op, value)
}

// needsQuotes reports whether a name may only be written in quotes.
func (p *matcherText) needsQuotes(name string) bool {
	return strings.ContainsAny(name, unquotable+"~()") || isAddress(name) && !p.listed
}

// checkValue refuses a value that nobody can have meant: one that needs quotes, or the word
// behind a value that is missing.
func (p *matcherText) checkValue(m Matcher, quoted, missing bool) error {
	switch {
	case m.Op == "==" || !quoted && (unclear(m.Op, m.Value) || !p.asIs && m.isPattern()):
		return unclearValue(m.Name, m.Op, m.Value)
	case !quoted && missing:
		return missingValue(m.Name, m.Op, m.Value)
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
	if several := severitiesIn(value); name == "severity" && len(several) > 1 {
		return Matcher{}, severalSeverities(op, several)
	}
	value, err := fieldValue(name, value)
	if err != nil {
		return Matcher{}, err
	}
	m, err := NewMatcher(name, op, value)
	if err == nil && name == "severity" && m.nothing() {
		err = &InputError{Message: fmt.Sprintf("%s matches no alert", m), Hint: fmt.Sprintf("write severity%s=%s", op, value)}
	}
	return m, err
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

// nothing reports whether no alert passes, as with !~ if every value fits.
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
	for word, s := range severityWords {
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

// severitiesIn are the severities of which a value is a list, as in critical,error.
func severitiesIn(value string) (all []string) {
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" ,;/|", r) }) {
		s, ok := ParseSeverity(word)
		if !ok {
			return nil
		}
		all = Union(all, []string{string(s)})
	}
	return all
}

func severalSeverities(op string, several []string) *InputError {
	hint := "write severity" + op + several[0]
	if op == "=" || op == "!=" {
		hint = fmt.Sprintf("write severity%s~%q", op[:1], strings.Join(several, "|"))
	}
	return &InputError{Message: "no alert has several severities", Hint: hint}
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

// isAddress reports whether a name is the beginning of a web address: https://x.example/y?z=1
// has no label.
func isAddress(name string) bool { return strings.Contains(name, "://") }

// plainName reports whether a name needs no quotes.
func plainName(s string) bool {
	return s != "" && !isAddress(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.:/-", r)
	})
}
