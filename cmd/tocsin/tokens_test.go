package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin/playground"
)

// tokensConfig is a configuration with tokens; CI, CRON and OPS are their hashes.
const tokensConfig = `default_channel: "#alerts"
listen:
  tokens:
    - {name: ci, hash: "CI", channels: ["#alerts"], sources: [ci, github], severities: [error, info]}
    - {name: cron, hash: "CRON", rate: 3/h}
    - {name: ops, hash: "OPS", may: [send, read, act]}
    - {name: disk}
`

// newToken makes a token as a person does.
func (p *process) newToken(name string) (token, hash string) {
	p.t.Helper()
	var made madeToken
	if err := json.Unmarshal([]byte(p.command("token", "new", name, "--json")), &made); err != nil {
		p.t.Fatal(err)
	}
	return made.Token, made.Hash
}

// request asks for something over TCP with a token.
func (p *process) request(token, method, path, body string, header ...string) webhookAnswer {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.env["TOCSIN_LISTEN"]+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return p.do(&http.Client{Timeout: time.Minute}, req, header...)
}

func TestATokenSendsWhatItMayAndCardsSayViaIt(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
	ci, ciHash := p.newToken("ci")
	cron, cronHash := p.newToken("cron")
	ops, opsHash := p.newToken("ops")
	disk, _ := p.newToken("disk")
	p.env["TOCSIN_CONFIG"], p.env["CREDENTIALS_DIRECTORY"] = filepath.Join(p.dir, "tocsin.yaml"), filepath.Join(p.dir, "credentials")
	file := strings.NewReplacer("CI", ciHash, "CRON", cronHash, "OPS", opsHash).Replace(tokensConfig)
	if err := os.WriteFile(p.env["TOCSIN_CONFIG"], []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(p.env["CREDENTIALS_DIRECTORY"], 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.env["CREDENTIALS_DIRECTORY"], "tocsin_token_disk"), []byte(disk+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	delete(p.env, "SLACK_CHANNEL_ID")
	p.start()

	sent := p.request(ci, "POST", "/v1/alerts", `{"title":"build failed","source":"ci","channel":"alerts","severity":"P2"}`, "Content-Type", "application/json")
	if sent.status != http.StatusAccepted {
		t.Fatalf("answered %d %s", sent.status, sent.body)
	}
	p.settle(sent.Alerts...)
	if cards := saying(s.Messages("#alerts"), "build failed"); len(cards) == 0 || !strings.Contains(shown(cards[0]), "via ci") {
		t.Errorf("the card does not say via ci: %v", cards)
	}
	if got := p.request(disk, "POST", "/v1/alerts", "disk full"); got.status != http.StatusAccepted {
		t.Errorf("with the token of a credential: answered %d %s", got.status, got.body)
	}
	if got := p.request("", "POST", "/v1/webhooks/alertmanager?token="+ops, string(sampleBody(t, "alertmanager-0.34.0-grouped.json"))); got.status != http.StatusAccepted {
		t.Errorf("a webhook with a token in its address: answered %d %s", got.status, got.body)
	}
	if said := p.command("show", sent.Alerts[0].Incident); !regexp.MustCompile(`via token: +ci\n`).MatchString(said) {
		t.Errorf("tocsin show: %s", said)
	}
	if got := p.request(ops, "GET", "/v1/incidents/"+sent.Alerts[0].Incident, ""); !strings.Contains(got.body, `"token_name":"ci"`) {
		t.Errorf("the incident does not name its token: %s", got.body)
	}

	const asJSON = "application/json"
	for name, c := range map[string]struct {
		token, method, path, body string
		status                    int
		says                      string
	}{
		"another channel":      {ci, "POST", "/v1/alerts", `{"title":"x","source":"ci","channel":"#ops"}`, 403, "channels"},
		"a channel in the URL": {ci, "POST", "/v1/alerts?channel=ops&source=ci", "x", 403, "channels"},
		"another source":       {ci, "POST", "/v1/alerts", `{"title":"x","source":"db"}`, 403, "sources"},
		"no source":            {ci, "POST", "/v1/alerts", `{"title":"x"}`, 403, "source"},
		"another severity":     {ci, "POST", "/v1/alerts", `{"title":"x","source":"ci","severity":"page"}`, 403, "severities"},
		"one of a batch":       {ci, "POST", "/v1/alerts", `[{"title":"x","source":"ci"},{"title":"y","source":"db"}]`, 403, "alert 2"},
		"no channel":           {ci, "POST", "/v1/alerts", `{"title":"x","source":"ci"}`, 202, ""},
		"its alert":            {ci, "GET", "/v1/alerts/" + sent.Alerts[0].ID, "", 200, "delivered"},
		"a heartbeat":          {disk, "POST", "/v1/heartbeats/backup?every=1h", "", 202, "backup"},
		"another's heartbeat":  {ci, "POST", "/v1/heartbeats/backup?every=1h", "", 403, "sources"},
		"its end":              {ci, "DELETE", "/v1/heartbeats/backup", "", 403, "add act"},
		"heartbeats":           {ci, "GET", "/v1/heartbeats", "", 403, "may"},
		"reading":              {ci, "GET", "/v1/incidents", "", 403, "may"},
		"metrics":              {ci, "GET", "/metrics", "", 403, "may"},
		"acknowledging":        {ci, "POST", "/v1/incidents/" + sent.Alerts[0].Incident + "/ack", "", 403, "add act"},
		"silencing":            {ci, "POST", "/v1/silences", `{"matchers":"source=ci","for":"2h"}`, 403, "add act"},
		"silencing by amtool":  {ci, "POST", "/api/v2/silences", `{}`, 403, "add act"},
		"a Slack webhook":      {ci, "POST", "/slack/webhook/ops", `{"text":"x"}`, 403, "action_prohibited"},
		"PagerDuty's trigger":  {disk, "POST", "/v2/enqueue", `{"event_action":"trigger","dedup_key":"d1","payload":{"summary":"x"}}`, 202, `"dedup_key":"d1"`},
		"PagerDuty's ack":      {disk, "POST", "/v2/enqueue", `{"event_action":"acknowledge","dedup_key":"d0"}`, 403, `"status":"forbidden"`},
		"PagerDuty's resolve":  {disk, "POST", "/v2/enqueue", `{"event_action":"resolve","dedup_key":"d1"}`, 202, `"status":"success"`},
		"an ack by who may":    {ops, "POST", "/v2/enqueue", `{"event_action":"acknowledge","dedup_key":"d0"}`, 202, `"dedup_key":"d0"`},
		"by who may":           {ops, "POST", "/v1/incidents/" + sent.Alerts[0].Incident + "/note", `{"note":"look"}`, 200, ""},
		"reading by who may":   {ops, "GET", "/metrics", "", 200, ""},
		"no token":             {"", "POST", "/v1/alerts", "x", 401, ""},
		"a wrong token":        {ci + "0", "POST", "/v1/alerts", "x", 401, ""},
		"the hash":             {ciHash, "POST", "/v1/alerts", "x", 401, ""},
	} {
		header := []string{}
		if strings.HasPrefix(c.body, "{") || strings.HasPrefix(c.body, "[") {
			header = []string{"Content-Type", asJSON}
		}
		got := p.request(c.token, c.method, c.path, c.body, header...)
		if got.status != c.status || !strings.Contains(got.body, c.says) {
			t.Errorf("%s: answered %d %s, want %d with %q", name, got.status, got.body, c.status, c.says)
		}
		if c.status == http.StatusUnauthorized && (strings.Contains(got.body, "ci") && strings.Contains(got.body, "name")) {
			t.Errorf("%s: the answer names a token: %s", name, got.body)
		}
	}

	for n, want := range []int{202, 202, 202, 429, 429} {
		got := p.request(cron, "POST", "/v1/alerts", "tick "+strconv.Itoa(n))
		if after, err := strconv.Atoi(got.header.Get("Retry-After")); got.status != want || want == 429 && (err != nil || after < 1 || after > 20*60) {
			t.Errorf("alert %d at 3/h: answered %d, Retry-After %q, %s", n, got.status, got.header.Get("Retry-After"), got.body)
		}
	}
	if got := p.request(cron, "POST", "/slack/webhook/ops", `{"text":"tick"}`, "Content-Type", asJSON); got.status != 429 || !strings.Contains(got.body, "rate_limited") {
		t.Errorf("Slack's webhook above the rate: answered %d %s", got.status, got.body)
	}
	if got := p.request(cron, "POST", "/v2/enqueue", string(sampleBody(t, "pagerduty-trigger.json")), "Content-Type", asJSON); got.status != 429 {
		t.Errorf("PagerDuty's above the rate: answered %d %s", got.status, got.body)
	}

	var settings bytes.Buffer
	code := run(t.Context(), []string{"config", "show"}, world{stdout: &settings, stderr: &settings, getenv: func(name string) string { return p.env[name] }})
	if code != exitOK || !regexp.MustCompile(`listen.tokens +ci, cron, ops, disk`).MatchString(settings.String()) {
		t.Errorf("config show ends with %d: %s", code, &settings)
	}
	for _, secret := range []string{ci, cron, ops, disk} {
		if strings.Contains(p.log.String()+settings.String(), secret) {
			t.Error("a token is in the log or in config show")
		}
	}
	if n := strings.Count(p.log.String(), "without a valid token"); n != 1 {
		t.Errorf("wrong tokens were logged %d times", n)
	}
}
