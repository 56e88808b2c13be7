package outbox

import (
	"slices"
	"sync"
	"time"
)

// bucket is a token bucket kept as one instant, the time at which it will be
// full again (the generic cell rate algorithm). It is exact and needs no timer.
// With a zero fullAt it is full.
type bucket struct {
	every  time.Duration // between two new tokens
	burst  int           // tokens when full
	fullAt time.Time
}

// at returns when a token can be taken by somebody with so many others ahead; now
// or earlier means at once.
func (b *bucket) at(now time.Time, ahead int) time.Time {
	return latest(b.fullAt, now).Add(time.Duration(ahead-b.burst+1) * b.every)
}

// spend takes one token, whether there is one or not.
func (b *bucket) spend(now time.Time) { b.fullAt = latest(b.fullAt, now).Add(b.every) }

// pause leaves no token before until, and one at until.
func (b *bucket) pause(until time.Time) {
	b.fullAt = latest(b.fullAt, until.Add(time.Duration(b.burst-1)*b.every))
}

// pacer is a bucket that lanes share, first come, first served. A lane is known by
// its wake channel. Each lane knows when to ask again, so none depends on being
// woken; a wake only makes it earlier.
type pacer struct {
	mu     sync.Mutex
	bucket bucket
	queue  []waiter
}

// waiter is a lane with a place in the queue. While it is busy it keeps its place
// and others are served first.
type waiter struct {
	who  chan struct{}
	busy bool
}

// acquire takes a token, or takes a place in the queue and returns when to ask
// again.
func (p *pacer) acquire(now time.Time, who chan struct{}) (ok bool, again time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	place, ahead := p.find(who)
	if again = p.bucket.at(now, ahead); again.After(now) {
		if place < 0 {
			p.queue = append(p.queue, waiter{who: who})
		} else {
			p.queue[place].busy = false
		}
		return false, again
	}
	p.bucket.spend(now)
	if place >= 0 {
		p.queue = slices.Delete(p.queue, place, place+1)
		p.wakeFirst()
	}
	return true, time.Time{}
}

// giveBack returns a token that was not used.
func (p *pacer) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bucket.fullAt = p.bucket.fullAt.Add(-p.bucket.every)
	p.wakeFirst()
}

// leave gives up a place in the queue, for a lane that can't send for a while.
func (p *pacer) leave(who chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if place, ahead := p.find(who); place >= 0 {
		p.queue = slices.Delete(p.queue, place, place+1)
		if ahead == 0 {
			p.wakeFirst()
		}
	}
}

// letOthersPass serves others first until who asks again.
func (p *pacer) letOthersPass(who chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if place, ahead := p.find(who); place >= 0 {
		p.queue[place].busy = true
		if ahead == 0 {
			p.wakeFirst()
		}
	}
}

// find returns who's place (-1 for none) and how many are served first.
func (p *pacer) find(who chan struct{}) (place, ahead int) {
	for place, w := range p.queue {
		if w.who == who {
			return place, ahead
		}
		if !w.busy {
			ahead++
		}
	}
	return -1, ahead
}

// full returns when all tokens will be there again.
func (p *pacer) full() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bucket.fullAt
}

// notBefore has all tokens there at a time at the earliest.
func (p *pacer) notBefore(full time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bucket.fullAt = latest(p.bucket.fullAt, full)
}

// wakeFirst wakes the lane that is served next, because its time may have changed.
func (p *pacer) wakeFirst() {
	for _, w := range p.queue {
		if !w.busy {
			signal(w.who)
			return
		}
	}
}

// pause gives no token before until.
func (p *pacer) pause(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bucket.pause(until)
}

// signal sends to c, which holds one signal, without ever blocking.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earliest ignores zero times. It is zero only when both are.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// lookTimes assigns the times at which lanes may search history, which Slack
// limits for the workspace (tier 3, docs/slack.md §3.2): after a crash a thousand
// lanes may want to look at once.
type lookTimes struct {
	mu     sync.Mutex
	bucket bucket
	// until is the end of the latest pause. Times before it are no longer valid.
	until time.Time
}

// next returns when a lane may look: the time had that it got before (zero for
// none), if that is still valid, or else a new one.
func (t *lookTimes) next(now, had time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !had.IsZero() && !had.Before(t.until) {
		return had
	}
	at := latest(t.bucket.at(now, 0), now)
	t.bucket.spend(now)
	return at
}

// pause assigns no time before until.
func (t *lookTimes) pause(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until = latest(t.until, until)
	t.bucket.pause(until)
}
