package bot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"

	"tocsin/alert"
)

// Handler answers people. Each method is called by one of several workers, with a
// context that ends after 30 seconds. An error is logged and the request is not
// repeated, unless the process was stopping: then it is, after the next start.
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

const (
	workers   = 8
	workLimit = 30 * time.Second
	// finishLimit is how long the workers may take to finish when the process
	// stops; the rest stays in the inbox.
	finishLimit = 3 * time.Second
)

// startWorkers starts goroutines that handle the backlog until it is closed. They
// discard what is left of it when ctx ends.
func (s *Socket) startWorkers(ctx context.Context) *sync.WaitGroup {
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for e := range s.backlog {
				s.work(ctx, e)
			}
		})
	}
	return &group
}

func (s *Socket) work(ctx context.Context, e alert.Envelope) {
	if ctx.Err() != nil {
		return
	}
	limited, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	err := s.handle(limited, e)
	if err != nil {
		s.log.Error("request from slack failed", zap.String("envelope", e.ID), zap.String("type", e.Type), zap.Error(err))
	}
	if err != nil && ctx.Err() != nil {
		return // the process is stopping: the request is repeated after the next start
	}
	if err := s.inbox.Handled(limited, e.ID); err != nil {
		s.log.Error("inbox could not mark an envelope as handled", zap.String("envelope", e.ID), zap.Error(err))
	}
}

// handle decodes one envelope and calls the handler; a panic becomes an error.
func (s *Socket) handle(ctx context.Context, e alert.Envelope) (err error) {
	defer recovered(&err)
	switch e.Type {
	case socketmode.RequestTypeSlashCommands:
		return s.command(ctx, e)
	case socketmode.RequestTypeEventsAPI:
		return s.event(ctx, e)
	case socketmode.RequestTypeInteractive:
		return s.interaction(ctx, e)
	}
	s.log.Warn("slack sent an envelope of an unknown type", zap.String("envelope", e.ID), zap.String("type", e.Type))
	return nil
}

// recovered turns a panic into an error; it has to be deferred.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = errors.Join(*err, fmt.Errorf("panic: %v", p))
	}
}

func (s *Socket) command(ctx context.Context, e alert.Envelope) error {
	self, err := s.bot.identify(ctx)
	if err != nil {
		return err
	}
	c, err := decodeCommand(e.Payload, self)
	if err != nil {
		return err
	}
	s.bot.learnFromCommand(ctx, c)
	return s.handler.Command(ctx, c)
}

func (s *Socket) event(ctx context.Context, e alert.Envelope) error {
	d, err := decodeEvent(e.Payload, s.bot.Identity())
	switch {
	case err != nil:
		return err
	case d.message != nil:
		s.bot.learnDM(ctx, d.message.User, d.message.Channel)
		return s.handler.Message(ctx, *d.message)
	case d.home != nil:
		s.bot.learnDM(ctx, d.home.User, d.home.Channel)
		return s.handler.Home(ctx, *d.home)
	case d.renamed != nil:
		s.bot.learnChannel(ctx, d.team, d.renamed.Name, d.renamed.ID)
	case d.revoked:
		s.log.Error("slack revoked the app's access", zap.String("event", d.kind), zap.String("hint", "install the app again and renew its tokens"))
	default:
		s.log.Debug("event ignored", zap.String("envelope", e.ID), zap.String("event", d.kind), zap.String("why", d.ignored))
	}
	return nil
}

func (s *Socket) interaction(ctx context.Context, e alert.Envelope) error {
	i, err := decodeInteraction(e.Payload, s.bot.Identity())
	if err != nil {
		return err
	}
	for _, a := range i.actions {
		err = errors.Join(err, s.handler.Action(ctx, a))
	}
	if i.submission == nil {
		return err
	}
	if _, work := s.handler.Submit(*i.submission); work != nil {
		return work(ctx)
	}
	return nil
}

// dialogErrors returns the handler's errors for a dialog, if the envelope is one
// and may be answered (docs/slack.md §7.5).
func (s *Socket) dialogErrors(r socketmode.Request) (errs map[string]string) {
	if r.Type != socketmode.RequestTypeInteractive || !r.AcceptsResponsePayload {
		return nil
	}
	i, err := decodeInteraction(r.Payload, s.bot.Identity())
	if err != nil || i.submission == nil {
		return nil
	}
	var panicked error
	func() {
		defer recovered(&panicked)
		errs, _ = s.handler.Submit(*i.submission)
	}()
	if panicked != nil {
		s.log.Error("dialog could not be validated", zap.String("envelope", r.EnvelopeID), zap.Error(panicked))
	}
	return errs
}

// requeue puts what an earlier run did not finish into the backlog. It reads the
// inbox before the first connection opens, so that it finds no new envelopes.
func (s *Socket) requeue(ctx context.Context) {
	left, err := s.inbox.Unhandled(ctx)
	if err != nil {
		s.log.Error("inbox could not be read for unfinished requests", zap.Error(err))
		return
	}
	if len(left) > 0 {
		s.log.Info("handling requests from before the start", zap.Int("count", len(left)))
	}
	s.receivers.Go(func() {
		for _, e := range left {
			s.backlog <- e
		}
	})
}
