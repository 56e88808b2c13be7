package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

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

// rateError says that a token has sent its alerts for now, and how long to wait.
type rateError struct {
	httpError
	wait time.Duration
}

func (e *rateError) Unwrap() error { return &e.httpError }

// fail answers err as {"error","hint"} with the status that fits it, or in the words of
// the tool whose path it is.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	if strings.HasPrefix(r.URL.Path, amPaths) {
		a.refuseAM(w, r, err)
		return
	}
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
	var limited *rateError
	var forbidden *alert.ForbiddenError
	switch {
	case e.status == http.StatusUnauthorized:
		a.logRarely(&a.refusalLogged, "a request without a valid token or signature was refused; further ones are not logged for a minute", r)
	case errors.As(err, &limited):
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(limited.wait.Seconds()))))
		a.logRarely(&a.limitLogged, e.what+"; further requests above a token's limits are not logged for a minute", r)
		return e
	case errors.As(err, &forbidden):
		a.logRarely(&a.limitLogged, e.what+"; further requests above a token's limits are not logged for a minute", r)
	}
	if e.status >= http.StatusInternalServerError || e.status == http.StatusTooManyRequests {
		if e.status != http.StatusInternalServerError {
			w.Header().Set("Retry-After", retryAfter)
		}
		a.opts.Log.Warn("request failed", zap.String("path", loggedPath(r)), zap.Int("status", e.status), zap.Error(err))
	} else {
		a.opts.Log.Debug("request refused", zap.String("path", loggedPath(r)), zap.Int("status", e.status), zap.Error(err))
	}
	return e
}

// logRarely logs a refused request once a minute, however many there are. last is when it
// did.
func (a *API) logRarely(last *atomic.Int64, message string, r *http.Request) {
	now, before := a.opts.Now().UnixNano(), last.Load()
	if now-before >= refusalEvery.Nanoseconds() && last.CompareAndSwap(before, now) {
		a.opts.Log.Warn(message, zap.String("path", loggedPath(r)))
	}
}

// loggedPath is the request's path without what is secret: who knows an address of Slack's
// may send to it.
func loggedPath(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, "/services/") {
		return "/services/…"
	}
	return r.URL.Path
}

func explain(err error) *httpError {
	var known *httpError
	var bad *alert.InputError
	var reused *alert.ReusedKeyError
	var forbidden *alert.ForbiddenError
	var elsewhere *alert.ElsewhereError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &forbidden):
		return &httpError{http.StatusForbidden, forbidden.Error(), forbidden.Hint}
	case errors.As(err, &elsewhere):
		return &httpError{http.StatusServiceUnavailable, "nothing was changed: " + elsewhere.Error(), elsewhere.Hint()}
	case errors.As(err, &reused):
		return &httpError{http.StatusConflict, "nothing was accepted: " + reused.Error(), "give each alert an Idempotency-Key of its own, and use it again only to send the same alert again"}
	case errors.As(err, &bad):
		return &httpError{http.StatusBadRequest, bad.Error(), bad.Hint}
	}
	return explainKind(err)
}

// explainKind explains an error of a kind that says all.
func explainKind(err error) *httpError {
	switch {
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
