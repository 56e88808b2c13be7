package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tocsin/alert"
)

// lanesInBench is how many conversations the benchmarks deliver to.
const lanesInBench = 50

// benchText makes an alert about 600 bytes, as in the measurements of stores.
var benchText = strings.Repeat("the disk of db-3 is full; ", 17)

// benchChange is a change of n alerts, each opening an incident of its own.
func benchChange(n int, serial *atomic.Int64) alert.Change {
	var c alert.Change
	for range n {
		k := serial.Add(1)
		i := incident(alert.NextShortID("", int(k)), fmt.Sprintf("#lane-%02d", k%lanesInBench), 1)
		i.Text, i.Labels = benchText, map[string]string{"host": "db-3", "job": "node"}
		one := fire(i)
		one.Alerts[0].Text, one.Alerts[0].Labels = i.Text, i.Labels
		one.Deliveries[0].ID = alert.NewID()
		one.Alerts[0].Delivery = one.Deliveries[0].ID
		c.Alerts = append(c.Alerts, one.Alerts...)
		c.Incidents = append(c.Incidents, one.Incidents...)
		c.Deliveries = append(c.Deliveries, one.Deliveries...)
	}
	return c
}

func openBench(b *testing.B) *DB {
	b.Helper()
	return openBenchAt(b, "sqlite:"+filepath.Join(b.TempDir(), "tocsin.db"))
}

func openBenchAt(b *testing.B, url string) *DB {
	b.Helper()
	d, err := Open(context.Background(), url, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	return d
}

// producers runs do b.N times, spread over n goroutines, and reports alerts/s.
func producers(b *testing.B, n, alerts int, do func() error) {
	b.Helper()
	b.ResetTimer()
	busy := cpuTime(b)
	var left atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N*alerts)/b.Elapsed().Seconds(), "alerts/s")
	b.ReportMetric(float64((cpuTime(b)-busy).Microseconds())/float64(b.N*alerts), "cpu-µs/alert")
}

// cpuTime is what the process has used so far, which other programs on the
// machine disturb less than the clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// batcher commits as the engine does: one goroutine loads and commits together
// what came while it committed before.
type batcher struct {
	d       *DB
	serial  *atomic.Int64
	waiting chan batched
}

// batched is a request of so many alerts.
type batched struct {
	alerts int
	answer chan error
}

func startBatcher(b *testing.B, d *DB, serial *atomic.Int64) *batcher {
	b.Helper()
	e := &batcher{d: d, serial: serial, waiting: make(chan batched, queueSize)}
	var running sync.WaitGroup
	running.Go(func() {
		for first := range e.waiting {
			e.serve(first)
		}
	})
	b.Cleanup(func() {
		close(e.waiting)
		running.Wait()
	})
	return e
}

func (e *batcher) serve(first batched) {
	const most = 512 // alerts
	batch, size := []batched{first}, first.alerts
	for more := true; more && size < most; {
		select {
		case r := <-e.waiting:
			batch, size = append(batch, r), size+r.alerts
		default:
			more = false
		}
	}
	c := benchChange(size, e.serial)
	q := alert.Query{Now: at(0)}
	for _, i := range c.Incidents {
		q.Keys = append(q.Keys, i.Key)
	}
	_, err := e.d.Load(context.Background(), q)
	if err == nil {
		err = e.d.Commit(context.Background(), c)
	}
	for _, r := range batch {
		r.answer <- err
	}
}

func (e *batcher) push(alerts int) error {
	r := batched{alerts, make(chan error, 1)}
	e.waiting <- r
	return <-r.answer
}

// BenchmarkCommit loads and commits as the engine does for so many senders with
// so many alerts a request.
func BenchmarkCommit(b *testing.B) {
	for _, c := range []struct{ senders, batch int }{{1, 1}, {64, 1}, {1, 500}, {4, 500}} {
		b.Run(fmt.Sprintf("senders=%d/batch=%d", c.senders, c.batch), func(b *testing.B) {
			benchCommit(b, openBench(b), c.senders, c.batch)
		})
	}
}

func benchCommit(b *testing.B, d *DB, n, batch int) {
	e := startBatcher(b, d, &atomic.Int64{})
	producers(b, n, batch, func() error { return e.push(batch) })
}

// BenchmarkBareGroupCommit writes the same rows, already prepared, with nothing
// around them but a group commit: what the machine can do at best.
func BenchmarkBareGroupCommit(b *testing.B) {
	b.Run("producers=64/batch=1", func(b *testing.B) { bareGroupCommit(b, 64) })
	b.Run("producers=1/batch=1", func(b *testing.B) { bareGroupCommit(b, 1) })
}

