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
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tocsin/alert"
)

// decode reads the alerts of a request by its content type.
func decode(r *http.Request, body []byte) (alerts []alert.Alert, notes []string, err error) {
	kind, charset := kindOf(r.Header.Get("Content-Type"))
	body, notes = readable(kind, charset, body)
	query := queryOf(r.URL, charset)
	addHeaders(query, r.Header)
	if kind == parts {
		alerts, err = decodeParts(query, r, body)
	} else {
		var note string
		if kind, note = readAs(kind, body, query.Has("title")); note != "" {
			notes = append(notes, note)
		}
		alerts, err = decodeAs(kind, query, body)
	}
	if err != nil {
		return nil, nil, err
	}
	if len(query) > 0 {
		if kind == object || kind == lines {
			notes = append(notes, fillFrom(query, alerts)...)
		}
		if err := setStrict(query, alerts, notes); err != nil {
			return nil, nil, err
		}
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		nameAlerts(alerts, key)
	}
	return alerts, notes, nil
}

// decodeAs reads the alerts of a body of this type.
func decodeAs(kind string, query url.Values, body []byte) ([]alert.Alert, error) {
	switch kind {
	case text:
		return decodeText(query, body), nil
	case form:
		return decodeForm(query, formOf(body)), nil
	case lines, object:
		if err := checkShape(kind, body); err != nil {
			return nil, err
		}
		if kind == lines {
			return decodeLines(body)
		}
		return decodeJSON(bytes.TrimSpace(body))
	}
	return nil, &httpError{http.StatusUnsupportedMediaType, "the content type is " + kind, "send application/json, application/x-ndjson or text/plain"}
}

// Decode reads the alerts of a body as POST /v1/alerts reads it without a content type, and
// notes what was repaired. The error says what to write instead.
func Decode(body []byte) (alerts []alert.Alert, notes []string, err error) {
	alerts, notes, err = decode(&http.Request{Header: http.Header{"Content-Type": {object}}, URL: &url.URL{}}, body)
	if bad, ok := errors.AsType[*httpError](err); ok {
		err = &alert.InputError{Message: bad.what, Hint: bad.hint}
	}
	return alerts, notes, err
}

// The values of a request other than the usual fields of its alerts, and the fields of one
// alert: more take long to read and are shown to nobody.
const (
	mostValues = 20_000
	mostFields = 5_000
	usualField = 20
)

// checkShape refuses JSON that would take long to read and says little.
func checkShape(kind string, body []byte) error {
	shape := alert.ShapeOf(body)
	count := 1
	switch {
	case kind == lines:
		count = bytes.Count(body, []byte("\n")) + 1
	case len(body) > 0 && body[0] == '[':
		count = shape.Outer + 1
	case shape.Outer > mostFields:
		return &httpError{http.StatusBadRequest, fmt.Sprintf("the alert has more than %d fields", mostFields), alertHint}
	}
	switch {
	case shape.Depth > alert.MaxJSONDepth:
		return &httpError{http.StatusBadRequest, fmt.Sprintf("the JSON is nested deeper than %d", alert.MaxJSONDepth), "send it as text/plain, or with lists and objects of less depth"}
	case kind != lines && count > maxAlerts:
		return tooMany(count)
	case shape.Commas > mostValues+usualField*count:
		return &httpError{http.StatusBadRequest, "the JSON has too many values for its alerts", "send it as text/plain, or only what people should see"}
	}
	return nil
}

// setStrict has alerts with ?strict refused where they would be repaired, and for the
// body's notes.
func setStrict(q url.Values, alerts []alert.Alert, notes []string) error {
	strict, err := isStrict(q)
	if err != nil || !strict || len(alerts) == 0 {
		return err
	}
	for n := range alerts {
		alerts[n].Strict = true
	}
	alerts[0].Notes = append(alerts[0].Notes, notes...)
	return nil
}

// nameAlerts gives alerts without an idempotency key that of the request, with their
// position appended from the second one on.
func nameAlerts(alerts []alert.Alert, key string) {
	for i := range alerts {
		a := &alerts[i]
		if a.IdempotencyKey != "" {
			continue
		}
		a.IdempotencyKey = key
		if i > 0 {
			a.IdempotencyKey = fmt.Sprintf("%s/%d", key, i+1)
		}
		if len(alerts) > 1 { // fewer or more alerts under this key are another request
			a.Hash = a.ContentHash() ^ int64(len(alerts))<<1
		}
	}
}

// The media types that are read. Others are read as one of these, or not at all.
const (
	object = "application/json"
	lines  = "application/x-ndjson"
	text   = "text/plain"
	form   = "application/x-www-form-urlencoded"
	parts  = "multipart/form-data"
)

