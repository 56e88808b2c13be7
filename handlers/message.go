package handlers

import (
	"context"
	"fmt"

	"tocsin/bot"
	"tocsin/render"
)

// Message answers a direct message or a mention: one in a thread in that thread, a
// mention in its own thread.
func (h *Handlers) Message(ctx context.Context, m bot.Message) error {
	// The bot package ignores bots. Answering one could start a loop, so check again.
	if m.User == "" || m.User == "USLACKBOT" {
		return nil
	}
	thread := m.Thread
	if thread == "" && m.Mention {
		thread = m.TS
	}
	answer := reply{}
	if no, ok := h.welcome(ctx, m.Caller, m.Text); ok {
		answer = h.reply(ctx, m)
	} else {
		answer.Message = no
	}
	err := h.deliver(ctx, m.Caller, answer, func(r render.Message) error {
		_, err := h.opts.Slack.PostMessage(ctx, m.Channel, thread, r)
		return err
	})
	if err != nil {
		return fmt.Errorf("answer a message: %w", err)
	}
	return nil
}

func (h *Handlers) reply(ctx context.Context, m bot.Message) reply {
	said := read(m.Text)
	if len(said.words) == 0 {
		return reply{Message: render.Greeting()}
	}
	return h.answer(ctx, ask{by: m.Caller, said: said, direct: true, requestID: m.Channel + "-" + m.TS})
}
