package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tocsin/playground"
)

// documentedMetrics are the rows of the table in docs/metrics.md by their names: type, labels
// and help.
func documentedMetrics(t *testing.T) map[string][3]string {
	t.Helper()
	rows := map[string][3]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\| (.*?) \\| (.*) \\|$").FindAllStringSubmatch(read(t, "../../docs/metrics.md"), -1) {
		rows[m[1]] = [3]string{m[2], strings.ReplaceAll(m[3], "`", ""), m[4]}
	}
	return rows
}

// What a counter is when Prometheus first reads it is no increase.
func TestWhatAlertRulesWaitForIsThereBeforeItHappens(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	p.start()
	text := p.metrics()
	counters := regexp.MustCompile(`increase\((\w+(?:\{.*?\})?)\[`).FindAllStringSubmatch(read(t, "../../monitoring/tocsin.rules.yml"), -1)
	for _, c := range counters {
		if !strings.Contains(text, "\n"+c[1]+" 0\n") {
			t.Errorf("%s is not 0 at the start:\n%s", c[1], text)
		}
	}
	if len(counters) < 2 {
		t.Errorf("the rules have %d counters", len(counters))
	}
}

func TestEachMetricIsDocumentedAndPassesPromtool(t *testing.T) {
	t.Parallel()
	documented := documentedMetrics(t)
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	settled := p.mustPush(firing("a", "disk full on db-1"))
	p.settle(settled...)
	if said, err := p.tocsin("ack", settled[0].Incident); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if err := s.SetFault(playground.Fault{Kind: playground.FaultThrottle, Method: "chat.postMessage", RetryAfter: 600}); err != nil {
		t.Fatal(err)
	}
	p.mustPush(firing("b", "it waits"))
	p.eventually("the metrics of a lane", func() bool { return strings.Contains(p.metrics(), "tocsin_lane_oldest_seconds{") })
	text := p.metrics()

	families := regexp.MustCompile(`(?m)^# HELP (\w+) (.*)\n# TYPE \w+ (\w+)\n(\w+?)(?:\{(.*)\})? `).FindAllStringSubmatch(text, -1)
	for _, f := range families {
		name, help, kind := f[1], f[2], f[3]
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		var labels []string
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(f[5], -1) {
			if l[1] != "le" {
				labels = append(labels, l[1])
			}
		}
		if got, want := [3]string{kind, strings.Join(labels, ", "), help}, documented[name]; got != want {
			t.Errorf("%s is %q, docs/metrics.md says %q", name, got, want)
		}
	}
	if len(families) < 30 {
		t.Errorf("found %d metrics", len(families))
	}
	var sources strings.Builder
	for _, file := range goSources(t) {
		sources.WriteString(read(t, file))
	}
	for name := range documented {
		if !strings.Contains(sources.String(), `"`+name+`"`) {
			t.Errorf("docs/metrics.md has %s, and nothing exports it", name)
		}
	}
	for _, m := range regexp.MustCompile(`(?:Name:\s+|counter\(|gauges\(|NewDesc\()"(tocsin_\w+)"`).FindAllStringSubmatch(sources.String(), -1) {
		if _, ok := documented[m[1]]; !ok {
			t.Errorf("docs/metrics.md does not have %s", m[1])
		}
	}
	lint := exec.CommandContext(t.Context(), debian(t, "promtool"), "check", "metrics")
	lint.Stdin = strings.NewReader(text)
	if said, err := lint.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("promtool says %v: %s", err, said)
	}
}

func TestRulesAndDashboardAskForMetricsThatExist(t *testing.T) {
	t.Parallel()
	documented := documentedMetrics(t)
	var dashboard any
	if err := json.Unmarshal([]byte(read(t, "../../monitoring/grafana.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	expressions := expressionsIn(dashboard)
	if len(expressions) < 20 {
		t.Errorf("the dashboard has %d expressions", len(expressions))
	}
	rules := read(t, "../../monitoring/tocsin.rules.yml")
	asked := strings.Join(expressions, "\n")
	for _, m := range regexp.MustCompile(`(?m)^ +expr: (.*)$`).FindAllStringSubmatch(rules, -1) {
		asked += "\n" + m[1]
	}
	for _, name := range regexp.MustCompile(`\b(tocsin_\w+)\b`).FindAllString(asked, -1) {
		_, whole := documented[name]
		kind := documented[regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")][0]
		if !whole && kind != "histogram" {
			t.Errorf("%s is asked for, and there is no such metric", name)
		}
	}

	promtool := debian(t, "promtool")
	parsed := "groups:\n- name: dashboard\n  rules:\n"
	for _, e := range expressions {
		e = strings.NewReplacer("$__rate_interval", "5m", "$instance", "a").Replace(e)
		parsed += "  - record: asked\n    expr: '" + strings.ReplaceAll(e, "'", "''") + "'\n"
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, []byte(parsed), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"check", "rules", "--lint=none", file},
		{"check", "rules", "../../monitoring/tocsin.rules.yml"},
		{"test", "rules", "../../monitoring/tocsin.rules.test.yml"},
	} {
		if said, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, said)
		}
	}
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		if !strings.Contains(read(t, "../../monitoring/tocsin.rules.test.yml"), "alertname: "+m[1]+"\n") {
			t.Errorf("no test makes %s fire", m[1])
		}
	}
}

// expressionsIn are the values of expr anywhere in a document.
func expressionsIn(v any) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		if e, ok := v["expr"].(string); ok {
			all = append(all, e)
		}
		for _, child := range v {
			all = append(all, expressionsIn(child)...)
		}
	case []any:
		for _, child := range v {
			all = append(all, expressionsIn(child)...)
		}
	}
	return all
}

// goSources are the files of the program.
func goSources(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(sources(t), func(file string) bool { return strings.HasSuffix(file, "_test.go") })
}
