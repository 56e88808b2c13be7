package playground

import (
	"testing"
)

// clicked runs a click of ann's while the daemon acks it.
func clicked(t testing.TB, s *Server, c *client, at Place, ref string, picks ...string) (any, *Interaction) {
	t.Helper()
	done := asPerson(func() (*Interaction, error) { return s.User("ann").Select(t.Context(), at, ref, picks...) })
	m := c.next()
	c.ack(m.EnvelopeID, nil)
	if m.Type != TypeInteractive || m.Accepts {
		t.Errorf("envelope: %s", m.raw)
	}
	return m.payload(t), (<-done).get(t)
}

func TestAClickOnAMessageCarriesEverythingAHandlerNeeds(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	ts := post(t, s, "#ops", map[string]any{
		"blocks":   []any{actions("inc-1", button("ack", "k7f2"))},
		"metadata": map[string]any{"event_type": "tocsin_delivery", "event_payload": map[string]any{"id": "d1"}},
	})
	p, out := clicked(t, s, c, AtMessage("#ops", ts), "ack")
	want(t, p, "block_actions", "type")
	want(t, p, "U0ANN", "user", "id")
	want(t, p, "message", "container", "type")
	want(t, p, ts, "container", "message_ts")
	want(t, p, "C0OPS", "container", "channel_id")
	want(t, p, false, "container", "is_ephemeral")
	want(t, p, "ops", "channel", "name")
	want(t, p, "B0TOCSIN", "message", "bot_id")
	want(t, p, "inc-1", "message", "blocks", 0, "block_id")
	want(t, p, "d1", "message", "metadata", "event_payload", "id")
	want(t, p, "ack", "actions", 0, "action_id")
	want(t, p, "inc-1", "actions", 0, "block_id")
	want(t, p, "k7f2", "actions", 0, "value")
	want(t, p, "button", "actions", 0, "type")
	want(t, p, out.ResponseURL, "response_url")
	if out.Err != "" || !out.Acked || dig(p, "actions", 0, "action_ts") == nil {
		t.Errorf("out %+v of %v", out, p)
	}
}

func TestAnOptionIsChosenWhereverItIsOffered(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	option := func(value string) map[string]any {
		return map[string]any{"text": map[string]any{"type": "plain_text", "text": "Do " + value}, "value": value}
	}
	more := map[string]any{"type": "overflow", "action_id": "more", "options": []any{option("assign:k7f2"), option("mute:k7f2")}}
	card := map[string]any{"type": "actions", "block_id": "inc-1", "elements": []any{button("ack", "k7f2"), more}}
	ts := post(t, s, "#ops", map[string]any{"text": "x", "attachments": []any{map[string]any{"color": "danger", "blocks": []any{card}}}})
	done := asPerson(func() (*Interaction, error) {
		return s.User("bob").Choose(t.Context(), AtMessage("#ops", ts), "mute:k7f2")
	})
	m := c.next()
	c.ack(m.EnvelopeID, nil)
	p := m.payload(t)
	want(t, p, "U0BOB", "user", "id")
	want(t, p, "overflow", "actions", 0, "type")
	want(t, p, "more", "actions", 0, "action_id")
	want(t, p, "mute:k7f2", "actions", 0, "selected_option", "value")
	want(t, p, "message_attachment", "container", "type")
	want(t, p, ts, "message", "ts")
	want(t, p, "inc-1", "message", "attachments", 0, "blocks", 0, "block_id")
	if out := (<-done).get(t); !out.Acked {
		t.Errorf("out: %+v", out)
	}
	if _, err := s.User("bob").Choose(t.Context(), AtMessage("#ops", ts), "explode:k7f2"); err == nil {
		t.Error("an option was chosen that is not offered")
	}
}

