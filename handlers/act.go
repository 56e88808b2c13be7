package handlers

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// acting returns the command for a verb.
func acting(verb alert.Verb) func(h *Handlers, ctx context.Context, a ask) render.Message {
	return func(h *Handlers, ctx context.Context, a ask) render.Message {
		o := a.order
		switch {
		case utf8.RuneCountInString(o.Text) > render.MaxNote:
			return render.Refused(fmt.Sprintf("The note is longer than %d characters.", render.MaxNote), "Say it shorter, or in several notes.")
		case o.Text == "" && verb == alert.VerbNote:
			return render.Refused("There is no note.", "Write `note k7f2 what you found`, or `note disk: what you found`.")
		}
		wanted := alert.Act{Verb: verb, By: h.person(ctx, a.by), Text: o.Text, RequestID: a.requestID}
		if verb == alert.VerbAssign {
			var bad *alert.InputError
			if wanted.To, bad = h.findPerson(ctx, o.To, a.by); bad != nil {
				return refused(bad)
			}
		}
		if len(o.Target.IDs) > 0 && len(o.Target.Words) == 0 {
			return h.act(ctx, wanted, o.Target.IDs)
		}
		return h.actOnFound(ctx, a, wanted)
	}
}

// actOnFound acts on what a search finds if that is one incident, and asks if it is more.
func (h *Handlers) actOnFound(ctx context.Context, a ask, wanted alert.Act) render.Message {
	chosen, err := h.narrowed(ctx, chosenBy(a.order.Target, wanted, a.by.User))
	if err != nil {
		return h.apology("I can't read what is open.", err)
	}
	chosen.Asked = h.opts.Now().UnixMicro()
	ids, err := h.opts.Store.IDs(ctx, chosen.filter())
	if err != nil {
		return h.apology("I can't read what is open.", err)
	}
	switch len(ids) {
	case 0:
		if after := StateAfter(wanted.Verb); after != "" {
			filter := chosen.filter()
			filter.States = []alert.State{after}
			if done, err := h.opts.Store.IDs(ctx, filter); err == nil && len(done) == 1 {
				return h.act(ctx, wanted, done) // which says so
			} else if err == nil && len(done) > 1 {
				return render.AllAlready(wanted.Verb, len(done))
			}
		}
		return h.nothingFound(ctx, a.order.Target, wanted.Verb)
	case 1:
		return h.act(ctx, wanted, ids)
	}
	return h.choice(ctx, chosen, ids)
}

// narrowed is a choice of where the words are whole words, or else begin a word, if that is
// so in any incident that is not over. Who writes lag for one that is acknowledged already
// does not mean another that has it inside of a word.
func (h *Handlers) narrowed(ctx context.Context, c choice) (choice, error) {
	if len(c.Words) == 0 {
		return c, nil
	}
	whole, begin := c, c
	whole.Whole, begin.Begin = true, true
	for _, narrow := range []choice{whole, begin} {
		f := narrow.filter()
		f.States, f.Limit = append(unresolved(), StatesFor(c.Verb)...), 1
		if found, err := h.opts.Store.IDs(ctx, f); err != nil || len(found) > 0 {
			return narrow, err
		}
	}
	return c, nil
}

// nothingFound answers a search that found nothing to act on.
func (h *Handlers) nothingFound(ctx context.Context, t Target, verb alert.Verb) render.Message {
	if len(t.IDs) == 1 && len(t.Words) == 1 {
		return h.noIncident(ctx, t.IDs[0])
	}
	if id := t.Silence(); id != "" {
		return render.Refused("`"+id+"` is the id of a silence, not of an incident.", "`silences` shows what it hides and for how long; `unsilence "+id+"` ends it.")
	}
	partly := t.Filter(StatesFor(verb)...)
	partly.Members, partly.Limit = true, 1
	if ids, err := h.opts.Store.IDs(ctx, partly); err == nil && len(ids) > 0 {
		return render.Refused("`"+ids[0]+"` is a group of which only some alerts match.", "Name it by its id to mean all of it.")
	}
	what := "I find no incident"
	switch states := StatesFor(verb); {
	case verb == verbShow:
	case len(states) == 1:
		what = "I find no " + map[alert.State]string{alert.Open: "open", alert.Acked: "acknowledged", alert.StateResolved: "resolved"}[states[0]] + " incident"
	default:
		what = "I find no unresolved incident"
	}
	if about := t.String(); about != "" {
		what += " with " + about
	}
	if m := t.Labelled(); m != "" {
		return render.Refused(what+".", "Did you mean the label `"+m+"`?")
	}
	return render.Refused(what+".", "`list` shows what is open; a note begins behind a colon, as in `ack disk: looking into it`.")
}

