package bot

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"

	"tocsin/alert"
)

const (
	openLimit  = 10 * time.Second // apps.connections.open
	dialLimit  = 10 * time.Second // TCP, TLS and the upgrade together
	helloLimit = 10 * time.Second
	// drainLimit bounds each step of an orderly end: finishing the acks, and
	// waiting for the server's close frame.
	drainLimit = 2 * time.Second
	ackLimit   = 2 * time.Second
	// unnamedPause is the wait after apps.connections.open was refused as too
	// frequent without a time: as long as Slack's Python client waits.
	unnamedPause = 30 * time.Second
	// usualLife is how long Slack's documentation says that a connection lasts,
	// for a hello that does not say (slack-facts §1.2).
	usualLife = time.Hour
	// neverPing keeps the library's watchdog from acting: it knows only the
	// server's pings, whose period Slack does not promise. The wire watches.
	neverPing = 24 * time.Hour
)

var errSpent = errors.New("this client is for one connection only")

// hello is what Slack says when a connection is ready (slack-facts §1.2).
type hello struct {
	at          time.Time
	connections int
	lasts       time.Duration
}

// linkEvents is what a link tells its owner; both return at once and call back
// settle or lost when they are done.
type linkEvents struct {
	envelope func(*link, socketmode.Request)   // one came, to be acked
	unsent   func(*link, *socketmode.Response) // an ack could not be written
}

// link is one Socket Mode connection, from apps.connections.open to its end. It
// is never used again after that.
type link struct {
	log    *zap.Logger
	open   *call
	client *socketmode.Client
	on     linkEvents

	cancel context.CancelFunc
	hello  chan hello    // one value, when it is up
	notice chan string   // one value, the reason of a disconnect
	stop   chan struct{} // an orderly end is wanted
	done   chan struct{} // everything has ended
	tick   chan struct{} // the counts have changed
	wire   atomic.Pointer[wire]
	ending sync.Once
	opened atomic.Bool // apps.connections.open was called
	mu     sync.Mutex
	barred bool // under mu: no connection may be admitted any more

	settled atomic.Int64 // messages done with
	acks    atomic.Int64 // acks handed to the library
	failed  atomic.Int64 // acks the library could not write
	ready   atomic.Bool  // hello was said
	noticed atomic.Bool  // Slack is about to drop it
	cause   atomic.Pointer[error]
}

