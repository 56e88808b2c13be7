package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"tocsin/playground"
)

const (
	besideGroups  = 100
	besideMembers = 100 // alerts of each group
	besideRounds  = 10  // how often each alert is repeated
	besideBatch   = 64  // alerts in a request, as Prometheus sends them
	// besideQuiet is how long Slack is not called any more until a program counts as done:
	// several times the group_interval.
	besideQuiet = 15 * time.Second
)

// besideAlertmanager and besideTocsin group alike, and post a message for each group.
const (
	besideAlertmanager = `
route: {receiver: slack, group_by: [cluster], group_wait: 1s, group_interval: 5s, repeat_interval: 4h}
receivers:
- name: slack
  slack_configs:
  - api_url: %schat.postMessage
    channel: '#alerts'
    http_config: {authorization: {credentials: %s}}
    title: '{{ .CommonLabels.cluster }}: {{ .Alerts.Firing | len }} firing'
`
	besideTocsin = "delivery: {digest_above: 1000}\nroutes: [{name: all, group_by: [cluster], group_wait: 1s, group_interval: 5s}]\n"
)

// BenchmarkBesideAlertmanager gives Debian's Alertmanager and Tocsin the same 10,000 alerts
// of 100 groups, each repeated ten times, at Slack's pace. It reports how long each takes
// until the last group shows all of its alerts, its calls to Slack, its memory, and how many
// groups are never shown if it is killed as soon as the first one is.
func BenchmarkBesideAlertmanager(b *testing.B) {
	for b.Loop() {
		for _, program := range []string{"alertmanager", "tocsin"} {
			b.Run(program, func(b *testing.B) {
				c := newContender(b, program)
				c.start()
				began := time.Now()
				c.push(besideRounds)
				shown, last := c.settle()
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(last.Sub(began).Seconds(), "s-to-last-card")
				b.ReportMetric(float64(besideGroups-shown), "groups-not-shown")
				b.ReportMetric(float64(c.calls()), "calls")
				b.ReportMetric(residentMB(b, c.cmd().Process.Pid), "rss-MB")

				c = newContender(b, program)
				c.start()
				c.push(1)
				until(b, c.slack, "the first card", func(sn *playground.Snapshot) bool { return sn.MessageCount("#alerts") > 0 })
				c.kill()
				c.start()
				shown, _ = c.settle()
				b.ReportMetric(float64(besideGroups-shown), "groups-lost-by-kill")
			})
		}
	}
}

// contender is a program that takes alerts by Alertmanager's API and tells Slack.
type contender struct {
	b     *testing.B
	slack *playground.Server
	url   string // of its API
	start func()
	kill  func()
	cmd   func() *exec.Cmd
}

func newContender(b *testing.B, program string) *contender {
	b.Helper()
	s := slack(b, playground.Options{})
	address := freeAddress(b.Context(), "127.0.0.1:0")
	c := &contender{b: b, slack: s, url: "http://" + address}
	if program == "tocsin" {
		p := prepare(b, s, map[string]string{"TOCSIN_LISTEN": address})
		p.path = shipped(b)
		p.configure(besideTocsin)
		c.start, c.kill, c.cmd = p.start, p.kill, func() *exec.Cmd { return p.cmd }
		return c
	}
	dir := b.TempDir()
	file := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, besideAlertmanager, s.APIURL(), s.BotToken()), 0o600); err != nil {
		b.Fatal(err)
	}
	var running *exec.Cmd
	c.cmd = func() *exec.Cmd { return running }
	c.start = func() {
		running = startTool(b, nil, c.url+"/-/ready", debian(b, "prometheus-alertmanager"),
			"--config.file="+file, "--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address=")
	}
	c.kill = func() {
		_ = running.Process.Kill()
		_ = running.Wait() // it was killed
	}
	return c
}

// push sends all alerts, so many times.
func (c *contender) push(rounds int) {
	c.b.Helper()
	for range rounds {
		var batch []map[string]any
		for n := range besideGroups * besideMembers {
			batch = append(batch, map[string]any{
				"labels":      map[string]string{"alertname": "DiskFull", "cluster": fmt.Sprintf("cluster-%03d", n%besideGroups), "instance": fmt.Sprintf("db-%05d", n)},
				"annotations": map[string]string{"summary": fmt.Sprintf("the disk of db-%05d is full", n)},
			})
			if len(batch) == besideBatch || n == besideGroups*besideMembers-1 {
				c.post(batch)
				batch = nil
			}
		}
	}
}

func (c *contender) post(batch []map[string]any) {
	c.b.Helper()
	body, err := json.Marshal(batch)
	if err != nil {
		c.b.Fatal(err)
	}
	resp, err := http.Post(c.url+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil {
		c.b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if said, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		c.b.Fatalf("answered %s: %s", resp.Status, said)
	}
}

// calls is how many messages were posted or edited, or should have been.
func (c *contender) calls() int {
	n := 0
	for _, call := range c.slack.Calls() {
		if call.Method == "chat.postMessage" || call.Method == "chat.update" {
			n++
		}
	}
	return n
}

// complete finds a card that shows all alerts of a group.
var complete = regexp.MustCompile(fmt.Sprintf(`cluster-(\d{3})[^"]*\b%d firing`, besideMembers))

// settle waits until Slack is not called any more or all groups are complete, and returns how
// many groups are, and when the last call was made.
func (c *contender) settle() (groups int, last time.Time) {
	c.b.Helper()
	for {
		before := c.calls()
		ctx, cancel := context.WithTimeout(c.b.Context(), besideQuiet)
		err := c.slack.Wait(ctx, func(sn *playground.Snapshot) bool {
			found := map[string]bool{}
			for _, m := range sn.Messages("#alerts") {
				for _, match := range complete.FindAllStringSubmatch(shown(m), -1) {
					found[match[1]] = true
				}
			}
			if len(found) > groups {
				groups, last = len(found), time.Now()
			}
			return groups == besideGroups
		})
		cancel()
		if err == nil || c.calls() == before {
			return groups, last
		}
	}
}
