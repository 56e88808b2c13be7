package bot

import (
	"encoding/json"
	"testing"

	"tocsin/alert"
)

func TestOnlyWhatAPersonWroteToUsIsAnswered(t *testing.T) {
	self := Identity{UserID: "U0BOT", BotID: "B0BOT"}
	for _, c := range []struct {
		name, event, why string
	}{
		{"a direct message", `{"type":"message","channel_type":"im","channel":"D1","user":"U0ANN","text":"help","ts":"1.2"}`, ""},
		{"a direct message with a file", `{"type":"message","subtype":"file_share","channel_type":"im","channel":"D1","user":"U0ANN"}`, ""},
		{"a reply shown in the conversation", `{"type":"message","subtype":"thread_broadcast","channel_type":"im","channel":"D1","user":"U0ANN"}`, ""},
		{"a mention", `{"type":"app_mention","channel":"C1","user":"U0ANN","text":"<@U0BOT> help"}`, ""},
		{"our own, by user", `{"type":"message","channel_type":"im","channel":"D1","user":"U0BOT"}`, "the bot wrote it"},
		{"our own, by bot", `{"type":"message","channel_type":"im","channel":"D1","user":"U0X","bot_id":"B0BOT"}`, "the bot wrote it"},
		{"another bot's", `{"type":"message","channel_type":"im","channel":"D1","user":"U0X","bot_id":"B0OTHER"}`, "another bot wrote it"},
		{"a bot's without a user", `{"type":"message","subtype":"bot_message","channel_type":"im","channel":"D1","bot_id":"B0OTHER"}`, "it has no author"},
		{"Slackbot's", `{"type":"message","channel_type":"im","channel":"D1","user":"USLACKBOT"}`, "another bot wrote it"},
		{"an edit", `{"type":"message","subtype":"message_changed","hidden":true,"channel_type":"im","channel":"D1","message":{"user":"U0ANN"}}`, "it has no author"},
		{"an edited mention", `{"type":"app_mention","channel":"C1","user":"U0ANN","edited":{"user":"U0ANN","ts":"1.3"}}`, "it is an edit"},
		{"a deletion", `{"type":"message","subtype":"message_deleted","hidden":true,"channel_type":"im","channel":"D1","user":"U0ANN"}`, "it is an edit"},
		{"a subtype of next year", `{"type":"message","subtype":"hologram","channel_type":"im","channel":"D1","user":"U0ANN"}`, "subtype hologram"},
		{"a channel's message", `{"type":"message","channel_type":"channel","channel":"C1","user":"U0ANN"}`, "it is not a direct message"},
		{"a mention in a direct message", `{"type":"app_mention","channel":"D1","user":"U0ANN"}`, "it also comes as a direct message"},
		{"a reaction", `{"type":"reaction_added","user":"U0ANN"}`, "there is no handler for it"},
		{"no event at all", `null`, "it holds no event"},
	} {
		h, err := decodeEvent([]byte(`{"type":"event_callback","team_id":"T1","event":`+c.event+`}`), self)
		if err != nil || h.ignored != c.why || (h.message != nil) != (c.why == "") {
			t.Errorf("%s: %q, %+v, %v", c.name, h.ignored, h.message, err)
		}
	}
}

func TestAMessageIsDecoded(t *testing.T) {
	h, err := decodeEvent([]byte(`{"team_id":"T1","authorizations":[{"user_id":"U0BOT","is_bot":true}],
		"event":{"type":"app_mention","channel":"C1","user":"U0ANN","text":" <@U0BOT>  status ","ts":"1.2","thread_ts":"1.1","blocks":7}}`), Identity{})
	want := Message{Caller: Caller{User: "U0ANN", Channel: "C1", Thread: "1.1", Team: "T1"}, Text: "status", TS: "1.2", Mention: true}
	if err != nil || h.message == nil || *h.message != want {
		t.Errorf("got %+v, %v", h.message, err)
	}
	h, err = decodeEvent([]byte(`{"event":{"type":"app_home_opened","user":"U0ANN","channel":"D1","tab":"home","view":{"hash":"h1"}}}`), Identity{})
	if err != nil || h.home == nil || *h.home != (Home{User: "U0ANN", Channel: "D1", Tab: "home", Hash: "h1"}) {
		t.Errorf("got %+v, %v", h.home, err)
	}
	h, err = decodeEvent([]byte(`{"event":{"type":"tokens_revoked"}}`), Identity{})
	if err != nil || !h.revoked {
		t.Errorf("got %+v, %v", h, err)
	}
}

func TestWhatIsSaidToTheBotIsReadWithoutItsName(t *testing.T) {
	for text, want := range map[string]string{
		"<@U0BOT>: ack, on it":                  "ack, on it",
		"<@U0BOT>, ack":                         "ack",
		"<@U0BOT> :fire: in the lab":            ":fire: in the lab",
		"hey <@U0BOT> please resolve: fixed it": "please resolve: fixed it",
		"assign k7f2 <@U0BOT>":                  "assign k7f2 <@U0BOT>",
		"heyday <@U0BOT>":                       "heyday <@U0BOT>",
		"<@U0BOT>":                              "",
	} {
		if got := (Identity{UserID: "U0BOT"}).told(text); got != want {
			t.Errorf("%q tells the bot %q, want %q", text, got, want)
		}
	}
}

