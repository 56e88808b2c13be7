package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tocsin/api"
)

func TestProfilesAreServedAtTheUnixSocketAlone(t *testing.T) {
	get := func(h http.Handler, path string) answer {
		req := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8126"+path, nil)
		req.Header.Set("Authorization", "Bearer s3cret")
		return ask(t, h, req)
	}
	a := build(&engine{}, &reader{})
	for path, want := range map[string]string{
		"/debug/pprof/goroutine?debug=2":    "TestProfilesAreServedAtTheUnixSocketAlone",
		"/debug/pprof/heap?gc=1&debug=1":    "heap profile",
		"/debug/pprof/profile?seconds=1":    "\x1f\x8b", // gzip
		"/debug/pprof/threadcreate?debug=1": "threadcreate profile",
	} {
		if got := get(a.Handler(), path); got.status != http.StatusOK || !strings.Contains(got.body, want) {
			t.Errorf("%s at the Unix socket: answered %d %.200s", path, got.status, got.body)
		}
		for name, opts := range map[string]api.Options{"no token": {TrustLoopback: true}, "a token": {Token: "s3cret"}} {
			opts.Store, opts.Engine = knows{&reader{}, &queue{}}, &engine{}
			if got := get(api.New(opts).TCPHandler(), path); got.status != http.StatusNotFound {
				t.Errorf("%s over TCP with %s: answered %d %.200s", path, name, got.status, got.body)
			}
		}
	}
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/nothing"} {
		if got := get(a.Handler(), path); got.status != http.StatusNotFound {
			t.Errorf("%s: answered %d %.200s", path, got.status, got.body)
		}
	}
}