func TestAButtonThatIsGoneCanStillBeClickedByWhoHasSeenIt(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	ts := post(t, s, "#ops", map[string]any{"blocks": []any{actions("b", button("ack", "k7f2"))}})
	seen, _ := s.Message("#ops", ts)
	callAPI(t, s, "chat.update", map[string]any{"channel": "C0OPS", "ts": ts, "text": "taken"})
	if _, err := s.User("ann").Click(t.Context(), AtMessage("#ops", ts), "ack"); err == nil {
		t.Error("a button was clicked that is not shown")
	}
	done := asPerson(func() (*Interaction, error) { return s.User("ann").Click(t.Context(), AtShown(seen), "ack") })
	m := c.next()
	c.ack(m.EnvelopeID, nil)
	want(t, m.payload(t), "k7f2", "actions", 0, "value")
	want(t, m.payload(t), "taken", "message", "text")
	if out := (<-done).get(t); !out.Acked {
		t.Errorf("out: %+v", out)
	}
}

func TestAnInputSendsNothingBeforeItsViewIsSubmitted(t *testing.T) {
	s := startPlayground(t, patient())
	connect(t, s)
	openModal(t, s, durationModal())
	if _, err := s.User("ann").Select(t.Context(), AtModal(), "minutes", "30"); err == nil {
		t.Error("an input without dispatch_action was sent by itself")
	}
}

func TestATriggerOpensOneModal(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	ts := post(t, s, "#ops", map[string]any{"blocks": []any{actions("inc-1", button("silence", "k7f2"))}})
	_, out := clicked(t, s, c, AtMessage("#ops", ts), "inc-1")
	args := map[string]any{"trigger_id": out.TriggerID, "view": durationModal()}
	callAPI(t, s, "views.open", args)
	if again := tryAPI(t, s, "views.open", args); again["error"] != "exchanged_trigger_id" {
		t.Errorf("a used trigger: %v", again)
	}
	if v, ok := s.User("ann").Modal(); !ok || v.CallbackID != "silence" {
		t.Errorf("ann sees %+v", v)
	}
}

func TestAnAttachmentAThreadAndAnEphemeralMessageSayWhatTheyAre(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	blocks := []any{actions("b", button("ack", "1"))}
	ts := post(t, s, "#ops", map[string]any{"attachments": []any{map[string]any{"color": "danger", "blocks": blocks}}})
	p, _ := clicked(t, s, c, AtMessage("#ops", ts), "ack")
	want(t, p, "message_attachment", "container", "type")
	want(t, p, 1.0, "container", "attachment_id")

	reply := post(t, s, "#ops", map[string]any{"thread_ts": ts, "blocks": blocks})
	p, _ = clicked(t, s, c, AtMessage("#ops", reply), "ack")
	want(t, p, ts, "container", "thread_ts")

	private, _ := callAPI(t, s, "chat.postEphemeral", map[string]any{"channel": "#ops", "user": "U0ANN", "text": "x", "blocks": blocks})["message_ts"].(string)
	p, _ = clicked(t, s, c, AtMessage("#ops", private), "ack")
	want(t, p, true, "container", "is_ephemeral")
	want(t, p, nil, "message")
	if _, err := s.User("bob").Click(t.Context(), AtMessage("#ops", private), "ack"); err == nil {
		t.Error("bob clicked what only ann sees")
	}
}

func TestAClickInHomeCarriesTheViewAndNoResponseURL(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	publishHome(t, s)
	home, _ := s.User("ann").Home()
	p, out := clicked(t, s, c, AtHome(), "refresh")
	want(t, p, "view", "container", "type")
	want(t, p, home.ID, "container", "view_id")
	want(t, p, home.Hash, "view", "hash")
	want(t, p, nil, "response_url")
	want(t, p, nil, "channel")
	if out.ResponseURL != "" {
		t.Errorf("a Home click has a response_url")
	}
}

