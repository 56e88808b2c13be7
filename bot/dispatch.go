package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"

	"tocsin/alert"
)

// Handler answers people. Each method is called by one of several workers, with a
// context that ends after 30 seconds. An error is logged and the request is not
// repeated, unless the process was stopping, or the error is one of the store and the request
// is in the inbox: then it is done again when that is possible.
type Handler interface {
	// Command answers a slash command.
	Command(ctx context.Context, c Command) error
	// Message answers a direct message or a mention.
	Message(ctx context.Context, m Message) error
	// Home is called when somebody opens the App Home.
	Home(ctx context.Context, h Home) error
	// Action answers a click on a button or a choice in a menu.
	Action(ctx context.Context, a Action) error
	// Submit validates a dialog and does nothing else. It returns errors by block
	// id, which the dialog shows, or the work to do after the dialog closes (nil for
	// none). It must not block, and may be called again for the same submission.
	Submit(s Submission) (errs map[string]string, work func(ctx context.Context) error)
}

// dispatcher makes what people do durable, acks it, and passes it to a Handler.
type dispatcher struct {
	bot       *Bot
	inbox     Inbox
	handler   Handler
	log       *zap.Logger
	backlog   chan received // not taken by a worker yet
	receiving chan struct{}
	receivers sync.WaitGroup
	// pool are the workers, and what is postponed. Of that one at a time is in turn.
	pool sync.WaitGroup
	turn sync.Mutex
	// ending is closed when the process stops.
	ending <-chan struct{}
	// front is set where the active replica handles what is received; claims are nil then.
	front  bool
	claims *claims
	// again is after which time it is tried again to use the inbox: lookAgain.
	again time.Duration

	envelopes  *prometheus.CounterVec
	ackSeconds prometheus.Histogram
}

// received is an envelope that was acked.
type received struct {
	alert.Envelope
	// unstored is why the inbox could not store it; nil if it did.
	unstored error
}

// lost reports whether it is not in the inbox for certain.
func (e received) lost() bool { return errors.Is(e.unstored, alert.ErrUnavailable) }

func newDispatcher(b *Bot, inbox Inbox, handler Handler, f promauto.Factory) *dispatcher {
	return &dispatcher{
		bot: b, inbox: inbox, handler: handler, log: b.opts.Log,
		backlog: make(chan received), again: lookAgain, receiving: make(chan struct{}, receiveAtOnce),
		envelopes: f.NewCounterVec(prometheus.CounterOpts{Name: "tocsin_slack_envelopes_total",
			Help: "Envelopes from Slack by type."}, []string{"type"}),
		ackSeconds: f.NewHistogram(prometheus.HistogramOpts{Name: "tocsin_slack_ack_seconds",
			Help: "From an envelope's arrival until its ack is written.", Buckets: prometheus.ExponentialBuckets(0.0002, 2.5, 12), NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100}),
	}
}

// run handles what an earlier run left over and then what collect receives. When ctx ends
// and collect has returned, the handlers get three seconds to finish.
func (d *dispatcher) run(ctx context.Context, collect func()) {
	if d.front {
		collect()
		d.receivers.Wait()
		return
	}
	d.claims = &claims{count: map[string]int{}}
	working, stop := outlive(ctx, finishLimit)
	defer stop()
	d.ending = ctx.Done()
	d.startWorkers(working)
	d.requeue(ctx)
	collect()
	d.receivers.Wait()
	close(d.backlog)
	d.pool.Wait()
}

const (
	workers   = 8
	workLimit = 30 * time.Second
	// finishLimit is how long the workers may take to finish when the process
	// stops; the rest stays in the inbox.
	finishLimit = 3 * time.Second
)

// startWorkers starts goroutines that handle the backlog until it is closed. They
// discard what is left of it when ctx ends.
func (d *dispatcher) startWorkers(ctx context.Context) {
	for range workers {
		d.pool.Go(func() {
			for e := range d.backlog {
				d.work(ctx, e)
			}
		})
	}
}

