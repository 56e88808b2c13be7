package handlers

import (
	"context"
	"fmt"
	"time"
)

// stats shows statistics with a chart: [24h|7d].
func (h *Handlers) stats(ctx context.Context, a ask) reply {
	back, bad := parseStats(a.said)
	if bad != nil {
		return reply{Message: refused(bad)}
	}
	from, until, buckets := period(h.opts.Now(), back)
	sums, err := h.opts.Store.Stats(ctx, from, until, buckets)
	if err != nil {
		return reply{Message: h.apology("I can't read the statistics.", fmt.Errorf("read figures: %w", err))}
	}
	return reply{chart: &figures{sums, h.zone(ctx, a.by.User)}}
}

// period divides the time up to now into buckets: minutes, hours, and days from a
// week on.
func period(now time.Time, back time.Duration) (from, until time.Time, buckets int) {
	const day = 24 * time.Hour
	part := time.Hour
	switch {
	case back >= 7*day:
		part = day
	case back > 2*day:
		part = 6 * time.Hour
	case back > day:
		part = 2 * time.Hour
	case back <= 4*time.Hour:
		part = 10 * time.Minute
	}
	buckets = int((back + part - 1) / part)
	return now.Add(-time.Duration(buckets) * part), now, buckets
}
