package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/alert"
)

// mostListed is the highest ?limit=, mostSkipped the highest ?offset=, mostWords the most
// words of ?q=.
const (
	mostWords   = 10
	mostListed  = 1000
	mostSkipped = 100_000
)

// incidentList is a page of incidents. Total is how many there are on all pages.
type incidentList struct {
	Incidents []alert.Incident `json:"incidents"`
	Total     int              `json:"total"`
	// Notes say what the matchers were perhaps meant for, if there is no such incident.
	Notes []string `json:"notes,omitempty"`
}

// listIncidents answers ?match=team="web"&q=disk&state=open,acked&mine=U…&limit=50&offset=50,
// worst first, then latest, or with sort=latest those that got into their state last; with
// the total.
func (a *API) listIncidents(r *http.Request) (any, error) {
	f, err := incidentFilter(r.URL.Query())
	if err != nil {
		return nil, err
	}
	if r.URL.Query().Has("mine") {
		if f.Mine, err = a.mine(r.Context(), f.Mine); err != nil {
			return nil, err
		}
	}
	list, err := a.opts.Store.Incidents(r.Context(), f)
	if err != nil {
		return nil, err
	}
	total, err := a.opts.Store.Count(r.Context(), f)
	if err != nil {
		return nil, err
	}
	found := incidentList{Incidents: append([]alert.Incident{}, list...), Total: total}
	if total == 0 {
		found.Notes = f.Matchers.NearFields()
	}
	return found, nil
}

// mine is the id of a person who is named: mine without one is not everything.
func (a *API) mine(ctx context.Context, who string) (string, error) {
	const hint = "name a person of the workspace: @name, a mail address or an id (U…); in a shell, --as @name"
	if strings.TrimSpace(who) == "" {
		return "", &httpError{http.StatusBadRequest, "it is not known whose incidents mine are", hint}
	}
	p, err := person("mine", alert.ParsePerson(who))
	if err != nil {
		return "", err
	}
	if p = a.inSlack(ctx, p); p.ID == "" {
		return "", &httpError{http.StatusBadRequest, fmt.Sprintf("Slack knows nobody called %s", p.Name), hint}
	}
	return p.ID, nil
}

func incidentFilter(q url.Values) (alert.IncidentFilter, error) {
	f := alert.IncidentFilter{Mine: q.Get("mine"), Members: true}
	var err error
	if f.States, err = states(q.Get("state"), []alert.State{alert.Open, alert.Acked, alert.StateResolved}); err != nil {
		return f, err
	}
	for _, text := range q["match"] {
		matchers, err := alert.ParseMatchers(text)
		if err != nil {
			return f, err
		}
		f.Matchers = append(f.Matchers, matchers...)
	}
	for _, words := range q["q"] {
		f.Words = append(f.Words, strings.Fields(words)...)
	}
	switch sort := q.Get("sort"); {
	case len(f.Words) > mostWords:
		return f, &httpError{http.StatusBadRequest, fmt.Sprintf("q has more than %d words", mostWords), "search for one or two words of the title"}
	case sort != "" && sort != "latest":
		return f, &httpError{http.StatusBadRequest, fmt.Sprintf("sort is %q", sort), "write latest, or leave it out"}
	default:
		f.Latest = sort == "latest"
	}
	if f.Limit, err = number(q, "limit", 1, mostListed); err != nil {
		return f, err
	}
	f.Offset, err = number(q, "offset", 0, mostSkipped)
	return f, err
}

// states reads a list of states such as open,acked; nil for all.
func states[S ~string](list string, known []S) ([]S, error) {
	if list == "" || list == "all" {
		return nil, nil
	}
	var states []S
	var names []string
	for _, s := range known {
		names = append(names, string(s))
	}
	for word := range strings.SplitSeq(list, ",") {
		if !slices.Contains(known, S(word)) {
			return nil, &httpError{http.StatusBadRequest, fmt.Sprintf("unknown state %q", word), "write " + strings.Join(names, ", ") + " or all"}
		}
		states = append(states, S(word))
	}
	return states, nil
}

// number reads a whole number from least to most; 0 if it is missing.
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

// detailMembers is how many members of a group are listed unless ?members= says otherwise.
const detailMembers = 100

// incidentDetail is an incident with its history, oldest first. Members are the worst of its
// group, MoreMembers is how many there are in addition.
type incidentDetail struct {
	alert.Incident
	Members     []alert.GroupMember `json:"members,omitempty"`
	MoreMembers int                 `json:"more_members,omitempty"`
	History     []alert.Event       `json:"history"`
	// Inhibits is how many unresolved incidents it inhibits.
	Inhibits int `json:"inhibits,omitempty"`
}

// readIncident answers an incident with its history, and of a group as many members as
// ?members=100 says.
func (a *API) readIncident(r *http.Request) (any, error) {
	incident, err := a.opts.Store.Incident(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	history, err := a.opts.Store.History(r.Context(), incident.ID)
	if err != nil {
		return nil, err
	}
	inhibits, err := a.opts.Store.Inhibits(r.Context(), incident.ID)
	if err != nil {
		return nil, err
	}
	detail := incidentDetail{Incident: incident, History: append([]alert.Event{}, history...), Inhibits: inhibits}
	limit, err := number(r.URL.Query(), "members", 1, alert.MostListed)
	if err != nil || incident.Group == nil {
		return detail, err
	}
	detail.Members, err = a.opts.Store.GroupMembers(r.Context(), incident.ID, 0, cmp.Or(limit, detailMembers))
	detail.MoreMembers = max(incident.Group.All()-len(detail.Members), 0)
	return detail, err
}

// The limits of ?window= of GET /v1/stats.
const (
	shortestWindow = time.Minute
	longestWindow  = 30 * 24 * time.Hour
)

// readStats answers the statistics of the time until now: ?window=24h, or 7d with the days
// of ?zone=Europe/Berlin.
func (a *API) readStats(r *http.Request) (any, error) {
	window := 24 * time.Hour
	if s := r.URL.Query().Get("window"); s != "" {
		var err error
		if window, err = alert.ParseDuration(s); err != nil || window < shortestWindow || window > longestWindow {
			return nil, &httpError{http.StatusBadRequest, fmt.Sprintf("window is %q", s), "write a duration from 1m to 30d, such as 24h or 7d"}
		}
	}
	name := r.URL.Query().Get("zone")
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" { // the daemon's own zone says nothing about the caller's
		return nil, &httpError{http.StatusBadRequest, fmt.Sprintf("zone is %q", name), "write the name of a time zone, such as Europe/Berlin, or leave it out for UTC"}
	}
	return a.opts.Store.Stats(r.Context(), alert.Parts(window, a.opts.Now().In(zone)))
}
