package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tocsin/alert"
)

// Commit writes a decision, all of it or nothing, and returns nil only when it
// is durable. It returns alert.ErrConflict when an incident is not at the
// version before the one it is to get, or when an idempotency key was accepted
// or an act done meanwhile; and an error that wraps alert.ErrUnavailable when
// the disk is full or the store is gone, or alert.ErrInDoubt when it is unknown
// whether the decision was written. After any other error nothing was.
func (d *DB) Commit(ctx context.Context, c alert.Change) error {
	prepared, err := prepareChange(c)
	if err == nil {
		err = d.submit(ctx, d.commits, &op{do: func(w *writer, ctx context.Context) error { return w.commitChange(ctx, prepared) }})
	}
	if err == nil {
		return nil
	}
	if d.dialect.conflicts(err) {
		err = alert.ErrConflict
	}
	return fmt.Errorf("commit change: %w", err)
}

// change is an alert.Change with its JSON columns encoded, which the caller does
// so that the writing goroutine need not.
type change struct {
	alert.Change
	// alerts and notes are the JSON of each alert and of each delivery's note.
	alerts, notes []string
	incidents     []incidentText
	// firing are the places of the alerts that have what an incident says: of
	// each incident the latest that fires.
	firing map[string]int
	// silences are the matchers of each, terms those of each heartbeat.
	silences, terms []string
	// memberTexts are the JSON of each member.
	memberTexts []string
}

// conflicts reports whether another decision was committed first.
func (d dialect) conflicts(err error) bool {
	return d.duplicate(err, "idempotency") || d.duplicate(err, "history_once") || d.duplicate(err, "incidents.id")
}

func prepareChange(c alert.Change) (*change, error) {
	p := &change{
		Change:    c,
		alerts:    make([]string, len(c.Alerts)),
		incidents: make([]incidentText, len(c.Incidents)),
		notes:     make([]string, len(c.Deliveries)),
		firing:    make(map[string]int, len(c.Alerts)),
		silences:  make([]string, len(c.Silences)),
		terms:     make([]string, len(c.Heartbeats)),

		memberTexts: make([]string, len(c.Members)),
	}
	var err error
	for n := range c.Alerts {
		a := &c.Alerts[n]
		if p.alerts[n], err = encodeAlert(&a.Alert); err != nil {
			return nil, err
		}
		if a.Status == alert.Firing {
			p.firing[a.Incident] = n
		}
	}
	for n := range c.Incidents {
		if p.incidents[n], err = p.incidentText(&c.Incidents[n]); err != nil {
			return nil, err
		}
	}
	for n, d := range c.Deliveries {
		if p.notes[n], err = document(d.Note == nil, d.Note); err != nil {
			return nil, fmt.Errorf("write note: %w", err)
		}
	}
	for n, s := range c.Silences {
		if p.silences[n], err = matchersText(s.Matchers); err != nil {
			return nil, err
		}
	}
	return p, p.encodeOthers()
}

// encodeOthers encodes heartbeats and members of groups.
func (p *change) encodeOthers() (err error) {
	for n := range p.Heartbeats {
		if p.terms[n], err = document(false, p.Heartbeats[n].Terms); err != nil {
			return fmt.Errorf("write terms: %w", err)
		}
	}
	for n, m := range p.Members {
		if p.memberTexts[n], err = encodeMember(m); err != nil {
			return err
		}
	}
	return nil
}

// incidentText encodes an incident. What it says is that of an alert, but for a
// new incident without one, where a template words it, for that of a group, and where the alert
// is recorded with another incident.
func (p *change) incidentText(i *alert.Incident) (t incidentText, err error) {
	at, has := p.firing[i.ID]
	apart := slices.Contains(p.Apart, i.ID)
	worded := has && (apart || i.Group != nil || i.Title != p.Alerts[at].Title || i.Text != p.Alerts[at].Text)
	if worded {
		delete(p.firing, i.ID)
	}
	if worded || apart || !has && i.Version == 1 || i.Group != nil {
		if t.says, err = encodeContent(i); err != nil {
			return t, err
		}
	}
	t.body, err = encodeIncident(i)
	return t, err
}

