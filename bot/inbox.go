package bot

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"

	"tocsin/alert"
)

// Inbox keeps what people asked for until it is done, so that a restart finishes
// what Slack was already told we have.
type Inbox interface {
	// Receive returns when the envelope is durable. fresh is false for one that
	// came before, by its ID or by its Dedupe.
	Receive(ctx context.Context, e alert.Envelope) (fresh bool, err error)
	// Unhandled returns what was received and never handled, oldest first.
	Unhandled(ctx context.Context) ([]alert.Envelope, error)
	// Handled notes that an envelope is done.
	Handled(ctx context.Context, id string) error
}

const (
	// keepLimit bounds how long an ack waits for the inbox; Slack waits 3 s.
	keepLimit = time.Second
	// receiveAtOnce is how many envelopes are made durable at the same time, so
	// that the inbox can commit them together: a crowd that clicks at once is one
	// write to the disk.
	receiveAtOnce = 512
)

// envelope accepts an envelope without keeping the connection waiting.
func (s *Socket) envelope(ctx context.Context, c *connection, r socketmode.Request) {
	s.room <- struct{}{}
	s.receivers.Go(func() {
		defer func() {
			<-s.room
			c.acked()
		}()
		s.receive(ctx, c, r)
	})
}

// receive makes an envelope durable, acks it on the connection it came on, and
// hands it to the workers. A dialog is answered in the ack: what is refused
// there leaves nothing to do.
func (s *Socket) receive(ctx context.Context, c *connection, r socketmode.Request) {
	start := time.Now()
	s.metrics.envelopes.WithLabelValues(kindOf(r.Type)).Inc()
	errs := s.refusals(r)
	if len(errs) > 0 {
		s.ack(c, r.EnvelopeID, map[string]any{"response_action": "errors", "errors": errs})
		return
	}
	e := alert.Envelope{ID: r.EnvelopeID, Dedupe: identity(r.Type, r.Payload), Type: r.Type, Payload: r.Payload, ReceivedAt: s.bot.opts.Now()}
	fresh := s.keep(ctx, e)
	s.ack(c, r.EnvelopeID, nil)
	s.metrics.ackSeconds.Observe(time.Since(start).Seconds())
	if fresh {
		s.backlog.push(e)
	}
}

// keep makes the envelope durable. Without a working inbox it is worked on from
// memory: answering twice after a restart is better than not at all.
func (s *Socket) keep(ctx context.Context, e alert.Envelope) (fresh bool) {
	ctx, cancel := context.WithTimeout(ctx, keepLimit)
	defer cancel()
	fresh, err := s.inbox.Receive(ctx, e)
	if err != nil {
		s.log.Error("inbox can't keep an envelope: handled from memory", zap.String("envelope", e.ID), zap.String("type", e.Type), zap.Error(err))
		return true
	}
	return fresh
}

// ack acks on the connection the envelope came on; where that is closing, on any
// other.
func (s *Socket) ack(c *connection, envelope string, payload any) {
	err := c.ack(envelope, payload)
	if err == nil {
		return
	}
	for _, other := range s.siblings(c) {
		if other.ack(envelope, payload) == nil {
			s.metrics.crossed.Inc()
			return
		}
	}
	s.log.Warn("ack lost", zap.String("envelope", envelope), zap.Error(err))
}

// identity is Slack's own identity of the content, beside that of the envelope:
// Slack sends the same content again in new envelopes (docs/slack.md §1.10). A
// message is known by its place, because it may come under several event ids.
func identity(kind string, payload []byte) string {
	var p struct {
		EventID   string `json:"event_id"`
		TriggerID string `json:"trigger_id"`
		Event     struct {
			Type    string `json:"type"`
			Channel string `json:"channel"`
			TS      string `json:"ts"`
		} `json:"event"`
		Container struct {
			MessageTS string `json:"message_ts"`
			ChannelID string `json:"channel_id"`
			ViewID    string `json:"view_id"`
		} `json:"container"`
		Actions []struct {
			ActionTS string `json:"action_ts"`
		} `json:"actions"`
	}
	_ = json.Unmarshal(payload, &p)
	switch {
	case kind == socketmode.RequestTypeEventsAPI && p.Event.Channel != "" && p.Event.TS != "":
		return p.Event.Type + " " + p.Event.Channel + " " + p.Event.TS
	case p.EventID != "":
		return p.EventID
	case p.TriggerID != "":
		return p.TriggerID
	case len(p.Actions) > 0:
		return p.Container.ChannelID + p.Container.ViewID + " " + p.Container.MessageTS + " " + p.Actions[0].ActionTS
	}
	return ""
}

// kindOf keeps the metric's labels to the kinds we know.
func kindOf(kind string) string {
	switch kind {
	case socketmode.RequestTypeEventsAPI, socketmode.RequestTypeSlashCommands, socketmode.RequestTypeInteractive:
		return kind
	}
	return "other"
}

// backlog holds what is durable and waits for a worker.
type backlog struct {
	mu     sync.Mutex
	some   *sync.Cond
	items  []alert.Envelope
	closed bool
}

func newBacklog() *backlog {
	b := &backlog{}
	b.some = sync.NewCond(&b.mu)
	return b
}

func (b *backlog) push(e alert.Envelope) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items = append(b.items, e)
	b.some.Signal()
}

// pop waits for the next one; ok is false when it is closed and empty.
func (b *backlog) pop() (e alert.Envelope, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.items) == 0 && !b.closed {
		b.some.Wait()
	}
	if len(b.items) == 0 {
		return alert.Envelope{}, false
	}
	e = b.items[0]
	b.items[0] = alert.Envelope{}
	b.items = b.items[1:]
	return e, true
}

func (b *backlog) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.some.Broadcast()
}
