package playground

import (
	"strings"
	"time"
)

func (s *Server) usersInfo(c *call) (reply, *apiError) {
	if err := c.args.require("user"); err != nil {
		return nil, err
	}
	u := s.userLocked(c.args.text("user"))
	if u == nil || u.ID != c.args.text("user") {
		return nil, &apiError{Code: "user_not_found"}
	}
	return reply{"user": s.userObjectLocked(u)}, nil
}

func (s *Server) usersLookupByEmail(c *call) (reply, *apiError) {
	if err := c.args.require("email"); err != nil {
		return nil, err
	}
	for _, u := range s.ws.users {
		if !u.IsBot && !u.Deleted && strings.EqualFold(u.Email, c.args.text("email")) {
			return reply{"user": s.userObjectLocked(u)}, nil
		}
	}
	return nil, &apiError{Code: "users_not_found"}
}

// usersList pages through everybody in the workspace.
func (s *Server) usersList(c *call) (reply, *apiError) {
	page, next, err := pageOf(c, s.ws.users)
	if err != nil {
		return nil, err
	}
	members := make([]map[string]any, 0, len(page))
	for _, u := range page {
		members = append(members, s.userObjectLocked(u))
	}
	return reply{"members": members, "response_metadata": map[string]any{"next_cursor": next}}, nil
}

// userObjectLocked is Slack's user object; the address is in it only with users:read.email.
func (s *Server) userObjectLocked(u *User) map[string]any {
	profile := map[string]any{
		"real_name": u.RealName, "real_name_normalized": u.RealName, "display_name": u.Name, "display_name_normalized": u.Name, "team": s.teamOf(u),
		"title": "", "phone": "", "status_text": "", "status_emoji": "",
	}
	if s.hasScopeLocked("users:read.email") && !u.IsBot {
		profile["email"] = u.Email
	}
	label, offset := s.zoneOf(u.TZ)
	info := map[string]any{
		"id": u.ID, "team_id": s.teamOf(u), "name": u.Name, "deleted": u.Deleted, "color": u.Color, "real_name": u.RealName, "tz": u.TZ,
		"tz_label": label, "tz_offset": offset, "profile": profile, "is_bot": u.IsBot, "is_app_user": false, "is_admin": false, "is_owner": false,
		"is_primary_owner": false, "is_restricted": false, "is_ultra_restricted": false, "updated": s.ws.started.Unix(),
	}
	if u.IsBot {
		profile["bot_id"], profile["api_app_id"] = s.ws.botID, s.ws.appID
	}
	return info
}

// zoneOf gives a zone's name and its offset in seconds at this moment; a zone this machine does not know counts as UTC.
func (s *Server) zoneOf(tz string) (string, int) {
	loc, err := time.LoadLocation(tz)
	if err != nil {
		loc = time.UTC
	}
	return s.now().In(loc).Zone()
}
