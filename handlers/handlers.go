// Package handlers answers people: slash commands, direct messages, mentions,
// the App Home, buttons and dialogs. There is one file per thing a person can
// do.
//
// It decides nothing about alerts (the engine does) and draws nothing (render
// does). Nobody who writes to the bot is left without an answer, and the bot
// never answers itself or another bot.
package handlers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// Engine accepts alerts. Once Push returns receipts they are on disk.
type Engine interface {
	Push(ctx context.Context, alerts []alert.Alert) ([]alert.Accepted, error)
}

// Reader answers what is known.
type Reader interface {
	Incidents(ctx context.Context, f alert.IncidentFilter) ([]alert.Incident, error)
	Ledger(ctx context.Context) (alert.Ledger, error)
	// Await returns an alert's record as soon as it is not pending any more, or
	// at the end of ctx as it stands then, with ctx's error.
	Await(ctx context.Context, id string) (alert.Record, error)
}

// Homes remembers which view each person's App Home shows. The hash of a person
// without one is empty.
type Homes interface {
	HomeHash(ctx context.Context, user string) (string, error)
	SetHomeHash(ctx context.Context, user, hash string) error
}

// Slack is how answers reach people.
type Slack interface {
	Respond(ctx context.Context, to bot.Caller, m render.Message) error
	Say(ctx context.Context, channel, thread string, m render.Message) (ts string, err error)
	PublishHome(ctx context.Context, user string, view render.HomeTab, hash string) (string, error)
	OpenView(ctx context.Context, trigger string, view render.Modal) error
	Permalink(ctx context.Context, channel, ts string) (string, error)
}

// Options are what handlers work with. Engine, Reader, Homes, Slack and Health
// are needed, the rest is optional.
type Options struct {
	Engine Engine
	Reader Reader
	Homes  Homes
	Slack  Slack
	// Health says how the daemon is doing.
	Health func() alert.Health
	// Server is the address of the HTTP API that help shows, and ServerToken says
	// that it asks for a bearer token. An empty address is not shown.
	Server      string
	ServerToken bool
	// DefaultChannel is where alerts without a channel go.
	DefaultChannel string
	Version        string
	Log            *zap.Logger
	Now            func() time.Time
	// Wait is how long a test alert is awaited before the person is told that it
	// still waits; 0 means 20 s.
	Wait time.Duration
}

// Handlers answers people. It may be used from any goroutine.
type Handlers struct {
	opts    Options
	homes   *homes
	waiting chan struct{} // holds one for each test alert being awaited
}

// maxWaiting is how many test alerts are awaited at once, fewer than the bot
// has workers: a held outbox must not keep everybody else waiting.
const maxWaiting = 4

// New returns handlers that are ready to be called.
func New(opts Options) *Handlers {
	if opts.Log == nil {
		opts.Log = zap.NewNop()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Wait == 0 {
		opts.Wait = 20 * time.Second
	}
	return &Handlers{opts: opts, homes: newHomes(opts.Now), waiting: make(chan struct{}, maxWaiting)}
}

func (h *Handlers) shell() render.Shell {
	return render.Shell{Server: h.opts.Server, Token: h.opts.ServerToken}
}

// maxOpen is how many open incidents a view counts before it says "and more".
const maxOpen = 100

// open returns the incidents that are not over, worst first, and whether there
// are more.
func (h *Handlers) open(ctx context.Context) (incidents []alert.Incident, more bool, err error) {
	states := []alert.State{alert.Open, alert.Acked}
	incidents, err = h.opts.Reader.Incidents(ctx, alert.IncidentFilter{States: states, Limit: maxOpen + 1})
	if err != nil {
		return nil, false, fmt.Errorf("read open incidents: %w", err)
	}
	if len(incidents) > maxOpen {
		return incidents[:maxOpen], true, nil
	}
	return incidents, false, nil
}

// refusal says why an alert was not accepted, and logs what a person can't help.
func (h *Handlers) refusal(err error) render.Message {
	var bad *alert.InputError
	if errors.As(err, &bad) {
		return render.Refused(bad.Message, bad.Hint)
	}
	h.opts.Log.Error("accept a test alert", zap.Error(err))
	switch {
	case errors.Is(err, alert.ErrUnavailable):
		return render.Refused("The alert was not accepted, because I can't write to my store at the moment.", "Please try again in a minute; the log says what is wrong.")
	case errors.Is(err, alert.ErrBacklog):
		return render.Refused("The alert was not accepted, because too many wait for Slack already.", "`/notify status` says what keeps them from being delivered.")
	case errors.Is(err, alert.ErrOverloaded):
		return render.Refused("The alert was not accepted, because too much arrives at the moment.", "Please try again in a minute.")
	}
	return render.Refused("I can't tell whether the alert was accepted.", "The log says what went wrong.")
}

// apology answers a person whom an error of ours keeps from what they asked
// for, and logs it. what begins "I can't …".
func (h *Handlers) apology(what string, err error) render.Message {
	h.opts.Log.Error("answer a person", zap.String("answer", what), zap.Error(err))
	return render.Refused(what, "Please try again in a minute; the log says what is wrong.")
}
