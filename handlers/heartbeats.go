package handlers

import (
	"context"

	"tocsin/render"
)

// heartbeats lists the heartbeats.
func (h *Handlers) heartbeats(ctx context.Context, _ ask) render.Message {
	all, err := h.opts.Store.Heartbeats(ctx)
	if err != nil {
		return h.apology("I can't read the heartbeats.", err)
	}
	return render.Heartbeats(all, h.opts.Now())
}
