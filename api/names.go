package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"tocsin/alert"
)

// How other tools name the title and the text of an alert, in the order of preference.
const (
	titleNames = "subject summary"
	textNames  = "message msg body description content"
	// lastNames are those that are a text only if an alert says nothing else.
	lastNames = "error reason details detail output log event alert alertname name"
)

// rename gives the title and the text their names if they have others.
func (f *fields) rename(members map[string]json.RawMessage) {
	names := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		names[strings.ToLower(name)] = name
	}
	said := func(word string) bool { return strings.TrimSpace(alert.JSONText(members[names[word]])) != "" }
	find := func(field, words string) bool {
		if *f.TextField(field) != "" || said(field) {
			return true
		}
		for word := range strings.FieldsSeq(words) {
			if name := names[word]; said(word) {
				members[field] = members[name]
				delete(members, name)
				f.note("%q is no field of an alert: taken as %s", name, field)
				return true
			}
		}
		return false
	}
	titled, texted := find("title", titleNames), find("text", textNames)
	if !titled && !texted && !said("key") {
		find("text", lastNames)
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
