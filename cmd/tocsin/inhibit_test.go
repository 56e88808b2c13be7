package main

import (
	"fmt"
	"slices"
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

const inhibitInGroups = inhibitClusters + `
routes:
  - name: all
    match: severity!="error"
    group_by: [kind]
    group_wait: 1s
    group_interval: 1s
`

// The alerts of a group are hidden one by one, by a member of another group and over a kill,
// and shown in the card of their group once that ends.
func TestTheCardOfAGroupLeavesOutWhatAnotherAlertHides(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
	p.configure(inhibitInGroups)
	p.start()
	of := func(kind, title, severity, cluster string) map[string]any {
		a := inCluster(title, severity, cluster)
		a["labels"].(map[string]any)["kind"] = kind
		return a
	}
	card := func(what string, says, saysNot []string) {
		t.Helper()
		until(t, s, what, func(sn *playground.Snapshot) bool {
			cards := saying(sn.Messages("#alerts"), "slow-web")
			return len(cards) == 1 && !slices.ContainsFunc(says, func(w string) bool { return len(saying(cards, w)) == 0 }) &&
				!slices.ContainsFunc(saysNot, func(w string) bool { return len(saying(cards, w)) > 0 })
		})
	}
	all := p.mustPush(of("slow", "slow-db", "warning", "eu"), of("slow", "slow-web", "warning", "us"), of("slow", "slow-api", "info", "us"),
		of("down", "cluster-down", "critical", "eu"), of("down", "another-down", "critical", "asia"))
	card("the card of what nothing hides", []string{"slow-web", "slow-api", "2 firing"}, []string{"slow-db"})
	source := all[3].Incident
	if got := p.command("incidents", "show", all[0].Incident); !strings.Contains(got, "inhibited by "+source) || !strings.Contains(got, "slow-db") {
		t.Errorf("the group is\n%s", got)
	}
	if got := p.amtool("alert", "query", "--inhibited", "-o", "extended"); !strings.Contains(got, "slow-db") || strings.Contains(got, "slow-web") {
		t.Errorf("the inhibited alerts are\n%s", got)
	}

	p.kill()
	p.start()
	p.mustPush(of("slow", "slow-disk", "info", "eu"), of("slow", "slow-dns", "info", "mars"))
	card("the card after a kill", []string{"3 firing", "slow-dns"}, []string{"slow-db", "slow-disk"})
	resolved := of("down", "cluster-down", "critical", "eu")
	resolved["status"] = "resolved"
	p.mustPush(resolved)
	card("the card once the other ended", []string{"5 firing", "slow-db", "slow-disk"}, nil)
	p.eventually("a ledger without anything pending", func() bool { total := p.ledger().Total; return total.Pending == 0 && total.Accepted == 8 })
}

// The first card of a group that Slack was too busy for is posted as the group is by then. It names the alerts also if none of them would be shown otherwise.
func TestACardThatIsPostedOnceAllOfItsGroupAreHiddenNamesThem(t *testing.T) {
	t.Parallel()
	of := func(title, severity, status string) map[string]any {
		a := inCluster(title, severity, "eu")
		a["status"], a["labels"].(map[string]any)["kind"] = status, severity
		return a
	}
	firing := []map[string]any{of("slow-db", "warning", "firing"), of("slow-web", "warning", "firing")}
	for name, c := range map[string]struct {
		hide func(p *process)
		says []string
	}{
		"inhibited": {func(p *process) { p.mustPush(of("cluster-down", "critical", "firing")); p.mustPush(firing...) }, []string{"2 inhibited", "Inhibited by"}},
		"silenced":  {func(p *process) { p.command("silence", "cluster=eu", "--for", "1h") }, []string{"2 silenced", "Silenced until"}},
		"resolved": {func(p *process) {
			p.mustPush(of("slow-db", "warning", "resolved"), of("slow-web", "warning", "resolved"))
		}, []string{"2 resolved", "Resolved"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := slack(t, playground.Options{})
			p := prepare(t, s, map[string]string{"TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
			p.configure(inhibitInGroups)
			p.start()
			fault(t, s, playground.Fault{Kind: playground.FaultThrottle, Method: "chat.postMessage"})
			p.mustPush(firing...)
			until(t, s, "a first try to post the card", func(sn *playground.Snapshot) bool { return sn.CallCount("chat.postMessage") > 0 })
			c.hide(p)
			s.ClearFaults()
			p.eventually("nothing to be pending", func() bool { return p.ledger().Total.Pending == 0 })
			cards := saying(s.Messages("#alerts"), "kind=warning")
			if len(cards) != 1 {
				t.Fatalf("there are %d cards", len(cards))
			}
			for _, word := range append(c.says, "slow-db", "slow-web") {
				if !strings.Contains(cards[0].Text, word) {
					t.Errorf("the card does not say %q: %s", word, cards[0].Text)
				}
			}
		})
	}
}
