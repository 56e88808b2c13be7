package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/playground"
)

// The size of the backlog, and of the samples that are taken of it.
const (
	backlogAlerts = 1_000_000
	backlogLanes  = 1_000
	backlogRounds = 9
	backlogRound  = 10_000 // alerts
	backlogStarts = 5
)

// BenchmarkBacklog is what 1,000,000 alerts that wait in 1,000 conversations do
// to the program as it ships, while Slack refuses it: how fast it accepts, in
// turns with one that has an empty store, how much memory it has, how long it
// takes to start, and how fast it accepts while all lanes gather their digests
// after that.
func BenchmarkBacklog(b *testing.B) {
	for _, keys := range []string{"given", "fingerprints"} {
		b.Run("keys="+keys, func(b *testing.B) {
			path := shipped(b)
			s := slack(b, playground.Options{Limits: playground.NoLimits()})
			push := &flow{b: b, lanes: addChannels(s, backlogLanes), keyless: keys == "fingerprints"}
			fault(b, s, playground.Fault{Kind: playground.FaultRevoked})
			full, empty := patient(b, s, path), patient(b, s, path)
			b.ReportMetric(backlogAlerts/push.send(full, backlogAlerts, 4, 1000).Seconds(), "fill-alerts/s")
			push.compare(empty, full)
			b.ReportMetric(residentMB(b, full.cmd.Process.Pid), "rss-MB")
			full.restarts(b)
			b.ReportMetric(backlogRound/push.send(full, backlogRound, 64, 1).Seconds(), "restarted-alerts/s")
			b.ReportMetric(residentMB(b, full.cmd.Process.Pid), "restarted-rss-MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// patient starts the program at path, which accepts more than a backlog.
func patient(b *testing.B, s *playground.Server, path string) *process {
	b.Helper()
	p := prepare(b, s, nil)
	p.path = path
	p.env["TOCSIN_CONFIG"] = filepath.Join(p.dir, "tocsin.yaml")
	if err := os.WriteFile(p.env["TOCSIN_CONFIG"], fmt.Appendf(nil, "delivery: {max_pending: %d}\n", 2*backlogAlerts), 0o600); err != nil {
		b.Fatal(err)
	}
	p.start()
	return p
}

// restarts measures the time from exec to READY.
func (p *process) restarts(b *testing.B) {
	b.Helper()
	var took []time.Duration
	for range backlogStarts {
		if err := p.terminate(); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		p.start()
		took = append(took, time.Since(began))
	}
	b.ReportMetric(float64(median(took).Microseconds())/1000, "ready-ms")
}

// flow is alerts for all lanes in turn.
type flow struct {
	b     *testing.B
	lanes []string
	// keyless leaves it to the daemon to make a key of each, which is in no order.
	keyless bool
	n       atomic.Int64
}

func (f *flow) next() []byte {
	n := f.n.Add(1)
	body := one(n)
	if f.keyless {
		body = slices.Replace(body, 0, len(fmt.Sprintf(`{"key":"bench-%d",`, n)), '{')
	}
	return fmt.Appendf(body[:len(body)-1], `,"channel":%q}`, f.lanes[n%int64(len(f.lanes))])
}

// send makes requests of so many alerts, n alerts in all.
func (f *flow) send(p *process, n, connections, alerts int) (took time.Duration) {
	f.b.Helper()
	var left atomic.Int64
	left.Store(int64(n / alerts))
	var group sync.WaitGroup
	began := time.Now()
	for range connections {
		c := dialDaemon(f.b, "unix", p.env["TOCSIN_SOCKET"])
		group.Go(func() {
			for left.Add(-1) >= 0 {
				var body []byte
				for range alerts {
					body = append(append(body, f.next()...), '\n')
				}
				if err := c.post("application/x-ndjson", body); err != nil {
					f.b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return time.Since(began)
}

// sample is what one round after the other measured of a daemon.
type sample struct{ rate, cpu []float64 }

// round accepts one alert a request over 64 connections.
func (f *flow) round(p *process, into *sample) (rate float64) {
	before := cpuTicks(f.b, p.cmd.Process.Pid)
	rate = backlogRound / f.send(p, backlogRound, 64, 1).Seconds()
	into.rate = append(into.rate, rate)
	into.cpu = append(into.cpu, float64(cpuTicks(f.b, p.cmd.Process.Pid)-before)*1e4/backlogRound)
	return rate
}

// compare measures both in turns, so that what else the machine does meets both.
func (f *flow) compare(empty, full *process) {
	var e, w sample
	var ratio []float64
	for range backlogRounds {
		fast := f.round(empty, &e)
		ratio = append(ratio, f.round(full, &w)/fast)
	}
	f.b.ReportMetric(median(e.rate), "empty-alerts/s")
	f.b.ReportMetric(median(w.rate), "full-alerts/s")
	f.b.ReportMetric(median(e.cpu), "empty-cpu-µs/alert")
	f.b.ReportMetric(median(w.cpu), "full-cpu-µs/alert")
	f.b.ReportMetric(median(ratio), "full/empty")
	f.b.Logf("full/empty %.2f", ratio)
}

func median[T cmp.Ordered](all []T) T {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}
