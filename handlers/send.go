package handlers

import (
	"cmp"
	"context"

	"tocsin/alert"
	"tocsin/render"
)

// sendSource is the source of alerts that people write by hand.
const sendSource = "slack"

// send pushes an alert that a person wrote: [#channel] [severity] text…
func (h *Handlers) send(ctx context.Context, a ask) render.Message {
	order, bad := parseSend(a.said)
	if bad != nil {
		return refused(bad)
	}
	by := h.person(ctx, a.by)
	wanted := alert.Alert{
		Source: sendSource, Key: sendSource + "-" + alert.NewID(), Severity: order.severity, Channel: order.channel, Text: order.text,
		Labels: map[string]string{"from": cmp.Or(by.Name, by.ID)}, At: h.opts.Now(),
	}
	if a.requestID != "" {
		wanted.IdempotencyKey = sendSource + "-" + a.requestID
	}
	report, failed := h.push(ctx, wanted)
	if failed != nil {
		return *failed
	}
	return render.Sent(report)
}
