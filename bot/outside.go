package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/alert"
)

// origin is what a payload from a shared channel says about where a person is from: the
// id of a team or of an enterprise (docs/slack.md §7.2).
type origin struct {
	UserTeam   string `json:"user_team"`
	SourceTeam string `json:"source_team"`
}

// isOurs says whether id is our workspace or enterprise.
func (id Identity) isOurs(team string) bool {
	return team != "" && (team == id.TeamID || team == id.EnterpriseID)
}

// identifyAgain is how soon Slack is asked again who the bot is, unless it asks for more.
const identifyAgain = time.Second

// identify returns the identity, and asks Slack for it as long as it is unknown: without
// it nobody can tell who is from another workspace. It waits for Slack until ctx ends,
// but not for an app that Slack refuses.
func (b *Bot) identify(ctx context.Context) (Identity, error) {
	for {
		if id := b.Identity(); id.TeamID != "" {
			return id, nil
		}
		err := b.Probe(ctx)
		if err == nil && b.Identity().TeamID != "" {
			continue
		}
		again := identifyAgain
		if e, ok := errors.AsType[*alert.SendError](err); ok {
			again = max(again, e.RetryAfter)
			if e.Class == alert.ClassAuth {
				return Identity{}, fmt.Errorf("find out who is from another workspace: %w", err)
			}
		}
		select {
		case <-ctx.Done():
			return Identity{}, fmt.Errorf("find out who is from another workspace: %w", errors.Join(ctx.Err(), err))
		case <-time.After(again):
		}
	}
}

// outside returns the first of teams that is neither our workspace nor our enterprise.
// It returns nothing as long as ours are unknown.
func (id Identity) outside(teams ...string) string {
	if id.TeamID == "" {
		return ""
	}
	at := slices.IndexFunc(teams, func(team string) bool { return team != "" && !id.isOurs(team) })
	if at < 0 {
		return ""
	}
	return teams[at]
}

// Outside returns the team of a person (U…) from another workspace, and nothing for our
// own people. It is for events that don't say where somebody is from.
func (b *Bot) Outside(ctx context.Context, user string) (team string, err error) {
	self, err := b.identify(ctx)
	if err != nil {
		return "", err
	}
	p, err := b.profile(ctx, user)
	if err != nil {
		return "", err
	}
	if self.isOurs(p.enterprise) {
		return "", nil
	}
	return self.outside(p.team), nil
}
