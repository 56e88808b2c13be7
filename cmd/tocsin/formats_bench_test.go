package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
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

// BenchmarkAcceptGroups is how fast the alerts of a webhook with 60 of them are on disk,
// beside NDJSON.
func BenchmarkAcceptGroups(b *testing.B) {
	p := formatDaemon(b)
	var n atomic.Int64
	lines := func(count int) func() []byte {
		return func() (body []byte) {
			for range count {
				body = append(append(body, one(n.Add(1))...), '\n')
			}
			return body
		}
	}
	group := func() []byte { return alertmanagers(b, 60, n.Add(1)) }
	benchFormat(b, p, "ndjson-500", "/v1/alerts", 4, 500, lines(500))
	benchFormat(b, p, "ndjson-60", "/v1/alerts", 4, 60, lines(60))
	benchFormat(b, p, "alertmanager-60", "/v1/webhooks/alertmanager", 4, 60, group)
	benchFormat(b, p, "expressions-60", "/v1/webhooks/expressions", 4, 60, group)
}

func formatDaemon(b *testing.B) *process {
	b.Helper()
	p := prepare(b, slack(b, playground.Options{}), nil)
	p.path = shipped(b)
	p.configure(byExpressions)
	p.start()
	return p
}

// benchFormat posts requests of each alerts. Bodies are made before the clock runs.
func benchFormat(b *testing.B, p *process, name, path string, conns, each int, next func() []byte) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		bodies := make([][]byte, (b.N+each-1)/each)
		for n := range bodies {
			bodies[n] = next()
		}
		kind := "application/json"
		if path == "/v1/alerts" {
			kind = "application/x-ndjson"
		}
		var at atomic.Int64
		var group sync.WaitGroup
		before := cpuTicks(b, p.cmd.Process.Pid)
		b.ResetTimer()
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
		alerts := float64(len(bodies) * each)
		b.ReportMetric(alerts/b.Elapsed().Seconds(), "alerts/s")
		b.ReportMetric(float64(cpuTicks(b, p.cmd.Process.Pid)-before)*1e4/alerts, "daemon-µs/alert")
	})
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
