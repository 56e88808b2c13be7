package engine

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// inhibition is what the engine remembers between decisions about incidents that inhibit
// others. Only one process decides, so it is exact; a restart reads it again.
type inhibition struct {
	// known is nil until it was read, and after a commit that may have been done or not.
	known *alert.Inhibition
	// less are incidents that inhibit less than before. What they hide is decided again, in
	// bites, so that much of it does not stall anything else.
	less []string
	// asked are those whose bites are under way, after is the last incident of the latest
	// bite, and retryAt is when to go on after an error.
	asked   []string
	after   string
	retryAt time.Time
}

// readInhibition reads which incidents inhibit others, if that is not known. What they hide
// is decided again: the rules or the incidents may have changed since.
func (e *Engine) readInhibition(ctx context.Context) error {
	if e.inhibition.known != nil {
		return nil
	}
	rules := e.current.Routing.Inhibit
	q := alert.Query{Inhibitors: true}
	for _, r := range rules {
		q.Sources = append(q.Sources, r.Source)
	}
	snapshot, err := e.store.Load(ctx, q)
	if err != nil {
		return err
	}
	known := alert.NewInhibition(rules)
	for _, i := range snapshot.Sources {
		known.Set(i, snapshot.Aliases)
	}
	e.inhibition = inhibition{known: known, less: snapshot.Inhibitors}
	return nil
}

// follow remembers what a committed change says about incidents that inhibit others.
func (x *inhibition) follow(c alert.Change) {
	for _, i := range c.Incidents {
		if x.known.Set(i, c.Aliases) {
			x.less = alert.Union(x.less, []string{i.ID})
		}
	}
	for _, i := range c.Incidents {
		if i.InhibitedBy == "" {
			continue
		}
		// What inhibits it may have ended in the same change.
		if by, _ := x.known.Of(c.Aliases.Subject(i.Subject()), i.InhibitedBy); by.ID != i.InhibitedBy {
			x.less = alert.Union(x.less, []string{i.InhibitedBy})
		}
	}
}

// pause is how long to wait with the next bite; ok is false if there is none.
func (x *inhibition) pause(now time.Time) (wait time.Duration, ok bool) {
	return max(x.retryAt.Sub(now), 0), len(x.less)+len(x.asked) > 0
}

// decideInhibited decides a bite of what is hidden by incidents that inhibit less than
// before.
func (e *Engine) decideInhibited(ctx context.Context) {
	x := &e.inhibition
	if wait, ok := x.pause(e.now()); !ok || wait > 0 {
		return
	}
	if len(x.asked) == 0 {
		x.asked, x.less, x.after = x.less, nil, ""
	}
	var bite []alert.Incident
	err := e.commit(ctx, alert.Query{InhibitedBy: x.asked, After: x.after}, func(now time.Time, snapshot alert.Snapshot) alert.Change {
		bite = snapshot.Incidents
		return decideHidden(e.rules(), now, snapshot)
	})
	if errors.Is(err, alert.ErrInternal) {
		err = e.runEach(ctx, bite, decideHidden)
	}
	if err != nil {
		e.opts.Log.Warn("inhibited incidents could not be decided again", zap.Error(err))
		x.retryAt = e.now().Add(duePause)
		return
	}
	if len(bite) < alert.MaxInhibited {
		x.asked = nil
		return
	}
	x.after = bite[len(bite)-1].ID
}

// decideHidden shows inhibited incidents that nothing hides any more.
func decideHidden(r rules, now time.Time, snapshot alert.Snapshot) alert.Change {
	d := newDraft(r, now, snapshot)
	for _, en := range d.all {
		d.expireHolds(en)
	}
	d.finish()
	return d.change
}

// inhibitorOf returns the incident that inhibits this one by the rules.
func (d *draft) inhibitorOf(en *entry) (alert.Inhibitor, bool) {
	return d.inhibition.Of(d.subjectOf(en), en.InhibitedBy)
}

// learnSources lets a decision know which incidents the earlier ones of the batch have
// changed.
func (d *draft) learnSources() {
	for _, en := range d.touched {
		d.inhibition.Set(en.Incident, d.aliases)
	}
	d.touched = d.touched[:0]
}

// inhibit hides the incident because another one inhibits it. Its cards say so.
func (d *draft) inhibit(en *entry, by alert.Inhibitor) {
	if en.InhibitedBy == by.ID {
		return
	}
	d.touch(en)
	en.Silence, en.SilencedUntil, en.InhibitedBy = "", noTime, by.ID
	en.RemindAt = noTime
	if en.unshown && !en.Waiting {
		en.HeldUntil = d.now
	}
	d.addHistory(en, alert.Event{Verb: alert.VerbInhibit, Text: by.String()})
	d.update(en)
}
