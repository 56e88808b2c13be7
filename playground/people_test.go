package playground

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// post posts blocks as the bot and returns the message's ts.
func post(t testing.TB, s *Server, channel string, more map[string]any) string {
	t.Helper()
	args := map[string]any{"channel": channel, "text": "an alert"}
	for k, v := range more {
		args[k] = v
	}
	ts, _ := callAPI(t, s, "chat.postMessage", args)["ts"].(string)
	return ts
}

func command(t testing.TB, s *Server, c *client, text string, ack any) (inbound, *CommandRun) {
	t.Helper()
	done := asPerson(func() (*CommandRun, error) { return s.User("ann").Command(t.Context(), "#ops", "/notify", text) })
	m := c.next()
	c.ack(m.EnvelopeID, ack)
	return m, (<-done).get(t)
}

func TestACommandCarriesItsFormAndItsAckIsShownToTheCallerOnly(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	m, run := command(t, s, c, "status @bob", map[string]any{"text": "all *quiet*"})
	p := m.payload(t)
	for field, value := range map[string]any{
		"command": "/notify", "text": "status @bob", "channel_id": "C0OPS", "channel_name": "ops", "user_id": "U0ANN", "user_name": "ann",
		"team_id": "T0PLAYGROUND", "is_enterprise_install": "false", "trigger_id": run.TriggerID, "response_url": run.ResponseURL,
	} {
		want(t, p, value, field)
	}
	if !m.Accepts || m.Type != TypeCommand || !run.Acked || run.Err != "" || run.AckAfter <= 0 || run.ID != m.EnvelopeID {
		t.Errorf("run %+v of %s", run, m.raw)
	}
	if seen := s.Ephemerals("ann", "#ops"); len(seen) != 1 || seen[0].Text != "all *quiet*" {
		t.Errorf("ann sees %+v", seen)
	}
	if seen := s.Ephemerals("bob", "#ops"); len(seen) != 0 || len(s.Messages("#ops")) != 0 {
		t.Errorf("others see %+v %+v", seen, s.Messages("#ops"))
	}
}

func TestAnAckInChannelShowsWhatWasTypedAndTheAnswer(t *testing.T) {
	s := startPlayground(t, patient())
	command(t, s, connect(t, s), "status", map[string]any{"response_type": "in_channel", "text": "fine"})
	shown := s.Messages("#ops")
	if len(shown) != 2 || shown[0].Text != "/notify status" || shown[0].User != "U0ANN" || shown[1].Text != "fine" || shown[1].BotID == "" {
		t.Errorf("the channel shows %+v", shown)
	}
}

func TestAnEmptyAckShowsNothingAndABrokenOneAnError(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	for _, ack := range []any{nil, map[string]any{}} {
		if _, run := command(t, s, c, "", ack); run.Err != "" || len(s.Ephemerals("ann", "#ops")) != 0 {
			t.Errorf("ack %v gave %+v", ack, run)
		}
	}
	broken := map[string]any{"blocks": []any{map[string]any{"type": "nonsense"}}}
	if _, run := command(t, s, c, "", broken); run.Err != ErrResponse || !run.Acked {
		t.Errorf("a broken ack gave %+v", run)
	}
}

func TestACommandNobodyTakesIsLostAndNeverSentAgain(t *testing.T) {
	s := startPlayground(t, quick())
	ann := s.User("ann")
	run, err := ann.Command(t.Context(), "#ops", "/notify", "status")
	if err != nil || run.Err != ErrDispatch || run.Acked {
		t.Errorf("without a socket: %+v, %v", run, err)
	}
	connect(t, s)
	run, err = ann.Command(t.Context(), "#ops", "/notify", "status")
	if err != nil || run.Err != ErrTimeout || run.Acked {
		t.Errorf("without an ack: %+v, %v", run, err)
	}
	if sent, again := len(entriesOf(s, KindSent)), len(entriesOf(s, KindRedelivered)); sent != 1 || again != 0 {
		t.Errorf("sent %d times, then %d more", sent, again)
	}
	seen := s.Ephemerals("ann", "#ops")
	if len(seen) != 2 || !strings.Contains(seen[0].Text, ErrDispatch) || !strings.Contains(seen[1].Text, ErrTimeout) {
		t.Errorf("ann is told %+v", seen)
	}
}

