package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// click is what a click on a button, or a choice in the menu of a card, does.
type click struct {
	needs right
	do    func(h *Handlers, ctx context.Context, a bot.Action) error
}

// clicks are by action id; the choices in a menu are by the prefix of their value.
func clicks() map[string]click {
	return map[string]click{
		render.ActionTest:    {rightSend, (*Handlers).openTest},
		render.ActionRefresh: {"", (*Handlers).refresh},
		render.ActionAck:     {rightAck, clicked(alert.VerbAck)},
		render.ActionResolve: {rightAck, clicked(alert.VerbResolve)},
		render.ActionSilence: {rightSilence, withIncident((*Handlers).openSilence)},
		render.ActionExpire:  {rightSilence, (*Handlers).expire},
		render.ActionDrop:    {rightSilence, (*Handlers).drop},
		render.ActionPage:    {"", (*Handlers).showPage},
		render.ActionChoose:  {"", (*Handlers).choose}, // the verb says what it needs
		render.ActionCancel:  {"", (*Handlers).cancel},
		render.ActionAckAll:  {rightAck, (*Handlers).ackDigest},

		render.ActionSilenceAll: {rightSilence, (*Handlers).silenceDigest},
		render.ActionMute:       {rightSilence, (*Handlers).silenceChosen},
		render.ActionMembers:    {"", (*Handlers).turnMembers},
		render.MoreUnack:        {rightAck, clicked(alert.VerbUnack)},
		render.MoreReopen:       {rightAck, clicked(alert.VerbReopen)},
		render.InputMatchers:    {"", (*Handlers).recount},
		render.MoreAssign:       {rightAck, withIncident((*Handlers).openAssign)},
		render.MoreNote:         {rightAck, withIncident((*Handlers).openNote)},
		render.MoreDetails:      {"", withIncident((*Handlers).openDetails)},
		render.MoreMute:         {rightSilence, withIncident((*Handlers).mute)},
		render.MoreCopy:         {"", (*Handlers).copyID},
	}
}

// Action answers a click on a button. Link buttons need no answer.
func (h *Handlers) Action(ctx context.Context, a bot.Action) error {
	kind := render.ActionOf(a.ActionID)
	if kind == render.ActionLink || h.nobody(a.Caller, a.ActionID) {
		return nil
	}
	if no, ok := h.welcome(ctx, a.Caller, a.ActionID+" "+a.Value); !ok {
		return h.respond(ctx, a.Caller, no)
	}
	switch kind {
	case render.ActionMore:
		kind, a.Value, _ = strings.Cut(a.Value, ":")
		kind += ":"
	}
	c, known := clicks()[kind]
	if !known {
		h.opts.Log.Warn("click on an unknown button", zap.String("action", a.ActionID), zap.String("value", a.Value), zap.String("user", a.User))
		return h.respond(ctx, a.Caller, render.Gone())
	}
	if no, ok := h.allowed(ctx, a.Caller, c.needs, kind+" "+a.Value); !ok {
		return h.respond(ctx, a.Caller, no)
	}
	return c.do(h, ctx, a)
}

func clicked(verb alert.Verb) func(h *Handlers, ctx context.Context, a bot.Action) error {
	return func(h *Handlers, ctx context.Context, a bot.Action) error {
		if id, list, inList := strings.Cut(a.Value, " "); inList {
			a.Value = id
			return h.performInList(ctx, a, verb, list)
		}
		return h.perform(ctx, a, alert.Act{Verb: verb})
	}
}

// withIncident reads the incident of the button first.
func withIncident(do func(h *Handlers, ctx context.Context, a bot.Action, i alert.Incident) error) func(h *Handlers, ctx context.Context, a bot.Action) error {
	return func(h *Handlers, ctx context.Context, a bot.Action) error {
		i, no := h.incident(ctx, a.Value, forgotten)
		if no != nil {
			return h.respond(ctx, a.Caller, *no)
		}
		return do(h, ctx, a, i)
	}
}

func (h *Handlers) refresh(_ context.Context, a bot.Action) error {
	h.homes.request(a.User, homeRequest{force: true, by: a.Caller})
	return nil
}

func (h *Handlers) copyID(ctx context.Context, a bot.Action) error {
	return h.openView(ctx, a, render.CopyModal(a.Value))
}

