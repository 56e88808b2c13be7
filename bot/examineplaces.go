package bot

import (
	"context"
	"maps"
	"slices"
	"strings"

	"tocsin/alert"
)

// conversation looks whether alerts can be posted to a conversation, and whether its
// history can be read, on which "not twice" depends.
func (x *examination) conversation(ctx context.Context, spelling string) {
	if isPerson(spelling) {
		x.person(ctx, checkConversation, spelling)
		return
	}
	id, err := x.channelID(ctx, spelling)
	if err != nil {
		x.failed(checkConversation, spelling, err)
		return
	}
	info, err := x.bot.channelInfo(ctx, id, spelling)
	switch {
	case err != nil:
		x.failed(checkConversation, spelling, err)
	case info.Archived:
		x.failed(checkConversation, spelling, x.bot.refusal("is_archived", spelling, ""))
	case info.Member || info.Direct:
		x.history(ctx, spelling, id)
	default:
		x.notMember(spelling, info)
	}
}

// notMember says what a channel means in which the bot is not.
func (x *examination) notMember(spelling string, info channelInfo) {
	refusal := x.bot.refusal("not_in_channel", spelling, "")
	granted := func(name string) bool { return len(x.id.Scopes) == 0 || slices.Contains(x.id.Scopes, name) }
	switch {
	case info.Private || !granted("chat:write.public") && !granted("channels:join"):
		x.failed(checkConversation, spelling, refusal)
	case granted("chat:write.public"):
		x.add(checkConversation, spelling, alert.CheckWarning,
			"takes messages, and the bot is not a member: a message whose answer is lost can't be looked for, and may be posted twice", refusal.Hint)
	default:
		x.ok(checkConversation, spelling, "the bot joins it with the first message")
	}
}

// history looks whether the messages of a conversation that the bot is in can be read.
func (x *examination) history(ctx context.Context, spelling, id string) {
	err := x.bot.call(ctx, request{"conversations.history", spelling, map[string]string{"channel": id, "limit": "1"}}, nil)
	if err == nil {
		x.ok(checkConversation, spelling, "takes messages; its history can be read")
		return
	}
	e := sendError(err)
	if isTemporary(e) {
		x.skip(checkConversation, spelling, "takes messages; whether its history can be read is not known: "+e.Error())
		return
	}
	x.add(checkConversation, spelling, alert.CheckWarning,
		"takes messages; its history can't be read ("+e.Code+"), so that a message whose answer is lost may be posted twice", e.Hint)
}

// channelID finds a channel by its name among those that the bot is in, and then among
// the public ones. An id is returned as it is.
func (x *examination) channelID(ctx context.Context, spelling string) (string, error) {
	if slackID.MatchString(spelling) {
		return spelling, nil
	}
	id, err := x.bot.findByChannelName(ctx, spelling)
	if err == nil || sendError(err).Code != "not_in_channel" {
		return id, err
	}
	if x.public == nil {
		if x.public, err = x.bot.publicChannels(ctx); err != nil {
			return "", err
		}
	}
	if id = x.public[strings.TrimPrefix(spelling, "#")]; id == "" {
		return "", x.bot.refusal("channel_not_found", spelling, "")
	}
	return id, nil
}

// publicChannels are the ids of all public channels by name.
func (b *Bot) publicChannels(ctx context.Context) (map[string]string, error) {
	all := map[string]string{}
	args := map[string]string{"types": "public_channel", "limit": "1000"}
	err := pages(ctx, b, request{"conversations.list", "", args}, func(page listPage) (bool, error) {
		for _, c := range page.Channels {
			all[c.Name] = c.ID
		}
		return false, nil
	})
	return all, err
}

// person looks whether a person, user group or channel exists to whom a mention, a
// permission or the direct messages of a conversation refer.
func (x *examination) person(ctx context.Context, name, who string) {
	switch {
	case strings.HasPrefix(who, "#") || strings.HasPrefix(who, "C") || strings.HasPrefix(who, "G"):
		x.members(ctx, name, who)
		return
	case groupID.MatchString(who):
		x.group(ctx, name, who)
		return
	case name != checkConversation && strings.HasPrefix(who, "@"):
		if groups, err := x.userGroups(ctx); err == nil && groups[strings.ToLower(who[1:])] != "" {
			x.ok(name, who, "is a user group")
			return
		}
	}
	id, err := x.findPerson(ctx, who)
	if err == nil {
		err = x.active(ctx, id, who)
	}
	if err != nil {
		x.failed(name, who, err)
		return
	}
	x.ok(name, who, "is in the workspace")
}

func (x *examination) findPerson(ctx context.Context, who string) (string, error) {
	switch {
	case slackID.MatchString(strings.TrimPrefix(who, "@")):
		return strings.TrimPrefix(who, "@"), nil
	case strings.HasPrefix(who, "@"):
		return x.bot.findByName(ctx, who)
	}
	return x.bot.findByEmail(ctx, who)
}

// active returns an error if a person (U…) is not in the workspace any more.
func (x *examination) active(ctx context.Context, id, who string) error {
	var found struct {
		reply
		User struct {
			Deleted bool `json:"deleted"`
		} `json:"user"`
	}
	err := x.bot.call(ctx, request{"users.info", who, map[string]string{"user": id}}, &found)
	if err == nil && found.User.Deleted {
		return x.bot.refusal("user_disabled", who, "")
	}
	return err
}

// group looks whether a user group (S…) exists and is not disabled.
func (x *examination) group(ctx context.Context, name, id string) {
	groups, err := x.userGroups(ctx)
	switch {
	case err != nil:
		x.failed(name, id, err)
	case !slices.Contains(slices.Collect(maps.Values(groups)), id):
		x.add(name, id, alert.CheckError, "there is no such user group, or it is disabled", "correct the id in the configuration, or enable the group in Slack")
	default:
		x.ok(name, id, "is a user group")
	}
}

// userGroups are the ids of user groups by handle.
func (x *examination) userGroups(ctx context.Context) (map[string]string, error) {
	if x.groups != nil {
		return x.groups, nil
	}
	groups, err := x.bot.groupHandles(ctx)
	if err == nil {
		x.groups = groups
	}
	return groups, err
}

// members looks whether the members of a channel can be listed.
func (x *examination) members(ctx context.Context, name, channel string) {
	id, err := x.channelID(ctx, channel)
	if err == nil {
		err = x.bot.call(ctx, request{"conversations.members", channel, map[string]string{"channel": id, "limit": "1"}}, nil)
	}
	if err != nil {
		x.failed(name, channel, err)
		return
	}
	x.ok(name, channel, "its members can be listed")
}
