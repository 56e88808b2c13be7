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

// Action answers a click on a button. What only opens an address needs no
// answer; what nobody knows gets a polite one.
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

// click does verb with the incident of the button. Who sees its card, or the
// Home, sees there what came of it; all others are told.
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

// showResult answers where the person would not see what they did.
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

// atHome tells a click in the App Home.
func atHome(a bot.Action) bool { return a.MessageTS == "" && a.ViewID != "" }

// onCard tells a click on the very card that will show what it did. Somebody may
// click before it is noted where the card is.
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

// noting is how long it may take to note where a card is.
const noting = time.Second / 2

// shows tells whether the message that was clicked is a card of the incident.
func shows(i alert.Incident, a bot.Action) bool {
	return slices.ContainsFunc(i.Cards, func(c alert.Card) bool {
		return c.Conversation == a.Channel && c.TS == a.MessageTS && !c.Digest
	})
}

// mutes is how long "Mute this key" does it.
const mutes = time.Hour

// mute keeps the key of an incident quiet for an hour.
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

// incident is the one that somebody clicked on, or else what to say to them.
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

// expire ends the silence of the button. A list of silences is drawn anew; the
// person is told only where that is not seen.
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
