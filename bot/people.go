package bot

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// lookupLimit bounds one lookup: a person or a delivery waits for it.
const lookupLimit = 5 * time.Second

// profile is what Slack says about a person.
type profile struct {
	name string
	zone *time.Location
	// team and enterprise are those of the person; the second may be empty.
	team, enterprise string
}

// Zone returns the time zone that a person (U…) has set in Slack.
func (b *Bot) Zone(ctx context.Context, user string) (*time.Location, error) {
	p, err := b.profile(ctx, user)
	return p.zone, err
}

// Name returns a person's (U…) user name, without @.
func (b *Bot) Name(ctx context.Context, user string) (string, error) {
	p, err := b.profile(ctx, user)
	return p.name, err
}

func (b *Bot) profile(ctx context.Context, user string) (profile, error) {
	return b.profiles.get(user, func() (profile, error) {
		ctx, cancel := context.WithTimeout(ctx, lookupLimit)
		defer cancel()
		var found personFound
		if err := b.call(ctx, request{"users.info", user, map[string]string{"user": user}}, &found); err != nil {
			return profile{}, asDestinationError(err)
		}
		return found.profile(), nil
	})
}

type personFound struct {
	reply
	User struct {
		Name       string `json:"name"`
		Zone       string `json:"tz"`
		Label      string `json:"tz_label"`
		Offset     int    `json:"tz_offset"`
		Team       string `json:"team_id"`
		Enterprise struct {
			ID string `json:"enterprise_id"`
		} `json:"enterprise_user"`
	} `json:"user"`
}

// profile returns what the answer holds. A time zone that this machine does not
// know becomes its current offset.
func (found personFound) profile() profile {
	zone, err := time.LoadLocation(found.User.Zone)
	if err != nil || found.User.Zone == "" {
		zone = time.FixedZone(found.User.Label, found.User.Offset)
	}
	return profile{name: found.User.Name, zone: zone, team: found.User.Team, enterprise: found.User.Enterprise.ID}
}

// Person finds a person by @name, user@mail or id (U…). The error is an
// *alert.SendError, with alert.ClassDestination if there is no such person.
func (b *Bot) Person(ctx context.Context, spelling string) (alert.Person, error) {
	id, err := b.resolve(ctx, spelling)
	if err != nil {
		return alert.Person{}, err
	}
	name, err := b.Name(ctx, id)
	if err != nil {
		return alert.Person{}, err
	}
	return alert.Person{ID: id, Name: name}, nil
}

var groupID = regexp.MustCompile(`^S[A-Z0-9]{2,}$`)

// Members lists the people (U…) in a user group (S…, @handle) or a conversation
// (C…, G…, or #name if the bot is in it). For a person (@name, user@mail) it
// returns that person. The answer may be some minutes old, and older while Slack
// can't be reached.
func (b *Bot) Members(ctx context.Context, who string) ([]string, error) {
	return b.members.get(who, func() ([]string, error) {
		ctx, cancel := context.WithTimeout(ctx, lookupLimit)
		defer cancel()
		people, err := b.listMembers(ctx, who)
		return people, asDestinationError(err)
	})
}

func (b *Bot) listMembers(ctx context.Context, who string) ([]string, error) {
	if strings.HasPrefix(who, "#") {
		id, err := b.lookUp(ctx, who, b.findByChannelName)
		if err != nil {
			return nil, err
		}
		who = id
	}
	if strings.Contains(who, "@") {
		id, err := b.findMentioned(ctx, who)
		if err != nil {
			return nil, err
		}
		who = id
	}
	switch {
	case groupID.MatchString(who):
		return b.groupMembers(ctx, who)
	case strings.HasPrefix(who, "U") || strings.HasPrefix(who, "W"):
		return []string{who}, nil
	}
	return b.conversationMembers(ctx, who)
}

func (b *Bot) groupMembers(ctx context.Context, group string) ([]string, error) {
	return b.listIDs(ctx, request{"usergroups.users.list", group, map[string]string{"usergroup": group}})
}

func (b *Bot) conversationMembers(ctx context.Context, channel string) ([]string, error) {
	return b.listIDs(ctx, request{"conversations.members", channel, map[string]string{"channel": channel, "limit": "1000"}})
}

// mostMembers limits the members that are read.
const mostMembers = 20_000

func (b *Bot) listIDs(ctx context.Context, r request) (all []string, err error) {
	err = pages(ctx, b, r, func(page userPage) (bool, error) {
		all = append(append(all, page.Users...), page.Members...)
		return len(all) >= mostMembers, nil
	})
	return all, err
}

// userPage is the answer of usergroups.users.list, in Users, or of
// conversations.members, in Members.
type userPage struct {
	reply
	Users   []string `json:"users"`
	Members []string `json:"members"`
}

// findMentioned finds the id of @name or a mail address. It tries the handles of
// user groups first, which take one call, then people.
func (b *Bot) findMentioned(ctx context.Context, spelling string) (string, error) {
	handle, isName := strings.CutPrefix(spelling, "@")
	if isName && !slackID.MatchString(handle) {
		groups, err := b.groups.get("", func() (map[string]string, error) { return b.groupHandles(ctx) })
		if id := groups[strings.ToLower(handle)]; id != "" {
			return id, nil
		}
		if err != nil && !isPermanent(err) {
			b.opts.Log.Debug("user groups could not be listed", zap.Error(err))
		}
	}
	return b.resolve(ctx, spelling)
}

// groupHandles returns the ids of all user groups by handle.
func (b *Bot) groupHandles(ctx context.Context) (map[string]string, error) {
	var list struct {
		reply
		Groups []struct {
			ID      string `json:"id"`
			Handle  string `json:"handle"`
			Deleted int64  `json:"date_delete"`
		} `json:"usergroups"`
	}
	if err := b.call(ctx, request{method: "usergroups.list"}, &list); err != nil {
		return nil, asDestinationError(err)
	}
	all := map[string]string{}
	for _, g := range list.Groups {
		if g.Deleted == 0 {
			all[strings.ToLower(g.Handle)] = g.ID
		}
	}
	return all, nil
}

// mentionIDs replaces each name that is found by its id. A name that is not found
// stays, and is shown as text: the alert matters more.
func (b *Bot) mentionIDs(ctx context.Context, mentions []string) []string {
	all := make([]string, 0, len(mentions))
	for _, m := range mentions {
		if strings.Contains(m, "@") {
			id, err := b.mentions.get(m, func() (string, error) {
				ctx, cancel := context.WithTimeout(ctx, lookupLimit)
				defer cancel()
				return b.findMentioned(ctx, m)
			})
			if err == nil {
				m = id
			}
		}
		all = append(all, m)
	}
	return all
}

// resolveMentions returns the job with ids in place of the names it mentions.
func (b *Bot) resolveMentions(ctx context.Context, job alert.Job) alert.Job {
	if names := job.Incident.Mentions[job.Lane]; len(names) > 0 {
		job.Incident.Mentions = map[string][]string{job.Lane: b.mentionIDs(ctx, names)}
	}
	if job.Digest != nil && len(job.Digest.Mention) > 0 {
		digest := *job.Digest
		digest.Mention = b.mentionIDs(ctx, digest.Mention)
		job.Digest = &digest
	}
	if job.Note != nil {
		note := *job.Note
		note.Mention, note.Before = b.mentionIDs(ctx, note.Mention), slices.Clone(note.Before)
		for n := range note.Before {
			note.Before[n].Mention = b.mentionIDs(ctx, note.Before[n].Mention)
		}
		job.Note = &note
	}
	return job
}
