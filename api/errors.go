package api

import (
	"context"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"tocsin/alert"
)

// httpError is an error answer: what is wrong and what to do instead.
type httpError struct {
	status int
	what   string
	hint   string
}

// errorBody is the body of an error answer.
type errorBody struct {
	Error string `json:"error"`
	Hint  string `json:"hint"`
}

func (e *httpError) Error() string { return e.what }

// retryAfter is how many seconds a caller should wait before it tries again.
const retryAfter = "5"

// fail answers err as {"error","hint"} with the status that fits it, or in the words of
// the tool whose path it is.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := a.refuse(w, r, err)
	for _, hook := range a.opts.Webhooks {
		if hook.Answer != nil && hook.owns(r.URL.Path) {
			hook.answer(w, e.status, nil, e.what)
			return
		}
	}
	writeJSON(w, e.status, errorBody{e.what, e.hint})
}

// refuse logs err and sets the headers that fit it; the caller writes the answer.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) *httpError {
	e := explain(err)
	if e.status == http.StatusUnauthorized {
		a.logRefusal(r)
	}
	if e.status >= http.StatusInternalServerError || e.status == http.StatusTooManyRequests {
		if e.status != http.StatusInternalServerError {
			w.Header().Set("Retry-After", retryAfter)
		}
		a.opts.Log.Warn("request failed", zap.String("path", r.URL.Path), zap.Int("status", e.status), zap.Error(err))
	} else {
		a.opts.Log.Debug("request refused", zap.String("path", r.URL.Path), zap.Int("status", e.status), zap.Error(err))
	}
	return e
}

func explain(err error) *httpError {
	var known *httpError
	var bad *alert.InputError
	var reused *alert.ReusedKeyError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &reused):
		return &httpError{http.StatusConflict, "nothing was accepted: " + reused.Error(), "give each alert an Idempotency-Key of its own, and use it again only to send the same alert again"}
	case errors.As(err, &bad):
		return &httpError{http.StatusBadRequest, bad.Error(), bad.Hint}
	case errors.Is(err, alert.ErrNotFound):
		return &httpError{http.StatusNotFound, err.Error(), "list incidents with GET /v1/incidents (tocsin incidents)"}
	case errors.Is(err, alert.ErrBacklog):
		return &httpError{http.StatusTooManyRequests, "nothing was accepted: " + err.Error(), "send it again after Retry-After seconds; /readyz says what keeps alerts from being delivered, delivery.max_pending how many may wait"}
	case errors.Is(err, alert.ErrOverloaded):
		return &httpError{http.StatusServiceUnavailable, "nothing was accepted: " + err.Error(), "send it again after Retry-After seconds"}
	case errors.Is(err, alert.ErrUnavailable):
		return &httpError{http.StatusServiceUnavailable, "nothing was accepted or changed: " + err.Error(), "/readyz says what is wrong and what to do (tocsin status); send it again after Retry-After seconds"}
	case errors.Is(err, alert.ErrInDoubt):
		return &httpError{http.StatusServiceUnavailable, err.Error(), "send it again with the same Idempotency-Key: it will not count twice; /readyz says what is wrong"}
	case errors.Is(err, alert.ErrInternal):
		return &httpError{http.StatusInternalServerError, "nothing was changed: internal error", "this is a bug in Tocsin: please report it with the stack trace from the daemon's log"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &httpError{http.StatusServiceUnavailable, "the request was not finished: " + err.Error(), "send it again with the same Idempotency-Key: it will not count twice"}
	}
	return &httpError{http.StatusServiceUnavailable, "the store failed: " + err.Error(), "see the daemon's log; send it again with the same Idempotency-Key: it will not count twice"}
}
