package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/playground"
)

// baselineVariable names another build of the program, which BenchmarkCompare
// measures this one against.
const baselineVariable = "TOCSIN_BASELINE"

const (
	compareAlerts = 20_000
	compareLines  = 500  // alerts in one NDJSON request
	compareLanes  = 1000 // twice the rate of posts, so that each lane stays below Slack's pace
	comparePosts  = 500  // a second
)

// BenchmarkCompare measures two builds of the program in turns, so that whatever
// else the machine does affects both: how many alerts a second each accepts, one
// a request and in batches, while nothing is delivered and while 500 posts a
// second are. TOCSIN_BASELINE is the path of the other build; -benchtime 11x makes
// eleven rounds, of which the medians are reported.
func BenchmarkCompare(b *testing.B) {
	baseline := os.Getenv(baselineVariable)
	if baseline == "" {
		b.Skipf("%s names no other build to compare with: see CONTRIBUTING.md", baselineVariable)
	}
	s := slack(b, playground.Options{Limits: playground.NoLimits()})
	now, before := newRival(b, s, shipped(b)), newRival(b, s, baseline)
	for first, second := now, before; b.Loop(); first, second = second, first { // neither always goes first
		first.round(s)
		second.round(s)
	}
	b.ReportMetric(0, "ns/op")
	for _, name := range []string{"single", "lines", "delivering"} {
		b.ReportMetric(median(now.rate[name]), name+"-alerts/s")
		b.ReportMetric(median(before.rate[name]), name+"-baseline-alerts/s")
		b.ReportMetric(median(ratios(now.rate[name], before.rate[name])), name+"-ratio")
		b.ReportMetric(median(now.cpu[name]), name+"-cpu-µs/alert")
		b.ReportMetric(median(before.cpu[name]), name+"-baseline-cpu-µs/alert")
	}
	b.ReportMetric(median(ratios(now.rate["delivering"], now.rate["single"])), "delivering/single")
	b.ReportMetric(median(ratios(before.rate["delivering"], before.rate["single"])), "baseline-delivering/single")
	b.ReportMetric(median(now.posts), "posts/s")
	b.ReportMetric(median(before.posts), "baseline-posts/s")
}

func ratios(a, b []float64) []float64 {
	all := make([]float64, len(a))
	for n := range a {
		all[n] = a[n] / b[n]
	}
	return all
}

// rival is one of the builds, and what was measured of it in each round.
type rival struct {
	b     *testing.B
	p     *process
	lanes []string
	n     atomic.Int64         // alerts sent by send
	sent  int                  // alerts sent by deliver
	rate  map[string][]float64 // alerts a second
	cpu   map[string][]float64 // µs of processor time for an alert
	posts []float64            // a second
}

func newRival(b *testing.B, s *playground.Server, path string) *rival {
	b.Helper()
	r := &rival{b: b, rate: map[string][]float64{}, cpu: map[string][]float64{}}
	for range compareLanes {
		r.lanes = append(r.lanes, s.AddChannel(playground.Channel{Name: fmt.Sprint("post-", len(s.Channels())), IsMember: true}))
	}
	r.p = prepare(b, s, nil)
	r.p.path = path
	r.p.start()
	return r
}

func (r *rival) round(s *playground.Server) {
	r.measure("single", func() { r.send(compareAlerts, 64, 1) })
	r.measure("lines", func() { r.send(2*compareAlerts, 4, compareLines) })
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { r.deliver(ctx) })
	calls, began := len(s.Calls()), time.Now()
	r.measure("delivering", func() { r.send(compareAlerts, 64, 1) })
	r.posts = append(r.posts, float64(len(s.Calls())-calls)/time.Since(began).Seconds())
	stop()
	group.Wait()
}

func (r *rival) measure(name string, accept func()) {
	ticks, began, n := cpuTicks(r.b, r.p.cmd.Process.Pid), time.Now(), r.n.Load()
	accept()
	alerts := float64(r.n.Load() - n)
	r.rate[name] = append(r.rate[name], alerts/time.Since(began).Seconds())
	r.cpu[name] = append(r.cpu[name], float64(cpuTicks(r.b, r.p.cmd.Process.Pid)-ticks)*1e4/alerts)
}

// send accepts n alerts of the default channel over so many connections.
func (r *rival) send(n, connections, lines int) {
	var left atomic.Int64
	left.Store(int64(n / lines))
	kind := "application/json"
	if lines > 1 {
		kind = "application/x-ndjson"
	}
	var group sync.WaitGroup
	for range connections {
		c := dialDaemon(r.b, "unix", r.p.env["TOCSIN_SOCKET"])
		group.Go(func() {
			for left.Add(-1) >= 0 {
				var body []byte
				for range lines {
					body = append(append(body, one(r.n.Add(1))...), '\n')
				}
				if err := c.post(kind, body); err != nil {
					r.b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// deliver pushes 500 alerts a second to idle conversations until ctx ends.
func (r *rival) deliver(ctx context.Context) {
	const burst = 20
	c := dialDaemon(r.b, "unix", r.p.env["TOCSIN_SOCKET"])
	tick := time.NewTicker(time.Second * burst / comparePosts)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var body []byte
		for range burst {
			body = fmt.Appendf(body, "{\"title\":\"disk full on db-%d\",\"key\":\"post-%d\",\"channel\":%q}\n", r.sent, r.sent, r.lanes[r.sent%len(r.lanes)])
			r.sent++
		}
		if err := c.post("application/x-ndjson", body); err != nil {
			r.b.Error(err)
			return
		}
	}
}
