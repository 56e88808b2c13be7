package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/alert"
)

// mostListed is the most incidents or silences of one answer, and mostSkipped
// the most that ?offset= leaves out.
const (
	mostListed  = 1000
	mostSkipped = 100_000
)

// listIncidents answers ?match=team="web"&state=open,acked&mine=U…&limit=50&offset=50,
// worst first, then latest, with how many there are in total (up to 1,000).
func (a *API) listIncidents(w http.ResponseWriter, r *http.Request) {
	f, err := incidentFilter(r.URL.Query())
	if err != nil {
		a.fail(w, r, err)
		return
	}
	list, err := a.opts.Store.Incidents(r.Context(), f)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	total, err := a.opts.Store.Count(r.Context(), f)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Incidents []alert.Incident `json:"incidents"`
		Total     int              `json:"total"`
	}{append([]alert.Incident{}, list...), total})
}

func incidentFilter(q url.Values) (alert.IncidentFilter, error) {
	f := alert.IncidentFilter{Mine: q.Get("mine")}
	var err error
	if f.States, err = incidentStates(q.Get("state")); err != nil {
		return f, err
	}
	for _, text := range q["match"] {
		matchers, err := alert.ParseMatchers(text)
		if err != nil {
			return f, err
		}
		f.Matchers = append(f.Matchers, matchers...)
	}
	if f.Limit, err = number(q, "limit", 1, mostListed); err != nil {
		return f, err
	}
	f.Offset, err = number(q, "offset", 0, mostSkipped)
	return f, err
}

func incidentStates(s string) ([]alert.State, error) {
	if s == "" || s == "all" {
		return nil, nil
	}
	known := []alert.State{alert.Open, alert.Acked, alert.StateResolved}
	var states []alert.State
	for word := range strings.SplitSeq(s, ",") {
		if !slices.Contains(known, alert.State(word)) {
			return nil, &httpError{http.StatusBadRequest, fmt.Sprintf("unknown state %q", word), "write open, acked, resolved or all"}
		}
		states = append(states, alert.State(word))
	}
	return states, nil
}

// number reads a whole number between least and most; 0 if there is none.
func number(q url.Values, name string, least, most int) (int, error) {
	s := q.Get(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, &httpError{http.StatusBadRequest, fmt.Sprintf("%s is %q", name, s), fmt.Sprintf("write a number from %d to %d", least, most)}
	}
	return n, nil
}

// readIncident answers the incident with its history.
func (a *API) readIncident(w http.ResponseWriter, r *http.Request) {
	incident, err := a.opts.Store.Incident(r.Context(), r.PathValue("id"))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	history, err := a.opts.Store.History(r.Context(), incident.ID)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		alert.Incident
		History []alert.Event `json:"history"`
	}{incident, append([]alert.Event{}, history...)})
}

// The bounds of ?window= of GET /v1/stats: what the store still knows.
const (
	shortestWindow = time.Minute
	longestWindow  = 30 * 24 * time.Hour
	statsBuckets   = 24
)

// readStats sums up the time until now: ?window=24h, or 7d.
func (a *API) readStats(w http.ResponseWriter, r *http.Request) {
	window := 24 * time.Hour
	if s := r.URL.Query().Get("window"); s != "" {
		var err error
		if window, err = alert.ParseDuration(s); err != nil || window < shortestWindow || window > longestWindow {
			a.fail(w, r, &httpError{http.StatusBadRequest, fmt.Sprintf("window is %q", s), "write a time from 1m to 30d, as in ?window=24h or ?window=7d"})
			return
		}
	}
	now := a.opts.Now()
	stats, err := a.opts.Store.Stats(r.Context(), now.Add(-window), now, statsBuckets)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, stats)
}
