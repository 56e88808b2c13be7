package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"tocsin/alert"
)

// How other tools name the title and the text of an alert, in the order of preference.
const (
	titleNames = "subject summary"
	textNames  = "message msg body description content output"
	// lastNames are those that are a text only if an alert says nothing else.
	lastNames = "error reason details detail log event alert alertname name"
)

// otherNames are how other tools name the other fields: read as such where the field is
// missing and the value is one that it can have. A value is seldom the same twice in some of
// them, so that as labels they would keep a resolve from what it resolves.
var otherNames = []struct {
	field, names string
	fits         func(string) bool
}{
	{"severity", "level loglevel severitytext alerttype priority urgency", isGrade},
	{"status", "state currentstate newstate newstatevalue alertstate eventaction action event transition alerttransition monitorcondition eventtype messagetype notificationtype type", isState},
	{"at", "timestamp time ts startedat startsat occurredat eventtime", isRecent},
	{"key", "dedupkey dedupid incidentkey alias fingerprint", isKey},
	{"links", "url link click href weburl htmlurl", webAddress.MatchString},
	{"images", "image imageurl", webAddress.MatchString},
}

// isGrade reports whether a text says how bad something is. Of numbers nobody knows which end
// is worse, and a normal priority says nothing.
func isGrade(text string) bool {
	_, ok := alert.ParseSeverity(text)
	return ok && strings.ContainsFunc(text, unicode.IsLetter) && !strings.EqualFold(strings.TrimSpace(text), "normal")
}

// isKey reports whether a text can be a key. A list or an object can't, such as Sentry's
// fingerprint, which is often the same for all events.
func isKey(text string) bool { return alert.Visible(text) && !strings.ContainsAny(text[:1], "[{") }

func isState(text string) bool {
	_, ok := alert.ParseStatus(text)
	return ok || alert.GradedStatus(text) != ""
}

// isRecent reports whether a text is a time since 2000. An earlier one is not when something
// happened.
func isRecent(text string) bool {
	at, err := alert.ParseTime(text)
	return err == nil && at.Year() > 2000
}

// namesWords reports whether a title or a text has this name.
func namesWords(name string) bool {
	return slices.Contains(strings.Fields("title text "+titleNames+" "+textNames), plainName(name))
}

// rename gives fields their names if they have those of other tools.
func (f *fields) rename(members map[string]json.RawMessage) {
	f.unwrap(members)
	m := renamer{f, members, map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		m.spelt[plainName(name)] = name
	}
	titled, texted := m.find("title", titleNames, alert.Visible), m.find("text", textNames, alert.Visible)
	if !titled && !texted && !m.says("key") {
		_ = m.find("text", lastNames, alert.Visible) || m.find("text", m.endsLikeText(), alert.Visible)
	}
	for _, other := range otherNames {
		if other.field == "status" {
			m.readSwitches()
		}
		if other.field != "severity" || !bytes.Contains(members["labels"], []byte(`"severity"`)) {
			m.find(other.field, other.names, other.fits)
		}
	}
}

// renamer finds members of an object by their names in any spelling.
type renamer struct {
	*fields
	members map[string]json.RawMessage
	spelt   map[string]string
}

func (r renamer) says(word string) bool {
	return strings.TrimSpace(alert.JSONText(r.members[r.spelt[plainName(word)]])) != ""
}

// readSwitches reads a status that is a switch, such as "resolved": true.
func (r renamer) readSwitches() {
	for word, on := range map[string]alert.Status{"resolved": alert.Resolved, "isresolved": alert.Resolved, "firing": alert.Firing, "isfiring": alert.Firing} {
		name, found := r.spelt[word]
		truth, err := strconv.ParseBool(alert.JSONText(r.members[name]))
		if !found || err != nil || r.says("status") {
			continue
		}
		status := on
		if !truth {
			status = map[alert.Status]alert.Status{alert.Resolved: alert.Firing, alert.Firing: alert.Resolved}[on]
		}
		delete(r.members, name)
		r.spelt["status"], r.members["status"] = "status", json.RawMessage(strconv.Quote(string(status)))
		r.note("%q is not a field of an alert: taken as status", name)
	}
}

// find gives a field its name if it has one of these and a value that fits, and reports whether
// the alert has the field.
func (r renamer) find(field, words string, fits func(string) bool) bool {
	if text := r.TextField(field); text != nil && *text != "" || r.says(field) {
		return true
	}
	for word := range strings.FieldsSeq(words) {
		if name := r.spelt[word]; r.says(word) && fits(alert.JSONText(r.members[name])) {
			r.members[field], r.spelt[field] = r.members[name], field
			delete(r.members, name)
			r.note("%q is not a field of an alert: taken as %s", name, field)
			return true
		}
	}
	return false
}

// endsLikeText are the names of members that end as a text's name does, such as short_message
// and NewStateReason. The shortest value is first: it fits a title best.
func (r renamer) endsLikeText() string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(r.members)) {
		for end := range strings.FieldsSeq("title " + titleNames + " message msg description reason") {
			if value := r.members[name]; value[0] == '"' && strings.HasSuffix(plainName(name), end) {
				found = append(found, name)
				break
			}
		}
	}
	slices.SortStableFunc(found, func(x, y string) int { return cmp.Compare(len(r.members[x]), len(r.members[y])) })
	for n := range found {
		found[n] = plainName(found[n])
	}
	return strings.Join(found, " ")
}

