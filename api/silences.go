package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tocsin/alert"
)

// silenceList is a list of silences.
type silenceList struct {
	Silences []alert.Silence `json:"silences"`
}

// listSilences answers the active silences, latest first, with ?state=all also those
// that have ended.
func (a *API) listSilences(r *http.Request) (any, error) {
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
		return nil, err
	}
	list, err := a.opts.Store.Silences(r.Context(), f)
	if err != nil {
		return nil, err
	}
	shown := silenceList{[]alert.Silence{}}
	for _, s := range list {
		shown.Silences = append(shown.Silences, s.Listed(a.opts.Now()))
	}
	return shown, nil
}

// silenceBody is the body of POST /v1/silences. It has either For, which counts from
// StartsAt, or EndsAt, or neither of them if it recurs.
type silenceBody struct {
	Matchers alert.Matchers `json:"matchers"`
	StartsAt time.Time      `json:"starts_at"`
	For      string         `json:"for"`
	EndsAt   time.Time      `json:"ends_at"`
	Every    *alert.Hours   `json:"every"`
	Why      string         `json:"why"`
	By       alert.Person   `json:"by"`
	// Renew changes the end of the person's own silence with the same matchers, if there is one.
	Renew bool `json:"renew"`
}

// createdSilence is a silence with how many open incidents it matches.
type createdSilence struct {
	Silence   alert.Silence `json:"silence"`
	Incidents int           `json:"incidents"`
	// Notes say what its matchers were perhaps meant for, if they match nothing.
	Notes []string `json:"notes,omitempty"`
}

// endedSilence is a silence that was ended early.
type endedSilence struct {
	Silence alert.Silence `json:"silence"`
}

// postSilence creates a silence and answers how many open incidents it matches.
func (a *API) postSilence(r *http.Request) (any, error) {
	s, held, err := a.readSilence(r)
	if err != nil {
		return nil, err
	}
	matching, err := a.opts.Store.Count(r.Context(), alert.IncidentFilter{States: []alert.State{alert.Open, alert.Acked}, Matchers: s.Matchers, Members: true})
	if err != nil {
		return nil, err
	}
	if !held {
		if s, err = a.opts.Engine.Silence(r.Context(), s); err != nil {
			return nil, err
		}
	}
	created := createdSilence{Silence: s, Incidents: matching}
	if matching == 0 {
		created.Notes = s.Matchers.NearFields()
	}
	return created, nil
}

// readSilence reads a silence; held is true if it is in effect already.
func (a *API) readSilence(r *http.Request) (s alert.Silence, held bool, err error) {
	var body silenceBody
	if err := readJSON(r, &body); err != nil {
		return s, false, err
	}
	by, err := person("by", body.By)
	if err != nil {
		return s, false, err
	}
	now := a.opts.Now()
	s = alert.Silence{CreatedAt: now, Matchers: body.Matchers, StartsAt: body.StartsAt, Every: body.Every, Why: strings.TrimSpace(body.Why), By: a.inSlack(r.Context(), orCaller(by, r))}
	if s.EndsAt, err = body.ends(now); err != nil || !body.Renew {
		return s, false, err
	}
	holding, err := a.opts.Store.Silences(r.Context(), alert.SilenceFilter{At: now})
	s, held = s.Renewing(holding)
	return s, held, err
}

// ends is when a silence that is made now ends.
func (b silenceBody) ends(now time.Time) (time.Time, error) {
	switch {
	case b.Every != nil && b.Every.From == b.Every.To && b.Every.Later == 0:
		return now, &httpError{http.StatusBadRequest, "every begins and ends at the same time of day", `write other hours, as in "from": "22:00", "until": "06:00"; a silence without every hides alerts all day`}
	case b.Every != nil && b.For == "" && b.EndsAt.IsZero():
		return now.AddDate(1, 0, 0), nil
	case (b.For == "") == b.EndsAt.IsZero():
		return now, &httpError{http.StatusBadRequest, "the request must have either for or ends_at", `write either "for": "2h" or "ends_at": "2026-01-02T18:00:00Z"`}
	case b.For == "":
		return b.EndsAt, nil
	}
	d, err := alert.ParseDuration(b.For)
	if err != nil || d <= 0 {
		return now, &httpError{http.StatusBadRequest, fmt.Sprintf("for is %q", b.For), `write a duration, as in "for": "90m", "2h" or "7d"`}
	}
	if b.StartsAt.After(now) {
		now = b.StartsAt
	}
	return now.Add(d), nil
}

// endSilence ends a silence early; ?by= names the person.
func (a *API) endSilence(r *http.Request) (any, error) {
	by, err := person("by", alert.ParsePerson(r.URL.Query().Get("by")))
	if err != nil {
		return nil, err
	}
	s, err := a.opts.Engine.Unsilence(r.Context(), r.PathValue("id"), orCaller(by, r))
	if errors.Is(err, alert.ErrNotFound) {
		err = &httpError{http.StatusNotFound, err.Error(), "list active silences with GET /v1/silences (tocsin silence list)"}
	}
	if err != nil {
		return nil, err
	}
	return endedSilence{s}, nil
}
