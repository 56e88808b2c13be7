package playground

import (
	"context"
	"encoding/json"
	"fmt"
)

// Suggest types into the external select with this action_id or block_id and returns the options the app's ack offers, as Slack's
// option objects.
func (p *Person) Suggest(ctx context.Context, at Place, ref, text string) ([]json.RawMessage, error) {
	run, err := p.beginSuggest(at, ref, text)
	if err != nil {
		return nil, fmt.Errorf("suggest %s: %w", ref, err)
	}
	out, err := attended(ctx, p.s, run)
	switch {
	case err != nil:
		return nil, fmt.Errorf("suggest %s: %w", ref, err)
	case out.Err != "":
		return nil, fmt.Errorf("suggest %s: %s", ref, out.Err)
	}
	var answer struct {
		Options []json.RawMessage `json:"options"`
	}
	if err := json.Unmarshal(out.AckPayload, &answer); err != nil {
		return nil, fmt.Errorf("suggest %s: read the ack: %w", ref, err)
	}
	return answer.Options, nil
}

func (p *Person) beginSuggest(at Place, ref, text string) (func() Interaction, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	u, err := p.meLocked()
	if err != nil {
		return nil, err
	}
	src, err := p.s.sourceLocked(u, at)
	if err != nil {
		return nil, err
	}
	e, ok := findElement(src.elements, "", ref)
	if !ok {
		return nil, fmt.Errorf("%w: %q", errNoElement, ref)
	}
	payload := p.s.interactionLocked(u, "block_suggestion", nil)
	delete(payload, "trigger_id")
	p.s.describeSourceLocked(u, src, e, payload)
	delete(payload, "response_url")
	payload["action_id"], payload["block_id"], payload["value"] = e.actionID(), e.blockID, text
	env := newEnvelope(TypeInteractive, "block_suggestion", payload)
	env.accepts = true
	sent := p.s.dispatchLocked(env)
	return func() Interaction { return p.s.exchange(env, sent) }, nil
}

// Shortcut runs a global shortcut of the app and waits for the ack.
func (p *Person) Shortcut(ctx context.Context, callbackID string) (*Interaction, error) {
	return p.shortcut(ctx, "shortcut", callbackID, nil)
}

// MessageAction runs a shortcut of the app on a message and waits for the ack.
func (p *Person) MessageAction(ctx context.Context, channel, ts, callbackID string) (*Interaction, error) {
	at := AtMessage(channel, ts)
	return p.shortcut(ctx, "message_action", callbackID, &at)
}

func (p *Person) shortcut(ctx context.Context, kind, callbackID string, at *Place) (*Interaction, error) {
	run, err := p.beginShortcut(kind, callbackID, at)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, callbackID, err)
	}
	out, err := attended(ctx, p.s, run)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, callbackID, err)
	}
	return &out, nil
}

func (p *Person) beginShortcut(kind, callbackID string, at *Place) (func() Interaction, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	u, err := p.meLocked()
	if err != nil {
		return nil, err
	}
	payload := p.s.interactionLocked(u, kind, nil)
	payload["callback_id"], payload["action_ts"] = callbackID, tsOf(p.s.now())
	if at != nil {
		src, err := p.s.messageSourceLocked(u, *at)
		if err != nil {
			return nil, err
		}
		p.s.describeSourceLocked(u, src, element{}, payload)
		payload["message_ts"] = src.message.TS
		delete(payload, "container")
		delete(payload, "state")
	}
	env := newEnvelope(TypeInteractive, kind, payload)
	sent := p.s.dispatchLocked(env)
	return func() Interaction {
		out := p.s.exchange(env, sent)
		return out
	}, nil
}
