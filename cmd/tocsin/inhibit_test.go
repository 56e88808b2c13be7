package main

import (
	"fmt"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

const inhibitClusters = `
listen: {trust_loopback: true}
inhibit:
  - name: worse
    source: severity="critical"
    target: severity!="critical"
    equal: [cluster]
`

// inCluster is a firing alert of a cluster.
func inCluster(key, severity, cluster string) map[string]any {
	return map[string]any{"key": key, "title": key, "severity": severity, "labels": map[string]any{"cluster": cluster}}
}

func TestWhatAnotherAlertHidesIsShownOnceThatEnds(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
	p.configure(inhibitClusters)
	p.start()
	stands := func(want alert.Counts) {
		t.Helper()
		p.eventually(fmt.Sprintf("the ledger to be %+v", want), func() bool { return p.ledger().Total == want })
	}
	source := p.mustPush(inCluster("cluster-down", "critical", "eu"))[0]
	p.settle(source)
	stands(alert.Counts{Accepted: 1, Delivered: 1})
	hidden := p.mustPush(inCluster("slow-db", "warning", "eu"), inCluster("slow-db", "warning", "eu"), inCluster("slow-web", "warning", "us"))
	p.settle(hidden[2])
	stands(alert.Counts{Accepted: 4, Delivered: 2, Silenced: 2})
	if got := p.command("incidents", "show", hidden[0].Incident); !strings.Contains(got, "open (inhibited)") || !strings.Contains(got, "by "+source.Incident) ||
		!strings.Contains(got, "inhibited by "+source.Incident+" (cluster-down)") {
		t.Errorf("what is hidden is shown as\n%s", got)
	}
	if got := p.command("incidents", "show", source.Incident); !strings.Contains(got, "1 incident") {
		t.Errorf("what hides it is shown as\n%s", got)
	}
	if got := p.amtool("alert", "query", "--inhibited", "-o", "extended"); !strings.Contains(got, "slow-db") || !strings.Contains(got, "suppressed") || strings.Contains(got, "slow-web") {
		t.Errorf("the inhibited alerts are\n%s", got)
	}
	if got := p.amtool("alert", "query", "-o", "simple"); strings.Contains(got, "slow-db") || !strings.Contains(got, "slow-web") {
		t.Errorf("the active alerts are\n%s", got)
	}
	if got := p.amtool("config", "show"); !strings.Contains(got, "inhibit_rules") || !strings.Contains(got, "cluster") {
		t.Errorf("the configuration is\n%s", got)
	}

	p.kill()
	p.start()
	p.settle(p.mustPush(inCluster("slow-cache", "info", "eu"), inCluster("disk", "error", "us"))[1])
	stands(alert.Counts{Accepted: 6, Delivered: 3, Silenced: 3})
	if n := len(saying(s.Messages("#alerts"), "slow-db")) + len(saying(s.Messages("#alerts"), "slow-cache")); n != 0 {
		t.Fatalf("what is inhibited is shown in %d messages", n)
	}

	resolved := inCluster("cluster-down", "critical", "eu")
	resolved["status"] = "resolved"
	p.mustPush(resolved)
	until(t, s, "the cards of what still fires", func(sn *playground.Snapshot) bool {
		return len(saying(sn.Messages("#alerts"), "slow-db")) == 1 && len(saying(sn.Messages("#alerts"), "slow-cache")) == 1
	})
	stands(alert.Counts{Accepted: 7, Delivered: 3, Folded: 1, Silenced: 3})
	if got := p.command("incidents", "show", hidden[0].Incident); strings.Contains(got, "(inhibited)") || !strings.Contains(got, "shown in") {
		t.Errorf("what was hidden is shown as\n%s", got)
	}
}