// newLink prepares a connection with fresh clients.
func (b *Bot) newLink(d dialer, idle time.Duration, on linkEvents) *link {
	app, _ := b.opts.Tokens()
	l := &link{
		log: b.opts.Log, on: on, cancel: func() {},
		open:  &call{bot: b, method: "apps.connections.open", app: true},
		hello: make(chan hello, 1), notice: make(chan string, 1), tick: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	api := slack.New("", slack.OptionAppLevelToken(app.Reveal()), slack.OptionAPIURL(b.opts.APIURL), slack.OptionHTTPClient(&opener{link: l}))
	l.client = socketmode.New(api,
		socketmode.OptionDialer(l.dialer(d, idle)),
		socketmode.OptionReadLimit(messageLimit+64),
		socketmode.OptionPingInterval(neverPing))
	return l
}

// run opens the connection and returns when it has ended and nothing of it is
// left. It does not end with ctx, but by close: an end has to be orderly.
func (l *link) run(ctx context.Context) {
	defer close(l.done)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	l.cancel = cancel
	var group sync.WaitGroup
	over := make(chan struct{})
	group.Go(func() {
		defer close(over)
		l.fail(l.client.RunContext(ctx))
		cancel()
	})
	l.pump(ctx, over, &group)
	group.Wait()
	if w := l.wire.Load(); w != nil {
		_ = w.Close()
	}
}

// pump moves events out of the library until it has ended; it never waits for
// anything else, so the library always goes on reading. An end that is asked for
// while the connection is being made waits for it, shortly, to end it in order.
func (l *link) pump(ctx context.Context, over <-chan struct{}, group *sync.WaitGroup) {
	stop, connected := l.stop, false
	var late <-chan time.Time
	for {
		select {
		case e := <-l.client.Events:
			if e.Type == socketmode.EventTypeConnected {
				connected = true
				group.Go(func() { l.care(ctx) })
			}
			l.event(e)
		case <-stop:
			stop = nil
			if admitted := l.bar(); !admitted {
				l.cancel()
			}
			late = time.After(drainLimit)
		case <-late:
			if !connected {
				l.cancel()
			}
		case <-over:
			for len(l.client.Events) > 0 {
				l.event(<-l.client.Events)
			}
			return
		}
	}
}

func (l *link) event(e socketmode.Event) {
	switch e.Type {
	case socketmode.EventTypeConnecting, socketmode.EventTypeConnected, socketmode.EventTypeIncomingError:
	case socketmode.EventTypeConnectionError:
		if failure, ok := e.Data.(*slack.ConnectionErrorEvent); ok {
			l.fail(failure.ErrorObj)
		}
		l.cancel()
	case socketmode.EventTypeErrorWriteFailed:
		if failure, ok := e.Data.(*socketmode.ErrorWriteFailed); ok {
			l.on.unsent(l, failure.Response)
		}
	case socketmode.EventTypeErrorBadMessage:
		if bad, ok := e.Data.(*socketmode.ErrorBadMessage); ok {
			l.message(requestOf(bad.Message))
		}
	default:
		l.message(*e.Request)
	}
}

// requestOf reads a message that the library could not, leniently: what Slack
// changes in a payload must not keep us from acking it.
func requestOf(raw json.RawMessage) socketmode.Request {
	var r struct {
		Type       string          `json:"type"`
		EnvelopeID string          `json:"envelope_id"`
		Payload    json.RawMessage `json:"payload"`
		Accepts    bool            `json:"accepts_response_payload"`
	}
	// A field of another type leaves only itself empty.
	_ = json.Unmarshal(raw, &r)
	return socketmode.Request{Type: r.Type, EnvelopeID: r.EnvelopeID, Payload: r.Payload, AcceptsResponsePayload: r.Accepts}
}

func (l *link) message(r socketmode.Request) {
	switch {
	case r.Type == socketmode.RequestTypeHello:
		l.greet(r)
	case r.EnvelopeID == "":
		l.log.Warn("slack sent a message of an unknown kind", zap.String("type", r.Type))
		l.settle()
	default:
		l.on.envelope(l, r)
	}
}

func (l *link) greet(r socketmode.Request) {
	defer l.settle()
	if l.ready.Swap(true) {
		return
	}
	lasts := time.Duration(r.DebugInfo.ApproximateConnectionTime) * time.Second
	if lasts <= 0 {
		lasts = usualLife
	}
	l.hello <- hello{at: time.Now(), connections: r.NumConnections, lasts: lasts}
}

// care watches over an established connection and ends it in order: every
// message handled, goodbye said, and only then the library told.
func (l *link) care(ctx context.Context) {
	w := l.wire.Load()
	defer w.letGo()
	if !l.watch(ctx, w) {
		return
	}
	l.drain(w)
	w.sendClose()
	within(drainLimit, w.ended)
	l.drain(w)
	l.cancel()
}

// watch keeps an established connection talking until it ends or is to end, and
// says whether the library is still there.
func (l *link) watch(ctx context.Context, w *wire) bool {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	late := time.NewTimer(helloLimit)
	defer late.Stop()
	for {
		select {
		case <-ping.C:
			w.ping()
		case <-late.C:
			if !l.ready.Load() {
				l.fail(errors.New("slack did not say hello"))
				return true
			}
		case <-ctx.Done():
			return false
		case <-w.ended:
			return true
		case <-l.stop:
			return true
		}
	}
}

// drain waits until each message that came was handled and each ack written.
func (l *link) drain(w *wire) {
	limit := time.NewTimer(drainLimit)
	defer limit.Stop()
	for !l.drained(w) {
		select {
		case <-l.tick:
		case <-limit.C:
			return
		}
	}
}

func (l *link) drained(w *wire) bool {
	return l.settled.Load() >= w.up.Load() && w.sent.Load()+l.failed.Load() >= l.acks.Load()
}

// settle notes that one message is done with.
func (l *link) settle() {
	l.settled.Add(1)
	l.touch()
}

func (l *link) touch() {
	select {
	case l.tick <- struct{}{}:
	default:
	}
}

// ack hands an ack to the library, or says errClosing when this connection can
// not carry it any more.
func (l *link) ack(ctx context.Context, envelope string, payload any) error {
	w := l.wire.Load()
	if w == nil || !w.open() {
		return errClosing
	}
	ctx, cancel := context.WithTimeout(ctx, ackLimit)
	defer cancel()
	l.acks.Add(1)
	err := l.client.AckCtx(ctx, envelope, payload)
	if err != nil {
		l.lost()
	}
	return err
}

// lost notes that an ack handed over will not be written here.
func (l *link) lost() {
	l.failed.Add(1)
	l.touch()
}

// close asks for an orderly end; done says when.
func (l *link) close() { l.ending.Do(func() { close(l.stop) }) }

// over says whether it has ended.
func (l *link) over() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// fail keeps the first reason why the connection is no more; that the library
// may not open another, or was told to end, is none.
func (l *link) fail(err error) {
	if err = withoutURL(err); errors.Is(err, errSpent) || errors.Is(err, context.Canceled) {
		return
	}
	l.cause.CompareAndSwap(nil, &err)
}

// reason says why the connection is no more, as an *alert.SendError where
// apps.connections.open was refused.
func (l *link) reason() error {
	if l.open.status != 0 || l.open.err != nil {
		if e := l.open.failure(nil); e != nil {
			if e.Class == alert.ClassThrottled && l.open.header.Get("Retry-After") == "" {
				e.RetryAfter = unnamedPause
			}
			return e
		}
	}
	if cause := l.cause.Load(); cause != nil {
		return *cause
	}
	if w := l.wire.Load(); w != nil {
		select {
		case <-w.ended:
			return w.over
		default:
		}
	}
	return errors.New("connection ended")
}

// within waits for ch, at most d.
func within(d time.Duration, ch <-chan struct{}) {
	limit := time.NewTimer(d)
	defer limit.Stop()
	select {
	case <-ch:
	case <-limit.C:
	}
}
