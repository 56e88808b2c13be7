package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// deliver makes one attempt at a claimed job and records the outcome. It returns
// when that is durable or calls has ended.
func (l *lane) deliver(calls context.Context, c claimed) {
	l.outbox.updates.letOthersPass(l.wake)
	l.outbox.fallback.letOthersPass(l.wake)
	l.status.try(c.job, time.Now())
	traced, ended := l.outbox.opts.Load().Attempt(calls, c.job)
	v := l.attempt(traced, c)
	if l.early.note(v, c.job, c.early) {
		l.outbox.outage.failing.Store(true)
	}
	l.outbox.longPauses.note(v, c.job)
	l.status.tried(c.job.Kind, v)
	l.applyEffect(v, c.job.Via)
	l.countShown(c.job, v)
	if l.recordOutcome(calls, v) {
		ended(v.name, v.Outcome)
		l.logOutcome(c.job, v)
		l.outbox.destinations.update(v.Outcome)
		l.outbox.UpdateNames(calls)
		return
	}
	// If the queue returned the same delivery again, the lane would spin.
	l.paused = latest(l.paused, time.Now().Add(l.outbox.opts.Load().Pace))
}

// attempt decides the outcome of a job, asking Slack if necessary.
func (l *lane) attempt(calls context.Context, c claimed) verdict {
	job, v, done := l.prepare(calls, c)
	if done {
		l.returnToken(c)
		return v
	}
	if v, wait := l.switchPacer(c, job); wait {
		return v
	}
	job.Refused = c.reach.refused(job)
	if v := newVerdict(time.Now(), job).sentAgain(job); c.job.Unsure && c.job.Kind != alert.Update && !l.recordOutcome(calls, v) {
		return v
	}
	sent, err := l.send(calls, job)
	v = l.outbox.policy().decide(time.Now(), job, sent, err)
	v = l.throttle.giveUp(v, job, l.outbox.opts.Load().GiveUpAfter)
	return c.reach.withDestination(v, job, l.outbox.opts.Load().ReachEvery)
}

// prepare decides what needs no send. When done is false, the returned job has
// to be sent.
func (l *lane) prepare(calls context.Context, c claimed) (job alert.Job, v verdict, done bool) {
	job = c.job
	if v, done = l.outbox.policy().decideWithoutCall(time.Now(), job); done && !(v.name == nameSuperseded && c.reach.needsNewCard(job)) {
		return job, v, true
	}
	if job.Kind.InThread() && job.Card.TS == "" {
		job.TopLevel = true
	}
	if job.Unsure && job.Kind != alert.Update {
		if job, v, done = l.look(calls, job); done {
			return job, v, true
		}
	}
	v, done = c.reach.reroute(time.Now(), job)
	return job, v, done
}

// returnToken gives back the token of a job that was not sent.
func (l *lane) returnToken(c claimed) {
	if c.job.Kind == alert.Update {
		l.outbox.updates.giveBack()
		return
	}
	c.pacer.giveBack()
}

// switchPacer replaces the token of the pacer that the job was claimed with by
// one of the conversation that it goes to. When wait is true there is none yet,
// and the verdict says when there will be.
func (l *lane) switchPacer(c claimed, job alert.Job) (v verdict, wait bool) {
	pacer := l.pacer(job.Via)
	if job.Kind == alert.Update || pacer == c.pacer {
		return verdict{}, false
	}
	c.pacer.giveBack()
	now := time.Now()
	ok, at := pacer.acquire(now, l.wake)
	if ok {
		return verdict{}, false
	}
	return newVerdict(now, job).again(namePaced, at, job.Reason).stillUnsure(job), true
}

// look asks Slack whether an earlier attempt at job was shown. When done is
// false, the returned job has to be sent.
func (l *lane) look(calls context.Context, job alert.Job) (_ alert.Job, v verdict, done bool) {
	if l.doubt.delivery != job.ID {
		l.doubt = doubt{delivery: job.ID, sentAt: earliest(job.StartedAt, time.Now())}
	}
	if l.doubt.lookAt = l.outbox.looks.next(time.Now(), l.doubt.lookAt); l.doubt.lookAt.After(time.Now()) {
		return job, waitToLook(time.Now(), job, l.doubt.lookAt), true
	}
	l.doubt.lookAt = time.Time{}
	l.status.set("looking", time.Now().Add(callTimeout))
	ctx, cancel := context.WithTimeout(calls, callTimeout)
	defer cancel()
	sent, found, err := l.outbox.sender.Find(ctx, job)
	now := time.Now()
	if err == nil && found {
		return job, newVerdict(now, job).delivered(nameFound, job, sent), true
	}
	job, v, done = l.outbox.policy().decideAfterLook(now, job, l.doubt, err)
	reason := "it is not in the conversation's history"
	if err != nil {
		l.doubt.looks++
		reason = err.Error()
	}
	if v.fail != nil && v.fail.Class == alert.ClassThrottled {
		l.outbox.looks.pause(v.NextAt)
	}
	if !done {
		l.outbox.log.Warn("a message whose answer was lost is sent again and may be a duplicate", append(about(job), zap.String("reason", reason))...)
	}
	return job, v, done
}

