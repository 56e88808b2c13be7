package playground

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestPostMessageOutcomes(t *testing.T) {
	long := strings.Repeat("x", 3001)
	section := func(text string) string {
		return string(encodeJSON([]any{map[string]any{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": text}}}))
	}
	each(t, "chat.postMessage", nil, []outcome{
		{"id", form{"channel": "C0OPS", "text": "hi"}, ""},
		{"name", form{"channel": "#ops", "text": "hi"}, ""},
		{"bare name", form{"channel": "ops", "text": "hi"}, ""},
		{"person", form{"channel": "U0ANN", "text": "hi"}, ""},
		{"public, not joined", form{"channel": "C0RANDOM", "text": "hi"}, ""},
		{"blocks alone", form{"channel": "C0OPS", "blocks": section("hi")}, ""},
		{"attachments alone", form{"channel": "C0OPS", "attachments": `[{"color":"danger","text":"hi"}]`}, ""},
		{"markdown", form{"channel": "C0OPS", "markdown_text": "**hi**"}, ""},
		{"metadata", form{"channel": "C0OPS", "text": "hi", "metadata": `{"event_type":"a_b","event_payload":{"id":"1"}}`}, ""},
		{"40,001 characters are cut", form{"channel": "C0OPS", "text": strings.Repeat("ä", 40001)}, ""},

		{"no channel", form{"text": "hi"}, "invalid_arguments"},
		{"unknown channel", form{"channel": "C0NONE", "text": "hi"}, "channel_not_found"},
		{"unknown name", form{"channel": "#none", "text": "hi"}, "channel_not_found"},
		{"person by name", form{"channel": "@ann", "text": "hi"}, "channel_not_found"},
		{"private, not a member", form{"channel": "C0SECRET", "text": "hi"}, "channel_not_found"},
		{"archived", form{"channel": "C0OLD", "text": "hi"}, "is_archived"},
		{"itself", form{"channel": "U0TOCSIN", "text": "hi"}, "cannot_dm_bot"},
		{"nothing", form{"channel": "C0OPS"}, "no_text"},
		{"blank", form{"channel": "C0OPS", "text": " \n"}, "no_text"},
		{"empty lists", form{"channel": "C0OPS", "blocks": "[]", "attachments": "[]"}, "no_text"},
		{"markdown and text", form{"channel": "C0OPS", "text": "a", "markdown_text": "b"}, "markdown_text_conflict"},
		{"markdown too long", form{"channel": "C0OPS", "markdown_text": strings.Repeat("x", 12001)}, "msg_too_long"},
		{"blocks no list", form{"channel": "C0OPS", "blocks": `{"type":"divider"}`}, "invalid_blocks_format"},
		{"blocks no JSON", form{"channel": "C0OPS", "blocks": `[{]`}, "invalid_blocks_format"},
		{"section too long", form{"channel": "C0OPS", "blocks": section(long)}, "invalid_blocks"},
		{"attachments no list", form{"channel": "C0OPS", "attachments": `{}`}, "invalid_attachments"},
		{"attachment with bad blocks", form{"channel": "C0OPS", "attachments": `[{"blocks":[{"type":"nope"}]}]`}, "invalid_attachments"},
		{"too many attachments", form{"channel": "C0OPS", "attachments": "[" + strings.Repeat(`{"text":"a"},`, 100) + `{"text":"b"}]`}, "too_many_attachments"},
		{"metadata no object", form{"channel": "C0OPS", "text": "hi", "metadata": `"x"`}, "invalid_metadata_format"},
		{"metadata without type", form{"channel": "C0OPS", "text": "hi", "metadata": `{"event_payload":{}}`}, "invalid_metadata_schema"},
		{"metadata without payload", form{"channel": "C0OPS", "text": "hi", "metadata": `{"event_type":"a"}`}, "invalid_metadata_schema"},
		{"metadata with odd type", form{"channel": "C0OPS", "text": "hi", "metadata": `{"event_type":"a-b","event_payload":{}}`}, "invalid_metadata_schema"},
		{"metadata too large", form{"channel": "C0OPS", "text": "hi", "metadata": `{"event_type":"a","event_payload":{"x":"` + strings.Repeat("x", 8000) + `"}}`}, "metadata_too_large"},
	})
}

func TestPostWithoutPublicScopeNeedsMembership(t *testing.T) {
	drop := func(w *webTest) { w.s.SetScopes([]string{"chat:write"}) }
	each(t, "chat.postMessage", drop, []outcome{
		{"member", form{"channel": "C0OPS", "text": "hi"}, ""},
		{"public, not joined", form{"channel": "C0RANDOM", "text": "hi"}, "not_in_channel"},
		{"private, not a member", form{"channel": "C0SECRET", "text": "hi"}, "channel_not_found"},
	})
}

func TestKickAndInviteChangeWhatTheBotMayDo(t *testing.T) {
	w := newWebTest(t, NoLimits())
	for _, step := range []struct {
		change func(string) error
		want   string
	}{{w.s.Invite, ""}, {w.s.Archive, "is_archived"}, {w.s.Unarchive, ""}, {w.s.Kick, "channel_not_found"}} {
		if err := step.change("#secret"); err != nil {
			t.Fatal(err)
		}
		if r := w.call("chat.postMessage", form{"channel": "C0SECRET", "text": "hi"}); r.code() != step.want {
			t.Errorf("got %s, want %q", r.raw, step.want)
		}
	}
	if err := w.s.Kick("#nowhere"); err == nil {
		t.Error("an unknown channel was changed")
	}
}

func TestPostToAPersonAnswersTheDirectConversation(t *testing.T) {
	w := newWebTest(t, NoLimits())
	r := w.ok("chat.postMessage", form{"channel": "U0ANN", "text": "hi"})
	if r.str("channel") != "D0ANN" {
		t.Errorf("channel %q", r.str("channel"))
	}
	if got := w.s.Messages("@ann"); len(got) != 1 || got[0].Text != "hi" || got[0].Channel != "D0ANN" {
		t.Errorf("messages: %+v", got)
	}
}

func TestPostedMessageIsWhatSlackShows(t *testing.T) {
	w := newWebTest(t, NoLimits())
	r := w.ok("chat.postMessage", form{
		"channel": "#ops", "text": "a & b <https://x.test|x> https://y.test/z?a=1&b=2. <b>",
		"blocks":   `[{"type":"section","text":{"type":"mrkdwn","text":"@here #ops @ann see https://y.test"}},{"type":"section","text":{"type":"mrkdwn","text":"@here","verbatim":true}}]`,
		"metadata": `{"event_type":"tocsin_delivery","event_payload":{"id":"d1"}}`,
	})
	if want := "a &amp; b <https://x.test|x> <https://y.test/z?a=1&amp;b=2>. &lt;b&gt;"; r.str("message.text") != want {
		t.Errorf("text %q, want %q", r.str("message.text"), want)
	}
	m, ok := w.s.Message("C0OPS", r.str("ts"))
	if !ok || m.User != "U0TOCSIN" || m.BotID != "B0TOCSIN" || m.AppID != "A0TOCSIN" || m.Metadata.EventType != "tocsin_delivery" {
		t.Fatalf("message: %+v", m)
	}
	var blocks []struct {
		BlockID string `json:"block_id"`
		Text    struct{ Text string }
	}
	if err := json.Unmarshal(m.Blocks, &blocks); err != nil {
		t.Fatal(err)
	}
	if want := "<!here> <#C0OPS|ops> <@U0ANN> see <https://y.test>"; blocks[0].Text.Text != want || blocks[0].BlockID == "" {
		t.Errorf("block: %+v", blocks[0])
	}
	if blocks[1].Text.Text != "@here" {
		t.Errorf("verbatim text became %q", blocks[1].Text.Text)
	}
	if r := w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "https://y.test @here", "parse": "none"}); r.str("message.text") != "https://y.test @here" {
		t.Errorf("parse none: %q", r.str("message.text"))
	}
	if r := w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "@here", "link_names": "1"}); r.str("message.text") != "<!here>" {
		t.Errorf("link_names: %q", r.str("message.text"))
	}
}

