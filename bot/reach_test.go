package bot

import (
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

func TestAReplyThatLeftItsThreadStandsBesideTheCard(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	reply := delivery(alert.Reply, "#alerts")
	reply.TopLevel, reply.Note = true, &alert.Note{Topic: alert.TopicMore, Text: "the rest of it"}
	sent := posted(t, b, reply)
	shown, ok := slack.Message("#alerts", sent.TS)
	if !ok || shown.ThreadTS != "" || !strings.Contains(shown.Text, "the rest of it") {
		t.Errorf("shown %+v", shown)
	}
	reply.Known = sent.Conversation
	if found, ok, err := b.Find(t.Context(), reply); err != nil || !ok || found.TS != sent.TS {
		t.Errorf("found %+v, %v, %v", found, ok, err)
	}
}

func TestAReplyWhoseThreadIsGoneIsFoundAtTopLevel(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	card := posted(t, b, delivery(alert.Post, "#alerts"))
	reply := delivery(alert.Reply, "#alerts")
	reply.Card = alert.Card{Lane: "#alerts", Conversation: card.Conversation, TS: "1.000001"}
	reply.Note = &alert.Note{Topic: alert.TopicNote, Text: "it is the backup"}
	sent := posted(t, b, reply)
	if shown, ok := slack.Message("#alerts", sent.TS); !ok || shown.ThreadTS != "" || !strings.Contains(shown.Text, "it is the backup") {
		t.Errorf("shown %+v", shown)
	}
	if found, ok, err := b.Find(t.Context(), reply); err != nil || !ok || found.TS != sent.TS {
		t.Errorf("found %+v, %v, %v", found, ok, err)
	}
}

func TestTheFirstPostToANamedChannelIsFoundByTheBotsOwnConversations(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	job := delivery(alert.Post, "#alerts")
	sent := posted(t, b, job)
	if found, ok, err := b.Find(t.Context(), job); err != nil || !ok || found != sent {
		t.Errorf("found %+v, %v, %v; want %+v", found, ok, err, sent)
	}
	if found, ok, err := b.Find(t.Context(), delivery(alert.Post, "#alerts")); err != nil || ok {
		t.Errorf("a delivery never sent was found as %+v, %v", found, err)
	}
	if _, _, err := b.Find(t.Context(), delivery(alert.Post, "#random")); err == nil {
		t.Error("it could look into a channel it is not a member of")
	}
}

func TestAPersonIsReachedByName(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	if sent := posted(t, b, delivery(alert.Post, "@bob")); !strings.HasPrefix(sent.Conversation, "D") {
		t.Errorf("sent to %+v", sent)
	}
	if _, err := b.Send(t.Context(), delivery(alert.Post, "@nobody")); err == nil || !strings.Contains(err.Error(), "users_not_found") {
		t.Errorf("nobody was reached: %v", err)
	}
}

func TestANamedConversationIsCheckedBeforeAnythingIsSent(t *testing.T) {
	b := newBot(t, startSlack(t, playground.Options{}), &logBook{})
	for spelling, want := range map[string]string{
		"#ops": "", "C0OPS": "", "C0RANDOM": "", "@ann": "", "U0BOB": "",
		"#nosuch": "channel_not_found", "#secret": "channel_not_found", "C0SECRET": "channel_not_found", "C0NOSUCH": "channel_not_found",
		"#old": "is_archived", "@nobody": "users_not_found", "nobody@example.com": "users_not_found",
	} {
		err := b.Check(t.Context(), spelling)
		code := ""
		if err != nil {
			code = sendErrorOf(t, err).Code
		}
		if code != want || err != nil && sendErrorOf(t, err).Hint == "" {
			t.Errorf("%s: %v, want %q", spelling, err, want)
		}
	}
}

func TestWhatSlackDoesNotSayIsNotHeldAgainstAConversation(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	if err := slack.SetFault(playground.Fault{Kind: playground.FaultError, Error: "service_unavailable"}); err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context(), "#nosuch"); err != nil {
		t.Errorf("while Slack is away: %v", err)
	}
	slack.ClearFaults()
	slack.SetScopes([]string{"chat:write"})
	for _, spelling := range []string{"#nosuch", "C0OPS", "@ann"} {
		if err := b.Check(t.Context(), spelling); err != nil {
			t.Errorf("without the right to look, %s: %v", spelling, err)
		}
	}
}