func (d *dispatcher) work(ctx context.Context, e received) {
	if ctx.Err() != nil {
		d.respondUnstored(ctx, e)
		return
	}
	limited, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	handling := limited
	if !e.lost() {
		handling = withTaken(limited)
	}
	err := d.handle(handling, e)
	switch {
	case err != nil && ctx.Err() != nil: // the process is stopping: the request is repeated after the next start
		d.log.Warn("request from slack was interrupted", zap.String("envelope", e.ID), zap.String("type", e.Type), zap.Error(err))
		if e.lost() {
			e.unstored = err // some of it may have been done
		}
		d.respondUnstored(ctx, e)
		return
	case (errors.Is(err, alert.ErrUnavailable) || errors.Is(err, alert.ErrInDoubt)) && !e.lost():
		d.log.Warn("request from slack waits for the store", zap.String("envelope", e.ID), zap.String("type", e.Type), zap.Error(err))
		d.respondUnstored(ctx, e)
		d.postpone(ctx, e, d.work)
		return
	case err != nil:
		d.log.Error("request from slack failed", zap.String("envelope", e.ID), zap.String("type", e.Type), zap.Error(err))
	}
	d.finish(ctx, e)
}

// finish marks an envelope as handled. It is tried until that is written: what stays in the
// inbox is done again after the next start, and people are told of it once more.
func (d *dispatcher) finish(ctx context.Context, e received) {
	if e.lost() {
		d.claims.drop(e.ID)
		return
	}
	limited, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	err := d.inbox.Handled(limited, e.ID)
	if err == nil {
		d.claims.end(e.ID)
		return
	}
	d.log.Error("inbox could not mark an envelope as handled", zap.String("envelope", e.ID), zap.Error(err))
	d.postpone(ctx, e, d.finish)
}

// postpone does something about an envelope once the inbox has it for certain.
func (d *dispatcher) postpone(ctx context.Context, e received, do func(ctx context.Context, e received)) {
	d.pool.Go(func() {
		d.turn.Lock()
		defer d.turn.Unlock()
		for {
			select {
			case <-d.ending:
				return
			case <-time.After(d.again):
			}
			if _, err := d.inbox.Receive(ctx, e.Envelope); err == nil {
				d.log.Info("inbox can be used again for an envelope", zap.String("envelope", e.ID))
				e.unstored = nil
				do(ctx, e)
				return
			}
		}
	})
}

// handle decodes one envelope and calls the handler; a panic becomes an error.
func (d *dispatcher) handle(ctx context.Context, e received) (err error) {
	defer recovered(&err)
	switch e.Type {
	case socketmode.RequestTypeSlashCommands:
		return d.command(ctx, e)
	case socketmode.RequestTypeEventsAPI:
		return d.event(ctx, e)
	case socketmode.RequestTypeInteractive:
		return d.interaction(ctx, e)
	}
	d.log.Warn("slack sent an envelope of an unknown type", zap.String("envelope", e.ID), zap.String("type", e.Type))
	return nil
}

// recovered turns a panic into an error; it has to be deferred.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = errors.Join(*err, fmt.Errorf("panic: %v", p))
	}
}

func (d *dispatcher) command(ctx context.Context, e received) error {
	self, err := d.bot.identify(ctx)
	if err != nil {
		return err
	}
	c, err := decodeCommand(e.Payload, self)
	if err != nil {
		return err
	}
	c.Lost = e.lost()
	d.bot.learnFromCommand(ctx, c)
	return d.handler.Command(ctx, c)
}

func (d *dispatcher) event(ctx context.Context, e received) error {
	event, err := decodeEvent(e.Payload, d.bot.Identity())
	switch {
	case err != nil:
		return err
	case event.message != nil:
		event.message.Lost = e.lost()
		d.bot.learnDM(ctx, event.message.User, event.message.Channel)
		return d.handler.Message(ctx, *event.message)
	case event.home != nil:
		d.bot.learnDM(ctx, event.home.User, event.home.Channel)
		return d.handler.Home(ctx, *event.home)
	case event.renamed != nil:
		d.bot.learnChannel(ctx, event.team, event.renamed.Name, event.renamed.ID)
	case event.revoked:
		d.log.Error("slack revoked the app's access", zap.String("event", event.kind), zap.String("hint", "install the app again and renew its tokens"))
	default:
		d.log.Debug("event ignored", zap.String("envelope", e.ID), zap.String("event", event.kind), zap.String("why", event.ignored))
	}
	return nil
}

