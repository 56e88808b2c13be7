package handlers

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"tocsin/bot"
	"tocsin/render"
)

// Permissions say who may do what. Each is a list of: everyone, nobody, a person
// (U…, @name, user@mail), a user group (S…, @handle) or a conversation (C…, #name),
// which means its members. An empty list means everyone.
type Permissions struct {
	// Ack is for acknowledging, resolving, assigning and notes.
	Ack []string
	// Silence is for silences and their end.
	Silence []string
	// Send is for sending alerts, test alerts included.
	Send []string
	// Admin is for doctor.
	Admin []string
	// External is who may use the app although they are from another workspace. It
	// may also list teams (T…, E…), and an empty list means nobody.
	External []string
}

type right string

const (
	rightAck     right = "ack"
	rightSilence right = "silence"
	rightSend    right = "send"
	rightAdmin   right = "admin"

	rightExternal right = "external"
)

func (p Permissions) of(r right) (who []string, what string) {
	switch r {
	case rightAck:
		return p.Ack, "acknowledge, resolve or assign alerts"
	case rightSilence:
		return p.Silence, "silence alerts"
	case rightSend:
		return p.Send, "send alerts"
	case rightAdmin:
		return p.Admin, "see what is set up wrong"
	}
	return nil, ""
}

// allowed reports whether a person has a permission. If not, the message says so.
// about is what they wanted, for the log.
func (h *Handlers) allowed(ctx context.Context, by bot.Caller, r right, about string) (render.Message, bool) {
	who, what := h.rules.Load().Permissions.of(r)
	if len(who) == 0 {
		return render.Message{}, true
	}
	listed, unsure := h.listed(ctx, by, who, r)
	if listed {
		return render.Message{}, true
	}
	h.opts.Log.Info("refused", zap.String("permission", string(r)), zap.String("user", by.User), zap.String("name", by.Name), zap.String("channel", by.Channel), zap.String("wanted", about))
	if unsure != nil {
		return render.Refused("I can't see at the moment whether you may "+what+".", "Please try again in a minute; the log says what is wrong."), false
	}
	return render.Denied(what, slices.DeleteFunc(slices.Clone(who), func(s string) bool { return s == "nobody" })), false
}

// listed says whether a person is among those that a permission lists, and unsure why
// that could not be found out completely.
func (h *Handlers) listed(ctx context.Context, by bot.Caller, who []string, r right) (yes bool, unsure error) {
	if slices.Contains(who, "everyone") || slices.Contains(who, by.User) {
		return true, nil
	}
	for _, one := range who {
		if one == "nobody" || isPerson(one) || isTeam(one) {
			continue
		}
		people, err := h.opts.Slack.Members(ctx, one)
		if err != nil {
			h.opts.Log.Warn("look up who has a permission", zap.String("permission", string(r)), zap.String("who", one), zap.Error(err))
			unsure = err
		}
		if slices.Contains(people, by.User) {
			return true, nil
		}
	}
	return false, unsure
}