func TestLongTextIsCutAt40000(t *testing.T) {
	w := newWebTest(t, NoLimits())
	r := w.ok("chat.postMessage", form{"channel": "C0OPS", "text": strings.Repeat("ä", 40500)})
	if got := len([]rune(r.str("message.text"))); got != 40000 {
		t.Errorf("%d characters", got)
	}
	if got := len([]rune(w.s.Calls()[0].Args["text"])); got != 40500 {
		t.Errorf("the journal shows %d characters of what was sent", got)
	}
}

func TestTSIsUniqueAndRisesWhileTheClockStands(t *testing.T) {
	w := newWebTest(t, NoLimits())
	last := ""
	for range 20 {
		ts := w.post("C0OPS", "hi")
		if ts <= last || len(ts) != len("1767225600.000000") {
			t.Fatalf("ts %q after %q", ts, last)
		}
		last = ts
	}
}

func TestThreadsCountTheirReplies(t *testing.T) {
	w := newWebTest(t, NoLimits())
	parent := w.post("C0OPS", "parent")
	reply := w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "one", "thread_ts": parent}).str("ts")
	w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "two", "thread_ts": parent, "reply_broadcast": "true"})
	if m, _ := w.s.Message("C0OPS", parent); m.ReplyCount != 2 || m.ThreadTS != parent || m.LatestReply == reply {
		t.Errorf("parent: %+v", m)
	}
	if r := w.call("chat.postMessage", form{"channel": "C0OPS", "text": "x", "thread_ts": reply}); r.code() != "cannot_reply_to_message" {
		t.Errorf("reply to a reply: %s", r.raw)
	}
	w.ok("chat.delete", form{"channel": "C0OPS", "ts": reply})
	if m, _ := w.s.Message("C0OPS", parent); m.ReplyCount != 1 {
		t.Errorf("after deleting a reply: %+v", m)
	}
	w.ok("chat.delete", form{"channel": "C0OPS", "ts": parent})
	if m, ok := w.s.Message("C0OPS", parent); !ok || m.Subtype != "tombstone" || m.ReplyCount != 1 {
		t.Errorf("tombstone: %+v", m)
	}
	if r := w.call("chat.update", form{"channel": "C0OPS", "ts": parent, "text": "x"}); r.code() != "message_not_found" {
		t.Errorf("update of a tombstone: %s", r.raw)
	}
}

