package playground

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	homeView  = `{"type":"home","callback_id":"home","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"All is well"}}]}`
	modalView = `{"type":"modal","callback_id":"silence","external_id":"ext-1","private_metadata":"42","title":{"type":"plain_text","text":"Silence"},"submit":{"type":"plain_text","text":"Save"},"blocks":[{"type":"input","block_id":"dur","label":{"type":"plain_text","text":"Minutes"},"element":{"type":"plain_text_input","action_id":"minutes"}}]}`
)

func (w *webTest) trigger(user, view string) string {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.s.newTriggerLocked(user, view)
}

func TestPublishOutcomes(t *testing.T) {
	title := `{"type":"home","submit":{"type":"plain_text","text":"Go"},"blocks":[{"type":"divider"}]}`
	each(t, "views.publish", nil, []outcome{
		{"home", form{"user_id": "U0ANN", "view": homeView}, ""},
		{"modal", form{"user_id": "U0ANN", "view": modalView}, "invalid_arguments"},
		{"with submit", form{"user_id": "U0ANN", "view": title}, "invalid_arguments"},
		{"unknown person", form{"user_id": "U0NONE", "view": homeView}, "invalid_arguments"},
		{"no person", form{"view": homeView}, "invalid_arguments"},
		{"no view", form{"user_id": "U0ANN"}, "invalid_arguments"},
		{"no object", form{"user_id": "U0ANN", "view": "[]"}, "invalid_arguments"},
		{"empty", form{"user_id": "U0ANN", "view": `{"type":"home","blocks":[]}`}, "invalid_arguments"},
		{"101 blocks", form{"user_id": "U0ANN", "view": `{"type":"home","blocks":[` + strings.Repeat(`{"type":"divider"},`, 100) + `{"type":"divider"}]}`}, "invalid_arguments"},
		{"too large", form{"user_id": "U0ANN", "view": `{"type":"home","x":"` + strings.Repeat("x", 250000) + `"}`}, "view_too_large"},
		{"hash of nothing", form{"user_id": "U0ANN", "view": homeView, "hash": "1.2"}, "hash_conflict"},
	})
}

func TestHomeIsReplacedOnlyUnderItsHash(t *testing.T) {
	w := newWebTest(t, NoLimits())
	if _, ok := w.s.askHome("ann"); ok {
		t.Error("a Home before any was published")
	}
	first := w.ok("views.publish", form{"user_id": "U0ANN", "view": homeView})
	second := w.ok("views.publish", form{"user_id": "U0ANN", "view": homeView, "hash": first.str("view.hash")})
	if first.str("view.id") != second.str("view.id") || first.str("view.hash") == second.str("view.hash") {
		t.Errorf("ids %s, %s; hashes %s, %s", first.str("view.id"), second.str("view.id"), first.str("view.hash"), second.str("view.hash"))
	}
	if r := w.call("views.publish", form{"user_id": "U0ANN", "view": homeView, "hash": first.str("view.hash")}); r.code() != "hash_conflict" {
		t.Errorf("stale hash: %s", r.raw)
	}
	if v, ok := w.s.askHome("ann"); !ok || v.Type != "home" || v.CallbackID != "home" {
		t.Errorf("home: %+v", v)
	}
}

// askHome is Snapshot.Home outside of a Wait.
func (s *Server) askHome(user string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.homeLocked(user)
}

func (s *Server) askModal(user string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.modalLocked(user)
}

func TestTriggerOpensOneModalWithinThreeSeconds(t *testing.T) {
	w := newWebTest(t, NoLimits())
	id := w.trigger("U0ANN", "")
	if r := w.call("views.open", form{"trigger_id": id, "view": homeView}); r.code() != "invalid_arguments" {
		t.Errorf("a home as a modal: %s", r.raw)
	}
	r := w.ok("views.open", form{"trigger_id": id, "view": modalView})
	if r.str("view.type") != "modal" || r.str("view.private_metadata") != "42" || r.str("view.root_view_id") != r.str("view.id") {
		t.Errorf("view: %s", r.raw)
	}
	other := strings.Replace(modalView, "ext-1", "ext-2", 1)
	if r := w.call("views.open", form{"trigger_id": id, "view": other}); r.code() != "exchanged_trigger_id" {
		t.Errorf("second use: %s", r.raw)
	}
	if r := w.call("views.open", form{"trigger_id": w.trigger("U0BOB", ""), "view": modalView}); r.code() != "duplicate_external_id" {
		t.Errorf("same external_id: %s", r.raw)
	}
	late := w.trigger("U0ANN", "")
	w.clock.advance(3*time.Second + 1)
	if r := w.call("views.open", form{"trigger_id": late, "view": other}); r.code() != "expired_trigger_id" {
		t.Errorf("late: %s", r.raw)
	}
	if r := w.call("views.open", form{"trigger_id": "1.2.3", "view": other}); r.code() != "invalid_trigger_id" {
		t.Errorf("invented: %s", r.raw)
	}
	if r := w.call("views.open", form{"view": other}); r.code() != "invalid_arguments" {
		t.Errorf("none: %s", r.raw)
	}
}

