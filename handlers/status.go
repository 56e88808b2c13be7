package handlers

import (
	"context"
	"fmt"

	"tocsin/render"
)

func (h *Handlers) status(ctx context.Context, _ ask) render.Message {
	open, more, err := h.open(ctx)
	if err != nil {
		return h.apology("I can't read what is open.", err)
	}
	ledger, err := h.opts.Store.Ledger(ctx)
	if err != nil {
		return h.apology("I can't read the ledger.", fmt.Errorf("read ledger: %w", err))
	}
	return render.Status(render.StatusView{
		Open: open, More: more, Health: h.opts.Health(), Total: ledger.Total, Version: h.opts.Version,
	})
}
