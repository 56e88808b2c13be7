package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
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
	compareSingle = 60_000  // alerts, one a request
	compareBatch  = 120_000 // alerts in NDJSON requests
	compareLines  = 500     // alerts in one of those
	compareLanes  = 1000    // twice the rate of posts, so that each lane stays below Slack's pace
	comparePosts  = 500     // a second
)

// BenchmarkCompare measures two builds of the program in turns, so that whatever
// else the machine does affects both: how many alerts a second each accepts, one
// a request and in batches, and one a request while 500 posts a second are
// delivered. Every phase begins with an empty store and lasts for seconds;
// BenchmarkBacklog measures a full one. TOCSIN_BASELINE is the path of the other
// build; -benchtime 11x makes eleven rounds, of which the medians are reported.
func BenchmarkCompare(b *testing.B) {
	baseline := os.Getenv(baselineVariable)
	if baseline == "" {
		b.Skipf("%s names no other build to compare with: see CONTRIBUTING.md", baselineVariable)
	}
	s := slack(b, playground.Options{Limits: playground.NoLimits()})
	far := newPostbox(b, s, addChannels(s, compareLanes))
	now, before := newRival(b, far, shipped(b)), newRival(b, far, baseline)
	for first, second := now, before; b.Loop(); first, second = second, first { // neither always goes first
		for _, phase := range []func(*rival){(*rival).single, (*rival).lines, (*rival).delivering} {
			first.run(s, phase)
			second.run(s, phase)
		}
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

// postbox stands before the playground and answers posts to its lanes itself,
// without a look at them: the playground checks a post with half the processor
// time that the daemon needs to deliver it, and Slack is another machine.
type postbox struct {
	url   string
	lanes []string
	posts atomic.Int64
}

func newPostbox(b *testing.B, s *playground.Server, lanes []string) *postbox {
	b.Helper()
	target, err := url.Parse(s.APIURL())
	if err != nil {
		b.Fatal(err)
	}
	p := &postbox{lanes: lanes}
	known := map[string]bool{}
	for _, l := range lanes {
		known[l] = true
	}
	others := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: target.Scheme, Host: target.Host})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		form, _ := url.ParseQuery(string(body)) // a body of another kind is not for a lane
		if channel := form.Get("channel"); path.Base(r.URL.Path) == "chat.postMessage" && known[channel] {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"ok":true,"channel":%q,"ts":"1700000000.%06d"}`, channel, p.posts.Add(1)) // without an answer, the daemon tries again
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		others.ServeHTTP(w, r)
	}))
	b.Cleanup(server.Close)
	p.url = server.URL + target.Path
	return p
}

// rival is one of the builds, and what was measured of it in each round.
type rival struct {
	b     *testing.B
	path  string
	far   *postbox
	p     *process             // of the phase
	n     atomic.Int64         // alerts sent by send
	sent  int                  // alerts sent by deliver
	rate  map[string][]float64 // alerts a second
	cpu   map[string][]float64 // µs of processor time for an alert
	posts []float64            // a second
}

func newRival(b *testing.B, far *postbox, path string) *rival {
	b.Helper()
	return &rival{b: b, far: far, path: path, rate: map[string][]float64{}, cpu: map[string][]float64{}}
}

// run starts the program with an empty store for a phase.
func (r *rival) run(s *playground.Server, phase func(*rival)) {
	r.p = prepare(r.b, s, map[string]string{"SLACK_API_URL": r.far.url})
	r.p.path = r.path
	if err := os.Remove(filepath.Join(r.p.dir, "tocsin.db")); err != nil { // each build makes its own
		r.b.Fatal(err)
	}
	r.p.start()
	phase(r)
	r.p.kill()
	if err := os.RemoveAll(r.p.dir); err != nil { // it has hundreds of MB
		r.b.Error(err)
	}
}

func (r *rival) single() { r.measure("single", func() { r.send(compareSingle, 64, 1) }) }

func (r *rival) lines() { r.measure("lines", func() { r.send(compareBatch, 4, compareLines) }) }

func (r *rival) delivering() {
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	underWay := make(chan struct{})
	group.Go(func() { r.deliver(ctx, sync.OnceFunc(func() { close(underWay) })) })
	<-underWay
	posts, began := r.far.posts.Load(), time.Now()
	r.measure("delivering", func() { r.send(compareSingle, 64, 1) })
	r.posts = append(r.posts, float64(r.far.posts.Load()-posts)/time.Since(began).Seconds())
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

// deliver pushes 500 alerts a second to idle conversations until ctx ends. It calls
// underWay after a second, and when it fails.
func (r *rival) deliver(ctx context.Context, underWay func()) {
	defer underWay()
	const burst = 20
	c := dialDaemon(r.b, "unix", r.p.env["TOCSIN_SOCKET"])
	tick := time.NewTicker(time.Second * burst / comparePosts)
	defer tick.Stop()
	for began := r.sent; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var body []byte
		for range burst {
			body = fmt.Appendf(body, "{\"title\":\"disk full on db-%d\",\"key\":\"post-%d\",\"channel\":%q}\n", r.sent, r.sent, r.far.lanes[r.sent%compareLanes])
			r.sent++
		}
		if err := c.post("application/x-ndjson", body); err != nil {
			r.b.Error(err)
			return
		}
		if r.sent == began+comparePosts {
			underWay()
		}
	}
}
