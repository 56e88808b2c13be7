package bot

import (
	"math/rand/v2"
	"time"
)

const (
	backoffFirst = 500 * time.Millisecond
	backoffMost  = 30 * time.Second
	// stableAfter is the life after which a connection counts as a good one.
	stableAfter = 30 * time.Second
)

// backoff spaces the attempts of one slot: full jitter under a ceiling that
// doubles with each attempt, until a connection has lived.
type backoff struct{ tries int }

func (b *backoff) ceiling() time.Duration {
	if b.tries > 6 {
		return backoffMost
	}
	return min(backoffFirst<<b.tries, backoffMost)
}

// next is the wait before the next attempt.
func (b *backoff) next() time.Duration {
	wait := rand.N(b.ceiling())
	b.tries++
	return wait
}

// lived notes how long a connection was up.
func (b *backoff) lived(d time.Duration) {
	if d >= stableAfter {
		b.tries = 0
	}
}