func TestUpdateOutcomes(t *testing.T) {
	const own, foreign, card, rich = "1767225600.000000", "1767225600.000001", "1767225600.000002", "1767225600.000003"
	prepare := func(w *webTest) {
		w.post("C0OPS", "own")
		w.say("C0OPS", "U0ANN", "foreign")
		w.ok("chat.postMessage", form{"channel": "C0OPS", "blocks": `[{"type":"divider"}]`, "text": "card"})
		w.ok("chat.postMessage", form{"channel": "C0OPS", "blocks": `[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"a"}]}]}]`})
	}
	each(t, "chat.update", prepare, []outcome{
		{"text", form{"channel": "C0OPS", "ts": own, "text": "new"}, ""},
		{"4,000 characters", form{"channel": "C0OPS", "ts": own, "text": strings.Repeat("x", 4000)}, ""},
		{"blocks", form{"channel": "C0OPS", "ts": own, "blocks": `[{"type":"divider"}]`}, ""},
		{"clear blocks", form{"channel": "C0OPS", "ts": card, "blocks": `[]`}, ""},
		{"4,001 characters", form{"channel": "C0OPS", "ts": own, "text": strings.Repeat("x", 4001)}, "msg_too_long"},
		{"nothing", form{"channel": "C0OPS", "ts": own}, "no_text"},
		{"no ts", form{"channel": "C0OPS", "text": "new"}, "invalid_arguments"},
		{"unknown ts", form{"channel": "C0OPS", "ts": "1.1", "text": "new"}, "message_not_found"},
		{"foreign", form{"channel": "C0OPS", "ts": foreign, "text": "new"}, "cant_update_message"},
		{"by name", form{"channel": "#ops", "ts": own, "text": "new"}, "channel_not_found"},
		{"by person", form{"channel": "U0ANN", "ts": own, "text": "new"}, "channel_not_found"},
		{"private", form{"channel": "C0SECRET", "ts": own, "text": "new"}, "channel_not_found"},
		{"bad blocks", form{"channel": "C0OPS", "ts": own, "blocks": `[{"type":"nope"}]`}, "invalid_blocks"},
		{"rich to plain", form{"channel": "C0OPS", "ts": rich, "blocks": `[{"type":"divider"}]`}, "block_mismatch"},
	})
}

