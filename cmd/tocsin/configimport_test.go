package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tocsin/config"
)

// nestedRoutes is a configuration of Alertmanager's with every way in which routes can be
// nested and continue. Each receiver's channel has its name.
const nestedRoutes = `
route:
  receiver: all
  group_by: [alertname]
  routes:
    - receiver: audit
      continue: true
      matchers: [severity=~"critical|error"]
    - receiver: web
      match: {team: web}
      routes:
        - receiver: web-eu
          match_re: {region: eu-.*}
        - receiver: web-audit
          continue: true
          matchers: ['env!="dev"']
        - receiver: web-error
          match: {severity: error}
    - receiver: db
      continue: true
      matchers: [ 'team =~ "db|dba"' ]
      routes:
        - receiver: db-critical
          match: {severity: critical}
        - receiver: db-dev
          matchers: [ env = dev ]
    - receiver: dev
      match: {env: dev}
    - matchers: [ 'region!~"eu-.*|us-.*"', team="dba" ]
      receiver: nowhere-else
receivers:
`

func TestImportedRoutesGoWhereAmtoolSays(t *testing.T) {
	t.Parallel()
	amtool := debian(t, "amtool")
	file := nestedRoutes
	for _, name := range strings.Fields("all audit web web-eu web-audit web-error db db-critical db-dev dev nowhere-else") {
		file += fmt.Sprintf("  - {name: %s, slack_configs: [{channel: '#%s', api_url: 'http://slack.example'}]}\n", name, name)
	}
	dir := t.TempDir()
	theirs, ours := filepath.Join(dir, "alertmanager.yml"), filepath.Join(dir, "tocsin.yaml")
	made, err := config.ImportAlertmanager([]byte(file), func(string) []string { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{theirs: file, ours: made.YAML} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(world{getenv: func(string) string { return "" }}.input(map[string]string{"config": ours, "store": "sqlite:/x"}))
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 40 {
		var labels []string
		for _, label := range []struct {
			name   string
			values []string
		}{{"team", []string{"", "web", "db", "dba"}}, {"env", []string{"", "dev", "prod"}}, {"region", []string{"", "eu-1", "us-2", "ap"}}, {"severity", []string{"critical", "error", "warning"}}} {
			if value := label.values[random.IntN(len(label.values))]; value != "" {
				labels = append(labels, label.name+"="+value)
			}
		}
		subject, err := parseSubject(labels)
		if err != nil {
			t.Fatal(err)
		}
		got := cfg.Routing.Plan(subject).Lanes()
		if want := amtoolReceivers(t.Context(), t, amtool, theirs, labels); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("seed %d: %v goes to %v, with amtool to %v", seed, labels, got, want)
		}
	}
}

// amtoolReceivers are the channels of the receivers that amtool names.
func amtoolReceivers(ctx context.Context, t *testing.T, amtool, file string, labels []string) []string {
	out, err := exec.CommandContext(ctx, amtool, append([]string{"config", "routes", "test", "--config.file=" + file}, labels...)...).Output()
	if err != nil {
		t.Fatalf("amtool: %v", err)
	}
	var all []string
	for name := range strings.SplitSeq(strings.TrimSpace(string(out)), ",") {
		all = append(all, "#"+name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
