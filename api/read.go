package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/alert"
)

// contextWithWait ends after wait; a wait of nothing asks once.
func contextWithWait(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	if wait == 0 {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		return ended, func() {}
	}
	return context.WithTimeout(ctx, wait)
}

// listIncidents answers ?state=open,acked&limit=50, worst first, then latest.
func (a *API) listIncidents(w http.ResponseWriter, r *http.Request) {
	f, err := incidentFilter(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	list, err := a.opts.Reader.Incidents(r.Context(), f)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if list == nil {
		list = []alert.Incident{}
	}
	writeJSON(w, http.StatusOK, map[string]any{"incidents": list})
}

func incidentFilter(r *http.Request) (alert.IncidentFilter, error) {
	var f alert.IncidentFilter
	q := r.URL.Query()
	states := []alert.State{alert.Open, alert.Acked, alert.StateResolved}
	if s := q.Get("state"); s != "" && s != "all" {
		for word := range strings.SplitSeq(s, ",") {
			if !slices.Contains(states, alert.State(word)) {
				return f, &httpError{http.StatusBadRequest, fmt.Sprintf("unknown state %q", word), "write open, acked, resolved or all"}
			}
			f.States = append(f.States, alert.State(word))
		}
	}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 1000 {
			return f, &httpError{http.StatusBadRequest, fmt.Sprintf("limit is %q", s), "write a number from 1 to 1000"}
		}
		f.Limit = n
	}
	return f, nil
}

func (a *API) readIncident(w http.ResponseWriter, r *http.Request) {
	inc, err := a.opts.Reader.Incident(r.Context(), r.PathValue("id"))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, inc)
}

func (a *API) readLedger(w http.ResponseWriter, r *http.Request) {
	l, err := a.opts.Reader.Ledger(r.Context())
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if l.Lanes == nil {
		l.Lanes = []alert.LaneCounts{}
	}
	writeJSON(w, http.StatusOK, l)
}

// readyz is 200 while alerts are accepted and can reach Slack, else 503 with
// what is wrong and what to do about it.
func (a *API) readyz(w http.ResponseWriter, _ *http.Request) {
	h := a.opts.Health()
	status := http.StatusOK
	if len(h.Problems) > 0 {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, struct {
		Ready bool `json:"ready"`
		alert.Health
	}{len(h.Problems) == 0, h})
}
