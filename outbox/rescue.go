package outbox

import (
	"context"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// The limits of the last resort: how many deliveries it gets at once, the wait
// after a run, and the waits after failures.
const (
	rescueAtOnce = 100
	rescueEvery  = 5 * time.Second
	rescueFirst  = 10 * time.Second
	rescueMost   = 10 * time.Minute
)

// stranded lists the broken destinations for which there is no fallback either.
func (r reachability) stranded() []alert.Stranded {
	var all []alert.Stranded
	for _, m := range r.sorted() {
		if r.reachable(m.Lane) || r.fallbackFor(m.Lane) != "" {
			continue
		}
		s := alert.Stranded{Destination: m.Destination}
		if r.fallback != m.Lane {
			s.Fallback = r.broken[r.fallback].Destination
		}
		all = append(all, s)
	}
	return all
}

// rescue hands stranded deliveries to the last resort, if there is one, a lane at a time,
// until stop ends. calls is the context of runs that have begun, which outlives stop.
func (o *Outbox) rescue(stop, calls context.Context) {
	for failures := 0; stop.Err() == nil; {
		lanes := o.destinations.known().stranded()
		lastResort := o.opts.Load().LastResort
		if len(lanes) == 0 || lastResort == nil {
			o.lastResortError.set(time.Time{}, "")
			select {
			case <-stop.Done():
			case <-o.destinations.worse:
			case <-o.rescueAgain:
			}
			continue
		}
		wait := rescueEvery
		if o.rescueAll(stop, lanes, func(s alert.Stranded) bool { return o.rescueLane(calls, s, lastResort) }) {
			failures = 0
			o.lastResortError.set(time.Time{}, "")
		} else {
			wait = min(rescueFirst<<min(failures, 6), rescueMost)
			failures++
		}
		select {
		case <-stop.Done():
		case <-time.After(wait):
		case <-o.rescueAgain:
			failures = 0
		}
	}
}

// rescueAll tries each lane and reports whether everything was taken.
func (o *Outbox) rescueAll(stop context.Context, lanes []alert.Stranded, rescue func(alert.Stranded) bool) bool {
	ok := true
	for _, s := range lanes {
		if stop.Err() == nil {
			ok = rescue(s) && ok
		}
	}
	return ok
}

// CountLastResort counts a run of the last resort, which failed if there is an error.
func (o *Outbox) CountLastResort(err error) {
	result := "taken"
	if err != nil {
		result = "failed"
	}
	o.metrics.rescues.WithLabelValues(result).Inc()
}

func (o *Outbox) rescueLane(calls context.Context, s alert.Stranded, lastResort func(context.Context, alert.Stranded) error) bool {
	var err error
	if s.Jobs, err = o.queue.Stranded(calls, s.Lane, rescueAtOnce); err != nil {
		o.log.Warn("list stranded deliveries", zap.String("lane", s.Lane), zap.Error(err))
		return false
	}
	if len(s.Jobs) == 0 {
		return true
	}
	if err := lastResort(calls, s); err != nil {
		o.CountLastResort(err)
		o.lastResortError.again(time.Now(), err.Error())
		o.log.Error("the last resort failed", zap.String("lane", s.Lane), zap.Int("deliveries", len(s.Jobs)), zap.Error(err))
		return false
	}
	ids := make([]string, 0, len(s.Jobs))
	for _, j := range s.Jobs {
		ids = append(ids, j.ID)
	}
	// Until this is recorded, the last resort must not get the same jobs again.
	if !o.retry(calls, "record rescued deliveries", func() error { return o.queue.Rescued(calls, ids) }, zap.String("lane", s.Lane)) {
		return false
	}
	o.CountLastResort(nil)
	o.log.Warn("the last resort has taken stranded deliveries", zap.String("lane", s.Lane), zap.Int("deliveries", len(s.Jobs)))
	return true
}
