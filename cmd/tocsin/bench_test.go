package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/playground"
)

// shipped builds the program as it ships and returns its path.
func shipped(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "tocsin")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "nopgxregisterdefaulttypes,nethttpomithttp2", "-ldflags", "-s -w -funcalign=8", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// benchDaemon is a running daemon with both doors open.
func benchDaemon(b *testing.B, s *playground.Server) (p *process, tcp string) {
	b.Helper()
	tcp = freeAddress(b.Context(), "127.0.0.1:0")
	p = prepare(b, s, map[string]string{"TOCSIN_LISTEN": tcp})
	p.start()
	return p, tcp
}

// spread is a sample of durations.
type spread struct {
	mu  sync.Mutex
	all []time.Duration
}

func (s *spread) add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, d)
}

// report gives the median and the 99th percentile in milliseconds.
func (s *spread) report(b *testing.B) {
	if len(s.all) == 0 {
		return
	}
	slices.Sort(s.all)
	at := func(q float64) float64 {
		return float64(s.all[int(q*float64(len(s.all)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
}

// wireClient speaks just enough HTTP over one connection to be no burden for
// the machine that is being measured.
type wireClient struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

func dialDaemon(b *testing.B, network, address string) *wireClient {
	b.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() }) // the daemon may have closed it first
	return &wireClient{conn: conn, in: bufio.NewReader(conn)}
}

// post sends alerts and reads the answer, which has to be a success.
func (c *wireClient) post(kind string, body []byte) error { return c.postTo("/v1/alerts", kind, body) }

func (c *wireClient) postTo(path, kind string, body []byte) error {
	c.out = fmt.Appendf(c.out[:0], "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", path, kind, len(body))
	c.out = append(c.out, body...)
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("answered %s", resp.Status)
	}
	return err
}

// one is a 600-byte alert with a key of its own.
func one(n int64) []byte {
	return fmt.Appendf(nil, `{"key":"bench-%d","title":"disk full on db-%d","severity":"warning","text":%q,"labels":{"host":"db-%d","service":"postgres"}}`,
		n, n, strings.Repeat("x", 450), n)
}

// BenchmarkAccept is how fast alerts are on disk and answered with 202, each
// with a key of its own.
func BenchmarkAccept(b *testing.B) {
	s := slack(b, playground.Options{})
	p, tcp := benchDaemon(b, s)
	var n atomic.Int64
	for _, door := range []struct{ name, network, address string }{{"unix", "unix", p.env["TOCSIN_SOCKET"]}, {"tcp", "tcp", tcp}} {
		for _, conns := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/connections=%d", door.name, conns), func(b *testing.B) {
				var took spread
				var group sync.WaitGroup
				var left atomic.Int64
				left.Store(int64(b.N))
				b.ResetTimer()
				for range conns {
					c := dialDaemon(b, door.network, door.address)
					group.Go(func() {
						for left.Add(-1) >= 0 {
							body := one(n.Add(1))
							began := time.Now()
							if err := c.post("application/json", body); err != nil {
								b.Error(err)
								return
							}
							took.add(time.Since(began))
						}
					})
				}
				group.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
				took.report(b)
			})
		}
	}
}

