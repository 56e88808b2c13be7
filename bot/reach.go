package bot

import (
	"context"
	"errors"

	"tocsin/alert"
)

// joining runs send, and once more if it needs the bot to be a member of a
// public channel and the bot could join that. What can't be joined stays as
// send said.
func (b *Bot) joining(ctx context.Context, channel, where string, send func() error) error {
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

// Reach looks without a post whether a broken destination takes messages again,
// and joins it if it is a public channel that has lost the bot. An error, which
// is an *alert.SendError, says that it does not; without one, sure is false when
// what was wrong can't be seen by looking (a right to post, a person's account).
func (b *Bot) Reach(ctx context.Context, d alert.Destination) (sure bool, err error) {
	id, err := b.conversation(ctx, alert.Job{Delivery: alert.Delivery{Lane: d.Lane}, Known: d.Known})
	if err != nil {
		return false, unlessBlind(err)
	}
	room, err := b.room(ctx, id, d.Lane)
	if err != nil {
		return false, b.unlessRenamed(d, err)
	}
	switch {
	case room.Archived:
		return false, b.refusal("is_archived", d.Lane, "")
	case room.Member || room.Direct:
	case room.Private:
		return false, b.refusal("not_in_channel", d.Lane, "")
	default: // it may take posts even of a bot that can't join (chat:write.public)
		return b.join(ctx, id, d.Lane) == nil && visible(d.Code), nil
	}
	return visible(d.Code), nil
}

// visible says whether a look can tell that what this code says is over.
func visible(code string) bool { return alert.ExplainSlackError(code).Visible }

// unlessBlind is nil for an error that says only that the app may not look, or
// that the bot is no member of a channel it knows by name: then only a post can
// tell.
func unlessBlind(err error) error {
	e, ok := errors.AsType[*alert.SendError](onlyHere(err))
	if ok && (alert.ExplainSlackError(e.Code).Method || e.Code == "not_in_channel") {
		return nil
	}
	return err
}

// unlessRenamed is nil when a name was looked up under an id that is gone: the
// name may mean another conversation by now, and only a post can tell.
func (b *Bot) unlessRenamed(d alert.Destination, err error) error {
	e, ok := errors.AsType[*alert.SendError](err)
	if !ok || e.Code != "channel_not_found" || slackID.MatchString(d.Lane) {
		return unlessBlind(err)
	}
	b.known.forget(d.Lane)
	return nil
}

// room is what can be seen of a conversation.
type room struct {
	Archived bool `json:"is_archived"`
	Member   bool `json:"is_member"`
	Private  bool `json:"is_private"`
	Direct   bool `json:"is_im"`
}

func (b *Bot) room(ctx context.Context, id, where string) (room, error) {
	var found struct {
		reply
		Channel room `json:"channel"`
	}
	err := b.call(ctx, request{"conversations.info", where, map[string]string{"channel": id}}, &found)
	if err == nil && found.odd {
		err = badAnswer()
	}
	return found.Channel, err
}
