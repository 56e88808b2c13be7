package handlers

import (
	"context"
	"strings"

	"tocsin/bot"
)

// Command answers /notify-test and /notify, privately. A command under another
// name that ends in -test is a test as well, for workspaces where ours was
// taken.
func (h *Handlers) Command(ctx context.Context, c bot.Command) error {
	words := tokens(c.Text)
	a := ask{words: words, once: c.TriggerID}
	if strings.HasSuffix(c.Name, "-test") {
		return h.respond(ctx, c.Caller, h.test(ctx, words, a))
	}
	return h.respond(ctx, c.Caller, h.answer(ctx, a))
}
