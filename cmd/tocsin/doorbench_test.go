package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/config"
	"tocsin/engine"
	"tocsin/store"
)

// noStore keeps nothing: with it a benchmark measures what stands before the store.
type noStore struct{}

func (noStore) Load(context.Context, alert.Query) (alert.Snapshot, error) {
	return alert.Snapshot{}, nil
}
func (noStore) Commit(context.Context, alert.Change) error             { return nil }
func (noStore) Arrivals(context.Context, int) ([]alert.Arrival, error) { return nil, nil }

// answer is a response that nobody reads.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkBeforeTheStore is what an alert costs in api and engine: with one
// alert a request from 64 senders, with 500 a request as NDJSON, with 60 a request as
// NDJSON, and with 60 a request as Alertmanager sends them.
func BenchmarkBeforeTheStore(b *testing.B) {
	for _, c := range []struct {
		name, path, kind string
		senders, each    int
	}{
		{"one", "/v1/alerts", "application/json", 64, 1}, {"ndjson", "/v1/alerts", "application/x-ndjson", 4, 500}, {"ndjson-60", "/v1/alerts", "application/x-ndjson", 4, 60},
		{"alertmanager-60", "/v1/webhooks/alertmanager", "application/json", 4, 60},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := engine.New(noStore{}, engine.Options{Routing: alert.Routing{Default: "#alerts"}})
			hooks, err := webhooks(config.Ingest{}, failedExpressions(prometheus.NewRegistry()))
			if err != nil {
				b.Fatal(err)
			}
			h := api.New(api.Options{Engine: e, Store: &store.DB{}, Webhooks: hooks}).Handler()
			ctx, stop := context.WithCancel(b.Context())
			var group sync.WaitGroup
			group.Go(func() { _ = e.Run(ctx) })
			b.Cleanup(func() { stop(); group.Wait() })
			var body []byte
			for n := range c.each {
				body = append(append(body, one(int64(n))...), '\n')
			}
			if c.path != "/v1/alerts" {
				body = alertmanagers(b, c.each, 0)
			}
			b.ReportAllocs()
			before := ownCPU(b)
			b.ResetTimer()
			pushAll(b, h, c.path, c.kind, body, c.senders, (b.N+c.each-1)/c.each)
			b.ReportMetric(float64(ownCPU(b)-before)/float64(b.N), "cpu-ns/alert")
		})
	}
}

// ownCPU is the processor time that this process has had (getrusage(2)).
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func pushAll(b *testing.B, h http.Handler, path, kind string, body []byte, senders, requests int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(requests))
	var group sync.WaitGroup
	for range senders {
		group.Go(func() {
			r := httptest.NewRequest(http.MethodPost, path, http.NoBody)
			r.Header.Set("Content-Type", kind)
			for left.Add(-1) >= 0 {
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
				w := &answer{header: http.Header{}}
				if h.ServeHTTP(w, r); w.status != http.StatusAccepted {
					b.Errorf("answered %d", w.status)
					return
				}
			}
		})
	}
	group.Wait()
}
