// Package handlers answers people: slash commands, direct messages, mentions,
// the App Home, buttons and dialogs. Commands are listed in
// commands.go, buttons in action.go, dialogs in modal.go.
//
// It decides nothing about alerts (the engine does) and draws nothing (render
// does). Everybody who writes to the bot gets an answer, except other bots.
package handlers

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// Engine performs what people ask for. When it returns, the change is durable.
type Engine interface {
	Push(ctx context.Context, alerts []alert.Alert) ([]alert.Accepted, error)
	// Act returns the result of each act.
	Act(ctx context.Context, acts []alert.Act) ([]alert.Acted, error)
	// Silence returns the silence with its id, and how many open incidents it
	// matches.
	Silence(ctx context.Context, s alert.Silence) (alert.Silence, error)
	// Unsilence ends a silence; alert.ErrNotFound for an unknown id.
	Unsilence(ctx context.Context, id string, by alert.Person) (alert.Silence, error)
}

// Store answers what is known, and keeps subscriptions and the state of App Homes.
type Store interface {
	Incidents(ctx context.Context, f alert.IncidentFilter) ([]alert.Incident, error)
	// Incident is the one of this id, or alert.ErrNotFound.
	Incident(ctx context.Context, id string) (alert.Incident, error)
	// IncidentAt is the one whose card a message is, or alert.ErrNotFound.
	IncidentAt(ctx context.Context, conversation, ts string) (alert.Incident, error)
	// DigestAt is the id of the digest that a message is, or alert.ErrNotFound.
	DigestAt(ctx context.Context, conversation, ts string) (string, error)
	// IDs lists all that f keeps; without a limit all of them.
	IDs(ctx context.Context, f alert.IncidentFilter) ([]string, error)
	// Tally counts the incidents in these states by severity.
	Tally(ctx context.Context, states ...alert.State) (map[alert.Severity]int, error)
	Count(ctx context.Context, f alert.IncidentFilter) (int, error)
	// History is oldest first.
	History(ctx context.Context, incident string) ([]alert.Event, error)
	Silences(ctx context.Context, f alert.SilenceFilter) ([]alert.Silence, error)
	// GroupMembers lists members of an incident's group, worst first, after the first offset.
	GroupMembers(ctx context.Context, incident string, offset, limit int) ([]alert.GroupMember, error)
	// Heartbeats lists all of them by name.
	Heartbeats(ctx context.Context) ([]alert.Heartbeat, error)
	Ledger(ctx context.Context) (alert.Ledger, error)
	// Deliveries lists deliveries, latest first.
	Deliveries(ctx context.Context, f alert.DeliveryFilter) ([]alert.Delivery, error)
	// Drop has a delivery of this ID not sent any more; alert.ErrNotFound for an unknown
	// one, alert.ErrNotDead for one that is being sent or done.
	Drop(ctx context.Context, l alert.DeadLetterSelector) (alert.RetryResult, error)
	// Await returns an alert's record as soon as it is not pending any more, or
	// at the end of ctx as it stands then, with ctx's error.
	Await(ctx context.Context, id string) (alert.Record, error)
	Stats(ctx context.Context, begins []time.Time) (alert.Stats, error)

	Subscribe(ctx context.Context, s alert.Subscription) error
	// Unsubscribe ends all of a person's and says how many there were.
	Unsubscribe(ctx context.Context, person string) (int, error)
	Subscriptions(ctx context.Context, person string) ([]alert.Subscription, error)

	// HomeHash is which view a person's App Home shows; empty if none was published.
	HomeHash(ctx context.Context, user string) (string, error)
	SetHomeHash(ctx context.Context, user, hash string) error
}

// Slack shows answers to people, and knows who they are.
type Slack interface {
	Respond(ctx context.Context, to bot.Caller, m render.Message) error
	// Replace replaces the message that was clicked in.
	Replace(ctx context.Context, to bot.Caller, m render.Message) error
	PostMessage(ctx context.Context, channel, thread string, m render.Message) (ts string, err error)
	Permalink(ctx context.Context, channel, ts string) (string, error)
	// Upload uploads a picture and returns the id by which a message shows it; alt
	// describes it.
	Upload(ctx context.Context, name, alt string, content []byte) (id string, err error)
	PublishHome(ctx context.Context, user string, view render.HomeTab, hash string) (string, error)
	OpenView(ctx context.Context, trigger string, view render.Modal) error
	UpdateView(ctx context.Context, id, hash string, view render.Modal) error

	// Zone is the time zone of a person (U…).
	Zone(ctx context.Context, user string) (*time.Location, error)
	// Outside is the team of a person (U…) from another workspace; empty for ours.
	Outside(ctx context.Context, user string) (team string, err error)
	// Name is the user name of a person (U…).
	Name(ctx context.Context, user string) (string, error)
	// Person finds who is meant by @name, user@mail or U…. The error for an unknown
	// person is an *alert.SendError of alert.ClassDestination.
	Person(ctx context.Context, spelling string) (alert.Person, error)
	// Check looks whether a conversation is known and takes messages. The error is an
	// *alert.SendError, or nil also if that can't be known now.
	Check(ctx context.Context, spelling string) error
	// Members lists the people (U…) of a user group or a conversation.
	Members(ctx context.Context, who string) ([]string, error)
}

