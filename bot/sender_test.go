package bot

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

func delivery(kind alert.Kind, lane string) alert.Job {
	return alert.Job{
		Delivery: alert.Delivery{ID: alert.NewID(), Lane: lane, Kind: kind, StartedAt: time.Now()},
		Incident: alert.Incident{ID: "k7f2", Key: "disk", Title: "disk full", Severity: alert.Error, State: alert.Open, Version: 3, Count: 1},
	}
}

// posted sends a job that has to arrive.
func posted(t *testing.T, b *Bot, job alert.Job) alert.Sent {
	t.Helper()
	sent, err := b.Send(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

func TestACardIsPostedEditedAndRepliedTo(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	book := &logBook{}
	b := newBot(t, slack, book)
	job := delivery(alert.Post, "#alerts")
	sent := posted(t, b, job)
	if sent.Version != 3 || !strings.HasPrefix(sent.Conversation, "C") {
		t.Errorf("sent %+v", sent)
	}
	shown, ok := slack.Message("#alerts", sent.TS)
	if !ok || !strings.Contains(shown.Text, "disk full") || shown.Metadata == nil || shown.Metadata.EventType != deliveryEvent {
		t.Fatalf("shown %+v", shown)
	}

	edit := delivery(alert.Update, "#alerts")
	edit.Card = alert.Card{Lane: "#alerts", Conversation: sent.Conversation, TS: sent.TS}
	edit.Incident.Title, edit.Incident.Version = "disk really full", 4
	if again := posted(t, b, edit); again != (alert.Sent{Conversation: sent.Conversation, TS: sent.TS, Version: 4}) {
		t.Errorf("edited %+v", again)
	}
	if shown, _ = slack.Message("#alerts", sent.TS); !strings.Contains(shown.Text, "disk really full") || shown.Metadata == nil {
		t.Errorf("shown %+v", shown)
	}

	reply := delivery(alert.Reply, "#alerts")
	reply.Card, reply.Note = edit.Card, &alert.Note{Topic: alert.TopicMore, Text: "the rest of it"}
	answer := posted(t, b, reply)
	if shown, ok = slack.Message("#alerts", answer.TS); !ok || shown.ThreadTS != sent.TS || !strings.Contains(shown.Text, "the rest of it") {
		t.Errorf("shown %+v", shown)
	}
	noSecrets(t, book.text(), slack)
}

func TestAPlainCardClearsTheBlocks(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	sent := posted(t, b, delivery(alert.Post, "#alerts"))
	edit := delivery(alert.Update, "#alerts")
	edit.Plain, edit.Card = true, alert.Card{Conversation: sent.Conversation, TS: sent.TS}
	posted(t, b, edit)
	shown, _ := slack.Message("#alerts", sent.TS)
	if len(shown.Attachments) > 4 || strings.Contains(string(shown.Blocks), "actions") {
		t.Errorf("shown %s %s", shown.Blocks, shown.Attachments)
	}
}

func TestAPersonIsReachedByMail(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	mail := mailOf(t, slack, "ann")
	for range 2 {
		if sent := posted(t, b, delivery(alert.Post, mail)); !strings.HasPrefix(sent.Conversation, "D") {
			t.Errorf("sent %+v", sent)
		}
	}
	lookups := 0
	for _, c := range slack.Calls() {
		if c.Method == "users.lookupByEmail" {
			lookups++
		}
	}
	if n := len(slack.Messages("@ann")); n != 2 || lookups != 1 {
		t.Errorf("%d messages, %d lookups", n, lookups)
	}
}

func TestWhereItCantBeSentThereIsAHint(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	if err := b.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	for lane, want := range map[string]string{
		"#secret":           "/invite @" + b.Identity().Name,
		"#old":              "archived",
		"#nowhere":          "spelling",
		"nobody@example.io": "nobody in the workspace",
	} {
		_, err := b.Send(t.Context(), delivery(alert.Post, lane))
		e := sendErrorOf(t, err)
		if e.Class != alert.ClassDestination || !strings.Contains(e.Hint, want) {
			t.Errorf("%s: %+v", lane, e)
		}
	}
	for kind, class := range map[alert.Kind]alert.Class{alert.Update: alert.ClassGone, alert.Reply: alert.ClassThread, "poem": alert.ClassPayload} {
		_, err := b.Send(t.Context(), delivery(kind, "#alerts"))
		if e := sendErrorOf(t, err); e.Class != class {
			t.Errorf("%s without a card: %+v", kind, e)
		}
	}
}

func TestAPostWhoseAnswerWasLostIsFound(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	first := posted(t, b, delivery(alert.Post, "#alerts"))
	other := delivery(alert.Post, "#alerts")
	other.Known = first.Conversation
	reply := delivery(alert.Reply, "#alerts")
	reply.Card, reply.Note = alert.Card{Conversation: first.Conversation, TS: first.TS}, &alert.Note{Topic: alert.TopicMore, Text: "more"}
	direct := delivery(alert.Post, idOf(t, slack, "ann"))
	for name, job := range map[string]alert.Job{"post": other, "reply": reply, "direct": direct} {
		t.Run(name, func(t *testing.T) {
			if sent, found, err := b.Find(t.Context(), job); found || err != nil {
				t.Fatalf("found before it was sent: %+v, %v", sent, err)
			}
			if err := slack.SetFault(playground.Fault{Kind: playground.FaultLost, Method: "chat.postMessage", Times: 1}); err != nil {
				t.Fatal(err)
			}
			_, err := b.Send(t.Context(), job)
			if e := sendErrorOf(t, err); e.Class != alert.ClassUnsure {
				t.Fatalf("got %+v", e)
			}
			sent, found, err := b.Find(t.Context(), job)
			if err != nil || !found || sent.TS == "" {
				t.Fatalf("found %t %+v, %v", found, sent, err)
			}
			if wantVersion := map[alert.Kind]int64{alert.Post: 3}[job.Kind]; sent.Version != wantVersion {
				t.Errorf("version %d", sent.Version)
			}
			if shown, ok := slack.Message(sent.Conversation, sent.TS); !ok || !strings.Contains(string(shown.Metadata.EventPayload), job.ID) {
				t.Errorf("shown %+v", shown)
			}
		})
	}
	if _, found, err := b.Find(t.Context(), delivery(alert.Update, "#alerts")); found || err != nil {
		t.Errorf("an update: %t, %v", found, err)
	}
}

func TestAPostStartedByAClockThatWasAheadIsFound(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	job := delivery(alert.Post, "#alerts")
	posted(t, b, job)
	for _, start := range []time.Time{time.Now().Add(time.Hour), {}} {
		job.StartedAt = start
		if sent, found, err := b.Find(t.Context(), job); err != nil || !found {
			t.Errorf("started at %v: found %t %+v, %v", start, found, sent, err)
		}
	}
}

func TestWhereItCantLookFindSaysSo(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	sent := posted(t, b, delivery(alert.Post, "#random"))
	job := delivery(alert.Post, "#random")
	job.Known = sent.Conversation
	_, found, err := b.Find(t.Context(), job)
	if e := sendErrorOf(t, err); found || e.Class != alert.ClassDestination || e.Code != "not_in_channel" {
		t.Errorf("found %t, %+v", found, e)
	}
	slack.SetScopes([]string{"chat:write"})
	_, found, err = b.Find(t.Context(), job)
	if e := sendErrorOf(t, err); found || e.Class != alert.ClassDestination || e.Code != "missing_scope" {
		t.Errorf("found %t, %+v", found, e)
	}
}

func TestProbeLearnsWhoWeAreAndWhatIsMissing(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	book := &logBook{}
	b := newBot(t, slack, book)
	slack.SetScopes([]string{"chat:write", "commands"})
	for range 2 {
		if err := b.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	id := b.Identity()
	if id.UserID == "" || id.BotID == "" || id.TeamID == "" || len(id.Scopes) != 2 || len(id.Missing) != len(wantedScopes())-2 {
		t.Errorf("identity %+v", id)
	}
	if n := strings.Count(book.text(), `"scope":"im:history"`); n != 1 {
		t.Errorf("%d warnings of one scope", n)
	}
	slack.Revoke(slack.BotToken())
	if e := sendErrorOf(t, b.Probe(t.Context())); e.Class != alert.ClassAuth || e.Code != "token_revoked" {
		t.Errorf("got %+v", e)
	}
	slack.Accept(slack.BotToken())
	if err := b.Probe(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAPersonIsAnsweredPrivately(t *testing.T) {
	s := connect(t, playground.Options{}, nil)
	s.log.await(t, "slack connection is up", 2)
	s.command("")
	c := next(t, s.heard.commands)
	if err := s.bot.Respond(t.Context(), c.Caller, cardOf("by the response_url")); err != nil {
		t.Fatal(err)
	}
	c.ResponseURL += "x"
	if err := s.bot.Respond(t.Context(), c.Caller, cardOf("by an ephemeral message")); err != nil {
		t.Fatal(err)
	}
	c.Channel = idOfChannel(t, s.slack, "#secret")
	if err := s.bot.Respond(t.Context(), c.Caller, cardOf("by a direct message")); err != nil {
		t.Fatal(err)
	}
	s.wait("all three", func(sn *playground.Snapshot) bool {
		return len(sn.Ephemerals("ann", "#alerts")) == 2 && sn.MessageCount("@ann") == 1
	})
}

func TestHomeAndDialogsAreShown(t *testing.T) {
	s := connect(t, playground.Options{}, func(s *stage) {
		s.heard.submit = func(sub Submission) map[string]string {
			if sub.Inputs["why"]["text"] == "" || sub.Inputs["why"]["text"] == "no" {
				return map[string]string{"why": "say more"}
			}
			return nil
		}
	})
	s.log.await(t, "slack connection is up", 2)
	ann := s.slack.User("ann")
	if err := ann.OpenHome(); err != nil {
		t.Fatal(err)
	}
	h := next(t, s.heard.homes)
	hash, err := s.bot.PublishHome(t.Context(), h.User, homeOf("quiet"), h.Hash)
	if err != nil || hash == "" || h.Tab != "home" {
		t.Fatalf("home %+v, hash %q, %v", h, hash, err)
	}
	if view, ok := ann.Home(); !ok || !strings.Contains(string(view.Blocks), "quiet") || view.Hash != hash {
		t.Errorf("home %+v", view)
	}

	s.command("dialog")
	c := next(t, s.heard.commands)
	if err := s.bot.OpenView(t.Context(), c.TriggerID, dialogOf("why")); err != nil {
		t.Fatal(err)
	}
	refused, err := ann.Submit(t.Context(), map[string]map[string]any{"why": {"text": "no"}})
	if err != nil || refused.Errors["why"] != "say more" || refused.Closed {
		t.Fatalf("refused %+v, %v", refused, err)
	}
	taken, err := ann.Submit(t.Context(), map[string]map[string]any{"why": {"text": "deploy"}})
	if err != nil || !taken.Closed {
		t.Fatalf("taken %+v, %v", taken, err)
	}
	if sub := next(t, s.heard.done); sub.CallbackID != "silence" || sub.Inputs["why"]["text"] != "deploy" {
		t.Errorf("submission %+v", sub)
	}
	s.stop()
	if n := len(s.heard.done); n != 0 || s.inbox.unhandled() != 0 {
		t.Errorf("%d more submissions, %d left", n, s.inbox.unhandled())
	}
}

func TestADialogIsFinishedAfterARestart(t *testing.T) {
	payload := `{"type":"view_submission","user":{"id":"U1"},"view":{"callback_id":"silence","state":{"values":{}}}}`
	s := connect(t, playground.Options{}, func(s *stage) {
		s.inbox.left = []alert.Envelope{{ID: "left-over", Type: "interactive", Payload: json.RawMessage(payload)}}
	})
	if sub := next(t, s.heard.done); sub.CallbackID != "silence" {
		t.Errorf("submission %+v", sub)
	}
}

func TestAClickOnAMessageReachesTheHandler(t *testing.T) {
	s := connect(t, playground.Options{}, nil)
	s.log.await(t, "slack connection is up", 2)
	ts, err := s.bot.PostMessage(t.Context(), "#alerts", "", buttonOf("ack", "k7f2"))
	if err != nil {
		t.Fatal(err)
	}
	if link, err := s.bot.Permalink(t.Context(), idOfChannel(t, s.slack, "#alerts"), ts); err != nil || !strings.Contains(link, "/archives/") {
		t.Errorf("permalink %q, %v", link, err)
	}
	if run, err := s.slack.User("ann").Click(t.Context(), playground.AtMessage("#alerts", ts), "ack"); err != nil || !run.Acked {
		t.Fatalf("click %+v, %v", run, err)
	}
	a := next(t, s.heard.actions)
	if a.ActionID != "ack" || a.Value != "k7f2" || a.MessageTS != ts || a.ResponseURL == "" || a.User == "" {
		t.Errorf("action %+v", a)
	}
}
