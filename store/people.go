package store

import (
	"context"
	"encoding/json"
	"fmt"

	"tocsin/alert"
)

// The corrections that silences and late posts make; each seeks in one index.
const (
	// adoptQuery gives a post to the alert that has waited longest for one.
	adoptQuery = `UPDATE alerts SET delivery = ? WHERE delivery IS NULL AND n = (SELECT n FROM alerts
		WHERE incident = ? AND lane = ? AND standing = 'pending' ORDER BY version, n LIMIT 1)`
	// wakeQuery makes incidents due when their silence ends. It counts as a
	// change of them: what was decided before must be decided again.
	wakeQuery = `UPDATE incidents SET due_at = ?, version = version + 1
	WHERE silence = ? AND silence <> '' AND (due_at = 0 OR due_at > ?)`
	hiddenQuery = `UPDATE silences SET hidden = hidden + ? WHERE id = ?`
)

// late is a post for an incident whose alerts may have waited without any, as
// they do in quiet hours.
type late struct {
	post int64
	at   cardKey
}

// addLate notes the posts of a change that no alert of its own asks for and
// that are not the first of their incident.
func (m *merge) addLate(c *change) {
	if len(m.posts) == 0 {
		return
	}
	for _, d := range c.Deliveries {
		post, unasked := m.posts[d.ID]
		if at := m.known[d.Incident]; unasked && at.born != c {
			m.late = append(m.late, late{post, cardKey{at.n, d.Lane}})
		}
	}
}

// adopt gives late posts to the alerts that have waited for them.
func (m *merge) adopt(ctx context.Context) error {
	for _, l := range m.late {
		if _, err := m.w.exec(ctx, adoptQuery, l.post, l.at.incident, l.at.lane); err != nil {
			return err
		}
	}
	return nil
}

// writeHistory adds lines, in the order of the changes.
func (m *merge) writeHistory(ctx context.Context) error {
	var args []any
	for _, c := range m.changes {
		for n := range c.History {
			e := &c.History[n]
			m.w.events++
			at := keys{n: m.w.events}
			if e.Incident != "" {
				at.incident = m.known[e.Incident].n
			}
			args = at.eventArgs(args, e)
		}
	}
	return m.w.insert(ctx, m.w.into.history, args)
}

// writeSilences writes silences, wakes what they keep quiet, and counts what
// they have hidden.
func (m *merge) writeSilences(ctx context.Context) error {
	hidden := map[string]int64{}
	for _, c := range m.changes {
		for n := range c.Silences {
			if err := m.writeSilence(ctx, &c.Silences[n], c.silences[n]); err != nil {
				return err
			}
		}
		for n := range c.Alerts {
			if id := c.Alerts[n].Silence; id != "" {
				hidden[id]++
			}
		}
	}
	for id, n := range hidden {
		if _, err := m.w.exec(ctx, hiddenQuery, n, id); err != nil {
			return err
		}
	}
	return nil
}

func (m *merge) writeSilence(ctx context.Context, s *alert.Silence, matchers string) error {
	m.w.silences++
	m.w.ruled = true
	told, err := document(len(s.Told) == 0, s.Told)
	if err != nil {
		return fmt.Errorf("write lanes: %w", err)
	}
	err = m.w.insert(ctx, m.w.into.silences, []any{m.w.silences, s.ID, matchers, micros(s.CreatedAt), micros(s.EndsAt),
		personText(s.By), s.Why, personText(s.EndedBy), 0, told})
	if err != nil {
		return err
	}
	_, err = m.w.exec(ctx, wakeQuery, micros(s.EndsAt), s.ID, micros(s.EndsAt))
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
