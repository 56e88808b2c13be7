package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// deliver makes one attempt at a claimed job and writes down what became of it.
// It returns only when that is durable or calls has ended.
func (l *lane) deliver(calls context.Context, c claimed) {
	l.outbox.updates.busy(l.wake)
	l.outbox.fallback.busy(l.wake)
	v := l.attempt(calls, c)
	l.applyEffect(v, c.job.Via)
	if l.recordOutcome(calls, v) {
		l.logOutcome(c.job, v)
		l.outbox.destinations.update(v.Outcome)
		return
	}
	// Should the queue go on to give what it says nobody owes, that must not spin.
	l.paused = latest(l.paused, l.now().Add(l.outbox.opts.Pace))
}

// attempt finds out what to write down about a job, if need be by asking Slack.
func (l *lane) attempt(calls context.Context, c claimed) verdict {
	job := c.job
	if v, ok := l.outbox.policy.decideWithoutCall(l.now(), job); ok && !(v.name == nameSuperseded && c.reach.needsNewCard(job)) {
		l.returnToken(c)
		return v
	}
	if job.Kind.InThread() && job.Card.TS == "" {
		job.TopLevel = true
	}
	if job.Unsure && job.Kind != alert.Update {
		found, v, ok := l.look(calls, job)
		if ok {
			l.returnToken(c)
			return v
		}
		job = found
	}
	if v, ok := c.reach.reroute(l.now(), job); ok {
		l.returnToken(c)
		return v
	}
	if v, ok := l.switchPacer(c, job); ok {
		return v
	}
	job.Refused = c.reach.refused(job)
	sent, err := l.send(calls, job)
	return c.reach.withDestination(l.outbox.policy.decide(l.now(), job, sent, err), job, l.outbox.opts.ReachEvery)
}

// returnToken gives back the token that an attempt that needs no call would have used.
func (l *lane) returnToken(c claimed) {
	if c.job.Kind == alert.Update {
		l.outbox.updates.giveBack()
		return
	}
	c.pacer.giveBack()
}

// switchPacer takes a token of another conversation in place of that which the job
// was claimed with. When there is none, the job waits for it.
func (l *lane) switchPacer(c claimed, job alert.Job) (v verdict, ok bool) {
	pacer := l.pacer(job.Via)
	if job.Kind == alert.Update || pacer == c.pacer {
		return verdict{}, false
	}
	c.pacer.giveBack()
	now := l.now()
	ok, at := pacer.acquire(now, l.wake)
	if ok {
		return verdict{}, false
	}
	return newVerdict(now, job).again(namePaced, at, job.Reason).stillUnsure(job), true
}

// look asks Slack whether an earlier attempt at job is there. When ok is false
// the job that is returned has to be sent.
func (l *lane) look(calls context.Context, job alert.Job) (_ alert.Job, v verdict, ok bool) {
	if l.doubt.delivery != job.ID {
		l.doubt = doubt{delivery: job.ID}
	}
	if l.doubt.lookAt = l.outbox.looks.next(l.now(), l.doubt.lookAt); l.doubt.lookAt.After(l.now()) {
		return job, waitToLook(l.now(), job, l.doubt.lookAt), true
	}
	l.doubt.lookAt = time.Time{}
	l.status.set("looking", l.now().Add(l.outbox.opts.CallTimeout))
	ctx, cancel := context.WithTimeout(calls, l.outbox.opts.CallTimeout)
	defer cancel()
	sent, found, err := l.outbox.sender.Find(ctx, job)
	now := l.now()
	if err == nil && found {
		return job, newVerdict(now, job).delivered(nameFound, job, sent), true
	}
	job, v, ok = l.outbox.policy.decideAfterLook(now, job, l.doubt, err)
	if err == nil {
		l.doubt.absent++
	} else {
		l.doubt.looks++
	}
	if v.fail != nil && v.fail.Class == alert.ClassThrottled {
		l.outbox.looks.pause(v.NextAt)
	}
	if err != nil && !ok {
		l.outbox.log.Warn("can't look whether it was shown: sending it again, possibly twice",
			append(about(job), zap.String("reason", err.Error()))...)
	}
	return job, v, ok
}

// send calls Slack. A sender that panics over one job must not take the others
// with it: the job is treated as one that Slack will never take.
func (l *lane) send(calls context.Context, job alert.Job) (sent alert.Sent, err error) {
	began := l.now()
	l.status.set("sending", began.Add(l.outbox.opts.CallTimeout))
	ctx, cancel := context.WithTimeout(calls, l.outbox.opts.CallTimeout)
	defer cancel()
	defer func() {
		l.outbox.metrics.send.Observe(l.now().Sub(began).Seconds())
		if p := recover(); p != nil {
			l.outbox.log.Error("send panicked", append(about(job), zap.Any("panic", p), zap.Stack("stack"))...)
			err = &alert.SendError{Class: alert.ClassPayload, Code: "panic", Err: fmt.Errorf("%v", p)}
		}
	}()
	job.PossibleDuplicate = job.PossibleDuplicate || (job.Unsure && job.Kind != alert.Update)
	return l.outbox.sender.Send(ctx, job)
}