// kindOf returns the media type and the charset of a Content-Type.
func kindOf(contentType string) (kind, charset string) {
	if contentType == object || contentType == lines {
		return contentType, ""
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.Contains(kind, "/") {
		return "", ""
	}
	return kind, params["charset"]
}

// readAs returns the type that a body is read as, and a note if that is not the type it has.
// A text with a title of its own is a text, whatever is in it.
func readAs(kind string, body []byte, titled bool) (read, note string) {
	read = sniff(kind, body)
	switch {
	case read != text || kind == "" || kind == form || kind == "application/octet-stream":
		return read, ""
	case !titled && isAlert(body):
		return object, "the body is JSON: read as an alert"
	case !strings.HasPrefix(kind, "text/"):
		return read, fmt.Sprintf("the content type is %.60s: read as text", kind)
	}
	return read, ""
}

// sniff returns the type that a body is read as. Some types say nothing, such as that of a
// form, which curl -d always sends; then the body decides.
func sniff(kind string, body []byte) string {
	switch kind {
	case object, "text/json", "text/x-json":
		return objectOrLines(body)
	case lines, text:
		return kind
	case "application/jsonl", "application/ndjson":
		return lines
	case "", form, "application/octet-stream":
		switch {
		case beginsJSON.Match(body):
			return objectOrLines(body)
		case kind == form && formOf(body) != nil:
			return form
		}
		return text
	}
	switch {
	case strings.HasSuffix(kind, "+json"):
		return objectOrLines(body)
	case strings.HasPrefix(kind, "text/"), strings.HasPrefix(kind, "application/") && !binary.Match(body):
		return text
	}
	return kind
}

// binary matches what is not text: characters that nobody writes.
var binary = regexp.MustCompile("[\x00-\x06\x0e-\x1a\x1c-\x1f]")

// isAlert reports whether a text is the JSON of an alert, with a title or a text by one of their
// names. Some tools, such as Amazon's SNS, call it text/plain.
func isAlert(body []byte) bool {
	var members map[string]json.RawMessage
	if !beginsJSON.Match(body) || checkShape(object, body) != nil || json.Unmarshal(body, &members) != nil {
		return false
	}
	return namesItsWords(members)
}

// namesItsWords reports whether an object has a title or a text by one of their names.
func namesItsWords(members map[string]json.RawMessage) bool {
	for name, value := range members {
		if namesWords(name) && strings.TrimSpace(alert.JSONText(value)) != "" {
			return true
		}
	}
	return false
}

// beginsJSON matches the beginning of alerts in JSON. [WARN] and {db-3} are text.
var beginsJSON = regexp.MustCompile(`^\s*(?:\{\s*["}]|\[\s*[\]{])`)

// objectOrLines tells JSON from several lines of it, which some call by the same name.
func objectOrLines(body []byte) string {
	first, more, found := bytes.Cut(body, []byte("\n"))
	if first = bytes.TrimSpace(first); found && bytes.HasPrefix(first, []byte("{")) && len(bytes.TrimSpace(more)) > 0 && json.Valid(first) {
		return lines
	}
	return object
}

// isStrict reads the parameter strict, which is on or off: ?strict, ?strict=1.
func isStrict(q url.Values) (bool, error) {
	const name = "strict"
	if !q.Has(name) {
		return false, nil
	}
	on, err := strconv.ParseBool(cmp.Or(q.Get(name), "true"))
	if err != nil {
		return false, &httpError{http.StatusBadRequest, fmt.Sprintf("%s is %q", name, q.Get(name)), "write " + name + "=1 or leave it out"}
	}
	return on, nil
}

// decodeJSON reads one object or an array of objects.
func decodeJSON(body []byte) ([]alert.Alert, error) {
	if len(body) == 0 || body[0] != '[' {
		a, err := decodeAlert(body)
		if err != nil {
			return nil, jsonError("", err, alertHint)
		}
		if len(a.Notes) > 0 {
			if list := decodeList(body); list != nil {
				return list, nil
			}
		}
		return []alert.Alert{a}, nil
	}
	var raw []json.RawMessage
	if err := unmarshal(body, &raw); err != nil {
		return nil, jsonError("", err, alertHint)
	}
	alerts := make([]alert.Alert, 0, len(raw))
	for i, one := range raw {
		a, err := decodeAlert(one)
		if err != nil {
			return nil, jsonError(fmt.Sprintf("alert %d: ", i+1), err, alertHint)
		}
		alerts = append(alerts, a)
	}
	return alerts, nil
}

// decodeAlert reads one alert, of which a string is the text.
func decodeAlert(b []byte) (alert.Alert, error) {
	if a, ok := scanAlert(b); ok {
		return a, nil
	}
	var text string
	if json.Unmarshal(b, &text) == nil && text != "" {
		if isAlert([]byte(text)) { // encoded twice
			a, err := decodeFields([]byte(text))
			a.Notes = append([]string{"the JSON is a string with JSON in it: read as an alert"}, a.Notes...)
			return a, err
		}
		return alert.Alert{Text: text, Notes: []string{"the JSON is a string: taken as text"}}, nil
	}
	return decodeFields(b)
}

// decodeList reads the alerts of an object that is none and has a list of them, as in
// {"alerts": [{"title": "…"}]}. What is beside the list holds for each of them. It returns nil
// for any other object.
func decodeList(body []byte) []alert.Alert {
	var members map[string]json.RawMessage
	if isAlert(body) || json.Unmarshal(body, &members) != nil {
		return nil
	}
	name, list := onlyList(members)
	delete(members, name)
	var alerts []alert.Alert
	for _, one := range list {
		f := fields{}
		f.note("the alerts are those of %.60q", name)
		all := maps.Clone(members)
		maps.Copy(all, one)
		f.setAll(all)
		alerts = append(alerts, f.read())
	}
	return alerts
}

// onlyList finds the list of objects with titles or texts in an object, if it has just one.
func onlyList(members map[string]json.RawMessage) (name string, list []map[string]json.RawMessage) {
	for member, value := range members {
		var all []map[string]json.RawMessage
		if json.Unmarshal(value, &all) != nil || !slices.ContainsFunc(all, namesItsWords) {
			continue
		}
		if list != nil { // which of them are the alerts?
			return "", nil
		}
		name, list = member, all
	}
	return name, list
}

// decodeLines reads one object per line and skips blank lines.
func decodeLines(body []byte) ([]alert.Alert, error) {
	alerts := make([]alert.Alert, 0, min(bytes.Count(body, []byte("\n"))+1, maxAlerts))
	n := 0
	for line := range bytes.SplitSeq(body, []byte("\n")) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if len(alerts) == maxAlerts {
			return nil, tooMany(bytes.Count(bytes.TrimSpace(body), []byte("\n")) + 1)
		}
		a, err := decodeAlert(line)
		if err != nil {
			return nil, jsonError(fmt.Sprintf("alert %d, line %d: ", len(alerts)+1, n), err, alertHint)
		}
		alerts = append(alerts, a)
	}
	if len(alerts) == 0 {
		return nil, jsonError("", io.EOF, alertHint)
	}
	return alerts, nil
}

