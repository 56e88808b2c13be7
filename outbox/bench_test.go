package outbox

import (
	"context"
	"testing"
	"time"

	"tocsin/alert"
)

// one is a queue with one delivery at a time, and a sender that says when it
// was called.
type one struct {
	Queue  // for what is never called here
	Sender // likewise
	owed   chan alert.Job
	called chan struct{}
}

func (o *one) Lanes(context.Context) ([]string, error) { return nil, nil }

func (o *one) Claim(context.Context, alert.Claim) (alert.Job, time.Time, error) {
	select {
	case job := <-o.owed:
		return job, time.Time{}, nil
	default:
		return alert.Job{}, time.Time{}, nil
	}
}

func (o *one) Finish(context.Context, alert.Outcome) error { return nil }

func (o *one) Send(context.Context, alert.Job) (alert.Sent, error) {
	o.called <- struct{}{}
	return alert.Sent{TS: "1.0", Version: 1}, nil
}

func (o *one) Broken(context.Context) ([]alert.Destination, error) { return nil, nil }

// BenchmarkWakeToSend measures the outbox's own share of accepted → Slack's
// endpoint called, for a lane that has no goroutine when it is woken.
func BenchmarkWakeToSend(b *testing.B) {
	far := &one{owed: make(chan alert.Job, 1), called: make(chan struct{})}
	box := New(far, far, Options{Pace: time.Nanosecond})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- box.Run(ctx) }()
	for b.Loop() {
		far.owed <- alert.Job{
			Delivery: alert.Delivery{ID: "a", Lane: "ops", Kind: alert.Post},
			Incident: alert.Incident{ID: "x", Version: 1},
		}
		box.Wake("ops")
		<-far.called
	}
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