// mostWrapped is how deep an alert is looked for in objects.
const mostWrapped = 3

// unwrap takes the members of the objects in an object that itself says nothing, as in
// {"data": {"title": "…"}}.
func (f *fields) unwrap(members map[string]json.RawMessage) {
	for range mostWrapped {
		var wrapped []string
		for _, name := range slices.Sorted(maps.Keys(members)) {
			plain, value := plainName(name), members[name]
			if (namesWords(name) || plain == "key" || plain == "labels" || plain == "annotations") && strings.TrimSpace(alert.JSONText(value)) != "" {
				return
			}
			if value[0] == '{' && plain != "links" && plain != "images" {
				wrapped = append(wrapped, name)
			}
		}
		for _, name := range wrapped {
			f.note("%.60q is not a field of an alert: its members are read", name)
			unwrapMember(members, name)
		}
	}
}

// unwrapMember puts the members of an object in an object beside it. Where a name is taken, it
// keeps that of the object before its own.
func unwrapMember(members map[string]json.RawMessage, name string) {
	var inner map[string]json.RawMessage
	_ = json.Unmarshal(members[name], &inner) // it was valid JSON as a part of the object
	delete(members, name)
	for member, value := range inner {
		if _, taken := members[member]; taken {
			member = name + "." + member
		}
		members[member] = value
	}
}

// An address is a web address with what it is called or shows.
type address struct{ name, url string }

// links reads links: an array of them, one, or an object of addresses by their names.
func (f *fields) links(value json.RawMessage) {
	for _, one := range f.addresses("link", value) {
		f.Links = append(f.Links, alert.Link{Label: one.name, URL: one.url})
	}
}

// images reads images, in the same forms.
func (f *fields) images(value json.RawMessage) {
	for _, one := range f.addresses("image", value) {
		f.Images = append(f.Images, alert.Image{URL: one.url, Alt: one.name})
	}
}

// addresses reads links or images. What is none is kept as a label.
func (f *fields) addresses(kind string, value json.RawMessage) []address {
	all := []json.RawMessage{value}
	if value[0] == '[' {
		_ = json.Unmarshal(value, &all) // it was valid JSON as a part of the object
	}
	var found []address
	for n, one := range all {
		if string(one) == "null" {
			f.note("%s %d is null: dropped", kind, n+1)
			continue
		}
		if one[0] != '"' && one[0] != '{' && one[0] != '[' {
			f.label(fmt.Sprintf("%s %d", kind, n+1), alert.JSONText(one))
			f.note("%s %d is %s: kept as a label", kind, n+1, typeOf(one))
			continue
		}
		found = append(found, addressesOf("", one)...)
	}
	return found
}

// addressesOf reads the addresses in a value: a text, an array, or an object that is one
// address or has several by their names.
func addressesOf(name string, value json.RawMessage) []address {
	var found []address
	switch value[0] {
	case '{':
		return addressesIn(name, value)
	case '[':
		var all []json.RawMessage
		_ = json.Unmarshal(value, &all) // it was valid JSON as a part of the object
		for _, one := range all {
			found = append(found, addressesOf(name, one)...)
		}
		return found
	}
	text := alert.JSONText(value)
	if strings.Count(text, "://") > mostFields {
		return []address{{name, text}}
	}
	several := strings.Fields(text)
	if !strings.Contains(text, "?") { // behind which an address may be a value
		several = strings.Fields(betweenAddresses.ReplaceAllString(text, " $1"))
	}
	if len(several) > 0 && !slices.ContainsFunc(several, func(one string) bool { return !webAddress.MatchString(one) }) {
		for _, one := range several {
			found = append(found, address{name, one})
		}
		return found
	}
	return []address{{name, text}}
}

var (
	webAddress       = regexp.MustCompile(`(?i)^https?://`)
	betweenAddresses = regexp.MustCompile(`(?i)[,;|]\s*(https?://)`)
)

// addressesIn reads the addresses in an object. No address in it is lost, whatever it is
// called.
func addressesIn(name string, value json.RawMessage) []address {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(value, &members) // it was valid JSON as a part of the object
	url := takeMember(members, "url href link src address uri value", func(text string) bool { return strings.TrimSpace(text) != "" })
	label := takeMember(members, "label text title name alt description", func(text string) bool { return url != "" || !webAddress.MatchString(text) })
	var others []address
	for _, member := range slices.Sorted(maps.Keys(members)) {
		text := alert.JSONText(members[member])
		if strings.TrimSpace(text) == "" || url != "" && !strings.Contains(text, "://") {
			continue
		}
		called := member
		if strings.EqualFold(member, "label") {
			called = name // an address in place of a label has none
		}
		others = append(others, addressesOf(called, members[member])...)
	}
	switch {
	case url != "" || len(others) == 0:
		return append([]address{{cmp.Or(label, name), url}}, others...)
	case len(others) == 1 && label != "":
		others[0].name = label
	}
	return others
}

// takeMember removes the first member of one of these names whose text fits, and returns
// its text; empty if there is none.
func takeMember(members map[string]json.RawMessage, names string, fits func(text string) bool) string {
	for known := range strings.FieldsSeq(names) {
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if text := alert.JSONText(members[name]); strings.EqualFold(name, known) && fits(text) {
				delete(members, name)
				return text
			}
		}
	}
	return ""
}
