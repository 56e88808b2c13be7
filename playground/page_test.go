package playground

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"tocsin/playground/page"
)

// pageCall does one request as the page does and decodes the answer.
func pageCall(t testing.TB, method, url string, body any, header map[string]string) (int, map[string]any) {
	t.Helper()
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(mustJSON(body))
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, reader)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	if host := header["Host"]; host != "" {
		req.Host = host
	}
	res := send(t, req)
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return res.StatusCode, answer
}

func perform(t testing.TB, s *Server, body map[string]any) map[string]any {
	t.Helper()
	_, answer := pageCall(t, http.MethodPost, s.URL()+"/playground/act?user=ann", body, nil)
	return answer
}

func TestThePageAndItsFilesAreServedWithAPolicy(t *testing.T) {
	s := startPlayground(t, patient())
	for path, kind := range map[string]string{"/": "text/html", "/static/index.html": ""} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res := send(t, req)
		if !strings.HasPrefix(res.Header.Get("Content-Type"), kind) || res.Header.Get("Content-Security-Policy") != page.Policy {
			t.Errorf("%s: %d %v", path, res.StatusCode, res.Header)
		}
	}
}

func TestThePageSpoilsAChannel(t *testing.T) {
	s := startPlayground(t, patient())
	want(t, perform(t, s, map[string]any{"do": "channel", "channel": "C0OPS", "archived": true}), true, "ok")
	want(t, tryAPI(t, s, "chat.postMessage", map[string]any{"channel": "C0OPS", "text": "x"}), "is_archived", "error")
	perform(t, s, map[string]any{"do": "channel", "channel": "C0OPS", "archived": false, "member": false})
	if got := s.Channels()[1]; got.IsArchived || got.IsMember {
		t.Errorf("#ops is %+v", got)
	}
	want(t, perform(t, s, map[string]any{"do": "channel", "channel": "C0NOWHERE", "member": true}), false, "ok")
}

func TestWhoJoinsShowsOnThePage(t *testing.T) {
	s := startPlayground(t, patient())
	next := stream(t, s, "ann")
	if _, err := s.AddUserGroup(UserGroup{Handle: "oncall", Users: []string{"ann"}}); err != nil {
		t.Fatal(err)
	}
	got := next()
	want(t, got, "people", "type")
	want(t, got, "oncall", "groups", 0, "handle")
	want(t, got, "U0ANN", "groups", 0, "users", 0)
	s.AddUser(User{Name: "dora"})
	want(t, next(), "dora", "users", 4, "name")
	_, state := pageCall(t, http.MethodGet, s.URL()+"/playground/state?user=ann", nil, nil)
	want(t, state, "oncall", "groups", 0, "handle")
}

func TestTheStateIsWhatOnePersonSees(t *testing.T) {
	opts := patient()
	opts.Commands = []Command{{Command: "/notify", Description: "Alerts", UsageHint: "help"}}
	s := startPlayground(t, opts)
	connect(t, s)
	post(t, s, "#ops", nil)
	say(t, s, "help")
	callAPI(t, s, "chat.postEphemeral", map[string]any{"channel": "#ops", "user": "U0ANN", "text": "psst"})
	publishHome(t, s)
	openModal(t, s, durationModal())
	_, state := pageCall(t, http.MethodGet, s.URL()+"/playground/state?user=ann", nil, nil)
	want(t, state, "Tocsin Playground", "team", "name")
	want(t, state, "U0ANN", "me", "id")
	want(t, state, "U0TOCSIN", "bot", "id")
	want(t, state, "/notify", "commands", 0, "command")
	want(t, state, 1.0, "sockets")
	want(t, state, "home", "home", "type")
	want(t, state, "silence", "modals", 0, "callback_id")
	want(t, state, "an alert", "messages", "C0OPS", 0, "text")
	want(t, state, true, "messages", "C0OPS", 1, "ephemeral")
	want(t, state, "help", "messages", "D0ANN", 0, "text")
	_, bobs := pageCall(t, http.MethodGet, s.URL()+"/playground/state?user=bob", nil, nil)
	want(t, bobs, nil, "messages", "C0OPS", 1)
	want(t, bobs, nil, "messages", "D0ANN")
	want(t, bobs, nil, "home")
	if status, _ := pageCall(t, http.MethodGet, s.URL()+"/playground/state?user=zoe", nil, nil); status != http.StatusNotFound {
		t.Errorf("a stranger's state: %d", status)
	}
}

func TestADirectConversationIsShownAsTheOneWithTheBot(t *testing.T) {
	s := startPlayground(t, patient())
	_, state := pageCall(t, http.MethodGet, s.URL()+"/playground/state?user=ann", nil, nil)
	list, _ := state["channels"].([]any)
	last := list[len(list)-1]
	want(t, last, "D0ANN", "id")
	want(t, last, "U0TOCSIN", "user")
	want(t, last, "tocsin", "name")
}

