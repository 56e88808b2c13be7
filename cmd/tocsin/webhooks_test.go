package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/config"
	"tocsin/ingest"
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
	return p.do(p.client().http, req, header...)
}

// do makes a request with more headers, names and values in turn.
func (p *process) do(client *http.Client, req *http.Request, header ...string) webhookAnswer {
	p.t.Helper()
	for n := 0; n < len(header); n += 2 {
		req.Header.Set(header[n], header[n+1])
	}
	resp, err := client.Do(req)
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
	for sample, paths := range map[string][2]string{
		"grafana-12.json": {path, "this looks like Grafana: use /v1/webhooks/grafana"}, "gitlab-job.json": {"/v1/webhooks/sentry", "this looks like GitLab: use /v1/webhooks/gitlab"},
		"alertmanager-0.34.0-grouped.json": {"/v1/webhooks/grafana", "this looks like Alertmanager: use " + path}, "zabbix-resolved.json": {"/v1/alerts", "this looks like Zabbix: use /v1/webhooks/zabbix"},
	} {
		if got := p.mustWebhook(paths[0], sample); !strings.Contains(strings.Join(got.Notes, "; "), paths[1]) {
			t.Errorf("%s at %s is answered %s", sample, paths[0], got.body)
		}
		if got := p.webhook(paths[0]+"?strict=1", sampleBody(t, sample)); got.status != http.StatusBadRequest || !strings.Contains(got.body, paths[1][:20]) {
			t.Errorf("%s at %s, strictly, is answered %d %s", sample, paths[0], got.status, got.body)
		}
	}
}

func TestEachToolsBodyBecomesACardThatSaysWhatItSays(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	for _, c := range []struct {
		path, sample, title string
		words               []string
	}{
		{"/v1/webhooks/grafana", "grafana-12.json", "Error: Memory of blue-7 above 90 %", []string{
			"B=91.23", "Panel", "viewPanel=2", "Dashboard", "Silence", "alerting/silence/new", "Runbook", "image_url", "https://grafana.example.com/img/xyz.png",
		}},
		{"/v1/webhooks/grafana", "grafana-12.json", "Resolved: High CPU usage", nil},
		{"/v1/webhooks/github", "github-workflow_run.json", "acme/shop: CI failed", []string{
			"acme/shop", "feature/a_b_c", "812 attempt 2", "ann", "fix: don't lose &lt;b&gt;bold&lt;/b&gt;", "actions/runs/1291536064",
		}},
		{"/v1/webhooks/gitlab", "gitlab-pipeline.json", "pipeline failed on main", []string{"test-image", "script failure", "3m41s", "acme/shop", "-/pipelines/31"}},
		{"/v1/webhooks/sentry", "sentry-event_alert.json", "TypeError: Cannot read properties", []string{
			"app/cart.js in checkout", "production", "shop@1.2.3", "app/cart.js:100 in checkout", "const id = cart.items[0]._id;", "sentry.io/organizations/acme/issues/1170820242",
		}},
		{"/v1/webhooks/uptime-kuma", "uptime-kuma.json", "Prod / Shop is down", []string{"getaddrinfo ENOTFOUND shop.example.com", "2026-11-27 02:51:35 -08:00", "web"}},
		{"/v1/webhooks/healthchecks", "healthchecks.json", "nightly backup is down", []string{"prod db", "tar: /var: Cannot stat\ntar: exiting"}},
		{"/v1/webhooks/zabbix", "zabbix.json", "Disk space is low on /var", []string{"db-3", "93.1 GB of 100 GB", "tr_events.php"}},
		{"/v1/webhooks/oncall", "oncall.json", "above 2 s", []string{"p99 is 2.31 s", "Checkout", "alert-groups/I6HNZGUFG4K11"}},
	} {
		got := p.mustWebhook(c.path, c.sample)
		p.settle(got.Alerts...)
		mustSay(t, cardOf(t, s, c.title), c.words...)
		if len(got.Notes) > 0 {
			t.Errorf("%s is answered with notes: %q", c.sample, got.Notes)
		}
	}
	for _, m := range s.Messages("#alerts") {
		if said := shown(m); strings.Contains(said, "Failed: lint") || strings.Contains(said, `"url":"https://"`) {
			t.Errorf("a card shows what it should not: %s", said)
		}
	}
}

