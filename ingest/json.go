package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"mime/multipart"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"tocsin/alert"
)

// readJSON reads the JSON of a request into a struct or map, as far as it fits: members
// of another type are left out, and notes say so. The error is for what is not a JSON
// object.
func readJSON(r Request, into any) (notes []string, err error) {
	body := jsonOf(r)
	if err := checkJSON(body, mostItems); err != nil {
		return nil, err
	}
	err = json.Unmarshal(body, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil, nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return misfits(body, into), nil
	case errors.As(err, &wrong):
		return nil, fmt.Errorf("its JSON is of type %s, which this tool does not send", wrong.Value)
	}
	return nil, syntaxError(err)
}

func syntaxError(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("it is not JSON from byte %d on", syntax.Offset)
	}
	return errors.New("it is not JSON")
}

// mostValues is how many values a body may have: more than a request of the greatest size
// has if they say something. Each takes memory, even if it is only a 0.
const mostValues = 50_000

// mostNames is how many members an object may have: far more than an alert has labels. To
// sort them and move most into the text takes long.
const mostNames = 1000

// checkJSON refuses JSON that would take long to read, or that has a longer list.
func checkJSON(body []byte, longestList int) error {
	shape := alert.ShapeOf(body)
	switch {
	case shape.Depth > alert.MaxJSONDepth:
		return fmt.Errorf("its lists and objects are nested deeper than %d", alert.MaxJSONDepth)
	case shape.Commas > mostValues:
		return fmt.Errorf("it has more than %d values", mostValues)
	case shape.Longest > longestList:
		return fmt.Errorf("one of its lists has more than %d elements", longestList)
	case shape.Widest > mostNames:
		return fmt.Errorf("one of its objects has more than %d members", mostNames)
	}
	return nil
}

// inForm are the fields of a form that hold JSON: Slack's and GitHub's, and Uptime
// Kuma's.
var inForm = [...]string{"payload", "data"}

// jsonOf returns the JSON of a request, which may be a field of a form.
func jsonOf(r Request) []byte {
	body := bytes.TrimSpace(r.Body)
	if len(body) > 0 && (body[0] == '{' || body[0] == '[') {
		return body
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == "multipart/form-data" && params["boundary"] != "" {
		return multipartField(body, params["boundary"])
	}
	form, _ := url.ParseQuery(string(body)) // what it can't read may be JSON that nobody has encoded
	for _, name := range inForm {
		value := []byte(form.Get(name))
		if raw, ok := bytes.CutPrefix(body, []byte(name+"=")); ok && !json.Valid(value) && json.Valid(raw) {
			return raw
		}
		if len(value) > 0 {
			return value
		}
	}
	return body
}

func multipartField(body []byte, boundary string) []byte {
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextPart()
		if err != nil {
			return body
		}
		if !slices.Contains(inForm[:], part.FormName()) {
			continue
		}
		var value bytes.Buffer
		if _, err := value.ReadFrom(part); err == nil {
			return value.Bytes()
		}
	}
}

// says reports whether a request has one of these members, whatever its type.
func says(r Request, names ...string) bool {
	var members map[string]text
	if _, err := readJSON(r, &members); err != nil {
		return false
	}
	for _, name := range names {
		if or(members[name]) != "" {
			return true
		}
	}
	return false
}

// listInText matches a list that is encoded twice, as Slack's Web API takes it in a form.
var listInText = regexp.MustCompile(`"(?:attachments|blocks)"\s*:\s*"\s*\[`)

// withLists is a request whose lists are lists.
func withLists(r Request) Request {
	body := jsonOf(r)
	var members map[string]json.RawMessage
	if !listInText.Match(body) || checkJSON(body, mostItems) != nil || json.Unmarshal(body, &members) != nil {
		return r
	}
	for _, name := range []string{"attachments", "blocks"} {
		var list string
		if json.Unmarshal(members[name], &list) == nil && json.Valid([]byte(list)) {
			members[name] = json.RawMessage(list)
		}
	}
	if read, err := json.Marshal(members); err == nil {
		r.Body = read
	}
	return r
}

// skipped is a JSON value that is only checked.
type skipped struct{}

// UnmarshalJSON accepts every value.
func (*skipped) UnmarshalJSON([]byte) error { return nil }

// text is a JSON value as text: the content of a string, nothing for null, and any other
// value as it is written, without blanks.
type text string

// UnmarshalJSON accepts every value.
func (t *text) UnmarshalJSON(value []byte) error {
	*t = text(alert.JSONText(value))
	return nil
}

