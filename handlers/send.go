package handlers

import (
	"cmp"
	"context"

	"tocsin/alert"
	"tocsin/render"
)

const sendSource = "slack"

// send pushes an alert that a person wrote: [#channel] [severity] text…
func (h *Handlers) send(ctx context.Context, a ask) render.Message {
	order, bad := parseSend(a.said)
	if bad != nil {
		return refused(bad)
	}
	by := h.person(ctx, a.by)
	return h.push(ctx, "alert", a.requestID, alert.Alert{
		Source: sendSource, Severity: order.severity, Channel: order.channel, Text: order.text,
		Labels: map[string]string{"from": cmp.Or(by.Name, by.ID)},
	})
}
