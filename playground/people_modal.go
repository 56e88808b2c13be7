package playground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tocsin/playground/blockkit"
)

var (
	errNoModal  = errors.New("no modal is open")
	errNoSubmit = errors.New("the modal has no submit button")
)

// requiredText is what Slack's own client shows under an input that was left empty.
const requiredText = "Please complete this required field."

// SubmitResult is the result of a submitted modal.
type SubmitResult struct {
	Interaction
	// Errors are the texts shown under inputs, by block_id: the app's, or Slack's own for a required input left empty, in which case
	// nothing was sent.
	Errors map[string]string
	// Action is the ack's response_action: "errors", "update", "push", "clear", or empty.
	Action string
	// Closed says that the submitted view was closed.
	Closed bool
}

// Submit fills in the modal on top and submits it, then waits for the ack and applies it. values go by block_id and action_id;
// a value is a string (an option's value or text, a person's or channel's name, a date, a typed text), a []string, or the element's
// whole value object as Slack has it. Inputs that are left out keep their values.
func (p *Person) Submit(ctx context.Context, values map[string]map[string]any) (*SubmitResult, error) {
	return p.submit(ctx, AtModal(), values)
}

func (p *Person) submit(ctx context.Context, at Place, values map[string]map[string]any) (*SubmitResult, error) {
	run, err := p.beginSubmit(at, values)
	if err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	out, err := attended(ctx, p.s, run)
	if err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	return &out, nil
}

// beginSubmit sends view_submission and returns a function that waits for the result.
func (p *Person) beginSubmit(at Place, values map[string]map[string]any) (func() SubmitResult, error) {
	defer p.s.oneAtATime()()
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	u, v, err := p.modalAtLocked(at)
	if err != nil {
		return nil, err
	}
	if len(v.Submit) == 0 || string(v.Submit) == "null" {
		return nil, errNoSubmit
	}
	if err := p.s.fillLocked(v, values); err != nil {
		return nil, err
	}
	if missing := missingInputs(v); len(missing) > 0 {
		return func() SubmitResult { return SubmitResult{Errors: missing, Action: "errors"} }, nil
	}
	payload := p.s.interactionLocked(u, "view_submission", v)
	payload["view"], payload["response_urls"] = viewNow(v), []any{}
	env := newEnvelope(TypeInteractive, "view_submission", payload)
	env.accepts = true
	sent := p.s.dispatchLocked(env)
	user, id, trigger := u.ID, v.ID, fmt.Sprint(payload["trigger_id"])
	return func() SubmitResult {
		out := SubmitResult{Interaction: p.s.exchange(env, sent)}
		out.TriggerID = trigger
		p.s.submitted(user, id, &out)
		return out
	}, nil
}

func (p *Person) modalAtLocked(at Place) (*User, *View, error) {
	u, err := p.meLocked()
	if err != nil {
		return nil, nil, err
	}
	src, err := p.s.sourceLocked(u, at)
	if err != nil || src.view == nil || src.view.Type != "modal" {
		return nil, nil, errNoModal
	}
	return u, src.view, nil
}

// fillLocked puts values into the inputs of a view.
func (s *Server) fillLocked(v *View, values map[string]map[string]any) error {
	list := elementsIn(v.Blocks)
	for _, block := range slices.Sorted(maps.Keys(values)) {
		for action, value := range values[block] {
			i := slices.IndexFunc(list, func(e element) bool { return e.blockID == block && e.actionID() == action })
			if i < 0 {
				return fmt.Errorf("the modal has no input %s in block %s", action, block)
			}
			object, err := s.valueObjectLocked(list[i], value)
			if err != nil {
				return err
			}
			setValue(v.State.Values, list[i], mustJSON(object))
		}
	}
	return nil
}

// valueObjectLocked converts a value in any of Submit's forms to Slack's.
func (s *Server) valueObjectLocked(e element, value any) (map[string]any, error) {
	switch value := value.(type) {
	case string:
		return s.pickedLocked(e, []string{value})
	case []string:
		return s.pickedLocked(e, value)
	case map[string]any:
		object := maps.Clone(value)
		object["type"] = e.kind()
		return object, nil
	}
	return nil, fmt.Errorf("value of %s: a %T is not a string, []string or object", e.actionID(), value)
}

