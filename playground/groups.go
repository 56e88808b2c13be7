package playground

import (
	"fmt"
	"slices"
	"strings"
)

// UserGroup is a group of people who can be mentioned together, as @oncall.
type UserGroup struct {
	// ID begins with S.
	ID string `json:"id"`
	// Handle is what people type after @.
	Handle string `json:"handle"`
	Name   string `json:"name"`
	// Users are the ids of its people.
	Users []string `json:"users"`
	// Disabled groups are kept, but can't be mentioned.
	Disabled bool `json:"disabled,omitempty"`
}

// AddUserGroup adds a group and returns its id. Users may be ids or names; an empty ID or Name is filled in. Somebody who is not in the
// workspace is an error.
func (s *Server) AddUserGroup(g UserGroup) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.Handle = strings.TrimPrefix(g.Handle, "@")
	g.ID, g.Name = orDefault(g.ID, s.ws.newID("S0PG")), orDefault(g.Name, g.Handle)
	users, err := s.userIDsLocked(g.Users)
	if err != nil {
		return "", fmt.Errorf("add user group %q: %w", g.Handle, err)
	}
	g.Users = users
	s.ws.groups = append(s.ws.groups, &g)
	s.recordLocked(Entry{Kind: KindPeople})
	return g.ID, nil
}

// SetUserGroup replaces the people of a group, named by id, handle or "@handle".
func (s *Server) SetUserGroup(ref string, users ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groupLocked(ref)
	if g == nil {
		return fmt.Errorf("set user group %q: there is no such group", ref)
	}
	ids, err := s.userIDsLocked(users)
	if err != nil {
		return fmt.Errorf("set user group %q: %w", ref, err)
	}
	g.Users = ids
	s.recordLocked(Entry{Kind: KindPeople})
	return nil
}

// UserGroups returns every group, the disabled ones included.
func (s *Server) UserGroups() []UserGroup {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]UserGroup, 0, len(s.ws.groups))
	for _, g := range s.ws.groups {
		one := *g
		one.Users = slices.Clone(g.Users)
		out = append(out, one)
	}
	return out
}

// groupLocked finds a group by id, handle or "@handle"; nil when there is none.
func (s *Server) groupLocked(ref string) *UserGroup {
	handle := strings.TrimPrefix(ref, "@")
	for _, g := range s.ws.groups {
		if g.ID == ref || g.Handle == handle {
			return g
		}
	}
	return nil
}

func (s *Server) userIDsLocked(refs []string) ([]string, error) {
	ids := make([]string, 0, len(refs))
	for _, ref := range refs {
		u := s.userLocked(ref)
		if u == nil {
			return nil, fmt.Errorf("%w: %q", errNoPerson, ref)
		}
		ids = append(ids, u.ID)
	}
	return ids, nil
}

// usergroupsList gives every group; its people only with include_users.
func (s *Server) usergroupsList(c *call) (reply, *apiError) {
	list := []map[string]any{}
	for _, g := range s.ws.groups {
		if g.Disabled && !c.args.flag("include_disabled") {
			continue
		}
		info := s.groupObjectLocked(g)
		if c.args.flag("include_users") {
			info["users"] = g.Users
		}
		if c.args.flag("include_count") {
			info["user_count"] = len(g.Users)
		}
		list = append(list, info)
	}
	return reply{"usergroups": list}, nil
}

// groupObjectLocked is Slack's usergroup object.
func (s *Server) groupObjectLocked(g *UserGroup) map[string]any {
	created, deleted := s.ws.started.Unix(), int64(0)
	if g.Disabled {
		deleted = created
	}
	return map[string]any{
		"id": g.ID, "team_id": s.ws.teamID, "is_usergroup": true, "is_subteam": true, "name": g.Name, "description": "", "handle": g.Handle,
		"is_external": false, "date_create": created, "date_update": created, "date_delete": deleted, "auto_type": nil,
		"created_by": "U0ANN", "updated_by": "U0ANN", "deleted_by": nil,
		"prefs": map[string]any{"channels": []string{}, "groups": []string{}},
	}
}

// usergroupsUsersList gives the ids of a group's people.
func (s *Server) usergroupsUsersList(c *call) (reply, *apiError) {
	if err := c.args.require("usergroup"); err != nil {
		return nil, err
	}
	g := s.groupLocked(c.args.text("usergroup"))
	if g == nil || g.ID != c.args.text("usergroup") || g.Disabled && !c.args.flag("include_disabled") {
		return nil, &apiError{Code: "no_such_subteam"}
	}
	return reply{"users": g.Users}, nil
}
