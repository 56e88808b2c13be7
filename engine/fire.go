package engine

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/alert"
)

// verdict is what was decided about one alert.
type verdict struct {
	en       *entry
	effect   alert.Effect
	standing alert.Standing
	// silence is the id of the silence that hides the alert, reason describes it.
	silence, reason string
}

// idle reports whether nothing happens that people should know.
func (v verdict) idle() bool {
	return v.effect == alert.EffectRefreshed || v.effect == alert.EffectIgnored
}

// rank is lower for a verdict that counts more: by what people see, then by what is hidden.
func (v verdict) rank() int {
	switch {
	case v.idle():
		return 2
	case v.standing == alert.StandSilenced:
		return 1
	}
	return 0
}

// mainOf is the one of the verdicts about an alert, one for each of its incidents, by which it
// counts.
func mainOf(all []verdict) verdict {
	return slices.MinFunc(all, func(a, b verdict) int { return a.rank() - b.rank() })
}

// accept decides one alert and returns its receipt.
func (d *draft) accept(a alert.Alert) alert.Accepted {
	if first, ok := d.seen[a.IdempotencyKey]; ok && a.IdempotencyKey != "" {
		first.Effect = alert.EffectDuplicate
		return first
	}
	d.learnSources()
	if a.OnlyIfOpen && !d.isOpen(a.Key) {
		return alert.Accepted{Key: a.Key, Effect: alert.EffectIgnored}
	}
	subject := d.aliases.Subject(a.Subject())
	plans, decide := d.plans(a, subject), d.fire
	if a.Status == alert.Resolved {
		decide = d.resolve
	}
	all := decide(a, subject, plans)
	v := mainOf(all)
	for _, one := range all {
		d.countFailure(one.en)
		one.en.apart = one.en.apart || one.en != v.en && a.Status == alert.Firing && !one.idle()
	}
	if v.idle() {
		return alert.Accepted{Key: a.Key, Incident: v.en.ID, Effect: v.effect}
	}
	receipt := d.record(a, v)
	for _, one := range all {
		one.en.opener = ""
	}
	return receipt
}

// plans are the routing of an alert, one for each incident that it is about: a message that is
// posted as it is is one.
func (d *draft) plans(a alert.Alert, subject alert.Subject) []alert.Plan {
	if a.Message != nil {
		return []alert.Plan{d.rules.routing.Plan(subject)}
	}
	return d.rules.routing.Plans(subject)
}

// acceptAll decides the alerts of an input: all or none, unless they are queued. Of those one
// that reuses an idempotency key counts apart from the alert that had it.
func (d *draft) acceptAll(in input) (all []alert.Accepted, err error) {
	reused := d.reusedKeys(in.alerts)
	if len(reused) > 0 && !in.queued {
		return nil, reusedKeyError(in.alerts, reused[0])
	}
	for n, a := range in.alerts {
		if len(reused) == 0 || reused[0] != n {
			all = append(all, d.accept(a))
			continue
		}
		note := reusedKeyError(in.alerts, n).Error() + "; this one counts by itself"
		reused, a.IdempotencyKey = reused[1:], otherKey(a)
		receipt := d.accept(a)
		receipt.Notes = []string{note}
		all = append(all, receipt)
	}
	return all, nil
}

// otherKey is the idempotency key of an alert that reuses the one of another.
func otherKey(a alert.Alert) string {
	return fmt.Sprintf("%s reused %x", a.IdempotencyKey, uint64(a.Hash))
}

// reusedKeys are the positions of the alerts that have the idempotency key of another one,
// accepted or in the same request, that says something else.
func (d *draft) reusedKeys(alerts []alert.Alert) (all []int) {
	var sent map[string]int64
	for n, a := range alerts {
		if a.IdempotencyKey == "" || a.Hash == 0 {
			continue
		}
		first, used := sent[a.IdempotencyKey]
		if receipt, accepted := d.seen[a.IdempotencyKey]; accepted {
			first, used = receipt.Hash, receipt.Hash != 0
		}
		if used && first != a.Hash {
			all = append(all, n)
			continue
		}
		if sent == nil {
			sent = make(map[string]int64, len(alerts))
		}
		sent[a.IdempotencyKey] = a.Hash
	}
	return all
}

