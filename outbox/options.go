package outbox

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"tocsin/alert"
)

// What needs no setting.
const (
	// burst is how many posts a lane may send at once after a pause.
	burst = 3
	// updatePace is the time between two updates in the workspace and updateBurst
	// how many may be sent at once after a pause, so that no minute has more than
	// Slack's 50 (tier 3).
	updatePace  = time.Minute / 45
	updateBurst = 5
	// digestAfter is how long posts must have waited to become a digest, so that a
	// few alerts at once still get cards.
	digestAfter = 5 * time.Second
	// digestUrgentAfter is the same for criticals: a dozen cards that ring one after the
	// other tell less than one list, and it is there sooner.
	digestUrgentAfter = 2 * time.Second
	// rescanEvery is how often the queue is asked for lanes that were not woken.
	rescanEvery = time.Minute
	// callTimeout is how long one call to Slack may take.
	callTimeout = time.Minute
	// stuckAfter is how long past its time a lane counts as stuck.
	stuckAfter = 3 * time.Minute
)

// Options are the settings of an Outbox. A zero field takes the default given at
// the end of its comment.
type Options struct {
	// Rand returns numbers in [0,1) for back-off: math/rand/v2.
	Rand func() float64
	// Pace is the time between two posts in one lane: 1 s (docs/slack.md §3.2).
	Pace time.Duration
	// DigestAbove is how many posts of one priority may wait in a lane before they
	// become a digest: 5.
	DigestAbove int
	// GiveUpAfter is the age at which a failing delivery is given up: 24 h. If
	// Slack can't be reached it is tried at least ten times, however old it is.
	GiveUpAfter time.Duration
	// HoldUnsure reports whether a job that may have been shown and can't be looked
	// for is given up, so that a person decides. Otherwise it is sent again and
	// marked as a possible duplicate. It must be quick. nil never gives up.
	HoldUnsure func(job alert.Job) bool
	// Fallback is the conversation that is used in place of those that can't be
	// reached. Empty: their deliveries wait.
	Fallback string
	// LastResort reports stranded deliveries outside Slack and returns nil when
	// they were taken. It is called for one lane at a time and never again for a
	// delivery that it has taken. nil: there is none.
	LastResort func(ctx context.Context, s alert.Stranded) error
	// ReachEvery is how often a broken destination is checked: 5 min.
	ReachEvery time.Duration
	// ProbeEvery is how often Slack is asked whether it accepts the app again
	// while all deliveries are held: 1 min.
	ProbeEvery time.Duration
	// Attempt is called before each attempt at a job. The attempt's calls have the context that
	// it returns, and ended is called with the outcome and its name once that is written. nil:
	// nobody is told.
	Attempt func(ctx context.Context, job alert.Job) (calls context.Context, ended func(name string, o alert.Outcome))
	// Grace is how long calls in flight may go on after the end of Run's context: 5 s.
	Grace time.Duration
	// Log gets one line for each event; nil is silent.
	Log *zap.Logger
	// Metrics is where the metrics are registered; nil keeps them private.
	Metrics prometheus.Registerer
}

func (o Options) withDefaults() Options {
	if o.HoldUnsure == nil {
		o.HoldUnsure = func(alert.Job) bool { return false }
	}
	if o.Attempt == nil {
		o.Attempt = func(ctx context.Context, _ alert.Job) (context.Context, func(string, alert.Outcome)) {
			return ctx, func(string, alert.Outcome) {}
		}
	}
	orDefault(&o.Pace, time.Second)
	orDefault(&o.DigestAbove, 5)
	orDefault(&o.GiveUpAfter, 24*time.Hour)
	orDefault(&o.ReachEvery, 5*time.Minute)
	orDefault(&o.ProbeEvery, time.Minute)
	orDefault(&o.Grace, 5*time.Second)
	orDefault(&o.Log, zap.NewNop())
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return o
}

func (o Options) newPacer() *pacer {
	return &pacer{bucket: bucket{every: o.Pace, burst: burst}}
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
