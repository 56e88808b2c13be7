package store

import (
	"slices"
	"time"
)

const (
	// sharedTime is how long writes other than commits go on in one transaction
	// before the next commit. A claim that gathers a digest takes longer than many
	// commits, and a thousand lanes may claim at once.
	sharedTime = 10 * time.Millisecond
	// pauseMost bounds how long only commits are written after that.
	pauseMost = time.Second / 4
)

// scheduler divides the writer's time between commits, for which senders wait,
// and all other writes. A transaction is one commit, if one waits, and as many
// other writes as come within sharedTime, so that one fsync is enough for them.
// Only writeLoop uses it.
type scheduler struct {
	commits, others <-chan *op
	closing         <-chan struct{}
	now             func() time.Time
	// began is when the first of the other writes was taken into the transaction.
	began time.Time
	// paused is until when only commits are written, because other writes took
	// longer than their share.
	paused time.Time
}

// next waits for something to write and returns the commit that waits, or
// another write, or both. It returns nil when the store closes and nothing waits.
func (s *scheduler) next() []*op {
	s.began = time.Time{}
	for {
		group, open := s.wait()
		if !open {
			return nil
		}
		if group = slices.DeleteFunc(group, func(o *op) bool { return !o.start() }); len(group) > 0 {
			return group
		}
	}
}

// wait returns what comes first, or nothing when a pause ends before anything
// came; open is false when nothing will come any more.
func (s *scheduler) wait() (group []*op, open bool) {
	others := s.others
	var resume <-chan time.Time
	if pause := s.pause(); pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		others, resume = nil, timer.C
	}
	select {
	case o := <-s.commits:
		return []*op{o}, true
	case o := <-others:
		return s.behindCommit(o), true
	case <-resume:
		return nil, true
	case <-s.closing:
		return s.drain()
	}
}

// behindCommit returns another write, and before it the commit that waits.
func (s *scheduler) behindCommit(o *op) []*op {
	s.began = s.now()
	select {
	case c := <-s.commits:
		return []*op{c, o}
	default:
		return []*op{o}
	}
}

// drain returns what still waits in a store that closes.
func (s *scheduler) drain() (group []*op, open bool) {
	select {
	case o := <-s.commits:
		return []*op{o}, true
	case o := <-s.others:
		return []*op{o}, true
	default:
		return nil, false
	}
}

// more returns another write that waits for the open transaction, or nil when
// there is none or they have had their share.
func (s *scheduler) more() *op {
	for s.pause() <= 0 && (s.began.IsZero() || s.now().Sub(s.began) < sharedTime) {
		select {
		case o := <-s.others:
			if !o.start() {
				continue
			}
			if s.began.IsZero() {
				s.began = s.now()
			}
			return o
		default:
			return nil
		}
	}
	return nil
}

// done ends the transaction. When other writes took more than their share and a
// commit waits, commits have as much time to themselves.
func (s *scheduler) done() {
	if s.began.IsZero() || len(s.commits) == 0 {
		return
	}
	now := s.now()
	if excess := now.Sub(s.began) - sharedTime; excess > 0 {
		s.paused = now.Add(min(excess, pauseMost))
	}
}

// pause is how long only commits are to be written from now on.
func (s *scheduler) pause() time.Duration { return min(s.paused.Sub(s.now()), pauseMost) }
