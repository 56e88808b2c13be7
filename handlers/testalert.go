package handlers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/alert"
	"tocsin/render"
)

const (
	testSource = "notify-test"
	// testLife is for how long a test alert is open.
	testLife = time.Hour
)

// sendTest sends a test alert through the full path, waits for it, and answers where
// it landed and how long each step took.
func (h *Handlers) sendTest(ctx context.Context, order testOrder, requestID string) render.Message {
	return h.push(ctx, "test alert", requestID, order.alert())
}

func (order testOrder) alert() alert.Alert {
	return alert.Alert{
		ExpiresIn: testLife, Source: testSource, Severity: order.severity, Title: order.title, Channel: order.channel,
		Text: "This is only a test. It took the same path as every alert: accepted, on disk, queued, sent. In an hour it expires by itself.",
	}
}

// push accepts a person's alert and waits until Slack shows it, within the time that
// a person should wait. what is what to call it. requestID identifies the request in
// Slack, so that a request handled again after a crash is still one alert.
func (h *Handlers) push(ctx context.Context, what, requestID string, a alert.Alert) render.Message {
	if lane, refused := h.Unreachable(ctx, a); refused != nil {
		return render.Unreachable(lane, refused.Code, refused.Hint)
	}
	asked := h.opts.Now()
	a.Key, a.At = a.Source+"-"+alert.NewID(), asked
	if requestID != "" {
		a.IdempotencyKey = a.Source + "-" + requestID
	}
	receipts, err := h.opts.Engine.Push(ctx, []alert.Alert{a})
	if err != nil {
		return h.refusal("The alert was not accepted", err)
	}
	kept := h.opts.Now()
	record, err := h.await(ctx, receipts[0].ID)
	if err != nil {
		return h.apology("Your alert was accepted, but I can't read its state.", err)
	}
	return render.TestResult(render.TestReport{
		What: what, Record: record, Asked: asked, Kept: kept, Health: h.opts.Health(),
		Permalink: h.permalink(ctx, record.Conversation, record.TS),
	})
}

// Unreachable returns the conversation of an alert and why Slack refuses it, where the alert
// would reach none at all; else nil. Nothing is known of one that Slack can't be asked about.
func (h *Handlers) Unreachable(ctx context.Context, a alert.Alert) (lane string, refused *alert.SendError) {
	lanes := h.rules.Load().Routing.Plan(a.Subject()).Lanes()
	if named, err := alert.ParseConversation(a.Channel); err == nil { // Slack writes <#C…|name>
		lanes = []string{named}
	}
	for _, next := range lanes {
		why, ok := errors.AsType[*alert.SendError](h.opts.Slack.Check(ctx, next))
		if !ok {
			return "", nil
		}
		if refused == nil {
			lane, refused = next, why
		}
	}
	return lane, refused
}

// await waits for an alert as long as a person should wait for an answer, and returns
// its state. The wait is short if it can't be delivered now.
func (h *Handlers) await(ctx context.Context, id string) (alert.Record, error) {
	wait := h.opts.Wait
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		wait = min(wait, time.Second)
	}
	record, err := h.awaitFor(ctx, id, min(wait, brokenWait))
	if err != nil || record.Standing != alert.StandPending || wait <= brokenWait || h.broken(record.Lane) {
		return record, err
	}
	return h.awaitFor(ctx, id, wait-brokenWait)
}

// brokenWait is how long an alert to a broken destination is awaited.
const brokenWait = 2 * time.Second

// broken reports whether deliveries to a lane are known to need somebody's help,
// possibly because of this very alert.
func (h *Handlers) broken(lane string) bool {
	health := h.opts.Health()
	_, blocked := health.Blocking(lane)
	return health.Held != "" || blocked
}

func (h *Handlers) awaitFor(ctx context.Context, id string, wait time.Duration) (alert.Record, error) {
	short, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	record, err := h.opts.Store.Await(short, id)
	if err != nil && (short.Err() == nil || record.ID == "") {
		return alert.Record{}, fmt.Errorf("await alert: %w", err)
	}
	return record, nil
}