func TestASuccessInCIResolvesItsFailureAndIsSilentOtherwise(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	failure := sampleBody(t, "github-workflow_run.json")
	success := bytes.Replace(failure, []byte(`"conclusion": "failure"`), []byte(`"conclusion": "success"`), 1)
	quiet := p.webhook("/v1/webhooks/github", success)
	if quiet.status != http.StatusAccepted || !strings.Contains(quiet.body, `"accepted":0`) {
		t.Errorf("a success without a failure is answered %d %s", quiet.status, quiet.body)
	}
	first := p.webhook("/v1/webhooks/github", failure, "X-GitHub-Delivery", "d1")
	again := p.webhook("/v1/webhooks/github", failure, "X-GitHub-Delivery", "d1")
	if again.Alerts[0].Effect != alert.EffectDuplicate {
		t.Errorf("the same delivery again is answered %s", again.body)
	}
	p.settle(append(first.Alerts, p.webhook("/v1/webhooks/github", success).Alerts...)...)
	until(t, s, "the card to be resolved", func(sn *playground.Snapshot) bool {
		return len(saying(sn.Messages("#alerts"), "Resolved: acme/shop: CI")) == 1
	})
	if top, _ := cards(s.Messages("#alerts")); len(top) != 1 {
		t.Errorf("%d cards are shown", len(top))
	}
	for _, event := range []string{"ping", "push"} {
		if got := p.webhook("/v1/webhooks/github", []byte(`{"zen":"Design for failure.","repository":{"full_name":"acme/shop"}}`), "X-GitHub-Event", event); got.status != http.StatusAccepted || len(got.Notes) != 1 {
			t.Errorf("%s is answered %d %s", event, got.status, got.body)
		}
	}
}

func TestPagerDutysSendersGetItsAnswersAndTheirIncidents(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	const done = `{"dedup_key":"srv01/HTTP","message":"Event processed","status":"success"}`
	got := p.mustWebhook("/v2/enqueue", "pagerduty-trigger.json")
	if strings.TrimSpace(got.body) != done {
		t.Errorf("answered %s", got.body)
	}
	card := cardOf(t, s, "Info: Example alert on host1.example.com")
	mustSay(t, card, "monitoringtool:host1/eth0", "postgres", "deploy", "ping time", "1500ms", "0.75", "Link text", "Sample Monitoring Service", "https://example.com/graph.png")

	ack := []byte(`{"routing_key":"x","event_action":"acknowledge","dedup_key":"srv01/HTTP"}`)
	if got := p.webhook("/v2/enqueue", ack); got.status != http.StatusAccepted || strings.TrimSpace(got.body) != done {
		t.Errorf("acknowledging is answered %d %s", got.status, got.body)
	}
	showing(t, s, card.TS, "Acknowledged")
	if got := p.mustWebhook("/v2/enqueue", "pagerduty-resolve.json"); strings.TrimSpace(got.body) != done {
		t.Errorf("resolving is answered %s", got.body)
	}
	showing(t, s, card.TS, "Resolved: Example alert")
	for _, action := range []string{"acknowledge", "resolve"} {
		if got := p.webhook("/v2/enqueue", []byte(`{"event_action":"`+action+`","dedup_key":"unheard-of"}`)); got.status != http.StatusAccepted {
			t.Errorf("%s of an unknown key is answered %d %s", action, got.status, got.body)
		}
	}
	if top, _ := cards(s.Messages("#alerts")); len(top) != 1 {
		t.Errorf("%d cards are shown", len(top))
	}
	for body, want := range map[string]string{
		`{"event_action":"resolve"}`:                   `"errors":["'dedup_key' is missing or blank"]`,
		`{"event_action":"shout","dedup_key":"x"}`:     "'event_action' is invalid",
		`{"event_action":"trigger","dedup_key":"x"}`:   "'payload.summary' is missing or blank",
		`{"event_action":"trigger","payload":{"a":1}}`: "'payload.summary' is missing or blank",
		`{`: "not JSON",
	} {
		if got := p.webhook("/v2/enqueue", []byte(body)); got.status != http.StatusBadRequest || !strings.Contains(got.body, `"status":"invalid event"`) || !strings.Contains(got.body, want) {
			t.Errorf("%s is answered %d %s, want %q", body, got.status, got.body, want)
		}
	}
}

