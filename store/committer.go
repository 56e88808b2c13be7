package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// queueSize is how many writes other than commits may wait before their callers
// wait for room.
const queueSize = 512

// The states of an op. Whoever moves it out of waiting owns it.
const (
	opWaiting int32 = iota
	opStarted
	opAbandoned
)

// op is one write that waits for the writer.
type op struct {
	// do may be called again when the group it was written with has failed.
	do func(*writer, context.Context) error
	// certain: the caller waits for the answer, however long, once do has begun.
	certain bool
	state   atomic.Int32
	err     error
	answer  chan error
}

// start makes the op the writer's, unless its caller has given up.
func (o *op) start() bool { return o.state.CompareAndSwap(opWaiting, opStarted) }

// abandon gives the op up, unless the writer has started it.
func (o *op) abandon() bool { return o.state.CompareAndSwap(opWaiting, opAbandoned) }

// refusal is an error of one op that has written nothing: the others of its
// group are not disturbed.
type refusal struct{ err error }

func (r refusal) Error() string { return r.err.Error() }
func (r refusal) Unwrap() error { return r.err }

// write waits until do is written and durable, together with other writes. Once do
// has begun, it waits until the answer is certain.
func (d *DB) write(ctx context.Context, do func(*writer, context.Context) error) error {
	return d.submit(ctx, d.others, &op{do: do, certain: true})
}

// answerWrite is write for somebody who waits for an answer: if do has begun and does
// not return in time, the error is alert.ErrInDoubt. What do sets must not be read then.
func (d *DB) answerWrite(ctx context.Context, do func(*writer, context.Context) error) error {
	return d.submit(ctx, d.others, &op{do: do})
}

// submit waits until o, queued in commits or others, is written and durable. What is
// not begun in time is not written.
func (d *DB) submit(ctx context.Context, queue chan<- *op, o *op) error {
	o.answer = make(chan error, 1)
	if d.front {
		return errFront
	}
	if since := d.writing.Load(); since != nil && time.Since(*since) > d.answerWithin {
		return errNoAnswer // this would only wait behind it
	}
	select {
	case <-d.closing:
		return errClosed
	default:
	}
	limit := time.NewTimer(d.answerWithin)
	defer limit.Stop()
	select {
	case queue <- o:
		return d.await(ctx, limit.C, o)
	case <-limit.C:
		return errNoAnswer
	case <-ctx.Done():
		return ctx.Err()
	case <-d.closing:
		return errClosed
	}
}

// await waits for the answer until limit. An op that is already being written is
// waited for even when ctx ends, so that the answer is certain.
func (d *DB) await(ctx context.Context, limit <-chan time.Time, o *op) error {
	given := ctx.Done()
	for {
		select {
		case err := <-o.answer:
			return err
		case <-given:
			if o.abandon() {
				return ctx.Err()
			}
			given = nil
		case <-limit:
			if o.abandon() {
				return errNoAnswer
			}
			if !o.certain {
				return doubt{errNoAnswer}
			}
		case <-d.stopped:
			return lastAnswer(o)
		}
	}
}

// lastAnswer returns the answer that came before the store was closed, if one did.
func lastAnswer(o *op) error {
	select {
	case err := <-o.answer:
		return err
	default:
		return errClosed
	}
}

// writeLoop is the only writer. It ends when the store closes and everything
// that waits is answered.
func (d *DB) writeLoop(w *writer) {
	defer close(d.stopped)
	defer w.close()
	s := scheduler{commits: d.commits, others: d.others, closing: d.closing, now: d.now}
	for {
		group := s.next()
		if group == nil {
			d.closeKeys(w)
			return
		}
		d.writeGroup(w, group, s.more)
		s.done()
	}
}

// writeGroup writes a group, and the ops that more returns until it returns nil,
// in one transaction, and answers each op. If that fails it writes each op by
// itself, so that one bad op does not fail the others.
func (d *DB) writeGroup(w *writer, group []*op, more func() *op) {
	group, err := d.transact(w, group, more)
	var unknown unknownOutcome
	for tries := 1; tries < mostTries && d.mayTryAgain(err) && !errors.As(err, &unknown); tries++ {
		group, err = d.transact(w, group, nothing)
	}
	if err != nil && len(group) > 1 && !d.hopeless(err) {
		for _, o := range group {
			d.writeGroup(w, []*op{o}, nothing)
		}
		return
	}
	inDoubt := errors.As(err, &unknown)
	err = d.classify(err)
	d.note(w, err)
	if inDoubt {
		err = doubt{err}
	}
	for _, o := range group {
		if err != nil {
			o.err = err
		}
		if p, ok := errors.AsType[*panicError](o.err); ok {
			d.log.Error("writing panicked", zap.Any("panic", p.value), zap.ByteString("stack", p.stack))
		}
		o.answer <- o.err
	}
}

// panicError is a panic in an op. It wraps alert.ErrInternal.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
func (e *panicError) Unwrap() error { return alert.ErrInternal }

// run runs the op. A panic fails it, so that its transaction is rolled back and the
// others are written without it.
func (o *op) run(ctx context.Context, w *writer) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{value: value, stack: debug.Stack()}
		}
	}()
	return o.do(w, ctx)
}

// trouble is why nothing can be written, and since when.
type trouble struct {
	err   error
	since time.Time
}

// note remembers why nothing can be written, until something was written again.
func (d *DB) note(w *writer, err error) {
	if errors.Is(err, alert.ErrUnavailable) {
		t := trouble{err, time.Now()}
		if before := d.trouble.Load(); before != nil {
			t.since = before.since
		}
		d.trouble.Store(&t)
	} else if !w.sick {
		d.trouble.Store(nil)
	}
}

// hopeless: writing the group's ops one by one would fail for each, or might
// write one twice because it is unknown whether the group was written.
func (d *DB) hopeless(err error) bool {
	var unknown unknownOutcome
	return errors.As(err, &unknown) || d.dialect.unavailable(err) || errors.Is(err, alert.ErrUnavailable)
}

// nothing adds no op to a group.
func nothing() *op { return nil }

// transact writes a group in one transaction, and returns it with the ops that
// more added. The err of an op that was refused says why.
func (d *DB) transact(w *writer, group []*op, more func() *op) ([]*op, error) {
	now := time.Now()
	d.writing.Store(&now)
	defer d.writing.Store(nil)
	ctx := context.Background()
	if err := w.begin(ctx); err != nil {
		return group, err
	}
	group, err := w.apply(ctx, group, more)
	if err != nil {
		w.rollback()
		return group, err
	}
	if err := w.commit(ctx); err != nil {
		return group, err
	}
	d.confirmed.Store(&now)
	d.waiters.wake(w.settled)
	if err := w.files.checkAll(); err != nil { // it may be in a file that has no name any more
		return group, unknownOutcome{err}
	}
	return group, nil
}
