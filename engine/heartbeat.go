package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// clockJump is the smallest step of the clock after which heartbeats start counting again.
const clockJump = time.Second

// heartbeatState is a heartbeat in a draft.
type heartbeatState struct {
	alert.Heartbeat
	// stored is it as loaded; known is set if it was, and forgotten if it is deleted.
	stored           alert.Heartbeat
	known, forgotten bool
}

// Beat accepts signs of life and returns the heartbeats after them. The error is an
// *alert.InputError, for one whose period nobody has said too, or as from Push; signs of
// life are accepted however many alerts are pending.
func (e *Engine) Beat(ctx context.Context, beats []alert.Beat) ([]alert.Heard, error) {
	prepared, notes := make([]alert.Beat, len(beats)), make([][]string, len(beats))
	for n, b := range beats {
		var err error
		if prepared[n], notes[n], err = prepareBeat(b, e.now()); err != nil {
			return nil, err
		}
	}
	r, err := e.submit(ctx, input{beats: prepared})
	if err != nil {
		return nil, fmt.Errorf("heartbeat: %w", err)
	}
	for n := range r.heard {
		r.heard[n].Notes = append(notes[n], r.heard[n].Notes...)
	}
	return r.heard, nil
}

// Forget deletes a heartbeat and returns it as it was; its incident is resolved. The
// error wraps alert.ErrNotFound, alert.ErrConfigured, or is as from Beat.
func (e *Engine) Forget(ctx context.Context, name string) (alert.Heartbeat, error) {
	r, err := e.submit(ctx, input{forget: name})
	if err != nil {
		return alert.Heartbeat{}, fmt.Errorf("forget heartbeat %s: %w", name, err)
	}
	return r.heard[0].Heartbeat, nil
}

// prepareBeat checks a beat. What its alert would say is repaired and noted now.
func prepareBeat(b alert.Beat, now time.Time) (alert.Beat, []string, error) {
	if err := alert.CheckHeartbeatName(b.Name); err != nil {
		return b, nil, err
	}
	if err := b.Terms.Check(); err != nil {
		return b, nil, err
	}
	b.Terms.Mention, b.At = "", b.At.UTC().Truncate(time.Microsecond) // only the configuration's mentions notify
	a := alert.Heartbeat{Name: b.Name, Terms: b.Terms}.Alarm(false)
	a.Sender = b.Sender
	if err := a.Prepare(now); err != nil {
		return b, nil, err
	}
	b.Terms.Channel = a.Channel
	if b.Terms.Severity != "" {
		b.Terms.Severity = a.Severity
	}
	if len(b.Terms.Labels) > 0 {
		b.Terms.Labels = a.Labels
	}
	return b, a.Notes, nil
}

// beat decides one sign of life.
func (d *draft) beat(b alert.Beat) (alert.Heard, error) {
	h := d.heartbeats[b.Name]
	if err := d.checkBeat(h, b); err != nil {
		return alert.Heard{}, err
	}
	var heard alert.Heard
	if h == nil {
		h = &heartbeatState{Heartbeat: alert.Expect(b.Name, b.Default.With(b.Terms), d.now)}
		d.addHeartbeat(h)
	} else if terms := d.termsOf(h, b); !h.Configured {
		h.Heartbeat = h.Watch(terms)
	} else {
		heard.Notes = overruled(h.Terms, b.Terms)
		h.Labels, h.About = terms.Labels, terms.About
	}
	if b.Stopped || !b.EndsAt.IsZero() && !b.EndsAt.After(d.now) {
		if h.MissingAt.IsZero() {
			d.miss(h, true)
		}
		heard.Heartbeat = h.Heartbeat
		return heard, nil
	}
	since := h.MissingAt
	var back bool
	if h.Heartbeat, back = h.Hear(b, d.now); back {
		d.report(h.Return("It was heard again after " + alert.FormatDuration(d.now.Sub(since).Truncate(time.Second)) + "."))
	}
	heard.Heartbeat = h.Heartbeat
	return heard, nil
}