// send calls Slack. When the sender panics over one job, the others go on: the
// job is treated as one that Slack will never take.
func (l *lane) send(calls context.Context, job alert.Job) (sent alert.Sent, err error) {
	began := time.Now()
	l.status.set("sending", began.Add(callTimeout))
	ctx, cancel := context.WithTimeout(calls, callTimeout)
	defer cancel()
	defer func() {
		l.outbox.metrics.send.Observe(time.Since(began).Seconds())
		if p := recover(); p != nil {
			l.outbox.log.Error("send panicked", append(about(job), zap.Any("panic", p), zap.Stack("stack"))...)
			err = &alert.SendError{Class: alert.ClassPayload, Code: "panic", Err: fmt.Errorf("%v", p)}
		}
	}()
	job.PossibleDuplicate = job.PossibleDuplicate || (job.Unsure && job.Kind != alert.Update)
	return l.outbox.sender.Send(ctx, job)
}

// applyEffect applies what a verdict means for the lane and for all others.
func (l *lane) applyEffect(v verdict, via string) {
	l.pausePosts(v.effect.pauseLane, via)
	if !v.effect.pauseUpdates.IsZero() {
		l.outbox.updates.pause(v.effect.pauseUpdates)
	}
	if v.effect.hold {
		l.outbox.hold(v.fail)
	}
	l.status.setRefusal(l.name, v)
	l.updateDoubt(v)
	if v.fail != nil && v.name != string(alert.ClassThrottled) {
		l.outbox.recent.set(v.Now, l.name+": "+v.fail.Error())
	}
}

// updateDoubt remembers whether the delivery may have been posted.
func (l *lane) updateDoubt(v verdict) {
	switch {
	case v.State != alert.Sending && l.doubt.delivery == v.Delivery:
		l.doubt = doubt{}
	case v.State == alert.Sending && v.name != nameLookAgain: // it was sent, perhaps
		if l.doubt.delivery != v.Delivery {
			l.doubt = doubt{delivery: v.Delivery}
		}
		l.doubt.sentAt, l.doubt.last = v.Now, v.effect.lastLook
	}
}

// pausePosts sends nothing before until to the conversation that the job went
// to: the lane's own, or the fallback, which other lanes use too.
func (l *lane) pausePosts(until time.Time, via string) {
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

// recordOutcome makes a verdict durable and retries until it is, because the
// next attempt would send the same thing again. It returns false when calls ends
// first or when the delivery is no longer pending.
func (l *lane) recordOutcome(calls context.Context, v verdict) bool {
	fields := []zap.Field{zap.String("lane", l.name), zap.String("delivery", v.Delivery), zap.String("outcome", v.name)}
	pending := true
	recorded := l.outbox.retry(calls, "record an outcome", func() error {
		l.status.set("recording an outcome", time.Now().Add(callTimeout))
		err := l.outbox.queue.Finish(calls, v.Outcome)
		switch {
		case errors.Is(err, alert.ErrNotFound):
			l.outbox.log.Warn("the delivery is no longer pending", append(fields, zap.Error(err))...)
			pending = false
			return nil
		case err != nil:
			l.outbox.recent.set(time.Now(), "finish: "+err.Error())
		}
		return err
	}, fields...)
	return recorded && pending
}

// logOutcome counts and logs the outcome of job.
func (l *lane) logOutcome(job alert.Job, v verdict) {
	log, metrics := l.outbox.log, l.outbox.metrics
	metrics.deliveries.WithLabelValues(string(job.Kind), v.name).Inc()
	took := v.Now.Sub(job.CreatedAt)
	if v.State == alert.Delivered {
		metrics.delivery.Observe(took.Seconds())
	}
	if v.fail != nil && v.fail.Class == alert.ClassThrottled {
		metrics.throttled.Add(throttle(v.fail).Seconds())
	}
	if v.PossibleDuplicate && !job.PossibleDuplicate {
		metrics.duplicates.Inc()
	}
	fields := append(about(job), zap.String("outcome", v.name))
	if job.Via != "" {
		fields = append(fields, zap.String("via", job.Via))
	}
	switch v.State {
	case alert.Delivered:
		log.Info("delivered", append(fields, zap.Duration("took", took), zap.Bool("possible_duplicate", v.PossibleDuplicate))...)
	case alert.Superseded:
		log.Debug("superseded", fields...)
	case alert.Dead:
		signal(l.outbox.newDeadLetter)
		log.Error("gave up", append(fields, zap.String("reason", v.Reason))...)
	default:
		l.logRetry(job, v, fields)
	}
}

// logRetry warns once for each new reason and logs repetitions at debug level.
func (l *lane) logRetry(job alert.Job, v verdict, fields []zap.Field) {
	fields = append(fields, zap.String("reason", v.Reason), zap.Time("next_at", v.NextAt))
	if v.Reason == job.Reason {
		l.outbox.log.Debug("will be tried again", fields...)
		return
	}
	l.outbox.log.Warn("will be tried again", fields...)
}

// about returns the log fields that identify a job.
func about(job alert.Job) []zap.Field {
	return []zap.Field{
		zap.String("incident", job.Incident.ID),
		zap.String("lane", job.Lane),
		zap.String("delivery", job.ID),
		zap.String("kind", string(job.Kind)),
		zap.Int("attempt", job.Attempts+1),
	}
}
