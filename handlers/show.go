package handlers

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/render"
)

// show shows one incident with its history.
func (h *Handlers) show(ctx context.Context, a ask) render.Message {
	ids, _, bad := parseIDs(a.said)
	if bad != nil {
		return refused(bad)
	}
	i, history, err := h.story(ctx, ids[0].id)
	if errors.Is(err, alert.ErrNotFound) {
		return h.noIncident(ctx, ids[0].id)
	}
	if err != nil {
		return h.apology("I can't read that incident.", err)
	}
	return render.Show(i, history, h.permalink(ctx, i))
}

// story reads an incident with its history.
func (h *Handlers) story(ctx context.Context, id string) (alert.Incident, []alert.Event, error) {
	i, err := h.opts.Store.Incident(ctx, id)
	if err != nil {
		return i, nil, fmt.Errorf("read incident: %w", err)
	}
	history, err := h.opts.Store.History(ctx, id)
	if err != nil {
		return i, nil, fmt.Errorf("read history: %w", err)
	}
	return i, history, nil
}

// permalink is the link to an incident's first card, or empty.
func (h *Handlers) permalink(ctx context.Context, i alert.Incident) string {
	for _, c := range i.Cards {
		if c.TS == "" {
			continue
		}
		link, err := h.opts.Slack.Permalink(ctx, c.Conversation, c.TS)
		if err != nil {
			h.opts.Log.Warn("read the permalink of a card", zap.String("incident", i.ID), zap.Error(err))
		}
		return link
	}
	return ""
}
