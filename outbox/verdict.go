package outbox

import (
	"time"

	"tocsin/alert"
)

// The names of outcomes, for log lines and the metric's label.
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

// verdict is a decision about a delivery: the outcome to record, its name, and
// what it means for others.
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
	// pauseLane and pauseUpdates are the times before which nothing, or no
	// update, may be sent; zero for no pause.
	pauseLane, pauseUpdates time.Time
	// hold stops all lanes.
	hold bool
	// lastLook says that this was the last attempt: if the next look does not
	// find it, the delivery is dead.
	lastLook bool
}

// newVerdict is a verdict that changes nothing yet.
func newVerdict(now time.Time, job alert.Job) verdict {
	return verdict{Outcome: alert.Outcome{
		Delivery: job.ID, Now: now,
		Attempts: job.Attempts, Kind: job.Kind, Plain: job.Plain, TopLevel: job.TopLevel,
		PossibleDuplicate: job.PossibleDuplicate, Class: job.Class,
	}}
}

// delivered ends the delivery well. Sending an unsure job again makes a duplicate
// possible, except for updates.
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

// again keeps the delivery pending until at.
func (v verdict) again(name string, at time.Time, reason string) verdict {
	v.name, v.State, v.NextAt, v.Reason = name, alert.Pending, at, reason
	return v
}

// sentAgain says, before a job in doubt is sent again, that it is. After a restart the
// looks begin with this attempt.
func (v verdict) sentAgain(job alert.Job) verdict {
	v.name, v.State, v.StartedAt, v.NextAt, v.Reason = nameLookAgain, alert.Sending, v.Now, v.Now.Add(unsureWait), job.Reason
	v.PossibleDuplicate = true
	return v
}

// dead gives the delivery up; why comes before Slack's own words.
func (v verdict) dead(why string) verdict {
	v.name, v.State, v.Reason = nameDead, alert.Dead, why+v.Reason
	return v
}

// stillUnsure keeps the doubt about an earlier attempt when this one was sent
// without a look and was certainly not shown.
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
		v.Class = alert.ClassUnsure // a person's retry has to look first
	}
	return v
}
