package outbox

import (
	"errors"
	"fmt"
	"time"

	"tocsin/alert"
)

// The limits of retries.
const (
	backoffFirst = time.Second
	backoffMost  = 5 * time.Minute
	// fewestTries is how often a delivery is tried before its age counts: after
	// a weekend without a daemon every delivery is old, and the network may come
	// up a minute after the daemon.
	fewestTries = 10
)

// policy is what decisions depend on apart from the attempt.
type policy struct {
	giveUpAfter time.Duration
	probeEvery  time.Duration
	// holdUnsure reports whether a job that may have been shown and can't be
	// looked for is left to a person.
	holdUnsure func(alert.Job) bool
	// jitter returns a number in [0,1).
	jitter func() float64
}

// decideWithoutCall decides about jobs that need no call to Slack; done is false
// for the others.
func (p policy) decideWithoutCall(now time.Time, job alert.Job) (v verdict, done bool) {
	v = newVerdict(now, job)
	shown := job.Card.TS != ""
	switch {
	case !job.Kind.InThread() && shown && job.Card.Version >= job.Incident.Version:
		v.name, v.State = nameSuperseded, alert.Superseded
		v.Sent = alert.Sent{Conversation: job.Card.Conversation, TS: job.Card.TS, Version: job.Card.Version}
		v.Reason = "another delivery has shown it"
		return v, true
	case job.Unsure && job.Kind != alert.Update && lookTooEarly(now, job.StartedAt):
		v.name, v.State, v.NextAt = nameLookAgain, alert.Sending, job.StartedAt.Add(unsureWait)
		v.Reason = "Slack may not yet list what was sent before the restart"
		return v, true
	case job.Kind == alert.Update && !shown:
		v.Kind = job.NewCardKind()
		return v.again(nameNoCard, now, "there is no card to edit: a new one is posted"), true
	}
	return verdict{}, false
}

// lookTooEarly reports whether an attempt began so recently that a look may miss it.
func lookTooEarly(now, started time.Time) bool {
	since := now.Sub(started)
	return since >= 0 && since < unsureWait
}

// decide returns the verdict about job after Slack answered a send with sent or err.
func (p policy) decide(now time.Time, job alert.Job, sent alert.Sent, err error) verdict {
	v := newVerdict(now, job)
	if err == nil {
		return v.delivered(nameDelivered, job, sent)
	}
	v.fail = failure(err)
	v.name = string(effectiveClass(job, v.fail.Class))
	v.Reason = v.fail.Error()
	switch alert.Class(v.name) {
	case alert.ClassThrottled:
		v = p.throttled(v, job)
	case alert.ClassAuth:
		v.effect.hold = true
		v = v.again(v.name, now.Add(p.probeEvery), v.Reason)
	default:
		v.Attempts++
		v.Class = alert.Class(v.name)
		v = p.decideFailure(v, job)
	}
	return v.stillUnsure(job)
}

// decideFailure decides about a failure that counts as an attempt: any but being
// throttled and being refused as an app.
func (p policy) decideFailure(v verdict, job alert.Job) verdict {
	expired := !v.Now.Before(job.CreatedAt.Add(p.giveUpAfter))
	if v.Class == alert.ClassTransient || v.Class == alert.ClassUnsure {
		expired = expired && v.Attempts >= fewestTries
	}
	switch v.Class {
	case alert.ClassPayload:
		if job.Plain {
			return v.dead("refused even as plain text: ")
		}
		v.Plain = true
		return v.again(v.name, v.Now, v.Reason)
	case alert.ClassThread:
		v.TopLevel = true
		return v.again(v.name, v.Now, v.Reason)
	case alert.ClassGone:
		v.Kind = job.NewCardKind()
		return v.again(v.name, v.Now, v.Reason)
	case alert.ClassUnsure:
		v.effect.lastLook = expired
		v.State, v.NextAt = alert.Sending, v.Now.Add(unsureWait+p.unsureMore(job))
		return v
	case alert.ClassUnknown:
		if job.Class == alert.ClassUnknown {
			return v.dead("refused twice: ")
		}
	}
	if expired {
		return v.dead(fmt.Sprintf("gave up after %v: ", p.giveUpAfter))
	}
	return v.again(v.name, v.Now.Add(p.backoff(job.Attempts)), v.Reason)
}

// backoff returns a random time (full jitter) below a ceiling that doubles with
// each earlier attempt.
func (p policy) backoff(attempts int) time.Duration {
	ceiling := backoffMost
	if attempts < 9 { // 1 s doubled nine times is above backoffMost
		ceiling = min(backoffFirst<<max(attempts, 0), backoffMost)
	}
	return time.Duration(p.jitter() * float64(ceiling))
}

// unsureMore is the extra wait after the second and later unsure attempts.
func (p policy) unsureMore(job alert.Job) time.Duration {
	if job.Attempts == 0 {
		return 0
	}
	return p.backoff(job.Attempts)
}

// effectiveClass returns the class to decide by, always one of alert's classes.
// An answer that makes no sense for the kind of delivery is unknown. An update
// can be repeated without harm, so an unsure one is only transient.
func effectiveClass(job alert.Job, c alert.Class) alert.Class {
	if job.SharesFile() && (c == alert.ClassDestination || c == alert.ClassUnknown) {
		return alert.ClassPayload // a conversation that takes text may refuse files
	}
	sensible := false
	switch c {
	case alert.ClassUnsure:
		if job.Kind == alert.Update {
			return alert.ClassTransient
		}
		sensible = true
	case alert.ClassGone:
		sensible = job.Kind == alert.Update
	case alert.ClassThread:
		sensible = job.Kind.InThread() && !job.TopLevel
	case alert.ClassAuth, alert.ClassDestination, alert.ClassPayload, alert.ClassThrottled, alert.ClassTransient:
		sensible = true
	}
	if sensible {
		return c
	}
	return alert.ClassUnknown
}

// failure returns the SendError in err. Any other error leaves open what Slack
// did, so it counts as unsure.
func failure(err error) *alert.SendError {
	var fail *alert.SendError
	if errors.As(err, &fail) {
		return fail
	}
	return &alert.SendError{Class: alert.ClassUnsure, Code: "no_answer", Err: err}
}
