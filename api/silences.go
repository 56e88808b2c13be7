package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tocsin/alert"
)

// listSilences answers those that hold, the latest first; ?state=all has the
// ended ones as well.
func (a *API) listSilences(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, err := number(q, "limit", 1, mostListed)
	f := alert.SilenceFilter{At: a.opts.Now(), Limit: limit}
	switch state := q.Get("state"); {
	case state == "all":
		f.At = time.Time{}
	case state != "" && state != "active":
		err = &httpError{http.StatusBadRequest, fmt.Sprintf("unknown state %q", state), "write active or all"}
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	list, err := a.opts.Store.Silences(r.Context(), f)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"silences": append([]alert.Silence{}, list...)})
}

// silenceBody is what POST /v1/silences says: matchers, how long or until when,
// why, and by whom.
type silenceBody struct {
	Matchers alert.Matchers `json:"matchers"`
	For      string         `json:"for"`
	EndsAt   time.Time      `json:"ends_at"`
	Why      string         `json:"why"`
	By       alert.Person   `json:"by"`
}

// postSilence begins a silence, and says how many open incidents it quiets.
func (a *API) postSilence(w http.ResponseWriter, r *http.Request) {
	s, err := a.readSilence(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	s, quiets, err := a.opts.Engine.Silence(r.Context(), s)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, struct {
		Silence   alert.Silence `json:"silence"`
		Incidents int           `json:"incidents"`
	}{s, quiets})
}

func (a *API) readSilence(w http.ResponseWriter, r *http.Request) (alert.Silence, error) {
	var body silenceBody
	if err := readJSON(w, r, &body); err != nil {
		return alert.Silence{}, err
	}
	by, err := person("by", body.By)
	if err != nil {
		return alert.Silence{}, err
	}
	s := alert.Silence{Matchers: body.Matchers, EndsAt: body.EndsAt, Why: strings.TrimSpace(body.Why), By: orCaller(by, r)}
	switch {
	case (body.For == "") == body.EndsAt.IsZero():
		return s, &httpError{http.StatusBadRequest, "it is not said once how long it holds", `write either "for": "2h" or "ends_at": "2026-01-02T18:00:00Z"`}
	case body.For != "":
		d, err := alert.ParseDuration(body.For)
		if err != nil || d <= 0 {
			return s, &httpError{http.StatusBadRequest, fmt.Sprintf("for is %q", body.For), `write a duration, as in "for": "90m", "2h" or "7d"`}
		}
		s.EndsAt = a.opts.Now().Add(d)
	}
	return s, nil
}

// endSilence ends a silence before its time; ?by= names who does.
func (a *API) endSilence(w http.ResponseWriter, r *http.Request) {
	by, err := person("by", alert.ParsePerson(r.URL.Query().Get("by")))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	s, err := a.opts.Engine.Unsilence(r.Context(), r.PathValue("id"), orCaller(by, r))
	if errors.Is(err, alert.ErrNotFound) {
		err = &httpError{http.StatusNotFound, err.Error(), "list what holds with GET /v1/silences (tocsin silence list)"}
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]alert.Silence{"silence": s})
}
