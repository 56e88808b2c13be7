package outbox

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"tocsin/alert"
)

const (
	// throttleMin and throttleMost bound the wait after Slack has asked for a pause. After
	// throttleMost it is asked again, however long a pause it wanted.
	throttleMin  = time.Second
	throttleMost = time.Hour
	// longPause is the shortest pause that people are told of.
	longPause = 5 * time.Minute
)

// throttle returns how long to wait after Slack has asked for a pause.
func throttle(fail *alert.SendError) time.Duration {
	return min(max(fail.RetryAfter, throttleMin), throttleMost)
}

// longPause reports whether Slack has asked for a long pause.
func (v verdict) longPause() bool {
	return v.fail != nil && v.fail.Class == alert.ClassThrottled && v.fail.RetryAfter >= longPause
}

// throttled waits as long as Slack says. Slack limits posts by conversation and
// updates by workspace (docs/slack.md §3.2), so an update pauses all updates and
// nothing else.
func (p policy) throttled(v verdict, job alert.Job) verdict {
	until := v.Now.Add(throttle(v.fail))
	if job.Kind == alert.Update {
		v.effect.pauseUpdates = until
	} else {
		v.effect.pauseLane = until
	}
	if v.Class == "" || v.Class == alert.ClassTransient { // the others say what was found out about the message
		v.Class = alert.ClassThrottled
	}
	reason := "throttled"
	if v.longPause() {
		reason = fmt.Sprintf("throttled: Slack asked for a pause of %v", v.fail.RetryAfter)
	}
	return v.again(v.name, until, reason)
}

// throttling is since when Slack has answered nothing but that it is too much, to the
// posts and to the updates of a lane.
type throttling struct{ posts, updates time.Time }

// giveUp gives up a throttled delivery that is too old, once Slack has taken nothing else
// from the lane for an hour either: after a weekend without a daemon every delivery is
// old, and short pauses are normal.
func (t *throttling) giveUp(v verdict, job alert.Job, after time.Duration) verdict {
	since := &t.posts
	if job.Kind == alert.Update {
		since = &t.updates
	}
	if v.name != string(alert.ClassThrottled) {
		*since = time.Time{}
		return v
	}
	if since.IsZero() {
		*since = v.Now
	}
	if v.Now.Sub(*since) < throttleMost || v.Now.Before(job.CreatedAt.Add(after)) {
		return v
	}
	return v.dead(fmt.Sprintf("gave up after %v: ", after)).stillUnsure(job)
}

// longPauses are the long pauses that Slack has asked for, by what waits.
type longPauses struct {
	mu  sync.Mutex
	all map[string]pause
}

// pause is a pause that Slack has asked for and that ends at until; lane is empty for
// what concerns all.
type pause struct {
	since time.Time // the first of several in a row
	until time.Time
	asked time.Duration
	lane  string
}

// note remembers the pause that a verdict means, if it is long.
func (l *longPauses) note(v verdict, job alert.Job) {
	if !v.longPause() {
		return
	}
	p := pause{since: v.Now, until: v.Now.Add(throttle(v.fail)), asked: v.fail.RetryAfter}
	what := job.Place()
	switch {
	case v.name == nameLookAgain:
		what = "the search for messages whose answer was lost"
	case job.Kind == alert.Update:
		what = "every edit of a message"
	default:
		p.lane = what
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[string]pause{}
	}
	if before, again := l.all[what]; again {
		p.since = before.since
	}
	l.all[what] = p
}

// notes describes the long pauses that have not ended.
func (l *longPauses) notes(now time.Time) (all []alert.Problem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.all, func(_ string, p pause) bool { return !p.until.After(now) })
	for _, what := range slices.Sorted(maps.Keys(l.all)) {
		p := l.all[what]
		all = append(all, alert.Problem{
			Code: alert.ProblemThrottled,
			Lane: p.lane, Since: p.since,
			What: fmt.Sprintf("%s waits until %s, because Slack asked for a pause of %v", what, p.until.Format("15:04 MST"), p.asked),
			Fix:  "nothing has to be done: it is tried again then; if it happens often, fewer alerts should go to one conversation (group_by, routes)",
		})
	}
	return all
}
