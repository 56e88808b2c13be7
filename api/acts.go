package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"tocsin/alert"
)

// maxPerson is the most characters of a person's name.
const maxPerson = 100

// actBody is the body of POST /v1/incidents/{id}/ack, unack, resolve, reopen, assign and
// note.
type actBody struct {
	By   alert.Person `json:"by"`
	To   alert.Person `json:"to"`
	Note string       `json:"note"`
}

// actResult is what an act changed, and its incident afterwards.
type actResult struct {
	Effect   alert.ActEffect `json:"effect"`
	Incident alert.Incident  `json:"incident"`
	Notes    []string        `json:"notes,omitempty"`
}

// httpRequestPrefix keeps the request ids of HTTP callers apart from Slack's.
const httpRequestPrefix = "http:"

// act answers POST /v1/incidents/{id}/ack and so on. An act that changes nothing is
// answered with 200 too, with the effect "already". One that is not reopened because its
// key has fired since has the effect "newer", and the newer incident.
func (a *API) act(verb alert.Verb) answer {
	return func(r *http.Request) (any, error) {
		act, notes, err := a.readAct(r, verb)
		if err != nil {
			return nil, err
		}
		done, err := a.opts.Engine.Act(r.Context(), []alert.Act{act})
		if err != nil {
			return nil, err
		}
		if len(done) == 0 || done[0].Effect == alert.ActUnknown {
			return nil, fmt.Errorf("%s: incident %s: %w", verb, act.Incident, alert.ErrNotFound)
		}
		return actResult{done[0].Effect, done[0].Incident, notes}, nil
	}
}

// readAct reads what is to be done, and notes what about it is not as it may be meant.
func (a *API) readAct(r *http.Request, verb alert.Verb) (act alert.Act, notes []string, err error) {
	var body actBody
	if err = readJSON(r, &body); err != nil {
		return act, nil, err
	}
	by, err := person("by", body.By)
	if err != nil {
		return act, nil, err
	}
	to, err := person("to", body.To)
	if err != nil {
		return act, nil, err
	}
	by = orCaller(by, r)
	act = alert.Act{Verb: verb, Incident: r.PathValue("id"), By: a.inSlack(r.Context(), by), Text: strings.TrimSpace(body.Note)}
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		act.RequestID = httpRequestPrefix + key
	}
	nobody := alert.Person{}
	switch {
	case utf8.RuneCountInString(act.RequestID) > alert.MaxKey:
		return act, nil, &httpError{http.StatusBadRequest, "the Idempotency-Key is too long", "use a UUID"}
	case verb == alert.VerbNote && act.Text == "":
		return act, nil, &httpError{http.StatusBadRequest, "the note is empty", `write {"note": "looks like the raid controller"}`}
	case verb != alert.VerbAssign:
		return act, nil, nil
	case to == nobody:
		return act, nil, &httpError{http.StatusBadRequest, "the assignee is missing", `write {"to": "U0123456789"} or {"to": "@ann"}`}
	case to == by: // who need not be in Slack
		act.To = act.By
		return act, nil, nil
	}
	act.To, notes, err = a.assignee(r.Context(), to)
	return act, notes, err
}

// assignee is inSlack for who an incident is assigned to. Somebody whom Slack does not know
// is an error; if it can't be asked, a note says that nobody is reminded.
func (a *API) assignee(ctx context.Context, p alert.Person) (alert.Person, []string, error) {
	found, err := a.lookUp(ctx, p)
	if err == nil && (found.ID != "" || a.opts.Person == nil) {
		return found, nil, nil
	}
	unknown, ok := errors.AsType[*alert.SendError](err)
	if !ok || unknown.Code != "users_not_found" {
		return p, []string{"it is not known who " + p.Name + " is in Slack, so nobody is mentioned or reminded"}, nil
	}
	hint := "write a name or a mail address that somebody has there, or an id (U…)"
	if unknown.Near != "" {
		hint = "did you mean " + unknown.Near + "?"
	}
	return p, nil, &httpError{http.StatusBadRequest, "nobody in Slack is called " + p.Name, hint}
}

// handle matches a name that somebody may have in Slack.
var handle = regexp.MustCompile(`^[\p{L}\d][\p{L}\d._-]{0,79}$`)

// lookupLimit bounds how long an act waits for Slack to say who somebody is.
const lookupLimit = 3 * time.Second

// inSlack is the person in Slack who has this name, or p as it is if there is none or Slack
// can't be asked. Only people in Slack can be reminded.
func (a *API) inSlack(ctx context.Context, p alert.Person) alert.Person {
	found, err := a.lookUp(ctx, p)
	if err != nil {
		a.opts.Log.Debug("look up a person", zap.String("name", p.Name), zap.Error(err))
		return p
	}
	return found
}

// lookUp is the person in Slack who has this name. It is p for a name that nobody can have
// there.
func (a *API) lookUp(ctx context.Context, p alert.Person) (alert.Person, error) {
	if a.opts.Person == nil || p.ID != "" || p.Name == "root" || !handle.MatchString(p.Name) && !strings.Contains(p.Name, "@") {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	name := p.Name
	if !strings.Contains(name, "@") {
		name = "@" + name
	}
	return a.opts.Person(ctx, name)
}

// readJSON reads an object into into. An empty body is like an empty object.
func readJSON(r *http.Request, into any) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if err := unmarshal(body, into); err != nil {
		return jsonError("the body can't be read: ", err, "write one JSON object, or nothing; docs/http.md has its fields")
	}
	return nil
}

var (
	// oddRunes are not allowed in a person's name: control characters, and those that
	// change the direction of the text around them.
	oddRunes = regexp.MustCompile(`[\p{Cc}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2066}-\x{2069}]`)
	placeID  = regexp.MustCompile(`^[CGDS][A-Z0-9]{8,}$`)
)

// person checks and normalizes the person in field: a name, an id or both (U…|ann).
func person(field string, p alert.Person) (alert.Person, error) {
	if p.ID == "" {
		p = alert.ParsePerson(strings.TrimSpace(p.Name))
	}
	p.ID, p.Name = strings.TrimSpace(p.ID), strings.TrimPrefix(strings.TrimSpace(p.Name), "@")
	switch said := p.ID + p.Name; {
	case len([]rune(said)) > maxPerson, oddRunes.MatchString(said):
		return p, &httpError{http.StatusBadRequest, field + " is not a person's name", fmt.Sprintf("write a name or an id (U…) of at most %d characters", maxPerson)}
	case placeID.MatchString(p.ID), placeID.MatchString(p.Name):
		return p, &httpError{http.StatusBadRequest, fmt.Sprintf("%s is %s, which is not a person", field, p.ID+p.Name), "write the id of a person (U…), or a name"}
	}
	return p, nil
}