func TestAnInteractionIsDecoded(t *testing.T) {
	i, err := decodeInteraction([]byte(`{"type":"block_actions","user":{"id":"U1"},"team":{"id":"T1"},"trigger_id":"t1","response_url":"http://x.example/",
		"container":{"type":"message","message_ts":"1.2","channel_id":"C1","thread_ts":"1.1"},"message":{"blocks":"odd"},
		"actions":[{"type":"button","action_id":"ack","block_id":"b1","value":"k7f2"},{"type":"static_select","action_id":"for","selected_option":{"value":"1h"}},
			{"type":"hologram","action_id":"new","value":{"x":1}}]}`), Identity{})
	if err != nil || len(i.actions) != 3 {
		t.Fatalf("got %+v, %v", i, err)
	}
	want := Action{Caller: Caller{User: "U1", Channel: "C1", Thread: "1.1", Team: "T1", ResponseURL: "http://x.example/"},
		ActionID: "ack", Value: "k7f2", MessageTS: "1.2", TriggerID: "t1"}
	if i.actions[0] != want || i.actions[1].Value != "1h" || i.actions[2].ActionID != "new" {
		t.Errorf("got %+v", i.actions)
	}
	i, err = decodeInteraction([]byte(`{"type":"view_submission","user":{"id":"U1"},"team":null,"view":{"id":"V1","callback_id":"silence","private_metadata":"k7f2","hash":"h",
		"state":{"values":{"who":{"a":{"type":"users_select","selected_user":"U2"}},"when":{"a":{"type":"datetimepicker","selected_date_time":1700000000}},
			"why":{"a":{"type":"plain_text_input","value":"deploy"}},"none":{"a":{"type":"plain_text_input","value":null}}}}}}`), Identity{})
	if err != nil || i.submission == nil {
		t.Fatalf("got %+v, %v", i, err)
	}
	in := i.submission.Inputs
	if i.submission.CallbackID != "silence" || i.submission.Private != "k7f2" || in["who"]["a"] != "U2" ||
		in["when"]["a"] != "1700000000" || in["why"]["a"] != "deploy" || in["none"]["a"] != "" {
		t.Errorf("got %+v", i.submission)
	}
	if i, err = decodeInteraction([]byte(`{"type":"view_closed"}`), Identity{}); err != nil || i.submission != nil || i.actions != nil {
		t.Errorf("got %+v, %v", i, err)
	}
}

func TestContentIsKnownByItsOwnIdentity(t *testing.T) {
	for _, c := range []struct{ kind, payload, want string }{
		{"events_api", `{"event_id":"Ev1","event":{"type":"message","channel":"D1","ts":"1.2"}}`, "message D1 1.2"},
		{"events_api", `{"event_id":"Ev1","event":{"type":"app_home_opened","channel":"D1"}}`, "Ev1"},
		{"slash_commands", `{"trigger_id":"1.2.x"}`, "1.2.x"},
		{"interactive", `{"trigger_id":"1.3.x","actions":[{"action_ts":"9"}]}`, "1.3.x"},
		{"interactive", `{"container":{"channel_id":"C1","message_ts":"1.2"},"actions":[{"action_ts":"9"}]}`, "C1 1.2 9"},
		{"sonnet", `7`, ""},
	} {
		if got := dedupeKey(c.kind, []byte(c.payload)); got != c.want {
			t.Errorf("%s %s: %q", c.kind, c.payload, got)
		}
	}
}

func TestAResponseURLIsNeverPrinted(t *testing.T) {
	c, err := decodeCommand([]byte(`{"command":"/notify","text":" a  b ","user_id":"U1","response_url":"https://hooks.slack.com/commands/secret"}`), Identity{})
	if err != nil || c.Text != "a  b" || c.ResponseURL.Reveal() == "" {
		t.Fatalf("got %+v, %v", c, err)
	}
	if text, _ := json.Marshal(c); string(text) == "" || c.ResponseURL.String() != alert.Secret("x").String() {
		t.Error("the response_url shows")
	}
}

func FuzzDecodersSurviveAnything(f *testing.F) {
	f.Add([]byte(`{"type":"block_actions","actions":[{"value":7}]}`))
	f.Add([]byte(`{"event":{"type":"message","edited":null}}`))
	f.Add([]byte(`[{}]`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = decodeCommand(data, Identity{})
		_, _ = decodeEvent(data, Identity{})
		_, _ = decodeInteraction(data, Identity{})
		_ = dedupeKey("events_api", data)
		var page listPage
		_ = json.Unmarshal(data, &page)
		_ = page.find("x")
	})
}
