package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"tocsin/alert"
)

// rules are the silences and subscriptions, kept ready for decisions, of which
// each needs all. Only this store writes them, and it forgets what it has read
// before it confirms that one is written.
type rules struct {
	forgotten atomic.Int64
	read      atomic.Pointer[ruleset]
}

// ruleset is what was read at one time.
type ruleset struct {
	// after is how often the rules had been forgotten before.
	after int64
	// since: silences that had ended by then are left out.
	since         time.Time
	silences      []alert.Silence
	lastSilence   string
	subscriptions []alert.Subscription
}

// forget has the rules read again.
func (r *rules) forget() { r.forgotten.Add(1) }

const (
	silenceSelect     = `SELECT id, matchers, created_at, starts_at, ends_at, every, by_whom, why, ended_by, hidden, told, channel, reminded_of, updated_at FROM silences`
	activeQuery       = silenceSelect + ` WHERE ends_at > ? ORDER BY created_at DESC, n DESC LIMIT ?`
	silenceQuery      = silenceSelect + ` WHERE id = ?`
	silencesQuery     = silenceSelect + ` ORDER BY n DESC LIMIT ?`
	lastSilenceQuery  = `SELECT id FROM silences ORDER BY n DESC LIMIT 1`
	subscriptionQuery = `SELECT person, matchers, created_at FROM subscriptions`
	// mostRules is how many silences a decision looks at.
	mostRules = 10_000
)

// ruling returns the rules as of now.
func (d *DB) ruling(ctx context.Context, now time.Time) (*ruleset, error) {
	after := d.rules.forgotten.Load()
	if r := d.rules.read.Load(); r != nil && r.after == after && !now.Before(r.since) {
		return r, nil
	}
	r := &ruleset{after: after, since: now}
	var err error
	if r.silences, err = d.silences(ctx, activeQuery, micros(now), mostRules); err != nil {
		return nil, fmt.Errorf("load silences: %w", err)
	}
	err = d.each(ctx, lastSilenceQuery, func(s scanner) error { return s.Scan(&r.lastSilence) })
	if err != nil {
		return nil, fmt.Errorf("load latest silence: %w", err)
	}
	if r.subscriptions, err = d.subscriptions(ctx, subscriptionQuery+` ORDER BY n`); err != nil {
		return nil, fmt.Errorf("load subscriptions: %w", err)
	}
	d.rules.read.Store(r)
	return r, nil
}

// rule adds to the snapshot what decisions at now depend on.
func (d *DB) rule(ctx context.Context, f *alert.Snapshot, now time.Time) error {
	r, err := d.ruling(ctx, now)
	if err != nil {
		return err
	}
	f.LastSilence, f.Subscriptions = r.lastSilence, slices.Clone(r.subscriptions)
	for _, s := range r.silences {
		if !s.Over(now) {
			f.Silences = append(f.Silences, s)
		}
	}
	return nil
}

func (d *DB) silences(ctx context.Context, query string, args ...any) ([]alert.Silence, error) {
	found := []alert.Silence{}
	err := d.each(ctx, query, func(row scanner) error {
		var s alert.Silence
		var matchers, every, by, endedBy, told string
		var created, starts, ends, reminded, updated int64
		err := row.Scan(&s.ID, &matchers, &created, &starts, &ends, &every, &by, &s.Why, &endedBy, &s.Hidden, &told, &s.Channel, &reminded, &updated)
		if err == nil {
			s.Matchers, err = parseMatchers(matchers)
		}
		if err == nil {
			err = parse(told, &s.AnnouncedIn)
		}
		if err == nil {
			err = parse(every, &s.Every)
		}
		s.AnnouncedIn = d.Aliases().Lanes(s.AnnouncedIn)
		s.CreatedAt, s.UpdatedAt, s.StartsAt, s.EndsAt = fromMicros(created), fromMicros(updated), fromMicros(starts), fromMicros(ends)
		s.Channel, s.RemindedOf = d.Aliases().Lane(s.Channel), fromMicros(reminded)
		s.By, s.EndedBy = person(by), person(endedBy)
		found = append(found, s)
		return err
	}, args...)
	return found, err
}

func (d *DB) subscriptions(ctx context.Context, query string, args ...any) ([]alert.Subscription, error) {
	found := []alert.Subscription{}
	err := d.each(ctx, query, func(row scanner) error {
		var s alert.Subscription
		var matchers string
		var created int64
		err := row.Scan(&s.Person, &matchers, &created)
		if err == nil {
			s.Matchers, err = parseMatchers(matchers)
		}
		s.CreatedAt = fromMicros(created)
		found = append(found, s)
		return err
	}, args...)
	return found, err
}

// silenceLimit is how many silences are listed when nothing else is asked.
const silenceLimit = 100

// Silences lists silences, the latest first.
func (d *DB) Silences(ctx context.Context, f alert.SilenceFilter) ([]alert.Silence, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = silenceLimit
	}
	query, args := silencesQuery, []any{limit}
	switch {
	case f.ID != "":
		query, args = silenceQuery, []any{f.ID}
	case !f.At.IsZero():
		query, args = activeQuery, []any{micros(f.At), limit}
	}
	found, err := d.silences(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list silences: %w", err)
	}
	if !f.At.IsZero() {
		found = slices.DeleteFunc(found, func(s alert.Silence) bool { return s.Over(f.At) })
	}
	return found, nil
}

