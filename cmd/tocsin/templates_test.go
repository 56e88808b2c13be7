package main

import (
	"fmt"
	"strings"
	"testing"

	"tocsin/playground"
)

const wordedRoute = `
routes:
  - name: worded
    match: team="db"
    to: "#ops"
    title: "{{ .Title | toUpper }} on {{ .CommonLabels.host }}"
    text: "{{ humanize .Labels.load }} *requests* <!channel>"
    fields: {Host: "{{ .Labels.host }}.example.com"}
`

func TestARouteWordsItsCardsAlsoAfterARestartAndSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure(wordedRoute)
	p.start()
	alertWith := func(load string) map[string]any {
		return map[string]any{"key": load, "title": "disk full", "labels": map[string]any{"team": "db", "host": "db-3", "load": load}}
	}
	accepted := p.mustPush(alertWith("12345"), alertWith("much"))
	p.settle(accepted...)
	p.kill()
	p.start()
	p.command("ack", accepted[0].Incident, "--as", "ann")
	until(t, s, "the card of the first one, acknowledged, and the note of the second", func(sn *playground.Snapshot) bool {
		ops := sn.Messages("#ops")
		return len(saying(ops, "Acknowledged")) > 0 && len(saying(ops, "is not a number")) == 1
	})
	cards, _ := cards(s.Messages("#ops"))
	good, bad := saying(cards, "DISK FULL on db-3"), saying(cards, "much")
	if len(good) != 1 || len(bad) != 1 || !strings.Contains(shown(good[0]), "12.35k *requests* ") || !strings.Contains(shown(good[0]), "Host: db-3.example.com") {
		t.Fatalf("the cards are %v", cards)
	}
	if strings.Contains(good[0].Text, "<!channel>") {
		t.Error("what a template writes notifies people")
	}
	if !strings.Contains(shown(bad[0]), "disk full") || strings.Contains(shown(bad[0]), "DISK") {
		t.Errorf("the other one is %s", shown(bad[0]))
	}
	if text := p.command("incidents", "show", accepted[0].Incident); !strings.Contains(text, "sent as:") || !strings.Contains(text, "Host: db-3.example.com") {
		t.Errorf("the shell shows\n%s", text)
	}
}

func TestAnAlertmanagersTitleIsThatOfTheGroupAndFollowsItsAlerts(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure(groupedByCluster + `
    title: '[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}] DiskFull ({{ .GroupLabels.cluster }})'
    text: "{{ range .Alerts.Firing }}{{ .Annotations.summary }}. {{ end }}"
`)
	p.start()
	var all []map[string]any
	for host := range 30 {
		all = append(all, full("eu", fmt.Sprintf("db-%02d", host), "error"))
	}
	p.settle(p.mustPush(all...)...)
	card := wantGroup(t, s, "eu", "[FIRING:30] DiskFull (eu)", "disk full on db-19.", "disk full on db-09  ·  since", "30 firing")
	if strings.Contains(card.Text, "disk full on db-20") {
		t.Errorf("the text lists more than it should: %s", card.Text)
	}
	p.kill()
	p.start()
	worse := full("eu", "db-25", "critical")
	p.settle(p.mustPush(over("eu", "db-00"), worse)...)
	wantGroup(t, s, "eu", "[FIRING:29] DiskFull (eu)", "\ndisk full on db-25. disk full on db-01. ", "29 firing, 1 resolved")
	for _, a := range all {
		a["status"] = "resolved"
	}
	p.settle(p.mustPush(all...)...)
	wantGroup(t, s, "eu", "Resolved: [RESOLVED] DiskFull (eu)", "30 resolved")
	if text := p.command("incidents", "--state", "resolved"); !strings.Contains(text, "[RESOLVED] DiskFull (eu)") {
		t.Errorf("the shell lists\n%s", text)
	}
}
