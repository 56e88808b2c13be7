package bot

import (
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

func TestAReplyThatMattersShowsInTheChannelAsWell(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	sent := posted(t, b, delivery(alert.Post, "#alerts"))
	for _, broadcast := range []bool{true, false} {
		reply := delivery(alert.Reply, "#alerts")
		reply.Card = alert.Card{Lane: "#alerts", Conversation: sent.Conversation, TS: sent.TS}
		reply.Note = &alert.Note{Topic: alert.TopicUnanswered, Broadcast: broadcast}
		shown, _ := slack.Message("#alerts", posted(t, b, reply).TS)
		if shown.ThreadTS != sent.TS || (shown.Subtype == "thread_broadcast") != broadcast {
			t.Errorf("broadcast %t: shown as %q in thread %q", broadcast, shown.Subtype, shown.ThreadTS)
		}
	}
}
