package engine

import (
	"math/rand/v2"
	"strings"
	"time"

	"tocsin/alert"
)

// rules are the constants of a decision.
type rules struct {
	defaultLane  string
	reopenWithin time.Duration
	skip         func() int // how far apart the ids of two incidents are
}

// draft is a decision in the making: the incidents as loaded and as changed by
// the alerts decided so far, so that two alerts with one key in one batch fold.
type draft struct {
	rules     rules
	now       time.Time
	incidents map[ref]*entry
	byKey     map[string][]*entry
	lastID    string   // of the latest incident
	order     []*entry // changed ones, in the order of their first change
	seen      map[string]alert.Accepted
	change    alert.Change
	receipts  []alert.Accepted
}

// ref is what makes two alerts be about the same thing.
type ref struct{ key, route string }

type entry struct {
	alert.Incident
	changed bool
	// opener is the post that shows a new incident first, until the alert that
	// opened it is recorded.
	opener string
}

// maxSkip is how far apart the ids of two incidents are at most, so that a
// mistyped one is likely to be nobody's.
const maxSkip = 15

// decide says what alerts change, given the facts. It is pure but for new ids.
func (e *Engine) decide(facts alert.Facts, alerts []alert.Alert) *draft {
	r := rules{
		defaultLane: e.opts.DefaultLane, reopenWithin: e.opts.ReopenWithin,
		skip: func() int { return 1 + rand.IntN(maxSkip) },
	}
	return decide(r, e.opts.Now().UTC().Truncate(time.Microsecond), facts, alerts)
}

func decide(r rules, now time.Time, facts alert.Facts, alerts []alert.Alert) *draft {
	d := &draft{
		rules: r, now: now, incidents: map[ref]*entry{}, byKey: map[string][]*entry{}, lastID: facts.LastID, seen: map[string]alert.Accepted{},
	}
	for _, i := range facts.Incidents {
		d.know(&entry{Incident: i})
	}
	for k, receipt := range facts.Seen {
		d.seen[k] = receipt
	}
	for _, a := range alerts {
		d.take(a)
	}
	for _, en := range d.order {
		d.change.Incidents = append(d.change.Incidents, en.Incident)
	}
	return d
}

// know makes en the incident of its key in its route.
func (d *draft) know(en *entry) {
	d.incidents[ref{en.Key, en.Route}] = en
	d.byKey[en.Key] = append(d.byKey[en.Key], en)
}

// take decides about one alert.
func (d *draft) take(a alert.Alert) {
	if first, ok := d.seen[a.IdempotencyKey]; ok && a.IdempotencyKey != "" {
		first.Effect = alert.EffectDuplicate
		d.receipts = append(d.receipts, first)
		return
	}
	var en *entry
	var effect alert.Effect
	if a.Status == alert.Resolved {
		en, effect = d.resolve(a)
	} else {
		en, effect = d.fire(a)
	}
	d.record(a, en, effect)
}

// record writes the alert down and hands out its receipt.
func (d *draft) record(a alert.Alert, en *entry, effect alert.Effect) {
	rec := alert.Record{
		Alert: a, Standing: alert.StandPending, Incident: en.ID, Lane: en.Lanes[0],
		Version: en.Version, Delivery: en.opener,
	}
	en.opener = ""
	if !en.changed {
		rec.Standing = alert.StandFolded // its card already shows all that a could add
	}
	d.change.Alerts = append(d.change.Alerts, rec)
	receipt := alert.Accepted{ID: a.ID, Key: a.Key, Incident: en.ID, Effect: effect}
	if a.IdempotencyKey != "" {
		d.seen[a.IdempotencyKey] = receipt
	}
	d.receipts = append(d.receipts, receipt)
}

// fire opens, reopens or folds.
func (d *draft) fire(a alert.Alert) (*entry, alert.Effect) {
	route, lanes := d.rules.route(a)
	en := d.incidents[ref{a.Key, route}]
	switch {
	case en == nil || en.State == alert.StateResolved && d.now.Sub(en.ResolvedAt) > d.rules.reopenWithin:
		return d.open(a, route, lanes), alert.EffectOpened
	case en.State == alert.StateResolved:
		d.reopen(en, a)
		return en, alert.EffectReopened
	default:
		d.fold(en, a)
		return en, alert.EffectFolded
	}
}

// open begins a new incident with a post in each lane of its route.
func (d *draft) open(a alert.Alert, route string, lanes []string) *entry {
	en := &entry{Incident: alert.Incident{
		ID: d.nextID(), Key: a.Key, Route: route, State: alert.Open, FirstAt: d.now, Lanes: lanes,
	}}
	d.know(en)
	d.touch(en)
	en.show(a, d.now)
	en.opener = d.owe(en, alert.Post, nil)
	d.continueText(en)
	return en
}

// nextID returns the id of the next new incident.
func (d *draft) nextID() string {
	d.lastID = alert.NextShortID(d.lastID, d.rules.skip())
	return d.lastID
}

// reopen brings a resolved incident back in its thread.
func (d *draft) reopen(en *entry, a alert.Alert) {
	d.touch(en)
	en.State, en.ResolvedAt, en.AckedAt, en.AckedBy = alert.Open, time.Time{}, time.Time{}, alert.Person{}
	textBefore := en.Text
	en.show(a, d.now)
	d.owe(en, alert.Update, nil)
	d.owe(en, alert.Reply, &alert.Note{Topic: alert.TopicReopened, Severity: a.Severity, Count: en.Count, By: alert.Person{Name: a.Source}, At: d.now})
	if en.Text != textBefore {
		d.continueText(en)
	}
}

