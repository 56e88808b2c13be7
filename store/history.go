package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"tocsin/alert"
)

// historyMost is how many lines of an incident's history are returned: the latest.
const historyMost = 1000

const eventSelect = `SELECT h.n, coalesce(i.id, ''), h.silence, h.at, h.verb, h.by_whom, h.to_whom, h.text, h.once
	FROM history h LEFT JOIN incidents i ON i.n = h.incident`

const (
	doneQuery = eventSelect + ` WHERE h.once <> '' AND h.once {oneof} ORDER BY h.n`
	ownEvents = eventSelect + ` WHERE h.incident = (SELECT n FROM incidents WHERE id = ?) AND h.verb <> '' ORDER BY h.n DESC LIMIT ?`
	// silenceEvents are the lines of the silences that concern an incident.
	silenceEvents = eventSelect + ` WHERE h.incident IS NULL AND h.silence <> '' AND h.silence {oneof} ORDER BY h.n DESC LIMIT ?`
)

// event is a line with its number.
type event struct {
	alert.Event
	n int64
}

func (d *DB) events(ctx context.Context, query string, args ...any) ([]event, error) {
	var found []event
	err := d.each(ctx, query, func(s scanner) error {
		var e event
		var at int64
		var by, to string
		err := s.Scan(&e.n, &e.Incident, &e.Silence, &at, &e.Verb, &by, &to, &e.Text, &e.RequestID)
		e.At, e.By, e.To = fromMicros(at), person(by), person(to)
		found = append(found, e)
		return err
	}, args...)
	return found, err
}

// done finds the lines that acts have left.
func (d *DB) done(ctx context.Context, acts []string) ([]alert.Event, error) {
	if len(acts) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(acts)
	if err != nil {
		return nil, err
	}
	found, err := d.events(ctx, doneQuery, string(list))
	return eventsOf(found), err
}

func eventsOf(events []event) []alert.Event {
	all := make([]alert.Event, len(events))
	for n, e := range events {
		all[n] = e.Event
	}
	return all
}

// History returns what was done to an incident, the oldest first: that it was
// opened, its own lines, and those of the silences that kept it quiet. Of very
// many lines the latest 1,000 are returned. The error is alert.ErrNotFound for an
// incident that nobody knows.
func (d *DB) History(ctx context.Context, incident string) ([]alert.Event, error) {
	i, err := d.Incident(ctx, incident)
	var own, others []event
	if err == nil {
		own, err = d.events(ctx, ownEvents, incident, historyMost)
	}
	if err == nil {
		others, err = d.ofSilences(ctx, i, own)
	}
	if err != nil {
		return nil, fmt.Errorf("tell history of %s: %w", incident, err)
	}
	all := append(own, others...)
	slices.SortFunc(all, func(a, b event) int { return cmp.Compare(a.n, b.n) })
	return withOpening(i, eventsOf(all)), nil
}

// ofSilences finds what was done to the silences of an incident, as far as its
// own lines don't tell it.
func (d *DB) ofSilences(ctx context.Context, i alert.Incident, own []event) ([]event, error) {
	silences, known := []string{i.Silence}, map[[2]string]bool{}
	for _, e := range own {
		known[[2]string{e.Silence, string(e.Verb)}] = true
		silences = alert.Union(silences, []string{e.Silence})
	}
	list, err := json.Marshal(silences)
	if err != nil {
		return nil, err
	}
	found, err := d.events(ctx, silenceEvents, string(list), historyMost)
	return slices.DeleteFunc(found, func(e event) bool { return known[[2]string{e.Silence, string(e.Verb)}] }), err
}

// withOpening puts the first line where it belongs.
func withOpening(i alert.Incident, lines []alert.Event) []alert.Event {
	opening := alert.Event{Incident: i.ID, At: i.FirstAt, Verb: alert.VerbOpen, By: alert.Person{Name: i.Source}}
	if n := slices.IndexFunc(lines, func(e alert.Event) bool { return e.Verb == alert.VerbOpen }); n >= 0 {
		opening = lines[n]
		lines = slices.Delete(lines, n, n+1)
	}
	at := slices.IndexFunc(lines, func(e alert.Event) bool { return !e.At.Before(i.FirstAt) })
	if at < 0 {
		at = len(lines)
	}
	return slices.Insert(lines, at, opening)
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
