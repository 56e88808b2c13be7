package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/api"
)

// queue holds the dead letter d1, the pending p1 and nothing else, and notes
// what it is asked.
type queue struct {
	asked []string
	err   error
}

func (q *queue) Deliveries(_ context.Context, f alert.DeliveryFilter) ([]alert.Delivery, error) {
	q.asked = append(q.asked, fmt.Sprintf("list %v %s %d %d", f.States, f.Lane, f.Limit, f.Before))
	all := []alert.Delivery{{ID: "p1", Seq: 9}, {ID: "d1", Seq: 4, State: alert.Dead, Reason: "is_archived"}}
	return all[:min(f.Limit, len(all))], nil
}

func (q *queue) Delivery(_ context.Context, id string) (alert.DeliveryDetail, error) {
	if id != "d1" {
		return alert.DeliveryDetail{}, fmt.Errorf("find delivery %s: %w", id, alert.ErrNotFound)
	}
	return alert.DeliveryDetail{Delivery: alert.Delivery{ID: id, Reason: "is_archived"}, About: &alert.Incident{ID: "k7f2"}, Alerts: []alert.Record{{Alert: alert.Alert{Text: "all of it"}}}}, nil
}

func (q *queue) Retry(_ context.Context, l alert.DeadLetterSelector) (alert.RetryResult, error) {
	return q.move("retry", l)
}

func (q *queue) Drop(_ context.Context, l alert.DeadLetterSelector) (alert.RetryResult, error) {
	return q.move("drop", l)
}

func (q *queue) move(what string, l alert.DeadLetterSelector) (alert.RetryResult, error) {
	q.asked = append(q.asked, strings.TrimSpace(fmt.Sprintf("%s %s %s", what, l.ID, l.Lane)))
	switch l.ID {
	case "p1":
		return alert.RetryResult{}, fmt.Errorf("%s: delivery p1 is pending: %w", what, alert.ErrNotDead)
	case "nobody":
		return alert.RetryResult{}, fmt.Errorf("%s: %w", what, alert.ErrNotFound)
	}
	return alert.RetryResult{Deliveries: 1, Alerts: 2, Lanes: []string{"#ops"}}, q.err
}

func TestDeliveriesAreListedShownRetriedAndDropped(t *testing.T) {
	for name, c := range map[string]struct {
		method, target string
		status         int
		asked, body    string
	}{
		"all":               {"GET", "/v1/deliveries", 200, "list []  100 0", `"reason":"is_archived"`},
		"the last page":     {"GET", "/v1/deliveries?limit=3", 200, "list []  3 0", `"is_archived"}]}`},
		"a page":            {"GET", "/v1/deliveries?state=dead,pending&lane=ops&limit=1", 200, "list [dead pending] #ops 1 0", `"next":"9"`},
		"the next page":     {"GET", "/v1/deliveries?cursor=9", 200, "list []  100 9", `"d1"`},
		"an unknown state":  {"GET", "/v1/deliveries?state=lost", 400, "", `write pending, sending`},
		"a wrong limit":     {"GET", "/v1/deliveries?limit=0", 400, "", `from 1 to 1000`},
		"a wrong cursor":    {"GET", "/v1/deliveries?cursor=x", 400, "", `next`},
		"a wrong lane":      {"GET", "/v1/deliveries?lane=two+words", 400, "", `is not a conversation`},
		"one":               {"GET", "/v1/deliveries/d1", 200, "", `"text":"all of it"`},
		"nobody":            {"GET", "/v1/deliveries/nobody", 404, "", `tocsin queue list`},
		"retry":             {"POST", "/v1/deliveries/d1/retry", 200, "retry d1", `{"deliveries":1,"alerts":2,"lanes":["#ops"]}`},
		"drop":              {"POST", "/v1/deliveries/d1/drop", 200, "drop d1", `"alerts":2`},
		"retry a lane":      {"POST", "/v1/deliveries/retry?lane=ops", 200, "retry  #ops", `"deliveries":1`},
		"drop all":          {"POST", "/v1/deliveries/drop?all=true", 200, "drop", `"deliveries":1`},
		"drop who knows":    {"POST", "/v1/deliveries/drop", 400, "", `?all=true`},
		"drop all, or not":  {"POST", "/v1/deliveries/drop?all=no", 400, "", `?all=true`},
		"retry the pending": {"POST", "/v1/deliveries/p1/retry", 409, "retry p1", `only a dead letter`},
		"drop nobody":       {"POST", "/v1/deliveries/nobody/drop", 404, "drop nobody", `list what there is`},
	} {
		t.Run(name, func(t *testing.T) {
			q := &queue{}
			var woken []string
			h := api.New(api.Options{
				Engine: &engine{}, Store: knows{&reader{}, q}, Wake: func(lanes ...string) { woken = append(woken, lanes...) },
			}).Handler()
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest(c.method, c.target, nil))
			if body := rec.Body.String(); rec.Code != c.status || !strings.Contains(body, c.body) {
				t.Errorf("answered %d %s, want %d with %s", rec.Code, body, c.status, c.body)
			}
			if asked := strings.Join(q.asked, "; "); asked != c.asked {
				t.Errorf("asked for %q, want %q", asked, c.asked)
			}
			if decided := c.method == http.MethodPost && c.status == 200; decided != slices.Equal(woken, []string{"#ops"}) {
				t.Errorf("woke %v", woken)
			}
			if body := rec.Body.String(); rec.Code/100 != 2 && !strings.Contains(body, `"hint":"`) {
				t.Errorf("the refusal has no hint: %s", body)
			}
		})
	}
}

func TestWhatWasRetriedBeforeAnErrorIsDeliveredAllTheSame(t *testing.T) {
	q := &queue{err: fmt.Errorf("retry: %w", alert.ErrUnavailable)}
	var woken []string
	h := api.New(api.Options{
		Engine: &engine{}, Store: knows{&reader{}, q}, Wake: func(lanes ...string) { woken = append(woken, lanes...) },
	}).Handler()
	got := ask(t, h, httptest.NewRequest(http.MethodPost, "/v1/deliveries/retry?all=true", nil))
	if got.status != http.StatusServiceUnavailable || !slices.Equal(woken, []string{"#ops"}) {
		t.Errorf("answered %d, woke %v", got.status, woken)
	}
}

func TestTooManyWaitingAlertsAreAnsweredWith429AndWhenToTryAgain(t *testing.T) {
	got := post(t, &engine{err: fmt.Errorf("accept: %w", alert.ErrBacklog)}, "text/plain", "/v1/alerts", "a")
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !strings.Contains(got.Hint, "delivery.max_pending") {
		t.Errorf("answered %d %v %s", got.status, got.header, got.body)
	}
}