// termsOf are the terms of a known heartbeat after a beat. Where the configuration has
// no labels of its own, the sender's count.
func (d *draft) termsOf(h *heartbeatState, b alert.Beat) alert.Terms {
	terms := h.Terms.With(b.Terms)
	if own := d.rules.heartbeats[h.Name].Labels; len(own) > 0 {
		terms.Labels = own
	}
	return terms
}

func (d *draft) checkBeat(h *heartbeatState, b alert.Beat) error {
	switch {
	case h != nil:
	case b.Terms.Every == 0 && b.Default.Every == 0:
		return &alert.InputError{
			Message: "nobody has said how often the heartbeat " + b.Name + " is to be heard",
			Hint:    "add ?every=5m to the address, or name it in the configuration: ingest.heartbeats",
		}
	case d.heartbeatCount >= alert.MaxHeartbeats:
		return &alert.InputError{
			Message: fmt.Sprintf("there are %d heartbeats already, and at most %d may be", d.heartbeatCount, alert.MaxHeartbeats),
			Hint:    "forget those that are not needed any more: DELETE /v1/heartbeats/NAME (tocsin heartbeats forget NAME)",
		}
	}
	return nil
}

// overruled notes what of a sender's terms the configuration says otherwise.
func overruled(configured, said alert.Terms) (notes []string) {
	note := func(name, of, says string) {
		notes = append(notes, fmt.Sprintf("%s %s does not count: the configuration says %s", name, of, says))
	}
	if said.Every != 0 && said.Every != configured.Every {
		note("every", alert.FormatDuration(said.Every), alert.FormatDuration(configured.Every))
	}
	if said.Grace != 0 && said.Grace != configured.Tolerance() {
		note("grace", alert.FormatDuration(said.Grace), alert.FormatDuration(configured.Tolerance()))
	}
	if said.Severity != "" && said.Severity != cmp.Or(configured.Severity, alert.Critical) {
		note("severity", string(said.Severity), string(cmp.Or(configured.Severity, alert.Critical)))
	}
	if said.Channel != "" && said.Channel != configured.Channel {
		note("channel", said.Channel, cmp.Or(configured.Channel, "that the routes decide"))
	}
	return notes
}

// miss has a heartbeat be missing.
func (d *draft) miss(h *heartbeatState, stopped bool) {
	d.report(h.Alarm(stopped))
	h.Heartbeat = h.Miss(d.now)
}

// report accepts an alert about a heartbeat, which is one like any other.
func (d *draft) report(a alert.Alert) {
	_ = a.Prepare(d.now) // it has a title, and all else is repaired
	d.accept(a)
}

// forget deletes a heartbeat.
func (d *draft) forget(name string) (alert.Heard, error) {
	h := d.heartbeats[name]
	switch {
	case h == nil:
		return alert.Heard{}, alert.ErrNotFound
	case h.Configured:
		return alert.Heard{}, alert.ErrConfigured
	}
	d.drop(h)
	return alert.Heard{Heartbeat: h.Heartbeat}, nil
}

func (d *draft) drop(h *heartbeatState) {
	if !h.MissingAt.IsZero() {
		d.report(h.Return("It is not expected any more."))
	}
	h.forgotten = true
	delete(d.heartbeats, h.Name)
	d.heartbeatCount--
}

func (d *draft) addHeartbeat(h *heartbeatState) {
	d.heartbeats[h.Name] = h
	d.heartbeatOrder = append(d.heartbeatOrder, h)
	d.heartbeatCount++
}

// loadHeartbeats adds the snapshot's heartbeats to the draft.
func (d *draft) loadHeartbeats(snapshot alert.Snapshot) {
	d.heartbeats = make(map[string]*heartbeatState, len(snapshot.Heartbeats))
	for _, h := range snapshot.Heartbeats {
		d.addHeartbeat(&heartbeatState{Heartbeat: h, stored: h, known: true})
	}
	d.heartbeatCount = snapshot.HeartbeatCount
}

// finishHeartbeats collects what has changed about heartbeats.
func (d *draft) finishHeartbeats() {
	for _, h := range d.heartbeatOrder {
		switch {
		case h.forgotten && h.known && d.heartbeats[h.Name] == nil:
			d.change.Forgotten = append(d.change.Forgotten, h.Name)
		case !h.forgotten && !(h.known && h.Same(h.stored)):
			d.change.Heartbeats = append(d.change.Heartbeats, h.Heartbeat)
		}
	}
}

