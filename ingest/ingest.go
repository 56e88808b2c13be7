// Package ingest converts what other tools send to alerts: one file and one pure
// function for each tool, listed in Formats.
//
// It does no I/O, checks no access, and refuses nothing but a body in which there is
// nothing of the tool's: a member that is missing or has another type costs only itself.
package ingest

import (
	"bytes"
	"net/http"
	"slices"

	"tocsin/alert"
)

// Request is what a tool has sent. Its body is UTF-8.
type Request struct {
	Body   []byte
	Header http.Header
}

// Format is how the requests of one tool are read and answered.
type Format struct {
	// Name identifies the format, and is the last part of Path if that begins with
	// /v1/webhooks/.
	Name string
	// Tool is what people call it.
	Tool string
	// Path is where its requests are posted: a pattern of net/http's mux.
	Path string
	// Docs is the address of the tool's own description of what it sends.
	Docs string
	// Sample is the file in testdata that shows a request.
	Sample string
	// Marks are members of a JSON object that only this tool's have together: one of the
	// lists is enough.
	Marks [][]string
	// Read returns what a request asks for. The error says why it is not understood.
	Read func(Request) (alert.Intake, error)
	// ReadMessage returns a request as a message that is posted in place of a card; nil
	// where that is not possible.
	ReadMessage func(Request) (alert.Intake, error)
	// Signed reports whether a request is signed with this secret; nil if the tool
	// signs nothing.
	Signed func(secret string, r Request) bool
	// Answer is the answer in the tool's own words: to alerts with these keys, or, if
	// status is not 202, about a problem. nil for Tocsin's own.
	Answer func(status int, keys []string, problem string) (code int, contentType, body string)
}

// Formats lists the formats. One whose marks are a part of another's comes after it.
func Formats() []Format {
	return []Format{
		grafana(),
		alertmanager(),
		prometheus(),
		github(),
		gitlab(),
		sentry(),
		uptimeKuma(),
		healthchecks(),
		zabbix(),
		oncall(),
		pagerduty(),
		slack(),
	}
}

const webhooks = "/v1/webhooks/"

// Recognize returns the name of the format that a request most likely has, or "".
func Recognize(r Request) string {
	members := membersOf(jsonOf(r))
	for _, f := range Formats() {
		for _, marks := range f.Marks {
			if hasAll(members, marks) {
				return f.Name
			}
		}
	}
	return ""
}

func hasAll(members [][]byte, names []string) bool {
	for _, name := range names {
		if !slices.ContainsFunc(members, func(m []byte) bool { return string(m) == name }) {
			return false
		}
	}
	return true
}

// mostMembers is how many members an object has that could be one of a tool's.
const mostMembers = 200

// membersOf returns the names of the members of a JSON object, or of the first object of a
// list, as they are written. JSON that is none has some names or none.
func membersOf(body []byte) (names [][]byte) {
	body = firstObject(body)
	depth, isName := 0, true
	for i := 0; i < len(body) && depth >= 0 && len(names) < mostMembers; i++ {
		switch body[i] {
		case '"':
			end := alert.EndOfJSONText(body, i+1)
			if depth == 1 && isName {
				names, isName = append(names, body[i+1:end]), false
			}
			i = end
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return names
			}
		case ',':
			isName = depth == 1 || isName
		}
	}
	return names
}

// firstObject returns JSON from where its object, or the first one of its list, begins; nil if
// it begins with neither.
func firstObject(body []byte) []byte {
	body = bytes.TrimSpace(body)
	if len(body) > 0 && body[0] == '[' {
		body = bytes.TrimSpace(body[1:])
	}
	if len(body) == 0 || body[0] != '{' {
		return nil
	}
	return body
}
