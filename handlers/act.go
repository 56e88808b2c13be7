package handlers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// person is the person who asks, with their name if it can be looked up.
func (h *Handlers) person(ctx context.Context, by bot.Caller) alert.Person {
	p := alert.Person{ID: by.User, Name: by.Name}
	if p.Name == "" && p.ID != "" {
		name, err := h.opts.Slack.Name(ctx, p.ID)
		if err != nil {
			h.opts.Log.Warn("look up a name", zap.String("user", p.ID), zap.Error(err))
		}
		p.Name = name
	}
	return p
}

// acting returns the command for a verb: ID… [note].
func acting(verb alert.Verb) func(h *Handlers, ctx context.Context, a ask) render.Message {
	return func(h *Handlers, ctx context.Context, a ask) render.Message {
		candidates, behind, bad := parseIDs(a.said)
		if bad != nil {
			return refused(bad)
		}
		ids, note := h.split(ctx, a.said, candidates, behind)
		switch {
		case utf8.RuneCountInString(note) > render.MaxNote:
			return render.Refused(fmt.Sprintf("The note is longer than %d characters.", render.MaxNote), "Say it shorter, or in several notes.")
		case note == "" && verb == alert.VerbNote:
			return render.Refused("There is no note after the id.", "Write `note k7f2 what you found`.")
		}
		return h.act(ctx, alert.Act{Verb: verb, By: h.person(ctx, a.by), Text: note, RequestID: a.requestID}, ids)
	}
}

// split separates the ids from a note whose first words look like ids: it begins
// with the first uncertain candidate that is not the id of an incident.
func (h *Handlers) split(ctx context.Context, said phrase, candidates []candidate, behind int) (ids []string, note string) {
	for _, c := range candidates {
		if !c.sure {
			if _, err := h.opts.Store.Incident(ctx, c.id); errors.Is(err, alert.ErrNotFound) {
				behind = c.word
				break
			}
		}
		ids = append(ids, c.id)
	}
	return alert.Union(nil, ids), strings.TrimLeft(said.from(behind).prose(), ":-–— ")
}

func (h *Handlers) act(ctx context.Context, wanted alert.Act, ids []string) render.Message {
	acts := make([]alert.Act, len(ids))
	for n, id := range ids {
		acts[n] = wanted
		acts[n].Incident = id
	}
	acted, err := h.opts.Engine.Act(ctx, acts)
	if err != nil {
		return h.refusal("Nothing was changed", err)
	}
	if len(acted) == 1 && acted[0].Effect == alert.ActUnknown {
		return h.noIncident(ctx, ids[0])
	}
	return render.Acted(acted, wanted.Verb)
}

// noIncident answers an unknown id, with the most similar one that is open.
func (h *Handlers) noIncident(ctx context.Context, id string) render.Message {
	open, _, err := h.open(ctx)
	if err != nil {
		h.opts.Log.Warn("look for a similar id", zap.Error(err))
	}
	var ids []string
	for _, i := range open {
		ids = append(ids, i.ID)
	}
	if near := nearest(id, ids); near != "" && near != id {
		return render.Refused("There is no incident "+id+".", "Did you mean `"+near+"`? `list` shows what is open.")
	}
	return forgotten(ctx, id)
}

// forgotten answers an id that is unknown or not known any more.
func forgotten(_ context.Context, id string) render.Message {
	return render.Acted([]alert.Acted{{Incident: alert.Incident{ID: id}, Effect: alert.ActUnknown}}, "")
}

func (h *Handlers) assign(ctx context.Context, a ask) render.Message {
	order, bad := parseAssign(a.said)
	if bad != nil {
		return refused(bad)
	}
	to, bad := h.findPerson(ctx, order.to, a.by)
	if bad != nil {
		return refused(bad)
	}
	ids, note := h.split(ctx, a.said, order.ids, order.behind)
	return h.act(ctx, alert.Act{Verb: alert.VerbAssign, By: h.person(ctx, a.by), To: to, Text: note, RequestID: a.requestID}, ids)
}

func (h *Handlers) findPerson(ctx context.Context, said string, by bot.Caller) (alert.Person, *alert.InputError) {
	if key := strings.ToLower(said); key == "me" || key == "myself" {
		return h.person(ctx, by), nil
	}
	if m := personLink.FindStringSubmatch(said); m != nil {
		// The name after the bar may be anything that somebody typed.
		return h.person(ctx, bot.Caller{User: m[1]}), nil
	}
	said = mailAddress(said)
	if bare := strings.TrimPrefix(said, "@"); surelyPerson(bare) {
		said = bare
	} else {
		said = strings.ToLower(said)
	}
	person, err := h.opts.Slack.Person(ctx, said)
	var sent *alert.SendError
	switch {
	case err == nil:
		return person, nil
	case errors.As(err, &sent) && sent.Class == alert.ClassDestination:
		return person, &alert.InputError{Message: "I can't find anyone called " + said, Hint: "Name the person as @name or by mail address, or choose them with *Assign to…* on the card."}
	}
	h.opts.Log.Warn("look up a person", zap.Error(err))
	return person, &alert.InputError{Message: "I can't look for " + said + " at the moment", Hint: "Choose them with *Assign to…* on the card, or try again in a minute."}
}