func (d *dispatcher) interaction(ctx context.Context, e received) error {
	i, err := decodeInteraction(e.Payload, d.bot.Identity())
	if err != nil {
		return err
	}
	for _, a := range i.actions {
		a.Lost = e.lost()
		err = errors.Join(err, d.handler.Action(ctx, a))
	}
	if i.submission == nil {
		return err
	}
	i.submission.Lost = e.lost()
	if _, work := d.handler.Submit(*i.submission); work != nil {
		return work(ctx)
	}
	return nil
}

// dialogErrors returns the handler's errors for a dialog, if the envelope is one
// and may be answered (docs/slack.md §7.5).
func (d *dispatcher) dialogErrors(r socketmode.Request) (errs map[string]string) {
	if r.Type != socketmode.RequestTypeInteractive || !r.AcceptsResponsePayload {
		return nil
	}
	i, err := decodeInteraction(r.Payload, d.bot.Identity())
	if err != nil || i.submission == nil {
		return nil
	}
	var panicked error
	func() {
		defer recovered(&panicked)
		errs, _ = d.handler.Submit(*i.submission)
	}()
	if panicked != nil {
		d.log.Error("dialog could not be validated", zap.String("envelope", r.EnvelopeID), zap.Error(panicked))
	}
	return errs
}

// lookAgain is when an inbox that could not be used is used again.
const lookAgain = time.Second

// requeue puts what an earlier run did not finish into the backlog, and then what other
// replicas receive. An inbox that does not answer at the start keeps no new request waiting.
func (d *dispatcher) requeue(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, inboxLimit)
	defer cancel()
	left, err := d.unclaimed(limited)
	if len(left) > 0 {
		d.log.Info("handling requests from before the start", zap.Int("count", len(left)))
	}
	d.receivers.Go(func() {
		for {
			for _, e := range left {
				d.backlog <- received{Envelope: e}
			}
			var again <-chan time.Time
			if err != nil {
				again = time.After(d.again)
			}
			select {
			case <-d.inbox.Received():
			case <-again:
			case <-ctx.Done():
				return
			}
			left, err = d.unclaimed(ctx)
		}
	})
}

// unclaimed lists, and claims, what is to be handled and not in the hands of this process.
func (d *dispatcher) unclaimed(ctx context.Context) ([]alert.Envelope, error) {
	d.claims.look()
	defer d.claims.looked()
	left, err := d.inbox.Unhandled(ctx)
	if err != nil && ctx.Err() == nil {
		d.log.Error("inbox could not be read for unfinished requests", zap.Error(err))
	}
	return slices.DeleteFunc(left, func(e alert.Envelope) bool { return !d.claims.first(e.ID) }), err
}

// claims are the envelopes that this process receives or handles, which it finds in the inbox
// when it looks for others. A nil one claims nothing.
type claims struct {
	mu sync.Mutex
	// count is how many copies of each are in hand; ended are those that were handled while the
	// inbox was being read.
	count   map[string]int
	looking bool
	ended   []string
}

// add claims an envelope before it is stored.
func (c *claims) add(id string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[id]++
}

// drop gives up the claim of one copy that was a duplicate.
func (c *claims) drop(id string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count[id]--; c.count[id] <= 0 {
		delete(c.count, id)
	}
}

// end gives up the claim of an envelope that is marked as handled. A list that is being read
// may still have it.
func (c *claims) end(id string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.looking {
		c.ended = append(c.ended, id)
		return
	}
	delete(c.count, id)
}

func (c *claims) look() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looking = true
}

func (c *claims) looked() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.ended {
		delete(c.count, id)
	}
	c.looking, c.ended = false, nil
}

// first claims an envelope unless it is claimed.
func (c *claims) first(id string) bool {
	if c == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count[id] > 0 {
		return false
	}
	c.count[id] = 1
	return true
}
