package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tocsin/alert"
)

// fields puts the members of a JSON object into an alert. What has another type than it
// should is read as what it most likely means, and what has no place becomes a label.
type fields struct {
	alert.Alert
	notes alert.Notes
	// more are paragraphs behind the text.
	more []string
}

func (f *fields) note(format string, args ...any) { f.notes.Add(format, args...) }

// read is the alert with its notes.
func (f *fields) read() alert.Alert {
	a := f.Alert
	if len(f.more) > 0 {
		if a.Title+a.Text == "" { // the name of what is all there is would be the title
			_, f.more[0], _ = strings.Cut(f.more[0], "\n")
		}
		if a.Title == "" && utf8.RuneCountInString(a.Text) <= alert.MaxTitle && !strings.Contains(a.Text, "\n") {
			a.Title, a.Text = a.Text, ""
		}
		a.Text = strings.TrimLeft(strings.Join(append([]string{a.Text}, f.more...), "\n\n"), "\n")
	}
	a.Notes = f.notes.All()
	return a
}

// decodeFields reads an alert's JSON object.
func decodeFields(b []byte) (alert.Alert, error) {
	var members map[string]json.RawMessage
	if err := unmarshal(b, &members); err != nil {
		return alert.Alert{}, err
	}
	var f fields
	f.setAll(members)
	return f.read(), nil
}

// setAll reads all members of an object.
func (f *fields) setAll(members map[string]json.RawMessage) {
	f.rename(members)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if value := members[name]; string(value) != "null" {
			f.set(name, value)
		}
	}
}

// set reads one member. Names count in any case, as they do in encoding/json.
func (f *fields) set(name string, value json.RawMessage) {
	known := strings.ToLower(name)
	switch field := f.TextField(known); {
	case known == "mention" && value[0] == '[':
		f.Mention = joined(value)
	case known == "text" && f.Text != "":
		f.unknown(name, value)
	case field != nil:
		*field = f.text(known, value)
	case known == "labels":
		f.labels(value)
	case known == "links":
		f.links(value)
	case known == "images":
		f.images(value)
	case f.setOther(known, alert.JSONText(value)):
	default:
		f.unknown(name, value)
	}
}

// unknown keeps as labels what has no place in an alert: of an object each member, and of a
// list its texts. One of several lines continues the text: nobody could match it, and a label
// shows the ends of its lines as \n.
func (f *fields) unknown(name string, value json.RawMessage) {
	var members map[string]json.RawMessage
	text := alert.JSONText(value)
	switch {
	case value[0] == '{' && json.Unmarshal(value, &members) == nil && len(members) > 0:
		for _, member := range slices.Sorted(maps.Keys(members)) {
			f.keep(name+"."+member, alert.JSONText(members[member]))
		}
	case value[0] == '[' && len(value) > len("[]") && !bytes.ContainsAny(value, "{}") && bytes.Count(value, []byte("[")) == 1:
		f.keep(name, joined(value))
	default:
		if !f.keep(name, text) {
			f.note("%.60q is not a field of an alert: put into the text", name)
			return
		}
	}
	f.note("%.60q is not a field of an alert: kept as a label", name)
}

// keep keeps a label, or a paragraph of the text if it has several lines; then it returns false.
func (f *fields) keep(name, value string) (short bool) {
	if value = strings.TrimSpace(value); strings.Contains(value, "\n") {
		f.more = append(f.more, name+":\n"+value)
		return false
	}
	f.label(name, value)
	return true
}

func (f *fields) label(name, value string) {
	if f.Labels == nil {
		f.Labels = map[string]string{}
	}
	if _, taken := f.Labels[name]; !taken {
		f.Labels[name] = value
	}
}

// text reads a field that should be a string.
func (f *fields) text(name string, value json.RawMessage) string {
	if value[0] != '"' && name != "severity" {
		f.note("%s is %s: taken as text", name, typeOf(value))
	}
	return alert.JSONText(value)
}

// joined are the texts of an array with commas between them.
func joined(value json.RawMessage) string {
	var all []json.RawMessage
	_ = json.Unmarshal(value, &all) // it was valid JSON as a part of the object
	parts := make([]string, len(all))
	for n, one := range all {
		parts[n] = alert.JSONText(one)
	}
	return strings.Join(parts, ", ")
}

// typeOf names the type of a JSON value for a person.
func typeOf(value json.RawMessage) string {
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "true or false"
	case '"':
		return "text"
	}
	return "a number"
}

// labels reads an object of values, of which nested ones are kept as JSON.
func (f *fields) labels(value json.RawMessage) {
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil {
		text := alert.JSONText(value)
		if value[0] == '[' {
			text = joined(value)
		}
		if pairs := labelPairs(text); pairs != nil {
			for _, name := range slices.Sorted(maps.Keys(pairs)) {
				f.label(name, pairs[name])
			}
			f.note("labels is %s, and should be an object: read as name=value", typeOf(value))
			return
		}
		f.label("labels", alert.JSONText(value))
		f.note("labels is %s, and should be an object: kept as one label", typeOf(value))
		return
	}
	for name, v := range members {
		if string(v) == "null" {
			v = json.RawMessage(`""`)
		}
		if f.Labels == nil {
			f.Labels = map[string]string{}
		}
		f.Labels[name] = alert.JSONText(v)
	}
}

var errSwitch = errors.New("neither true nor false")

// setOther reads a field that is a time, a duration or a switch, and reports whether it is
// one. An empty one is none.
func (f *fields) setOther(name, text string) bool {
	var read func() error
	switch name {
	case "at":
		read = func() (err error) { f.At, err = alert.ParseTime(text); return err }
	case "ends_at":
		read = func() (err error) { f.EndsAt, err = alert.ParseTime(text); return err }
	case "expires_in":
		read = func() (err error) { f.ExpiresIn, err = alert.ParseExpiry(text); return err }
	case "only_if_open":
		read = func() (err error) {
			if f.OnlyIfOpen, err = strconv.ParseBool(text); err != nil {
				err = errSwitch
			}
			return err
		}
	default:
		return false
	}
	if strings.TrimSpace(text) == "" {
		return true
	}
	if err := read(); err != nil {
		f.label(name, text)
		f.note("%s dropped: %.60q is %s", name, text, err)
	}
	return true
}
