package handlers

import (
	"context"

	"go.uber.org/zap"

	"tocsin/render"
)

// status answers even if the store does not: then people need it most.
func (h *Handlers) status(ctx context.Context, _ ask) render.Message {
	view := render.StatusView{Version: h.opts.Version, Now: h.opts.Now()}
	var err error
	if view.Counts, err = h.opts.Store.Tally(ctx, unresolved()...); err == nil {
		ledger, unread := h.opts.Store.Ledger(ctx)
		view.Total, err = ledger.Total, unread
	}
	if err == nil {
		view.Heartbeats, err = h.opts.Store.Heartbeats(ctx)
	}
	if err != nil {
		h.opts.Log.Error("read for the status", zap.Error(err))
		view.Unread = true
	}
	view.Health = h.opts.Health() // now it may know why
	return render.Status(view)
}