func TestOtherSitesAreRefused(t *testing.T) {
	s := startPlayground(t, patient())
	for name, header := range map[string]map[string]string{
		"origin":     {"Origin": "https://evil.example"},
		"fetch site": {"Sec-Fetch-Site": "cross-site"},
		"same site":  {"Sec-Fetch-Site": "same-site"},
		"rebinding":  {"Host": "evil.example"},
		"null":       {"Origin": "null"},
	} {
		status, answer := pageCall(t, http.MethodPost, s.URL()+"/playground/act", map[string]any{"do": "send", "channel": "#ops", "text": "gotcha"}, header)
		if status != http.StatusForbidden || answer["ok"] != false {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	if shown := s.Messages("#ops"); len(shown) != 0 {
		t.Errorf("the channel shows %+v", shown)
	}
	status, _ := pageCall(t, http.MethodPost, s.URL()+"/playground/act", map[string]any{"do": "home"}, map[string]string{"Content-Type": "text/plain"})
	if status != http.StatusBadRequest {
		t.Errorf("text/plain: %d", status)
	}
}

func TestThePageSaysThingsAndRunsCommands(t *testing.T) {
	s := startPlayground(t, patient())
	answer := perform(t, s, map[string]any{"do": "send", "channel": "C0OPS", "text": "hello"})
	want(t, answer, true, "ok")
	want(t, answer, s.Messages("#ops")[0].TS, "ts")
	answer = perform(t, s, map[string]any{"do": "send", "channel": "C0OPS", "text": "/notify help"})
	want(t, answer, ErrDispatch, "error")
	c := connect(t, s)
	done := asPerson(func() (map[string]any, error) {
		return perform(t, s, map[string]any{"do": "send", "channel": "C0OPS", "text": "/notify help"}), nil
	})
	m := c.next()
	want(t, m.payload(t), "help", "text")
	c.ack(m.EnvelopeID, nil)
	want(t, (<-done).v, true, "ok")
	want(t, perform(t, s, map[string]any{"do": "send", "channel": "C0OLD", "text": "hi"}), "is_archived", "error")
	want(t, perform(t, s, map[string]any{"do": "dance"}), "unknown_act", "error")
}

func TestThePageClicksWithItsOwnValuesAndState(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	ts := post(t, s, "#ops", map[string]any{"blocks": []any{actions("b", button("go", "1"), map[string]any{"type": "users_select", "action_id": "who"})}})
	done := asPerson(func() (map[string]any, error) {
		return perform(t, s, map[string]any{
			"do": "click", "channel": "C0OPS", "message_ts": ts, "block_id": "b", "action_id": "go", "value": "1",
			"state": map[string]any{"values": map[string]any{"b": map[string]any{"who": map[string]any{"type": "users_select", "selected_user": "U0BOB"}}}},
		}), nil
	})
	m := c.next()
	p := m.payload(t)
	want(t, p, "1", "actions", 0, "value")
	want(t, p, "U0BOB", "state", "values", "b", "who", "selected_user")
	c.ack(m.EnvelopeID, nil)
	want(t, (<-done).v, true, "ok")
	want(t, perform(t, s, map[string]any{"do": "click", "channel": "C0OPS", "message_ts": ts, "block_id": "other", "action_id": "go"}), "action_not_found", "error")
}

func TestThePageSubmitsAndClosesModals(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	openModal(t, s, durationModal())
	view, _ := s.User("ann").Modal()
	values := map[string]any{"dur": map[string]any{"minutes": map[string]any{"type": "plain_text_input", "value": "x"}}}
	done := asPerson(func() (map[string]any, error) {
		return perform(t, s, map[string]any{"do": "submit", "view_id": view.ID, "values": values}), nil
	})
	m := c.next()
	c.ack(m.EnvelopeID, map[string]any{"response_action": "errors", "errors": map[string]any{"dur": "a number"}})
	answer := (<-done).v
	want(t, answer, true, "ok")
	want(t, answer, "a number", "errors", "dur")
	want(t, perform(t, s, map[string]any{"do": "close", "view_id": view.ID}), true, "ok")
	want(t, c.next().payload(t), "view_closed", "type")
	want(t, perform(t, s, map[string]any{"do": "close", "view_id": view.ID}), "view_not_found", "error")
}

func TestThePageOpensTabs(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	for _, tab := range []string{"home", "messages"} {
		want(t, perform(t, s, map[string]any{"do": tab}), true, "ok")
		want(t, dig(c.next().payload(t), "event"), tab, "tab")
	}
}

func TestThePageSwitchesFaultsAndSockets(t *testing.T) {
	s := startPlayground(t, patient())
	want(t, perform(t, s, map[string]any{"do": "fault", "kind": "429", "channel": "#ops", "retry_after": 5}), true, "ok")
	if on := s.Faults(); len(on) != 1 || on[0].Kind != FaultThrottle || on[0].Channel != "C0OPS" || on[0].RetryAfter != 5 {
		t.Errorf("faults: %+v", on)
	}
	want(t, perform(t, s, map[string]any{"do": "fault", "kind": "rain"}), false, "ok")
	want(t, perform(t, s, map[string]any{"do": "clear_faults"}), true, "ok")
	want(t, perform(t, s, map[string]any{"do": "socket", "action": "cut"}), "no_socket", "error")
	for i, action := range []string{"cut", "freeze", "refresh"} {
		connect(t, s)
		want(t, perform(t, s, map[string]any{"do": "socket", "action": action}), true, "ok")
		if i == 2 {
			await(t, s, KindDisconnect, 1)
		}
	}
	want(t, perform(t, s, map[string]any{"do": "socket", "action": "paint"}), false, "ok")
}

func TestThePagePushesAlertsToTheDaemon(t *testing.T) {
	want(t, perform(t, startPlayground(t, patient()), map[string]any{"do": "alert", "title": "x"}), "no_daemon", "error")
	var got []byte
	opts := patient()
	opts.Push = func(_ context.Context, alert []byte) error {
		got = alert
		if bytes.Contains(alert, []byte("bad")) {
			return errors.New("no severity bad")
		}
		return nil
	}
	s := startPlayground(t, opts)
	want(t, perform(t, s, map[string]any{"do": "alert", "title": "disk full", "severity": "critical"}), true, "ok")
	if string(got) != `{"severity":"critical","title":"disk full"}` {
		t.Errorf("the daemon got %s", got)
	}
	answer := perform(t, s, map[string]any{"do": "alert", "title": "x", "severity": "bad"})
	want(t, answer, false, "ok")
	want(t, answer, "push alert: no severity bad", "hint")
}

// stream follows a person's events and returns a function that reads the next one.
func stream(t *testing.T, s *Server, user string) func() map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), http.MethodGet, s.URL()+"/playground/events?user="+user, nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(send(t, req).Body)
	return func() map[string]any {
		t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var event map[string]any
				if err := json.Unmarshal([]byte(data), &event); err != nil {
					t.Fatal(err)
				}
				return event
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return nil
	}
}

