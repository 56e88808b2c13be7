package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// webhookAnswer is what a tool that posts is answered.
type webhookAnswer struct {
	status int
	header http.Header
	body   string
	Alerts []alert.Accepted `json:"alerts"`
	Notes  []string         `json:"notes"`
	Error  string           `json:"error"`
	Hint   string           `json:"hint"`
}

// webhook posts a body to the daemon as a tool does; header has names and values.
func (p *process) webhook(path string, body []byte, header ...string) webhookAnswer {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://tocsin"+path, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for n := 0; n < len(header); n += 2 {
		req.Header.Set(header[n], header[n+1])
	}
	resp, err := p.client().http.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	got := webhookAnswer{status: resp.StatusCode, header: resp.Header, body: string(said)}
	if strings.HasPrefix(got.body, "{") {
		if err := json.Unmarshal(said, &got); err != nil {
			p.t.Fatal(err)
		}
	}
	return got
}

// mustWebhook posts one of the bodies in ingest/testdata, which has to be accepted.
func (p *process) mustWebhook(path, sample string, header ...string) webhookAnswer {
	p.t.Helper()
	got := p.webhook(path, sampleBody(p.t, sample), header...)
	if got.status != http.StatusAccepted {
		p.t.Fatalf("%s to %s: answered %d %s", sample, path, got.status, got.body)
	}
	return got
}

func sampleBody(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("../../ingest/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// mustSay fails unless a card has each of these words.
func mustSay(t testing.TB, m playground.Message, words ...string) {
	t.Helper()
	card := shown(m)
	for _, word := range words {
		encoded, err := json.Marshal(word)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(card, strings.Trim(string(encoded), `"`)) {
			t.Errorf("the card lacks %q: %s", word, card)
		}
	}
}

func TestAlertmanagersGroupsBecomeACardForEachAlert(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	const path = "/v1/webhooks/alertmanager"
	got := p.mustWebhook(path, "alertmanager-0.34.0-grouped.json")
	if len(got.Alerts) != 3 || got.Alerts[2].Key != "1bd3e8556e10023c" {
		t.Fatalf("answered %s", got.body)
	}
	p.settle(got.Alerts...)
	for _, host := range []string{"web1", "web2", "web3"} {
		mustSay(t, cardOf(t, s, "Disk almost full on "+host), "/var is 93 % full", "HighLoad", "eu1", "Graph", "Runbook", "Silence",
			"http://prometheus.example.test/graph?g0.expr=up+%3D%3D+0", "http://alerts.example.test/#/silences/new?filter=%7Balertname%3D%22HighLoad%22")
	}
	mustSay(t, cardOf(t, s, "Disk almost full on web3"), "Critical")
	mustSay(t, cardOf(t, s, "Disk almost full on web1"), "Warning")

	p.settle(p.mustWebhook(path, "alertmanager-0.34.0-grouped-resolved.json").Alerts...)
	until(t, s, "the cards of web1 and web3 to be green", func(sn *playground.Snapshot) bool {
		return len(saying(sn.Messages("#alerts"), "Resolved: Disk almost full on web1")) > 0 && len(saying(sn.Messages("#alerts"), "Resolved: Disk almost full on web3")) > 0
	})
	if len(saying(s.Messages("#alerts"), "Resolved: Disk almost full on web2")) > 0 {
		t.Error("web2 was not resolved, and its card says so")
	}

	unknown := p.webhook("/v1/webhooks/nagios", []byte("{}"))
	if unknown.status != http.StatusNotFound || !strings.Contains(unknown.Hint, "alertmanager") {
		t.Errorf("an unknown webhook is answered %d %s", unknown.status, unknown.body)
	}
	misplaced := p.mustWebhook("/v1/alerts", "alertmanager-0.34.0-firing.json")
	if notes := strings.Join(misplaced.Notes, "; "); !strings.Contains(notes, "this looks like Alertmanager: use "+path) || len(misplaced.Alerts) != 1 {
		t.Errorf("its body at /v1/alerts is answered %s", misplaced.body)
	}
	p.settle(misplaced.Alerts...)
	mustSay(t, cardOf(t, s, "Critical: Disk almost full on web1"), "DiskFull")
}