func TestOnlyRegisteredCommandsReachTheAppWithTheirEscaping(t *testing.T) {
	opts := patient()
	opts.Commands = []Command{{Command: "/notify", ShouldEscape: true}}
	s := startPlayground(t, opts)
	m, _ := command(t, s, connect(t, s), "@bob in #ops & <more>", nil)
	want(t, m.payload(t), "<@U0BOB|bob> in <#C0OPS|ops> &amp; &lt;more&gt;", "text")
	run, err := s.User("ann").Command(t.Context(), "#ops", "/other", "")
	if err != nil || run.Err != ErrCommand {
		t.Errorf("an unknown command gave %+v, %v", run, err)
	}
}

func TestChannelNamesOfDirectAndPrivateConversationsAreHidden(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	for channel, name := range map[string]string{"@ann": "directmessage", "#secret": "privategroup"} {
		done := asPerson(func() (*CommandRun, error) { return s.User("ann").Command(t.Context(), channel, "/notify", "") })
		m := c.next()
		want(t, m.payload(t), name, "channel_name")
		c.ack(m.EnvelopeID, nil)
		(<-done).get(t)
	}
}

func TestWhoAndWhereIsChecked(t *testing.T) {
	s := startPlayground(t, patient())
	for name, c := range map[string]struct {
		err  error
		want error
	}{
		"nobody":         {second(s.User("zoe").DM("hi")), errNoPerson},
		"bot":            {second(s.User("tocsin").DM("hi")), errNoPerson},
		"nowhere":        {second(s.User("ann").Say("#nowhere", "hi")), errNoChannel},
		"archived":       {second(s.User("ann").Say("#old", "hi")), errArchived},
		"somebody's DM":  {second(s.User("ann").Say("@bob", "hi")), errNoChannel},
		"archived, cmd":  {second(s.User("ann").Command(t.Context(), "#old", "/notify", "")), errArchived},
		"nobody at home": {s.User("zoe").OpenHome(), errNoPerson},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", name, c.err, c.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestACommandGivesUpWithItsContext(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	done := asPerson(func() (*CommandRun, error) { return s.User("ann").Command(ctx, "#ops", "/notify", "") })
	c.next()
	cancel()
	if out := <-done; !errors.Is(out.err, context.Canceled) {
		t.Errorf("got %+v, %v", out.v, out.err)
	}
}

func TestADirectMessageIsAnEventWithRichText(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	ts := say(t, s, "help <me>")
	e := dig(c.next().payload(t), "event")
	for field, value := range map[string]any{
		"type": "message", "channel_type": "im", "channel": "D0ANN", "user": "U0ANN", "text": "help &lt;me&gt;", "ts": ts, "event_ts": ts,
		"team": "T0PLAYGROUND",
	} {
		want(t, e, value, field)
	}
	want(t, e, "rich_text", "blocks", 0, "type")
	want(t, e, "help <me>", "blocks", 0, "elements", 0, "elements", 0, "text")
	if id, _ := dig(e, "client_msg_id").(string); len(id) != 36 {
		t.Errorf("client_msg_id is %q", id)
	}
}

func TestTheBotsOwnMessagesAndChangesComeBackFromADM(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	ts := post(t, s, "U0ANN", map[string]any{"metadata": map[string]any{"event_type": "x", "event_payload": map[string]any{"id": "1"}}})
	e := dig(c.next().payload(t), "event")
	want(t, e, "B0TOCSIN", "bot_id")
	want(t, e, "D0ANN", "channel")
	want(t, e, "1", "metadata", "event_payload", "id")
	callAPI(t, s, "chat.update", map[string]any{"channel": "D0ANN", "ts": ts, "text": "changed"})
	e = dig(c.next().payload(t), "event")
	want(t, e, "message_changed", "subtype")
	want(t, e, true, "hidden")
	want(t, e, ts, "message", "ts")
	want(t, e, "an alert", "previous_message", "text")
	callAPI(t, s, "chat.delete", map[string]any{"channel": "D0ANN", "ts": ts})
	e = dig(c.next().payload(t), "event")
	want(t, e, "message_deleted", "subtype")
	want(t, e, ts, "deleted_ts")
}

func TestPeopleCanReplyEditDeleteAndSendFiles(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	ann := s.User("ann")
	ts := say(t, s, "help")
	c.next()
	reply, err := ann.Reply("@ann", ts, "please")
	if err != nil {
		t.Fatal(err)
	}
	want(t, dig(c.next().payload(t), "event"), ts, "thread_ts")
	if err := ann.Edit("@ann", reply, "now"); err != nil {
		t.Fatal(err)
	}
	want(t, dig(c.next().payload(t), "event"), "now", "message", "text")
	if err := ann.Delete("@ann", reply); err != nil {
		t.Fatal(err)
	}
	want(t, dig(c.next().payload(t), "event"), reply, "deleted_ts")
	if _, err := ann.DMFile("log.txt", "see", []byte("boom")); err != nil {
		t.Fatal(err)
	}
	e := dig(c.next().payload(t), "event")
	want(t, e, "file_share", "subtype")
	want(t, e, "log.txt", "files", 0, "name")
	url, _ := dig(e, "files", 0, "url_private").(string)
	if body := fetch(t, s, url); body != "boom" {
		t.Errorf("the file holds %q", body)
	}
	if _, err := ann.Reply("@ann", "1.000000", "lost"); err == nil {
		t.Error("a reply to nothing was taken")
	}
	if err := ann.Edit("#ops", ts, "not here"); err == nil {
		t.Error("a message elsewhere was edited")
	}
}

func fetch(t *testing.T, s *Server, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.BotToken())
	body, err := io.ReadAll(send(t, req).Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(body))
}