func TestTheStreamShowsWhatOnePersonSeesHappen(t *testing.T) {
	s := startPlayground(t, patient())
	next := stream(t, s, "ann")
	expect := func(kind string) map[string]any {
		t.Helper()
		event := next()
		want(t, event, kind, "type")
		return event
	}
	connect(t, s)
	want(t, expect("sockets"), 1.0, "count")
	if _, err := s.User("bob").DM("private"); err != nil {
		t.Fatal(err)
	}
	ts := post(t, s, "#ops", nil)
	e := expect("message")
	want(t, e, "C0OPS", "channel")
	want(t, e, "an alert", "message", "text")
	callAPI(t, s, "chat.update", map[string]any{"channel": "C0OPS", "ts": ts, "text": "fixed"})
	want(t, expect("message_changed"), "fixed", "message", "text")
	callAPI(t, s, "chat.delete", map[string]any{"channel": "C0OPS", "ts": ts})
	want(t, expect("message_deleted"), ts, "ts")
	for _, user := range []string{"U0BOB", "U0ANN"} {
		callAPI(t, s, "chat.postEphemeral", map[string]any{"channel": "C0OPS", "user": user, "text": "for " + user})
	}
	want(t, expect("ephemeral"), "for U0ANN", "message", "text")
	publishHome(t, s)
	want(t, expect("home"), "home", "view", "type")
	openModal(t, s, durationModal())
	want(t, expect("modal_open"), "silence", "view", "callback_id")
	if err := s.User("ann").CloseModal(); err != nil {
		t.Fatal(err)
	}
	expect("modal_close")
	if err := s.SetFault(Fault{Kind: FaultSlow, Method: "chat.delete"}); err != nil {
		t.Fatal(err)
	}
	want(t, expect("faults"), FaultSlow, "faults", 0, "kind")
	if err := s.Archive("#ops"); err != nil {
		t.Fatal(err)
	}
	want(t, expect("channel"), true, "channel", "is_archived")
}

func TestTheStreamTellsHowACommandWent(t *testing.T) {
	s := startPlayground(t, quick())
	next := stream(t, s, "ann")
	if _, err := s.User("ann").Command(t.Context(), "#ops", "/notify", "x"); err != nil {
		t.Fatal(err)
	}
	want(t, next(), "sent", "state")
	e := next()
	want(t, e, "timeout", "state")
	want(t, e, ErrDispatch, "error")
	want(t, e, "/notify x", "text")
}

func TestAClosedPlaygroundEndsItsStreams(t *testing.T) {
	s := startPlayground(t, patient())
	req, err := http.NewRequestWithContext(within(t), http.MethodGet, s.URL()+"/playground/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res := send(t, req)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(res.Body); within(t).Err() != nil {
		t.Errorf("the stream went on: %v", err)
	}
	if _, err := s.User("ann").Command(t.Context(), "#ops", "/notify", ""); !errors.Is(err, errClosed) {
		t.Errorf("a command after the end: %v", err)
	}
}
