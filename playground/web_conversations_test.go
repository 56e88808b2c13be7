package playground

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestConversationOutcomes(t *testing.T) {
	t.Run("info", func(t *testing.T) {
		each(t, "conversations.info", nil, []outcome{
			{"member", form{"channel": "C0OPS"}, ""},
			{"public", form{"channel": "C0RANDOM"}, ""},
			{"archived", form{"channel": "C0OLD"}, ""},
			{"private", form{"channel": "C0SECRET"}, "channel_not_found"},
			{"by name", form{"channel": "#ops"}, "channel_not_found"},
			{"none", nil, "invalid_arguments"},
		})
	})
	t.Run("join", func(t *testing.T) {
		prepare := func(w *webTest) {
			w.s.AddChannel(Channel{ID: "C0ROOM", Name: "room", IsPrivate: true, IsMember: true})
		}
		each(t, "conversations.join", prepare, []outcome{
			{"public", form{"channel": "C0RANDOM"}, ""},
			{"already there", form{"channel": "C0OPS"}, ""},
			{"archived", form{"channel": "C0OLD"}, "is_archived"},
			{"unseen private", form{"channel": "C0SECRET"}, "channel_not_found"},
			{"private", form{"channel": "C0ROOM"}, "method_not_supported_for_channel_type"},
			{"none", nil, "invalid_arguments"},
		})
	})
	t.Run("open", func(t *testing.T) {
		prepare := func(w *webTest) { w.s.AddUser(User{ID: "U0GONE", Name: "gone", Deleted: true}) }
		each(t, "conversations.open", prepare, []outcome{
			{"person", form{"users": "U0ANN"}, ""},
			{"by name", form{"users": "ann"}, "user_not_found"},
			{"unknown", form{"users": "U0NONE"}, "user_not_found"},
			{"itself", form{"users": "U0TOCSIN"}, "cannot_dm_bot"},
			{"gone", form{"users": "U0GONE"}, "user_disabled"},
			{"several", form{"users": "U0ANN,U0BOB"}, "missing_scope"},
			{"nobody", nil, "users_list_not_supplied"},
			{"channel", form{"channel": "C0NONE"}, "channel_not_found"},
		})
	})
}

func TestOpenSaysWhenTheConversationWasThere(t *testing.T) {
	w := newWebTest(t, NoLimits())
	if r := w.ok("conversations.open", form{"users": "U0ANN"}); r.str("channel.id") != "D0ANN" || r.body["already_open"] != nil {
		t.Errorf("first: %s", r.raw)
	}
	if r := w.ok("conversations.open", form{"users": "U0ANN", "return_im": "true"}); r.body["already_open"] != true || r.str("channel.user") != "U0ANN" {
		t.Errorf("second: %s", r.raw)
	}
}

func TestJoinMakesTheBotAMemberAndWarnsTheSecondTime(t *testing.T) {
	w := newWebTest(t, NoLimits())
	if r := w.ok("conversations.join", form{"channel": "C0RANDOM"}); r.at("channel.is_member") != true || r.body["warning"] != nil {
		t.Errorf("first: %s", r.raw)
	}
	if r := w.ok("conversations.join", form{"channel": "C0RANDOM"}); r.str("warning") != "already_in_channel" {
		t.Errorf("second: %s", r.raw)
	}
	w.ok("conversations.history", form{"channel": "C0RANDOM"})
}

