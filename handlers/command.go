package handlers

import (
	"context"
	"strings"

	"tocsin/bot"
	"tocsin/render"
)

// Command answers /notify-test and /notify privately. Every command that ends in
// -test is a test, for workspaces in which our names were taken.
func (h *Handlers) Command(ctx context.Context, c bot.Command) error {
	if about := c.Name + " " + c.Text; h.nobody(c.Caller, about) {
		return nil
	} else if no, ok := h.welcome(ctx, c.Caller, about); !ok {
		return h.respond(ctx, c.Caller, no)
	}
	a := ask{by: c.Caller, said: read(c.Text), requestID: c.TriggerID}
	send := func(m render.Message) error { return h.opts.Slack.Respond(ctx, c.Caller, m) }
	if strings.HasSuffix(c.Name, "-test") {
		test, _ := commandOf("test")
		return h.deliver(ctx, h.do(ctx, test, a), send)
	}
	return h.deliver(ctx, h.answer(ctx, a), send)
}