func TestAMentionReachesTheBotOnlyWhereItIsAMember(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	ann := s.User("ann")
	for _, channel := range []string{"#random", "#secret", "#ops"} {
		if _, err := ann.Say(channel, "@tocsin in "+channel); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ann.Say("#ops", "no mention"); err != nil {
		t.Fatal(err)
	}
	say(t, s, "last")
	e := dig(c.next().payload(t), "event")
	want(t, e, "app_mention", "type")
	want(t, e, "C0OPS", "channel")
	want(t, e, "<@U0TOCSIN> in <#C0OPS|>", "text")
	want(t, dig(c.next().payload(t), "event"), "last", "text")
}

func TestOpeningTheAppIsToldEachTimeWithTheViewOnceThereIsOne(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	ann := s.User("ann")
	openHome := func() any {
		if err := ann.OpenHome(); err != nil {
			t.Fatal(err)
		}
		return dig(c.next().payload(t), "event")
	}
	e := openHome()
	want(t, e, "app_home_opened", "type")
	want(t, e, "home", "tab")
	want(t, e, "D0ANN", "channel")
	want(t, e, nil, "view")
	publishHome(t, s)
	view, ok := ann.Home()
	if !ok {
		t.Fatal("no Home tab")
	}
	want(t, openHome(), view.Hash, "view", "hash")
	if err := ann.OpenMessages(); err != nil {
		t.Fatal(err)
	}
	e = dig(c.next().payload(t), "event")
	want(t, e, "messages", "tab")
	want(t, e, nil, "view")
}

func publishHome(t *testing.T, s *Server) {
	t.Helper()
	callAPI(t, s, "views.publish", map[string]any{"user_id": "U0ANN", "view": map[string]any{"type": "home", "blocks": []any{actions("home", button("refresh", "1"))}}})
}

func actions(block string, elements ...any) map[string]any {
	return map[string]any{"type": "actions", "block_id": block, "elements": elements}
}

func words(text string) map[string]any { return map[string]any{"type": "plain_text", "text": text} }

func button(action, value string) map[string]any {
	return map[string]any{"type": "button", "action_id": action, "value": value, "text": words(action)}
}
