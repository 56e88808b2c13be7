package engine

import (
	"errors"
	"slices"
	"time"

	"tocsin/alert"
)

// rules are the constants of a decision.
type rules struct {
	routing  alert.Routing
	flapping Flapping
	// heartbeats are those of the configuration, by name.
	heartbeats map[string]alert.Terms
	// inhibition knows the incidents that inhibit others.
	inhibition *alert.Inhibition
	skip       func() int // the distance between the ids of two new incidents
}

// input is one request. Exactly one of its fields is set, apart from keys and queued.
type input struct {
	alerts []alert.Alert
	acts   []alert.Act
	// keys are those of incidents that an act reopens.
	keys      []string
	silence   *alert.Silence
	unsilence *endRequest
	beats     []alert.Beat
	forget    string // the name of a heartbeat
	// queued is set if a standby may have told the sender that the alerts are accepted.
	queued bool
}

// named is the id of the silence that is to be changed or ended, or empty.
func (in input) named() string {
	switch {
	case in.unsilence != nil:
		return in.unsilence.id
	case in.silence != nil:
		return in.silence.ID
	}
	return ""
}

// endRequest is a request to end a silence.
type endRequest struct {
	id string
	by alert.Person
}

// result is the answer to one input.
type result struct {
	accepted []alert.Accepted
	acted    []alert.Acted
	silence  alert.Silence
	heard    []alert.Heard
	// failures are the alerts for which a template failed.
	failures int
	err      error
}

// draft is an unfinished decision: what was loaded, with the changes decided so
// far, so that two alerts with one key in one batch fold into one incident.
type draft struct {
	rules rules
	now   time.Time
	// incidents has the latest one of each key in each route.
	incidents     map[ref]*entry
	byKey         map[string][]*entry
	byID          map[string]*entry
	all           []*entry
	order         []*entry // changed ones, in the order of their first change
	silences      []*silenceState
	inhibition    *alert.Inhibition
	touched       []*entry // which inhibition does not know yet as they are
	subscriptions []alert.Subscription
	aliases       *alert.Aliases
	seen          map[string]alert.Accepted
	done          map[actKey]alert.Verb
	lastID        string // of the latest incident
	lastSilence   string
	// heartbeats are by name, heartbeatOrder all of them, also those that are deleted,
	// and heartbeatCount is that of the snapshot, with the new ones.
	heartbeats     map[string]*heartbeatState
	heartbeatOrder []*heartbeatState
	heartbeatCount int
	failures       int // as of a result
	// members are those of groups that are known, memberships the same by the alert's key,
	// groups by the id of the incident, and memberOrder those that have changed.
	members     map[memberRef]*memberState
	memberships map[string][]*memberState
	groups      map[string][]*memberState
	memberOrder []*memberState
	change      alert.Change
}

// ref identifies an incident: alerts with the same key and route fold into it.
type ref struct{ key, route string }

// actKey identifies an act: what one request did to one incident.
type actKey struct{ request, incident string }

// silenceState is a silence in a draft.
type silenceState struct {
	alert.Silence
	changed bool
}

// entry is an incident in a draft.
type entry struct {
	alert.Incident
	changed bool
	// opener is the id of a new incident's first post, until the alert that opened
	// the incident is recorded.
	opener string
	// unshown is set while it has never had a card, not even a pending one.
	unshown bool
	plan    *alert.Plan
	// pings is set when the newest alert's mention notifies.
	pings bool
	// failed is set when a template of its route has failed for the alert being decided.
	failed bool
	// reword is set when the templates of its route have yet to say what its members are now.
	reword bool
	// apart is set once an alert says what it says that is recorded with another incident, or not
	// at all.
	apart bool
	// processed is set once it was decided what is due.
	processed bool
	// newest is the title of the group's member that fired last.
	newest string
}

func newDraft(r rules, now time.Time, snapshot alert.Snapshot) *draft {
	r.routing = snapshot.Aliases.Routing(r.routing)
	d := &draft{
		rules: r, now: now, incidents: map[ref]*entry{}, byKey: map[string][]*entry{}, byID: map[string]*entry{},
		inhibition: r.inhibition.Above(), subscriptions: snapshot.Subscriptions, aliases: snapshot.Aliases, seen: map[string]alert.Accepted{}, done: map[actKey]alert.Verb{},
		lastID: snapshot.LastID, lastSilence: snapshot.LastSilence,
	}
	for _, i := range snapshot.Incidents {
		if d.byID[i.ID] != nil {
			continue
		}
		if i.Subject().Channel == r.routing.Default {
			i.Route = alert.DefaultRoute // both may have turned out to be the same conversation
		}
		d.index(newEntry(i))
	}
	for _, s := range snapshot.Silences {
		d.silences = append(d.silences, &silenceState{Silence: s})
	}
	d.loadHeartbeats(snapshot)
	d.loadMembers(snapshot)
	for k, receipt := range snapshot.Seen {
		d.seen[k] = receipt
	}
	for _, line := range snapshot.Done {
		d.done[actKey{line.RequestID, line.Incident}] = line.Verb
	}
	return d
}

