package handlers

import (
	"context"
	"errors"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// mostQueued is how many deliveries are read for a list, which shows fewer.
const mostQueued = 20

// queue lists what is pending or was given up, or drops one of them: [drop ID].
func (h *Handlers) queue(ctx context.Context, a ask) render.Message {
	words := a.said.words
	switch {
	case len(words) == 0 || words[0].key == "list":
		m, err := h.queued(ctx)
		if err != nil {
			return h.apology("I can't read the queue.", err)
		}
		return m
	case words[0].key == "drop" && len(words) == 2:
		if no, ok := h.allowed(ctx, a.by, rightSilence, "queue drop "+words[1].key); !ok {
			return no
		}
		return h.dropDelivery(ctx, words[1].key)
	}
	return render.Refused("I don't know what to do with "+beginning(a.said.text)+".", "Write `queue`, or `queue drop ID`.")
}

func (h *Handlers) queued(ctx context.Context) (render.Message, error) {
	waiting := []alert.DeliveryState{alert.Dead, alert.Pending, alert.Sending}
	all, err := h.opts.Store.Deliveries(ctx, alert.DeliveryFilter{States: waiting, Limit: mostQueued})
	return render.Queue(all, len(all) == mostQueued), err
}

func (h *Handlers) dropDelivery(ctx context.Context, id string) render.Message {
	done, err := h.opts.Store.Drop(ctx, alert.DeadLetterSelector{ID: id})
	switch {
	case errors.Is(err, alert.ErrNotFound):
		return render.Refused("There is no delivery "+id+".", "`queue` lists what is waiting.")
	case errors.Is(err, alert.ErrNotDead):
		return render.Refused("That delivery can't be dropped: it is done, or it is being sent right now.", "`queue` shows how it is now.")
	case err != nil:
		return h.refusal("Nothing was dropped", err)
	}
	h.opts.Wake(done.Lanes...)
	return render.Dropped(done)
}

// drop drops the delivery of a button, and redraws its list.
func (h *Handlers) drop(ctx context.Context, a bot.Action) error {
	said := h.dropDelivery(ctx, a.Value)
	list, err := h.queued(ctx)
	if err != nil || said.Waits != nil || !private(a) {
		return h.respond(ctx, a.Caller, said)
	}
	return h.inPlace(ctx, a, list)
}
