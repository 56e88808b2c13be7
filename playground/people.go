package playground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"tocsin/playground/mrkdwn"
)

// KindCommand is a journal entry about a slash command of User: Text is what was typed, Reason is "sent", "acked", or the error that
// the person is shown.
const KindCommand = "command"

// What a person sees when the app did not accept a payload.
const (
	// ErrTimeout is shown when there was no ack in time.
	ErrTimeout = "operation_timeout"
	// ErrDispatch is shown when the app has no socket open, or does not answer a request with 200.
	ErrDispatch = "dispatch_failed"
	// ErrCommand is shown for a command that the app has not registered.
	ErrCommand = "invalid_command"
	// ErrResponse is shown when Slack does not understand the ack's payload.
	ErrResponse = "invalid_response"
)

var (
	errNoPerson  = errors.New("no such person")
	errNoChannel = errors.New("no such channel")
	errArchived  = errors.New("the channel is archived")
	errClosed    = errors.New("the playground is closed")
)

// peopleState is the state of what people do; all but acting is guarded by Server.mu.
type peopleState struct {
	picked map[pickKey]map[string]map[string]json.RawMessage
	// acting is held by the one person who is about to do something.
	acting sync.Mutex
}

// oneAtATime makes people wait for each other before they wait for Server.mu, so that in a crowd the app's answers do not queue behind
// everybody who has not clicked yet. Call what it returns to let the next one act. acting is locked before Server.mu.
func (s *Server) oneAtATime() func() {
	s.people.acting.Lock()
	return s.people.acting.Unlock
}

func (s *Server) initPeople() {
	s.people.picked = map[pickKey]map[string]map[string]json.RawMessage{}
	s.onMessage = s.messageChangedLocked
}

// Person is somebody who uses the workspace. All methods may be called from any goroutine; those that take a context block until the
// app has acknowledged, until Options.AckTimeout is over, or until the context ends.
type Person struct {
	s   *Server
	ref string
}

// User returns the person with this id, name or "@name". If there is none, the person's first action returns an error.
func (s *Server) User(ref string) *Person { return &Person{s: s, ref: ref} }

// Interaction is one payload that waited for the app's ack.
type Interaction struct {
	// ID is the envelope's id.
	ID string
	// Acked says that an ack came in time, after AckAfter and with AckPayload (nil when it had none).
	Acked      bool
	AckAfter   time.Duration
	AckPayload json.RawMessage
	// Err is what the person sees instead: ErrTimeout, ErrDispatch, ErrCommand or ErrResponse.
	Err string
	// TriggerID and ResponseURL are what the app got.
	TriggerID   string
	ResponseURL string
}

// CommandRun is the result of a slash command.
type CommandRun struct{ Interaction }

// meLocked finds the person's user record.
func (p *Person) meLocked() (*User, error) {
	u := p.s.userLocked(p.ref)
	if u == nil || u.IsBot {
		return nil, fmt.Errorf("%w: %q", errNoPerson, p.ref)
	}
	return u, nil
}

// placeLocked finds the person and a conversation that can be written to.
func (p *Person) placeLocked(channel string) (*User, *channelState, error) {
	u, err := p.meLocked()
	if err != nil {
		return nil, nil, err
	}
	c := p.s.channelLocked(channel)
	switch {
	case c == nil || c.IsIM && c.User != u.ID:
		return nil, nil, fmt.Errorf("%w: %q", errNoChannel, channel)
	case c.IsArchived:
		return nil, nil, fmt.Errorf("%s: %w", channel, errArchived)
	}
	return u, c, nil
}

// DM writes to the bot in the Messages tab and returns the message's ts.
func (p *Person) DM(text string) (string, error) { return p.say("@"+p.ref, "", text) }

// Say writes into a channel ("#name" or id) and returns the message's ts. People join the channels they write in, so only an archived
// channel refuses it. "@tocsin" becomes a mention, and an app_mention event where the bot is a member.
func (p *Person) Say(channel, text string) (string, error) { return p.say(channel, "", text) }

// Reply writes into the thread of a message and returns the reply's ts.
func (p *Person) Reply(channel, threadTS, text string) (string, error) {
	return p.say(channel, threadTS, text)
}

