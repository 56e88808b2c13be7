package handlers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// Action answers a click on a button. Link buttons need no answer.
func (h *Handlers) Action(ctx context.Context, a bot.Action) error {
	switch render.ActionOf(a.ActionID) {
	case render.ActionLink:
		return nil
	case render.ActionTest:
		return h.openTest(ctx, a)
	case render.ActionRefresh:
		h.homes.request(a.User, homeRequest{force: true, by: a.Caller})
		return nil
	case render.ActionAck:
		return h.click(ctx, a, alert.VerbAck)
	case render.ActionResolve:
		return h.click(ctx, a, alert.VerbResolve)
	case render.ActionSilence:
		return h.openSilence(ctx, a)
	case render.ActionMore:
		return h.more(ctx, a)
	case render.ActionExpire:
		return h.expire(ctx, a)
	case render.ActionPage:
		return h.showPage(ctx, a)
	case render.InputMatchers:
		return h.recount(ctx, a)
	}
	h.opts.Log.Warn("click on an unknown button", zap.String("action", a.ActionID), zap.String("user", a.User))
	return h.respond(ctx, a.Caller, render.Gone())
}

// more answers a choice in the overflow of a card.
func (h *Handlers) more(ctx context.Context, a bot.Action) error {
	what, id, _ := strings.Cut(a.Value, ":")
	a.Value = id
	switch what + ":" {
	case render.MoreAssign:
		return h.openAssign(ctx, a)
	case render.MoreNote:
		return h.openNote(ctx, a)
	case render.MoreDetails:
		return h.openDetails(ctx, a)
	case render.MoreMute:
		return h.mute(ctx, a)
	case render.MoreCopy:
		return h.respond(ctx, a.Caller, render.ShortID(id))
	}
	h.opts.Log.Warn("choice of an unknown kind", zap.String("value", a.Value), zap.String("user", a.User))
	return h.respond(ctx, a.Caller, render.Gone())
}

// click performs a verb on the incident of the button. The result is shown on the
// card or the Home, and to everybody else in an answer.
func (h *Handlers) click(ctx context.Context, a bot.Action, verb alert.Verb) error {
	if no, ok := h.allowed(ctx, a.Caller, rightAck, a.ActionID+" "+a.Value); !ok {
		return h.respond(ctx, a.Caller, no)
	}
	act := alert.Act{Verb: verb, Incident: a.Value, By: h.person(ctx, a.Caller), RequestID: a.TriggerID}
	acted, err := h.opts.Engine.Act(ctx, []alert.Act{act})
	if err != nil {
		return h.respond(ctx, a.Caller, h.refusal("Nothing was changed", err))
	}
	return h.showResult(ctx, a, acted, verb)
}

// showResult answers a person who would not see the result otherwise.
func (h *Handlers) showResult(ctx context.Context, a bot.Action, acted []alert.Acted, verb alert.Verb) error {
	if atHome(a) {
		h.homes.request(a.User, homeRequest{})
		return nil
	}
	for _, done := range acted {
		if done.Effect == alert.ActDone && h.onCard(ctx, a, done.Incident) {
			return nil
		}
	}
	return h.respond(ctx, a.Caller, render.Acted(acted, verb))
}

// atHome reports whether a click was in the App Home.
func atHome(a bot.Action) bool { return a.MessageTS == "" && a.ViewID != "" }

// onCard reports whether a click was on the card that will show its result. Somebody
// may click before the store has the card's ts.
func (h *Handlers) onCard(ctx context.Context, a bot.Action, i alert.Incident) bool {
	if a.MessageTS == "" || a.Ephemeral {
		return false
	}
	if shows(i, a) {
		return true
	}
	if len(i.Cards) >= len(i.Lanes) || !sleep(ctx, noting) {
		return false
	}
	i, err := h.opts.Store.Incident(ctx, i.ID)
	return err == nil && shows(i, a)
}

// noting is how long it may take until the store has the ts of a card.
const noting = time.Second / 2

// shows reports whether the message that was clicked is a card of the incident.
func shows(i alert.Incident, a bot.Action) bool {
	return slices.ContainsFunc(i.Cards, func(c alert.Card) bool {
		return c.Conversation == a.Channel && c.TS == a.MessageTS && !c.Digest
	})
}

// mutes is how long "Mute this key" silences it.
const mutes = time.Hour

// mute silences the key of an incident for an hour.
func (h *Handlers) mute(ctx context.Context, a bot.Action) error {
	if no, ok := h.allowed(ctx, a.Caller, rightSilence, a.ActionID+" "+a.Value); !ok {
		return h.respond(ctx, a.Caller, no)
	}
	i, no := h.incident(ctx, a.Value)
	if no != nil {
		return h.respond(ctx, a.Caller, *no)
	}
	m, holds := h.createSilence(ctx, alert.Silence{Matchers: sameKey(i), EndsAt: h.opts.Now().Add(mutes), By: h.person(ctx, a.Caller), Why: "muted on its card"})
	if holds && atHome(a) {
		h.homes.request(a.User, homeRequest{})
		return nil
	}
	return h.respond(ctx, a.Caller, m)
}

// incident reads the incident that somebody clicked on. If that fails, the message
// says why.
func (h *Handlers) incident(ctx context.Context, id string) (alert.Incident, *render.Message) {
	i, err := h.opts.Store.Incident(ctx, id)
	if err == nil {
		return i, nil
	}
	var no render.Message
	if errors.Is(err, alert.ErrNotFound) {
		no = forgotten(id)
	} else {
		no = h.apology("I can't read that incident.", err)
	}
	return i, &no
}

// expire ends the silence of the button. The list of silences is updated; where that
// is not possible, the person gets an answer.
func (h *Handlers) expire(ctx context.Context, a bot.Action) error {
	if no, ok := h.allowed(ctx, a.Caller, rightSilence, a.ActionID+" "+a.Value); !ok {
		return h.respond(ctx, a.Caller, no)
	}
	said := h.endSilence(ctx, a.Value, h.person(ctx, a.Caller))
	if atHome(a) {
		h.homes.request(a.User, homeRequest{})
		return nil
	}
	list, err := h.listSilences(ctx)
	if err != nil || !a.Ephemeral && !strings.HasPrefix(a.Channel, "D") {
		return h.respond(ctx, a.Caller, said)
	}
	return h.inPlace(ctx, a, list)
}
