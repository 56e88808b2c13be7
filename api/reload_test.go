package api_test

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/api"
)

func TestWhatATokenHasSentStillCountsByAnotherConfigurationUnlessItsRateIsAnother(t *testing.T) {
	options := func(perHour int, before *api.API) api.Options {
		o := contractOptions(request{})
		o.Tokens = []alert.Token{{Name: "cron", Hash: sha256.Sum256([]byte("a-token-of-cron-itself")), Rate: alert.Rate{Alerts: perHour, Per: time.Hour}, May: []alert.Power{alert.MaySend}}}
		o.Before = before
		return o
	}
	status := func(a *api.API) int {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8126/v1/alerts", strings.NewReader(`{"title":"tick"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer a-token-of-cron-itself")
		got := httptest.NewRecorder()
		a.TCPHandler().ServeHTTP(got, r)
		return got.Code
	}
	first := api.New(options(1, nil))
	if got := status(first); got != http.StatusAccepted {
		t.Fatalf("the first alert is answered with %d", got)
	}
	same := api.New(options(1, first))
	if got := status(same); got != http.StatusTooManyRequests {
		t.Errorf("one more by the same rate is answered with %d", got)
	}
	if got := status(api.New(options(2, same))); got != http.StatusAccepted {
		t.Errorf("one more by another rate is answered with %d", got)
	}
}
