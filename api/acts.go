package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"tocsin/alert"
)

// maxPerson is how many characters a person's name may have.
const maxPerson = 100

// actBody is what POST /v1/incidents/{id}/ack and its like may say.
type actBody struct {
	By   alert.Person `json:"by"`
	To   alert.Person `json:"to"`
	Note string       `json:"note"`
}

// httpRequestPrefix keeps the request ids of HTTP callers apart from Slack's.
const httpRequestPrefix = "http:"

// act answers POST /v1/incidents/{id}/ack, resolve, assign or note. One that
// was done already is answered with 200 as well, with the effect "already".
func (a *API) act(verb alert.Verb) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		act, err := readAct(w, r, verb)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		done, err := a.opts.Engine.Act(r.Context(), []alert.Act{act})
		if err == nil && (len(done) == 0 || done[0].Effect == alert.ActUnknown) {
			err = fmt.Errorf("%s: incident %s: %w", verb, act.Incident, alert.ErrNotFound)
		}
		if err != nil {
			a.fail(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, struct {
			Effect   alert.ActEffect `json:"effect"`
			Incident alert.Incident  `json:"incident"`
		}{done[0].Effect, done[0].Incident})
	}
}

func readAct(w http.ResponseWriter, r *http.Request, verb alert.Verb) (alert.Act, error) {
	var body actBody
	if err := readJSON(w, r, &body); err != nil {
		return alert.Act{}, err
	}
	by, err := person("by", body.By)
	if err != nil {
		return alert.Act{}, err
	}
	to, err := person("to", body.To)
	if err != nil {
		return alert.Act{}, err
	}
	act := alert.Act{Verb: verb, Incident: r.PathValue("id"), By: orCaller(by, r), To: to, Text: strings.TrimSpace(body.Note)}
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		act.RequestID = httpRequestPrefix + key
	}
	nobody := alert.Person{}
	switch {
	case utf8.RuneCountInString(act.RequestID) > alert.MaxKey:
		return act, &httpError{http.StatusBadRequest, "the Idempotency-Key is too long", "use a UUID"}
	case verb == alert.VerbNote && act.Text == "":
		return act, &httpError{http.StatusBadRequest, "the note is empty", `write {"note": "looks like the raid controller"}`}
	case verb == alert.VerbAssign && act.To == nobody:
		return act, &httpError{http.StatusBadRequest, "it is not said to whom", `write {"to": "U0123456789"} or {"to": "@ann"}`}
	}
	return act, nil
}

// readJSON reads an object into into. An empty body says nothing.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(into)
	if err == nil && decoder.Decode(&struct{}{}) != io.EOF {
		err = errors.New("more follows the object")
	}
	var bad *alert.InputError
	switch {
	case errors.As(err, &bad):
		return bad
	case err != nil:
		return &httpError{http.StatusBadRequest, "the body can't be read: " + strings.TrimPrefix(err.Error(), "json: "), "write one JSON object, or nothing; docs/http.md has its fields"}
	}
	return nil
}

var (
	// oddRunes are what no name of a person holds: control characters, and marks
	// that turn the direction of what stands around them.
	oddRunes = regexp.MustCompile(`[\p{Cc}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2066}-\x{2069}]`)
	placeID  = regexp.MustCompile(`^[CGDS][A-Z0-9]{8,}$`)
)

// person checks and tidies who is named in field, by name, id or both (U…|ann).
func person(field string, p alert.Person) (alert.Person, error) {
	if p.ID == "" {
		p = alert.ParsePerson(strings.TrimSpace(p.Name))
	}
	p.ID, p.Name = strings.TrimSpace(p.ID), strings.TrimPrefix(strings.TrimSpace(p.Name), "@")
	switch said := p.ID + p.Name; {
	case len([]rune(said)) > maxPerson, oddRunes.MatchString(said):
		return p, &httpError{http.StatusBadRequest, field + " is no name of a person", fmt.Sprintf("write a name or an id (U…) of at most %d characters", maxPerson)}
	case placeID.MatchString(p.ID), placeID.MatchString(p.Name):
		return p, &httpError{http.StatusBadRequest, fmt.Sprintf("%s is %s, which is no person", field, p.ID+p.Name), "write the id of a person (U…), or a name"}
	}
	return p, nil
}
