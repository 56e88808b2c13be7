package handlers

import (
	"cmp"
	"context"
	"slices"

	"tocsin/alert"
	"tocsin/render"
)

const sendSource = "slack"

// send pushes an alert that a person wrote: [#channel] [severity] text…
func (h *Handlers) send(ctx context.Context, a ask) render.Message {
	order, bad := parseSend(a.said, func(conversation string) bool { return h.known(ctx, conversation) })
	if bad == nil && order.unknown != "" {
		bad = &alert.InputError{
			Message: "nothing was sent: I don't know whether " + order.unknown + " is a channel",
			Hint:    "Write `send to #" + order.unknown + ": …` to send it there, or put the text in quotes to send all of it to the usual channel.",
		}
	}
	if bad != nil {
		return refused(bad)
	}
	by := h.person(ctx, a.by)
	return h.push(ctx, "alert", a.requestID, alert.Alert{
		Source: sendSource, Severity: order.severity, Channel: order.channel, Text: order.text,
		Labels: map[string]string{"from": cmp.Or(by.Name, by.ID)},
	})
}

// known reports whether a conversation is one of the configuration, or alerts have been sent
// there.
func (h *Handlers) known(ctx context.Context, conversation string) bool {
	if h.opts.Routing.Sends(conversation) {
		return true
	}
	ledger, err := h.opts.Store.Ledger(ctx)
	return err == nil && slices.ContainsFunc(ledger.Lanes, func(l alert.LaneCounts) bool { return l.Lane == conversation })
}
