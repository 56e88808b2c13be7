package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// Aliases returns the spellings of conversations that are known now. It makes no
// query, and returns the same value until one is learnt or forgotten.
func (d *DB) Aliases() *alert.Aliases { return d.aliases.Load() }

// Learn notes that Slack calls a conversation, or a person, spelling and has id for it.
// From then on they are one lane: what waits for both is in one queue, in the order of
// acceptance. A spelling that is known to mean another id keeps its meaning.
func (d *DB) Learn(ctx context.Context, spelling, id string) error {
	if known := d.Aliases(); known.Lane(spelling) == known.Lane(id) && (spelling[0] != '#' || known.Lane(id) == spelling) {
		return nil
	}
	learnt := false
	err := d.answerWrite(ctx, func(w *writer, ctx context.Context) (err error) {
		learnt, err = w.learn(ctx, spelling, id, d.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("learn that %s is %s: %w", spelling, id, err)
	}
	if learnt {
		d.log.Info("a conversation has another name", zap.String("lane", d.Aliases().Lane(id)), zap.String("name", spelling), zap.String("id", id))
	}
	return nil
}

// learnStored merges the lanes that were found to be one conversation before lanes
// could have several names.
func (w *writer) learnStored(ctx context.Context, now time.Time) error {
	var unmerged []lane
	for _, l := range w.lanes.bySpelling {
		if l.conversation != "" && w.lanes.of(l.conversation).n != l.n {
			unmerged = append(unmerged, *l)
		}
	}
	slices.SortFunc(unmerged, func(a, b lane) int { return cmp.Compare(a.n, b.n) })
	for _, l := range unmerged {
		if _, err := w.learn(ctx, l.Lane, l.conversation, now); err != nil {
			return fmt.Errorf("merge lanes of %s: %w", l.conversation, err)
		}
	}
	return nil
}

// learn merges the lanes of a spelling and an id, unless they are two conversations.
// It reports whether anything has changed.
func (w *writer) learn(ctx context.Context, spelling, id string, now time.Time) (bool, error) {
	keep, gone, err := w.pair(ctx, spelling, id)
	if err != nil {
		return false, err
	}
	merged, one := keep.with(gone, id)
	merged.Naming = merged.Named(spelling)
	if !one || keep.n == gone.n && merged.Lane == keep.Lane && merged.conversation == keep.conversation {
		return false, nil
	}
	if gone.n != 0 && gone.n != keep.n {
		if err := w.mergeLanes(ctx, merge{keep: keep, gone: gone, now: now}); err != nil {
			return false, err
		}
	}
	return true, w.setNaming(ctx, merged)
}

// pair returns the lanes of a spelling and an id. The first is kept: the older one where
// both are stored. The second may not be.
func (w *writer) pair(ctx context.Context, spelling, id string) (keep, gone lane, err error) {
	if w.lanes.of(id).n == 0 {
		if _, err := w.lane(ctx, spelling); err != nil {
			return keep, gone, err
		}
	}
	keep, gone = w.lanes.orNew(spelling), w.lanes.orNew(id)
	if keep.n == 0 || gone.n != 0 && gone.n < keep.n {
		keep, gone = gone, keep
	}
	return keep, gone, nil
}

// with is the lane that has the spellings of both and this id. It is false if they are
// two conversations.
func (l lane) with(other lane, id string) (lane, bool) {
	naming, one := l.Merge(other.Naming)
	merged := lane{n: l.n, Naming: naming, conversation: cmp.Or(l.conversation, other.conversation)}
	if alert.ParsePerson(id).ID == "" {
		merged.conversation = id
	}
	for _, known := range []string{l.conversation, other.conversation} {
		one = one && (known == "" || known == merged.conversation)
	}
	return merged, one
}

// learnFromPost learns the id of the conversation that a message was posted to.
func (w *writer) learnFromPost(ctx context.Context, a *attempt) error {
	l, id := w.lanes.of(cmp.Or(a.via, a.lane)), a.Sent.Conversation
	if a.State != alert.Delivered || id == "" || id == l.conversation {
		return nil
	}
	name := cmp.Or(l.Lane, a.via, a.lane)
	toCard := a.kind == alert.Update || a.kind.InThread() && !a.TopLevel
	if l.conversation != "" {
		if toCard { // the lane's name has come to mean another conversation
			return nil
		}
		if err := w.forgetID(ctx, name); err != nil {
			return err
		}
	}
	learnt, err := w.learn(ctx, name, id, a.Now)
	if err != nil || !learnt || toCard {
		return err
	}
	return w.mend(ctx, name, micros(a.Now)) // it has just taken a message
}
