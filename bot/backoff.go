package bot

import (
	"math/rand/v2"
	"time"
)

const (
	backoffFirst = 500 * time.Millisecond
	backoffMost  = 30 * time.Second
	// stableAfter is how long a connection has to last to reset the back-off.
	stableAfter = 30 * time.Second
)

// backoff spaces the attempts of one slot: full jitter below a ceiling that
// doubles with each attempt, until a connection lasts.
type backoff struct{ tries int }

func (b *backoff) ceiling() time.Duration {
	return min(backoffFirst<<min(b.tries, 6), backoffMost)
}

func (b *backoff) next() time.Duration {
	wait := rand.N(b.ceiling())
	b.tries++
	return wait
}

// connectedFor resets the back-off if a connection lasted long enough.
func (b *backoff) connectedFor(d time.Duration) {
	if d >= stableAfter {
		b.tries = 0
	}
}
