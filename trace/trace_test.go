package trace

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"tocsin/alert"
)

func TestACollectorThatNeverAnswersDelaysNobodyAndEachSpanThatItDoesNotTakeIsCounted(t *testing.T) {
	asked := make(chan struct{}, 100)
	dead := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server then sees that who asks has gone
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer dead.Close()
	registry := prometheus.NewRegistry()
	tracer, err := New(Options{Getenv: func(name string) string {
		return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": dead.URL, "OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_SCHEDULE_DELAY": "1"}[name]
	}, Log: zap.NewNop(), Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	push := func(id string) {
		tracer.Pushed(context.Background(), time.Now(), []alert.Alert{{}}, []alert.Accepted{{ID: id}})
	}
	dropped := func() float64 {
		all, err := registry.Gather()
		if err != nil || len(all) != 1 {
			t.Fatalf("the metrics are %v, %v", all, err)
		}
		return all[0].GetMetric()[0].GetCounter().GetValue()
	}
	push("first")
	<-asked // it waits for the collector now
	const more = 100_000
	for n := range more { // each returns although nothing is taken
		push(fmt.Sprint(n))
	}
	if held := len(tracer.queue); held != 8 {
		t.Errorf("%d spans are held, want 8", held)
	}
	if n := dropped(); n != more-8 {
		t.Errorf("%v spans are counted as dropped before the end, want %d", n, more-8)
	}
	tracer.Close()
	if n := dropped(); n != more+1 {
		t.Errorf("%v spans are counted as dropped, want all %d", n, more+1)
	}
}