func bareGroupCommit(b *testing.B, n int) {
	d := openBench(b)
	var serial atomic.Int64
	producers(b, n, 1, func() error {
		c := benchChange(1, &serial)
		k := serial.Add(1)
		p, err := prepareChange(c)
		p.incidents[0].content = k
		at := keys{n: k, lane: 1, incident: k, delivery: k}
		incidents := plainArgs(nil, k, &c.Incidents[0], p.incidents[0])
		deliveries := at.deliveryArgs(nil, &c.Deliveries[0], "", stagePost)
		alerts := at.alertArgs(nil, &c.Alerts[0], p.alerts[0])
		return errors.Join(err, d.write(context.Background(), func(w *writer, ctx context.Context) error {
			return errors.Join(
				w.insert(ctx, w.into.plainIncidents, incidents),
				w.insert(ctx, w.into.deliveries, deliveries),
				w.insert(ctx, w.into.alerts, alerts))
		}))
	})
}

// BenchmarkClaimFinish delivers what waits in 50 lanes, each by one goroutine.
func BenchmarkClaimFinish(b *testing.B) { benchClaimFinish(b, openBench(b)) }

func benchClaimFinish(b *testing.B, d *DB) {
	fill(b, d, b.N+lanesInBench, &atomic.Int64{})
	b.ResetTimer()
	busy := cpuTime(b)
	deliverAll(b, d, b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	b.ReportMetric(float64((cpuTime(b)-busy).Microseconds())/float64(b.N), "cpu-µs/delivery")
}

// BenchmarkDigest claims and finishes a digest of as many posts as one can stand
// for, behind each of which two replies wait.
func BenchmarkDigest(b *testing.B) {
	busy := time.Duration(0)
	for b.Loop() {
		b.StopTimer()
		d := openBench(b)
		var serial atomic.Int64
		c := benchChange(alert.MaxMembers, &serial)
		for n, i := range c.Incidents {
			c.Deliveries[n].Lane, c.Alerts[n].Lane, c.Incidents[n].Lanes = "#db", "#db", []string{"#db"}
			for _, topic := range []alert.Topic{alert.TopicRefired, alert.TopicNote} {
				r := delivery(i, alert.Reply, 1)
				r.ID, r.Lane, r.Note = alert.NewID(), "#db", &alert.Note{Topic: topic}
				c.Deliveries = append(c.Deliveries, r)
			}
		}
		if err := d.Commit(context.Background(), c); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		before := cpuTime(b)
		j, _, err := d.Claim(context.Background(), alert.Claim{Lane: "#db", Now: at(9), Posts: true, DigestAbove: 5})
		if err != nil || j.Digest == nil || j.Digest.Total != alert.MaxMembers {
			b.Fatal(err, j.Digest)
		}
		if err := d.Finish(context.Background(), outcome(j, alert.Delivered, at(9))); err != nil {
			b.Fatal(err)
		}
		busy += cpuTime(b) - before
	}
	b.ReportMetric(float64(busy.Milliseconds())/float64(b.N), "cpu-ms/digest")
}

// BenchmarkMixed commits for 64 senders while 50 lanes deliver as much.
func BenchmarkMixed(b *testing.B) {
	d := openBench(b)
	var serial atomic.Int64
	fill(b, d, b.N+lanesInBench, &serial)
	e := startBatcher(b, d, &serial)
	var delivering sync.WaitGroup
	b.ResetTimer()
	delivering.Go(func() { deliverAll(b, d, b.N) })
	producers(b, 64, 1, func() error { return e.push(1) })
	delivering.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts+deliveries/s")
}

func fill(b *testing.B, d *DB, n int, serial *atomic.Int64) {
	b.Helper()
	const batch = 10_000
	for left := n; left > 0; left -= batch {
		if err := d.Commit(context.Background(), benchChange(min(left, batch), serial)); err != nil {
			b.Fatal(err)
		}
	}
}

func deliverAll(b *testing.B, d *DB, n int) {
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	for k := range lanesInBench {
		lane := fmt.Sprintf("#lane-%02d", k)
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := deliverOne(d, lane); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func deliverOne(d *DB, lane string) error {
	ctx := context.Background()
	j, _, err := d.Claim(ctx, alert.Claim{Lane: lane, Now: at(9), Posts: true, Updates: true})
	if err != nil || j.ID == "" {
		return err
	}
	return d.Finish(ctx, outcome(j, alert.Delivered, at(9)))
}
