package store

import (
	"context"
	"fmt"

	"tocsin/alert"
)

// lane is a conversation as the store knows it. It is never changed in place.
type lane struct {
	n int64
	// conversation is Slack's id to post by, or empty.
	conversation string
	// Naming has its name, and all spellings by which it is found.
	alert.Naming
}

// laneNumbers are all lanes by spelling, as the writer knows them. A number is never
// given twice.
type laneNumbers struct {
	bySpelling map[string]*lane
	last       int64
	// undo is what the open transaction has changed, as it was before; nil for what
	// was not there.
	undo map[string]*lane
	// aliases are the spellings of lanes that have several. They are nil once the open
	// transaction has changed some.
	aliases *alert.Aliases
	// before are the aliases as they were before the open transaction.
	before *alert.Aliases
}

func (l *laneNumbers) begin() { l.undo, l.before = map[string]*lane{}, l.aliases }

// set has spellings mean a lane, or none if it is nil.
func (l *laneNumbers) set(to *lane, spellings ...string) {
	for _, s := range spellings {
		was := l.bySpelling[s]
		if _, changed := l.undo[s]; !changed {
			l.undo[s] = was
		}
		if was != nil && len(was.Spellings) > 1 || to != nil && len(to.Spellings) > 1 {
			l.aliases = nil
		}
		l.put(s, to)
	}
}

func (l *laneNumbers) put(spelling string, to *lane) {
	if to == nil {
		delete(l.bySpelling, spelling)
		return
	}
	l.bySpelling[spelling] = to
}

func (l *laneNumbers) rollback() {
	for spelling, was := range l.undo {
		l.put(spelling, was)
	}
	clear(l.undo)
	l.aliases = l.before
}

// known returns the aliases as the open transaction leaves them.
func (l *laneNumbers) known() *alert.Aliases {
	if l.aliases == nil {
		all := make(map[string]string, len(l.bySpelling))
		for spelling, lane := range l.bySpelling {
			if len(lane.Spellings) > 1 {
				all[spelling] = lane.Lane
			}
		}
		l.aliases = alert.NewAliases(all)
	}
	return l.aliases
}

// named is the lane of this name. Another spelling of it is none.
func (l *laneNumbers) named(name string) lane {
	if found := l.bySpelling[name]; found != nil && found.Lane == name {
		return *found
	}
	return lane{}
}

// of is the lane of a spelling, or an empty one.
func (l *laneNumbers) of(spelling string) lane {
	if found := l.bySpelling[spelling]; found != nil {
		return *found
	}
	return lane{}
}

// orNew is the lane of a spelling, or one without a number that has that spelling alone.
func (l *laneNumbers) orNew(spelling string) lane {
	if found := l.bySpelling[spelling]; found != nil {
		return *found
	}
	return lane{Naming: alert.Naming{Lane: spelling, Spellings: []string{spelling}}}
}

const spellingsQuery = `SELECT a.spelling, l.n, l.name, l.conversation FROM aliases a JOIN lanes l ON l.n = a.lane ORDER BY l.n, a.spelling`

func (w *writer) readLanes(ctx context.Context) error {
	w.lanes = laneNumbers{bySpelling: map[string]*lane{}, undo: map[string]*lane{}}
	byNumber := map[int64]*lane{}
	err := w.each(ctx, spellingsQuery, func(s scanner) error {
		var spelling string
		var l lane
		err := s.Scan(&spelling, &l.n, &l.Lane, &l.conversation)
		if byNumber[l.n] == nil {
			byNumber[l.n] = &l
		}
		at := byNumber[l.n]
		at.Spellings = append(at.Spellings, spelling)
		w.lanes.bySpelling[spelling] = at
		return err
	})
	if err == nil {
		err = w.each(ctx, "SELECT coalesce(max(n), 0) FROM lanes", func(s scanner) error { return s.Scan(&w.lanes.last) })
	}
	if err != nil {
		return fmt.Errorf("read lanes: %w", err)
	}
	w.aliases.Store(w.lanes.known())
	return nil
}

// lane is the number of a spelling's lane, which gets one if it has none.
func (w *writer) lane(ctx context.Context, spelling string) (int64, error) {
	if l := w.lanes.bySpelling[spelling]; l != nil {
		return l.n, nil
	}
	w.lanes.last++
	l := &lane{n: w.lanes.last, Naming: alert.Naming{Lane: spelling, Spellings: []string{spelling}}}
	if _, err := w.exec(ctx, "INSERT INTO lanes (n, name, main) VALUES (?, ?, ?)", l.n, spelling, l.n); err != nil {
		return 0, err
	}
	_, err := w.exec(ctx, addAlias, spelling, l.n)
	w.lanes.set(l, spelling)
	return l.n, err
}

const (
	addAlias    = `INSERT INTO aliases (spelling, lane) VALUES (?, ?) ON CONFLICT (spelling) DO UPDATE SET lane = excluded.lane`
	renameQuery = `UPDATE lanes SET name = ?, conversation = ? WHERE main = ?`
)

// setNaming writes how a lane is called and found.
func (w *writer) setNaming(ctx context.Context, l lane) error {
	for _, s := range l.Spellings {
		if w.lanes.of(s).n == l.n {
			continue
		}
		if _, err := w.exec(ctx, addAlias, s, l.n); err != nil {
			return err
		}
	}
	w.lanes.set(&l, l.Spellings...)
	w.ruled = true // silences have names of lanes
	_, err := w.exec(ctx, renameQuery, l.Lane, l.conversation, l.n)
	return err
}

// forgetID forgets Slack's id of a lane, and with it all spellings but its name: they
// may come to mean other conversations.
func (w *writer) forgetID(ctx context.Context, spelling string) error {
	l := w.lanes.of(spelling)
	if l.conversation == "" && len(l.Spellings) <= 1 {
		return nil
	}
	if _, err := w.exec(ctx, "DELETE FROM aliases WHERE lane = ? AND spelling <> ?", l.n, l.Lane); err != nil {
		return err
	}
	w.lanes.set(nil, l.Spellings...)
	l.conversation, l.Spellings = "", []string{l.Lane}
	w.lanes.set(&l, l.Lane)
	w.ruled = true
	_, err := w.exec(ctx, renameQuery, l.Lane, "", l.n)
	return err
}
