package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// beat sends a sign of life and returns how the heartbeat is then.
func (p *process) beat(address string) alert.HeartbeatStatus {
	p.t.Helper()
	var answer struct {
		Status alert.HeartbeatStatus `json:"status"`
	}
	if err := p.client().call(p.t.Context(), http.MethodPost, "/v1/heartbeats/"+address, nil, &answer); err != nil {
		p.t.Fatal(err)
	}
	return answer.Status
}

// awaitCard waits until the only card of a title has the words.
func awaitCard(t testing.TB, s *playground.Server, title, words string) {
	t.Helper()
	until(t, s, title+" to say "+words, func(v *playground.Snapshot) bool {
		found := 0
		top, _ := cards(v.Messages("#alerts"))
		for _, m := range top {
			if strings.Contains(shown(m), title) && strings.Contains(shown(m), words) {
				found++
			}
		}
		return found == 1
	})
}

func TestAMissingHeartbeatIsACardThatTheNextOneResolvesAlsoOverAKill(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	const title = "Heartbeat backup is missing"
	if got := p.beat("backup?every=1s&grace=1s"); got != alert.HeartbeatUp {
		t.Fatalf("it is %s", got)
	}
	p.kill()
	p.start()
	awaitCard(t, s, title, "Critical")
	p.kill()
	p.start()
	// Its period is long now, so that it stays.
	if got := p.beat("backup?every=1h"); got != alert.HeartbeatUp {
		t.Fatalf("heard again, it is %s", got)
	}
	awaitCard(t, s, title, "Resolved")
	if top, _ := cards(s.Messages("#alerts")); len(top) != 1 {
		t.Errorf("there are %d cards", len(top))
	}
}

func TestAHeartbeatOfTheConfigurationIsMissingThoughItWasNeverHeard(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	file := filepath.Join(p.dir, "config.yaml")
	if err := os.WriteFile(file, []byte("ingest:\n  heartbeats:\n    - name: nightly\n      every: 1s\n      grace: 1s\n      severity: warning\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.env["TOCSIN_CONFIG"] = file
	p.start()
	awaitCard(t, s, "Heartbeat nightly is missing", "It has never been heard")
	awaitCard(t, s, "Heartbeat nightly is missing", "Warning")
	if err := s.User("ann").OpenHome(); err != nil {
		t.Fatal(err)
	}
	until(t, s, "the Home tab to list it", func(sn *playground.Snapshot) bool {
		home, _ := sn.Home("ann")
		return strings.Contains(asJSON(home), `"nightly"`) && strings.Contains(asJSON(home), "never heard")
	})
	p.beat("worker?every=1h")
	p.eventually("that the metrics count it", func() bool {
		got := p.metrics()
		return strings.Contains(got, `tocsin_heartbeats{status="missing"} 1`) && strings.Contains(got, `tocsin_heartbeats{status="up"} 1`) && strings.Contains(got, `tocsin_heartbeats{status="late"} 0`)
	})
}

func TestAWatchdogIsAHeartbeatWhicheverWayItComes(t *testing.T) {
	t.Parallel()
	const labels = `"labels":{"alertname":"Watchdog","severity":"none","cluster":"eu1"}`
	group := func(status string) string {
		return `{"version":"4","groupKey":"{}","status":"` + status + `","receiver":"tocsin","orgId":1,"externalURL":"http://alertmanager:9093","alerts":[{"status":"` + status + `",` + labels + `,"annotations":{},"fingerprint":"1"}]}`
	}
	for name, c := range map[string]struct{ path, firing, resolved string }{
		"Alertmanager": {"/v1/webhooks/alertmanager", group("firing"), group("resolved")},
		"Grafana":      {"/v1/webhooks/grafana", group("firing"), group("resolved")},
		"Prometheus":   {"/api/v2/alerts", `[{` + labels + `,"annotations":{},"endsAt":"2126-01-01T00:00:00Z"}]`, `[{` + labels + `,"annotations":{},"endsAt":"2026-01-01T00:00:00Z"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := slack(t, playground.Options{})
			p := prepare(t, s, nil)
			p.start()
			if got := p.webhook(c.path, []byte(c.firing)); got.status >= 300 || len(got.Alerts) != 0 {
				t.Fatalf("firing: answered %d %s", got.status, got.body)
			}
			if got := p.webhook(c.path, []byte(c.resolved)); got.status >= 300 {
				t.Fatalf("resolved: answered %d %s", got.status, got.body)
			}
			awaitCard(t, s, "Heartbeat watchdog-eu1 is missing", "it stopped")
			if got := p.webhook(c.path, []byte(c.firing)); got.status >= 300 {
				t.Fatalf("firing again: answered %d %s", got.status, got.body)
			}
			awaitCard(t, s, "Heartbeat watchdog-eu1 is missing", "Resolved")
			if top, _ := cards(s.Messages("#alerts")); len(top) != 1 {
				t.Errorf("there are %d cards: the alert has one too", len(top))
			}
		})
	}
}
