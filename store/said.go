package store

import (
	"context"
	"fmt"
	"time"

	"tocsin/alert"
)

// mustBeSaid tells whether a delivery is a reply that no digest stands for. A
// digest shows the state of its incidents, but not what people write, what is
// asked of them, and that a silence hides something critical.
func mustBeSaid(d *alert.Delivery) bool {
	if d.Kind != alert.Reply || d.Note == nil {
		return false
	}
	if d.TopLevel || len(d.Note.Mention) > 0 {
		return true
	}
	switch d.Note.Topic {
	case alert.TopicNote, alert.TopicUnanswered, alert.TopicReminder, alert.TopicHidden:
		return true
	case alert.TopicAcked, alert.TopicAssigned:
		return d.Note.Text != ""
	}
	return false
}

// saidClause is mustBeSaid for the stored note, which is JSON: its topic comes
// first, then its text.
const saidClause = `(kind = 'reply' AND note <> '' AND (top_level <> 0 OR note LIKE '%"mention":[%'
	OR note LIKE '{"topic":"note"%' OR note LIKE '{"topic":"unanswered"%' OR note LIKE '{"topic":"reminder"%'
	OR note LIKE '{"topic":"hidden"%' OR note LIKE '{"topic":"acked","text":%' OR note LIKE '{"topic":"assigned","text":%'))`

const (
	// askedQuery finds the replies of a digest's incidents that wait and ask
	// somebody to do something.
	askedQuery = `SELECT d.n, d.state, d.note FROM deliveries m CROSS JOIN deliveries d
	WHERE m.digest = ? AND m.kind = 'post' AND d.incident = m.incident AND d.lane = m.lane AND d.stage IS NOT NULL AND d.kind = 'reply'
		AND d.top_level = 0 AND (d.note LIKE '{"topic":"unanswered"%' OR d.note LIKE '{"topic":"reminder"%') ORDER BY d.n`
	oneAsks = `UPDATE deliveries SET state = 'superseded', stage = NULL, done_at = ?, reason = 'asked once for a digest' WHERE n = ?`
)

// asks tells whether a reply asks somebody to do something.
func asks(d *alert.Delivery) bool {
	return d.Kind == alert.Reply && d.Note != nil && (d.Note.Topic == alert.TopicUnanswered || d.Note.Topic == alert.TopicReminder)
}

// askOnce leaves one reply of those that wait and ask the same people the same
// about incidents of one digest: nobody is pinged a thousand times for a flood.
func (w *writer) askOnce(ctx context.Context, digest int64, now time.Time) error {
	asked := map[string]bool{}
	var again []int64
	err := w.each(ctx, askedQuery, func(s scanner) error {
		var n int64
		var state alert.DeliveryState
		var text string
		var note alert.Note
		if err := s.Scan(&n, &state, &text); err != nil {
			return err
		}
		err := parse(text, &note)
		what := fmt.Sprint(note.Topic, note.Mention, note.Text)
		if asked[what] && state == alert.Pending {
			again = append(again, n)
		}
		asked[what] = true
		return err
	}, digest)
	for _, n := range again {
		if err == nil {
			_, err = w.exec(ctx, oneAsks, micros(now), n)
		}
	}
	if err != nil || len(again) == 0 {
		return err
	}
	_, err = w.exec(ctx, nextInLines, digest)
	return err
}
