package playground

import (
	"slices"
	"testing"
)

// stringsOf are the strings of a JSON list.
func stringsOf(v any) []string {
	list, _ := v.([]any)
	out := make([]string, 0, len(list))
	for _, item := range list {
		text, _ := item.(string)
		out = append(out, text)
	}
	return out
}

func TestUserGroupsAreListedWithTheirPeople(t *testing.T) {
	w := newWebTest(t, NoLimits())
	id, err := w.s.AddUserGroup(UserGroup{Handle: "@oncall", Users: []string{"ann", "U0BOB"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.AddUserGroup(UserGroup{Handle: "gone", Disabled: true}); err != nil {
		t.Fatal(err)
	}
	list, _ := w.ok("usergroups.list", nil).body["usergroups"].([]any)
	if len(list) != 1 || dig(list, 0, "id") != id || dig(list, 0, "handle") != "oncall" || dig(list, 0, "users") != nil {
		t.Errorf("listed %v", list)
	}
	list, _ = w.ok("usergroups.list", form{"include_users": "true", "include_disabled": "1", "include_count": "true"}).body["usergroups"].([]any)
	if len(list) != 2 || !slices.Equal(stringsOf(dig(list, 0, "users")), []string{"U0ANN", "U0BOB"}) || dig(list, 0, "user_count") != 2.0 {
		t.Errorf("listed in full %v", list)
	}
	if err := w.s.SetUserGroup("@oncall", "carol"); err != nil {
		t.Fatal(err)
	}
	if got := stringsOf(w.ok("usergroups.users.list", form{"usergroup": id}).body["users"]); !slices.Equal(got, []string{"U0CAROL"}) {
		t.Errorf("people: %v", got)
	}
	if got := w.call("usergroups.users.list", form{"usergroup": "S0NOBODY"}); got.code() != "no_such_subteam" {
		t.Errorf("an unknown group: %s", got.raw)
	}
	w.s.SetScopes([]string{"chat:write"})
	if got := w.call("usergroups.list", nil); got.code() != "missing_scope" || got.str("needed") != "usergroups:read" {
		t.Errorf("without the scope: %s", got.raw)
	}
}

func TestAGroupTakesOnlyWhoIsThere(t *testing.T) {
	s := startPlayground(t, quick())
	if _, err := s.AddUserGroup(UserGroup{Handle: "x", Users: []string{"nobody"}}); err == nil {
		t.Error("a group took somebody who is not there")
	}
	if err := s.SetUserGroup("x"); err == nil {
		t.Error("a group that is not there was changed")
	}
	if groups := s.UserGroups(); len(groups) != 0 {
		t.Errorf("groups: %v", groups)
	}
}

func TestAMentionOfAGroupIsTypedWithItsHandle(t *testing.T) {
	s := startPlayground(t, quick())
	id, err := s.AddUserGroup(UserGroup{Handle: "oncall", Users: []string{"ann"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.User("bob").Say("#ops", "@oncall please look"); err != nil {
		t.Fatal(err)
	}
	if got := s.Messages("#ops")[0].Text; got != "<!subteam^"+id+"> please look" {
		t.Errorf("said %q", got)
	}
	callAPI(t, s, "chat.postMessage", map[string]any{"channel": "C0OPS", "text": "@oncall", "link_names": true})
	if got := s.Messages("#ops")[1].Text; got != "<!subteam^"+id+">" {
		t.Errorf("linked as %q", got)
	}
}

func TestPeopleChangeAndChannelsHaveMembers(t *testing.T) {
	w := newWebTest(t, NoLimits())
	if err := w.s.ChangeUser("carol", func(u *User) { u.TZ, u.Deleted, u.Name = "America/Denver", true, "kept" }); err != nil {
		t.Fatal(err)
	}
	info := w.ok("users.info", form{"user": "U0CAROL"})
	if info.str("user.tz") != "America/Denver" || info.at("user.tz_offset") != -25200.0 || info.at("user.deleted") != true || info.str("user.name") != "carol" {
		t.Errorf("carol is %v", info.at("user"))
	}
	if err := w.s.RemoveMember("#ops", "bob"); err != nil {
		t.Fatal(err)
	}
	if got := stringsOf(w.ok("conversations.members", form{"channel": "C0OPS"}).body["members"]); !slices.Equal(got, []string{"U0ANN", "U0CAROL", "U0TOCSIN"}) {
		t.Errorf("members: %v", got)
	}
	page := w.ok("conversations.members", form{"channel": "C0OPS", "limit": "2"})
	rest := w.ok("conversations.members", form{"channel": "C0OPS", "limit": "2", "cursor": page.str("response_metadata.next_cursor")})
	if got := stringsOf(rest.body["members"]); !slices.Equal(got, []string{"U0TOCSIN"}) {
		t.Errorf("second page: %v", got)
	}
	if got := w.call("conversations.members", form{"channel": "C0SECRET"}); got.code() != "channel_not_found" {
		t.Errorf("a private channel the bot is not in: %s", got.raw)
	}
	if err := w.s.AddMember("#ops", "nobody"); err == nil {
		t.Error("somebody who is not there joined")
	}
	if got := w.call("chat.postEphemeral", form{"channel": "C0OPS", "user": "U0BOB", "text": "x"}); got.code() != "user_not_in_channel" {
		t.Errorf("an ephemeral message to who left: %s", got.raw)
	}
}
