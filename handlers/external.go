package handlers

import (
	"context"
	"regexp"
	"slices"

	"go.uber.org/zap"

	"tocsin/bot"
	"tocsin/render"
)

// teamID matches the ids of workspaces and of enterprises.
var teamID = regexp.MustCompile(`^[TE][A-Z0-9]{2,}$`)

func isTeam(who string) bool { return teamID.MatchString(who) }

// welcome reports whether a person may use the app at all: in a channel that is shared
// with another workspace, its people see cards and buttons like ours. If not, the message
// says so.
func (h *Handlers) welcome(ctx context.Context, by bot.Caller, about string) (render.Message, bool) {
	if by.Outside == "" {
		return render.Message{}, true
	}
	who := h.rules.Load().Permissions.External
	if slices.Contains(who, by.Outside) {
		return render.Message{}, true
	}
	// Who can't be looked up is refused too; Members has been logged.
	if listed, _ := h.listed(ctx, by, who, rightExternal); listed {
		return render.Message{}, true
	}
	h.opts.Log.Warn("refused: the person is from another workspace", zap.String("permission", string(rightExternal)), zap.String("team", by.Outside),
		zap.String("user", by.User), zap.String("name", by.Name), zap.String("channel", by.Channel), zap.String("wanted", about))
	return render.Outsider(), false
}

// nobody reports whether a request does not say who made it. Nothing is done for it,
// because nobody would be responsible.
func (h *Handlers) nobody(by bot.Caller, about string) bool {
	if by.User == "" {
		h.opts.Log.Warn("ignored: slack does not say whose request it is", zap.String("channel", by.Channel), zap.String("wanted", about))
	}
	return by.User == ""
}