// reusedKeyError is the error of the alert at n, which reuses an idempotency key.
func reusedKeyError(alerts []alert.Alert, n int) error {
	reused := &alert.ReusedKeyError{Key: alerts[n].IdempotencyKey}
	if len(alerts) > 1 {
		reused.Item = n + 1
	}
	return reused
}

// record adds the alert to the change and returns its receipt.
func (d *draft) record(a alert.Alert, v verdict) alert.Accepted {
	en := v.en
	d.change.Alerts = append(d.change.Alerts, alert.Record{
		Alert: a, Standing: v.standing, Reason: v.reason, Silence: v.silence, Incident: en.ID, Lane: en.Lanes[0],
		Version: en.Version, Delivery: en.opener,
	})
	receipt := alert.Accepted{ID: a.ID, Key: a.Key, Incident: en.ID, Effect: v.effect, Hash: a.Hash}
	if a.IdempotencyKey != "" {
		d.seen[a.IdempotencyKey] = receipt
	}
	return receipt
}

// fire decides a firing alert: by each plan it opens, reopens or folds into an incident.
func (d *draft) fire(a alert.Alert, subject alert.Subject, plans []alert.Plan) (all []verdict) {
	for n := range plans {
		for _, who := range a.Pings {
			plans[n].Notify(who)
		}
		if plans[n].Group.Takes(a) {
			all = append(all, d.fireMember(a, subject, &plans[n]))
		} else {
			all = append(all, d.fireAlone(a, subject, &plans[n]))
		}
	}
	return all
}

// fireAlone decides a firing alert that is in no group.
func (d *draft) fireAlone(a alert.Alert, subject alert.Subject, plan *alert.Plan) verdict {
	en := d.incidents[ref{a.Key, plan.Route}]
	if en == nil || en.State == alert.StateResolved && d.now.Sub(en.ResolvedAt) > plan.ReopenWithin {
		en = d.open(a, a.Key, subject, plan)
		return d.present(en, alert.EffectOpened, nil)
	}
	if a.Refreshes && en.State != alert.StateResolved {
		d.touch(en)
		en.refresh(a, plan, d.now)
		en.repeat(a, d.now)
		return verdict{en: en, effect: alert.EffectRefreshed}
	}
	if a.Refreshes && en.ResolvedBy != (alert.Person{}) && a.At.Before(en.ResolvedAt) {
		// Somebody has dealt with it, and nothing new has begun since.
		return verdict{en: en, effect: alert.EffectIgnored}
	}
	before := en.Incident
	en.pings = len(a.Pings) > 0
	if en.State == alert.StateResolved {
		d.touch(en)
		d.countReopening(en)
		en.reopen(d.now)
		en.mentionOnly(plan.Stops)
		en.show(a, plan, d.now)
		d.logFiring(en, &before, alert.VerbReopen)
		return d.present(en, alert.EffectReopened, &before)
	}
	d.expireHolds(en)
	d.touch(en)
	en.show(a, plan, d.now)
	d.logFiring(en, &before, alert.VerbRefire)
	return d.present(en, alert.EffectFolded, &before)
}

// open creates a new incident with a key, without a card yet.
func (d *draft) open(a alert.Alert, key string, subject alert.Subject, plan *alert.Plan) *entry {
	en := &entry{
		Incident: alert.Incident{
			ID: d.nextID(), Key: key, Route: plan.Route, State: alert.Open, FirstAt: d.now, OpenedAt: d.now,
			Lanes: plan.Lanes(), Mentions: mentions(plan.Stops),
		},
		unshown: true,
	}
	for _, s := range d.subscriptions {
		if !plan.Further && s.Matchers.Match(subject) {
			en.Lanes = alert.Union(en.Lanes, []string{d.aliases.Lane(s.Person)})
		}
	}
	en.BeganAt = saidAt(a, d.now)
	if !a.BeganAt.IsZero() && a.BeganAt.Before(a.At) {
		en.BeganAt = a.BeganAt
	}
	d.index(en)
	d.touch(en)
	en.show(a, plan, d.now)
	return en
}

// mentions returns who is mentioned in which lane.
func mentions(stops []alert.Stop) map[string][]string {
	var all map[string][]string
	for _, s := range stops {
		if len(s.Mention) > 0 {
			if all == nil {
				all = map[string][]string{}
			}
			all[s.Lane] = s.Mention
		}
	}
	return all
}

// nextID returns the id of the next new incident.
func (d *draft) nextID() string {
	d.lastID = alert.NextShortID(d.lastID, d.rules.skip())
	return d.lastID
}

