package playground

import (
	"testing"
)

func input(block, action string, optional bool) map[string]any {
	return map[string]any{
		"type": "input", "block_id": block, "optional": optional, "label": words(block),
		"element": map[string]any{"type": "plain_text_input", "action_id": action},
	}
}

func durationModal() map[string]any {
	return map[string]any{
		"type": "modal", "callback_id": "silence", "private_metadata": "k7f2", "title": words("Silence"), "submit": words("Save"),
		"notify_on_close": true, "blocks": []any{input("dur", "minutes", false), input("why", "text", true)},
	}
}

// openModal shows ann a modal.
func openModal(t *testing.T, s *Server, view map[string]any) {
	t.Helper()
	s.mu.Lock()
	trigger := s.newTriggerLocked("U0ANN", "")
	s.mu.Unlock()
	callAPI(t, s, "views.open", map[string]any{"trigger_id": trigger, "view": view})
}

func minutes(v any) map[string]map[string]any {
	return map[string]map[string]any{"dur": {"minutes": v}}
}

// submitted runs a submission of ann's while the daemon acks it.
func submitted(t *testing.T, s *Server, c *client, ack any) (any, *SubmitResult) {
	t.Helper()
	done := asPerson(func() (*SubmitResult, error) { return s.User("ann").Submit(t.Context(), minutes("30")) })
	m := c.next()
	c.ack(m.EnvelopeID, ack)
	if !m.Accepts {
		t.Errorf("envelope: %s", m.raw)
	}
	return m.payload(t), (<-done).get(t)
}

func TestASubmissionCarriesTheStateAndAnEmptyAckClosesTheModal(t *testing.T) {
	for _, ack := range []any{nil, map[string]any{}} {
		s := startPlayground(t, patient())
		c := connect(t, s)
		openModal(t, s, durationModal())
		view, _ := s.User("ann").Modal()
		p, out := submitted(t, s, c, ack)
		want(t, p, "view_submission", "type")
		want(t, p, "silence", "view", "callback_id")
		want(t, p, "k7f2", "view", "private_metadata")
		want(t, p, view.Hash, "view", "hash")
		want(t, p, view.ID, "view", "id")
		want(t, p, "30", "view", "state", "values", "dur", "minutes", "value")
		want(t, p, "plain_text_input", "view", "state", "values", "dur", "minutes", "type")
		want(t, p, nil, "view", "state", "values", "why", "text", "value")
		if _, open := s.User("ann").Modal(); open || !out.Closed || out.Err != "" || out.TriggerID == "" {
			t.Errorf("after ack %v: %+v, still open %v", ack, out, open)
		}
	}
}

func TestErrorsAreShownAtTheInputsAndTheModalStays(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	openModal(t, s, durationModal())
	_, out := submitted(t, s, c, map[string]any{"response_action": "errors", "errors": map[string]any{"dur": "1 to 1440"}})
	if out.Errors["dur"] != "1 to 1440" || out.Closed || out.Err != "" || out.Action != "errors" {
		t.Errorf("got %+v", out)
	}
	if _, open := s.User("ann").Modal(); !open {
		t.Error("the modal is gone")
	}
}

func TestAnAckCanUpdatePushAndClear(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	openModal(t, s, durationModal())
	first, _ := s.User("ann").Modal()
	next := durationModal()
	next["callback_id"] = "second"

	_, out := submitted(t, s, c, map[string]any{"response_action": "update", "view": next})
	if v, _ := s.User("ann").Modal(); out.Err != "" || v.ID != first.ID || v.CallbackID != "second" || v.Hash == first.Hash {
		t.Errorf("update: %+v, %+v", out, v)
	}
	next["callback_id"] = "third"
	_, out = submitted(t, s, c, map[string]any{"response_action": "push", "view": next})
	v, _ := s.User("ann").Modal()
	if out.Err != "" || v.CallbackID != "third" || v.RootViewID != first.ID || v.PreviousViewID == nil {
		t.Errorf("push: %+v, %+v", out, v)
	}
	_, out = submitted(t, s, c, map[string]any{"response_action": "clear"})
	if _, open := s.User("ann").Modal(); open || !out.Closed {
		t.Errorf("clear: %+v, still open %v", out, open)
	}
}

func TestAnAnswerSlackDoesNotUnderstandLeavesTheModalOpen(t *testing.T) {
	for name, ack := range map[string]any{
		"text":          map[string]any{"text": "saved"},
		"unknown":       map[string]any{"response_action": "close"},
		"no errors":     map[string]any{"response_action": "errors"},
		"unknown block": map[string]any{"response_action": "errors", "errors": map[string]any{"nothing": "no"}},
		"broken view":   map[string]any{"response_action": "update", "view": map[string]any{"type": "modal"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := startPlayground(t, patient())
			c := connect(t, s)
			openModal(t, s, durationModal())
			_, out := submitted(t, s, c, ack)
			if _, open := s.User("ann").Modal(); !open || out.Err != ErrResponse || !out.Acked {
				t.Errorf("%+v, open %v", out, open)
			}
		})
	}
}

func TestARequiredInputLeftEmptyIsNotEvenSent(t *testing.T) {
	s := startPlayground(t, patient())
	connect(t, s)
	openModal(t, s, durationModal())
	out, err := s.User("ann").Submit(t.Context(), nil)
	if err != nil || out.Errors["dur"] == "" || out.Errors["why"] != "" || len(entriesOf(s, KindSent)) != 0 {
		t.Errorf("got %+v, %v", out, err)
	}
	for name, values := range map[string]map[string]map[string]any{"unknown block": {"x": {"y": "1"}}, "odd value": minutes(3)} {
		if _, err := s.User("ann").Submit(t.Context(), values); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := s.User("bob").Submit(t.Context(), nil); err == nil {
		t.Error("bob submitted ann's modal")
	}
}

func TestClosingAModalIsToldWhenTheViewAsksForIt(t *testing.T) {
	s := startPlayground(t, patient())
	c := connect(t, s)
	ann := s.User("ann")
	openModal(t, s, durationModal())
	if err := ann.CloseModal(); err != nil {
		t.Fatal(err)
	}
	p := c.next().payload(t)
	want(t, p, "view_closed", "type")
	want(t, p, false, "is_cleared")
	want(t, p, "silence", "view", "callback_id")

	openModal(t, s, durationModal())
	root, _ := ann.Modal()
	second := durationModal()
	second["callback_id"] = "second"
	submitted(t, s, c, map[string]any{"response_action": "push", "view": second})
	if err := ann.ClearModals(); err != nil {
		t.Fatal(err)
	}
	p = c.next().payload(t)
	want(t, p, true, "is_cleared")
	want(t, p, root.ID, "view", "id")
	if err := ann.CloseModal(); err == nil {
		t.Error("a modal was closed twice")
	}

	silent := durationModal()
	silent["notify_on_close"] = false
	openModal(t, s, silent)
	if err := ann.CloseModal(); err != nil {
		t.Fatal(err)
	}
	say(t, s, "next")
	want(t, c.next().payload(t), "event_callback", "type")
}