func TestUpdateKeepsWhatItDoesNotName(t *testing.T) {
	w := newWebTest(t, NoLimits())
	ts := w.ok("chat.postMessage", form{
		"channel": "C0OPS", "text": "a", "blocks": `[{"type":"divider"}]`, "attachments": `[{"color":"#ff0000","text":"x"}]`,
		"metadata": `{"event_type":"t","event_payload":{"id":"1"}}`,
	}).str("ts")
	shown := func() Message {
		m, _ := w.s.Message("C0OPS", ts)
		return m
	}
	w.ok("chat.update", form{"channel": "C0OPS", "ts": ts, "blocks": `[{"type":"header","text":{"type":"plain_text","text":"h"}}]`, "text": "b"})
	if m := shown(); m.Edited != nil || m.Text != "b" || m.Attachments == nil || m.Metadata == nil {
		t.Errorf("blocks and text: %+v", m)
	}
	w.ok("chat.update", form{"channel": "C0OPS", "ts": ts, "text": "c", "metadata": "{}", "attachments": "[]"})
	if m := shown(); m.Edited == nil || m.Text != "c" || m.Blocks != nil || m.Attachments != nil || m.Metadata != nil {
		t.Errorf("text alone: %+v", m)
	}
	if err := w.s.Archive("#ops"); err != nil {
		t.Fatal(err)
	}
	if r := w.call("chat.update", form{"channel": "C0OPS", "ts": ts, "text": "d"}); r.code() != "is_inactive" {
		t.Errorf("archived: %s", r.raw)
	}
}

func TestDeleteOutcomes(t *testing.T) {
	const own, foreign = "1767225600.000000", "1767225600.000001"
	prepare := func(w *webTest) {
		w.post("C0OPS", "own")
		w.say("C0OPS", "U0ANN", "foreign")
	}
	each(t, "chat.delete", prepare, []outcome{
		{"own", form{"channel": "C0OPS", "ts": own}, ""},
		{"foreign", form{"channel": "C0OPS", "ts": foreign}, "cant_delete_message"},
		{"unknown", form{"channel": "C0OPS", "ts": "1.1"}, "message_not_found"},
		{"other channel", form{"channel": "C0NONE", "ts": own}, "channel_not_found"},
	})
}

func TestEphemeralOutcomes(t *testing.T) {
	prepare := func(w *webTest) {
		w.s.AddChannel(Channel{ID: "C0LONE", Name: "lone", IsMember: true})
		w.s.AddUser(User{ID: "U0DAN", Name: "dan"})
		w.s.mu.Lock()
		delete(w.s.channelLocked("C0LONE").members, "U0DAN")
		w.s.mu.Unlock()
	}
	each(t, "chat.postEphemeral", prepare, []outcome{
		{"member", form{"channel": "C0OPS", "user": "U0ANN", "text": "psst"}, ""},
		{"person not there", form{"channel": "C0LONE", "user": "U0DAN", "text": "psst"}, "user_not_in_channel"},
		{"bot not there", form{"channel": "C0RANDOM", "user": "U0ANN", "text": "psst"}, "not_in_channel"},
		{"nothing", form{"channel": "C0OPS", "user": "U0ANN"}, "no_text"},
		{"no person", form{"channel": "C0OPS", "text": "psst"}, "invalid_arguments"},
		{"too long", form{"channel": "C0OPS", "user": "U0ANN", "text": strings.Repeat("x", 40001)}, "msg_too_long"},
	})
}

func TestEphemeralIsSeenByOnePersonAndCannotBeChanged(t *testing.T) {
	w := newWebTest(t, NoLimits())
	ts := w.ok("chat.postEphemeral", form{"channel": "C0OPS", "user": "U0ANN", "text": "psst", "metadata": "ignored"}).str("message_ts")
	if got := w.s.Ephemerals("ann", "#ops"); len(got) != 1 || got[0].Text != "psst" || !got[0].Ephemeral {
		t.Errorf("ann sees %+v", got)
	}
	if got := w.s.Ephemerals("bob", "#ops"); len(got) != 0 {
		t.Errorf("bob sees %+v", got)
	}
	if got := w.s.Messages("#ops"); len(got) != 0 {
		t.Errorf("everybody sees %+v", got)
	}
	if r := w.call("chat.update", form{"channel": "C0OPS", "ts": ts, "text": "x"}); r.code() != "message_not_found" {
		t.Errorf("update: %s", r.raw)
	}
}

