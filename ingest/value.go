package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// bodyOf returns the body of a request as expressions see it: JSON as its values, a form
// as a map of its fields (a text, or a list of texts), anything else as text.
func bodyOf(r Request) (any, error) {
	body := bytes.TrimSpace(r.Body)
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // none is as good as a wrong one
	switch {
	case len(body) > 0 && (body[0] == '{' || body[0] == '['), kind == "application/json":
		return jsonValue(body)
	case kind == "application/x-www-form-urlencoded", kind == "" && looksLikeForm(body):
		if form, err := url.ParseQuery(string(body)); err == nil {
			return fieldsOf(form), nil
		}
	case kind == "multipart/form-data" && params["boundary"] != "":
		if form := multipartForm(body, params["boundary"]); len(form) > 0 {
			return fieldsOf(form), nil
		}
	}
	return string(r.Body), nil
}

// looksLikeForm reports whether every part of a body is a name and a value.
func looksLikeForm(body []byte) bool {
	for part := range bytes.SplitSeq(body, []byte("&")) {
		if bytes.IndexByte(part, '=') < 1 || bytes.ContainsAny(part, " \t\r\n") {
			return false
		}
	}
	return true
}

// jsonValue reads JSON. Whole numbers are ints, so that an id keeps its digits.
func jsonValue(body []byte) (any, error) {
	if err := checkJSON(body, mostValues); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, syntaxError(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("there is something after the JSON, from byte %d on", decoder.InputOffset())
	}
	return withNumbers(v), nil
}

// withNumbers replaces the numbers in a JSON value by an int, a float64, or if there is
// none that is as great by a text.
func withNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.Atoi(v.String()); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case []any:
		for n := range v {
			v[n] = withNumbers(v[n])
		}
	case map[string]any:
		for name := range v {
			v[name] = withNumbers(v[name])
		}
	}
	return v
}

func fieldsOf(form url.Values) map[string]any {
	all := map[string]any{}
	for name, values := range form {
		if len(values) == 1 {
			all[name] = values[0]
			continue
		}
		list := make([]any, len(values))
		for n, value := range values {
			list[n] = value
		}
		all[name] = list
	}
	return all
}

func multipartForm(body []byte, boundary string) url.Values {
	form := url.Values{}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextPart()
		if err != nil {
			return form
		}
		var value strings.Builder
		if _, err := io.Copy(&value, part); err == nil && part.FormName() != "" {
			form.Add(part.FormName(), value.String())
		}
	}
}

// headersOf returns the headers of a request by their names in lower case, without those
// that hold secrets.
func headersOf(header http.Header) map[string]string {
	all := map[string]string{}
	for name, values := range header {
		switch name {
		case "Authorization", "Proxy-Authorization", "Cookie":
		default:
			all[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	return all
}

// textFrom returns a value as text: nothing for nil, numbers without an exponent, and
// lists and maps as JSON.
func textFrom(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case float64:
		if math.Abs(v) < 1e21 {
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		}
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case fmt.Stringer:
		return v.String(), nil
	}
	return jsonFrom(v)
}

// jsonFrom returns a value as JSON.
func jsonFrom(v any) (string, error) {
	room := longestText
	plain, err := plainOf(v, &room)
	if err != nil {
		return "", err
	}
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(plain); err != nil {
		return "", fmt.Errorf("%s can't be written as text", kindName(v))
	}
	return strings.TrimSuffix(encoded.String(), "\n"), nil
}

// plainOf returns a value with only those types in it that JSON has. room is how many
// bytes it may have: a short expression can make a list that holds one long text often.
func plainOf(v any, room *int) (any, error) {
	if *room--; *room < 0 {
		return nil, errTooLong
	}
	switch v := v.(type) {
	case nil, bool, int:
		return v, nil
	case string:
		*room -= len(v)
		return v, nil
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return fmt.Sprint(v), nil
		}
		return v, nil
	case time.Time, fmt.Stringer:
		return textFrom(v)
	}
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.Slice, reflect.Array:
		return plainList(value, room)
	case reflect.Map:
		return plainMap(value, room)
	case reflect.Func, reflect.Chan, reflect.Pointer, reflect.Struct:
		return nil, errors.New("a function is not a value")
	}
	return v, nil
}

func plainList(list reflect.Value, room *int) (any, error) {
	all := []any{}
	for n := range list.Len() {
		element, err := plainOf(list.Index(n).Interface(), room)
		if err != nil {
			return nil, err
		}
		all = append(all, element)
	}
	return all, nil
}

func plainMap(members reflect.Value, room *int) (any, error) {
	all := map[string]any{}
	for _, key := range members.MapKeys() {
		name, err := textFrom(key.Interface())
		if err != nil {
			return nil, err
		}
		*room -= len(name)
		if all[name], err = plainOf(members.MapIndex(key).Interface(), room); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// listFrom returns the elements of a list.
func listFrom(v any) ([]any, bool) {
	if list, ok := v.([]any); ok {
		return list, true
	}
	value := reflect.ValueOf(v)
	if value.Kind() != reflect.Slice && value.Kind() != reflect.Array {
		return nil, false
	}
	all := make([]any, value.Len())
	for n := range all {
		all[n] = value.Index(n).Interface()
	}
	return all, true
}

// truth reads a value as true or false.
func truth(v any) (bool, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case int:
		return v != 0, nil
	case float64:
		return v != 0, nil
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true", "yes", "on", "1":
			return true, nil
		case "", "false", "no", "off", "0":
			return false, nil
		}
	}
	return false, fmt.Errorf("%s is neither true nor false", kindName(v))
}

// kindName says what a value is.
func kindName(v any) string {
	switch v.(type) {
	case nil:
		return "nil"
	case string:
		return "a text"
	case bool:
		return "true or false"
	case int, float64:
		return "a number"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	}
	return fmt.Sprintf("a %T", v)
}
