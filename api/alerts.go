package api

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

const (
	// maxBody is the most bytes of one request; 413 above.
	maxBody = 1 << 20
	// maxRepeated is maxBody for Prometheus. It sends up to 256 alerts in one request, drops what
	// is refused, and repeats the same: what is too long once would never arrive.
	maxRepeated = 8 << 20
	// maxAlerts is the most alerts of one request. They are one transaction, and all
	// other alerts wait for it.
	maxAlerts = 10_000
	// maxWait bounds ?wait= of GET /v1/alerts/{id}.
	maxWait = 2 * time.Minute
)

// postAlerts accepts one alert or a batch, all of it or nothing.
func (a *API) postAlerts(r *http.Request) (any, error) {
	body, err := readBody(r)
	if err == nil {
		body, err = unpacked(r, body, maxBody)
	}
	if err != nil {
		return nil, err
	}
	alerts, repaired, err := decode(r, body)
	if err != nil || slices.ContainsFunc(alerts, func(a alert.Alert) bool { return len(a.Notes) > 0 }) {
		strict, _ := isStrict(r.URL.Query()) // decode has checked it
		if in, ok, err := a.readAsAnother(r, body, body, strict); ok {
			if err != nil {
				return nil, err
			}
			return a.submit(r, in)
		}
	}
	if err == nil && a.opts.Unreachable != nil && r.Header.Get(reachedHeader) != "" {
		err = a.unreached(r.Context(), alerts)
	}
	if err != nil {
		return nil, err
	}
	return a.push(r, alerts, repaired)
}

// reachedHeader asks for alerts to be refused that would reach no conversation.
const reachedHeader = "X-Tocsin-Reached"

// unreached is the error for the first alert that would reach no conversation, or nil.
func (a *API) unreached(ctx context.Context, alerts []alert.Alert) error {
	for _, one := range alerts {
		if lane, refused := a.opts.Unreachable(ctx, one); refused != nil {
			clause := cmp.Or(alert.ExplainSlackError(refused.Code).Clause, "which Slack refuses ("+refused.Code+")")
			return &httpError{http.StatusBadRequest, "nothing was sent to " + lane + ", " + clause, refused.Hint}
		}
	}
	return nil
}

// waitedHeader is for how long a request has waited at its sender, because no daemon
// answered. It is an age and not a time, because clocks differ.
const waitedHeader = "X-Tocsin-Waited"

// written is when a request that has waited was written; zero for any other.
func (a *API) written(r *http.Request) time.Time {
	waited, err := alert.ParseDuration(r.Header.Get(waitedHeader))
	if err != nil {
		return time.Time{}
	}
	return a.opts.Now().Add(-waited)
}

// traced is the trace in which a request was sent; empty for none, or for more than one.
func traced(r *http.Request) (parent alert.Traceparent, state alert.Tracestate) {
	if all := r.Header.Values("Traceparent"); len(all) == 1 {
		parent = alert.ParseTraceparent(all[0])
	}
	if parent != "" {
		state = alert.ParseTracestate(r.Header.Values("Tracestate"))
	}
	return parent, state
}

// notes are those of all alerts, in a batch with the alert's number.
func notes(receipts []alert.Accepted) []string {
	if len(receipts) == 1 {
		return receipts[0].Notes
	}
	var all alert.Notes
	for n, r := range receipts {
		for _, note := range r.Notes {
			all.Add("alert %d: %s", n+1, note)
		}
	}
	return all.All()
}

func readBody(r *http.Request) ([]byte, error) {
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		// ReadFrom grows a buffer that has less room than MinRead.
		buf.Grow(int(min(r.ContentLength, maxBody)) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(r.Body)
	var tooMuch *http.MaxBytesError
	switch {
	case errors.As(err, &tooMuch):
		return nil, tooLong(tooMuch.Limit)
	case err != nil:
		return nil, &httpError{http.StatusBadRequest, "the body did not arrive: " + err.Error(), "send it again"}
	}
	return buf.Bytes(), nil
}

// unpacked is the body of a request without its compression, of at most so many bytes.
func unpacked(r *http.Request, body []byte, most int64) ([]byte, error) {
	coding := r.Header.Get("Content-Encoding")
	switch strings.ToLower(coding) {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
	default:
		return nil, &httpError{http.StatusUnsupportedMediaType, fmt.Sprintf("the content encoding is %.40q", coding), "send it with gzip or without compression"}
	}
	unzip, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(unzip, most+1))
	}
	switch {
	case err != nil:
		return nil, &httpError{http.StatusBadRequest, "the body is not gzip, as its content encoding says: " + err.Error(), "send it with gzip or without compression"}
	case int64(len(body)) > most:
		return nil, tooLong(most)
	}
	return body, nil
}

func tooLong(most int64) error {
	return &httpError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", most), "send fewer alerts in one request, or a shorter text"}
}

// readAlert returns the state of an accepted alert. With ?wait=30s it waits until the alert
// is no longer pending, for at most 30 seconds.
func (a *API) readAlert(r *http.Request) (any, error) {
	wait, err := parseWait(r.URL.Query().Get("wait"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	rec, err := a.opts.Store.Await(ctx, r.PathValue("id"))
	if err != nil && (rec.ID == "" || r.Context().Err() != nil) {
		return nil, err
	}
	return rec, nil
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