// reopen makes a resolved incident open, unacknowledged and unassigned. One that flaps
// and that nobody has acknowledged is escalated as if it had been open all the time.
func (en *entry) reopen(now time.Time) {
	if en.FlappingSince.IsZero() || !en.AckedAt.IsZero() {
		en.OpenedAt, en.Escalated = now, 0
	}
	en.State = alert.Open
	en.EndedAt, en.Expired = noTime, false
	en.ResolvedAt, en.ResolvedBy, en.Unsaid, en.Untold = noTime, alert.Person{}, "", nil
	en.AckedAt, en.RemindAt, en.AckedBy, en.Assignee = noTime, noTime, alert.Person{}, alert.Person{}
}

// saidAt is when a firing alert says it began; zero if it doesn't say, or says the future.
func saidAt(a alert.Alert, now time.Time) time.Time {
	if a.At.Equal(a.AcceptedAt) || a.At.After(now) {
		return noTime
	}
	return a.At
}

// show copies what the card shows from the newest firing alert, unless that is brief, and its routing.
func (en *entry) show(a alert.Alert, plan *alert.Plan, now time.Time) {
	en.Count++
	en.LastAt, en.LastBeganAt = now, saidAt(a, now)
	if !en.LastBeganAt.IsZero() && en.LastBeganAt.Before(en.Began()) { // they came in another order
		en.BeganAt = en.LastBeganAt
	}
	en.refresh(a, plan, now)
	en.plan = plan
	if a.Brief && en.Count > 1 {
		return
	}
	en.word(&a, plan, now)
	en.Severity, en.Source, en.Title, en.Text, en.Format = a.Severity, a.Source, a.Title, a.Text, a.Format
	en.Labels, en.Links, en.Images, en.Mention = a.Labels, a.Links, a.Images, a.Mention
	en.Annotations, en.TokenName, en.Message = a.Annotations, a.TokenName, a.Message
}

// refresh decides until when the newest firing alert keeps the incident open.
func (en *entry) refresh(a alert.Alert, plan *alert.Plan, now time.Time) {
	en.ExpiresAt, en.ExpiresIn = expiry(a, plan, now)
	en.Repeated = a.Refreshes && (a.ExpiresIn > 0 || !a.EndsAt.IsZero())
}

// repeat keeps the annotations of an alert that is repeated, and when it says it began if that
// is earlier. Cards don't show either until something else changes them.
func (en *entry) repeat(a alert.Alert, now time.Time) {
	if !maps.Equal(en.Annotations, a.Annotations) {
		en.Annotations, en.apart = a.Annotations, true
	}
	if at := saidAt(a, now); !at.IsZero() && at.Before(en.Began()) {
		en.BeganAt = at
	}
}

// expiry is until when a firing alert lasts unless another one refreshes it, and how long
// that is from now; 0 if it is a time that the sender named.
func expiry(a alert.Alert, plan *alert.Plan, now time.Time) (time.Time, time.Duration) {
	in := a.ExpiresIn
	if in == 0 && a.EndsAt.IsZero() {
		in = plan.ExpiresIn
	}
	if at := now.Add(in); in > 0 && (a.EndsAt.IsZero() || at.Before(a.EndsAt)) {
		return at, in
	}
	return a.EndsAt, 0
}

// present decides whether people see what a firing alert has changed: a silence or an
// incident that inhibits it hides it, and quiet hours and times delay a first card. before is
// nil for a new incident.
func (d *draft) present(en *entry, effect alert.Effect, before *alert.Incident) verdict {
	if s := d.silenceFor(en); s != nil {
		d.hide(en, s, before)
		return verdict{en: en, effect: effect, standing: alert.StandSilenced, silence: s.ID, reason: reason(s.Silence)}
	}
	return d.presentUnsilenced(en, effect, before, false)
}

