package alert

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
)

// Field is a name and a value that a card shows like a label. Matchers do not see it.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Templates are how a route's cards are worded. What is nil or empty is as the alert says.
type Templates struct {
	Title, Text *Template
	Fields      []FieldTemplate
}

// FieldTemplate is the template of one field.
type FieldTemplate struct {
	Name  string
	Value *Template
}

// Template is a Go template over an alert. Its names and functions are those of
// Alertmanager's templates, and some of Tocsin's.
type Template struct {
	parsed *template.Template
	// timed is set if it asks for the time.
	timed bool
}

// TemplateError is a mistake in a template, or why one fails.
type TemplateError struct {
	// Line and Column are where, from 1.
	Line, Column int
	Message      string
}

func (e *TemplateError) Error() string {
	return fmt.Sprintf("%s at %d:%d", e.Message, e.Line, e.Column)
}

// The limits of a template and of what it does. What it writes may be as long as the text of
// an alert (1 MiB).
const (
	maxTemplate = 20_000
	// maxTemplateText is how many bytes it may write, and a text on the way may have.
	maxTemplateText = 1 << 20
	// maxTemplateSteps is how often its loops may turn and its parts be used.
	maxTemplateSteps = 10_000
)

// ParseTemplate reads a template. The error is a *TemplateError.
func ParseTemplate(source string) (*Template, error) {
	if len(source) > maxTemplate {
		return nil, &TemplateError{1, 1, fmt.Sprintf("it is longer than %d bytes", maxTemplate)}
	}
	parsed, err := template.New("").Option("missingkey=zero").Funcs(templateFuncs(time.Time{})).Parse(source)
	if err != nil {
		return nil, parseMistake(source, err)
	}
	t := &Template{parsed: parsed, timed: strings.Contains(source, "since")}
	for _, one := range parsed.Templates() {
		one.Root.Nodes = step(one.Root).Nodes
	}
	return t, nil
}

// step has each turn of a loop in the nodes below list, and list itself, begin with writing
// nothing, which the limit counts.
func step(list *parse.ListNode) *parse.ListNode {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.RangeNode:
			n.List, n.ElseList = step(n.List), step(n.ElseList)
		case *parse.IfNode:
			n.List, n.ElseList = step(n.List), step(n.ElseList)
		case *parse.WithNode:
			n.List, n.ElseList = step(n.List), step(n.ElseList)
		}
	}
	list.Nodes = append([]parse.Node{&parse.TextNode{NodeType: parse.NodeText}}, list.Nodes...)
	return list
}

// limitedText collects what a template writes.
type limitedText struct {
	strings.Builder
	steps int
}

var (
	errTemplateText  = fmt.Errorf("it writes more than %d bytes", maxTemplateText)
	errTemplateSteps = fmt.Errorf("its loops turn more than %d times", maxTemplateSteps)
)

func (t *limitedText) Write(p []byte) (int, error) {
	if len(p) == 0 {
		t.steps++
	}
	if t.steps > maxTemplateSteps {
		return 0, errTemplateSteps
	}
	if t.Len()+len(p) > maxTemplateText {
		return 0, errTemplateText
	}
	return t.Builder.Write(p)
}

var _ io.Writer = (*limitedText)(nil)

// execute returns what the template writes. The error is a *TemplateError.
func (t *Template) execute(data templateData, now time.Time) (string, error) {
	parsed := t.parsed
	if t.timed {
		clone, err := parsed.Clone()
		if err != nil {
			return "", &TemplateError{1, 1, err.Error()}
		}
		parsed = clone.Funcs(templateFuncs(now))
	}
	var to limitedText
	if err := parsed.Execute(&to, data); err != nil {
		return "", failure(err)
	}
	return to.String(), nil
}

// Check executes the template over samples. The error is a *TemplateError: no alert will do.
func (t *Template) Check() error {
	for _, sample := range templateSamples() {
		_, err := t.execute(sample, sample.At)
		if bad, ok := errors.AsType[*TemplateError](err); ok && !bad.ofData() {
			return bad
		}
	}
	return nil
}