func TestSlacksWebhookBodiesBecomeIncidentsAndAreAnsweredOK(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	ok := func(body []byte, kind string) {
		t.Helper()
		if got := p.webhook("/slack/webhook/alerts", body, "Content-Type", kind); got.status != http.StatusOK || got.body != "ok" {
			t.Fatalf("answered %d %s", got.status, got.body)
		}
	}
	ok(sampleBody(t, "slack-attachments.json"), "application/json")
	card := cardOf(t, s, "HighLoad")
	mustSay(t, card, "Critical", "load &gt; 4", "http://prom/graph", "http://am/#/alerts?receiver=x")
	if strings.Contains(card.Text, "<!here>") {
		t.Errorf("the card pings: %s", card.Text)
	}
	form := url.Values{"payload": {string(sampleBody(t, "slack-alertmanager-rich-firing.json"))}}.Encode()
	ok([]byte(form), "application/x-www-form-urlencoded")
	firing := cardOf(t, s, "DiskFull")
	mustSay(t, firing, "Disk almost full on web1", "Runbook")
	ok(sampleBody(t, "slack-alertmanager-rich-resolved.json"), "application/json")
	showing(t, s, firing.TS, "Resolved: DiskFull")
	for body, want := range map[string]string{"{": "invalid_payload", `{"username":"x"}`: "no_text", "{}": "no_text", "payload=": "invalid_payload"} {
		if got := p.webhook("/slack/webhook/alerts", []byte(body)); got.status != http.StatusBadRequest || got.body != want {
			t.Errorf("%s is answered %d %q, want %q", body, got.status, got.body, want)
		}
	}
}

func TestASignatureIsCheckedWhereASecretIsConfigured(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"TOCSIN_GITHUB_SECRET": "gh", "TOCSIN_GITLAB_SECRET": "gl", "TOCSIN_SENTRY_SECRET": "se"})
	p.configure("ingest:\n  services:\n    - {path: T0/B0/word, channel: \"#alerts\"}\n")
	p.start()
	sum := func(secret string, body []byte) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		return hex.EncodeToString(mac.Sum(nil))
	}
	for path, c := range map[string]struct {
		sample string
		header string
		signed func(secret string, body []byte) string
		secret string
	}{
		"github": {"github-workflow_run.json", "X-Hub-Signature-256", func(secret string, body []byte) string { return "sha256=" + sum(secret, body) }, "gh"},
		"gitlab": {"gitlab-pipeline.json", "X-Gitlab-Token", func(secret string, _ []byte) string { return secret }, "gl"},
		"sentry": {"sentry-event_alert.json", "Sentry-Hook-Signature", sum, "se"},
	} {
		body := sampleBody(t, c.sample)
		if got := p.webhook("/v1/webhooks/"+path, body, c.header, c.signed(c.secret, body)); got.status != http.StatusAccepted {
			t.Errorf("%s, signed: answered %d %s", path, got.status, got.body)
		}
		for _, header := range []string{"", "sha256=", "sha256=zz", c.signed("x", body), c.signed(c.secret, append(body, ' ')) + "0"} {
			if got := p.webhook("/v1/webhooks/"+path, body, c.header, header); got.status != http.StatusUnauthorized || strings.Contains(got.body, c.secret+`"`) {
				t.Errorf("%s, signed %q: answered %d %s", path, header, got.status, got.body)
			}
		}
	}
	if said := strings.Count(p.log.String(), "valid token or signature"); said != 1 {
		t.Errorf("refusals are logged %d times", said)
	}
	if got := p.webhook("/services/T0/B0/word", []byte(`{"text":"a deploy <https://ci.example.com/1|began>"}`)); got.status != http.StatusOK || got.body != "ok" {
		t.Errorf("a mapped path is answered %d %s", got.status, got.body)
	}
	mustSay(t, cardOf(t, s, "a deploy began"), "https://ci.example.com/1")
	if got := p.webhook("/services/T0/B0/other", []byte(`{"text":"x"}`)); got.status != http.StatusNotFound || got.body != "no_service" {
		t.Errorf("another path is answered %d %s", got.status, got.body)
	}
}

