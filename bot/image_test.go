package bot

import (
	"context"
	"strings"
	"testing"

	"tocsin/alert"
)

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
