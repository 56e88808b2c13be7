package handlers

import (
	"context"
	"fmt"

	"tocsin/alert"
	"tocsin/render"
)

const maxSubscriptions = 20

// subscribe subscribes a person to direct messages: MATCHERS. Without them it lists
// the subscriptions.
func (h *Handlers) subscribe(ctx context.Context, a ask) render.Message {
	have, err := h.opts.Store.Subscriptions(ctx, a.by.User)
	if err != nil {
		return h.apology("I can't read your subscriptions.", fmt.Errorf("read subscriptions: %w", err))
	}
	if len(a.said.words) == 0 {
		return render.Subscriptions(have)
	}
	matchers, bad := parseWish(a.said)
	if bad != nil {
		return refused(bad)
	}
	wish := alert.Subscription{Person: a.by.User, Matchers: matchers, CreatedAt: h.opts.Now()}
	for _, s := range have {
		if s.Matchers.String() == matchers.String() {
			return render.Subscribed(s)
		}
	}
	if len(have) >= maxSubscriptions {
		return render.Refused(fmt.Sprintf("You have %d subscriptions, which is the most.", len(have)), "`unsubscribe` ends them all; one with a regular expression can replace several.")
	}
	if err := h.opts.Store.Subscribe(ctx, wish); err != nil {
		return h.refusal("Your subscription was not kept", fmt.Errorf("subscribe: %w", err))
	}
	return render.Subscribed(wish)
}

func (h *Handlers) unsubscribe(ctx context.Context, a ask) render.Message {
	if len(a.said.words) > 0 && a.said.words[0].key != "all" {
		return render.Refused("I can only end all of your subscriptions at once.", "Write `unsubscribe` alone, and then `subscribe` for what you still want.")
	}
	n, err := h.opts.Store.Unsubscribe(ctx, a.by.User)
	if err != nil {
		return h.refusal("Your subscriptions were not ended", fmt.Errorf("unsubscribe: %w", err))
	}
	return render.Unsubscribed(n)
}
