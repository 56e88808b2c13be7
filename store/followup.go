package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tocsin/alert"
)

// The queries for what waits behind the posts of a digest. What is decided about
// it is written by number, for all of them at once.
const (
	// behindQuery loads a note only where it can matter.
	behindQuery = `SELECT d.incident, d.n, d.kind, d.state, d.top_level, d.stage,
		CASE WHEN d.must_say <> 0 OR d.top_level <> 0 THEN d.note ELSE '' END, i.state, i.severity, i.silence
	FROM deliveries m CROSS JOIN lanes l CROSS JOIN deliveries d CROSS JOIN incidents i
	WHERE m.digest = ? AND m.kind = {post} AND l.n = m.lane AND d.incident = m.incident AND d.lane = l.main AND d.stage IS NOT NULL
		AND i.n = m.incident ORDER BY d.incident, d.n`
	supersedeQuery  = `UPDATE deliveries SET state = {superseded}, stage = NULL, done_at = ?, reason = ? WHERE n {oneofnumbers}`
	ownCardsQuery   = `UPDATE deliveries SET kind = {post} WHERE n {oneofnumbers}`
	advanceAllQuery = `UPDATE deliveries SET stage = ? WHERE n {oneofnumbers}`
)

// followUp loads what waits behind the posts of a digest, and writes what decide
// makes of it.
func (w *writer) followUp(ctx context.Context, digest int64, now time.Time, decide func([]alert.Member) alert.Followup) error {
	members, err := w.members(ctx, digest)
	if err != nil {
		return err
	}
	f := decide(members)
	if err := w.execAll(ctx, supersedeQuery, numbers(f.Listed), micros(now), "listed in a digest"); err != nil {
		return err
	}
	if err := w.execAll(ctx, supersedeQuery, numbers(f.Repeated), micros(now), "asked once for a digest"); err != nil {
		return err
	}
	if err := w.execAll(ctx, ownCardsQuery, numbers(f.OwnCards)); err != nil {
		return err
	}
	next := map[int64][]int64{}
	for _, d := range f.Next {
		next[stageOf(d.Kind)] = append(next[stageOf(d.Kind)], d.Seq)
	}
	for stage, list := range next {
		if err := w.execAll(ctx, advanceAllQuery, list, stage); err != nil {
			return err
		}
	}
	return nil
}

// members loads those incidents of a digest for which something waits.
func (w *writer) members(ctx context.Context, digest int64) ([]alert.Member, error) {
	var members []alert.Member
	last := int64(0)
	err := w.each(ctx, behindQuery, func(s scanner) error {
		var incident int64
		var d alert.Waiting
		var i alert.Incident
		var stage int64
		var note, hiddenBy string
		err := s.Scan(&incident, &d.Seq, word(&d.Kind), word(&d.State), &d.TopLevel, &stage, &note, word(&i.State), word(&i.Severity), &hiddenBy)
		if err != nil {
			return err
		}
		setHiddenBy(&i, hiddenBy)
		d.Gathered, d.Claimable = stage == stageGathered, stage == stagePost || stage == stageUpdate
		if note != "" {
			d.Note = &alert.Note{}
		}
		if incident != last {
			members, last = append(members, alert.Member{Incident: i}), incident
		}
		m := &members[len(members)-1]
		m.Waiting = append(m.Waiting, d)
		return parse(note, d.Note)
	}, digest)
	return members, err
}

func numbers(list []alert.Waiting) []int64 {
	all := make([]int64, len(list))
	for n, d := range list {
		all[n] = d.Seq
	}
	return all
}

// execAll runs a query that ends in a list of numbers, unless the list is empty.
func (w *writer) execAll(ctx context.Context, query string, list []int64, args ...any) error {
	if len(list) == 0 {
		return nil
	}
	text, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("list numbers: %w", err)
	}
	_, err = w.exec(ctx, query, append(args, string(text))...)
	return err
}