// or returns the first text that says something, without blanks around it.
func or(all ...text) string {
	for _, t := range all {
		if s := strings.TrimSpace(string(t)); s != "" {
			return s
		}
	}
	return ""
}

// labels are named texts: an object, a list of pairs, or a list of objects with a name
// and a value. Words without a name, alone or in a list, and names without a value, are the
// label tags.
type labels map[string]string

// UnmarshalJSON accepts every value.
func (l *labels) UnmarshalJSON(value []byte) error {
	if read, ok := readLabels(value); ok {
		*l = read
		return nil
	}
	*l = labels{}
	switch value[0] {
	case '{':
		var members map[string]text
		_ = json.Unmarshal(value, &members) // a text accepts everything
		for name, t := range members {
			l.add(name, string(t))
		}
	case '[':
		var items []json.RawMessage
		_ = json.Unmarshal(value, &items) // it is valid JSON
		for _, item := range items {
			l.addItem(item)
		}
	default:
		l.addSaid("tags", alert.JSONText(value))
	}
	return nil
}

// readLabels reads an object of texts, numbers and the like, as nearly all labels are, in
// a third of encoding/json's time; false for anything else. value is valid JSON.
func readLabels(value []byte) (labels, bool) {
	read, rest := labels{}, bytes.TrimSpace(value)
	if len(rest) == 0 || rest[0] != '{' {
		return nil, false
	}
	if rest = bytes.TrimSpace(rest[1:]); rest[0] == '}' {
		return read, true
	}
	for {
		name, after := readText(rest)
		rest = bytes.TrimSpace(after[1:]) // behind the colon
		if rest[0] == '{' || rest[0] == '[' {
			return nil, false
		}
		said, after := readText(rest)
		if name != "" {
			read[name] = said
		}
		if after[0] == '}' {
			return read, true
		}
		rest = bytes.TrimSpace(after[1:]) // behind the comma
	}
}

// readText reads a value that is neither a list nor an object, and returns what follows it in
// its object.
func readText(json []byte) (said string, rest []byte) {
	end := bytes.IndexAny(json, ",}")
	if json[0] == '"' {
		end = alert.EndOfJSONText(json, 1) + 1
	}
	return alert.JSONText(bytes.TrimSpace(json[:end])), bytes.TrimSpace(json[end:])
}

func (l labels) addItem(item json.RawMessage) {
	var pair []text
	var named struct{ Name, Key, Tag, Title, Value text }
	switch {
	case item[0] == '[' && json.Unmarshal(item, &pair) == nil && len(pair) == 2:
		l.add(string(pair[0]), string(pair[1]))
	case item[0] == '{' && json.Unmarshal(item, &named) == nil && or(named.Name, named.Key, named.Tag, named.Title) == "":
		var all labels
		_ = json.Unmarshal(item, &all) // labels accept everything
		for _, name := range all.names() {
			l.add(name, all[name])
		}
	case item[0] == '{' && or(named.Value) == "":
		l.addSaid("tags", or(named.Name, named.Key, named.Tag, named.Title))
	case item[0] == '{':
		l.add(or(named.Name, named.Key, named.Tag, named.Title), string(named.Value))
	default:
		l.addSaid("tags", alert.JSONText(item))
	}
}

// add keeps a label that has a name. A second value of one name follows the first, as
// long as a label can hold both.
func (l labels) add(name, value string) {
	before, taken := l[name]
	switch {
	case name == "", len(before) > alert.MaxLabel, taken && (value == "" || value == before):
		return
	case before != "":
		value = before + ", " + value
	}
	l[name] = value
}

// addSaid is add for a value that is not empty.
func (l labels) addSaid(name, value string) {
	if value = strings.TrimSpace(value); value != "" {
		l.add(name, value)
	}
}

// addBeside is add for a label of the sender's own. If the name is taken by another value, it
// is kept as of.name.
func (l labels) addBeside(of, name, value string) {
	if before := l[name]; before != "" {
		if strings.TrimSpace(value) != strings.TrimSpace(before) {
			l.addSaid(of+"."+name, value)
		}
		return
	}
	l.add(name, value)
}

// take removes and returns the value of the first of these names that has one.
func (l labels) take(names ...string) string {
	for _, name := range names {
		if value := strings.TrimSpace(l[name]); value != "" {
			delete(l, name)
			return value
		}
	}
	return ""
}

// pairs is the labels as name=value.
func pairs(l labels) string {
	all := make([]string, 0, len(l))
	for _, name := range l.names() {
		all = append(all, name+"="+l[name])
	}
	return strings.Join(all, ", ")
}

func (l labels) names() []string {
	all := make([]string, 0, len(l))
	for name := range l {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