// unmarshal is strict: unknown fields are errors, and nothing may follow the value.
func unmarshal(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("broken JSON at byte %d: it ends too early", len(b))
	}
	if err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("something follows the JSON value at byte %d", dec.InputOffset())
	}
	return nil
}

// alertHint is the hint for JSON that is not alerts.
const alertHint = `write {"title": "…", "severity": "error", "labels": {"host": "db-3"}}, an array of such objects, or one a line as application/x-ndjson; ` +
	"the fields are source key status severity title text format labels links images channel mention at expires_in ends_at only_if_open idempotency_key"

// jsonError describes an error in JSON and says where it is.
func jsonError(where string, err error, hint string) error {
	var bad *alert.InputError
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	what := strings.TrimPrefix(err.Error(), "json: ")
	switch {
	case errors.As(err, &bad):
		return err
	case errors.As(err, &syntax):
		what = fmt.Sprintf("broken JSON at byte %d: %s", syntax.Offset, err)
	case errors.As(err, &wrong) && wrong.Field != "":
		what = fmt.Sprintf("%s is %s at byte %d, and should be %s", wrong.Field, article(wrong.Value), wrong.Offset, article(kindInJSON(wrong.Type)))
	case errors.As(err, &wrong):
		what = fmt.Sprintf("the JSON is %s, not an object", article(wrong.Value))
	case errors.Is(err, io.EOF):
		what = "the body is empty"
	}
	return &httpError{http.StatusBadRequest, where + what, hint}
}

// kindInJSON is the JSON type that t is decoded from.
func kindInJSON(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Map, reflect.Struct:
		return "object"
	case reflect.Slice:
		return "array"
	}
	return "string"
}

func article(noun string) string {
	if strings.HasPrefix(noun, "a") || strings.HasPrefix(noun, "o") {
		return "an " + noun
	}
	return "a " + noun
}
