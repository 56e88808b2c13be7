package store

import (
	"context"
	"errors"
	"sync/atomic"

	"tocsin/alert"
)

const (
	// queueSize is how many commits, and how many other writes, may wait for the
	// disk.
	queueSize = 4096
	// groupSize is the most commits, and the most other writes, that share one
	// transaction. A group is as large as what came in while the one before was
	// being synced, so no timer is needed to make it large.
	groupSize = 512
)

// The states of an op. Who moves it out of waiting owns it.
const (
	opWaiting int32 = iota
	opTaken
	opAbandoned
)

// op is one write on its way into a group.
type op struct {
	// change is a commit, which is written together with the others of its group.
	change *change
	// do is any other write. It may be called again when its group failed.
	do     func(*writer, context.Context) error
	state  atomic.Int32
	err    error
	answer chan error
}

// refusal is an error that one op earns by itself, before it wrote anything:
// its neighbours in the group are not disturbed.
type refusal struct{ err error }

func (r refusal) Error() string { return r.err.Error() }
func (r refusal) Unwrap() error { return r.err }

// write queues do and waits until it is durable. When too much waits, it waits
// for its place: its callers are few, and what they report has already happened.
func (d *DB) write(ctx context.Context, do func(*writer, context.Context) error) error {
	o := &op{do: do, answer: make(chan error, 1)}
	select {
	case <-d.closing:
		return errClosed
	default:
	}
	select {
	case d.queue <- o:
		return d.await(ctx, o)
	case <-ctx.Done():
		return ctx.Err()
	case <-d.closing:
		return errClosed
	}
}

// shed queues a commit and waits until it is durable. When too much waits it
// refuses at once: whoever pushes alerts can try again.
func (d *DB) shed(ctx context.Context, c *change) error {
	o := &op{change: c, answer: make(chan error, 1)}
	select {
	case <-d.closing:
		return errClosed
	default:
	}
	select {
	case d.commits <- o:
		return d.await(ctx, o)
	default:
		return alert.ErrOverloaded
	}
}

// await waits for the answer. An op that is already being written is waited
// for even when ctx ends, so that the answer is certain.
func (d *DB) await(ctx context.Context, o *op) error {
	select {
	case err := <-o.answer:
		return err
	case <-ctx.Done():
		if o.state.CompareAndSwap(opWaiting, opAbandoned) {
			return ctx.Err()
		}
	case <-d.stopped:
	}
	select {
	case err := <-o.answer:
		return err
	case <-d.stopped:
	}
	select {
	case err := <-o.answer:
		return err
	default:
		return errClosed
	}
}

// writeLoop is the one place that writes. It ends when the store closes and
// everything that waits is answered.
func (d *DB) writeLoop(w *writer) {
	defer close(d.stopped)
	defer w.close()
	turns := turns{DB: d}
	for {
		group := turns.next()
		if group == nil {
			return
		}
		d.writeGroup(w, group, turns.more)
		turns.over()
	}
}

// take makes the op the writer's, unless its caller has given it up.
func (o *op) take() bool { return o.state.CompareAndSwap(opWaiting, opTaken) }

// writeGroup writes a group, with more as long as that gives any, and answers
// each of its ops.
func (d *DB) writeGroup(w *writer, group []*op, more func() *op) {
	group, err := d.transact(w, group, more)
	if err != nil && len(group) > 1 && !d.hopeless(err) {
		for _, o := range group {
			d.writeGroup(w, []*op{o}, nothing)
		}
		return
	}
	var unknown unknownOutcome
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
		o.answer <- o.err
	}
}

// note keeps the store's trouble, until something was written again.
func (d *DB) note(w *writer, err error) {
	if errors.Is(err, alert.ErrUnavailable) {
		d.trouble.Store(&err)
	} else if !w.sick {
		d.trouble.Store(nil)
	}
}

// hopeless: trying the group's ops one by one would fail for each, or might
// write one twice because it is unknown whether the group was written.
func (d *DB) hopeless(err error) bool {
	var unknown unknownOutcome
	return errors.As(err, &unknown) || d.dialect.unavailable(err) || errors.Is(err, alert.ErrUnavailable)
}

// nothing goes with an op that is tried by itself.
func nothing() *op { return nil }

// transact writes a group in one transaction, and returns it with what more
// gave. An op that was refused has the reason in its err.
func (d *DB) transact(w *writer, group []*op, more func() *op) ([]*op, error) {
	ctx := context.Background()
	if d.dialect.patience > 0 {
		bounded, cancel := context.WithTimeout(ctx, d.dialect.patience)
		defer cancel()
		ctx = bounded
	}
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
	d.waiters.wake(w.settled)
	return group, nil
}
