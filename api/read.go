package api

import (
	"context"
	"net/http"
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

func (a *API) readLedger(w http.ResponseWriter, r *http.Request) {
	l, err := a.opts.Store.Ledger(r.Context())
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
