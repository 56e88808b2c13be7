package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"tocsin/alert"
)

// line is what is owed to one card.
type line struct {
	// waiting: something is, so what comes now stands behind it.
	waiting bool
	// drawing: a post or update will show the newest state anyway.
	drawing bool
	// posting: it is a post that is owed, so it will have a card of its own.
	posting bool
	// digest is the one whose message is the card now, or 0.
	digest int64
}

// findLines looks up what is already owed for the older incidents.
func (c *changeWriter) findLines(ctx context.Context) error {
	var older []int64
	seen := map[int64]bool{}
	for _, d := range c.Deliveries {
		at := c.known[d.Incident]
		if !at.created && !seen[at.n] {
			seen[at.n] = true
			older = append(older, at.n)
		}
	}
	if len(older) == 0 {
		return nil
	}
	list, err := json.Marshal(older)
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	err = c.w.each(ctx, linesQuery,
		func(s scanner) error {
			var at cardKey
			l := line{waiting: true}
			err := s.Scan(&at.incident, &at.lane, &l.drawing, &l.posting)
			c.lines[at] = &l
			return err
		}, string(list))
	if err != nil {
		return err
	}
	return c.w.each(ctx, digestedQuery,
		func(s scanner) error {
			var at cardKey
			var digest int64
			err := s.Scan(&at.incident, &at.lane, &digest)
			c.line(at).digest = digest
			return err
		}, string(list))
}

func (c *changeWriter) line(at cardKey) *line {
	l := c.lines[at]
	if l == nil {
		l = &line{}
		c.lines[at] = l
	}
	return l
}

func (c *changeWriter) writeDeliveries(ctx context.Context) error {
	var args []any
	for n := range c.Deliveries {
		args = c.addDelivery(args, c.Deliveries[n], c.notes[n])
	}
	if err := c.w.insert(ctx, c.w.into.deliveries, args); err != nil {
		return err
	}
	for digest, now := range c.asking {
		if err := c.w.followUp(ctx, digest, now, alert.AfterAsking); err != nil {
			return err
		}
	}
	for at, since := range c.edits {
		if err := c.w.oweEdit(ctx, at, since); err != nil {
			return err
		}
	}
	return nil
}

// addDelivery numbers a delivery and appends its row, unless something else will
// show what it would show.
func (c *changeWriter) addDelivery(args []any, d alert.Delivery, note string) []any {
	if d.State == "" {
		d.State = alert.Pending
	}
	at := cardKey{c.known[d.Incident].n, d.Lane}
	l := c.line(at)
	if l.absorbs(&d, c.Incidents) {
		c.edits[cardKey{l.digest, d.Lane}] = d.CreatedAt
		return args
	}
	if d.Kind == alert.Update && l.drawing {
		return args
	}
	c.w.deliveries++
	if l.digest != 0 && d.Asks() {
		c.asking[l.digest] = d.CreatedAt
	}
	if d.Kind == alert.Post {
		c.posts[d.ID] = c.w.deliveries
	}
	return keys{n: c.w.deliveries, incident: at.incident}.deliveryArgs(args, &d, note, l.join(&d))
}

// hurry moves what is owed for incidents that became critical to the front.
func (c *changeWriter) hurry(ctx context.Context) error {
	for _, i := range c.Incidents {
		if i.Version > 1 && i.Severity == alert.Critical && i.State != alert.StateResolved {
			if _, err := c.w.exec(ctx, hurryQuery, c.known[i.ID].n); err != nil {
				return err
			}
		}
	}
	return nil
}

// absorbs says whether a digest shows what d would show. A critical incident
// that is open and not silenced gets a card of its own instead: then d becomes
// the post of it.
func (l *line) absorbs(d *alert.Delivery, incidents []alert.Incident) bool {
	if l.digest == 0 || l.posting || d.MustSay() {
		return false
	}
	at := slices.IndexFunc(incidents, func(i alert.Incident) bool { return i.ID == d.Incident })
	if d.Kind == alert.Reply || at < 0 || !incidents[at].NeedsCard() {
		return true
	}
	d.Kind = alert.Post
	return false
}

// join puts a delivery at the end of its line and returns its stage.
func (l *line) join(d *alert.Delivery) any {
	if finished(d.State) {
		return nil
	}
	stage := stageBehind
	if !l.waiting {
		stage = stageOf(d.Kind)
	}
	l.waiting = true
	l.drawing = l.drawing || d.State == alert.Pending && d.Kind != alert.Reply
	l.posting = l.posting || d.Kind == alert.Post
	return stage
}
