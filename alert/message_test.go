package alert_test

import (
	"encoding/json"
	"testing"

	"tocsin/alert"
)

func TestOnlyPermittedMentionsOfAMessageNotify(t *testing.T) {
	permits := func(who string) bool { return who == "U0ANN" || who == "S0DBA" }
	for sent, want := range map[string]string{
		// text objects
		`{"type":"mrkdwn","text":"<@U0ANN> <!subteam^S0DBA|@dba>"}`:                                       `{"text":"<@U0ANN> <!subteam^S0DBA|@dba>","type":"mrkdwn"}`,
		`{"type":"mrkdwn","text":"<@U0BOB> <@U0BOB|bob> <!subteam^S0OPS>"}`:                               `{"text":"@U0BOB @bob @S0OPS","type":"mrkdwn","verbatim":true}`,
		`{"type":"mrkdwn","text":"<!channel> <!here|here> <!everyone>"}`:                                  `{"text":"@channel @here @everyone","type":"mrkdwn","verbatim":true}`,
		`{"type":"mrkdwn","text":"@channel","verbatim":false}`:                                            `{"text":"@channel","type":"mrkdwn","verbatim":true}`,
		`{"type":"mrkdwn","text":"ann@example.com <https://x.example|x> <#C0OPS> <!date^1^{date}|then>"}`: `{"text":"ann@example.com <https://x.example|x> <#C0OPS> <!date^1^{date}|then>","type":"mrkdwn"}`,
		`{"type":"plain_text","text":"<!channel>"}`:                                                       `{"text":"<!channel>","type":"plain_text"}`,
		// blocks and their elements
		`{"type":"markdown","text":"<!channel> and @here"}`:                                                                               `{"text":"&#64;channel and &#64;here","type":"markdown"}`,
		`{"type":"section","fields":[{"type":"mrkdwn","text":"<!here>"}]}`:                                                                `{"fields":[{"text":"@here","type":"mrkdwn","verbatim":true}],"type":"section"}`,
		`{"elements":[{"type":"user","user_id":"U0ANN"},{"type":"user","user_id":"U0BOB","style":{"bold":true}}]}`:                        `{"elements":[{"type":"user","user_id":"U0ANN"},{"style":{"bold":true},"text":"@U0BOB","type":"text"}]}`,
		`{"elements":[{"type":"usergroup","usergroup_id":"S0OPS"},{"type":"broadcast","range":"here"},{"type":"text","text":"<!here>"}]}`: `{"elements":[{"text":"@S0OPS","type":"text"},{"text":"@here","type":"text"},{"text":"<!here>","type":"text"}]}`,
		// attachments
		`{"pretext":"<!here>","fields":[{"title":"by","value":"<@U0BOB>"}],"ts":1234567890123456789}`: `{"fields":[{"title":"by","value":"@U0BOB"}],"pretext":"@here","ts":1234567890123456789}`,
	} {
		m := &alert.Message{Text: "<!channel>", Blocks: []json.RawMessage{json.RawMessage(sent)}, Attachments: []json.RawMessage{json.RawMessage(sent)}}
		got := m.WithMentions(permits)
		if string(got.Blocks[0]) != want || string(got.Attachments[0]) != want || got.Text != "@channel" {
			t.Errorf("%s\nbecame %s\nwant   %s (text %q)", sent, got.Blocks[0], want, got.Text)
		}
		if string(m.Blocks[0]) != sent {
			t.Errorf("%s was changed itself", sent)
		}
	}
}