// missingInputs is what Slack's client checks before it sends anything: required inputs must have a value.
func missingInputs(v *View) map[string]string {
	missing := map[string]string{}
	list := elementsIn(v.Blocks)
	values := valuesOf(list, v.State.Values)
	for _, e := range list {
		if e.inInput && !e.optional && !filled(values[e.blockID][e.actionID()], valueField(e.kind())) {
			missing[e.blockID] = requiredText
		}
	}
	return missing
}

func filled(value json.RawMessage, field string) bool {
	var object map[string]any
	if field == "" || json.Unmarshal(value, &object) != nil {
		return true
	}
	switch held := object[field].(type) {
	case nil:
		return false
	case string:
		return held != ""
	case []any:
		return len(held) > 0
	}
	return true
}

// submissionAnswer is the payload of a view_submission's ack.
type submissionAnswer struct {
	Action string            `json:"response_action"`
	Errors map[string]string `json:"errors"`
	View   json.RawMessage   `json:"view"`
}

// submitted applies the ack of a view_submission to the view with this id.
func (s *Server) submitted(user, id string, out *SubmitResult) {
	if !out.Acked {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var answer submissionAnswer
	if payload := out.AckPayload; len(payload) > 0 && string(payload) != "null" {
		var fields map[string]json.RawMessage
		if json.Unmarshal(payload, &fields) != nil || json.Unmarshal(payload, &answer) != nil || len(fields) > 0 && answer.Action == "" {
			out.Err = ErrResponse
			return
		}
	}
	out.Action = answer.Action
	v := s.viewLocked(id)
	if v == nil {
		out.Closed = true
		return
	}
	if !s.applyAnswerLocked(user, v, answer, out) {
		out.Err = ErrResponse
	}
}

// applyAnswerLocked applies one response_action. It reports false when Slack would refuse it, and then the modal stays as it is.
func (s *Server) applyAnswerLocked(user string, v *View, answer submissionAnswer, out *SubmitResult) bool {
	switch answer.Action {
	case "":
		s.closeModalLocked(user, v.ID, false)
		out.Closed = true
	case "clear":
		s.closeModalLocked(user, v.ID, true)
		out.Closed = true
	case "errors":
		out.Errors = answer.Errors
		return len(answer.Errors) > 0 && inputsOnly(v, answer.Errors)
	case "update", "push":
		next, problem := s.parseViewLocked(string(answer.View), blockkit.Modal)
		if problem != nil {
			return false
		}
		if answer.Action == "update" {
			s.replaceViewLocked(v, next)
			return true
		}
		_, problem = s.pushModalLocked(user, next)
		return problem == nil
	default:
		return false
	}
	return true
}

// inputsOnly reports whether every key is the block_id of an input: Slack refuses errors for anything else.
func inputsOnly(v *View, errs map[string]string) bool {
	list := elementsIn(v.Blocks)
	for block := range errs {
		if !slices.ContainsFunc(list, func(e element) bool { return e.inInput && e.blockID == block }) {
			return false
		}
	}
	return true
}

// CloseModal presses the close button of the modal on top: that view is closed, or all of them when it has clear_on_close. The app gets a
// view_closed when the view has notify_on_close.
func (p *Person) CloseModal() error { return p.closeAt(AtModal(), false) }

// ClearModals presses the X of the modal: the whole stack is closed, and view_closed is sent with is_cleared for the first view.
func (p *Person) ClearModals() error { return p.closeAt(AtModal(), true) }

func (p *Person) closeAt(at Place, all bool) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	u, v, err := p.modalAtLocked(at)
	if err != nil {
		return fmt.Errorf("close modal: %w", err)
	}
	told := v
	if all {
		told = p.s.ws.modals[u.ID][0]
	}
	all = all || v.ClearOnClose
	if told.NotifyOnClose {
		payload := p.s.interactionLocked(u, "view_closed", nil)
		delete(payload, "trigger_id")
		payload["view"], payload["is_cleared"] = viewNow(told), all
		p.s.notifyInteractionLocked("view_closed", payload)
	}
	p.s.closeModalLocked(u.ID, v.ID, all)
	return nil
}

// notifyInteractionLocked sends an interactive payload without waiting for its ack.
func (s *Server) notifyInteractionLocked(kind string, payload map[string]any) {
	env := newEnvelope(TypeInteractive, kind, payload)
	if s.dispatchLocked(env) {
		s.startLocked(func() { s.awaitAck(env) })
	}
}