// performInList performs an act on an incident of a list, and shows the list as it is now.
// The person is told the result above it, or privately if others see the list, too.
func (h *Handlers) performInList(ctx context.Context, a bot.Action, verb alert.Verb, list string) error {
	said := h.act(ctx, alert.Act{Verb: verb, By: h.person(ctx, a.Caller), RequestID: a.TriggerID}, []string{a.Value})
	var p page
	err := json.Unmarshal([]byte(list), &p)
	var now render.Message
	if err == nil {
		now, err = h.page(ctx, p)
	}
	if err != nil || said.Waits != nil {
		h.opts.Log.Warn("draw a list again", zap.Error(err))
		return h.respond(ctx, a.Caller, said)
	}
	if private(a) {
		return h.inPlace(ctx, a, render.Above(said, now))
	}
	err = h.patiently(ctx, func() error { return h.opts.Slack.Replace(ctx, a.Caller, now) })
	return errors.Join(err, h.respond(ctx, a.Caller, said))
}

// perform performs an act on the incident of a button or a dialog. The card or the
// Home shows the result; elsewhere the person gets an answer. On a card the answer only
// offers to undo it.
func (h *Handlers) perform(ctx context.Context, a bot.Action, act alert.Act) error {
	act.Incident, act.By, act.RequestID = a.Value, h.person(ctx, a.Caller), a.TriggerID
	acted, err := h.opts.Engine.Act(ctx, []alert.Act{act})
	if err != nil {
		return h.respond(ctx, a.Caller, h.refusal("Nothing was changed", err))
	}
	for _, done := range acted {
		if done.Effect == alert.ActDone && act.Verb.Undo() == "" && h.onCard(ctx, a, done.Incident) {
			return nil
		}
	}
	// The Home does not show notes.
	return h.result(ctx, a, act.Verb != alert.VerbNote, h.acted(acted, act.Verb))
}

// result updates the Home that was clicked in if it shows the result, and answers
// privately otherwise.
func (h *Handlers) result(ctx context.Context, a bot.Action, shown bool, m render.Message) error {
	if shown && atHome(a) {
		h.homes.request(a.User, homeRequest{})
		return nil
	}
	return h.respond(ctx, a.Caller, m)
}

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
	if len(i.Cards) >= len(i.Lanes) || !sleep(ctx, cardDelay) {
		return false
	}
	i, err := h.opts.Store.Incident(ctx, i.ID)
	return err == nil && shows(i, a)
}

// cardDelay is how long it may take until the store has the ts of a card.
const cardDelay = time.Second / 2

// shows reports whether the message that was clicked is a card of the incident.
func shows(i alert.Incident, a bot.Action) bool {
	return slices.ContainsFunc(i.Cards, func(c alert.Card) bool {
		return c.Conversation == a.Channel && c.TS == a.MessageTS && !c.Digest
	})
}

// muteFor is how long "Mute this key" silences it.
const muteFor = time.Hour

func (h *Handlers) mute(ctx context.Context, a bot.Action, i alert.Incident) error {
	m, holds := h.createSilence(ctx, alert.Silence{Matchers: sameKey(i), EndsAt: h.opts.Now().Add(muteFor), Why: "muted on its card"}, a.Caller)
	return h.result(ctx, a, holds, m)
}

// expire ends the silence of the button. A notice about it says so to everybody then, also if
// it has ended before. The list of silences is updated; where that is not possible, the person
// gets an answer.
func (h *Handlers) expire(ctx context.Context, a bot.Action) error {
	id, notice := strings.CutSuffix(a.Value, render.NoticeOfSilence)
	said := h.endSilence(ctx, id, h.person(ctx, a.Caller))
	if notice && said.Waits == nil {
		found, err := h.opts.Store.Silences(ctx, alert.SilenceFilter{ID: id})
		if err == nil && len(found) == 1 && found[0].Over(h.opts.Now()) {
			m := render.SilenceOver(found[0])
			return h.say(ctx, a.Caller, m, func() error { return h.opts.Slack.Replace(ctx, a.Caller, m) })
		}
	}
	left, more, err := h.activeSilences(ctx)
	if err != nil || said.Waits != nil || !private(a) {
		return h.result(ctx, a, said.Waits == nil, said)
	}
	return h.inPlace(ctx, a, render.Silences(left, more))
}
