package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"go.uber.org/zap"
)

const (
	// freshKeys is how many new keys are kept in memory before they begin to be
	// written to the table latest.
	freshKeys = 16384
	// leastKeys is how many a commit then writes at least.
	leastKeys = 32
)

// keyIndex finds the latest incident of each route of each key, together with
// the table latest. The keys in that table are hashes, so that in a large one
// every new key has a page of its own to change. Therefore new keys are kept
// here and written in the order of their hashes, a few with each commit, so that
// many share a page. Nothing is lost with them: opening a store reads them from
// incidents.
type keyIndex struct {
	// most is how many may be in fresh before they are to be written.
	most int

	mu sync.RWMutex
	// fresh and leaving are what is not in the table yet, by hash; leaving are
	// those that are being written.
	fresh, leaving map[int64][]latest

	// The writer alone uses the rest. queue is what is left of leaving, in order,
	// and upTo the latest incident in leaving.
	queue []latest
	upTo  int64
	// opened and forgotten are what the open transaction changes, written is how
	// much of the queue it writes.
	opened, forgotten []latest
	written           int
}

// latest is a row of the table latest: the incident of a route of a key.
type latest struct {
	key      int64
	route    string
	incident int64
}

func (l latest) compare(other latest) int {
	return cmp.Or(cmp.Compare(l.key, other.key), cmp.Compare(l.route, other.route))
}

// find returns what is known of these keys and not in the table yet.
func (x *keyIndex) find(keys []int64) []latest {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var found []latest
	for _, key := range keys {
		newer := x.fresh[key]
		found = append(found, newer...)
		for _, l := range x.leaving[key] {
			if !slices.ContainsFunc(newer, func(n latest) bool { return n.route == l.route }) {
				found = append(found, l)
			}
		}
	}
	return found
}

// begin starts a transaction.
func (x *keyIndex) begin() { x.opened, x.forgotten, x.written = nil, nil, 0 }

// keep adds the incidents that a transaction opened, even if its commit is in
// doubt: an incident that does not exist is not found.
func (x *keyIndex) keep() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, l := range x.opened {
		x.fresh[l.key] = append(slices.DeleteFunc(x.fresh[l.key], func(was latest) bool { return was.route == l.route }), l)
	}
}

// committed makes known what a transaction has done.
func (x *keyIndex) committed() {
	x.keep()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.queue = x.queue[x.written:]
	for _, l := range x.forgotten {
		gone := func(was latest) bool { return was == l }
		for _, m := range []map[int64][]latest{x.fresh, x.leaving} {
			if m[l.key] = slices.DeleteFunc(m[l.key], gone); len(m[l.key]) == 0 {
				delete(m, l.key)
			}
		}
		x.queue = slices.DeleteFunc(x.queue, gone)
	}
	if len(x.queue) == 0 {
		x.leaving = map[int64][]latest{}
	}
	if len(x.leaving) == 0 && len(x.fresh) >= x.most {
		x.leaving, x.fresh = x.fresh, map[int64][]latest{}
		x.queue = inOrder(x.leaving)
		x.upTo = slices.MaxFunc(x.queue, func(a, b latest) int { return cmp.Compare(a.incident, b.incident) }).incident
	}
}

func inOrder(all map[int64][]latest) []latest {
	list := slices.Concat(slices.Collect(maps.Values(all))...)
	slices.SortFunc(list, latest.compare)
	return list
}

// writeLatest writes a part of what is to be written.
func (w *writer) writeLatest(ctx context.Context) error {
	x := w.keys
	if len(x.queue) == 0 || x.written > 0 {
		return nil
	}
	x.written = min(len(x.queue), max(leastKeys, 2*len(x.opened)))
	if err := w.insertLatest(ctx, x.queue[:x.written]); err != nil || x.written < len(x.queue) {
		return err
	}
	return w.setUpTo(ctx, x.upTo)
}

// flushKeys writes all that is not in the table yet.
func (w *writer) flushKeys(ctx context.Context) error {
	if len(w.keys.fresh)+len(w.keys.queue) == 0 {
		return nil
	}
	if err := w.insertLatest(ctx, w.keys.queue); err != nil {
		return err
	}
	if err := w.insertLatest(ctx, inOrder(w.keys.fresh)); err != nil {
		return err
	}
	return w.setUpTo(ctx, w.incidents)
}

func (w *writer) insertLatest(ctx context.Context, list []latest) error {
	args := make([]any, 0, 3*len(list))
	for _, l := range list {
		args = append(args, l.key, l.route, l.incident)
	}
	return w.insert(ctx, w.into.latest, args)
}

func (w *writer) setUpTo(ctx context.Context, incident int64) error {
	_, err := w.exec(ctx, "UPDATE latest_upto SET incident = ?", incident)
	return err
}

const freshQuery = `SELECT n, key, route FROM incidents WHERE n > (SELECT incident FROM latest_upto) AND state <> {digest} ORDER BY n`

// readKeys reads what is not in the table.
func (w *writer) readKeys(ctx context.Context) error {
	x := w.keys
	x.begin()
	err := w.each(ctx, freshQuery, func(s scanner) error {
		var l latest
		var key string
		err := s.Scan(&l.incident, &key, &l.route)
		l.key = keyHash(key)
		x.opened = append(x.opened, l)
		return err
	})
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	x.mu.Lock()
	x.fresh, x.leaving, x.queue = map[int64][]latest{}, map[int64][]latest{}, nil
	x.mu.Unlock()
	x.keep()
	x.begin()
	return nil
}

// closeKeys writes what the next start would otherwise have to read.
func (d *DB) closeKeys(w *writer) {
	if w.sick || w.conn == nil {
		return
	}
	o := &op{do: (*writer).flushKeys, answer: make(chan error, 1)}
	d.writeGroup(w, []*op{o}, nothing)
	if err := <-o.answer; err != nil {
		d.log.Warn("index of keys not written, the next start completes it", zap.Error(err))
	}
}
