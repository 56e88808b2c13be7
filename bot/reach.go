package bot

import (
	"context"
	"errors"

	"tocsin/alert"
)

// withJoin calls send. If that needs the bot to be a member of the channel and the
// bot can join it, withJoin calls send again; otherwise it returns send's error.
func (b *Bot) withJoin(ctx context.Context, channel, where string, send func() error) error {
	err := send()
	e, ok := errors.AsType[*alert.SendError](err)
	if !ok || e.Code != "not_in_channel" || !slackID.MatchString(channel) {
		return err
	}
	if b.join(ctx, channel, where) != nil {
		return err
	}
	return send()
}

func (b *Bot) join(ctx context.Context, channel, where string) error {
	return b.call(ctx, request{"conversations.join", where, map[string]string{"channel": channel}}, nil)
}

// Reach checks without a post whether a broken destination accepts messages again,
// and joins it if it is a public channel that removed the bot. An error, which is
// an *alert.SendError, means that it does not. Without an error, sure is false if
// the check can't tell (whether apps may post, or a person's account is active).
func (b *Bot) Reach(ctx context.Context, d alert.Destination) (sure bool, err error) {
	id, err := b.conversationID(ctx, alert.Job{Delivery: alert.Delivery{Lane: d.Lane}, Known: d.Known})
	if err != nil {
		return false, ignoreNoAccess(err)
	}
	info, err := b.channelInfo(ctx, id, d.Lane)
	if err != nil {
		return false, b.ignoreRenamed(d, err)
	}
	switch {
	case info.Archived:
		return false, b.refusal("is_archived", d.Lane, "")
	case info.Member || info.Direct:
	case info.Private:
		return false, b.refusal("not_in_channel", d.Lane, "")
	default: // the bot may post even if it can't join (chat:write.public)
		return b.join(ctx, id, d.Lane) == nil && canCheck(d.Code), nil
	}
	return canCheck(d.Code), nil
}

// canCheck says whether a check without a post shows if an error still holds.
func canCheck(code string) bool { return alert.ExplainSlackError(code).Visible }

// ignoreNoAccess returns nil for an error that means only that the app lacks a
// scope for the check, or that the bot is not a member of a channel that it knows
// by name: then only a post can tell.
func ignoreNoAccess(err error) error {
	e, ok := errors.AsType[*alert.SendError](asDestinationError(err))
	if ok && (alert.ExplainSlackError(e.Code).Method || e.Code == "not_in_channel") {
		return nil
	}
	return err
}

// ignoreRenamed returns nil if the cached id of a name does not exist any more: the
// name may now belong to another conversation, and only a post can tell.
func (b *Bot) ignoreRenamed(d alert.Destination, err error) error {
	e, ok := errors.AsType[*alert.SendError](err)
	if !ok || !alert.ExplainSlackError(e.Code).NoSuchName || slackID.MatchString(d.Lane) {
		return ignoreNoAccess(err)
	}
	b.ids.forget(d.Lane)
	return nil
}

// channelInfo is what we read of conversations.info.
type channelInfo struct {
	Archived bool `json:"is_archived"`
	Member   bool `json:"is_member"`
	Private  bool `json:"is_private"`
	Direct   bool `json:"is_im"`
}

func (b *Bot) channelInfo(ctx context.Context, id, where string) (channelInfo, error) {
	var found struct {
		reply
		Channel channelInfo `json:"channel"`
	}
	err := b.call(ctx, request{"conversations.info", where, map[string]string{"channel": id}}, &found)
	if err == nil && found.mistyped {
		err = badAnswer()
	}
	return found.Channel, err
}
