package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tocsin/playground"
)

// What docs/scale.md compares, in turns, so that other load affects each: a SQLite store, and
// one and three replicas on the PostgreSQL server at TOCSIN_TEST_POSTGRES, which is to sync what
// it confirms, as it does unless it is told otherwise.
var crews = []struct {
	name     string
	replicas int
	shared   bool
}{{"sqlite", 1, false}, {"one-replica", 1, true}, {"three-replicas", 3, true}}

const (
	scaleAlerts      = 20_000 // in a turn
	scaleConnections = 64
	scaleLanes       = 1000
	scaleEach        = 10 // alerts for each of the lanes
)

// startCrew starts daemons without digests on an empty store. The first is active.
func startCrew(b *testing.B, path, api string, s *playground.Server, replicas int, shared bool) (all []*process) {
	b.Helper()
	extra := map[string]string{"TOCSIN_CONFIG": digestAboveAll(b), "SLACK_API_URL": api}
	if shared {
		extra["TOCSIN_STORE"] = sharedStore(b)
	}
	for range replicas {
		p := prepare(b, s, extra)
		p.path = path
		p.start()
		all = append(all, p)
	}
	return all
}

// BenchmarkReplicasAccept is how many alerts a second are on disk and answered, one in a
// request, from 64 connections over all replicas. Slack asks to wait, so that no delivery costs
// anything. -benchtime 5x makes five rounds, of which the medians are reported.
func BenchmarkReplicasAccept(b *testing.B) {
	s := slack(b, playground.Options{})
	if err := s.SetFault(playground.Fault{Kind: playground.FaultThrottle, RetryAfter: 3600}); err != nil {
		b.Fatal(err)
	}
	path := shipped(b)
	rates := map[string][]float64{}
	var n atomic.Int64
	for b.Loop() {
		for _, crew := range crews {
			all := startCrew(b, path, s.APIURL(), s, crew.replicas, crew.shared)
			var left atomic.Int64
			left.Store(scaleAlerts)
			var group sync.WaitGroup
			began := time.Now()
			for c := range scaleConnections {
				to := dialDaemon(b, "unix", all[c%len(all)].env["TOCSIN_SOCKET"])
				group.Go(func() {
					for left.Add(-1) >= 0 {
						if err := to.post("application/json", one(n.Add(1))); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			rates[crew.name] = append(rates[crew.name], scaleAlerts/time.Since(began).Seconds())
			endCrew(all)
		}
	}
	reportCrews(b, rates, "alerts/s")
}

// BenchmarkReplicasDeliver is how many messages a second reach 1,000 conversations, each of
// which takes one a second after a burst, until ten alerts for each are shown.
func BenchmarkReplicasDeliver(b *testing.B) {
	s := slack(b, playground.Options{Limits: playground.NoLimits()})
	far := newPostbox(b, s, addChannels(s, scaleLanes))
	path := shipped(b)
	rates := map[string][]float64{}
	for b.Loop() {
		for _, crew := range crews {
			all := startCrew(b, path, far.url, s, crew.replicas, crew.shared)
			posts, began := far.posts.Load(), time.Now()
			for each := range scaleEach {
				var body []byte
				for n, lane := range far.lanes {
					body = fmt.Appendf(body, "{\"title\":\"disk full on db-%d-%d\",\"key\":\"%[1]d-%d\",\"channel\":%q}\n", n, each, lane)
				}
				to := dialDaemon(b, "unix", all[each%len(all)].env["TOCSIN_SOCKET"])
				if err := to.post("application/x-ndjson", body); err != nil {
					b.Fatal(err)
				}
			}
			for far.posts.Load()-posts < scaleLanes*scaleEach && pause(b.Context(), 10*time.Millisecond) {
			}
			rates[crew.name] = append(rates[crew.name], scaleLanes*scaleEach/time.Since(began).Seconds())
			endCrew(all)
		}
	}
	reportCrews(b, rates, "messages/s")
}

// BenchmarkTakeover is how long no replica is active after the active one of three has ended,
// while alerts are sent: -benchtime 30x measures it 30 times for each way to end.
func BenchmarkTakeover(b *testing.B) {
	for name, end := range map[string]func(p *process){
		"SIGTERM": func(p *process) {
			if err := p.terminate(); err != nil {
				b.Errorf("it ended with %v", err)
			}
		},
		"kill": (*process).kill,
		"SIGSTOP": func(p *process) {
			if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				b.Fatal(err)
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			c := startCluster(b)
			var times []time.Duration
			for b.Loop() {
				before, took := c.replace(end)
				times = append(times, took)
				b.StopTimer()
				if before.cmd != nil { // it is stopped
					before.kill()
				}
				before.start()
				b.StartTimer()
			}
			c.mustHaveShownAll()
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(times).Seconds()*1000, "median-ms")
			b.ReportMetric(slices.Max(times).Seconds()*1000, "worst-ms")
			b.ReportMetric(float64(len(times)), "takeovers")
		})
	}
}

func endCrew(all []*process) {
	for _, p := range slices.Backward(all) { // no standby is to take over
		p.kill()
	}
}

func reportCrews(b *testing.B, rates map[string][]float64, unit string) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	for _, crew := range crews {
		b.ReportMetric(median(rates[crew.name]), crew.name+"-"+unit)
		b.ReportMetric(median(ratios(rates[crew.name], rates["sqlite"])), crew.name+"/sqlite")
	}
}