func (p *Person) say(channel, threadTS, text string) (string, error) {
	return p.post(channel, threadTS, func(n mrkdwn.Names) Message {
		elements := mrkdwn.Typed(text, n)
		return Message{Text: mrkdwn.MessageText(elements), Blocks: mustJSON(mrkdwn.RichText(randomHex(3), elements))}
	})
}

// post posts a message of the person, which build returns.
func (p *Person) post(channel, threadTS string, build func(mrkdwn.Names) Message) (string, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	u, c, err := p.placeLocked(channel)
	if err != nil {
		return "", fmt.Errorf("say: %w", err)
	}
	if threadTS != "" && c.message(threadTS) == nil {
		return "", fmt.Errorf("say: no message %s in %s to reply to", threadTS, channel)
	}
	m := build(p.s.namesLocked())
	m.User, m.ThreadTS, m.ClientMsgID = u.ID, threadTS, newUUID()
	return p.s.postLocked(c, m).TS, nil
}

// Edit changes the text of a message the person wrote.
func (p *Person) Edit(channel, ts, text string) error {
	return p.own(channel, ts, func(c *channelState, m *Message) {
		elements := mrkdwn.Typed(text, p.s.namesLocked())
		p.s.editLocked(c, m, func(m *Message) {
			m.Text, m.Blocks = mrkdwn.MessageText(elements), mustJSON(mrkdwn.RichText(randomHex(3), elements))
			m.Edited = &Edited{User: m.User, TS: tsOf(p.s.now())}
		})
	})
}

// Delete deletes a message that the person wrote.
func (p *Person) Delete(channel, ts string) error {
	return p.own(channel, ts, p.s.deleteLocked)
}

// own calls f with a message of the person.
func (p *Person) own(channel, ts string, f func(*channelState, *Message)) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	u, c, err := p.placeLocked(channel)
	if err != nil {
		return fmt.Errorf("change message: %w", err)
	}
	m := c.message(ts)
	if m == nil || m.User != u.ID {
		return fmt.Errorf("change message: %s has no message %s by %s", channel, ts, u.Name)
	}
	f(c, m)
	return nil
}

// OpenHome opens the app's Home tab, which the app learns from app_home_opened; the view is in the event once one was published.
func (p *Person) OpenHome() error { return p.openTab("home") }

// OpenMessages opens the app's Messages tab.
func (p *Person) OpenMessages() error { return p.openTab("messages") }

func (p *Person) openTab(tab string) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	u, err := p.meLocked()
	if err != nil {
		return fmt.Errorf("open %s tab: %w", tab, err)
	}
	inner := map[string]any{"type": "app_home_opened", "user": u.ID, "channel": p.s.dmLocked(u.ID).ID, "tab": tab}
	if view, ok := p.s.homeLocked(u.ID); ok && tab == "home" {
		inner["view"] = view
	}
	p.s.emitLocked(inner)
	return nil
}

// Home returns the person's Home tab, if one was published.
func (p *Person) Home() (View, bool) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.s.homeLocked(p.ref)
}

// Modal returns the modal on top, if one is open.
func (p *Person) Modal() (View, bool) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.s.modalLocked(p.ref)
}

// exchange waits for the ack of an envelope, if it was sent, and returns the result.
func (s *Server) exchange(env *envelope, sent bool) Interaction {
	out := Interaction{ID: env.id}
	if !sent {
		out.Err = ErrDispatch
		return out
	}
	a, ok := s.awaitAck(env)
	if !ok {
		out.Err = ErrTimeout
		if env.refused {
			out.Err = ErrDispatch
		}
		return out
	}
	out.Acked, out.AckAfter, out.AckPayload = true, a.after, a.payload
	return out
}

// attended runs work in a goroutine of the playground and waits for its result or for ctx. The work goes on when ctx ends.
func attended[T any](ctx context.Context, s *Server, work func() T) (T, error) {
	result := make(chan T, 1)
	var none T
	if !s.start(func() { result <- work() }) {
		return none, errClosed
	}
	select {
	case out := <-result:
		return out, nil
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// mustJSON encodes values that JSON can always express.
func mustJSON(v any) json.RawMessage {
	raw, _ := json.Marshal(v)
	return raw
}
