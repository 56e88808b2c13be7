package bot

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

func TestAnImageThatDoesNotComeInTimeIsSaidInWords(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer s.Close()
	i := newImages(alert.ImageHosts{strings.TrimPrefix(s.URL, "http://")}, time.Now)
	i.http.Timeout = time.Millisecond
	_, _, err := i.fetch(t.Context(), s.URL)
	if want := strings.TrimPrefix(s.URL, "http://") + " did not send it within 1ms"; err == nil || err.Error() != want {
		t.Errorf("it is %v, want %s", err, want)
	}
}

func TestANameThatLeadsToThisMachineIsNotFetched(t *testing.T) {
	for address, refused := range map[string]bool{
		"127.0.0.1:80": true, "[::1]:80": true, "169.254.169.254:80": true, "[fe80::1]:80": true, "[::ffff:127.0.0.1]:80": true, "0.0.0.0:80": true,
		"10.1.2.3:3000": false, "192.0.2.1:443": false, "[fd00::1]:443": false,
	} {
		if err := refuseLocal("tcp", address, nil); (err != nil) != refused {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestOnlyListedHostsAreAsked(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	i := newImages(alert.ImageHosts{"grafana.internal", "ci:8080"}, nil)
	for address, allowed := range map[string]bool{
		"http://grafana.internal/a.png": true, "https://Grafana.Internal:3000/a.png": true, "http://ci:8080/a.png": true,
		"http://ci/a.png": false, "http://evil.example/grafana.internal": false, "http://grafana.internal@evil.example/": false,
		"http://me:pw@grafana.internal/": false, "file://grafana.internal/etc/passwd": false, "ftp://grafana.internal/x": false,
	} {
		_, _, err := i.fetch(gone, address)
		if refused := err == nil || strings.Contains(err.Error(), "does not list"); refused == allowed {
			t.Errorf("%s: %v", address, err)
		}
	}
}
