package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// stages are the parts of a daemon, started one after the other and stopped in
// reverse, each with a time limit. A part stops before those it uses.
type stages struct {
	log     *zap.Logger
	started []*stage
	failed  chan error // the first part that ended with an error
}

type stage struct {
	name  string
	limit time.Duration
	stop  func(ctx context.Context) error
	done  chan struct{}
	err   error // valid once done is closed
}

func newStages(log *zap.Logger) *stages {
	return &stages{log: log, failed: make(chan error, 1)}
}

// start runs a part in the background until its context ends; stopping it may
// take up to limit.
func (s *stages) start(name string, limit time.Duration, run func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	s.startWith(name, limit, func() error { return run(ctx) }, func(context.Context) error {
		cancel()
		return nil
	})
}

// startWith is start for a part that is stopped by a call instead of a context.
func (s *stages) startWith(name string, limit time.Duration, run func() error, stop func(ctx context.Context) error) {
	st := &stage{name: name, limit: limit, stop: stop, done: make(chan struct{})}
	s.started = append(s.started, st)
	go func() {
		defer close(st.done)
		if st.err = run(); st.err != nil {
			st.err = fmt.Errorf("%s: %w", name, st.err)
			select {
			case s.failed <- st.err:
			default:
			}
		}
	}()
}

// wait blocks until ctx ends or a part fails, and returns that part's error.
func (s *stages) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.failed:
		return err
	}
}

// stop ends the parts in reverse order and joins their errors. A part that
// does not end within its limit is abandoned; after stopAll, the remaining parts
// are told to stop but not waited for.
func (s *stages) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopAll)
	defer cancel()
	var all error
	for i := len(s.started) - 1; i >= 0; i-- {
		st := s.started[i]
		began := time.Now()
		all = errors.Join(all, st.end(ctx))
		s.log.Debug("stopped", zap.String("part", st.name), zap.Duration("took", time.Since(began)))
	}
	return all
}

func (st *stage) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, st.limit)
	defer cancel()
	err := st.stop(ctx)
	select {
	case <-st.done:
		return errors.Join(err, st.err)
	case <-ctx.Done():
	}
	select { // it may have stopped at the last moment
	case <-st.done:
		return errors.Join(err, st.err)
	default:
		return errors.Join(err, fmt.Errorf("%s: did not stop within %s", st.name, st.limit))
	}
}