const marksQuery = `SELECT id, n, version FROM incidents WHERE id {oneof}`

// mark is what the store knows of an incident.
type mark struct {
	n, version int64
	// created: the change that is being written creates it.
	created bool
}

// changeWriter writes one change.
type changeWriter struct {
	*change
	w *writer
	// known are the incidents that the change names.
	known map[string]mark
	// queues are what waits for the cards already.
	queues cardQueues
	// posts are the numbers of the change's posts, by delivery id, that none of
	// its alerts has asked for.
	posts map[string]int64
	// asking are the digests whose incidents get replies that ask for something,
	// each with when.
	asking map[int64]time.Time
	// folds are the replies to which notes were added, by number.
	folds map[int64]fold
	// hurried are the cards for which a reply waits that notifies somebody, each with
	// its priority.
	hurried map[cardKey]int
	// edits are the digests that show something else now, each with when that
	// began.
	edits map[cardKey]time.Time
}

// commitChange writes a change. It refuses one that conflicts before it has
// written anything.
func (w *writer) commitChange(ctx context.Context, p *change) error {
	c := &changeWriter{
		change: p, w: w, known: map[string]mark{}, posts: map[string]int64{},
		asking: map[int64]time.Time{}, edits: map[cardKey]time.Time{}, folds: map[int64]fold{}, hurried: map[cardKey]int{},
	}
	if p.Aliases != nil && p.Aliases != w.lanes.known() {
		return refusal{fmt.Errorf("a conversation has another name: %w", alert.ErrConflict)}
	}
	if err := c.findIncidents(ctx); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return refusal{err}
	}
	for _, step := range []func(context.Context) error{
		c.writeIncidents, c.writeHistory, c.dropTexts, c.loadQueues, c.writeDeliveries, c.moveToFront, c.silenceUnshown, c.writeAlerts, c.adopt, c.writeMembers, c.writeSilences, c.writeHeartbeats, c.writeReceipts,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// findIncidents looks up the older incidents that the change names. That a new
// one is new is asserted by the index of ids.
func (c *changeWriter) findIncidents(ctx context.Context) error {
	named := map[string]bool{}
	for _, a := range c.Alerts {
		named[a.Incident] = true
	}
	for _, d := range c.Deliveries {
		named[d.Incident] = true
	}
	for _, e := range c.History {
		named[e.Incident] = true
	}
	for _, m := range c.Members {
		named[m.Incident] = true
	}
	for _, i := range c.Incidents {
		named[i.ID] = i.Version > 1
	}
	var ids []string
	for id, older := range named {
		if older && id != "" {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	return c.w.each(ctx, marksQuery, func(s scanner) error {
		var id string
		var m mark
		err := s.Scan(&id, &m.n, &m.version)
		c.known[id] = m
		return err
	}, string(list))
}

// check asserts that each incident is at the version that the decision has
// seen, and numbers the new ones.
func (c *changeWriter) check() error {
	for _, i := range c.Incidents {
		at, exists := c.known[i.ID]
		if exists == (i.Version == 1) || at.version != i.Version-1 {
			return fmt.Errorf("incident %s version %d: %w", i.ID, i.Version, alert.ErrConflict)
		}
		if !exists {
			c.w.incidents++
			at = mark{n: c.w.incidents, created: true}
		}
		at.version = i.Version
		c.known[i.ID] = at
	}
	return c.checkNames()
}

// errForgotten: there is no such incident; it may have been pruned after it was
// loaded.
var errForgotten = fmt.Errorf("%w: %w", alert.ErrConflict, alert.ErrNotFound)

// checkNames refuses a change that names an unknown incident.
func (c *changeWriter) checkNames() error {
	for _, d := range c.Deliveries {
		if _, ok := c.known[d.Incident]; !ok {
			return fmt.Errorf("delivery %s is for incident %q: %w", d.ID, d.Incident, errForgotten)
		}
	}
	for _, a := range c.Alerts {
		if _, ok := c.known[a.Incident]; !ok && a.Incident != "" {
			return fmt.Errorf("alert %s belongs to incident %q: %w", a.ID, a.Incident, errForgotten)
		}
	}
	for _, e := range c.History {
		if _, ok := c.known[e.Incident]; !ok && e.Incident != "" {
			return fmt.Errorf("%s happened to incident %q: %w", e.Verb, e.Incident, errForgotten)
		}
	}
	for _, m := range c.Members {
		if _, ok := c.known[m.Incident]; !ok {
			return fmt.Errorf("alert %q is a member of incident %q: %w", m.Key, m.Incident, errForgotten)
		}
	}
	return nil
}

func (c *changeWriter) writeIncidents(ctx context.Context) error {
	var plains, incidents []any
	for k := range c.Incidents {
		i, n, t := &c.Incidents[k], c.known[c.Incidents[k].ID].n, c.incidents[k]
		if at, has := c.firing[i.ID]; has {
			t.content = c.w.alerts + 1 + int64(at) // as writeAlerts will number it
		}
		if plain(i, t) {
			plains = plainArgs(plains, n, i, t)
		} else {
			incidents = peopleArgs(plainArgs(incidents, n, i, t), i, t)
		}
		if i.Version == 1 {
			c.w.keys.opened = append(c.w.keys.opened, latest{keyHash(i.Key), i.Route, n})
		}
	}
	if err := c.w.insert(ctx, c.w.into.plainIncidents, plains); err != nil {
		return err
	}
	if err := c.w.insert(ctx, c.w.into.incidents, incidents); err != nil {
		return err
	}
	return c.w.writeLatest(ctx)
}

func (c *changeWriter) writeAlerts(ctx context.Context) error {
	var args []any
	for n := range c.Alerts {
		a := c.Alerts[n]
		if a.Standing == "" {
			a.Standing = alert.StandPending
		}
		lane, err := c.w.lane(ctx, a.Lane)
		if err != nil {
			return err
		}
		c.w.alerts++
		c.w.count(lane, a.Standing, 1)
		at := keys{n: c.w.alerts, lane: lane}
		if known, ok := c.known[a.Incident]; ok {
			at.incident = known.n
		}
		if post, ok := c.posts[a.Delivery]; ok {
			at.delivery = post
			delete(c.posts, a.Delivery)
		}
		args = at.alertArgs(args, &a, c.alerts[n])
	}
	return c.w.insert(ctx, c.w.into.alerts, args)
}

// silencedAlerts silences the alerts of an incident that will not be shown.
const silencedAlerts = `UPDATE alerts SET standing = {silenced}, reason = ?
	WHERE incident = ? AND standing = {pending} RETURNING lane`

// silenceUnshown silences the pending alerts of incidents that will not be shown, before those of the
// change are written.
func (c *changeWriter) silenceUnshown(ctx context.Context) error {
	for _, h := range c.NeverShown {
		incident, silenced := c.known[h.Incident].n, int64(0)
		err := c.w.each(ctx, silencedAlerts, func(s scanner) error {
			var lane int64
			err := s.Scan(&lane)
			silenced++
			c.w.count(lane, alert.StandSilenced, 1)
			c.w.count(lane, alert.StandPending, -1)
			c.w.settled[cardKey{incident, lane}] = struct{}{}
			return err
		}, h.Reason, incident)
		if err == nil && h.Silence != "" && silenced > 0 {
			_, err = c.w.exec(ctx, hiddenQuery, silenced, h.Silence)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// adoptQuery gives a post to the alert that has waited longest for one.
const adoptQuery = `UPDATE alerts SET delivery = ? WHERE delivery IS NULL AND n = (SELECT n FROM alerts
	WHERE incident = ? AND lane = ? AND standing = {pending} ORDER BY version, n LIMIT 1)`

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
