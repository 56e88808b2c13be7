package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tocsin/alert"
)

// input is an alert as a sender writes it in JSON.
type input struct {
	Source         string            `json:"source"`
	Key            string            `json:"key"`
	Status         alert.Status      `json:"status"`
	Severity       alert.Severity    `json:"severity"`
	Title          string            `json:"title"`
	Text           string            `json:"text"`
	Labels         map[string]scalar `json:"labels"`
	Links          []alert.Link      `json:"links"`
	Channel        string            `json:"channel"`
	Mention        string            `json:"mention"`
	At             moment            `json:"at"`
	IdempotencyKey string            `json:"idempotency_key"`
}

func (in input) alert() alert.Alert {
	a := alert.Alert{
		Source: in.Source, Key: in.Key, Status: in.Status, Severity: in.Severity, Title: in.Title, Text: in.Text,
		Links: in.Links, Channel: in.Channel, Mention: in.Mention, At: time.Time(in.At), IdempotencyKey: in.IdempotencyKey,
	}
	if len(in.Labels) > 0 {
		a.Labels = make(map[string]string, len(in.Labels))
		for k, v := range in.Labels {
			a.Labels[k] = string(v)
		}
	}
	return a
}

// scalar is a label's value: a string, or a number or boolean as it is written.
type scalar string

// UnmarshalJSON reads a string, a number, true, false or null.
func (s *scalar) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case '"':
		return json.Unmarshal(b, (*string)(s))
	case '{', '[':
		return errors.New("a label's value is text, a number, true or false")
	case 'n':
		return nil
	}
	*s = scalar(b)
	return nil
}

// moment is a time in RFC 3339 or in seconds since 1970.
type moment time.Time

// UnmarshalJSON reads "2026-01-02T15:04:05Z" or 1767366245.
func (m *moment) UnmarshalJSON(b []byte) error {
	if seconds, err := strconv.ParseFloat(string(b), 64); err == nil && seconds > 0 && seconds < 1e11 {
		*m = moment(time.UnixMicro(int64(seconds * 1e6)))
		return nil
	}
	if string(b) == "null" {
		return nil
	}
	var t time.Time
	if err := json.Unmarshal(b, &t); err != nil {
		return fmt.Errorf("at is %s: write a time as 2026-01-02T15:04:05Z or in seconds since 1970", b)
	}
	*m = moment(t)
	return nil
}

// decode reads the alerts of a request by its content type.
func decode(r *http.Request, body []byte) ([]alert.Alert, error) {
	if i := invalidUTF8(body); i >= 0 {
		return nil, &httpError{http.StatusBadRequest, fmt.Sprintf("the body is not valid UTF-8 at byte %d", i), "send text encoded as UTF-8"}
	}
	body = bytes.TrimSpace(body)
	var alerts []alert.Alert
	var err error
	switch kind := kindOf(r.Header.Get("Content-Type"), body); kind {
	case "application/x-ndjson", "application/jsonl", "application/ndjson":
		alerts, err = decodeLines(body)
	case "application/json":
		alerts, err = decodeJSON(body)
	case "text/plain":
		alerts, err = decodeText(r.URL.Query(), body)
	default:
		return nil, &httpError{http.StatusUnsupportedMediaType, "the content type is " + kind, "send application/json, application/x-ndjson or text/plain"}
	}
	if err != nil {
		return nil, err
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		nameAlerts(alerts, key)
	}
	return alerts, nil
}

// nameAlerts gives alerts without an idempotency key that of the request, in a batch
// with the alert's position appended.
func nameAlerts(alerts []alert.Alert, key string) {
	for i := range alerts {
		switch {
		case alerts[i].IdempotencyKey != "":
		case len(alerts) == 1:
			alerts[i].IdempotencyKey = key
		default:
			alerts[i].IdempotencyKey = fmt.Sprintf("%s/%d", key, i+1)
		}
	}
}

// kindOf returns the body's media type. curl -d always sends the type of a form, so
// for that, as for no type, the first character decides.
func kindOf(contentType string, body []byte) string {
	if contentType == "application/json" || contentType == "application/x-ndjson" {
		return contentType
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err == nil && kind != "application/x-www-form-urlencoded" {
		return kind
	}
	if len(body) > 0 && (body[0] == '{' || body[0] == '[') {
		return "application/json"
	}
	return "text/plain"
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// decodeText reads the text from the body and everything else from the query.
func decodeText(q url.Values, body []byte) ([]alert.Alert, error) {
	known := map[string]bool{"channel": true, "severity": true, "title": true, "key": true, "status": true, "source": true}
	for name := range q {
		if !known[name] {
			return nil, &httpError{http.StatusBadRequest, fmt.Sprintf("unknown parameter %q", name), "text takes channel, severity, title, key, status and source; send JSON for more"}
		}
	}
	return []alert.Alert{{
		Text: string(body), Title: q.Get("title"), Channel: q.Get("channel"), Key: q.Get("key"), Source: q.Get("source"),
		Severity: alert.Severity(q.Get("severity")), Status: alert.Status(q.Get("status")),
	}}, nil
}

// decodeJSON reads one object or an array of objects.
func decodeJSON(body []byte) ([]alert.Alert, error) {
	if len(body) == 0 || body[0] != '[' {
		a, err := decodeAlert(body)
		if err != nil {
			return nil, jsonError("", err, alertHint)
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

// decodeAlert reads one alert. b must be valid UTF-8: encoding/json would replace
// other bytes without an error.
func decodeAlert(b []byte) (alert.Alert, error) {
	if a, ok := scanAlert(b); ok {
		return a, nil
	}
	var in input
	err := unmarshal(b, &in)
	return in.alert(), err
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
		a, err := decodeAlert(line)
		if err != nil {
			return nil, jsonError(fmt.Sprintf("alert %d, line %d: ", len(alerts)+1, n), err, alertHint)
		}
		alerts = append(alerts, a)
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
	"the fields are source key status severity title text labels links channel mention at idempotency_key"

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
