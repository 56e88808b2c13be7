package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"tocsin/alert"
)

// deliveryList is a page of deliveries. Next is the cursor of the page after it.
type deliveryList struct {
	Deliveries []alert.Delivery `json:"deliveries"`
	Next       string           `json:"next,omitempty"`
}

// listDeliveries answers ?state=dead,pending&lane=#ops&limit=50, latest first. If
// there may be more, next is the ?cursor= of the following page.
func (a *API) listDeliveries(r *http.Request) (any, error) {
	f, err := deliveryFilter(r)
	if err != nil {
		return nil, err
	}
	list, err := a.opts.Store.Deliveries(r.Context(), f)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(list) == f.Limit {
		next = strconv.FormatInt(list[len(list)-1].Seq, 10)
	}
	return deliveryList{append([]alert.Delivery{}, list...), next}, nil
}

// defaultPage is how many deliveries a page has without ?limit=.
const defaultPage = 100

func deliveryFilter(r *http.Request) (alert.DeliveryFilter, error) {
	f := alert.DeliveryFilter{}
	q := r.URL.Query()
	var err error
	if f.States, err = states(q.Get("state"), alert.DeliveryStates()); err != nil {
		return f, err
	}
	if f.Lane, err = laneOf(q.Get("lane")); err != nil {
		return f, err
	}
	if f.Limit, err = number(q, "limit", 1, mostListed); err != nil {
		return f, err
	}
	f.Limit = cmp.Or(f.Limit, defaultPage)
	if s := q.Get("cursor"); s != "" {
		if f.Before, err = strconv.ParseInt(s, 10, 64); err != nil || f.Before == 0 {
			return f, &httpError{http.StatusBadRequest, fmt.Sprintf("cursor is %q", s), "write the value of next from the previous page"}
		}
	}
	return f, nil
}

// laneOf normalizes the name of a lane.
func laneOf(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	return alert.ParseConversation(s)
}

func (a *API) readDelivery(r *http.Request) (any, error) {
	l, err := a.opts.Store.Delivery(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, explainDeadLetter(err)
	}
	return l, nil
}

// decision is Retry or Drop of the store.
type decision func(context.Context, alert.DeadLetterSelector) (alert.RetryResult, error)

// decide answers POST /v1/deliveries/{id}/retry or drop, and the same without an id
// for many dead letters. What was done before an error stays done, so its lanes are
// woken in any case.
func (a *API) decide(decide decision) answer {
	return func(r *http.Request) (any, error) {
		selector, err := deadLetters(r)
		if err != nil {
			return nil, err
		}
		moved, err := decide(r.Context(), selector)
		a.opts.Wake(moved.Lanes...)
		return moved, explainDeadLetter(err)
	}
}

// deadLetters reads which dead letters a request is about: the one in its path, or
// those of ?lane=#ops, or ?all=true.
func deadLetters(r *http.Request) (alert.DeadLetterSelector, error) {
	if id := r.PathValue("id"); id != "" {
		return alert.DeadLetterSelector{ID: id}, nil
	}
	q := r.URL.Query()
	lane, err := laneOf(q.Get("lane"))
	if all, _ := strconv.ParseBool(q.Get("all")); err == nil && lane == "" && !all {
		err = &httpError{http.StatusBadRequest, "the request does not say which dead letters", "write ?lane= with a conversation, or ?all=true"}
	}
	return alert.DeadLetterSelector{Lane: lane}, err
}

func explainDeadLetter(err error) error {
	switch {
	case errors.Is(err, alert.ErrNotFound):
		return &httpError{http.StatusNotFound, err.Error(), "list what there is with GET /v1/deliveries?state=dead (tocsin queue list)"}
	case errors.Is(err, alert.ErrNotDead):
		return &httpError{http.StatusConflict, err.Error(), "only a dead letter can be retried; a pending delivery can be dropped, and is retried by itself; what is being sent ends by itself, so ask again in a moment"}
	}
	return err
}
