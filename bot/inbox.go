package bot

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/render"
)

// Inbox stores what people asked for until it is done, so that a restart finishes
// what was already acked.
type Inbox interface {
	// Receive returns when the envelope is durable. fresh is false for a duplicate,
	// by its ID or by its Dedupe.
	Receive(ctx context.Context, e alert.Envelope) (fresh bool, err error)
	// Unhandled returns what was received and never handled, oldest first.
	Unhandled(ctx context.Context) ([]alert.Envelope, error)
	// Received tells that another replica may have received something; nil if there are none.
	Received() <-chan struct{}
	// Handled marks an envelope as done.
	Handled(ctx context.Context, id string) error
}

const (
	// inboxLimit bounds how long an ack waits for the inbox; Slack waits 3 s.
	inboxLimit = time.Second
	// tellLimit bounds how long an ack waits, after that, for a word to the person.
	tellLimit = time.Second
	// receiveAtOnce is how many envelopes are made durable at the same time. It is
	// large so that the inbox can commit many with one write to the disk.
	receiveAtOnce = 512
)

// accept handles an envelope in a goroutine, so that its connection reads on. ack is
// called once, with what Slack is to show, or nil; by a front not at all for an event that it
// can't store. done is called after that.
func (d *dispatcher) accept(ctx context.Context, r socketmode.Request, ack func(payload any), done func()) {
	d.receiving <- struct{}{}
	d.receivers.Go(func() {
		e, fresh := d.receive(ctx, r, ack)
		done()
		<-d.receiving
		if fresh && !d.front {
			d.backlog <- e
		}
	})
}

// receive makes an envelope durable and acks it. The errors of a dialog are sent in the
// ack, and then there is nothing left to do.
func (d *dispatcher) receive(ctx context.Context, r socketmode.Request, ack func(payload any)) (e received, fresh bool) {
	start := time.Now()
	d.envelopes.WithLabelValues(metricType(r.Type)).Inc()
	if errs := d.dialogErrors(r); len(errs) > 0 {
		ack(map[string]any{"response_action": "errors", "errors": errs})
		return e, false
	}
	e.Envelope = alert.Envelope{ID: r.EnvelopeID, Dedupe: dedupeKey(r.Type, r.Payload), Type: r.Type, Payload: r.Payload, ReceivedAt: d.bot.opts.Now()}
	d.claims.add(e.ID)
	fresh, err := d.persist(ctx, e.Envelope)
	e.unstored = err
	if err != nil && d.front {
		d.log.Error("inbox could not store an envelope", zap.String("envelope", e.ID), zap.String("type", e.Type), zap.Error(err))
		d.refuse(ctx, r, err, ack)
		return e, false
	}
	if err != nil {
		d.log.Error("inbox could not store an envelope; handling it anyway", zap.String("envelope", e.ID), zap.String("type", e.Type), zap.Error(err))
		fresh = true
	}
	ack(nil)
	if !fresh {
		d.claims.drop(e.ID)
	}
	d.ackSeconds.Observe(time.Since(start).Seconds())
	return e, fresh
}

// refuse tells a person that a front could not store a request, and acks it after that: if the
// process is killed in between, Slack says that there was no answer. An event gets no ack: Slack
// sends it again, perhaps to another replica.
func (d *dispatcher) refuse(ctx context.Context, r socketmode.Request, why error, ack func(payload any)) {
	e := received{alert.Envelope{ID: r.EnvelopeID, Type: r.Type, Payload: r.Payload}, why}
	to, dialog := d.asking(e)
	if dialog != "" { // it stays open, with what was typed
		what, hint := e.outcome()
		ack(map[string]any{"response_action": "errors", "errors": map[string]string{dialog: what + " " + hint}})
		return
	}
	if to.User == "" {
		return
	}
	told := make(chan struct{})
	d.receivers.Go(func() {
		defer close(told)
		d.respondUnstored(ctx, e)
	})
	select {
	case <-told:
	case <-time.After(tellLimit):
	}
	ack(nil)
}

// respondUnstored tells a person what becomes of a request that is perhaps not in the inbox. It does so
// also when the process is stopping.
func (d *dispatcher) respondUnstored(ctx context.Context, e received) {
	to, _ := d.asking(e)
	if e.unstored == nil || to.User == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishLimit)
	defer cancel()
	if err := d.bot.Respond(ctx, to, render.Refused(e.outcome())); err != nil {
		d.log.Error("nobody could be told", zap.String("envelope", e.ID), zap.Error(err))
	}
}

func (e received) outcome() (what, hint string) {
	if e.lost() {
		return "Nothing was done, because I can't write to my store at the moment.", "Please try again in a minute; the log says what is wrong."
	}
	return "I can't tell whether that will be done, because my store does not answer.", "Please look in a minute, and try again if it was not; the log says what is wrong."
}

// asking is who typed a command or clicked a button that does something, or a field of the
// dialog that was submitted.
func (d *dispatcher) asking(e received) (to Caller, dialog string) {
	switch e.Type {
	case socketmode.RequestTypeSlashCommands:
		c, err := decodeCommand(e.Payload, d.bot.Identity())
		if err == nil {
			to = c.Caller
		}
	case socketmode.RequestTypeInteractive:
		i, err := decodeInteraction(e.Payload, d.bot.Identity())
		switch {
		case err != nil:
		case i.submission != nil:
			for block := range i.submission.Inputs {
				dialog = max(dialog, block)
			}
		case len(i.actions) > 0 && !strings.HasPrefix(i.actions[0].ActionID, render.ActionLink):
			to = i.actions[0].Caller
		}
	}
	return to, dialog
}

// persist makes the envelope durable. If the inbox fails or does not answer, who has workers
// handles the envelope anyway: answering twice after a restart is better than not at all.
func (d *dispatcher) persist(ctx context.Context, e alert.Envelope) (fresh bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, inboxLimit)
	defer cancel()
	type result struct {
		fresh bool
		err   error
	}
	received := make(chan result, 1)
	d.receivers.Go(func() {
		fresh, err := d.inbox.Receive(ctx, e)
		received <- result{fresh, err}
	})
	got := result{err: context.DeadlineExceeded}
	select {
	case got = <-received:
	case <-ctx.Done(): // what is being written can't be cancelled
	}
	return got.fresh, got.err
}

// dedupeKey identifies the content of an envelope: Slack sends the same content
// again in new envelopes (docs/slack.md §1.10). A message is identified by its
// place, because it may come with several event ids.
func dedupeKey(envelopeType string, payload []byte) string {
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
	case envelopeType == socketmode.RequestTypeEventsAPI && p.Event.Channel != "" && p.Event.TS != "":
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

// metricType limits the metric's labels to the types we know.
func metricType(envelopeType string) string {
	switch envelopeType {
	case socketmode.RequestTypeEventsAPI, socketmode.RequestTypeSlashCommands, socketmode.RequestTypeInteractive:
		return envelopeType
	}
	return "other"
}
