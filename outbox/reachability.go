package outbox

import (
	"cmp"
	"time"

	"tocsin/alert"
)

// reachability is what is known about where messages can go: pure input to
// decisions. broken is never changed in place.
type reachability struct {
	fallback string
	broken   map[string]mark
}

// mark says that a destination is broken. One on trial may work again, which
// only a post can find out.
type mark struct {
	alert.Destination
	trial bool
}

// reachable reports whether it makes sense to send to a conversation.
func (r reachability) reachable(conversation string) bool {
	m, broken := r.broken[conversation]
	return !broken || m.trial
}

// fallbackReachable reports whether it makes sense to send to the fallback.
func (r reachability) fallbackReachable() bool { return r.reachable(r.fallback) }

// fallbackFor returns the conversation that new cards go to in place of a lane's
// own, or empty while they go to the lane's own.
func (r reachability) fallbackFor(lane string) string {
	if r.fallback == "" || r.fallback == lane || r.reachable(lane) || !r.reachable(r.fallback) {
		return ""
	}
	return r.fallback
}

// route decides where a job has to go. What concerns a card goes where the card
// is. When people can't see it there and another conversation can be reached,
// the job needs a new card.
func (r reachability) route(job alert.Job) (via string, newCard bool) {
	via = r.fallbackFor(job.Lane)
	atCard := job.Kind == alert.Update || job.Kind.InThread() && !job.TopLevel
	if !atCard || job.Card.TS == "" {
		return via, false
	}
	if r.reachable(job.Card.Place()) || !r.reachable(cmp.Or(via, job.Lane)) {
		return job.Card.Via, false
	}
	return via, true
}

// needsNewCard reports whether the job needs a new card because nobody can see
// the existing one, which shows the same.
func (r reachability) needsNewCard(job alert.Job) bool {
	if job.Kind == alert.Update || job.Card.TS == "" {
		return false
	}
	job.Kind = alert.Update
	_, newCard := r.route(job)
	return newCard
}

// canEdit reports whether a post would be a second card: another delivery has posted the
// card meanwhile, or it was to be posted again, because nobody could see it, and can be
// edited after all. A card that was deleted is posted again, also if Slack has throttled
// that since.
func (r reachability) canEdit(job alert.Job) bool {
	deleted := job.Class == alert.ClassGone || job.Class == alert.ClassThrottled
	return job.Kind == alert.Post && !deleted && !job.Unsure &&
		job.Card.TS != "" && !job.Card.Digest && r.reachable(job.Card.Place())
}

// reroute decides about a job that was claimed for another conversation than the
// one it has to go to. It is claimed again, so that its destination is stored
// before the attempt. If it may have been shown in the conversation that it
// leaves, it is marked as a possible duplicate.
func (r reachability) reroute(now time.Time, job alert.Job) (v verdict, ok bool) {
	if r.canEdit(job) {
		v = newVerdict(now, job)
		v.Kind = alert.Update
		return v.again(nameMoved, now, "its card in "+job.Card.Place()+" can be edited"), true
	}
	via, newCard := r.route(job)
	if !newCard && via == job.Via {
		return verdict{}, false
	}
	v = newVerdict(now, job)
	v.PossibleDuplicate = v.PossibleDuplicate || job.Unsure && job.Kind != alert.Update
	if newCard {
		v.TopLevel, v.Class = false, alert.ClassDestination
		switch job.Kind {
		case alert.Reply:
			v.CardFirst = true
		default: // an update becomes the card, and a list follows its digest
			v.Kind, v.Plain = job.NewCardKind(), false
		}
	}
	return v.again(nameMoved, now, "it goes to "+cmp.Or(via, job.Lane)+" now"), true
}

// withDestination adds to a verdict what the attempt says about its destination.
// A job that was refused goes to the fallback at once, if that can be reached.
func (r reachability) withDestination(v verdict, job alert.Job, probeEvery time.Duration) verdict {
	place := job.Place()
	known, marked := r.broken[place]
	if v.name == nameDelivered && job.Kind != alert.Update && marked {
		v.Mended = place
	}
	if v.fail == nil || effectiveClass(job, v.fail.Class) != alert.ClassDestination {
		return v
	}
	if !marked {
		known.Since = v.Now
	}
	v.Broken = &alert.Destination{Lane: place, Known: job.Known, Code: v.fail.Code, Hint: v.fail.Hint,
		Since: known.Since, ProbeAt: v.Now.Add(probeEvery)}
	now := reachability{fallback: r.fallback, broken: withMark(r.broken, mark{Destination: *v.Broken})}
	if via, newCard := now.route(job); newCard || via != job.Via {
		v.Class = alert.ClassDestination
		return v.again(string(alert.ClassDestination), v.Now, v.fail.Error()).stillUnsure(job)
	}
	return v
}
