package alert

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// MergeQueues decides what becomes of the deliveries for one incident that wait in two
// lanes which are one conversation. They are in one queue then, in the order of
// acceptance, for one card: shown is set if the incident has a card of its own there
// already. A delivery that another one makes needless is superseded.
func MergeQueues(shown bool, waiting []Waiting) []Waiting {
	merged := slices.Clone(waiting)
	slices.SortFunc(merged, func(a, b Waiting) int { return cmp.Compare(a.Seq, b.Seq) })
	leaveOutRepeated(shown, merged)
	// A delivery that is being sent keeps its place, and a digest its posts. Others
	// wait for them.
	free := !slices.ContainsFunc(merged, func(w Waiting) bool { return w.Gathered || w.begun() })
	for n := range merged {
		switch w := &merged[n]; {
		case w.State == Superseded:
			w.Claimable = false
		case !w.Gathered && !w.begun():
			w.Claimable, free = free, false
		}
	}
	return merged
}

// begun reports whether the delivery may have been sent.
func (w Waiting) begun() bool { return w.State == Sending && w.Claimable }

// leaveOutRepeated keeps one delivery that shows the newest state, and each note once.
func leaveOutRepeated(shown bool, merged []Waiting) {
	posted := shown || slices.ContainsFunc(merged, func(w Waiting) bool { return w.Kind == Post && (w.Gathered || w.begun()) })
	redraws := false
	said := map[string]bool{}
	for n := range merged {
		w := &merged[n]
		if w.Gathered || w.State != Pending {
			continue
		}
		if w.Kind.InThread() {
			w.leaveOutSaid(said)
			continue
		}
		if redraws {
			w.State = Superseded
			continue
		}
		if w.Kind == Post && posted {
			w.Kind = Update
		}
		redraws = true
	}
}

// leaveOutSaid leaves out a reply with a note that another one has from the same
// decision.
func (w *Waiting) leaveOutSaid(said map[string]bool) {
	if w.Kind != Reply || w.Note == nil {
		return
	}
	what := fmt.Sprint(w.CreatedAt.UnixMicro(), w.TopLevel, *w.Note)
	if said[what] {
		w.State = Superseded
	}
	said[what] = true
}

// Stays returns which of an incident's two cards in one conversation stays its card:
// one of its own, and then the earlier one.
func (c Card) Stays(other Card) bool {
	if c.Digest != other.Digest {
		return other.Digest
	}
	return c.TS <= other.TS
}

// Merge returns what is known of one destination that was two lanes. A zero Since
// means that it works. If only one of them is broken, it is checked at once.
func (d Destination) Merge(other Destination, now time.Time) Destination {
	switch {
	case other.Since.IsZero() && d.Since.IsZero():
		return d
	case other.Since.IsZero():
		d.ProbeAt = now
		return d
	case d.Since.IsZero():
		other.Lane, other.ProbeAt = d.Lane, now
		return other
	}
	if other.Since.Before(d.Since) {
		d.Since = other.Since
	}
	return d
}
