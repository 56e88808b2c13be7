package outbox

import (
	"slices"
	"sync"
	"time"
)

// bucket is a token bucket kept as one instant, the time at which it will be
// full again (the generic cell rate algorithm). It is exact, needs no timer,
// and a zero spent means full.
type bucket struct {
	every time.Duration // a new token each
	burst int           // tokens when full
	spent time.Time     // full again from here on
}

// at says when the token behind place others can be taken; now or earlier means
// at once.
func (b *bucket) at(now time.Time, place int) time.Time {
	return latest(b.spent, now).Add(time.Duration(place-b.burst+1) * b.every)
}

// take uses one token, whether there is one or not.
func (b *bucket) take(now time.Time) { b.spent = latest(b.spent, now).Add(b.every) }

// pause leaves no token before until, and exactly one then.
func (b *bucket) pause(until time.Time) {
	b.spent = latest(b.spent, until.Add(time.Duration(b.burst-1)*b.every))
}

// budget is a bucket that many lanes share, first come, first served. A lane is
// known here by its wake channel.
type budget struct {
	mu     sync.Mutex
	bucket bucket
	queue  []chan struct{}
}

// take gives a token, or else keeps a place in the queue and says when to ask
// again.
func (b *budget) take(now time.Time, who chan struct{}) (ok bool, again time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	place := slices.Index(b.queue, who)
	queued := place >= 0
	if !queued {
		place = len(b.queue)
	}
	if again = b.bucket.at(now, place); again.After(now) {
		if !queued {
			b.queue = append(b.queue, who)
		}
		return false, again
	}
	if queued {
		b.queue = slices.Delete(b.queue, place, place+1)
	}
	b.bucket.take(now)
	return true, time.Time{}
}

// giveBack returns a token that was not used.
func (b *budget) giveBack(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bucket.spent = b.bucket.spent.Add(-b.bucket.every)
	b.tell(now)
}

// leave gives up a place in the queue, so that a lane that can't send anyway
// keeps nobody waiting.
func (b *budget) leave(now time.Time, who chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if place := slices.Index(b.queue, who); place >= 0 {
		b.queue = slices.Delete(b.queue, place, place+1)
		b.tell(now)
	}
}

// tell wakes those in the queue who can have a token now.
func (b *budget) tell(now time.Time) {
	for place, who := range b.queue {
		if b.bucket.at(now, place).After(now) {
			return
		}
		poke(who)
	}
}

// pause hands out nothing before until.
func (b *budget) pause(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bucket.pause(until)
}

// poke signals c, which holds one signal, without ever blocking.
func poke(c chan struct{}) {
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

// earliest ignores zero times; zero only when both are.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
