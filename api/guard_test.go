package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/api"
)

// overTCP asks what TCP callers are answered.
func overTCP(t *testing.T, opts api.Options, e *engine, method, target, body string) answer {
	t.Helper()
	opts.Engine, opts.Store, opts.Webhooks = e, knows{&reader{}, &queue{}}, hooks().Webhooks
	opts.Health = func() alert.Health { return alert.Health{} }
	opts.Metrics = http.NotFoundHandler()
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	if opts.Token != "" {
		req.Header.Set("Authorization", "Bearer "+opts.Token.Reveal())
	}
	answered := httptest.NewRecorder()
	api.New(opts).TCPHandler().ServeHTTP(answered, req)
	return answer{status: answered.Code, body: answered.Body.String()}
}

func TestWithoutATokenTCPTakesAlertsAndReadsButDoesNotAct(t *testing.T) {
	many := `{"matchers": "severity>=warning", "for": "720h"}`
	for _, c := range []struct {
		method, path, body string
		status             int // where acting is allowed
	}{
		{"POST", "/v1/incidents/k7f2/ack", "", 200},
		{"POST", "/v1/incidents/k7f2/resolve", "", 200},
		{"POST", "/v1/incidents/k7f2/assign", `{"to": "@ann"}`, 200},
		{"POST", "/v1/incidents/k7f2/note", `{"note": "look"}`, 200},
		{"POST", "/v1/silences", many, 201},
		{"DELETE", "/v1/silences/s-k7f2", "", 200},
		{"POST", "/v1/deliveries/d1/retry", "", 200},
		{"POST", "/v1/deliveries/d1/drop", "", 200},
		{"POST", "/v1/deliveries/retry?all=true", "", 200},
		{"POST", "/v1/deliveries/drop?all=true", "", 200},
		{"POST", "/v1/webhooks/bell", "ack disk", 202},
	} {
		target := "http://127.0.0.1:8126" + c.path
		e := &engine{}
		got := overTCP(t, api.Options{}, e, c.method, target, c.body)
		if got.status != http.StatusForbidden || !strings.Contains(got.body, "listen.trust_loopback") || !strings.Contains(got.body, "TOCSIN_API_TOKEN") {
			t.Errorf("%s %s: answered %d %s", c.method, c.path, got.status, got.body)
		}
		if len(e.acts)+len(e.silenced) > 0 {
			t.Errorf("%s %s was done", c.method, c.path)
		}
		for name, opts := range map[string]api.Options{"with a token": {Token: "s3cret"}, "on a trusted loopback": {TrustLoopback: true}} {
			if got := overTCP(t, opts, &engine{}, c.method, target, c.body); got.status != c.status {
				t.Errorf("%s %s %s: answered %d %s, want %d", c.method, c.path, name, got.status, got.body, c.status)
			}
		}
	}
	if got := overTCP(t, api.Options{}, &engine{}, "POST", "http://127.0.0.1:8126/v1/alerts", "disk full"); got.status != http.StatusAccepted {
		t.Errorf("an alert: answered %d %s", got.status, got.body)
	}
	if got := overTCP(t, api.Options{}, &engine{}, "GET", "http://127.0.0.1:8126/v1/incidents", ""); got.status != http.StatusOK {
		t.Errorf("a list: answered %d %s", got.status, got.body)
	}
}

func TestAPageThatResolvesItsNameToLoopbackReadsNothing(t *testing.T) {
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/v1/incidents"} {
		for _, opts := range []api.Options{{}, {TrustLoopback: true}} {
			if got := overTCP(t, opts, &engine{}, "GET", "http://evil.example:8126"+path, ""); got.status != http.StatusForbidden {
				t.Errorf("%s (trust %t): answered %d %s", path, opts.TrustLoopback, got.status, got.body)
			}
		}
	}
}