// BenchmarkAcceptLines is the same for NDJSON with 500 alerts a request.
func BenchmarkAcceptLines(b *testing.B) {
	const lines = 500
	s := slack(b, playground.Options{})
	p, _ := benchDaemon(b, s)
	var n atomic.Int64
	for _, conns := range []int{1, 4} {
		b.Run(fmt.Sprintf("connections=%d", conns), func(b *testing.B) {
			var left atomic.Int64
			left.Store(int64(b.N))
			var group sync.WaitGroup
			for range conns {
				c := dialDaemon(b, "unix", p.env["TOCSIN_SOCKET"])
				group.Go(func() {
					for left.Add(-1) >= 0 {
						var body []byte
						for range lines {
							body = append(append(body, one(n.Add(1))...), '\n')
						}
						if err := c.post("application/x-ndjson", body); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			b.ReportMetric(float64(b.N*lines)/b.Elapsed().Seconds(), "alerts/s")
		})
	}
}

// BenchmarkToSlack is the time from sending an alert to the call of
// chat.postMessage, in a conversation that was idle. Each has a key of its own:
// what a thousand conversations show of one key is loaded as one.
func BenchmarkToSlack(b *testing.B) {
	s := slack(b, playground.Options{Limits: playground.NoLimits()})
	p, _ := benchDaemon(b, s)
	c := dialDaemon(b, "unix", p.env["TOCSIN_SOCKET"])
	began := map[string]time.Time{}
	b.ResetTimer()
	for n := range b.N {
		id := s.AddChannel(playground.Channel{Name: fmt.Sprintf("bench-%d", n), IsMember: true})
		began[id] = time.Now()
		if err := c.post("application/json", fmt.Appendf(nil, `{"title":"disk full on db-%d","channel":%q}`, n, id)); err != nil {
			b.Fatal(err)
		}
		until(b, s, "the post", func(sn *playground.Snapshot) bool { return sn.MessageCount(id) == 1 })
	}
	b.StopTimer()
	var took spread
	for _, call := range s.Calls() {
		if sent, ok := began[call.Channel]; ok && call.Method == "chat.postMessage" {
			took.add(call.At.Sub(sent))
		}
	}
	took.report(b)
}

// BenchmarkCommand is the time from a slash command to its ack, at 500 a
// second.
func BenchmarkCommand(b *testing.B) {
	s := slack(b, playground.Options{Limits: playground.NoLimits()})
	benchDaemon(b, s)
	until(b, s, "both connections", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) == 2 })
	var took spread
	var group sync.WaitGroup
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	b.ResetTimer()
	for range b.N {
		<-tick.C
		group.Go(func() {
			run, err := s.User("ann").Command(context.Background(), "#alerts", "/notify", "help")
			if err != nil || !run.Acked {
				b.Errorf("not acked: %+v, %v", run, err)
				return
			}
			took.add(run.AckAfter)
		})
	}
	group.Wait()
	took.report(b)
}

// BenchmarkStart is the time from exec to READY of the program as it ships,
// with its size, and its memory and processor time when idle.
func BenchmarkStart(b *testing.B) {
	path := shipped(b)
	s := slack(b, playground.Options{})
	p := prepare(b, s, nil)
	p.path = path
	var took spread
	for b.Loop() {
		began := time.Now()
		p.start()
		took.add(time.Since(began))
		if err := p.terminate(); err != nil { // a kill would leave ghosts of its connections behind
			b.Fatal(err)
		}
	}
	took.report(b)
	hellos := 0
	for _, e := range s.Journal() {
		if e.Kind == playground.KindHello {
			hellos++
		}
	}
	p.start()
	until(b, s, "both connections", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) >= hellos+2 })
	p.settle(p.mustPush(firing("a", "disk full"))...)
	const idle = 10 * time.Second
	before := cpuTicks(b, p.cmd.Process.Pid)
	pause(context.Background(), idle)
	b.ReportMetric(float64(cpuTicks(b, p.cmd.Process.Pid)-before)/100/idle.Seconds()*100, "idle-cpu-%")
	b.ReportMetric(residentMB(b, p.cmd.Process.Pid), "rss-MB")
	if info, err := os.Stat(path); err == nil {
		b.ReportMetric(float64(info.Size())/1e6, "binary-MB")
	}
	b.ReportMetric(float64(runtime.NumCPU()), "cores")
}

// residentMB reads VmRSS of proc(5).
func residentMB(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kb) / 1000
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

// cpuTicks reads utime and stime of proc(5), in hundredths of a second.
func cpuTicks(b *testing.B, pid int) int {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		b.Fatalf("stat is %q", stat)
	}
	return user + system
}
