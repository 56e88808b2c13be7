package playground

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func (w *webTest) hook(h hook) string {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.s.newHookLocked(h)
}

func TestARevokedTokenLeavesTheResponseURLAlone(t *testing.T) {
	w := newWebTest(t, NoLimits())
	if err := w.s.SetFault(Fault{Kind: FaultRevoked}); err != nil {
		t.Fatal(err)
	}
	if r := w.send(w.hook(hook{Kind: "commands", User: "U0ANN", Channel: "C0OPS"}), jsonType, `{"text":"still here"}`); r.body["ok"] != true {
		t.Errorf("got %d %s", r.status, r.raw)
	}
}

const jsonType = "application/json; charset=utf-8"

func TestResponseURLIsPrivateByDefaultAndNeedsNoMembership(t *testing.T) {
	w := newWebTest(t, NoLimits())
	url := w.hook(hook{Kind: "commands", User: "U0ANN", Channel: "C0SECRET"})
	if r := w.send(url, jsonType, `{"text":"only you"}`); r.body["ok"] != true {
		t.Fatalf("got %d %s", r.status, r.raw)
	}
	if r := w.send(url, jsonType, `{"text":"all","response_type":"in_channel"}`); r.body["ok"] != true {
		t.Fatalf("got %d %s", r.status, r.raw)
	}
	if r := w.send(url, jsonType, `{"text":"still you","replace_original":true}`); r.body["ok"] != true {
		t.Fatalf("got %d %s", r.status, r.raw)
	}
	if got := w.s.Ephemerals("ann", "#secret"); len(got) != 2 || got[0].Text != "only you" || got[0].BotID == "" {
		t.Errorf("ann sees %+v", got)
	}
	if got := w.s.Messages("#secret"); len(got) != 1 || got[0].Text != "all" {
		t.Errorf("everybody sees %+v", got)
	}
}

func TestResponseURLWorksFiveTimesWithinThirtyMinutes(t *testing.T) {
	w := newWebTest(t, NoLimits())
	url := w.hook(hook{Kind: "commands", User: "U0ANN", Channel: "C0OPS"})
	if r := w.send(url, jsonType, `{}`); r.code() != "no_text" {
		t.Errorf("empty: %s", r.raw)
	}
	for range 5 {
		if r := w.send(url, jsonType, `{"text":"x"}`); r.status != http.StatusOK {
			t.Fatalf("got %d %s", r.status, r.raw)
		}
	}
	if r := w.send(url, jsonType, `{"text":"x"}`); r.status != http.StatusNotFound || r.code() != "used_url" {
		t.Errorf("sixth: %d %s", r.status, r.raw)
	}
	late := w.hook(hook{Kind: "actions", User: "U0ANN", Channel: "C0OPS"})
	w.clock.advance(30*time.Minute + 1)
	if r := w.send(late, jsonType, `{"text":"x"}`); r.status != http.StatusNotFound || r.code() != "expired_url" {
		t.Errorf("late: %d %s", r.status, r.raw)
	}
	if r := w.send(late[:len(late)-1]+"x", jsonType, `{"text":"x"}`); r.status != http.StatusNotFound {
		t.Errorf("wrong secret: %d %s", r.status, r.raw)
	}
}

func TestResponseURLRefusesWhatIsNoMessage(t *testing.T) {
	w := newWebTest(t, NoLimits())
	url := w.hook(hook{Kind: "commands", User: "U0ANN", Channel: "C0OPS"})
	rows := []struct {
		kind, body, want string
		status           int
	}{
		{"application/x-www-form-urlencoded", "text=x", "invalid_payload", http.StatusBadRequest},
		{jsonType, `{"text":`, "invalid_json", http.StatusBadRequest},
		{jsonType, `{"blocks":[{"type":"nope"}]}`, "invalid_blocks", http.StatusNotFound},
		{jsonType, `{"text":"x","response_type":"in_channel","thread_ts":"1.1"}`, "thread_not_found", http.StatusBadRequest},
	}
	for _, row := range rows {
		if r := w.send(url, row.kind, row.body); r.status != row.status || r.code() != row.want {
			t.Errorf("%s: %d %s, want %s", row.body, r.status, r.raw, row.want)
		}
	}
}

func TestResponseURLReplacesAndDeletesTheMessageWithTheButton(t *testing.T) {
	w := newWebTest(t, NoLimits())
	ts := w.post("C0OPS", "card")
	url := w.hook(hook{Kind: "actions", User: "U0ANN", Channel: "C0OPS", Source: ts})
	if r := w.send(url, jsonType, `{"text":"acked","replace_original":true}`); r.body["ok"] != true {
		t.Fatal(r.raw)
	}
	if m, _ := w.s.Message("C0OPS", ts); m.Text != "acked" {
		t.Errorf("message: %+v", m)
	}
	if r := w.send(url, jsonType, `{"text":"in the thread","response_type":"in_channel","replace_original":false,"thread_ts":"`+ts+`"}`); r.body["ok"] != true {
		t.Fatal(r.raw)
	}
	if m, _ := w.s.Message("C0OPS", ts); m.ReplyCount != 1 {
		t.Errorf("parent: %+v", m)
	}
	if r := w.send(url, jsonType, `{"delete_original":true}`); r.body["ok"] != true {
		t.Fatal(r.raw)
	}
	if m, _ := w.s.Message("C0OPS", ts); m.Subtype != "tombstone" {
		t.Errorf("deleted: %+v", m)
	}
}

func TestResponseURLReplacesAndDeletesAnEphemeral(t *testing.T) {
	w := newWebTest(t, NoLimits())
	ts := w.ok("chat.postEphemeral", form{"channel": "C0OPS", "user": "U0ANN", "text": "sure?"}).str("message_ts")
	url := w.hook(hook{Kind: "actions", User: "U0ANN", Channel: "C0OPS", Source: ts, SourceEphemeral: true})
	w.send(url, jsonType, `{"text":"done","replace_original":true,"response_type":"in_channel"}`)
	if got := w.s.Ephemerals("ann", "#ops"); len(got) != 1 || got[0].Text != "done" {
		t.Errorf("replaced: %+v", got)
	}
	w.send(url, jsonType, `{"delete_original":true}`)
	if got := w.s.Ephemerals("ann", "#ops"); len(got) != 0 {
		t.Errorf("deleted: %+v", got)
	}
	if r := w.send(url, jsonType, `{"text":"x","replace_original":true}`); !strings.Contains(r.raw, "message_not_found") {
		t.Errorf("gone: %s", r.raw)
	}
}
