package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// usage is what the daemon uses at one moment.
type usage struct {
	memory, heap            float64 // what is resident, and what lives in Go's heap, in MB
	goroutines, descriptors float64
}

func (u usage) String() string {
	return fmt.Sprintf("%.0f MB (%.0f in the heap), %.0f goroutines, %.0f descriptors", u.memory, u.heap, u.goroutines, u.descriptors)
}

// usageNow reads /metrics. It is false while the daemon does not answer.
func usageNow(ctx context.Context, c *client) (usage, bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/metrics", nil)
	if err != nil {
		return usage{}, false
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return usage{}, false
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	values := map[string]float64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok {
			values[name], _ = strconv.ParseFloat(value, 64) // 0 for a comment
		}
	}
	u := usage{
		memory: values["process_resident_memory_bytes"] / 1e6, heap: values["go_memstats_heap_alloc_bytes"] / 1e6,
		goroutines: values["go_goroutines"], descriptors: values["process_open_fds"],
	}
	return u, u.goroutines > 0
}

// live lets the daemon run for a while without kills, while Slack misbehaves, and
// reports whether its use of memory, goroutines and descriptors has grown.
func (o *oracle) live(ctx context.Context, d time.Duration) {
	o.t.Helper()
	c := o.daemon.client()
	var all []usage
	end, next := time.Now().Add(d), time.Now()
	for now := next; now.Before(end); now = time.Now() {
		if u, ok := usageNow(ctx, c); ok {
			all = append(all, u)
		}
		if now.After(next) {
			o.misbehave()
			next = now.Add(o.wait(o.plan.cycle))
		}
		if !pause(ctx, time.Second) {
			return
		}
	}
	for part := range slices.Chunk(all, len(all)/8+1) {
		o.t.Logf("without a kill: %s", middle(part))
	}
	early, late := middle(all[len(all)/4:len(all)/2]), middle(all[3*len(all)/4:])
	if late.memory > 1.5*early.memory+8 || late.goroutines > early.goroutines+40 || late.descriptors > early.descriptors+20 {
		o.t.Errorf("GROWN: the daemon used %s and then %s", early, late)
	}
}

// middle is the median of each measure.
func middle(all []usage) usage {
	median := func(measure func(usage) float64) float64 {
		values := make([]float64, 0, len(all))
		for _, u := range all {
			values = append(values, measure(u))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return usage{
		memory:      median(func(u usage) float64 { return u.memory }),
		heap:        median(func(u usage) float64 { return u.heap }),
		goroutines:  median(func(u usage) float64 { return u.goroutines }),
		descriptors: median(func(u usage) float64 { return u.descriptors }),
	}
}
