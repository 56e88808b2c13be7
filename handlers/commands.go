package handlers

import (
	"context"
	"slices"
	"strings"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// Command answers /notify-test and /notify privately. Any command ending in -test
// counts as /notify-test: a workspace may have had to rename ours.
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

type command struct {
	name string
	// also are other words for it.
	also []string
	// needs is the permission that it needs, or empty.
	needs right
	do    func(h *Handlers, ctx context.Context, a ask) reply
}

// commands lists all commands, in the order of the help.
func commands() []command {
	plain := func(do func(h *Handlers, ctx context.Context, a ask) render.Message) func(*Handlers, context.Context, ask) reply {
		return func(h *Handlers, ctx context.Context, a ask) reply { return reply{Message: do(h, ctx, a)} }
	}
	return []command{
		{"list", []string{"ls", "incidents", "alerts"}, "", plain((*Handlers).list)},
		{"show", []string{"details", "incident", "info"}, "", plain((*Handlers).show)},
		{"ack", []string{"acknowledge", "take"}, rightAck, plain(acting(alert.VerbAck))},
		{"resolve", []string{"close", "done"}, rightAck, plain(acting(alert.VerbResolve))},
		{"assign", []string{"give"}, rightAck, plain((*Handlers).assign)},
		{"note", []string{"comment"}, rightAck, plain(acting(alert.VerbNote))},
		{"silence", []string{"mute"}, rightSilence, plain((*Handlers).silence)},
		{"silences", []string{"mutes"}, "", plain((*Handlers).silences)},
		{"unsilence", []string{"unmute", "expire"}, rightSilence, plain((*Handlers).unsilence)},
		{"send", []string{"post", "alert"}, rightSend, plain((*Handlers).send)},
		{"test", []string{"notify-test"}, rightSend, plain((*Handlers).test)},
		{"subscribe", []string{"subscriptions"}, "", plain((*Handlers).subscribe)},
		{"unsubscribe", nil, "", plain((*Handlers).unsubscribe)},
		{"oncall", []string{"on-call", "who"}, "", plain((*Handlers).oncall)},
		{"stats", []string{"statistics", "figures"}, "", (*Handlers).stats},
		{"status", []string{"health"}, "", plain((*Handlers).status)},
		{"help", []string{"?", "hi", "hello", "hey", "hallo", "--help", "-h"}, "", plain((*Handlers).help)},
	}
}

// commandOf finds the command for a word, or else the name of the most similar one.
func commandOf(word string) (found command, near string) {
	var names []string
	for _, c := range commands() {
		if c.name == word || slices.Contains(c.also, word) {
			return c, ""
		}
		names = append(names, c.name)
	}
	return command{}, nearest(word, names)
}
