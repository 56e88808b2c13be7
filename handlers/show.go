package handlers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/render"
)

func (h *Handlers) show(ctx context.Context, a ask) render.Message {
	t := a.order.Target
	if len(t.IDs) > 0 && len(t.Words) == 0 {
		return h.showOne(ctx, t.IDs[0])
	}
	c := chosenBy(t, alert.Act{Verb: verbShow}, a.by.User)
	ids, err := h.opts.Store.IDs(ctx, c.filter())
	if err == nil && len(ids) == 0 {
		f := c.filter()
		f.States, f.Limit = []alert.State{alert.StateResolved}, render.ChoiceRows
		ids, err = h.opts.Store.IDs(ctx, f)
	}
	switch {
	case err != nil:
		return h.apology("I can't read what is open.", err)
	case len(ids) == 0:
		return h.nothingFound(ctx, t, verbShow)
	case len(ids) == 1:
		return h.showOne(ctx, ids[0])
	}
	return h.choice(ctx, c, ids)
}

func (h *Handlers) showOne(ctx context.Context, id string) render.Message {
	i, no := h.incident(ctx, id, h.noIncident)
	if no != nil {
		return *no
	}
	history, err := h.opts.Store.History(ctx, i.ID)
	if err != nil {
		return h.apology("I can't read its history.", fmt.Errorf("read history: %w", err))
	}
	if err := h.addMembers(ctx, &i, 0, alert.CardMembers); err != nil {
		return h.apology("I can't read its alerts.", err)
	}
	card := alert.Card{}
	if at := slices.IndexFunc(i.Cards, func(c alert.Card) bool { return c.TS != "" }); at >= 0 {
		card = i.Cards[at]
	}
	return render.Show(i, history, h.permalink(ctx, card.Conversation, card.TS))
}

// incident reads an incident. If that fails, the message says why; unknown answers an
// id that does not exist.
func (h *Handlers) incident(ctx context.Context, id string, unknown func(ctx context.Context, id string) render.Message) (alert.Incident, *render.Message) {
	i, err := h.opts.Store.Incident(ctx, id)
	if err == nil {
		return i, nil
	}
	var no render.Message
	if errors.Is(err, alert.ErrNotFound) {
		no = unknown(ctx, id)
	} else {
		no = h.apology("I can't read that incident.", fmt.Errorf("read incident: %w", err))
	}
	return i, &no
}

// addMembers adds members of an incident's group that are shown, after the first from.
func (h *Handlers) addMembers(ctx context.Context, i *alert.Incident, from, most int) (err error) {
	if i.Group == nil {
		return nil
	}
	g := i.Group.Clone()
	g.From = from
	g.Top, err = h.opts.Store.GroupMembers(ctx, i.ID, from, most)
	i.Group = g
	return err
}

// permalink is the link to a message, or empty if there is none.
func (h *Handlers) permalink(ctx context.Context, conversation, ts string) string {
	if ts == "" {
		return ""
	}
	link, err := h.opts.Slack.Permalink(ctx, conversation, ts)
	if err != nil {
		h.opts.Log.Warn("read a permalink", zap.String("channel", conversation), zap.String("ts", ts), zap.Error(err))
	}
	return link
}