func TestEveryToolThatSignsHasAnOptionForItsSecret(t *testing.T) {
	for _, f := range ingest.Formats() {
		t.Setenv("TOCSIN_"+strings.ToUpper(f.Name)+"_SECRET", "x")
		in := config.Input{Getenv: os.Getenv, ReadFile: func(string) ([]byte, error) { return nil, os.ErrNotExist }, Flags: map[string]string{"default-channel": "#alerts", "store": "sqlite:/x"}}
		cfg, err := config.Load(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, has := cfg.Ingest.Secrets[f.Name]; has != (f.Signed != nil) {
			t.Errorf("%s signs: %t, and has an option: %t", f.Name, f.Signed != nil, has)
		}
	}
}

func TestAMessageToSlacksWebhookIsPassedOnAndMentionsOnlyWhomItMay(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.env["TOCSIN_CONFIG"] = filepath.Join(p.dir, "tocsin.yaml")
	if err := os.WriteFile(p.env["TOCSIN_CONFIG"], []byte(`permissions: {mention: [U0ANN]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	post := func(body string) {
		t.Helper()
		if got := p.webhook("/slack/webhook/alerts?as=message", []byte(body)); got.status != http.StatusOK || got.body != "ok" {
			t.Fatalf("answered %d %s to %s", got.status, got.body, body)
		}
	}
	blocks := `[{"type":"header","text":{"type":"plain_text","text":"Deployed <!here>"}},
		{"type":"section","text":{"type":"mrkdwn","text":"*v2* by <@U0ANN>, not <@U0BOB|bob>, <!channel> or @here"},
		 "accessory":{"type":"button","action_id":"ack","value":"k7f2","text":{"type":"plain_text","text":"Open"},"url":"https://ci.example.com/7"}},
		{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"for "},{"type":"broadcast","range":"channel"}]}]}]`
	post(`{"text":"deployed v2","thread_ts":"1.2","blocks":` + blocks + `}`)
	until(t, s, "the message", func(sn *playground.Snapshot) bool { return len(saying(sn.Messages("#alerts"), "Deployed")) == 1 })
	m := saying(s.Messages("#alerts"), "Deployed")[0]
	mustSay(t, m, "*v2* by <@U0ANN>, not @bob, @channel or @here", "https://ci.example.com/7", "Deployed <!here>")
	if card := shown(m); !strings.Contains(card, `"verbatim":true`) || !strings.Contains(card, `"text":"@channel"`) {
		t.Errorf("a bare name or a broadcast could notify: %s", card)
	}
	if card := shown(m); strings.Contains(card, "Acknowledge") || strings.Contains(card, `"action_id":"ack"`) || m.ThreadTS != "" {
		t.Errorf("it has buttons, a sender's action or a thread: %s", card)
	}

	post(`{"text":"said twice to <!channel>"}`)
	post(`{"text":"said twice to <!channel>"}`)
	post(`{"attachments":[{"color":"good","text":"all *good*","fallback":"good"}]}`)
	post(`{"text":"kept","blocks":[{"type":"no_such_block"},{"type":"section","text":{"type":"mrkdwn","text":"what it says"}}]}`)
	until(t, s, "all messages", func(sn *playground.Snapshot) bool {
		all := sn.Messages("#alerts")
		return len(saying(all, "said twice to @channel")) == 2 && len(saying(all, "all *good*")) == 1 && len(saying(all, "what it says")) == 1
	})
	var over []alert.Incident
	if err := p.ask("/v1/incidents?state=resolved", &struct{ Incidents *[]alert.Incident }{&over}); err != nil {
		t.Fatal(err)
	}
	for _, i := range over {
		p.settle(alert.Accepted{ID: strings.TrimPrefix(i.Key, "message/")})
	}
	if l := p.ledger().Total; l.Accepted != 5 || l.Delivered != 5 {
		t.Errorf("the ledger counts %+v", l)
	}
	var open []alert.Incident
	if err := p.ask("/v1/incidents?state=open,acked", &struct{ Incidents *[]alert.Incident }{&open}); err != nil || len(open) > 0 {
		t.Errorf("messages are open incidents: %v, %v", open, err)
	}
	if got := p.webhook("/slack/webhook/alerts?as=letter", []byte(`{"text":"x"}`)); got.status != http.StatusBadRequest || got.body != "invalid_payload" {
		t.Errorf("as=letter: answered %d %s", got.status, got.body)
	}
}
