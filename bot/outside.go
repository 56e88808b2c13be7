package bot

import (
	"context"
	"slices"
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
	p, err := b.profile(ctx, user)
	if err != nil {
		return "", err
	}
	self := b.Identity()
	if self.isOurs(p.enterprise) {
		return "", nil
	}
	return self.outside(p.team), nil
}
