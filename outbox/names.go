package outbox

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// UpdateNames gives lanes the names that the queue has for their conversations now. It
// has to be called after the queue has learnt an alias; an outbox notices by itself
// what its own deliveries have taught the queue. Lanes that have become one go on as
// one lane, at the slower of their paces and after what they are sending has ended.
func (o *Outbox) UpdateNames(ctx context.Context) {
	o.naming.Lock()
	defer o.naming.Unlock()
	names := o.queue.Aliases()
	if names == o.names.Load() {
		return
	}
	if err := o.destinations.load(ctx, names, o.queue); err != nil {
		o.log.Warn("load broken destinations", zap.Error(err)) // the next delivery tries again
		return
	}
	o.names.Store(names)
	o.renameLanes()
}

// renameLanes hands over lanes that have another name, or another pace, now. o.naming is held.
func (o *Outbox) renameLanes() {
	names, fallback := o.names.Load(), o.destinations.known().fallback
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, l := range o.lanes {
		to := names.Lane(name)
		if to != name || (to == fallback) != (l.pace == o.fallback) {
			o.handOver(l, to)
		}
	}
}

// handOver ends a lane, which goes on as another one. o.mu is held.
func (o *Outbox) handOver(l *lane, to string) {
	delete(o.lanes, l.name)
	o.metrics.lanes.Dec()
	if o.lanes[to] == nil {
		o.addLane(to)
	}
	next := o.lanes[to]
	next.predecessors = append(next.predecessors, l)
	close(l.over)
	if !l.started {
		close(l.ended)
	}
	signal(next.wake)
}

// takePredecessors returns the lanes that l has to wait for, each once.
func (o *Outbox) takePredecessors(l *lane) []*lane {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := l.predecessors
	l.predecessors = nil
	return all
}

// changesHands reports whether the lane has to wait for another one, or ends, because
// of a name that was learnt. It updates the names first, if they have changed.
func (o *Outbox) changesHands(ctx context.Context, l *lane) bool {
	o.UpdateNames(ctx)
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(l.predecessors) > 0 || l.isOver()
}

// isOver reports whether another lane goes on for this one.
func (l *lane) isOver() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

// awaitPredecessors waits until the lanes that have become this one have ended, and
// goes on at their pace. It returns false when stop ends.
func (l *lane) awaitPredecessors(stop context.Context) bool {
	for _, p := range l.outbox.takePredecessors(l) {
		l.status.set("waiting until "+p.name+" has ended", time.Now().Add(callTimeout))
		select {
		case <-p.ended:
		case <-stop.Done():
			return false
		}
		l.paused = latest(l.paused, p.paused)
		if p.pace != l.pace {
			l.pace.notBefore(p.pace.full())
		}
		if l.doubt == (doubt{}) {
			l.doubt = p.doubt
		}
	}
	return stop.Err() == nil
}
