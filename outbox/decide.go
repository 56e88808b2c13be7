package outbox

import (
	"errors"
	"fmt"
	"time"

	"tocsin/alert"
)

// The bounds of waiting. Slack's history may lag behind a post, so a look comes
// no sooner than unsureWait (slack-facts §4.2).
const (
	backoffFirst = time.Second
	backoffMost  = 5 * time.Minute
	unsureWait   = 2 * time.Second
	throttleMin  = time.Second
	maxLooks     = 10
	// lookPace keeps looks below Slack's 50 a minute once it has asked for a
	// pause; before that as many as lookBurst are made without asking.
	lookPace  = time.Minute / 40
	lookBurst = 1000
	// absentLooks is how many looks in a row have to find nothing before it counts
	// as not there.
	absentLooks = 3
	// settled is how long after an attempt history shows what it left there for
	// certain, so that one look is enough: many are in doubt after a crash, and
	// Slack allows some fifty looks a minute.
	settled = 30 * time.Second
	// fewestTries is how often a delivery is tried before its age counts. After
	// a weekend without a daemon everything is old, and the network may be up a
	// minute later than we are.
	fewestTries = 10
)

// The names of what became of an attempt, for log lines and the metric's label.
const (
	nameDelivered  = "delivered"
	nameFound      = "found"
	nameSuperseded = "superseded"
	nameDead       = "dead"
	nameNoCard     = "no_card"
	nameLookAgain  = "look_again"
	nameMoved      = "moved"
	namePaced      = "paced"
)

// policy holds what a decision needs besides the attempt itself.
type policy struct {
	giveUpAfter time.Duration
	probeEvery  time.Duration
	// holdUnsure says what is left to a person that may be shown and can't be
	// looked for.
	holdUnsure func(alert.Job) bool
	// jitter returns a number in [0,1).
	jitter func() float64
}

// verdict is a decision: what to write down, its name, and what it means for
// others.
type verdict struct {
	alert.Outcome
	// name is one of the names above or the class of the failure.
	name   string
	effect effect
	// fail is the failure that was decided about, or nil.
	fail *alert.SendError
}

// effect is what an attempt means beyond its own delivery.
type effect struct {
	// pauseLane and pauseUpdates say how long nothing may be sent there.
	pauseLane, pauseUpdates time.Time
	// hold stops everything.
	hold bool
	// lastLook says that this was the last attempt: if a look does not find it, it is dead.
	lastLook bool
}

// decideWithoutCall decides what needs no call to Slack; ok is false when one is needed.
func (p policy) decideWithoutCall(now time.Time, job alert.Job) (v verdict, ok bool) {
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
		v.Reason = "Slack may not list yet what was sent before the restart"
		return v, true
	case job.Kind == alert.Update && !shown:
		v.Kind = job.Anew()
		return v.again(nameNoCard, now, "there is no card to edit: a new one is posted"), true
	}
	return verdict{}, false
}

// lookTooEarly reports whether an attempt began so lately that a look may come too early.
func lookTooEarly(now, started time.Time) bool {
	since := now.Sub(started)
	return since >= 0 && since < unsureWait
}

// decide says what becomes of job after Slack answered a send with sent or err.
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

// decideFailure decides about an attempt that Slack answered with anything but
// "later" and "not you".
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
		v.Kind = job.Anew()
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

// isFile reports whether the job is a file that can be text as well.
func isFile(job alert.Job) bool {
	return job.Kind == alert.List && !job.Plain && job.Note != nil && job.Note.Topic == alert.TopicFile
}

// throttled waits as long as Slack says. Slack limits posts by conversation and
// edits by workspace (slack-facts §3.2), so an edit holds up all edits and
// nothing else.
func (p policy) throttled(v verdict, job alert.Job) verdict {
	until := v.Now.Add(max(v.fail.RetryAfter, throttleMin))
	if job.Kind == alert.Update {
		v.effect.pauseUpdates = until
	} else {
		v.effect.pauseLane = until
	}
	return v.again(v.name, until, "throttled")
}

// backoff waits a random time (full jitter) below a ceiling that doubles with
// each attempt made before.
func (p policy) backoff(attempts int) time.Duration {
	ceiling := backoffMost
	if attempts < 9 { // 1 s doubled nine times is beyond the most
		ceiling = min(backoffFirst<<max(attempts, 0), backoffMost)
	}
	return time.Duration(p.jitter() * float64(ceiling))
}

// unsureMore keeps the second and later doubtful attempts apart.
func (p policy) unsureMore(job alert.Job) time.Duration {
	if job.Attempts == 0 {
		return 0
	}
	return p.backoff(job.Attempts)
}

// doubt is what a lane remembers about a delivery that may have been posted:
// how many looks failed, how many found nothing since the latest attempt, and
// that no attempt is to follow.
type doubt struct {
	delivery string
	looks    int
	absent   int
	last     bool
	// lookAt is when it may look; zero for none yet.
	lookAt time.Time
}

// waitToLook waits until the time of the next look, and checks now and then whether that
// has changed.
func waitToLook(now time.Time, job alert.Job, at time.Time) verdict {
	v := newVerdict(now, job)
	v.State, v.name, v.Reason = alert.Sending, nameLookAgain, job.Reason
	v.NextAt = earliest(at, now.Add(backoffMost))
	return v
}

