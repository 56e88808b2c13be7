package handlers

import (
	"context"
	"strings"

	"go.uber.org/zap"

	"tocsin/bot"
	"tocsin/render"
)

// Action answers a click on a button. What only opens an address needs no
// answer; what nobody knows gets a polite one.
func (h *Handlers) Action(ctx context.Context, a bot.Action) error {
	switch {
	case strings.HasPrefix(a.ActionID, render.ActionLink):
		return nil
	case a.ActionID == render.ActionTest:
		return h.openTest(ctx, a)
	case a.ActionID == render.ActionRefresh:
		if err := h.refreshHome(ctx, a.User); err != nil {
			return h.respond(ctx, a.Caller, h.apology("I can't refresh the Home tab.", err))
		}
		return nil
	}
	h.opts.Log.Warn("click on an unknown button", zap.String("action", a.ActionID), zap.String("user", a.User))
	return h.respond(ctx, a.Caller, render.Gone())
}

// openTest opens the dialog for a test alert. Slack's trigger holds for three
// seconds, so there is no second try with it.
func (h *Handlers) openTest(ctx context.Context, a bot.Action) error {
	err := h.opts.Slack.OpenView(ctx, a.TriggerID, render.TestModal(h.opts.DefaultChannel))
	if err == nil {
		return nil
	}
	h.opts.Log.Warn("open dialog", zap.String("user", a.User), zap.Error(err))
	return h.respond(ctx, a.Caller, render.Refused("I could not open the dialog in time.", "Please click again."))
}
