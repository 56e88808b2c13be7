package bot

import (
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// withoutPublic are the manifest's scopes that matter here, less the one to post
// where the bot is not.
var withoutPublic = []string{"chat:write", "channels:join", "channels:read", "channels:history", "groups:read", "users:read"}

func TestAPublicChannelThatHasLostTheBotIsJoinedAndPostedTo(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	slack.SetScopes(withoutPublic)
	job := delivery(alert.Post, "#ops")
	job.Known = posted(t, b, job).Conversation
	if err := slack.Kick("#ops"); err != nil {
		t.Fatal(err)
	}
	again := delivery(alert.Post, "#ops")
	again.Known = job.Known
	posted(t, b, again)
	if n := len(slack.Messages("#ops")); n != 2 {
		t.Errorf("%d messages are shown, want 2", n)
	}
}

func TestWhatCannotBeJoinedStaysABrokenDestination(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	slack.SetScopes([]string{"chat:write"})
	if _, err := b.Send(t.Context(), delivery(alert.Post, "C0RANDOM")); sendErrorOf(t, err).Code != "not_in_channel" || sendErrorOf(t, err).Class != alert.ClassDestination {
		t.Errorf("without the right to join: %v", err)
	}
}

func TestReachTellsWhetherABrokenDestinationTakesMessagesAgain(t *testing.T) {
	cases := map[string]struct {
		dest alert.Destination
		sure bool
		code string
	}{
		"open again":                   {alert.Destination{Lane: "#ops", Code: "is_archived"}, true, ""},
		"by its id":                    {alert.Destination{Lane: "C0OPS", Code: "channel_not_found"}, true, ""},
		"a public channel it can join": {alert.Destination{Lane: "C0RANDOM", Code: "not_in_channel"}, true, ""},
		"still archived":               {alert.Destination{Lane: "#old", Code: "is_archived"}, false, "is_archived"},
		"still private":                {alert.Destination{Lane: "C0SECRET", Code: "channel_not_found"}, false, "channel_not_found"},
		"a name that is gone":          {alert.Destination{Lane: "#gone", Code: "channel_not_found", Known: "C0GONE"}, false, ""},
		"a name that never was":        {alert.Destination{Lane: "#never", Code: "channel_not_found"}, false, ""},
		"a right that can't be seen":   {alert.Destination{Lane: "#ops", Code: "restricted_action"}, false, ""},
		"nobody of that address":       {alert.Destination{Lane: "nobody@example.com", Code: "users_not_found"}, false, "users_not_found"},
		"a person that exists":         {alert.Destination{Lane: "@ann", Code: "messages_tab_disabled"}, false, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBot(t, startSlack(t, playground.Options{}), &logBook{})
			sure, err := b.Reach(t.Context(), c.dest)
			code := ""
			if err != nil {
				code = sendErrorOf(t, err).Code
			}
			if sure != c.sure || code != c.code {
				t.Errorf("sure=%t, %v; want %t %q", sure, err, c.sure, c.code)
			}
		})
	}
}

func TestWithoutTheRightToLookOnlyAPostCanTell(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	slack.SetScopes([]string{"chat:write"})
	for _, lane := range []string{"#ops", "C0OPS"} {
		if sure, err := b.Reach(t.Context(), alert.Destination{Lane: lane, Code: "is_archived"}); sure || err != nil {
			t.Errorf("%s: %t, %v", lane, sure, err)
		}
	}
}