// Options are what handlers are built with. Only the interfaces, Health and Doctor are
// required. Reload can replace Permissions, Routing, ServerToken and DefaultChannel.
type Options struct {
	Engine Engine
	Store  Store
	Slack  Slack
	// Wake is called with lanes in which a delivery was dropped. It must not block.
	Wake func(lanes ...string)
	// Health returns the state of the daemon.
	Health func() alert.Health
	// Doctor looks at everything that may be wrong.
	Doctor func(ctx context.Context) alert.Checkup
	// Permissions say who may do what; the zero value allows everything.
	Permissions Permissions
	// Routing is what oncall shows.
	Routing alert.Routing
	// Server is the address of the HTTP API that the help shows, unless empty.
	// ServerToken says that it needs a bearer token.
	Server      string
	ServerToken bool
	// DefaultChannel is where alerts without a channel go.
	DefaultChannel string
	Version        string
	Log            *zap.Logger
	Now            func() time.Time
	// Wait is how long a test alert is awaited before the person is told that it is
	// still pending; 0 means 20 s.
	Wait time.Duration
}

// Handlers answers people. Its methods may be called from any goroutine.
type Handlers struct {
	opts Options
	// rules are the options as of the latest Reload.
	rules   atomic.Pointer[Options]
	homes   *homes
	charts  charts
	waiting chan struct{} // has an element for each alert being awaited
}

// maxWaiting is how many alerts are awaited at once. It is less than the bot's
// workers, so that others get answers even if nothing is delivered.
const maxWaiting = 4

// New returns handlers that are ready to be called. The App Home needs Run.
func New(opts Options) *Handlers {
	if opts.Log == nil {
		opts.Log = zap.NewNop()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Wake == nil {
		opts.Wake = func(...string) {}
	}
	if opts.Wait == 0 {
		opts.Wait = 20 * time.Second
	}
	h := &Handlers{opts: opts, homes: newHomes(opts.Now), waiting: make(chan struct{}, maxWaiting)}
	h.Reload(opts)
	return h
}

// Reload lets people do from now on what the Permissions, Routing, ServerToken and
// DefaultChannel of opts say.
func (h *Handlers) Reload(opts Options) { h.rules.Store(&opts) }

func (h *Handlers) shell() render.Shell {
	return render.Shell{Server: h.opts.Server, Token: h.rules.Load().ServerToken}
}

func unresolved() []alert.State { return []alert.State{alert.Open, alert.Acked} }

// refusal answers why something was not done, and logs errors that are not the
// person's. what is a sentence: "The alert was not accepted".
func (h *Handlers) refusal(what string, err error) render.Message {
	var bad *alert.InputError
	if errors.As(err, &bad) {
		return refused(bad)
	}
	h.opts.Log.Error("request failed", zap.String("answer", what), zap.Error(err))
	switch {
	case errors.Is(err, alert.ErrUnavailable):
		return waiting(render.Refused(what+", because I can't write to my store at the moment.", "Please try again in a minute; the log says what is wrong."), err)
	case errors.Is(err, alert.ErrBacklog):
		return render.Refused(what+", because too many wait for Slack already.", "`/notify status` says what keeps them from being delivered.")
	case errors.Is(err, alert.ErrOverloaded):
		return render.Refused(what+", because too many alerts are arriving right now.", "Please try again in a minute.")
	}
	return waiting(render.Refused("I can't tell whether that was done.", "Please look, and try again if it was not; the log says what went wrong."), err)
}

// waiting says why an answer is given if that is the store.
func waiting(m render.Message, err error) render.Message {
	if errors.Is(err, alert.ErrUnavailable) || errors.Is(err, alert.ErrInDoubt) {
		m.Waits = err
	}
	return m
}

func refused(bad *alert.InputError) render.Message { return render.Refused(bad.Message, bad.Hint) }

// apology answers a request that failed through no fault of the person, and logs the
// error. what begins "I can't …".
func (h *Handlers) apology(what string, err error) render.Message {
	h.opts.Log.Error("answer failed", zap.String("answer", what), zap.Error(err))
	return waiting(render.Refused(what, "Please try again in a minute; the log says what is wrong."), err)
}