// fold counts a in an incident that is known, and says so where it got worse.
func (d *draft) fold(en *entry, a alert.Alert) {
	d.touch(en)
	textBefore, severityBefore := en.Text, en.Severity
	en.show(a, d.now)
	d.owe(en, alert.Update, nil)
	if en.Severity.Rank() < severityBefore.Rank() {
		d.owe(en, alert.Reply, &alert.Note{Topic: alert.TopicEscalated, Severity: en.Severity, Count: en.Count, By: alert.Person{Name: a.Source}, At: d.now})
	}
	if en.Text != textBefore {
		d.continueText(en)
	}
}

// show makes the incident tell what its newest firing alert tells.
func (en *entry) show(a alert.Alert, now time.Time) {
	en.Count++
	en.LastAt = now
	en.Severity, en.Source, en.Title, en.Text = a.Severity, a.Source, a.Title, a.Text
	en.Labels, en.Links, en.Mention = a.Labels, a.Links, a.Mention
}

// continueText owes the thread what the card has no room for.
func (d *draft) continueText(en *entry) { d.oweMore(en, alert.Pages(en.Text)[1:]) }

// oweMore owes the thread the further pages of a text.
func (d *draft) oweMore(en *entry, pages []string) {
	for _, page := range pages {
		d.owe(en, alert.Reply, &alert.Note{Topic: alert.TopicMore, Text: page, At: d.now})
	}
}

// resolve ends what a is about: the incident of its own route, else those of
// the key in every route, since a sender may leave the channel out. An end
// whose beginning was never seen is shown as well: nothing is swallowed.
func (d *draft) resolve(a alert.Alert) (*entry, alert.Effect) {
	route, lanes := d.rules.route(a)
	own := d.incidents[ref{a.Key, route}]
	if own != nil && own.State != alert.StateResolved {
		d.end(own, a)
		return own, alert.EffectResolved
	}
	if en := d.resolveElsewhere(a); en != nil {
		return en, alert.EffectResolved
	}
	if own != nil {
		d.endAgain(own)
		return own, alert.EffectFolded
	}
	en := d.open(a, route, lanes)
	en.State, en.ResolvedAt, en.Count = alert.StateResolved, d.now, 0
	return en, alert.EffectResolved
}

// resolveElsewhere ends the key's incidents in other routes and returns one of
// them, or nil if none was going on.
func (d *draft) resolveElsewhere(a alert.Alert) *entry {
	if a.Channel != "" {
		return nil
	}
	var ended *entry
	for _, en := range d.byKey[a.Key] {
		if en.State != alert.StateResolved {
			d.end(en, a)
			ended = en
		}
	}
	return ended
}

func (d *draft) end(en *entry, a alert.Alert) {
	d.touch(en)
	en.State, en.ResolvedAt = alert.StateResolved, d.now
	d.owe(en, alert.Update, nil)
	pages := alert.Pages(en.lastWords(a))
	d.owe(en, alert.Reply, &alert.Note{
		Topic: alert.TopicResolved, Text: pages[0], Count: en.Count, After: d.now.Sub(en.FirstAt), By: alert.Person{Name: a.Source}, At: d.now,
	})
	d.oweMore(en, pages[1:])
}

// lastWords is what the alert that ends an incident says that its card does not
// show: its text and, unless the card or the text has it, its title.
func (en *entry) lastWords(a alert.Alert) string {
	switch begins := strings.TrimSuffix(a.Title, "…"); {
	case a.Title == en.Title, strings.HasPrefix(strings.TrimSpace(a.Text), begins):
		return a.Text
	case a.Text == "":
		return a.Title
	}
	return a.Title + "\n" + a.Text
}

// endAgain accounts for the end of something already ended. If every card
// shows it, there is nothing to change.
func (d *draft) endAgain(en *entry) {
	for _, lane := range en.Lanes {
		if c := en.Card(lane); en.changed || c.TS == "" || c.Version < en.Version {
			d.touch(en)
			d.owe(en, alert.Update, nil)
			return
		}
	}
}

// touch marks the incident as changed and raises its version, once a batch.
func (d *draft) touch(en *entry) {
	if !en.changed {
		en.changed = true
		en.Version++
		d.order = append(d.order, en)
	}
}

// owe adds one delivery for each lane of the incident and returns the id of the
// first.
func (d *draft) owe(en *entry, kind alert.Kind, note *alert.Note) (first string) {
	priority := 1
	if en.Severity == alert.Critical {
		priority = 0
	}
	for i, lane := range en.Lanes {
		id := alert.NewID()
		if i == 0 {
			first = id
		}
		d.change.Deliveries = append(d.change.Deliveries, alert.Delivery{
			ID: id, Lane: lane, Kind: kind, State: alert.Pending, Incident: en.ID,
			Priority: priority, Note: note, CreatedAt: d.now, NextAt: d.now,
		})
	}
	return first
}

// route chooses where an alert goes: the channel it names, else the default.
func (r rules) route(a alert.Alert) (string, []string) {
	if a.Channel == "" || a.Channel == r.defaultLane {
		return alert.DefaultRoute, []string{r.defaultLane}
	}
	return "channel:" + a.Channel, []string{a.Channel}
}
