package playground

import (
	"net/url"
	"strings"
	"time"
)

var (
	readScopes    = []string{"channels:read", "groups:read", "im:read", "mpim:read"}
	historyScopes = []string{"channels:history", "groups:history", "im:history", "mpim:history"}
)

// webMethods is the whole Web API: tier, token, scopes and body rules of each method as Slack's reference has them.
func webMethods() map[string]method {
	write, users := []string{"chat:write"}, []string{"users:read"}
	return map[string]method{
		"auth.test":             {tier: tierSpecial, anyToken: true, run: (*Server).authTest},
		"apps.connections.open": {tier: tier3, app: true, postOnly: true, scopes: []string{"connections:write"}, run: (*Server).connectionsOpen},

		"chat.postMessage":   {scopes: write, run: (*Server).chatPostMessage},
		"chat.postEphemeral": {tier: tier4, scopes: write, run: (*Server).chatPostEphemeral},
		"chat.update":        {tier: tier3, scopes: write, run: (*Server).chatUpdate},
		"chat.delete":        {tier: tier3, scopes: write, run: (*Server).chatDelete},
		"chat.getPermalink":  {tier: tierSpecial, noJSON: true, run: (*Server).chatGetPermalink},

		"conversations.info":    {tier: tier3, noJSON: true, scopes: readScopes, run: (*Server).conversationsInfo},
		"conversations.members": {tier: tier4, noJSON: true, scopes: readScopes, run: (*Server).conversationsMembers},
		"conversations.list":    {tier: tier2, noJSON: true, scopes: readScopes, run: (*Server).conversationsList},
		"conversations.open":    {tier: tier3, scopes: []string{"im:write", "mpim:write"}, run: (*Server).conversationsOpen},
		"conversations.join":    {tier: tier3, scopes: []string{"channels:join"}, run: (*Server).conversationsJoin},
		"conversations.history": {tier: tier3, scopes: historyScopes, run: (*Server).conversationsHistory},
		"conversations.replies": {tier: tier3, noJSON: true, scopes: historyScopes, run: (*Server).conversationsReplies},

		"users.info":          {tier: tier4, noJSON: true, scopes: users, run: (*Server).usersInfo},
		"users.list":          {tier: tier2, noJSON: true, scopes: users, run: (*Server).usersList},
		"users.conversations": {tier: tier3, noJSON: true, scopes: readScopes, run: (*Server).usersConversations},
		"users.lookupByEmail": {tier: tier3, noJSON: true, scopes: []string{"users:read.email"}, run: (*Server).usersLookupByEmail},

		"usergroups.list":       {tier: tier2, noJSON: true, scopes: []string{"usergroups:read"}, run: (*Server).usergroupsList},
		"usergroups.users.list": {tier: tier2, noJSON: true, scopes: []string{"usergroups:read"}, run: (*Server).usergroupsUsersList},

		"views.publish": {tier: tier4, run: (*Server).viewsPublish},
		"views.open":    {tier: tier4, run: (*Server).viewsOpen},
		"views.push":    {tier: tier4, run: (*Server).viewsPush},
		"views.update":  {tier: tier4, run: (*Server).viewsUpdate},

		"files.getUploadURLExternal":   {tier: tier4, noJSON: true, scopes: []string{"files:write"}, run: (*Server).filesGetUploadURL},
		"files.info":                   {tier: tier4, noJSON: true, scopes: []string{"files:read"}, run: (*Server).filesInfo},
		"files.completeUploadExternal": {tier: tier4, scopes: []string{"files:write"}, run: (*Server).filesCompleteUpload},
	}
}

// authTest says whose the token is. An app-level token has no bot.
func (s *Server) authTest(c *call) (reply, *apiError) {
	r := reply{"team": s.ws.team, "team_id": s.ws.teamID, "app_id": s.ws.appID, "app_name": s.ws.bot.RealName, "is_enterprise_install": false}
	if s.tokens.known[c.token] == "app" {
		return r, nil
	}
	r["url"], r["user"], r["user_id"], r["bot_id"] = s.base+"/", s.ws.bot.Name, s.ws.bot.ID, s.ws.botID
	r["app_id"] = orDefault(s.tokens.botApp, s.ws.appID)
	if s.tokens.expires > 0 {
		r["expires_in"] = int64(s.tokens.expires / time.Second)
	}
	return r, nil
}

// connectionsOpen hands out a single-use ticket for one Socket Mode connection, at the host that the client dialled.
func (s *Server) connectionsOpen(c *call) (reply, *apiError) {
	scheme, host, _ := strings.Cut(s.base, "://")
	host = orDefault(c.host, host)
	query := url.Values{"ticket": {s.newTicketLocked()}, "app_id": {strings.Repeat("0", 48) + "a0705c1a0705c1ab"}}
	return reply{"url": strings.Replace(scheme, "http", "ws", 1) + "://" + host + "/link/?" + query.Encode()}, nil
}
