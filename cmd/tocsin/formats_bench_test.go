package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/ingest"
	"tocsin/playground"
)

// byExpressions is Alertmanager's body read by expressions.
const byExpressions = `
ingest:
  webhooks:
    - name: expressions
      each: body.alerts
      title: item.annotations.summary
      text: item.annotations.description
      status: item.status
      severity: item.labels.severity
      key: item.fingerprint
      labels: item.labels
      at: item.startsAt
      links: '[{label: "Graph", url: item.generatorURL}]'
`

// BenchmarkAcceptFormats is how fast the alerts of each tool's sample are on disk and
// answered, each request with a key of its own, from 64 connections.
func BenchmarkAcceptFormats(b *testing.B) {
	p := formatDaemon(b)
	var n atomic.Int64
	for _, f := range ingest.Formats() {
		body := sampleBody(b, f.Sample)
		mark, alerts := markOf(b, f, body)
		benchFormat(b, p, f.Name, strings.ReplaceAll(f.Path, "{channel}", "alerts"), 64, alerts, func() []byte {
			return bytes.ReplaceAll(body, []byte(mark), []byte(mark+strconv.FormatInt(n.Add(1), 10)))
		})
	}
	benchFormat(b, p, "expressions", "/v1/webhooks/expressions", 64, 1, func() []byte { return alertmanagers(b, 1, n.Add(1)) })
}

// BenchmarkAcceptGroups is how fast the alerts of a webhook with 60 of them are on disk, beside
// the same number in NDJSON. They take turns, so that other load affects both, and Slack asks
// to wait all the time, so that no delivery costs either.
func BenchmarkAcceptGroups(b *testing.B) {
	s := slack(b, playground.Options{})
	if err := s.SetFault(playground.Fault{Kind: playground.FaultThrottle, RetryAfter: 3600}); err != nil {
		b.Fatal(err)
	}
	p := daemonFor(b, s)
	const each, turn = 60, 25
	var n atomic.Int64
	lines := func() (body []byte) {
		for range each {
			body = append(append(body, one(n.Add(1))...), '\n')
		}
		return body
	}
	group := func() []byte { return alertmanagers(b, each, n.Add(1)) }
	for _, path := range []string{"/v1/webhooks/alertmanager", "/v1/webhooks/expressions"} {
		b.Run(filepath.Base(path), func(b *testing.B) {
			var ours, beside spent
			for left := b.N; left > 0; left -= each * turn {
				beside.add(postAll(b, p, "/v1/alerts", 4, bodiesOf(turn, lines)))
				ours.add(postAll(b, p, path, 4, bodiesOf(turn, group)))
			}
			ours.report(b, "", each*turn)
			beside.report(b, "ndjson-", each*turn)
			b.ReportMetric(float64(beside.time)/float64(ours.time), "of-ndjson's-rate")
		})
	}
}

// spent is what the requests of one kind have taken.
type spent struct {
	turns int
	time  time.Duration
	ticks int
}

func (s *spent) add(took time.Duration, ticks int) {
	s.turns++
	s.time += took
	s.ticks += ticks
}

// report reports the rate of what was spent for alerts in each turn.
func (s *spent) report(b *testing.B, prefix string, alerts int) {
	b.Helper()
	all := float64(s.turns * alerts)
	b.ReportMetric(all/s.time.Seconds(), prefix+"alerts/s")
	b.ReportMetric(float64(s.ticks)*1e4/all, prefix+"daemon-µs/alert")
}

func formatDaemon(b *testing.B) *process {
	b.Helper()
	return daemonFor(b, slack(b, playground.Options{}))
}

// daemonFor is the daemon that is shipped, with the webhook expressions.
func daemonFor(b *testing.B, s *playground.Server) *process {
	b.Helper()
	p := prepare(b, s, nil)
	p.path = shipped(b)
	p.configure(byExpressions)
	p.start()
	return p
}

// benchFormat posts requests of each alerts. Bodies are made before the clock runs.
func benchFormat(b *testing.B, p *process, name, path string, conns, each int, next func() []byte) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		bodies := bodiesOf((b.N+each-1)/each, next)
		b.ResetTimer()
		var all spent
		all.add(postAll(b, p, path, conns, bodies))
		all.report(b, "", len(bodies)*each)
	})
}

func bodiesOf(count int, next func() []byte) [][]byte {
	bodies := make([][]byte, count)
	for n := range bodies {
		bodies[n] = next()
	}
	return bodies
}

// postAll posts bodies over so many connections, and returns how long that took and the
// processor time of the daemon.
func postAll(b *testing.B, p *process, path string, conns int, bodies [][]byte) (took time.Duration, ticks int) {
	b.Helper()
	kind := "application/json"
	if path == "/v1/alerts" {
		kind = "application/x-ndjson"
	}
	var at atomic.Int64
	var group sync.WaitGroup
	before, begin := cpuTicks(b, p.cmd.Process.Pid), time.Now()
	for range conns {
		c := dialDaemon(b, "unix", p.env["TOCSIN_SOCKET"])
		group.Go(func() {
			for n := at.Add(1) - 1; int(n) < len(bodies); n = at.Add(1) - 1 {
				if err := c.postTo(path, kind, bodies[n]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return time.Since(begin), cpuTicks(b, p.cmd.Process.Pid) - before
}

// markOf returns a part of a sample that gives its first alert another key when it is
// changed, and how many alerts the sample has.
func markOf(b *testing.B, f ingest.Format, body []byte) (mark string, alerts int) {
	b.Helper()
	first := func(body []byte) (a alert.Alert, count int) {
		in, err := f.Read(ingest.Request{Body: body, Header: http.Header{}})
		if err != nil || len(in.Alerts) == 0 {
			return a, 0
		}
		a = in.Alerts[0]
		if err := a.Prepare(time.Now()); err != nil {
			return a, 0
		}
		return a, len(in.Alerts)
	}
	a, count := first(body)
	key := a.Key[strings.LastIndexByte(a.Key, '/')+1:]
	for _, mark := range append([]string{key, a.Title}, slices.Sorted(maps.Values(a.Labels))...) {
		other, _ := first(bytes.ReplaceAll(body, []byte(mark), []byte(mark+"1")))
		if mark != "" && other.Key != "" && other.Key != a.Key {
			return mark, count
		}
	}
	b.Fatalf("nothing in %s changes the key %s", f.Sample, a.Key)
	return "", 0
}

// alertmanagers is a body of Alertmanager with so many alerts; first makes them others.
func alertmanagers(b *testing.B, count int, first int64) []byte {
	b.Helper()
	var group map[string]any
	if err := json.Unmarshal(sampleBody(b, "alertmanager-0.34.0-firing.json"), &group); err != nil {
		b.Fatal(err)
	}
	alone := group["alerts"].([]any)[0].(map[string]any)
	var alerts []any
	for n := range count {
		next := maps.Clone(alone)
		next["fingerprint"] = fmt.Sprintf("%012x%04x", first, n)
		alerts = append(alerts, next)
	}
	group["alerts"] = alerts
	body, err := json.Marshal(group)
	if err != nil {
		b.Fatal(err)
	}
	return body
}
