package bot

import (
	"context"
	"strings"

	"go.uber.org/zap"

	"tocsin/alert"
)

// learn passes on which id Slack has for a conversation or a person.
func (b *Bot) learn(ctx context.Context, spelling, id string) {
	name, err := alert.ParseConversation(spelling)
	if err != nil || b.opts.Learn == nil || !slackID.MatchString(id) {
		return
	}
	if err := b.opts.Learn(ctx, name, id); err != nil {
		b.opts.Log.Warn("the name of a conversation is not remembered", zap.String("name", name), zap.String("id", id), zap.Error(err))
	}
}

// learnChannel passes on the name of a channel in the bot's own workspace.
func (b *Bot) learnChannel(ctx context.Context, team, name, id string) {
	if own := b.Identity().TeamID; own != "" && team != own {
		return
	}
	if name != "" && strings.HasPrefix(id, "C") {
		b.learn(ctx, "#"+name, id)
	}
}

// learnFromCommand passes on the name of the channel that a command was given in. Slack
// hides those of direct and private conversations (docs/slack.md §7.1).
func (b *Bot) learnFromCommand(ctx context.Context, c Command) {
	switch {
	case c.ChannelName == "directmessage", c.ChannelName == "privategroup", strings.HasPrefix(c.ChannelName, "mpdm-"):
	default:
		b.learnChannel(ctx, c.Team, c.ChannelName, c.Channel)
	}
}

// mostNameless is how many channels wait for LearnNames; more are asked about after another
// post.
const mostNameless = 100

// wantName has LearnNames ask for the name of a channel that is known by its id (C…) only,
// once.
func (b *Bot) wantName(lane string) {
	if !strings.HasPrefix(lane, "C") || !slackID.MatchString(lane) {
		return
	}
	if _, asked := b.asked.LoadOrStore(lane, true); asked {
		return
	}
	select {
	case b.nameless <- lane:
	default:
		b.asked.Delete(lane)
	}
}

// LearnNames passes on the names of the channels to which something was posted under their
// ids, until ctx ends.
func (b *Bot) LearnNames(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case id := <-b.nameless:
			if _, err := b.channelInfo(ctx, id, id); err != nil {
				b.opts.Log.Info("the name of a channel is not known", zap.String("id", id), zap.Error(err))
			}
		}
	}
}

// learnDM passes on in which conversation (D…) a person (U…) writes to the bot.
func (b *Bot) learnDM(ctx context.Context, user, channel string) {
	if strings.HasPrefix(channel, "D") {
		b.learn(ctx, user, channel)
	}
}
