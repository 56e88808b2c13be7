package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tocsin/config"
	"tocsin/ingest"
	"tocsin/playground"
)

func TestTheWebhooksByExpressionsInTheDocumentationWorkAsTheySay(t *testing.T) {
	doc, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(ingest:\n  webhooks:\n.*?)```\n+```json\n(.*?)```").FindAllSubmatch(doc, -1)
	if len(examples) != 2 {
		t.Fatalf("there are %d examples with a body", len(examples))
	}
	for _, example := range examples {
		dir := t.TempDir()
		file, secret := filepath.Join(dir, "tocsin.yaml"), filepath.Join(dir, "secret")
		yaml := regexp.MustCompile(`secret_file: \S+`).ReplaceAllString(string(example[1]), "secret_file: "+secret)
		for path, content := range map[string]string{file: "default_channel: '#alerts'\nstore: sqlite:/x\n" + yaml, secret: "s3cret"} {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cfg, err := config.Load(world{getenv: func(string) string { return "" }}.input(map[string]string{"config": file}))
		if err != nil {
			t.Fatal(err)
		}
		tried, err := tryWebhook(cfg.Ingest, cfg.Ingest.Webhooks[0].Name, ingest.Request{Body: example[2], Header: http.Header{}})
		if err != nil || tried.Problem != "" || len(tried.Alerts) != 1 || len(tried.Notes) > 0 {
			t.Fatalf("%v, %+v", err, tried)
		}
		for _, e := range tried.Expressions {
			if e.Value == "" || e.Error != "" {
				t.Errorf("%s is %q %s", e.Expression, e.Value, e.Error)
			}
		}
		a := tried.Alerts[0]
		if a.Status != "firing" || a.Severity != "error" || len(a.Labels) != 3 || a.At.Year() != 2026 {
			t.Errorf("it became %+v", a)
		}
	}
}

func TestAWebhookByExpressionsOpensAndResolvesWhatItsToolSays(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure(`
ingest:
  webhooks:
    - name: bell
      title: body.what + " in " + body.room
      text: body.count / body.per
      key: body.room
      status: body.state
      idempotency_key: headers["x-delivery"]
      secret: s3cret
      signature: {header: X-Sum, prefix: "sha256="}
`)
	p.start()
	sum := func(body string) string {
		mac := hmac.New(sha256.New, []byte("s3cret"))
		mac.Write([]byte(body))
		return "sha256=" + hex.EncodeToString(mac.Sum(nil))
	}
	push := func(body, delivery string) webhookAnswer {
		t.Helper()
		got := p.webhook("/v1/webhooks/bell", []byte(body), "X-Sum", sum(body), "X-Delivery", delivery)
		if got.status != http.StatusAccepted {
			t.Fatalf("answered %d %s", got.status, got.body)
		}
		return got
	}
	fire := `{"what":"smoke","room":"b1","state":"alarm","count":6,"per":2}`
	push(fire, "d1")
	push(fire, "d1")
	mustSay(t, cardOf(t, s, "smoke in b1"), "3")
	if got := push(`{"what":"smoke","room":"b1","state":"ok","count":1,"per":2}`, "d2"); got.Alerts[0].Effect != "resolved" {
		t.Errorf("the resolve did %s", got.Alerts[0].Effect)
	}

	broken := push(`{"what":"fire","room":"b2","count":1}`, "d3")
	if len(broken.Notes) != 1 || !strings.Contains(broken.Notes[0], "text is left out") {
		t.Errorf("the notes are %q", broken.Notes)
	}
	mustSay(t, cardOf(t, s, "fire in b2"), `{"count":1,"room":"b2","what":"fire"}`)
	if !strings.Contains(p.metrics(), `tocsin_webhook_expressions_failed_total{webhook="bell"} 1`) {
		t.Error("the metrics lack the expression that failed")
	}
	for _, proof := range []string{"", "sha256=", sum("other")} {
		if got := p.webhook("/v1/webhooks/bell", []byte(fire), "X-Sum", proof); got.status != http.StatusUnauthorized {
			t.Errorf("signed %q: answered %d %s", proof, got.status, got.body)
		}
	}
	strict := `{"what":"fire","room":"b3"}`
	if got := p.webhook("/v1/webhooks/bell?strict=1", []byte(strict), "X-Sum", sum(strict)); got.status != http.StatusBadRequest {
		t.Errorf("strictly: answered %d %s", got.status, got.body)
	}
	if got := p.webhook("/v1/webhooks/unknown", []byte("{}")); got.status != http.StatusNotFound || !strings.Contains(got.body, "alertmanager, bell, ") {
		t.Errorf("an unknown webhook is answered %d %s", got.status, got.body)
	}
}

func TestConfigWebhookShowsWhatTheDaemonDoes(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	p.configure(`
ingest:
  webhooks:
    - name: bell
      title: body.what
      key: body.key
      status: body.state
      links: body.links
`)
	p.start()
	cfg, err := config.Load(world{getenv: func(name string) string { return p.env[name] }}.input(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ hook, kind, body string }{
		{"bell", "application/json", `{"what":"smoke","key":"b1","links":[7,"https://example.com"]}`},
		{"bell", "application/json", `{"state":"ok"}`},
		{"bell", "application/json", `[[[`},
		{"bell", "text/plain", "smoke in the hall"},
		{"bell", "text/plain; charset=iso-8859-1", "Rauch im B\xfcro"},
		{"bell", "text/plain", ""},
		{"bell", "application/x-www-form-urlencoded", "what=smoke&key=b2"},
		{"bell", "", "what=smoke&key=b3"},
		{"github", "application/json", `{"what":"smoke"}`},
		{"github", "application/json", `{"receiver":"x","alerts":[{"status":"firing","labels":{"alertname":"Smoke"}}],"groupLabels":{},"version":"4","groupKey":"x"}`},
		{"alertmanager", "application/json", `{"alerts":[{"labels":{"alertname":"A"}},{},7]}`},
		{"alertmanager", "application/json", "  "},
		{"slack", "application/x-www-form-urlencoded", "payload=%7B%22text%22%3A%22smoke%22%7D"},
		{"pagerduty", "application/json", `{"event_action":"ring"}`},
	} {
		r := ingest.Request{Body: []byte(c.body), Header: http.Header{}}
		if c.kind != "" {
			r.Header.Set("Content-Type", c.kind)
		}
		tried, err := tryWebhook(cfg.Ingest, c.hook, r)
		if err != nil {
			t.Fatal(err)
		}
		path := map[string]string{"slack": "/slack/webhook/alerts", "pagerduty": "/v2/enqueue"}[c.hook]
		if path == "" {
			path = "/v1/webhooks/" + c.hook
		}
		got := p.webhook(path, []byte(c.body), "Content-Type", c.kind)
		if got.status != tried.Status || got.status >= 400 != (tried.Problem != "") || strings.Join(got.Notes, "\n") != strings.Join(tried.Notes, "\n") {
			t.Errorf("%s: %q is answered %d %q, and shown as %d %q", c.hook, c.body, got.status, got.Notes, tried.Status, tried.Notes)
		}
		if got.Alerts == nil { // a tool's own answer
			continue
		}
		for n, one := range got.Alerts {
			if n >= len(tried.Alerts) || tried.Alerts[n].Key != one.Key {
				t.Errorf("%s: %q becomes %+v, and is shown as %+v", c.hook, c.body, got.Alerts, tried.Alerts)
			}
		}
	}
}
