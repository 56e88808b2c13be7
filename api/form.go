package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"tocsin/alert"
)

// decodeText reads the text from the body and everything else from the query.
func decodeText(q url.Values, body []byte) []alert.Alert {
	f := fields{alert.Alert{Text: string(body)}}
	f.setValues(q)
	return []alert.Alert{f.Alert}
}

// decodeForm reads the fields from a form, and what it does not have from the query.
func decodeForm(q url.Values, body []byte) []alert.Alert {
	values := formOf(body)
	given := slices.Collect(maps.Keys(values))
	for name, all := range q {
		if !slices.ContainsFunc(given, func(one string) bool { return strings.EqualFold(one, name) }) {
			values[name] = all
		}
	}
	var f fields
	f.setValues(values)
	return []alert.Alert{f.Alert}
}

// fillFrom fills in what alerts leave out with what the query says. notes are about the query.
func fillFrom(q url.Values, alerts []alert.Alert) (notes []string) {
	given := decodeText(q, nil)[0]
	for n := range alerts {
		fillIn(&alerts[n], given)
	}
	if given.IdempotencyKey != "" { // of the request, like the header
		nameAlerts(alerts, given.IdempotencyKey)
	}
	return given.Notes
}

// fillIn fills in what an alert leaves out, except for its idempotency key.
func fillIn(a *alert.Alert, given alert.Alert) {
	for _, name := range [...]string{"source", "key", "status", "severity", "title", "text", "format", "channel", "mention"} {
		if value := textField(a, []byte(name)); *value == "" {
			*value = *textField(&given, []byte(name))
		}
	}
	if a.At.IsZero() {
		a.At = given.At
	}
	if a.EndsAt.IsZero() && a.ExpiresIn == 0 {
		a.EndsAt, a.ExpiresIn = given.EndsAt, given.ExpiresIn
	}
	if len(a.Links) == 0 {
		a.Links = given.Links
	}
	if len(a.Images) == 0 {
		a.Images = given.Images
	}
	a.OnlyIfOpen = a.OnlyIfOpen || given.OnlyIfOpen
	if len(given.Labels) > 0 {
		all := maps.Clone(given.Labels)
		maps.Copy(all, a.Labels)
		a.Labels = all
	}
}

// setValues reads fields that are text.
func (f *fields) setValues(values url.Values) {
	members := make(map[string]json.RawMessage, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all := values[name]
		if strings.EqualFold(name, "strict") {
			continue
		}
		if slices.ContainsFunc(all, func(v string) bool { return !utf8.ValidString(v) }) {
			f.note("%s repaired: bytes that are not UTF-8 are shown as \ufffd", name)
		}
		var value any = strings.Join(all, "\n")
		if len(all) > 1 && slices.Contains([]string{"links", "images", "mention"}, strings.ToLower(name)) {
			value = all
		}
		members[name], _ = json.Marshal(value) // text can be JSON
	}
	f.setAll(members)
}

var (
	fieldName = regexp.MustCompile(`^[A-Za-z_][\w.-]*$`)
	// anotherPair is what log lines such as msg="disk full" level=error have.
	anotherPair = regexp.MustCompile(`\s[A-Za-z_][\w.-]*=`)
)

// formOf reads a form that has an alert in it; nil is any other body of that type, which
// curl -d gives to every text. What is not encoded, because somebody wrote it by hand, is
// as it is written.
func formOf(body []byte) url.Values {
	if bytes.Count(body, []byte("&")) > mostFields {
		return nil
	}
	pairs := strings.Split(string(body), "&")
	byHand := bytes.ContainsFunc(body, encodedInForms)
	if byHand && len(pairs) == 1 && anotherPair.MatchString(pairs[0]) {
		return nil
	}
	values := url.Values{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || !fieldName.MatchString(name) {
			return nil
		}
		if plain, err := url.QueryUnescape(value); err == nil && !byHand {
			value = plain
		}
		values.Add(name, value)
	}
	if !saysSomething(values) {
		return nil
	}
	return values
}

// encodedInForms reports whether a program encodes a character in the values of a form.
func encodedInForms(r rune) bool { return r <= ' ' || r >= utf8.RuneSelf || r == '"' }

// saysSomething reports whether fields are those of an alert that is not empty.
func saysSomething(values url.Values) bool {
	for name := range values {
		if slices.Contains(strings.Fields("title text "+titleNames+" "+textNames), strings.ToLower(name)) {
			return true
		}
	}
	return values.Has("key") && values.Has("status")
}
