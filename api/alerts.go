package api

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tocsin/alert"
)

const (
	// maxBody is the most bytes of one request; 413 above.
	maxBody = 1 << 20
	// maxAlerts is the most alerts of one request; they are one transaction, which
	// everybody else's alerts wait for.
	maxAlerts = 10_000
	// maxWait bounds ?wait= of GET /v1/alerts/{id}.
	maxWait = 2 * time.Minute
)

// postAlerts accepts one alert or a batch; the batch is all or nothing.
func (a *API) postAlerts(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	alerts, err := decode(r, body)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if len(alerts) > maxAlerts {
		a.fail(w, r, &httpError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the request has %d alerts, more than %d", len(alerts), maxAlerts), "send them in several requests"})
		return
	}
	receipts, err := a.opts.Engine.Push(r.Context(), alerts)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusAccepted, struct {
		Accepted int              `json:"accepted"`
		Alerts   []alert.Accepted `json:"alerts"`
	}{len(receipts), receipts})
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		// The room that ReadFrom wants to have left at the end.
		buf.Grow(int(min(r.ContentLength, maxBody)) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, &httpError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", maxBody), "send fewer alerts in one request, or a shorter text"}
	case err != nil:
		return nil, &httpError{http.StatusBadRequest, "the body did not arrive: " + err.Error(), "send it again"}
	}
	return buf.Bytes(), nil
}

// readAlert answers where an accepted alert stands. With ?wait=30s it answers
// once the alert is no longer pending, or after that time.
func (a *API) readAlert(w http.ResponseWriter, r *http.Request) {
	wait, err := parseWait(r.URL.Query().Get("wait"))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	ctx, cancel := contextWithWait(r.Context(), wait)
	defer cancel()
	rec, err := a.opts.Store.Await(ctx, r.PathValue("id"))
	if err != nil && (rec.ID == "" || r.Context().Err() != nil) {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, rec)
}

func parseWait(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	wait, err := alert.ParseDuration(s)
	if err != nil || wait > maxWait {
		return 0, &httpError{http.StatusBadRequest, fmt.Sprintf("wait is %q", s), "write a duration up to 2m, as in ?wait=30s"}
	}
	return wait, nil
}