// newEntry returns the entry of an incident as loaded.
func newEntry(i alert.Incident) *entry {
	return &entry{Incident: i, unshown: !i.HeldUntil.IsZero()}
}

// index adds en to the draft. It becomes the incident of its key and route unless
// there is a later one.
func (d *draft) index(en *entry) {
	at := ref{en.Key, en.Route}
	if have := d.incidents[at]; have == nil || later(en.ID, have.ID) {
		d.incidents[at] = en
	}
	d.byKey[en.Key] = append(d.byKey[en.Key], en)
	d.byID[en.ID] = en
	d.all = append(d.all, en)
}

// later compares incidents by their ids, which ascend.
func later(id, than string) bool { return alert.CompareShortIDs(id, than) > 0 }

// decide returns what the inputs change, given the snapshot, and the answer to each.
// It is pure except for new ids.
func decide(r rules, now time.Time, snapshot alert.Snapshot, inputs []input) (alert.Change, []result) {
	d := newDraft(r, now, snapshot)
	alerts := 0
	for _, in := range inputs {
		alerts += len(in.alerts)
	}
	d.change.Alerts = slices.Grow(d.change.Alerts, alerts)
	d.change.Deliveries = slices.Grow(d.change.Deliveries, alerts)
	results := make([]result, len(inputs))
	for n, in := range inputs {
		results[n] = d.decideInput(in)
	}
	d.finish()
	results[0].failures += d.failures // those of groups, which are worded once
	for n := range results {
		for k, acted := range results[n].acted {
			if en := d.byID[acted.Incident.ID]; en != nil {
				results[n].acted[k].Incident = en.Incident
			}
		}
	}
	return d.change, results
}

func (d *draft) decideInput(in input) result {
	var r result
	if r.accepted, r.err = d.acceptAll(in); r.err != nil {
		return r
	}
	r.failures, d.failures = d.failures, 0
	for _, a := range in.acts {
		r.acted = append(r.acted, d.act(a))
	}
	switch s := in.silence; {
	case s == nil:
	case s.ID == "":
		r.silence = d.createSilence(*s)
	default:
		r.silence, r.err = d.changeSilence(*s)
	}
	if in.unsilence != nil {
		r.silence, r.err = d.endSilence(*in.unsilence)
	}
	for _, b := range in.beats {
		heard, err := d.beat(b)
		r.heard, r.err = append(r.heard, heard), errors.Join(r.err, err)
	}
	if in.forget != "" {
		var heard alert.Heard
		heard, r.err = d.forget(in.forget)
		r.heard = append(r.heard, heard)
	}
	return r
}

// finish collects the changed incidents and silences.
func (d *draft) finish() {
	for _, en := range d.order {
		d.wordGroup(en)
		d.announceMembers(en)
		if next := d.nextDue(en); !en.woken(next) {
			en.DueAt = next
		}
		d.change.Incidents = append(d.change.Incidents, en.Incident)
		if en.apart {
			d.change.Apart = append(d.change.Apart, en.ID)
		}
	}
	d.finishHeartbeats()
	d.finishMembers()
	for _, s := range d.silences {
		if s.changed {
			d.change.Silences = append(d.change.Silences, s.Silence)
		}
	}
}

// touch marks the incident as changed and raises its version once per batch.
func (d *draft) touch(en *entry) {
	d.touched = append(d.touched, en)
	if !en.changed {
		en.changed = true
		en.Version++
		d.order = append(d.order, en)
	}
}

// planOf is the routing of the incident as it is now, by its own route if that still applies.
func (d *draft) planOf(en *entry) *alert.Plan {
	if en.plan == nil {
		p := d.rules.routing.PlanOf(en.Incident, d.aliases)
		en.plan = &p
	}
	return en.plan
}

// subjectOf is what matchers see of the incident.
func (d *draft) subjectOf(en *entry) alert.Subject { return d.aliases.Subject(en.Subject()) }

// addHistory adds a line to the incident's history.
func (d *draft) addHistory(en *entry, line alert.Event) {
	line.Incident, line.At = en.ID, d.now
	d.change.History = append(d.change.History, line)
}
