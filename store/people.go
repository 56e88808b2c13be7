package store

import (
	"context"
	"encoding/json"
	"fmt"

	"tocsin/alert"
)

// The updates that silences and late posts need; each seeks in one index.
const (
	// adoptQuery gives a post to the alert that has waited longest for one.
	adoptQuery = `UPDATE alerts SET delivery = ? WHERE delivery IS NULL AND n = (SELECT n FROM alerts
		WHERE incident = ? AND lane = ? AND standing = {pending} ORDER BY version, n LIMIT 1)`
	// wakeQuery makes incidents due when their silence ends. It changes their
	// version: what was decided before must be decided again.
	wakeQuery = `UPDATE incidents SET due_at = ?, version = version + 1
	WHERE silence = ? AND silence <> '' AND (due_at = 0 OR due_at > ?)`
	hiddenQuery = `UPDATE silences SET hidden = hidden + ? WHERE id = ?`
)

// adopt gives the posts that no alert of the change has asked for to the alerts
// that have waited without a post, as they do in quiet hours. A new incident has
// no such alerts.
func (c *changeWriter) adopt(ctx context.Context) error {
	for _, d := range c.Deliveries {
		post, unasked := c.posts[d.ID]
		at := c.known[d.Incident]
		if !unasked || at.created {
			continue
		}
		lane, err := c.w.lane(ctx, d.Lane)
		if err == nil {
			_, err = c.w.exec(ctx, adoptQuery, post, at.n, lane)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *changeWriter) writeHistory(ctx context.Context) error {
	var args []any
	for n := range c.History {
		e := &c.History[n]
		c.w.events++
		at := keys{n: c.w.events}
		if e.Incident != "" {
			at.incident = c.known[e.Incident].n
		}
		args = at.eventArgs(args, e)
	}
	return c.w.insert(ctx, c.w.into.history, args)
}

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
	err = c.w.insert(ctx, c.w.into.silences, []any{c.w.silences, s.ID, matchers, micros(s.CreatedAt), micros(s.EndsAt),
		personText(s.By), s.Why, personText(s.EndedBy), 0, told})
	if err != nil {
		return err
	}
	_, err = c.w.exec(ctx, wakeQuery, micros(s.EndsAt), s.ID, micros(s.EndsAt))
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

// parseMatchers reads what matchersText wrote.
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
		var err error
		if ms[n], err = alert.NewMatcher(p[0], p[1], p[2]); err != nil {
			return nil, fmt.Errorf("read stored matchers: %w", err)
		}
	}
	return ms, nil
}