// String is what a search is for: db-3, service="db".
func (t Target) String() string {
	var parts []string
	if len(t.Words) > 0 {
		parts = append(parts, strings.Join(t.Words, " "))
	}
	if len(t.Matchers) > 0 {
		parts = append(parts, t.Matchers.String())
	}
	return strings.Join(parts, " and ")
}

func (h *Handlers) act(ctx context.Context, wanted alert.Act, ids []string) render.Message {
	acted, err := h.actOnAll(ctx, wanted, ids)
	switch {
	case err != nil && len(acted) == 0:
		return h.refusal("Nothing was changed", err)
	case err != nil:
		return h.refusal(fmt.Sprintf("Only %d of %d were changed", len(acted), len(ids)), err)
	case len(acted) == 1 && acted[0].Effect == alert.ActUnknown:
		return h.noIncident(ctx, ids[0])
	}
	return h.acted(acted, wanted.Verb)
}

// acted tells the result of acts, with a button that undoes them for a minute.
func (h *Handlers) acted(acted []alert.Acted, verb alert.Verb) render.Message {
	m := render.Acted(acted, verb)
	undo := choice{Verb: verb.Undo(), Offered: h.opts.Now().UnixMicro()}
	for _, a := range acted {
		if a.Effect == alert.ActDone {
			undo.IDs = append(undo.IDs, a.Incident.ID)
		}
	}
	if undo.Verb == "" || len(undo.IDs) == 0 {
		return m
	}
	return render.WithUndo(m, undo.value())
}

// actsAtOnce is how many acts share one request to the engine, so that alerts that come
// meanwhile need not wait for thousands.
const actsAtOnce = 500

// actOnAll does the same with many incidents. With an error it returns what was done
// before.
func (h *Handlers) actOnAll(ctx context.Context, wanted alert.Act, ids []string) ([]alert.Acted, error) {
	var all []alert.Acted
	for some := range slices.Chunk(ids, actsAtOnce) {
		acts := make([]alert.Act, len(some))
		for n, id := range some {
			acts[n] = wanted
			acts[n].Incident = id
		}
		acted, err := h.opts.Engine.Act(ctx, acts)
		if err != nil {
			return all, err
		}
		all = append(all, acted...)
	}
	return all, nil
}

// noIncident answers an unknown id, with the most similar one that is open.
func (h *Handlers) noIncident(ctx context.Context, id string) render.Message {
	if m, near := h.nearID(ctx, id); near {
		return m
	}
	return forgotten(ctx, id)
}

// nearID answers an unknown id if a similar one is open.
func (h *Handlers) nearID(ctx context.Context, id string) (m render.Message, found bool) {
	ids, err := h.opts.Store.IDs(ctx, alert.IncidentFilter{States: unresolved(), Limit: maxNear})
	if err != nil {
		h.opts.Log.Warn("look for a similar id", zap.Error(err))
	}
	near := nearest(id, ids)
	if near == "" || near == id {
		return render.Message{}, false
	}
	return render.Refused("There is no incident "+id+".", "Did you mean `"+near+"`? `list` shows what is open."), true
}

// maxNear is among how many open incidents a similar id is looked for.
const maxNear = 1000

// forgotten answers an id that is unknown or not known any more.
func forgotten(_ context.Context, id string) render.Message {
	return render.Acted([]alert.Acted{{Incident: alert.Incident{ID: id}, Effect: alert.ActUnknown}}, "")
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
	if !strings.Contains(said, "@") && !surelyPerson(said) {
		said = "@" + said
	}
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
		bad := &alert.InputError{Message: "I can't find anyone called " + said, Hint: "Name the person as @name or by mail address, or choose them with “Assign to…” on the card."}
		if sent.Near != "" {
			bad.Hint = "Did you mean " + sent.Near + "? " + bad.Hint
		}
		return person, bad
	}
	h.opts.Log.Warn("look up a person", zap.Error(err))
	return person, &alert.InputError{Message: "I can't look for " + said + " at the moment", Hint: "Choose them with “Assign to…” on the card, or try again in a minute."}
}
