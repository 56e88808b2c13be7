package playground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Place is where a person clicks: on a message, in the Home tab, or in a modal.
type Place struct {
	channel, ts string
	shown       *Message
	view        string
	home, modal bool
}

// AtMessage is the message with this ts in a channel ("#name", id, or "@person" for the Messages tab); ephemeral ones can be clicked too.
func AtMessage(channel, ts string) Place { return Place{channel: channel, ts: ts} }

// AtShown is a message as it was when the person saw it (as Message or Messages returned it), so that a person can click what has
// changed since, as in a client that is behind.
func AtShown(m Message) Place { return Place{channel: m.Channel, ts: m.TS, shown: &m} }

// AtHome is the person's Home tab.
func AtHome() Place { return Place{home: true} }

// AtModal is the modal on top.
func AtModal() Place { return Place{modal: true} }

// AtView is the Home tab or modal with this id.
func AtView(id string) Place { return Place{view: id} }

// source is a resolved Place: a message in a channel, or a view.
type source struct {
	channel *channelState
	message *Message
	view    *View
	// elements are those that the message or view offers.
	elements []element
}

var errNoElement = errors.New("no such element here")

// pickKey names one person's unsent choices in one message.
type pickKey struct{ user, channel, ts string }

// click is one use of an element.
type click struct {
	at    Place
	ref   string // action_id or block_id
	block string // with it, ref can only be an action_id in that block
	picks []string
	// byOption makes ref the value or text of an option that the element offers.
	byOption bool
	// value, when set, is the element's value as the page sends it and comes before picks; state is what the other inputs hold.
	value map[string]any
	state map[string]map[string]json.RawMessage
}

// Click presses the button with this action_id or block_id and waits for the ack.
func (p *Person) Click(ctx context.Context, at Place, ref string) (*Interaction, error) {
	return p.use(ctx, click{at: at, ref: ref})
}

// Select picks options (by value or text), people or channels (by name or id), a date or a time in the element with this action_id or
// block_id, or types into it, and waits for the ack.
func (p *Person) Select(ctx context.Context, at Place, ref string, picks ...string) (*Interaction, error) {
	return p.use(ctx, click{at: at, ref: ref, picks: picks})
}

// Choose picks the option with this value or text, wherever on the message or view it is offered (an overflow menu, say), and waits for
// the ack.
func (p *Person) Choose(ctx context.Context, at Place, option string) (*Interaction, error) {
	return p.use(ctx, click{at: at, ref: option, byOption: true, picks: []string{option}})
}

func (p *Person) use(ctx context.Context, c click) (*Interaction, error) {
	run, err := p.beginClick(c)
	if err != nil {
		return nil, fmt.Errorf("click %s: %w", c.ref, err)
	}
	out, err := attended(ctx, p.s, run)
	if err != nil {
		return nil, fmt.Errorf("click %s: %w", c.ref, err)
	}
	return &out, nil
}

// beginClick sends block_actions and returns a function that waits for the result.
func (p *Person) beginClick(c click) (func() Interaction, error) {
	defer p.s.oneAtATime()()
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	u, err := p.meLocked()
	if err != nil {
		return nil, err
	}
	src, err := p.s.sourceLocked(u, c.at)
	if err != nil {
		return nil, err
	}
	e, err := c.find(src.elements)
	if err != nil {
		return nil, err
	}
	if c.state != nil {
		maps.Copy(p.s.storedLocked(u, src), c.state)
	}
	action, err := p.s.actionLocked(u, src, e, c)
	if err != nil {
		return nil, err
	}
	payload := p.s.interactionLocked(u, "block_actions", src.view)
	payload["actions"] = []any{action}
	hookURL := p.s.describeSourceLocked(u, src, e, payload)
	env := newEnvelope(TypeInteractive, "block_actions", payload)
	sent := p.s.dispatchLocked(env)
	trigger := fmt.Sprint(payload["trigger_id"])
	return func() Interaction {
		out := p.s.exchange(env, sent)
		out.TriggerID, out.ResponseURL = trigger, hookURL
		return out
	}, nil
}

// find finds the element that is used. Elements in an input block send nothing before the view is submitted, unless they have
// dispatch_action.
func (c click) find(list []element) (element, error) {
	e, ok := findElement(list, c.block, c.ref)
	if c.byOption {
		e, ok = offering(list, c.ref)
	} else if !ok && c.block != "" {
		e, ok = c.redrawn(list)
	}
	switch {
	case !ok:
		return element{}, fmt.Errorf("%w: %q", errNoElement, c.ref)
	case e.inInput && !e.dispatches:
		return element{}, fmt.Errorf("%w: %q is sent with the view", errNoElement, c.ref)
	}
	return e, nil
}

// redrawn finds an element whose block has a new id since the person saw it: by action_id and value.
func (c click) redrawn(list []element) (element, bool) {
	i := slices.IndexFunc(list, func(e element) bool {
		return e.actionID() == c.ref && e.fields["value"] == c.value["value"]
	})
	if i < 0 {
		return element{}, false
	}
	return list[i], true
}