// presentUnsilenced is present for what no silence hides. A member that has only joined a
// group edits the card: its thread says so later.
func (d *draft) presentUnsilenced(en *entry, effect alert.Effect, before *alert.Incident, joined bool) verdict {
	v := verdict{en: en, effect: effect, standing: alert.StandPending}
	if by, inhibited := d.inhibitorOf(en); inhibited {
		d.inhibit(en, by)
		en.keepText(before)
		v.standing, v.reason = alert.StandSilenced, by.String()
		return v
	}
	d.reveal(en, effect)
	switch {
	case en.unshown:
		if held, muted := d.gather(en); muted {
			v.standing, v.reason = alert.StandSilenced, held
		}
		return v
	case effect == alert.EffectReopened:
		d.showChange(en, before, alert.TopicReopened)
	case en.Severity.Rank() < before.Severity.Rank():
		d.showChange(en, before, alert.TopicEscalated)
	case joined:
		d.update(en)
		d.postToNewLanes(en)
	default:
		d.showChange(en, before, alert.TopicRefired)
	}
	if en.Group == nil {
		d.noteFailure(en, before.Unworded)
	}
	return v
}

// reveal has an incident no longer hidden, because an alert fires that nothing hides.
func (d *draft) reveal(en *entry, effect alert.Effect) {
	if !en.Hidden() {
		return
	}
	if !en.unshown && effect == alert.EffectFolded {
		d.addHistory(en, alert.Event{Verb: alert.VerbShow})
	}
	en.unhide()
	en.OpenedAt = d.now
	d.addKeptTexts(en)
}

// showChange shows what a firing alert has changed about an incident that has
// cards. Unless it merely fired again, it is also posted in lanes that its routing
// has added.
func (d *draft) showChange(en *entry, before *alert.Incident, topic alert.Topic) {
	d.update(en)
	n := alert.Note{Topic: topic, Severity: en.Severity, Count: en.Count, By: alert.Person{Name: en.Source}}
	var pings map[string][]string
	if topic == alert.TopicReopened {
		n.After, n.To = d.now.Sub(before.ResolvedAt), before.AckedBy
		n.Worse = en.Severity.Rank() < before.Severity.Rank()
		d.beginFlapping(en)
	}
	if topic != alert.TopicRefired || en.pings {
		pings = en.mentionsFor(topic)
	}
	if topic == alert.TopicReopened && d.notifiesAgain(en) {
		n.Broadcast, pings = en.Severity == alert.Critical, en.Mentions
	}
	d.retell(en, before, &n)
	if en.FlappingSince.IsZero() || en.Severity != before.Severity || n.To != (alert.Person{}) || len(pings) > 0 {
		d.addNote(en, n, pings)
	}
	if topic != alert.TopicRefired {
		d.postToNewLanes(en)
	}
}

// notifiesAgain reports whether an incident that fires again notifies people now, as it did
// the first time: not while it flaps, and after quiet hours and times.
func (d *draft) notifiesAgain(en *entry) bool {
	en.NotifyAt = noTime
	if !en.FlappingSince.IsZero() {
		return false
	}
	held, ok := d.planOf(en).Hold.At(d.now, en.Severity)
	if ok && len(en.Mentions) > 0 {
		en.NotifyAt = held.Until.UTC()
	}
	return !ok
}

// newMentions returns, for the lanes that show the incident, whom its routing
// mentions now and has not mentioned there before.
func (en *entry) newMentions() map[string][]string {
	pings := map[string][]string{}
	for _, stop := range en.plan.Stops {
		had := en.Mentions[stop.Lane]
		if all := alert.Union(had, stop.Mention); len(all) > len(had) && slices.Contains(en.Lanes, stop.Lane) {
			pings[stop.Lane] = all[len(had):]
			en.mention(stop.Lane, all)
		}
	}
	return pings
}

// postToNewLanes posts the incident in lanes that its routing has added.
func (d *draft) postToNewLanes(en *entry) {
	for _, stop := range en.plan.Stops {
		if !slices.Contains(en.Lanes, stop.Lane) {
			d.join(en, stop.Lane, stop.Mention)
		}
	}
}

// mentionOnly forgets whom only earlier alerts and escalation have mentioned: the alert that
// fires again decides whom that notifies.
func (en *entry) mentionOnly(stops []alert.Stop) {
	had, now := en.Mentions, mentions(stops)
	en.Mentions = nil
	for lane, who := range had {
		en.mention(lane, slices.DeleteFunc(slices.Clone(who), func(who string) bool { return !slices.Contains(now[lane], who) }))
	}
}

// mention sets who is mentioned in a lane. The map is cloned: the snapshot shares it.
func (en *entry) mention(lane string, who []string) {
	if len(who) == 0 {
		return
	}
	en.Mentions = maps.Clone(en.Mentions)
	if en.Mentions == nil {
		en.Mentions = map[string][]string{}
	}
	en.Mentions[lane] = who
}
