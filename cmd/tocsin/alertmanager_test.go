package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// debian returns the path of a program of a Debian package.
func debian(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("TOCSIN_CI_STRICT") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// amtool runs Debian's amtool against the daemon.
func (p *process) amtool(args ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), debian(p.t, "amtool"), append([]string{"--alertmanager.url=http://" + p.env["TOCSIN_LISTEN"]}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("amtool %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestAmtoolListsAlertsAndManagesSilences(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
	p.configure("listen:\n  trust_loopback: true\nroutes:\n  - name: web\n    match: team=\"web\", severity>=error\n    to: ['#ops']\n    group_by: [alertname]\n    group_wait: 0s\n")
	p.start()
	p.amtool("alert", "add", "alertname=HighLatency", "team=web", "severity=page", "--annotation=summary=Latency is high", "--generator-url=http://prometheus.example.test/graph")
	p.amtool("alert", "add", "DiskFull", "instance=db-3")
	until(t, s, "both cards", func(sn *playground.Snapshot) bool {
		return len(saying(sn.Messages("#ops"), "Latency is high")) == 1 && len(saying(sn.Messages("#alerts"), "DiskFull db-3")) == 1
	})
	if got := p.amtool("alert", "query", "-o", "simple", "team=web"); !strings.Contains(got, "HighLatency") || strings.Contains(got, "DiskFull") || !strings.Contains(got, "active") {
		t.Errorf("the alerts of a team are\n%s", got)
	}
	id := strings.TrimSpace(p.amtool("silence", "add", "team=web", "--comment=deploy", "--author=ann", "--duration=1h"))
	if got := p.amtool("alert", "query", "--silenced", "-o", "simple"); !strings.Contains(got, "HighLatency") || strings.Contains(got, "DiskFull") {
		t.Errorf("the silenced alerts are\n%s", got)
	}
	if got := p.amtool("silence", "query", "team=web", "-o", "simple"); !strings.Contains(got, id) || !strings.Contains(got, "deploy") || !strings.Contains(got, "ann") {
		t.Errorf("the silences are\n%s", got)
	}
	p.amtool("silence", "update", "--duration=2h", "--comment=longer deploy", id)
	if got := p.amtool("silence", "query", "-o", "simple"); !strings.Contains(got, id) || !strings.Contains(got, "longer deploy") || p.amtoolSilence() != id {
		t.Errorf("after its change, the silences are\n%s", got)
	}
	p.amtool("silence", "update", "--start="+time.Now().Add(time.Hour).UTC().Format(time.RFC3339), "--duration=2h", id)
	if replaced := p.amtoolSilence(); replaced == id {
		t.Errorf("%s begins at another time", id)
	}
	p.amtool("silence", "expire", p.amtoolSilence())
	if got := p.amtool("silence", "query", "-o", "simple"); strings.Contains(got, "deploy") {
		t.Errorf("after its end, the silences are\n%s", got)
	}
	until(t, s, "the alert to be shown again", func(*playground.Snapshot) bool {
		return strings.Contains(p.amtool("alert", "query", "-o", "simple", "--active"), "HighLatency")
	})
	if got := p.amtool("config", "routes", "test", "team=web", "severity=critical"); strings.TrimSpace(got) != "#ops" {
		t.Errorf("the route of team web leads to %q", got)
	}
	if got := p.amtool("config", "show"); !strings.Contains(got, `group_by: ["alertname"]`) {
		t.Errorf("the configuration is\n%s", got)
	}
	if got := p.amtool("config", "routes", "test", "team=web", "severity=warning"); strings.TrimSpace(got) != "#alerts" {
		t.Errorf("the route of a warning leads to %q", got)
	}
}

func TestASilenceOfAlertmanagersHidesNoMoreThanThere(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
	p.configure("listen:\n  trust_loopback: true\n")
	p.start()
	for _, severity := range []string{"page", "critical", "emergency", "crit", "warning", "none"} {
		p.amtool("alert", "add", "alertname="+severity, "severity="+severity, "source=of "+severity, "title=of "+severity)
	}
	for matcher, want := range map[string]string{
		`severity=~"page|critical"`: "crit critical page", "severity=page": "page", "severity=critical": "crit critical", "severity=crit": "crit critical",
		`severity!~"page|critical|warning"`: "emergency none", "severity!=none": "crit critical emergency page warning",
		`source="of page"`: "page", `source!="of page"`: "crit critical emergency none warning", `title=~"of (page|crit)"`: "crit page", "source=prometheus": "",
	} {
		id := strings.TrimSpace(p.amtool("silence", "add", matcher, "alertname=~.+", "--comment=c", "--duration=1h"))
		name := matcher[:strings.IndexAny(matcher, "=!")]
		var hidden []string
		for line := range strings.Lines(p.amtool("alert", "query", "--silenced", "-o", "simple")) {
			if name := strings.Fields(line)[0]; name != "Alertname" {
				hidden = append(hidden, name)
			}
		}
		slices.Sort(hidden)
		if got := strings.Join(hidden, " "); got != want {
			t.Errorf("%s hides %s, not %s", matcher, got, want)
		}
		if got := p.amtool("silence", "query", "-o", "extended"); !strings.Contains(got, "{"+name+"=") && !strings.Contains(got, "{"+name+"!") {
			t.Errorf("the silence is shown as\n%s", got)
		}
		p.amtool("silence", "expire", id)
	}
}

// amtoolSilence is the id of the only active silence.
func (p *process) amtoolSilence() string {
	p.t.Helper()
	ids := strings.Fields(p.amtool("silence", "query", "-q"))
	if len(ids) != 1 {
		p.t.Fatalf("the active silences are %v", ids)
	}
	return ids[0]
}

// prometheusConfig has the rules, Tocsin's address and the targets filled in.
const prometheusConfig = `
global: {scrape_interval: 1s, evaluation_interval: 1s, external_labels: {cluster: eu}}
rule_files: [%[1]s]
alerting:
  alertmanagers:
  - static_configs: [{targets: ['%[2]s']}]
scrape_configs:
- job_name: web
  static_configs: [{targets: [%[3]s]}]
`

const prometheusRules = `
groups:
- name: g
  rules:
  - alert: TargetDown
    expr: up == 0
    labels: {severity: page}
    annotations: {summary: '{{ $labels.instance }} is down', description: 'at {{ with query "time()" }}{{ . | first | value }}{{ end }}'}
`

// startPrometheus starts Debian's Prometheus with these targets, and has it send to the daemon.
func startPrometheus(t *testing.T, p *process, targets ...*toggled) {
	t.Helper()
	program, dir := debian(t, "prometheus"), t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	addresses := []string{"'127.0.0.1:9'"}
	for _, target := range targets {
		target.listen(t)
		addresses = append(addresses, "'"+target.address+"'")
	}
	config := write("prometheus.yml", fmt.Sprintf(prometheusConfig, write("rules.yml", prometheusRules), p.env["TOCSIN_LISTEN"], strings.Join(addresses, ", ")))
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0", "--rules.alert.resend-delay=1s", "--web.external-url=http://prometheus.example.test/")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
}

func TestPrometheusSendsItsAlertsStraightToTocsin(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
	p.start()
	target := &toggled{}
	startPrometheus(t, p, target)
	down := "127.0.0.1:" + target.port() + " is down"
	until(t, s, "the card of the target that is never there", func(sn *playground.Snapshot) bool {
		return len(saying(sn.Messages("#alerts"), "127.0.0.1:9 is down")) == 1
	})
	expires := p.alertOf("127.0.0.1:9 is down").ExpiresAt
	until(t, s, "the alert to be repeated", func(*playground.Snapshot) bool { return p.alertOf("127.0.0.1:9 is down").ExpiresAt.After(expires) })
	if i := p.alertOf("127.0.0.1:9 is down"); i.Count != 1 || i.Severity != alert.Critical || i.Labels["cluster"] != "eu" {
		t.Errorf("it is %+v", i)
	}
	for _, card := range saying(s.Messages("#alerts"), "127.0.0.1:9 is down") {
		if text := asJSON(card); strings.Contains(text, "expires ") {
			t.Errorf("the card says when the alert expired before it was repeated: %s", text)
		}
	}
	target.close()
	until(t, s, "the card of the target that went down", func(sn *playground.Snapshot) bool { return len(saying(sn.Messages("#alerts"), down)) == 1 })
	p.kill()
	p.start()
	target.listen(t)
	until(t, s, "its end", func(sn *playground.Snapshot) bool { return len(saying(sn.Messages("#alerts"), "Resolved: "+down)) == 1 })
	if n := len(s.Messages("#alerts")); n > 5 {
		t.Errorf("there are %d messages for two alerts: %s", n, asJSON(s.Messages("#alerts")))
	}
}

// The alerts of Prometheus form a group: one card is edited while they fire, end and flap, also
// what happens while the daemon is not there.
func TestPrometheusGroupIsOneCardThroughACrash(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
	p.configure("routes:\n  - {name: all, group_by: [alertname, cluster], group_wait: 1s, group_interval: 1s}\n")
	p.start()
	a, b := &toggled{}, &toggled{}
	startPrometheus(t, p, a, b)
	says := func(words ...string) {
		t.Helper()
		until(t, s, fmt.Sprintf("one card that says %q", words), func(v *playground.Snapshot) bool {
			top, _ := cards(v.Messages("#alerts"))
			return len(top) == 1 && !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(top[0].Text, word) })
		})
	}
	says("127.0.0.1:9 is down")
	a.close()
	b.close()
	says("TargetDown (eu): 3 firing", a.address+" is down", b.address+" is down")
	p.kill()
	a.listen(t)
	p.start()
	says("TargetDown (eu): 2 firing, 1 resolved")
	for range 2 {
		a.close()
		says("TargetDown (eu): 3 firing")
		a.listen(t)
		says("TargetDown (eu): 2 firing, 1 resolved")
	}
	p.kill()
	b.listen(t)
	p.start()
	says("TargetDown (eu): 1 firing, 2 resolved")
	p.eventually("nothing to be pending", func() bool { return p.ledger().Total.Pending == 0 })
	if l := p.ledger().Total; l.Delivered != 1 || l.Accepted != l.Delivered+l.Folded {
		t.Errorf("the ledger is %+v", l)
	}
}

