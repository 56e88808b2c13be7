package bot

import (
	"slices"
	"sync"
	"testing"
	"time"

	"tocsin/playground"
)

// BenchmarkCommandToAck measures, at 500 commands a second, how long a person
// waits for the ack, as the playground sees it: both WebSocket ends, the inbox
// in memory. Slack's limit is three seconds.
func BenchmarkCommandToAck(b *testing.B) {
	s := connect(b, playground.Options{}, nil)
	s.log.await(b, "slack connection is up", 2)
	var mu sync.Mutex
	var took []time.Duration
	var people sync.WaitGroup
	pace := time.NewTicker(time.Second / 500)
	defer pace.Stop()
	b.ResetTimer()
	for range b.N {
		<-pace.C
		people.Go(func() {
			run, err := s.slack.User("ann").Command(b.Context(), "#alerts", "/notify-test", "")
			if err != nil || !run.Acked {
				b.Errorf("command: %+v, %v", run, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, run.AckAfter)
		})
	}
	people.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-µs")
}