// Subscribe brings a person alerts that match. The same again changes nothing.
func (d *DB) Subscribe(ctx context.Context, s alert.Subscription) error {
	matchers, err := matchersText(s.Matchers)
	if err == nil {
		err = d.answerWrite(ctx, func(w *writer, ctx context.Context) error {
			w.ruled = true
			_, err := w.exec(ctx, `INSERT INTO subscriptions (n, person, matchers, created_at)
				SELECT coalesce(max(n), 0) + 1, ?, ?, ? FROM subscriptions WHERE true ON CONFLICT DO NOTHING`,
				s.Person, matchers, micros(s.CreatedAt))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("subscribe %s: %w", s.Person, err)
	}
	return nil
}

// Unsubscribe ends all subscriptions of a person and returns how many there were.
func (d *DB) Unsubscribe(ctx context.Context, person string) (int, error) {
	var gone int64
	err := d.answerWrite(ctx, func(w *writer, ctx context.Context) (err error) {
		w.ruled = true
		gone, err = w.exec(ctx, "DELETE FROM subscriptions WHERE person = ?", person)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("unsubscribe %s: %w", person, err)
	}
	return int(gone), nil
}

// Subscriptions lists those of a person, the oldest first.
func (d *DB) Subscriptions(ctx context.Context, person string) ([]alert.Subscription, error) {
	found, err := d.subscriptions(ctx, subscriptionQuery+` WHERE person = ? ORDER BY n`, person)
	if err != nil {
		return nil, fmt.Errorf("list subscriptions of %s: %w", person, err)
	}
	return found, nil
}

// The updates that silences need; each seeks in one index.
const (
	// wakeQuery makes incidents due when their silence ends. It changes their
	// version: what was decided before must be decided again.
	wakeQuery = `UPDATE incidents SET due_at = ?, version = version + 1
	WHERE silence = ? AND silence <> '' AND (due_at = 0 OR due_at > ?)`
	hiddenQuery = `UPDATE silences SET hidden = hidden + ? WHERE id = ?`
)

// writeSilences writes silences, makes what they hide due when they end, and
// counts the alerts they have hidden.
func (c *changeWriter) writeSilences(ctx context.Context) error {
	for n := range c.Silences {
		if err := c.writeSilence(ctx, &c.Silences[n], c.silences[n]); err != nil {
			return err
		}
	}
	hidden := map[string]int64{}
	for n := range c.Alerts {
		if id := c.Alerts[n].Silence; id != "" {
			hidden[id]++
		}
	}
	for id, n := range hidden {
		if _, err := c.w.exec(ctx, hiddenQuery, n, id); err != nil {
			return err
		}
	}
	return nil
}

func (c *changeWriter) writeSilence(ctx context.Context, s *alert.Silence, matchers string) error {
	c.w.silences++
	c.w.ruled = true
	told, err := document(len(s.AnnouncedIn) == 0, s.AnnouncedIn)
	if err != nil {
		return fmt.Errorf("write lanes: %w", err)
	}
	every, err := document(s.Every == nil, s.Every)
	if err != nil {
		return fmt.Errorf("write hours: %w", err)
	}
	err = c.w.insert(ctx, c.w.into.silences, []any{c.w.silences, s.ID, matchers, micros(s.CreatedAt), micros(s.StartsAt), micros(s.EndsAt), every,
		personText(s.By), s.Why, personText(s.EndedBy), 0, told, s.Channel, micros(s.RemindedOf), micros(s.UpdatedAt)})
	if err != nil {
		return err
	}
	ends := micros(s.EndsAt)
	if _, err = c.w.exec(ctx, wakeQuery, ends, s.ID, ends); err != nil || !c.w.grouped.Load() {
		return err
	}
	if _, err = c.w.exec(ctx, wakeMembersQuery, ends, ends, s.ID, ends); err != nil {
		return err
	}
	_, err = c.w.exec(ctx, wakeGroupsQuery, ends, s.ID, ends)
	return err
}

// matchersText is matchers as they are stored: what people write is read too
// kindly to give back each value as it was.
func matchersText(ms alert.Matchers) (string, error) {
	parts := make([][3]string, len(ms))
	for n, m := range ms {
		parts[n] = [3]string{m.Name, m.Op, m.Value}
	}
	text, err := document(len(ms) == 0, parts)
	if err != nil {
		return "", fmt.Errorf("write matchers: %w", err)
	}
	return text, nil
}

// parseMatchers reads what matchersText wrote. A matcher of an older version that is refused
// today matches nothing, so that one silence does not hide the others from people.
func parseMatchers(text string) (alert.Matchers, error) {
	if text == "" {
		return nil, nil
	}
	var parts [][3]string
	if err := json.Unmarshal([]byte(text), &parts); err != nil {
		return nil, fmt.Errorf("read stored matchers: %w", err)
	}
	ms := make(alert.Matchers, len(parts))
	for n, p := range parts {
		ms[n], _ = alert.NewMatcher(p[0], p[1], p[2])
	}
	return ms, nil
}