// decideAfterLook decides after a look for job that found nothing, or with err could not
// look. When ok is false it has to be sent, as the job that is returned: no longer
// unsure if it was certainly not there.
func (p policy) decideAfterLook(now time.Time, job alert.Job, d doubt, err error) (_ alert.Job, v verdict, ok bool) {
	v = newVerdict(now, job)
	if err == nil {
		return p.notThere(v, job, d)
	}
	v.fail = failure(err)
	held := p.holdUnsure(job)
	expired := held && v.fail.Class != alert.ClassAuth && !now.Before(job.CreatedAt.Add(p.giveUpAfter))
	blind := !lookMayWorkLater(v.fail.Class) || d.looks >= maxLooks && !held || expired
	switch {
	case blind && (d.last || held && !retried(job)):
		v.Reason, v.Class = v.fail.Error(), alert.ClassUnsure // who sends it again after all has to look first
		return job, v.dead("perhaps shown, could not look: "), true
	case blind:
		return job, verdict{}, false
	}
	return job, p.lookAgain(v, d), true
}

// lookAgain waits after a look that failed.
func (p policy) lookAgain(v verdict, d doubt) verdict {
	v.State, v.name = alert.Sending, nameLookAgain
	v.Reason = "could not look yet: " + v.fail.Error()
	v.NextAt = v.Now.Add(max(v.fail.RetryAfter, unsureWait, p.backoff(d.looks)))
	if v.fail.Class == alert.ClassAuth {
		v.effect.hold, v.NextAt = true, v.Now.Add(p.probeEvery)
	}
	return v
}

// retried says whether a person wants the job, which may be shown, sent again: it
// is in doubt, and no attempt at it counts.
func retried(job alert.Job) bool { return job.Class == alert.ClassUnsure && job.Attempts == 0 }

// notThere decides after a look that found nothing. Because history may lag, a
// few looks in a row have to say so.
func (p policy) notThere(v verdict, job alert.Job, d doubt) (_ alert.Job, _ verdict, ok bool) {
	if d.absent+1 < absentLooks && v.Now.Sub(job.StartedAt) < settled {
		v.State, v.name, v.Reason = alert.Sending, nameLookAgain, job.Reason
		v.NextAt = v.Now.Add(unsureWait)
		return job, v, true
	}
	job.Unsure = false
	if d.last {
		return job, v.dead(fmt.Sprintf("gave up after %v: %s", p.giveUpAfter, job.Reason)), true
	}
	return job, verdict{}, false
}

// lookMayWorkLater says whether a look that failed so may work later; any other failure
// means that this conversation can't be looked into.
func lookMayWorkLater(c alert.Class) bool {
	switch c {
	case alert.ClassThrottled, alert.ClassTransient, alert.ClassUnsure, alert.ClassAuth:
		return true
	}
	return false
}

// newVerdict is a verdict that changes nothing yet.
func newVerdict(now time.Time, job alert.Job) verdict {
	return verdict{Outcome: alert.Outcome{
		Delivery: job.ID, Now: now,
		Attempts: job.Attempts, Kind: job.Kind, Plain: job.Plain, TopLevel: job.TopLevel,
		PossibleDuplicate: job.PossibleDuplicate, Class: job.Class,
	}}
}

// delivered ends it well. A blind second send is what makes a duplicate possible.
func (v verdict) delivered(name string, job alert.Job, sent alert.Sent) verdict {
	if !job.Kind.InThread() && sent.Version == 0 {
		sent.Version = job.Incident.Version
	}
	v.name, v.State, v.Sent = name, alert.Delivered, sent
	v.Attempts++
	v.Class = ""
	v.PossibleDuplicate = v.PossibleDuplicate || (name == nameDelivered && job.Unsure && job.Kind != alert.Update)
	return v
}

// again leaves it pending until at.
func (v verdict) again(name string, at time.Time, reason string) verdict {
	v.name, v.State, v.NextAt, v.Reason = name, alert.Pending, at, reason
	return v
}

// dead ends it badly, with why in front of Slack's own words.
func (v verdict) dead(why string) verdict {
	v.name, v.State, v.Reason = nameDead, alert.Dead, why+v.Reason
	return v
}

// stillUnsure keeps the doubt about an earlier attempt when this one, sent
// without being able to look, was certainly not taken.
func (v verdict) stillUnsure(job alert.Job) verdict {
	if !job.Unsure || job.Kind == alert.Update {
		return v
	}
	switch v.State {
	case alert.Pending:
		v.State = alert.Sending
	case alert.Sending:
		v.PossibleDuplicate = true
	case alert.Dead:
		v.Reason += "; an earlier attempt may have been shown"
		v.Class = alert.ClassUnsure // who sends it again after all has to look first
	}
	return v
}

// effectiveClass is the class to decide by: one of alert's, for a label and a
// table must know them all. Answers that make no sense for the kind of delivery
// are unknown. An edit can be repeated without harm, so a doubt about it is none.
func effectiveClass(job alert.Job, c alert.Class) alert.Class {
	if isFile(job) && (c == alert.ClassDestination || c == alert.ClassUnknown) {
		return alert.ClassPayload // a conversation that takes text need not take files
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

// failure finds the SendError in err. Any other error says nothing about what
// Slack did, so it counts as unsure.
func failure(err error) *alert.SendError {
	var fail *alert.SendError
	if errors.As(err, &fail) {
		return fail
	}
	return &alert.SendError{Class: alert.ClassUnsure, Code: "no_answer", Err: err}
}