// calling begins the message of a function that fails.
const calling = "error calling "

// ofData reports whether another alert may do: a function refuses what an alert says, and
// not what the template says.
func (e *TemplateError) ofData() bool {
	return strings.HasPrefix(e.Message, calling) && !strings.Contains(e.Message, writtenOut)
}

// Empty reports whether they change nothing.
func (t Templates) Empty() bool { return t.Title == nil && t.Text == nil && len(t.Fields) == 0 }

// Word has the templates say what a card shows: the alert's title and text, and the fields.
// count is how many firing alerts the incident has. The error says which of them fails, and
// where; then nothing is changed.
func (t Templates) Word(a *Alert, route string, count int, now time.Time) ([]Field, error) {
	if t.Empty() {
		return nil, nil
	}
	return t.word(a, newTemplateData(*a, route, count), now)
}

// WordGroup has the templates say what the card of a group shows. What it shows without them,
// in i, becomes i.Group.Plain. listed are members that templates see (TemplateMembers). The
// error is that of Word.
func (t Templates) WordGroup(i *Incident, listed []GroupMember, now time.Time) error {
	if t.Empty() {
		return nil
	}
	g, plain := i.Group.Clone(), i.wording()
	a := Alert{
		Key: i.Key, Source: i.Source, Status: Resolved, Severity: i.Severity, Title: i.Title, Text: i.Text, Format: i.Format,
		Labels: i.Labels, Annotations: i.Annotations, Links: i.Links, Images: i.Images, At: i.Began(),
	}
	if g.Lasts() {
		a.Status = Firing
	}
	fields, err := t.word(&a, newGroupData(a, *i, listed), now)
	if err != nil {
		return err
	}
	g.Plain = &plain
	i.Group, i.Title, i.Text, i.Links, i.Images, i.Fields = g, a.Title, a.Text, a.Links, a.Images, fields
	if a.Title != plain.Title {
		i.SentTitle = plain.Title
	}
	return nil
}

// Unword has the incident of a group say what it does without templates.
func (i *Incident) Unword() {
	i.Fields, i.SentTitle = nil, ""
	if p := i.Group.Plain; p != nil {
		g := i.Group.Clone()
		g.Plain, i.Group = nil, g
		i.Title, i.Text, i.Links, i.Images = p.Title, p.Text, p.Links, p.Images
	}
}

// wording is what the incident says.
func (i *Incident) wording() Wording { return Wording{i.Title, i.Text, i.Links, i.Images} }

// word has the templates say what a card shows, given what they see.
func (t Templates) word(a *Alert, data templateData, now time.Time) ([]Field, error) {
	said := *a
	var fields []Field
	for _, part := range []struct {
		name string
		by   *Template
		to   *string
	}{{"title", t.Title, &said.Title}, {"text", t.Text, &said.Text}} {
		if err := part.by.into(part.to, data, now); err != nil {
			return nil, fmt.Errorf("the template of %s fails: %w", part.name, err)
		}
	}
	for _, f := range t.Fields {
		one := Field{Name: f.Name}
		if err := f.Value.into(&one.Value, data, now); err != nil {
			return nil, fmt.Errorf("the template of the field %s fails: %w", f.Name, err)
		}
		r := repair{Alert: &Alert{}}
		one.Value, _ = cutRunes(strings.TrimSpace(r.clean(f.Name, one.Value)), MaxLabel)
		if Visible(one.Value) {
			fields = append(fields, one)
		}
	}
	said.reword(a.Title)
	a.Title, a.Text, a.Links, a.Images, a.Notes = said.Title, said.Text, said.Links, said.Images, said.Notes
	return fields, nil
}

// into replaces a text by what the template writes; a nil one leaves it.
func (t *Template) into(text *string, data templateData, now time.Time) (err error) {
	if t == nil {
		return nil
	}
	written, err := t.execute(data, now)
	if err == nil {
		*text = written
	}
	return err
}