// alertOf is the incident of a title.
func (p *process) alertOf(title string) alert.Incident {
	p.t.Helper()
	var got struct{ Incidents []alert.Incident }
	if err := p.ask("/v1/incidents", &got); err != nil {
		p.t.Fatal(err)
	}
	for _, i := range got.Incidents {
		if i.Title == title {
			return i
		}
	}
	p.t.Fatalf("there is no incident %q", title)
	return alert.Incident{}
}

// toggled is a target of Prometheus that comes and goes.
type toggled struct {
	address string
	server  *http.Server
}

func (g *toggled) port() string { return g.address[strings.LastIndex(g.address, ":")+1:] }

func (g *toggled) listen(t *testing.T) {
	t.Helper()
	if g.address == "" {
		g.address = "127.0.0.1:0"
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	g.address = ln.Addr().String()
	g.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x 1\n") }), ReadHeaderTimeout: time.Second}
	go func() { _ = g.server.Serve(ln) }()
	t.Cleanup(g.close)
}

func (g *toggled) close() { _ = g.server.Close() }

func TestAlertmanagersAPIAnswersLikeAlertmanager(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	do := func(method, path, body string) (status int, answer string) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://tocsin"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := p.client().http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		got, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, strings.TrimSpace(string(got))
	}
	tomorrow := time.Now().Add(24 * time.Hour).Format(time.RFC3339)
	silence := func(matchers, more string) string {
		return `{"matchers":[` + matchers + `],"startsAt":"2026-01-01T00:00:00Z","endsAt":"` + tomorrow + `","createdBy":"ann","comment":"c"` + more + `}`
	}
	const team = `{"name":"team","value":"web","isRegex":false,"isEqual":true}`
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/api/v2/alerts", `[{"labels":{"alertname":"A","team":"web"}}]`, 200, ""},
		{"POST", "/api/v2/alerts", `[]`, 200, ""},
		{"POST", "/api/v2/alerts", `{`, 400, ""},
		{"POST", "/api/v2/alerts", `[{"labels":{"alertname":"B"}},{"labels":{}}]`, 400, "alert 2: at least one label pair required"},
		{"GET", "/api/v2/alerts", "", 200, `"alertname":"B"`},
		{"GET", "/api/v2/alerts?filter=alertname%3DA", "", 200, `"fingerprint":"`},
		{"GET", "/api/v2/alerts?filter=alertname%3DC", "", 200, `[]`},
		{"GET", "/api/v2/alerts?active=false", "", 200, `[]`},
		{"GET", "/api/v2/alerts?active=perhaps", "", 200, "[]"},
		{"GET", "/api/v2/alerts?filter=%7B%7B", "", 400, ""},
		{"GET", "/api/v2/alerts?receiver=%28", "", 400, "failed to parse receiver param"},
		{"GET", "/api/v2/alerts?receiver=nobody", "", 200, "[]"},
		{"GET", "/api/v2/alerts/groups", "", 200, `"receiver":{"name":"#alerts"}`},
		{"GET", "/api/v2/receivers", "", 200, `[{"name":"#alerts"}]`},
		{"GET", "/api/v2/status", "", 200, `"versionInfo"`},
		{"GET", "/api/v2/silences", "", 200, "[]"},
		{"GET", "/api/v2/silence/00000000-0000-0000-0000-000000000000", "", 404, ""},
		{"DELETE", "/api/v2/silence/00000000-0000-0000-0000-000000000000", "", 404, ""},
		{"POST", "/api/v2/silences", silence(team, ""), 200, `"silenceID":"s-`},
		{"POST", "/api/v2/silences", silence(`{"name":"severity","value":"page","isRegex":false,"isEqual":true}`, ""), 200, `"silenceID":"s-`},
		{"GET", "/api/v2/silences?filter=severity%3Dpage", "", 200, `"name":"severity","value":"page"`},
		{"POST", "/api/v2/silences", silence("", ""), 422, `{"code":612,"message":"matchers in body should have at least 1 items"}`},
		{"POST", "/api/v2/silences", "", 422, `{"code":602,"message":"silence in body is required"}`},
		{"POST", "/api/v2/silences", "[]", 400, `{"code":400,"message":"parsing silence body from`},
		{"POST", "/api/v2/silences", silence(team, `,"annotations":{"ticket":"7"}`), 200, `"silenceID":"s-`},
		{"POST", "/api/v2/silences", `{"matchers":[` + team + `],"startsAt":"2030-01-01T00:00:00Z","endsAt":"2030-01-01T00:00:00Z","createdBy":"ann","comment":"c"}`, 400, "start time must be before end time"},
		{"PUT", "/api/v2/alerts", "[]", 405, `{"code":405,"message":"method PUT is not allowed, but [GET,POST] are"}`},
		{"GET", "/api/v2/nope", "", 404, `{"code":404,"message":"path /api/v2/nope was not found"}`},
		{"POST", "/api/v2/silences", silence(`{"name":"a","value":"(","isRegex":true}`, ""), 400, ""},
		{"POST", "/api/v2/silences", silence(`{"name":"a","value":".*","isRegex":true}`, ""), 400, ""},
		{"POST", "/api/v2/silences", silence(team, `,"id":"s-zzzz"`), 404, `"silence not found"`},
		{"POST", "/api/v2/silences", `{"matchers":[` + team + `],"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z","createdBy":"ann","comment":"c"}`, 400, "start time must be before end time"},
		{"POST", "/api/v2/silences", `{"matchers":[` + team + `],"startsAt":"2026-01-01T00:00:00Z","endsAt":"2026-01-02T00:00:00Z","createdBy":"ann","comment":"c"}`, 400, "end time can't be in the past"},
		{"POST", "/api/v2/silences", `{"matchers":7}`, 400, ""},
		{"GET", "/api/v2/silences?filter=team%3Dweb", "", 200, `"state":"active"`},
		{"GET", "/api/v2/silences?filter=team%3Ddb", "", 200, `[]`},
		{"GET", "/api/v2/alerts?silenced=false&filter=team%3Dweb", "", 200, "[]"},
		{"GET", "/-/healthy", "", 200, "OK"},
		{"GET", "/-/ready", "", 200, ""},
	} {
		status, answer := do(c.method, c.path, c.body)
		if status != c.status || !strings.Contains(answer, c.says) || c.status == 200 && c.says == "" && c.method == "POST" && answer != "" {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, status, answer)
		}
		if answer != "" && answer != "OK" && !json.Valid([]byte(answer)) {
			t.Errorf("%s %s: %s is not JSON", c.method, c.path, answer)
		}
	}
}
