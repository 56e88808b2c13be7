package api

import (
	"net/http"

	"tocsin/alert"
)

func (a *API) readLedger(r *http.Request) (any, error) {
	l, err := a.opts.Store.Ledger(r.Context())
	if err != nil {
		return nil, err
	}
	if l.Lanes == nil {
		l.Lanes = []alert.LaneCounts{}
	}
	return l, nil
}

func (a *API) readDoctor(r *http.Request) (any, error) {
	return a.opts.Doctor(r.Context()), nil
}

// liveness is the answer of /healthz.
type liveness struct {
	OK bool `json:"ok"`
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready bool `json:"ready"`
	alert.Health
}

// readyz answers 200 while alerts are accepted and can reach Slack, else 503 with the
// problems and their remedies.
func (a *API) readyz(w http.ResponseWriter, _ *http.Request) {
	h := a.opts.Health()
	status := http.StatusOK
	if len(h.Problems) > 0 {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, readiness{len(h.Problems) == 0, h})
}