// reword repairs a title and a text that are not as the sender wrote them. Where the title
// says nothing, it is the one that was sent.
func (a *Alert) reword(sent string) {
	a.Notes = nil
	r := repair{Alert: a}
	r.texts()
	a.trim()
	if a.Title == "" {
		a.Title = sent
	}
	r.sizes()
	r.room()
	r.text()
}

// place is how text/template says where something is; its columns of failures are bytes
// from 0.
var place = regexp.MustCompile(`^template: :(\d+)(?::(\d+))?: (?:executing "[^"]*" at <(.*?)>: )?((?s).*)$`)

// failure is the error of an execution.
func failure(err error) *TemplateError {
	if errors.Is(err, errTemplateSteps) || errors.Is(err, errTemplateText) {
		return &TemplateError{1, 1, err.Error()}
	}
	parts := place.FindStringSubmatch(err.Error())
	if parts == nil {
		return &TemplateError{1, 1, err.Error()}
	}
	line, _ := strconv.Atoi(parts[1])
	column, _ := strconv.Atoi(parts[2])
	return &TemplateError{line, column + 1, plainly(parts[3], parts[4])}
}

// unknownField is how text/template names a field that a type lacks.
var unknownField = regexp.MustCompile(`^can't evaluate field (\S+) in type (\S+)$`)

// plainly is a message of text/template without the names of Go's types. at is the part of
// the template that it is about.
func plainly(at, message string) string {
	field := unknownField.FindStringSubmatch(message)
	switch {
	case field == nil && strings.HasPrefix(message, calling) && constantArgument.MatchString(at):
		return message + writtenOut + " " + at
	case field == nil:
		return message
	}
	known := ""
	switch field[2] {
	case "alert.templateData":
		known = "; there are ." + strings.Join(namesOf(templateData{}), " .")
	case "alert.templateAlert":
		known = "; an alert has ." + strings.Join(namesOf(templateAlert{}), " .")
	}
	return "there is no ." + field[1] + known
}

// writtenOut marks the failure of a function because of a constant of the template.
const writtenOut = ", in"

// constantArgument matches a call whose first argument is a text in the template, where
// that is a pattern, a zone or a format.
var constantArgument = regexp.MustCompile("^(?:reReplaceAll|match|tz|printf) [\"`]")

// parseMistake is the error for a template that can't be parsed. text/template names only
// the line.
func parseMistake(source string, err error) *TemplateError {
	m := &TemplateError{1, 1, strings.TrimPrefix(err.Error(), "template: ")}
	if parts := place.FindStringSubmatch(err.Error()); parts != nil {
		m.Line, _ = strconv.Atoi(parts[1])
		m.Message = parts[4]
	}
	if m.Message == "unexpected EOF" {
		m.Message = "an {{ if }}, {{ range }}, {{ with }} or {{ define }} has no {{ end }}"
	}
	at := mistakenAction(source)
	if name, ok := quotedIn(m.Message); ok {
		if word := strings.Index(source[at:], name); word >= 0 {
			at += word
		}
	}
	before := source[:at]
	m.Line = strings.Count(before, "\n") + 1
	m.Column = len([]rune(before[strings.LastIndex(before, "\n")+1:])) + 1
	return m
}

// quotedIn is the first name in quotes in a message.
func quotedIn(message string) (string, bool) {
	_, rest, _ := strings.Cut(message, `"`)
	name, _, ok := strings.Cut(rest, `"`)
	return name, ok && name != ""
}

// mistakenAction is where the first action begins with which the source can't be parsed, in
// bytes: the text up to its end has another mistake than that more should follow.
func mistakenAction(source string) int {
	begin := 0
	for at := 0; ; {
		open := strings.Index(source[at:], "{{")
		if open < 0 {
			return begin
		}
		begin = at + open
		end := strings.Index(source[begin:], "}}")
		if end < 0 {
			return begin
		}
		at = begin + end + len("}}")
		_, err := template.New("").Funcs(templateFuncs(time.Time{})).Parse(source[:at])
		if err != nil && !strings.Contains(err.Error(), "unexpected EOF") && !strings.Contains(err.Error(), "unterminated") {
			return begin
		}
	}
}