// processHeartbeats decides which heartbeats are missing.
func (d *draft) processHeartbeats() {
	for _, h := range d.heartbeatOrder {
		if !h.DueAt.IsZero() && !h.DueAt.After(d.now) {
			d.miss(h, false)
		}
	}
}

// decideResume decides what is expected from now on, after a start, after the clock was
// set, after a time in which nothing could be stored, or by another configuration: the
// heartbeats of the configuration, and the others without those that only the
// configuration knew. missed changes one that may not have been heard: nil if only the
// configuration is another.
func decideResume(r rules, now time.Time, snapshot alert.Snapshot, missed func(alert.Heartbeat, time.Time) alert.Heartbeat) alert.Change {
	d := newDraft(r, now, snapshot)
	for _, h := range d.heartbeatOrder {
		terms, configured := r.heartbeats[h.Name]
		switch {
		case configured:
			terms.About = cmp.Or(terms.About, h.About)
			if len(terms.Labels) == 0 {
				terms.Labels = h.Labels
			}
			h.Heartbeat = h.Watch(terms)
			h.Configured = true
		case h.Configured:
			d.drop(h)
			continue
		}
		if missed != nil {
			h.Heartbeat = missed(h.Heartbeat, now)
		}
	}
	for name, terms := range r.heartbeats {
		if d.heartbeats[name] == nil {
			h := alert.Expect(name, terms, now)
			h.Configured = true
			d.addHeartbeat(&heartbeatState{Heartbeat: h})
		}
	}
	d.finish()
	return d.change
}

// resume runs decideResume if it has to be.
func (e *Engine) resume(ctx context.Context) error {
	if e.clockWasSet() {
		e.deaf = true
	}
	if !e.deaf && !e.renewed {
		return nil
	}
	var missed func(alert.Heartbeat, time.Time) alert.Heartbeat
	switch {
	case !e.resumed:
		missed = alert.Heartbeat.Restart
	case e.deaf:
		missed = alert.Heartbeat.Resume
	}
	err := e.commit(ctx, alert.Query{AllHeartbeats: true}, func(now time.Time, snapshot alert.Snapshot) alert.Change {
		return decideResume(e.rules(), now, snapshot, missed)
	})
	if err == nil {
		e.deaf, e.resumed = false, true
	}
	if err == nil && e.renewed {
		err = e.renew(ctx)
	}
	return err
}

// clockWasSet reports whether the clock has not gone like the monotonic one since the last
// call. That one stands still while the machine sleeps, in which nothing is heard either.
func (e *Engine) clockWasSet() bool {
	wall, since := e.now(), time.Since(e.started)
	step := wall.Sub(e.lookedAt) - (since - e.lookedSince)
	first := e.lookedAt.IsZero()
	e.lookedAt, e.lookedSince = wall, since
	return !first && step.Abs() >= clockJump
}

// noteDeaf remembers that a sign of life could not be stored.
func (e *Engine) noteDeaf(batch []*request, err error) {
	e.deaf = e.deaf || err != nil && slices.ContainsFunc(batch, func(r *request) bool { return len(r.beats) > 0 })
}

// runEachHeartbeat looks at heartbeats one by one, as runEachDue does at incidents.
func (e *Engine) runEachHeartbeat(ctx context.Context, due []alert.Heartbeat) error {
	var all error
	for _, h := range due {
		err := e.commit(ctx, alert.Query{Heartbeats: []string{h.Name}}, func(now time.Time, snapshot alert.Snapshot) alert.Change {
			d := newDraft(e.rules(), now, snapshot)
			d.processHeartbeats()
			d.finish()
			return d.change
		})
		if err != nil {
			e.opts.Log.Debug("heartbeat not processed", zap.String("heartbeat", h.Name), zap.Error(err))
			all = errors.Join(all, fmt.Errorf("heartbeat %s: %w", h.Name, err))
		}
	}
	return all
}
