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
	groups := make(map[string]alert.Incident, len(snapshot.Sources))
	for _, i := range snapshot.Sources {
		groups[i.ID] = i
		known.Set(i, snapshot.Aliases)
	}
	for _, m := range snapshot.SourceMembers {
		known.SetMember(groups[m.Incident], m, snapshot.Aliases)
	}
	e.inhibition = inhibition{known: known, less: snapshot.Inhibitors}
	return nil
}

// follow remembers what a committed change says about incidents that inhibit others.
func (x *inhibition) follow(c alert.Change) {
	groups := map[string]alert.Incident{}
	for _, i := range c.Incidents {
		if x.known.Set(i, c.Aliases) {
			x.decideAgain(i.ID)
		}
		if i.Group != nil {
			groups[i.ID] = i
		}
	}
	for _, m := range c.Members { // of a group that has not changed, none fires otherwise
		if i, changed := groups[m.Incident]; changed && x.known.SetMember(i, m, c.Aliases) {
			x.decideAgain(i.ID)
		}
	}
	for _, i := range c.Incidents {
		if i.Group == nil {
			x.check(i.InhibitedBy, c.Aliases.Subject(i.Subject()))
		}
	}
	for _, m := range c.Members {
		if i, changed := groups[m.Incident]; changed {
			x.check(m.InhibitedBy, c.Aliases.Subject(m.Subject(i)))
		}
	}
}

// decideAgain has it decided again what an incident hides.
func (x *inhibition) decideAgain(id string) { x.less = alert.Union(x.less, []string{id}) }

// check has it decided again what inhibits an alert that was hidden by an incident which
// has ended in the same change.
func (x *inhibition) check(hiddenBy string, s alert.Subject) {
	if hiddenBy == "" {
		return
	}
	if by, _ := x.known.Of(s, hiddenBy); by.ID != hiddenBy {
		x.decideAgain(hiddenBy)
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
		if err := e.wakeInhibited(ctx, x.less); err != nil {
			e.putOff(err)
			return
		}
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
		e.putOff(err)
		return
	}
	if len(bite) < alert.MaxInhibited {
		x.asked = nil
		return
	}
	x.after = bite[len(bite)-1].ID
}

// putOff has it tried again later to decide what is hidden.
func (e *Engine) putOff(err error) {
	e.opts.Log.Warn("inhibited incidents could not be decided again", zap.Error(err))
	e.inhibition.retryAt = e.now().Add(duePause)
}

// wakeInhibited makes the members of groups due that these incidents inhibit.
func (e *Engine) wakeInhibited(ctx context.Context, by []string) error {
	return e.commit(ctx, alert.Query{}, func(now time.Time, _ alert.Snapshot) alert.Change { return wake(by, now) })
}

func wake(by []string, now time.Time) (c alert.Change) {
	for _, id := range by {
		c.Woken = append(c.Woken, alert.Wake{By: id, At: now})
	}
	return c
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

// inhibitorOf returns the incident that inhibits this one by the rules. A group is inhibited
// if its members are that would be shown otherwise.
func (d *draft) inhibitorOf(en *entry) (alert.Inhibitor, bool) {
	if en.Group != nil {
		return d.inhibitorOfGroup(en)
	}
	return d.inhibition.Of(d.subjectOf(en), en.InhibitedBy)
}

func (d *draft) inhibitorOfGroup(en *entry) (alert.Inhibitor, bool) {
	if en.Group.Fires() > 0 || len(en.Group.Inhibited) == 0 {
		return alert.Inhibitor{}, false
	}
	by, inhibits := d.inhibition.Inhibitor(en.InhibitedBy)
	if !inhibits {
		by, _ = d.inhibition.Inhibitor(en.Group.InhibitedBy)
	}
	return by, true
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
