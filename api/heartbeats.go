package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// heartbeatPath is where a heartbeat is sent. GET is there for tools that can do nothing
// else. HEAD is what looks whether a link works, and sends none.
const heartbeatPath = "/v1/heartbeats/{name}"

// Heartbeat is a heartbeat in an answer.
type Heartbeat struct {
	Name   string                `json:"name"`
	Status alert.HeartbeatStatus `json:"status"`
	// Every and Grace are durations such as 1h30m.
	Every      string            `json:"every"`
	Grace      string            `json:"grace"`
	Severity   alert.Severity    `json:"severity,omitempty"`
	Channel    string            `json:"channel,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	Configured bool              `json:"configured,omitempty"`
	// Since is since when it is expected.
	Since        time.Time `json:"since"`
	LastAt       time.Time `json:"last_at,omitzero"`
	DueAt        time.Time `json:"due_at,omitzero"`
	MissingSince time.Time `json:"missing_since,omitzero"`
	Notes        []string  `json:"notes,omitempty"`
}

// heartbeatList is a list of heartbeats.
type heartbeatList struct {
	Heartbeats []Heartbeat `json:"heartbeats"`
}

func (a *API) heartbeat(h alert.Heartbeat, notes []string) Heartbeat {
	return Heartbeat{
		Name: h.Name, Status: h.Status(a.opts.Now()), Every: alert.FormatDuration(h.Every), Grace: alert.FormatDuration(h.Tolerance()),
		Severity: h.Severity, Channel: h.Channel, Labels: h.Labels, Configured: h.Configured,
		Since: h.BeganAt, LastAt: h.LastAt, DueAt: h.DueAt, MissingSince: h.MissingAt, Notes: notes,
	}
}

// handleHeartbeats serves the signs of life.
func (a *API) handleHeartbeats(mux router) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodGet} {
		mux.Handle(method+" "+heartbeatPath, a.handle(http.StatusAccepted, a.postHeartbeat))
	}
}

// listHeartbeats answers all heartbeats by name.
func (a *API) listHeartbeats(r *http.Request) (any, error) {
	found, err := a.opts.Store.Heartbeats(r.Context())
	if err != nil {
		return nil, err
	}
	list := heartbeatList{Heartbeats: make([]Heartbeat, len(found))}
	for n, h := range found {
		list.Heartbeats[n] = a.heartbeat(h, nil)
	}
	return list, nil
}

// postHeartbeat accepts a sign of life.
func (a *API) postHeartbeat(r *http.Request) (any, error) {
	b := alert.Beat{Name: r.PathValue("name"), At: a.written(r)}
	notes, err := readTerms(r, &b.Terms)
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodHead { // a router's GET has it, too
		return nil, alert.CheckHeartbeatName(b.Name)
	}
	heard, err := a.beat(r, []alert.Beat{b})
	if err != nil {
		return nil, err
	}
	return a.heartbeat(heard[0].Heartbeat, append(notes, heard[0].Notes...)), nil
}

// beat passes signs of life on, within what the token of the request may do.
func (a *API) beat(r *http.Request, beats []alert.Beat) ([]alert.Heard, error) {
	signed := make([]alert.Alert, len(beats))
	if err := a.sign(r, signed); err != nil {
		return nil, err
	}
	for n := range beats {
		beats[n].Sender = signed[n].Sender
	}
	heard, err := a.opts.Engine.Beat(r.Context(), beats)
	if err != nil {
		a.unsign(r, len(beats))
	}
	return heard, err
}

// beatAlong accepts the signs of life in a tool's request, whose address may say how often
// they come. To accept them again does no harm, so they go before the alerts.
func (a *API) beatAlong(r *http.Request, beats []alert.Beat) ([]Heartbeat, error) {
	if len(beats) == 0 {
		return nil, nil
	}
	query := r.URL.Query()
	for n := range beats {
		one := &beats[n]
		one.At = a.written(r)
		one.Terms.Channel = query.Get("channel")
		for name, term := range map[string]*time.Duration{"every": &one.Terms.Every, "grace": &one.Terms.Grace} {
			var err error
			if value := query.Get(name); value != "" {
				*term, err = readTerm(name, value)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	heard, err := a.beat(r, beats)
	if err != nil {
		return nil, err
	}
	all := make([]Heartbeat, len(heard))
	for n, h := range heard {
		all[n] = a.heartbeat(h.Heartbeat, h.Notes)
		if beats[n].Terms.Every == 0 && !h.Configured && h.Every == beats[n].Default.Every {
			all[n].Notes = append(all[n].Notes, fmt.Sprintf("it is missing %s after the last one: to notice sooner, have it sent each minute (repeat_interval: 1m) and add ?every=5m to the address of the webhook",
				alert.FormatDuration(h.Waits())))
		}
	}
	return all, nil
}

// readTerms reads what a request says of a heartbeat: in its address, in a form or in a
// JSON object. Any other body says nothing, as a log that comes along.
func readTerms(r *http.Request, t *alert.Terms) (notes []string, err error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	said := fieldsIn(body, r.Header.Get("Content-Type"))
	maps.Copy(said, r.URL.Query())
	for _, name := range slices.Sorted(maps.Keys(said)) {
		value := said.Get(name)
		if value == "" {
			continue
		}
		switch name {
		case "every":
			t.Every, err = readTerm(name, value)
		case "grace":
			t.Grace, err = readTerm(name, value)
		case "channel":
			t.Channel = value
		case "severity":
			t.Severity = alert.Severity(value)
		case "token":
		default:
			notes = append(notes, fmt.Sprintf("%.80q says nothing about a heartbeat: every, grace, channel and severity do", name))
		}
		if err != nil {
			return nil, err
		}
	}
	return notes[:min(len(notes), maxHeartbeatNotes)], nil
}

// fieldsIn are the members of a JSON object or the fields of a form; none in any other
// body. null is empty.
func fieldsIn(body []byte, contentType string) url.Values {
	said := url.Values{}
	kind, _ := kindOf(contentType)
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) == nil {
		for name, value := range members {
			said.Set(strings.ToLower(name), alert.JSONText(value))
		}
	} else if form, err := url.ParseQuery(string(body)); err == nil && kind == "application/x-www-form-urlencoded" {
		return form
	}
	return said
}

// maxHeartbeatNotes is how many unknown fields of a heartbeat are noted.
const maxHeartbeatNotes = 10

func readTerm(name, value string) (time.Duration, error) {
	d, err := alert.ParseSeconds(value)
	if err != nil || d < alert.MinEvery || d > alert.MaxEvery {
		return 0, &httpError{http.StatusBadRequest, fmt.Sprintf("%s is %.80q", name, value), "write a duration from 1s to 365d, as in ?every=5m&grace=1m; a number is in seconds"}
	}
	return d, nil
}

// forgetHeartbeat deletes a heartbeat.
func (a *API) forgetHeartbeat(r *http.Request) (any, error) {
	h, err := a.opts.Engine.Forget(r.Context(), r.PathValue("name"))
	switch {
	case errors.Is(err, alert.ErrNotFound):
		err = &httpError{http.StatusNotFound, err.Error(), "GET /v1/heartbeats (tocsin heartbeats) lists them"}
	case errors.Is(err, alert.ErrConfigured):
		err = &httpError{http.StatusConflict, err.Error(), "remove it from ingest.heartbeats and restart the daemon"}
	}
	if err != nil {
		return nil, err
	}
	return a.heartbeat(h, nil), nil
}
