package playground

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxBody is the most bytes that a request's body may have. The largest legal one (100 attachments full of blocks) is far smaller.
const maxBody = 8 << 20

// args are a call's arguments without the token. A string argument is its text; any other JSON value is its JSON, so that blocks sent
// as a JSON array and blocks sent as a form field are the same.
type args map[string]string

func (a args) text(name string) string { return a[name] }

// given reports whether an argument is there and not empty.
func (a args) given(name string) bool { return a[name] != "" }

// with is a copy of a in which one argument is another; the journal keeps what was really sent.
func (a args) with(name, value string) args {
	changed := make(args, len(a)+1)
	maps.Copy(changed, a)
	changed[name] = value
	return changed
}

func (a args) flag(name string) bool {
	v := strings.ToLower(a[name])
	return v == "true" || v == "1"
}

// number returns an integer argument, def when it is absent, and false when it is not an integer.
func (a args) number(name string, def int) (int, bool) {
	if !a.given(name) {
		return def, true
	}
	n, err := strconv.Atoi(a[name])
	return n, err == nil
}

// require returns an error that names the first of these arguments that is absent, as Slack does.
func (a args) require(names ...string) *apiError {
	for _, name := range names {
		if !a.given(name) {
			return invalidArguments("missing required field: " + name)
		}
	}
	return nil
}

func invalidArguments(messages ...string) *apiError {
	return &apiError{Code: "invalid_arguments", Messages: messages}
}

// request is a decoded HTTP request to the Web API.
type request struct {
	args      args
	token     string
	bodyToken bool
	isJSON    bool
	warnings  []string
}

// decodeRequest reads arguments and token under Slack's rules: a bearer token in the header, or a token field in a form body, never in
// the query; JSON with a header token only.
func decodeRequest(r *http.Request) (request, *apiError) {
	req := request{args: args{}}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		req.token = strings.TrimSpace(bearer)
	}
	if r.Method != http.MethodPost {
		req.fill(r.URL.Query(), false)
		return req, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		return req, &apiError{Code: "request_timeout"}
	}
	return req, req.decodeBody(r, body)
}

func (req *request) decodeBody(r *http.Request, body []byte) *apiError {
	header := r.Header.Get("Content-Type")
	if header == "" {
		if len(body) > 0 {
			return &apiError{Code: "missing_post_type"}
		}
		req.fill(r.URL.Query(), false)
		return nil
	}
	kind, params, err := mime.ParseMediaType(header)
	if err != nil {
		return &apiError{Code: "invalid_post_type"}
	}
	if !knownCharset(params["charset"]) {
		return &apiError{Code: "invalid_charset"}
	}
	switch kind {
	case "application/json":
		if params["charset"] == "" {
			req.warnings = append(req.warnings, "missing_charset")
		}
		req.isJSON = true
		return req.decodeJSON(body)
	case "application/x-www-form-urlencoded":
		return req.decodeForm(r, body)
	case "multipart/form-data":
		return req.decodeMultipart(r, body)
	default:
		return &apiError{Code: "invalid_post_type"}
	}
}

func knownCharset(name string) bool {
	switch strings.ToLower(name) {
	case "", "utf-8", "iso-8859-1":
		return true
	}
	return false
}

func (req *request) decodeForm(r *http.Request, body []byte) *apiError {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return &apiError{Code: "invalid_form_data"}
	}
	req.fill(r.URL.Query(), false)
	req.fill(form, true)
	return nil
}

func (req *request) decodeMultipart(r *http.Request, body []byte) *apiError {
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return &apiError{Code: "invalid_form_data"}
	}
	req.fill(r.MultipartForm.Value, true)
	if err := r.MultipartForm.RemoveAll(); err != nil {
		return &apiError{Code: "internal_error"}
	}
	return nil
}

// fill takes the first value of each field; a token counts only in a body.
func (req *request) fill(values url.Values, body bool) {
	for name, v := range values {
		switch {
		case name != "token":
			req.args[name] = strings.ToValidUTF8(v[0], "�")
		case body:
			req.bodyToken = true
			if req.token == "" {
				req.token = v[0]
			}
		}
	}
}

func (req *request) decodeJSON(body []byte) *apiError {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		var wrongType *json.UnmarshalTypeError
		if errors.As(err, &wrongType) {
			return &apiError{Code: "json_not_object"}
		}
		return &apiError{Code: "invalid_json"}
	}
	if fields == nil {
		return &apiError{Code: "json_not_object"}
	}
	for name, raw := range fields {
		switch {
		case name == "token":
			req.bodyToken = true
		case string(raw) != "null":
			req.args[name] = jsonArg(raw)
		}
	}
	return nil
}

// jsonArg is a string's content, or the JSON of anything else.
func jsonArg(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}