// offering finds the first element that offers an option.
func offering(list []element, option string) (element, bool) {
	i := slices.IndexFunc(list, func(e element) bool { _, err := e.option(option); return err == nil })
	if i < 0 {
		return element{}, false
	}
	return list[i], true
}

// sourceLocked resolves a place for a person.
func (s *Server) sourceLocked(u *User, at Place) (source, error) {
	var view *View
	switch {
	case at.home:
		view = s.ws.homes[u.ID]
	case at.modal:
		if stack := s.ws.modals[u.ID]; len(stack) > 0 {
			view = stack[len(stack)-1]
		}
	case at.view != "":
		view = s.viewLocked(at.view)
	default:
		return s.messageSourceLocked(u, at)
	}
	if view == nil || view.User != u.ID {
		return source{}, fmt.Errorf("%s has no such view open", u.Name)
	}
	return source{view: view, elements: elementsIn(view.Blocks)}, nil
}

func (s *Server) messageSourceLocked(u *User, at Place) (source, error) {
	c := s.channelLocked(at.channel)
	if c == nil {
		return source{}, fmt.Errorf("%w: %q", errNoChannel, at.channel)
	}
	m := c.message(at.ts)
	if m == nil {
		m = c.ephemeral(at.ts)
	}
	if m == nil || m.Ephemeral && m.EphemeralTo != u.ID {
		return source{}, fmt.Errorf("%s sees no message %s in %s", u.Name, at.ts, at.channel)
	}
	seen := m
	if at.shown != nil {
		seen = at.shown
	}
	return source{channel: c, message: m, elements: elementsOfMessage(seen)}, nil
}

// actionLocked is the entry in actions for one use of an element, and keeps the element's value.
func (s *Server) actionLocked(u *User, src source, e element, c click) (map[string]any, error) {
	value := c.value
	if value == nil && len(c.picks) > 0 {
		var err error
		if value, err = s.pickedLocked(e, c.picks); err != nil {
			return nil, err
		}
	}
	action := map[string]any{"type": e.kind(), "action_id": e.actionID(), "block_id": e.blockID, "action_ts": tsOf(s.now())}
	for _, field := range []string{"text", "value", "style", "placeholder"} {
		if v, ok := e.fields[field]; ok {
			action[field] = v
		}
	}
	maps.Copy(action, value)
	action["type"] = e.kind()
	if value != nil && valueField(e.kind()) != "" {
		value["type"] = e.kind()
		setValue(s.storedLocked(u, src), e, mustJSON(value))
	}
	return action, nil
}

// storedLocked is where the values that a person put into a view or a message are stored.
func (s *Server) storedLocked(u *User, src source) map[string]map[string]json.RawMessage {
	if src.view != nil {
		if src.view.State.Values == nil {
			src.view.State.Values = emptyValues()
		}
		return src.view.State.Values
	}
	key := pickKey{u.ID, src.channel.ID, src.message.TS}
	if s.people.picked[key] == nil {
		s.people.picked[key] = emptyValues()
	}
	return s.people.picked[key]
}

// interactionLocked is what every interactive payload holds, with a fresh trigger_id.
func (s *Server) interactionLocked(u *User, kind string, view *View) map[string]any {
	viewID := ""
	if view != nil && view.Type == "modal" {
		viewID = view.ID
	}
	return map[string]any{
		"type": kind, "token": verification, "api_app_id": s.ws.appID, "trigger_id": s.newTriggerLocked(u.ID, viewID),
		"team":       map[string]any{"id": s.ws.teamID, "domain": s.ws.domain},
		"user":       map[string]any{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": s.teamOf(u)},
		"enterprise": nil, "is_enterprise_install": false,
	}
}

// describeSourceLocked adds where the click happened: container, channel, message, state and response_url, or the view.
func (s *Server) describeSourceLocked(u *User, src source, e element, payload map[string]any) string {
	state := map[string]any{"values": valuesOf(src.elements, s.storedLocked(u, src))}
	if src.view != nil {
		payload["container"] = map[string]any{"type": "view", "view_id": src.view.ID}
		payload["view"] = viewNow(src.view)
		return ""
	}
	m := src.message
	container := map[string]any{"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": m.Ephemeral}
	if e.attachment > 0 {
		container["type"], container["attachment_id"], container["is_app_unfurl"] = "message_attachment", e.attachment, false
	}
	if m.ThreadTS != "" {
		container["thread_ts"] = m.ThreadTS
	}
	if !m.Ephemeral {
		payload["message"] = *m
	}
	payload["container"], payload["state"] = container, state
	payload["channel"] = map[string]any{"id": src.channel.ID, "name": commandChannel(src.channel)}
	url := s.newHookLocked(hook{Kind: "actions", User: u.ID, Channel: src.channel.ID, Source: m.TS, SourceEphemeral: m.Ephemeral, ThreadTS: m.ThreadTS})
	payload["response_url"] = url
	return url
}

// viewNow is a view with the state of all its inputs filled in.
func viewNow(v *View) View {
	now := *v
	now.State = ViewState{Values: valuesOf(elementsIn(v.Blocks), v.State.Values)}
	return now
}