func TestModalsStackThreeHigh(t *testing.T) {
	w := newWebTest(t, NoLimits())
	view := func(i int) string { return strings.Replace(modalView, "ext-1", fmt.Sprintf("ext-%d", i), 1) }
	if r := w.call("views.push", form{"trigger_id": w.trigger("U0ANN", ""), "view": view(0)}); r.code() != "not_found" {
		t.Errorf("push without a modal: %s", r.raw)
	}
	root := w.ok("views.open", form{"trigger_id": w.trigger("U0ANN", ""), "view": view(1)}).str("view.id")
	for i := 2; i <= 3; i++ {
		r := w.ok("views.push", form{"trigger_id": w.trigger("U0ANN", root), "view": view(i)})
		if r.str("view.root_view_id") != root || r.str("view.previous_view_id") == "" {
			t.Errorf("view %d: %s", i, r.raw)
		}
	}
	if r := w.call("views.push", form{"trigger_id": w.trigger("U0ANN", root), "view": view(4)}); r.code() != "push_limit_reached" {
		t.Errorf("fourth: %s", r.raw)
	}
	w.ok("views.open", form{"trigger_id": w.trigger("U0ANN", ""), "view": view(5)})
	if v, ok := w.s.askModal("ann"); !ok || v.ExternalID != "ext-5" || v.PreviousViewID != nil {
		t.Errorf("a fresh modal: %+v", v)
	}
}

func TestUpdateOfAViewGoesByIDExternalIDAndHash(t *testing.T) {
	w := newWebTest(t, NoLimits())
	open := w.ok("views.open", form{"trigger_id": w.trigger("U0ANN", ""), "view": modalView})
	next := strings.Replace(modalView, "Silence", "Working", 1)
	r := w.ok("views.update", form{"external_id": "ext-1", "view": next, "hash": open.str("view.hash")})
	if r.str("view.id") != open.str("view.id") || r.str("view.title.text") != "Working" {
		t.Errorf("update: %s", r.raw)
	}
	for want, args := range map[string]form{
		"hash_conflict":     {"view_id": open.str("view.id"), "view": next, "hash": open.str("view.hash")},
		"not_found":         {"view_id": "V0NONE", "view": next},
		"invalid_arguments": {"view_id": open.str("view.id"), "view": homeView},
	} {
		if r := w.call("views.update", args); r.code() != want {
			t.Errorf("got %s, want %s", r.raw, want)
		}
	}
	if r := w.call("views.update", form{"view": next}); r.code() != "invalid_arguments" {
		t.Errorf("without id: %s", r.raw)
	}
}

func TestViewErrorsPointAtThePlace(t *testing.T) {
	w := newWebTest(t, NoLimits())
	long := strings.Replace(modalView, "Silence", strings.Repeat("x", 25), 1)
	r := w.call("views.open", form{"trigger_id": w.trigger("U0ANN", ""), "view": long})
	if !strings.Contains(r.raw, "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]") {
		t.Errorf("got %s", r.raw)
	}
	bare := strings.Replace(modalView, `"submit":{"type":"plain_text","text":"Save"},`, "", 1)
	if r := w.call("views.open", form{"trigger_id": w.trigger("U0ANN", ""), "view": bare}); !strings.Contains(r.raw, "missing required field: submit") {
		t.Errorf("got %s", r.raw)
	}
}

func TestDeadGrantsAreForgotten(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.trigger("U0ANN", "")
	w.clock.advance(2*time.Hour + 1)
	for range 1000 {
		w.trigger("U0ANN", "")
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if n := len(w.s.grants.triggers); n != 1000 {
		t.Errorf("%d triggers are kept", n)
	}
}