func TestPicksArriveAsSlackSendsThem(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	options := []any{option("One", "1"), option("Two", "2")}
	ts := post(t, s, "#ops", map[string]any{"blocks": []any{actions("b",
		map[string]any{"type": "static_select", "action_id": "select", "options": options},
		map[string]any{"type": "overflow", "action_id": "more", "options": options},
		map[string]any{"type": "checkboxes", "action_id": "checks", "options": options},
		map[string]any{"type": "users_select", "action_id": "who"},
		map[string]any{"type": "conversations_select", "action_id": "where"},
		map[string]any{"type": "datepicker", "action_id": "day"},
		map[string]any{"type": "datetimepicker", "action_id": "when"},
	)}})
	at := AtMessage("#ops", ts)
	for _, c2 := range []struct {
		action string
		picks  []string
		path   []any
		value  any
	}{
		{"select", []string{"Two"}, []any{"selected_option", "value"}, "2"},
		{"more", []string{"1"}, []any{"selected_option", "value"}, "1"},
		{"checks", []string{"1", "2"}, []any{"selected_options", 1, "value"}, "2"},
		{"who", []string{"bob"}, []any{"selected_user"}, "U0BOB"},
		{"where", []string{"#ops"}, []any{"selected_conversation"}, "C0OPS"},
		{"day", []string{"2026-02-03"}, []any{"selected_date"}, "2026-02-03"},
		{"when", []string{"1767225600"}, []any{"selected_date_time"}, 1767225600.0},
	} {
		p, _ := clicked(t, s, c, at, c2.action, c2.picks...)
		want(t, dig(p, "actions", 0), c2.value, c2.path...)
		if c2.action == "when" {
			want(t, p, "2", "state", "values", "b", "select", "selected_option", "value")
			want(t, p, "U0BOB", "state", "values", "b", "who", "selected_user")
			want(t, p, nil, "state", "values", "b", "more")
		}
	}
	if _, err := s.User("ann").Select(t.Context(), at, "select", "Three"); err == nil {
		t.Error("an option that is not there was picked")
	}
	if _, err := s.User("ann").Click(t.Context(), at, "nothing"); err == nil {
		t.Error("a button that is not there was clicked")
	}
}

func option(label, value string) map[string]any {
	return map[string]any{"text": words(label), "value": value}
}

func TestAClickWithoutAnAckIsNotRepeated(t *testing.T) {
	s := startPlayground(t, quick())
	publishHome(t, s)
	out, err := s.User("ann").Click(t.Context(), AtHome(), "refresh")
	if err != nil || out.Err != ErrDispatch {
		t.Errorf("without a socket: %+v, %v", out, err)
	}
	connect(t, s)
	if err := s.Freeze("S1"); err != nil {
		t.Fatal(err)
	}
	out, err = s.User("ann").Click(t.Context(), AtHome(), "refresh")
	if err != nil || out.Err != ErrTimeout {
		t.Errorf("to a ghost: %+v, %v", out, err)
	}
	if n := len(entriesOf(s, KindSent)) + len(entriesOf(s, KindRedelivered)); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

func TestSuggestionsComeFromTheAck(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	ts := post(t, s, "#ops", map[string]any{"blocks": []any{actions("b", map[string]any{"type": "external_select", "action_id": "host"})}})
	done := asPerson(func() (int, error) {
		options, err := s.User("ann").Suggest(t.Context(), AtMessage("#ops", ts), "host", "db")
		return len(options), err
	})
	m := c.next()
	p := m.payload(t)
	want(t, p, "block_suggestion", "type")
	want(t, p, "db", "value")
	want(t, p, "host", "action_id")
	if !m.Accepts {
		t.Error("a suggestion must accept a payload")
	}
	c.ack(m.EnvelopeID, map[string]any{"options": []any{option("db-1", "1"), option("db-2", "2")}})
	if n := (<-done).get(t); n != 2 {
		t.Errorf("%d options", n)
	}
}

func TestShortcutsReachTheApp(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	ts := post(t, s, "#ops", nil)
	ann := s.User("ann")
	done := asPerson(func() (*Interaction, error) { return ann.Shortcut(t.Context(), "page_me") })
	m := c.next()
	want(t, m.payload(t), "shortcut", "type")
	want(t, m.payload(t), "page_me", "callback_id")
	c.ack(m.EnvelopeID, nil)
	(<-done).get(t)
	done = asPerson(func() (*Interaction, error) { return ann.MessageAction(t.Context(), "#ops", ts, "raise") })
	m = c.next()
	want(t, m.payload(t), "message_action", "type")
	want(t, m.payload(t), ts, "message_ts")
	want(t, m.payload(t), "an alert", "message", "text")
	c.ack(m.EnvelopeID, nil)
	(<-done).get(t)
}
