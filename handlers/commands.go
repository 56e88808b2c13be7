package handlers

import (
	"context"
	"maps"
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
		return h.deliver(ctx, c.Caller, h.do(ctx, test, a), send)
	}
	return h.deliver(ctx, c.Caller, h.answer(ctx, a), send)
}

type command struct {
	name string
	// also are other words for it.
	also []string
	// needs is the permission that it needs, or empty.
	needs right
	// parse reads what follows it; nil if do reads the words itself.
	parse func(p phrase) (Order, *alert.InputError)
	// here is set if in a card's thread it means that card, unless another is named.
	here bool
	do   func(h *Handlers, ctx context.Context, a ask) reply
}

// commands lists all commands, in the order of the help.
func commands() []command {
	plain := func(do func(h *Handlers, ctx context.Context, a ask) render.Message) func(*Handlers, context.Context, ask) reply {
		return func(h *Handlers, ctx context.Context, a ask) reply { return reply{Message: do(h, ctx, a)} }
	}
	act := func(verb alert.Verb, also ...string) command {
		return command{name: string(verb), also: also, needs: rightAck, parse: parseAct, here: true, do: plain(acting(verb))}
	}
	return []command{
		{name: "list", also: []string{"ls", "incidents", "alerts"}, parse: parseList, do: plain((*Handlers).list)},
		{name: "show", also: []string{"details", "incident", "info", "history"}, parse: parseAct, here: true, do: plain((*Handlers).show)},
		act(alert.VerbAck, "acknowledge", "take"),
		act(alert.VerbUnack, "unacknowledge"),
		act(alert.VerbResolve, "close", "done", "fixed"),
		act(alert.VerbReopen, "unresolve"),
		{name: "assign", also: []string{"give"}, needs: rightAck, parse: parseAssign, here: true, do: plain(acting(alert.VerbAssign))},
		act(alert.VerbNote, "comment"),
		{name: "silence", needs: rightSilence, parse: parseSilence, here: true, do: plain((*Handlers).silence)},
		{name: "mute", also: []string{"snooze"}, needs: rightSilence, parse: parseMute, here: true, do: plain((*Handlers).silence)},
		{name: "silences", also: []string{"mutes"}, do: plain((*Handlers).silences)},
		{name: "unsilence", also: []string{"unmute", "unsnooze", "expire"}, needs: rightSilence, do: plain((*Handlers).unsilence)},
		{name: "send", also: []string{"post", "alert"}, needs: rightSend, do: plain((*Handlers).send)},
		{name: "test", also: []string{"notify-test"}, needs: rightSend, do: plain((*Handlers).test)},
		{name: "subscribe", also: []string{"subscriptions"}, do: plain((*Handlers).subscribe)},
		{name: "unsubscribe", do: plain((*Handlers).unsubscribe)},
		{name: "oncall", also: []string{"on-call", "who"}, do: plain((*Handlers).oncall)},
		{name: "stats", also: []string{"statistics", "figures"}, do: (*Handlers).stats},
		{name: "heartbeats", also: []string{"heartbeat"}, do: plain((*Handlers).heartbeats)},
		{name: "queue", also: []string{"deliveries", "pending"}, do: plain((*Handlers).queue)},
		{name: "status", also: []string{"health"}, do: plain((*Handlers).status)},
		{name: "doctor", also: []string{"check"}, needs: rightAdmin, do: plain((*Handlers).doctor)},
		{name: "help", also: []string{"?", "hi", "hello", "hey", "hallo", "--help", "-h"}, do: plain((*Handlers).help)},
	}
}

// commandOf finds the command for a word, or else the name of the most similar one.
func commandOf(word string) (found command, near string) {
	names, also := []string{}, map[string]string{}
	for _, c := range commands() {
		if c.name == word || slices.Contains(c.also, word) {
			return c, ""
		}
		names = append(names, c.name)
		for _, other := range c.also {
			also[other] = c.name
		}
	}
	if meant := meantCommands()[word]; meant != "" {
		return command{}, meant
	}
	if near = nearest(word, names); near == "" {
		near = also[nearest(word, slices.Sorted(maps.Keys(also)))]
	}
	return command{}, near
}

// meantCommands are what words mean that are no commands, as they may mean something else.
func meantCommands() map[string]string {
	return map[string]string{
		"page": "assign", "escalate": "assign", "reassign": "assign", "claim": "ack", "acked": "ack", "acking": "ack", "acknowledged": "ack",
		"fix": "resolve", "solved": "resolve", "trigger": "send", "fire": "send", "raise": "send", "describe": "show", "wake": "unsilence",
		"delete": "unsilence", "remove": "unsilence", "end": "unsilence", "cancel": "unsilence", "schedule": "oncall", "who's": "oncall", "who’s": "oncall",
	}
}