func TestListPagesThroughWhatTheBotCanSee(t *testing.T) {
	w := newWebTest(t, NoLimits())
	var names []string
	cursor := ""
	for {
		r := w.ok("conversations.list", form{"types": "public_channel,private_channel", "limit": "2", "cursor": cursor})
		for _, c := range r.body["channels"].([]any) {
			names = append(names, c.(map[string]any)["name"].(string))
		}
		if cursor = r.str("response_metadata.next_cursor"); cursor == "" {
			break
		}
	}
	if want := []string{"alerts", "ops", "random", "old"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	if r := w.ok("conversations.list", form{"exclude_archived": "true"}); len(r.body["channels"].([]any)) != 3 {
		t.Errorf("without archived: %s", r.raw)
	}
	for want, args := range map[string]form{
		"invalid_types": {"types": "x"}, "invalid_limit": {"limit": "0"}, "invalid_cursor": {"cursor": "?"},
	} {
		if r := w.call("conversations.list", args); r.code() != want {
			t.Errorf("got %s, want %s", r.raw, want)
		}
	}
}

func TestHistoryOutcomes(t *testing.T) {
	each(t, "conversations.history", nil, []outcome{
		{"member", form{"channel": "C0OPS"}, ""},
		{"archived", form{"channel": "C0OLD"}, ""},
		{"public, not joined", form{"channel": "C0RANDOM"}, "not_in_channel"},
		{"private", form{"channel": "C0SECRET"}, "channel_not_found"},
		{"bad limit", form{"channel": "C0OPS", "limit": "many"}, "invalid_arguments"},
		{"bad cursor", form{"channel": "C0OPS", "cursor": "bmV4dDo="}, "invalid_cursor"},
		{"bad oldest", form{"channel": "C0OPS", "oldest": "x"}, "invalid_ts_oldest"},
		{"bad latest", form{"channel": "C0OPS", "latest": "1.2.3"}, "invalid_ts_latest"},
		{"none", nil, "invalid_arguments"},
	})
	each(t, "conversations.replies", nil, []outcome{
		{"no ts", form{"channel": "C0OPS"}, "invalid_arguments"},
		{"unknown ts", form{"channel": "C0OPS", "ts": "1.1"}, "thread_not_found"},
		{"public, not joined", form{"channel": "C0RANDOM", "ts": "1.1"}, "not_in_channel"},
	})
}

// texts lists the texts of the messages in an answer.
func texts(r response) []string {
	var out []string
	list, _ := r.body["messages"].([]any)
	for _, m := range list {
		out = append(out, m.(map[string]any)["text"].(string))
	}
	return out
}

func TestHistoryIsNewestFirstInPagesAndWithoutReplies(t *testing.T) {
	w := newWebTest(t, NoLimits())
	var stamps []string
	for i := range 5 {
		stamps = append(stamps, w.post("C0OPS", fmt.Sprint(i)))
		w.clock.advance(time.Second)
	}
	w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "reply", "thread_ts": stamps[0]})
	w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "broadcast", "thread_ts": stamps[0], "reply_broadcast": "1"})
	r := w.ok("conversations.history", form{"channel": "C0OPS", "limit": "4"})
	if got := texts(r); !slices.Equal(got, []string{"broadcast", "4", "3", "2"}) || r.body["has_more"] != true {
		t.Errorf("first page: %v", got)
	}
	r = w.ok("conversations.history", form{"channel": "C0OPS", "limit": "4", "cursor": r.str("response_metadata.next_cursor")})
	if got := texts(r); !slices.Equal(got, []string{"1", "0"}) || r.body["has_more"] != false {
		t.Errorf("second page: %v", got)
	}
	r = w.ok("conversations.history", form{"channel": "C0OPS", "oldest": stamps[1], "latest": stamps[3]})
	if got := texts(r); !slices.Equal(got, []string{"2"}) {
		t.Errorf("between: %v", got)
	}
	r = w.ok("conversations.history", form{"channel": "C0OPS", "oldest": stamps[1], "latest": stamps[3], "inclusive": "true"})
	if got := texts(r); !slices.Equal(got, []string{"3", "2", "1"}) {
		t.Errorf("between, inclusive: %v", got)
	}
	r = w.ok("conversations.replies", form{"channel": "C0OPS", "ts": stamps[0]})
	if got := texts(r); !slices.Equal(got, []string{"0", "reply", "broadcast"}) {
		t.Errorf("replies: %v", got)
	}
}

func TestMetadataIsHiddenUnlessAskedFor(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "x", "metadata": `{"event_type":"tocsin_delivery","event_payload":{"id":"d1"}}`})
	if r := w.ok("conversations.history", form{"channel": "C0OPS"}); !strings.Contains(r.raw, "tocsin_delivery") || strings.Contains(r.raw, "d1") {
		t.Errorf("hidden: %s", r.raw)
	}
	if r := w.ok("conversations.history", form{"channel": "C0OPS", "include_all_metadata": "true"}); !strings.Contains(r.raw, `"id":"d1"`) {
		t.Errorf("shown: %s", r.raw)
	}
}

func TestUserOutcomes(t *testing.T) {
	each(t, "users.info", nil, []outcome{
		{"person", form{"user": "U0BOB"}, ""},
		{"by name", form{"user": "bob"}, "user_not_found"},
		{"unknown", form{"user": "U0NONE"}, "user_not_found"},
		{"none", nil, "invalid_arguments"},
	})
	each(t, "users.lookupByEmail", nil, []outcome{
		{"person", form{"email": "BOB@example.com"}, ""},
		{"unknown", form{"email": "nobody@example.com"}, "users_not_found"},
		{"none", nil, "invalid_arguments"},
	})
}

func TestPeopleAndTheBotsOwnConversationsAreListedInPages(t *testing.T) {
	w := newWebTest(t, NoLimits())
	first := w.ok("users.list", form{"limit": "2"})
	second := w.ok("users.list", form{"limit": "2", "cursor": first.str("response_metadata.next_cursor")})
	if all := first.raw + second.raw; !strings.Contains(all, `"U0ANN"`) || !strings.Contains(all, `"U0BOB"`) || first.str("response_metadata.next_cursor") == "" {
		t.Errorf("people: %s then %s", first.raw, second.raw)
	}
	r := w.ok("users.conversations", form{"types": "public_channel,private_channel"})
	if !strings.Contains(r.raw, `"C0OPS"`) || strings.Contains(r.raw, `"C0RANDOM"`) {
		t.Errorf("conversations: %s", r.raw)
	}
	if r := w.call("users.list", form{"limit": "0"}); r.code() != "invalid_limit" {
		t.Errorf("limit 0: %s", r.raw)
	}
}

func TestUserHasAZoneAndShowsTheAddressOnlyWithItsScope(t *testing.T) {
	w := newWebTest(t, NoLimits())
	r := w.ok("users.info", form{"user": "U0ANN"})
	if r.at("user.tz_offset") != 3600.0 || r.str("user.tz") != "Europe/Berlin" || r.str("user.profile.email") != "ann@example.com" {
		t.Errorf("with scope: %s", r.raw)
	}
	w.s.SetScopes([]string{"users:read"})
	if r := w.ok("users.info", form{"user": "U0ANN"}); strings.Contains(r.raw, "example.com") {
		t.Errorf("without scope: %s", r.raw)
	}
}
