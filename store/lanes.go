package store

import (
	"context"
	"fmt"
)

// lane is a conversation as the store knows it.
type lane struct {
	n int64
	// conversation is Slack's id, or empty.
	conversation string
}

// laneNumbers are all lanes by name, as the writer knows them. A number is never
// given twice.
type laneNumbers struct {
	byName map[string]lane
	last   int64
	// undo is what the open transaction has changed, as it was before.
	undo map[string]lane
}

func (l *laneNumbers) begin() { l.undo = map[string]lane{} }

func (l *laneNumbers) set(name string, to lane) {
	if _, changed := l.undo[name]; !changed {
		l.undo[name] = l.byName[name]
	}
	l.byName[name] = to
}

func (l *laneNumbers) rollback() {
	for name, was := range l.undo {
		if l.byName[name] = was; was.n == 0 {
			delete(l.byName, name)
		}
	}
	clear(l.undo)
}

func (w *writer) readLanes(ctx context.Context) error {
	rows, err := w.conn.QueryContext(ctx, "SELECT n, name, conversation FROM lanes")
	if err != nil {
		return fmt.Errorf("read lanes: %w", err)
	}
	w.lanes = laneNumbers{byName: map[string]lane{}, undo: map[string]lane{}}
	err = scanAll(rows, func(s scanner) error {
		var name string
		var l lane
		err := s.Scan(&l.n, &name, &l.conversation)
		w.lanes.byName[name], w.lanes.last = l, max(w.lanes.last, l.n)
		return err
	})
	if err != nil {
		return fmt.Errorf("read lanes: %w", err)
	}
	return nil
}

// lane is the number of a lane, which gets one when it has none.
func (w *writer) lane(ctx context.Context, name string) (int64, error) {
	if l, known := w.lanes.byName[name]; known {
		return l.n, nil
	}
	w.lanes.last++
	l := lane{n: w.lanes.last}
	_, err := w.exec(ctx, "INSERT INTO lanes (n, name) VALUES (?, ?)", l.n, name)
	w.lanes.set(name, l)
	return l.n, err
}

// setConversation remembers Slack's id of a lane.
func (w *writer) setConversation(ctx context.Context, name, conversation string) error {
	n, err := w.lane(ctx, name)
	if err != nil || w.lanes.byName[name].conversation == conversation {
		return err
	}
	w.lanes.set(name, lane{n, conversation})
	_, err = w.exec(ctx, "UPDATE lanes SET conversation = ? WHERE n = ?", conversation, n)
	return err
}
