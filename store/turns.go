package store

import (
	"runtime"
	"time"
)

const (
	// turnTime is how long other writes go on in one transaction before the
	// commits that came meanwhile have their turn. A claim that gathers a digest
	// takes longer than many commits, and a thousand lanes may claim at once.
	turnTime = 10 * time.Millisecond
	// restMost bounds how long commits then go alone.
	restMost = time.Second / 4
)

// turns shares the writer between the commits, for which senders wait, and all
// other writes. Only writeLoop uses it.
type turns struct {
	*DB
	// began is when the first of the other writes was taken into the transaction,
	// left how many more may be.
	began time.Time
	left  int
	// rest is until when commits go alone, because one of the others took long.
	rest time.Time
}

// next waits until something is to be written and returns the commits that
// wait, up to a full group, or else one other write. It returns nil when the
// store closes and everything is answered.
func (t *turns) next() []*op {
	for {
		first, ok := t.first()
		if !ok {
			return nil
		}
		t.began, t.left = time.Time{}, groupSize
		if t.resting() > 0 {
			t.left = 0
		}
		if group := t.group(first); len(group) > 0 {
			return group
		}
	}
}

// first takes what comes first, or nil when a rest is over before anything
// came; ok is false when nothing will come any more.
func (t *turns) first() (first *op, ok bool) {
	queue := t.queue
	var awake <-chan time.Time
	if d := t.resting(); d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		queue, awake = nil, timer.C
	}
	select {
	case first = <-t.commits:
	case first = <-queue:
	case <-awake:
	case <-t.closing:
		return t.last()
	}
	return first, true
}

// last takes what waits in a store that closes.
func (t *turns) last() (*op, bool) {
	select {
	case o := <-t.commits:
		return o, true
	case o := <-t.queue:
		return o, true
	default:
		return nil, false
	}
}

// group takes the commits that wait, up to a full group, and first, which
// stands behind them if it is none.
func (t *turns) group(first *op) []*op {
	if first == nil {
		return nil
	}
	runtime.Gosched()
	group := make([]*op, 0, 64)
	if first.change != nil && first.take() {
		group = append(group, first)
	}
	for waiting := true; waiting && len(group) < groupSize; {
		select {
		case o := <-t.commits:
			if o.take() {
				group = append(group, o)
			}
		default:
			waiting = false
		}
	}
	if first.change == nil && first.take() {
		t.began = t.now()
		group = append(group, first)
	}
	return group
}

// more takes another write that is no commit, or returns nil when none waits or
// they have had their turn.
func (t *turns) more() *op {
	for t.left > 0 && (t.began.IsZero() || t.now().Sub(t.began) < turnTime) {
		select {
		case o := <-t.queue:
			if !o.take() {
				continue
			}
			if t.left--; t.began.IsZero() {
				t.began = t.now()
			}
			return o
		default:
			return nil
		}
	}
	return nil
}

// over ends the transaction. When other writes took more than their turn and
// commits wait, those have as much time before the next of the others.
func (t *turns) over() {
	if t.began.IsZero() || len(t.commits) == 0 {
		return
	}
	now := t.now()
	if excess := now.Sub(t.began) - turnTime; excess > 0 {
		t.rest = now.Add(min(excess, restMost))
	}
}

func (t *turns) resting() time.Duration { return min(t.rest.Sub(t.now()), restMost) }
