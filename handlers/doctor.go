package handlers

import (
	"context"
	"time"

	"tocsin/render"
)

// doctorLimit leaves time to answer within what a request may take.
const doctorLimit = 20 * time.Second

// doctor answers with what is set up wrong, and how to mend it.
func (h *Handlers) doctor(ctx context.Context, _ ask) render.Message {
	ctx, cancel := context.WithTimeout(ctx, doctorLimit)
	defer cancel()
	return render.Doctor(h.opts.Doctor(ctx))
}
