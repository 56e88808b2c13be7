package api_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/api"
)

// browse opens / as a browser does.
func browse(h http.Handler, host string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodGet, "http://"+host+"/", nil)
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	for n := 0; n < len(header); n += 2 {
		req.Header.Set(header[n], header[n+1])
	}
	got := httptest.NewRecorder()
	h.ServeHTTP(got, req)
	return got
}

func pageAPI(token alert.Secret) *api.API {
	return api.New(api.Options{Engine: &engine{}, Store: knows{&reader{}, &queue{}}, Token: token, Health: func() alert.Health { return alert.Health{} }})
}

func TestABrowserGetsThePageWithItsOwnAddressAndOnlyWhatThisListenerNeeds(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.Handler
		token   bool
	}{
		"Unix socket":         {pageAPI("s3cret").Handler(), false},
		"TCP without a token": {pageAPI("").TCPHandler(), false},
		"TCP with a token":    {pageAPI("s3cret").TCPHandler(), true},
		"without a store":     {pageAPI("s3cret").RefusingTCPHandler(alert.ErrUnavailable), true},
	} {
		got := browse(c.handler, "localhost:9000", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
		body := got.Body.String()
		if got.Code != http.StatusOK || !strings.HasPrefix(got.Header().Get("Content-Type"), "text/html") {
			t.Fatalf("%s: answered %d %s", name, got.Code, got.Header())
		}
		if !strings.Contains(body, "http://localhost:9000/v1/alerts") || strings.Contains(body, "%ORIGIN%") {
			t.Errorf("%s: the page does not have the address that it was asked at", name)
		}
		if got := strings.Contains(body, `id="token"`) && strings.Contains(body, "Bearer $TOCSIN_API_TOKEN"); got != c.token {
			t.Errorf("%s: the page mentions the token: %t, want %t", name, got, c.token)
		}
		if strings.Contains(body, "<!--") || strings.Contains(body, "s3cret") {
			t.Errorf("%s: the page shows what it should not", name)
		}
	}
}

func TestThePageLoadsNothingFromOutsideAndRunsNothingButItsOwnScript(t *testing.T) {
	got := browse(pageAPI("").TCPHandler(), "127.0.0.1:8126")
	policy, body := got.Header().Get("Content-Security-Policy"), got.Body.String()
	for _, want := range []string{"default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "script-src 'sha256-", "style-src 'sha256-"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %s", policy)
	}
	if loads := regexp.MustCompile(`(?:src|href|action)="(?:https?:)?//|url\(|@import| style="| on[a-z]+="`).FindString(body); loads != "" {
		t.Errorf("the page has %s", loads)
	}
}

func TestThePageListsEveryPath(t *testing.T) {
	body := browse(pageAPI("").TCPHandler(), "127.0.0.1:8126").Body.String()
	for _, op := range api.Operations() {
		_, path := described(op.Pattern)
		if strings.HasPrefix(path, "/api/v2/") { // in one line: Alertmanager's documentation lists them
			path = "/api/v2/…"
		}
		if last := path[strings.LastIndex(path, "/"):]; !strings.Contains(body, path) && !strings.Contains(body, last) {
			t.Errorf("%s is not on the page", op.Pattern)
		}
	}
}

func TestWhoWantsJSONDoesNotGetThePage(t *testing.T) {
	for accept, want := range map[string]int{"": 200, "*/*": 200, "text/html,application/xhtml+xml;q=0.9": 200, "application/json": 404} {
		got := browse(pageAPI("").TCPHandler(), "127.0.0.1:8126", "Accept", accept)
		if page := strings.HasPrefix(got.Header().Get("Content-Type"), "text/html"); got.Code != want || page != (want == 200) {
			t.Errorf("Accept: %s is answered with %d %s", accept, got.Code, got.Header())
		}
	}
	if got := browse(pageAPI("").TCPHandler(), "evil.example"); got.Code != http.StatusForbidden {
		t.Errorf("a name that is not this machine's is answered with %d", got.Code)
	}
	if got := browse(pageAPI("s3cret").TCPHandler(), `x"><script>alert(1)</script>`); strings.Contains(got.Body.String(), "<script>alert") {
		t.Error("the host is not escaped")
	}
}
