package outbox

import (
	"fmt"
	"time"

	"tocsin/alert"
)

// The limits of looks.
const (
	// unsureWait is the least time between an attempt and a look.
	unsureWait = 2 * time.Second
	// maxLooks is how many looks may fail before the job is sent without one.
	maxLooks = 10
	// lookPace and lookBurst are the pace of looks in the workspace. lookBurst of
	// them are made freely; once Slack has asked for a pause, lookPace keeps them
	// below its limit of 50 a minute.
	lookPace  = time.Minute / 40
	lookBurst = 1000
)

// looksAfter returns how long after an attempt the job is looked for. Slack's history
// may lag behind a post (docs/slack.md §4.2), so the looks are spread over half a minute
// unless that delays a critical alert or what waits behind the job.
func looksAfter(job alert.Job) []time.Duration {
	if job.Priority == 0 || job.Followed {
		return []time.Duration{unsureWait, 5 * time.Second, 10 * time.Second}
	}
	return []time.Duration{unsureWait, 10 * time.Second, 30 * time.Second}
}

// doubt is what a lane remembers about a delivery that may have been shown.
type doubt struct {
	delivery string
	// sentAt is when the latest attempt ended. After a restart it is when it began.
	sentAt time.Time
	looks  int  // looks that failed
	last   bool // no further attempt is made
	// lookAt is when the lane may look; zero if it has no time yet.
	lookAt time.Time
}

// waitToLook waits until at, but asks for the time again after backoffMost,
// because it may have changed.
func waitToLook(now time.Time, job alert.Job, at time.Time) verdict {
	v := newVerdict(now, job)
	v.State, v.name, v.Reason = alert.Sending, nameLookAgain, job.Reason
	v.NextAt = earliest(at, now.Add(backoffMost))
	return v
}

// decideAfterLook decides after a look for job that found nothing or failed with
// err. When done is false, the returned job has to be sent; it is no longer unsure if
// the looks have found nothing.
func (p policy) decideAfterLook(now time.Time, job alert.Job, d doubt, err error) (_ alert.Job, v verdict, done bool) {
	v = newVerdict(now, job)
	if err == nil {
		return p.notFound(v, job, d)
	}
	v.fail = failure(err)
	held := p.holdUnsure(job)
	expired := held && v.fail.Class != alert.ClassAuth && !now.Before(job.CreatedAt.Add(p.giveUpAfter))
	blind := !lookMayWorkLater(v.fail.Class) || d.looks >= maxLooks && !held || expired
	switch {
	case blind && (d.last || held && !retried(job)):
		v.Reason, v.Class = v.fail.Error(), alert.ClassUnsure // a person's retry has to look first
		return job, v.dead("perhaps shown, could not look: "), true
	case blind:
		return job, verdict{}, false
	}
	return job, p.lookAgain(v, d), true
}

// lookAgain waits after a failed look.
func (p policy) lookAgain(v verdict, d doubt) verdict {
	v.State, v.name = alert.Sending, nameLookAgain
	v.Reason = "could not look yet: " + v.fail.Error()
	v.NextAt = v.Now.Add(max(throttle(v.fail), unsureWait, p.backoff(d.looks)))
	if v.fail.Class == alert.ClassAuth {
		v.effect.hold, v.NextAt = true, v.Now.Add(p.probeEvery)
	}
	return v
}

// retried reports whether a person has asked to send the job again although it
// may have been shown: it is in doubt, and no attempt counts.
func retried(job alert.Job) bool { return job.Class == alert.ClassUnsure && job.Attempts == 0 }

// notFound decides after a look that found nothing. After the last look the job is sent
// again, as a possible duplicate.
func (p policy) notFound(v verdict, job alert.Job, d doubt) (_ alert.Job, _ verdict, done bool) {
	since := v.Now.Sub(d.sentAt)
	for _, after := range looksAfter(job) {
		if after > since {
			v.State, v.name, v.Reason = alert.Sending, nameLookAgain, job.Reason
			v.NextAt = v.Now.Add(after - since)
			return job, v, true
		}
	}
	if d.last {
		return job, v.dead(fmt.Sprintf("gave up after %v: %s", p.giveUpAfter, job.Reason)), true
	}
	job.Unsure, job.PossibleDuplicate = false, true
	return job, verdict{}, false
}

// lookMayWorkLater reports whether a look may work later although it failed this
// way; any other failure means that this conversation can't be searched.
func lookMayWorkLater(c alert.Class) bool {
	switch c {
	case alert.ClassThrottled, alert.ClassTransient, alert.ClassUnsure, alert.ClassAuth:
		return true
	}
	return false
}