func TestPermalinkNamesChannelMessageAndThread(t *testing.T) {
	w := newWebTest(t, NoLimits())
	parent := w.post("C0OPS", "parent")
	reply := w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "r", "thread_ts": parent}).str("ts")
	link := w.ok("chat.getPermalink", form{"channel": "C0OPS", "message_ts": parent}).str("permalink")
	if want := w.s.URL() + "/archives/C0OPS/p1767225600000000"; link != want {
		t.Errorf("permalink %q, want %q", link, want)
	}
	if link := w.ok("chat.getPermalink", form{"channel": "C0OPS", "message_ts": reply}).str("permalink"); !strings.Contains(link, "thread_ts="+parent) {
		t.Errorf("permalink of a reply: %q", link)
	}
	for want, args := range map[string]form{
		"message_not_found": {"channel": "C0OPS", "message_ts": "1.1"}, "channel_not_found": {"channel": "C0SECRET", "message_ts": parent},
		"invalid_arguments": {"channel": "C0OPS"},
	} {
		if r := w.call("chat.getPermalink", args); r.code() != want {
			t.Errorf("got %s, want %s", r.raw, want)
		}
	}
}

func TestPermalinkLeadsToThePage(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for path, want := range map[string]string{
		"/archives/C0OPS/p1767225600000000":                             "/#ops",
		"/archives/C0OPS/p1767225600000001?thread_ts=1767225600.000000": "/#ops/1767225600.000000",
		"/archives/C0OPS/p1?thread_ts=//evil.test":                      "/#ops",
		"/archives/C0NONE/p1":                                           "",
	} {
		res, err := w.client.Get(w.s.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Location"); got != want {
			t.Errorf("%s leads to %q, want %q", path, got, want)
		}
	}
}

func TestAReplyToAnUnknownMessageIsPostedAtTopLevel(t *testing.T) {
	w := newWebTest(t, NoLimits())
	r := w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "x", "thread_ts": "1.000001", "reply_broadcast": "true"})
	if r.str("message.thread_ts") != "" || r.str("message.subtype") != "" {
		t.Errorf("message: %s", r.raw)
	}
}

func TestCustomAuthorNeedsItsScopeAndCannotBeDeleted(t *testing.T) {
	w := newWebTest(t, NoLimits())
	if r := w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "x", "username": "Pager"}); r.str("message.username") != "" {
		t.Errorf("without the scope: %s", r.raw)
	}
	w.s.SetScopes(append(DefaultScopes(), "chat:write.customize"))
	r := w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "x", "username": "Pager", "icon_emoji": ":bell:"})
	if r.str("message.subtype") != "bot_message" || r.str("message.username") != "Pager" {
		t.Errorf("message: %s", r.raw)
	}
	if r := w.call("chat.delete", form{"channel": "C0OPS", "ts": r.str("ts")}); r.code() != "cant_delete_message" {
		t.Errorf("delete: %s", r.raw)
	}
}

func TestChangesAreToldInOrder(t *testing.T) {
	w := newWebTest(t, NoLimits())
	var told []string
	w.s.mu.Lock()
	w.s.onMessage = func(c messageChange) {
		switch {
		case c.Before == nil:
			told = append(told, "new "+c.After.Text)
		case c.After == nil:
			told = append(told, "gone "+c.Before.Text)
		default:
			told = append(told, c.Before.Text+" to "+c.After.Text)
		}
	}
	w.s.mu.Unlock()
	ts := w.post("C0OPS", "a")
	w.ok("chat.update", form{"channel": "C0OPS", "ts": ts, "text": "b"})
	w.ok("chat.delete", form{"channel": "C0OPS", "ts": ts})
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if want := []string{"new a", "a to b", "gone b"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
