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
	in, err := b.enter(ctx, info, id, d.Lane)
	return in && canCheck(d.Code), err
}

// enter reports whether the bot is in a conversation, and joins it if it can. The bot
// may post in a public channel even if it can't join (chat:write.public). The error is
// an *alert.SendError if the bot can't post there.
func (b *Bot) enter(ctx context.Context, info channelInfo, id, where string) (in bool, err error) {
	switch {
	case info.Archived:
		return false, b.refusal("is_archived", where, "")
	case info.Member || info.Direct:
		return true, nil
	case info.Private:
		return false, b.refusal("not_in_channel", where, "")
	}
	return b.join(ctx, id, where) == nil, nil
}

// Check looks at a conversation that somebody has named before anything is sent there.
// The error is an *alert.SendError of alert.ClassDestination if it is not known, or if
// the bot is not in it; nil also if Slack does not say.
func (b *Bot) Check(ctx context.Context, spelling string) error {
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	id, err := b.conversationID(ctx, alert.Job{Delivery: alert.Delivery{Lane: spelling}})
	var info channelInfo
	if err == nil {
		info, err = b.channelInfo(ctx, id, spelling)
	}
	if err == nil {
		_, err = b.enter(ctx, info, id, spelling)
	}
	switch e, ok := errors.AsType[*alert.SendError](err); {
	case !ok || e.Class != alert.ClassDestination || alert.ExplainSlackError(e.Code).Method:
		return nil
	case e.Code == "not_in_channel" && !slackID.MatchString(spelling): // it may not exist at all
		return b.refusal("channel_not_found", spelling, "")
	default:
		return e
	}
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
	Archived bool   `json:"is_archived"`
	Member   bool   `json:"is_member"`
	Private  bool   `json:"is_private"`
	Direct   bool   `json:"is_im"`
	Group    bool   `json:"is_mpim"`
	Name     string `json:"name"`
}

// channelInfo asks what a conversation is, and passes on the name of a channel.
func (b *Bot) channelInfo(ctx context.Context, id, where string) (channelInfo, error) {
	var found struct {
		reply
		Channel channelInfo `json:"channel"`
	}
	err := b.call(ctx, request{"conversations.info", where, map[string]string{"channel": id}}, &found)
	if err == nil && found.mistyped {
		err = badAnswer()
	}
	if info := found.Channel; err == nil && !info.Direct && !info.Group {
		b.learnChannel(ctx, b.Identity().TeamID, info.Name, id)
	}
	return found.Channel, err
}
