package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"tocsin/alert"
)

// decodeText reads the text from the body and everything else from the query.
func decodeText(q url.Values, body []byte) []alert.Alert {
	f := fields{Alert: alert.Alert{Text: string(body)}}
	f.setValues(q)
	return []alert.Alert{f.read()}
}

// decodeForm reads the fields from a form, and what it does not have from the query.
func decodeForm(q, values url.Values) []alert.Alert {
	given := slices.Collect(maps.Keys(values))
	for name, all := range q {
		if !slices.ContainsFunc(given, func(one string) bool { return strings.EqualFold(one, name) }) {
			values[name] = all
		}
	}
	var f fields
	f.setValues(values)
	return []alert.Alert{f.read()}
}

// decodeParts is decodeForm for the form that curl -F sends, whose fields may be files.
func decodeParts(q url.Values, r *http.Request, body []byte) ([]alert.Alert, error) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	values, count := url.Values{}, 0
	for reader := multipart.NewReader(bytes.NewReader(body), params["boundary"]); err == nil; {
		var part *multipart.Part
		var value []byte
		if part, err = reader.NextPart(); err != nil {
			break
		}
		if value, err = io.ReadAll(part); err == nil {
			addPart(values, part, value)
		}
		if count++; count > mostFields {
			return nil, &httpError{http.StatusBadRequest, fmt.Sprintf("the alert has more than %d fields", mostFields), alertHint}
		}
	}
	if !errors.Is(err, io.EOF) || len(values) == 0 {
		return nil, &httpError{http.StatusBadRequest, "the body is not a form in parts, as its content type says", "send it with curl -F title=… -F text=@file, or as text/plain"}
	}
	return decodeForm(q, values), nil
}

// addPart adds a part of a form. A file is the text unless its field is another one. Of a file
// that is not text only the name is kept.
func addPart(values url.Values, part *multipart.Part, value []byte) {
	name, file := part.FormName(), part.FileName()
	known := namesWords(name) || (&alert.Alert{}).TextField(strings.ToLower(name)) != nil
	switch {
	case name == "":
	case file != "" && binary.Match(value):
		values.Add(name, file+", which is not text")
	case file != "" && !known:
		values.Add("text", string(value))
	default:
		values.Add(name, string(value))
	}
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
		if value := a.TextField(name); *value == "" {
			*value = *given.TextField(name)
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
		if strings.EqualFold(name, "labels") {
			if pairs := labelPairs(strings.Join(all, "\n")); pairs != nil {
				value = pairs
			}
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

// pairName begins a label in a text such as host=db-3, service=db.
var pairName = regexp.MustCompile(`(?:^|[,\n])\s*([A-Za-z_][\w.:/-]*)=`)

// labelPairs reads name=value, several with commas between them or in lines; nil for any
// other text.
func labelPairs(text string) map[string]string {
	if strings.Count(text, "=") > mostFields {
		return nil
	}
	found := pairName.FindAllStringSubmatchIndex(text, -1)
	if len(found) == 0 || found[0][0] > 0 {
		return nil
	}
	pairs := make(map[string]string, len(found))
	for n, at := range found {
		end := len(text)
		if n+1 < len(found) {
			end = found[n+1][0]
		}
		value := strings.TrimSpace(text[at[1]:end])
		if inner, ok := strings.CutPrefix(value, `"`); ok && strings.HasSuffix(inner, `"`) {
			value = strings.TrimSuffix(inner, `"`)
		}
		pairs[text[at[2]:at[3]]] = value
	}
	return pairs
}

// formOf reads a form that has an alert in it; nil is any other body of that type, which
// curl -d gives to every text. What is not encoded, because somebody wrote it by hand, is
// as it is written.
func formOf(body []byte) url.Values {
	if encodedText.Match(body) { // as curl --data-urlencode sends a text
		text, _ := url.QueryUnescape(string(body)) // it is encoded well
		return url.Values{"text": {text}}
	}
	if bytes.Count(body, []byte("&")) > mostFields {
		return nil
	}
	pairs := strings.Split(string(body), "&")
	byHand := bytes.ContainsFunc(body, encodedInForms)
	if byHand && len(pairs) == 1 && anotherPair.MatchString(pairs[0]) {
		return nil
	}
	values := fieldsOf(pairs, byHand)
	if !saysSomething(values) && (byHand || len(values) <= 1) {
		return nil
	}
	return values
}

// fieldsOf reads the fields of a form. It returns nil if one of them is not a field.
func fieldsOf(pairs []string, byHand bool) url.Values {
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
	return values
}

// encodedText matches a text that a program has encoded for a form.
var encodedText = regexp.MustCompile(`^[\w.~*+-]*(?:%[0-9A-Fa-f]{2}[\w.~*+-]*)+$`)

// encodedInForms reports whether a program encodes a character in the values of a form.
func encodedInForms(r rune) bool { return r <= ' ' || r >= utf8.RuneSelf || r == '"' }

// saysSomething reports whether fields are those of an alert that is not empty.
func saysSomething(values url.Values) bool {
	for name := range values {
		if namesWords(name) {
			return true
		}
	}
	return values.Has("key") && values.Has("status")
}

// Headers by which ntfy's senders say what is not in the body, and the fields that they are.
var headerFields = [...][2]string{{"Title", "title"}, {"Priority", "severity"}, {"Tags", "tags"}, {"Click", "links"}, {"Attach", "links"}}

// ntfyPriorities are the numbers and words of ntfy's that are not severities.
var ntfyPriorities = map[string]string{"1": "low", "min": "low", "2": "low", "4": "high", "5": "urgent", "max": "urgent"}

// addHeaders adds to a query what its sender says in headers, with or without X- before their
// names. A priority that is none of ntfy's is the browser's own, and says nothing.
func addHeaders(q url.Values, header http.Header) {
	for _, known := range headerFields {
		said := strings.TrimSpace(cmp.Or(header.Get(known[0]), header.Get("X-"+known[0])))
		if plain, err := new(mime.WordDecoder).DecodeHeader(said); err == nil {
			said = plain
		}
		if known[0] == "Priority" {
			if said = cmp.Or(ntfyPriorities[strings.ToLower(said)], said); !isGrade(said) {
				continue
			}
		}
		if said != "" && (known[1] == "links" || !q.Has(known[1])) {
			q.Add(known[1], said)
		}
	}
}
