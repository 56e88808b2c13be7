package bot

import (
	"slices"
	"strings"
)

// scope is one of the bot scopes that the daemon uses (docs/slack.md §2.2).
type scope struct {
	name string
	// use is what needs it.
	use string
	// needed says which configurations need it; nil for all.
	needed func(Needs) bool
	// vital is set when no alert can be posted without it.
	vital bool
}

func (s scope) neededBy(n Needs) bool { return s.needed == nil || s.needed(n) }

// wantedScopes are the bot scopes that the daemon uses, by name. Which conversations are
// public, private or not joined is not known before they are looked at.
func wantedScopes() []scope {
	never := func(Needs) bool { return false }
	return []scope{
		{name: "app_mentions:read", use: "answers to mentions"},
		{name: "channels:history", use: "checking whether a message arrived, in public channels"},
		{name: "channels:read", use: "finding a channel by its name, and who is in it"},
		{name: "chat:write", use: "every message", vital: true},
		{name: "chat:write.public", use: "alerts to public channels the bot has not joined", needed: never},
		{name: "commands", use: "slash commands"},
		{name: "files:write", use: "the complete list of a large digest as a file"},
		{name: "groups:history", use: "checking whether a message arrived, in private channels", needed: never},
		{name: "groups:read", use: "finding a private channel by its name", needed: never},
		{name: "im:history", use: "answers to direct messages"},
		{name: "im:write", use: "direct messages to people", needed: func(n Needs) bool { return slices.ContainsFunc(n.Conversations, isPerson) }},
		{name: "usergroups:read", use: "mentions and permissions of user groups", needed: func(n Needs) bool {
			return slices.ContainsFunc(slices.Concat(n.Mentions, n.Permitted), mayBeGroup)
		}},
		{name: "users:read", use: "finding people by name, and their time zones"},
		{name: "users:read.email", use: "finding people by mail address", needed: func(n Needs) bool {
			return slices.ContainsFunc(slices.Concat(n.Conversations, n.Mentions, n.Permitted), isMail)
		}},
	}
}

// isPerson reports whether a conversation is the direct messages of a person.
func isPerson(s string) bool {
	return strings.HasPrefix(s, "U") || strings.HasPrefix(s, "W") || strings.Contains(s, "@")
}

func isMail(s string) bool { return strings.Index(s, "@") > 0 }

// mayBeGroup reports whether a mention may be that of a user group.
func mayBeGroup(s string) bool { return groupID.MatchString(s) || strings.HasPrefix(s, "@") }
