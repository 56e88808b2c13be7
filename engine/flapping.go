package engine

import (
	"slices"
	"time"

	"tocsin/alert"
)

// Flapping says when an incident flaps: it was reopened so many times within a time.
// Its thread says so once, and is quiet until nothing has changed for as long.
type Flapping struct {
	// Times is 5 by default, Within 5 min.
	Times  int
	Within time.Duration
}

// countReopening remembers that the incident is reopened now.
func (d *draft) countReopening(en *entry) {
	f := d.rules.flapping
	recent := slices.DeleteFunc(slices.Clone(en.ReopenedAt), func(at time.Time) bool {
		return at.After(d.now) || at.Before(d.now.Add(-f.Within))
	})
	recent = append(recent, d.now)
	en.ReopenedAt = recent[max(0, len(recent)-f.Times):]
}

// beginFlapping says in the threads that the incident flaps, once it does.
func (d *draft) beginFlapping(en *entry) {
	if !en.FlappingSince.IsZero() || len(en.ReopenedAt) < d.rules.flapping.Times {
		return
	}
	en.FlappingSince = d.now
	d.addNote(en, alert.Note{
		Topic: alert.TopicFlapping, Severity: en.Severity, Count: len(en.ReopenedAt), After: d.now.Sub(en.ReopenedAt[0]),
	}, nil)
}

// stableAt is when a flapping incident is stable if nothing changes; zero if it does not
// flap.
func (d *draft) stableAt(en *entry) time.Time {
	if en.FlappingSince.IsZero() {
		return noTime
	}
	changed := en.FlappingSince
	for _, at := range append(slices.Clone(en.ReopenedAt), en.ResolvedAt) {
		if at.After(changed) && !at.After(d.now) { // the clock may have been put back
			changed = at
		}
	}
	return changed.Add(d.rules.flapping.Within)
}

// endFlapping says in the threads how an incident ended that is stable again, with what
// they have not said meanwhile: the text of the last alert and the further pages of the
// card's.
func (d *draft) endFlapping(en *entry) {
	if at := d.stableAt(en); at.IsZero() || at.After(d.now) {
		return
	}
	unsaid, unpaged := en.Unsaid, en.Unpaged
	en.FlappingSince, en.ReopenedAt, en.Unsaid, en.Unpaged = noTime, nil, "", false
	if en.Hidden() {
		return
	}
	if unpaged {
		d.dropText(en)
		d.deliverRest(en, en.Lanes, en.cardText(), true)
	}
	n := alert.Note{Topic: alert.TopicStable, Text: unsaid, Count: en.Count}
	if en.State != alert.StateResolved {
		n.Severity = en.Severity
	}
	d.addNote(en, n, nil)
}