// apply lets a verdict have its effect on the lane and on everybody.
func (l *lane) applyEffect(v verdict, via string) {
	l.pause(v.effect.pauseLane, via)
	if !v.effect.pauseUpdates.IsZero() {
		l.outbox.updates.pause(v.effect.pauseUpdates)
	}
	if v.effect.hold {
		l.outbox.hold(v.fail)
	}
	l.status.refuse(l.name, v)
	switch {
	case v.State != alert.Sending:
		l.doubt = doubt{}
	case v.name != nameLookAgain: // it was sent, perhaps
		if l.doubt.delivery != v.Delivery {
			l.doubt = doubt{delivery: v.Delivery}
		}
		l.doubt.absent, l.doubt.last = 0, v.effect.lastLook
	}
	if v.fail != nil && v.name != string(alert.ClassThrottled) {
		l.outbox.recent.set(v.Now, l.name+": "+v.fail.Error())
	}
}

// pause sends nothing before until to where the job went: to the lane, or to
// what stood in for it and for others.
func (l *lane) pause(until time.Time, via string) {
	if until.IsZero() {
		return
	}
	if pacer := l.pacer(via); pacer == l.outbox.fallback {
		pacer.pause(until)
	}
	if via == "" {
		l.paused = latest(l.paused, until)
	}
}

// record makes a verdict durable, however often the store refuses, because going on
// without would send the same thing again. It returns false when calls ends first
// or when nobody owes the delivery any more.
func (l *lane) recordOutcome(calls context.Context, v verdict) bool {
	for failures := 0; ; failures++ {
		l.status.set("writing down an outcome", l.now().Add(l.outbox.opts.CallTimeout))
		err := l.outbox.queue.Finish(calls, v.Outcome)
		if err == nil {
			return true
		}
		fields := []zap.Field{zap.String("lane", l.name), zap.String("delivery", v.Delivery),
			zap.String("outcome", v.name), zap.Error(err)}
		if errors.Is(err, alert.ErrNotFound) {
			l.outbox.log.Warn("nobody owes this any more", fields...)
			return false
		}
		wait := retryAfter(failures, l.outbox.opts.Rand)
		l.outbox.log.Warn("finish", append(fields, zap.Duration("again_in", wait))...)
		l.outbox.recent.set(l.now(), "finish: "+err.Error())
		if !sleep(calls, wait) {
			return false
		}
	}
}

// report counts and logs what became of job.
func (l *lane) logOutcome(job alert.Job, v verdict) {
	l.outbox.metrics.deliveries.WithLabelValues(string(job.Kind), v.name).Inc()
	took := v.Now.Sub(job.CreatedAt)
	if v.State == alert.Delivered {
		l.outbox.metrics.delivery.Observe(took.Seconds())
	}
	if v.PossibleDuplicate && !job.PossibleDuplicate {
		l.outbox.metrics.duplicates.Inc()
	}
	fields := append(about(job), zap.String("outcome", v.name))
	if job.Via != "" {
		fields = append(fields, zap.String("via", job.Via))
	}
	switch v.State {
	case alert.Delivered:
		l.outbox.log.Info("delivered", append(fields, zap.Duration("took", took),
			zap.Bool("possible_duplicate", v.PossibleDuplicate))...)
	case alert.Superseded:
		l.outbox.log.Debug("needed no more", fields...)
	case alert.Dead:
		signal(l.outbox.newDeadLetter)
		l.outbox.log.Error("gave up", append(fields, zap.String("reason", v.Reason))...)
	default:
		l.logRetry(job, v, fields)
	}
}

// reportDelay warns once for each new reason, and whispers when it is the same again.
func (l *lane) logRetry(job alert.Job, v verdict, fields []zap.Field) {
	fields = append(fields, zap.String("reason", v.Reason), zap.Time("next_at", v.NextAt))
	if v.Reason == job.Reason {
		l.outbox.log.Debug("will be tried again", fields...)
		return
	}
	l.outbox.log.Warn("will be tried again", fields...)
}

// about names a job in the log.
func about(job alert.Job) []zap.Field {
	return []zap.Field{
		zap.String("incident", job.Incident.ID),
		zap.String("lane", job.Lane),
		zap.String("delivery", job.ID),
		zap.String("kind", string(job.Kind)),
		zap.Int("attempt", job.Attempts+1),
	}
}
