package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"tocsin/alert"
)

// commit loads, decides and commits, and starts again if what it loaded has changed
// in the meantime.
func (e *Engine) commit(ctx context.Context, q alert.Query, decide func(time.Time, alert.Snapshot) alert.Change) error {
	var names *alert.Aliases
	for try := 1; ; try++ {
		if err := e.readInhibition(ctx); err != nil {
			return err
		}
		q.Now, q.Listed = e.now(), wordsGroups(e.opts.Routing)
		snapshot, err := e.store.Load(ctx, q)
		if err != nil {
			return err // which says what was being read
		}
		if snapshot.Aliases != names { // each is learnt once, so that there is an end to it
			names, try = snapshot.Aliases, 1
		}
		e.dueBy(snapshot.NextDue)
		c, err := recovered(func() alert.Change { return decide(q.Now, snapshot) })
		if err != nil {
			return fmt.Errorf("decide: %w", err)
		}
		if empty(c) {
			return nil
		}
		c.Aliases = snapshot.Aliases
		began := time.Now()
		err = e.store.Commit(ctx, c)
		e.metrics.commit.Observe(time.Since(began).Seconds())
		if errors.Is(err, alert.ErrConflict) && try < maxTries {
			continue
		}
		if errors.Is(err, alert.ErrInDoubt) {
			e.inhibition.known = nil
		}
		if err != nil {
			return err // which says that this was a commit
		}
		e.committed(c)
		return nil
	}
}

// committed has the rest follow a change.
func (e *Engine) committed(c alert.Change) {
	e.inhibition.follow(c)
	if len(e.current.Routing.Inhibit) > 0 && slices.ContainsFunc(c.Turned, func(t alert.TurnedGroup) bool { return t.Status == alert.Firing }) {
		e.inhibition.known = nil // members fire again that were not loaded
	}
	e.expectDue(c)
	e.opts.Wake(c.Lanes()...)
}

// empty reports whether there is nothing to write.
func empty(c alert.Change) bool {
	return len(c.Alerts)+len(c.Incidents)+len(c.Deliveries)+len(c.Silences)+len(c.History)+len(c.Heartbeats)+len(c.Forgotten)+len(c.Members)+len(c.Turned)+len(c.Woken)+len(c.Receipts) == 0
}

// now is the current time at the precision that stores keep.
func (e *Engine) now() time.Time { return e.opts.Now().UTC().Truncate(time.Microsecond) }

func (e *Engine) rules() rules {
	return rules{
		routing: e.current.Routing, flapping: e.current.Flapping, heartbeats: e.current.Heartbeats, inhibition: e.inhibition.known,
		skip: func() int { return 1 + rand.IntN(maxSkip) },
	}
}

// query asks for everything that deciding the inputs needs.
func query(routing alert.Routing, inputs []input) alert.Query {
	var q alert.Query
	keys, ids, names := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, in := range inputs {
		for _, a := range in.alerts {
			q.Keys = once(keys, q.Keys, a.Key)
			for _, group := range routing.GroupKeys(a) {
				q.Keys = once(keys, q.Keys, group)
				q.Members = append(q.Members, alert.MemberKey{Group: group, Key: a.Key})
			}
			q.IdempotencyKeys = append(q.IdempotencyKeys, in.idempotencyKeys(a)...)
		}
		for _, b := range in.beats {
			q.Heartbeats = once(names, q.Heartbeats, b.Name)
		}
		if in.forget != "" {
			q.Heartbeats = once(names, q.Heartbeats, in.forget)
		}
		for _, key := range in.keys {
			q.Keys = once(keys, q.Keys, key)
		}
		for _, a := range in.acts {
			q.IDs = once(ids, q.IDs, a.Incident)
			if a.RequestID != "" {
				q.Acts = append(q.Acts, a.RequestID)
			}
		}
		q.Open = q.Open || in.silence != nil
		if id := in.named(); id != "" {
			q.Silence = id
		}
	}
	return q
}

// idempotencyKeys are those by which an alert of the input may count.
func (in input) idempotencyKeys(a alert.Alert) []string {
	switch {
	case a.IdempotencyKey == "":
		return nil
	case in.queued:
		return []string{a.IdempotencyKey, otherKey(a)}
	}
	return []string{a.IdempotencyKey}
}

// once appends s to list unless it was seen before.
func once(seen map[string]bool, list []string, s string) []string {
	if seen[s] {
		return list
	}
	seen[s] = true
	return append(list, s)
}
