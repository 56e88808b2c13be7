package handlers

import (
	"context"
	"fmt"

	"tocsin/alert"
)

// stats shows statistics with a chart: [24h|7d].
func (h *Handlers) stats(ctx context.Context, a ask) reply {
	back, bad := parseStats(a.said)
	if bad != nil {
		return reply{Message: refused(bad)}
	}
	zone := h.zone(ctx, a.by.User)
	sums, err := h.opts.Store.Stats(ctx, alert.Parts(back, h.opts.Now().In(zone)))
	if err != nil {
		return reply{Message: h.apology("I can't read the statistics.", fmt.Errorf("read figures: %w", err))}
	}
	return reply{chart: &figures{sums, zone}}
}
