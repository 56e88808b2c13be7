package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// The alerts of a grouper form groups in a lane of its own, and some hide others of the
// same zone. Each lane has few cards, so that none becomes part of a digest.
const (
	groupLane  = "#groups-%d"
	groupRoute = `
  - name: groups %[1]d
    match: 'pool="%[1]d", group!=""'
    to: ['#groups-%[1]d']
    group_by: [group]
    group_wait: 1s
    group_interval: 1s
  - name: alone %[1]d
    match: 'pool="%[1]d"'
    to: ['#groups-%[1]d']`
	groupRules = `
inhibit:
  - source: 'role="source"'
    target: 'role="target"'
    equal: [pool, zone]`
)

// groupConfig are the routes and rules for so many groupers, and more routes.
func groupConfig(groupers int, more string) string {
	var b strings.Builder
	b.WriteString("routes:")
	for n := range groupers {
		fmt.Fprintf(&b, groupRoute, n)
	}
	return b.String() + more + groupRules + "\n"
}

// grouper sends alerts of groups, one request after the other, and knows what has to be
// shown of them.
type grouper struct {
	*pusher
	pool   int
	lane   string
	groups []*groupStory
	events int
}

// groupStory is what Tocsin has to make of the alerts of a group, or of one that stands alone.
type groupStory struct {
	name     string
	incident string // empty until something was accepted
	members  []*memberStory
	acked    bool
	alone    bool
}

// memberStory is one alert of a group.
type memberStory struct {
	key    string
	group  *groupStory
	labels map[string]string
	// latest is the last one that fired, or that was resolved without ever having fired.
	latest *sent
	alerts []*sent
	firing bool
	// since is when it began to fire and lookedAt when it fired last, as numbers of events.
	since, lookedAt int
	// closed: a person has resolved it with its group.
	closed bool
	// hidden are the alerts that fired while another one had to inhibit them.
	hidden map[*sent]bool
}

func newGrouper(p *pusher, pool int) *grouper {
	g := &grouper{pusher: p, pool: pool, lane: fmt.Sprintf(groupLane, pool)}
	for name, roles := range map[string][]string{
		"plain":   {"plain", "plain", "plain", "plain", "plain"},
		"mixed":   {"plain", "plain", "target a", "target a", "target b", "target b", "target b"},
		"targets": {"target a", "target a", "target b"},
		"sources": {"source a", "source b", "plain"},
		"alone":   {"source a"},
	} {
		g.groups = append(g.groups, g.newGroup(name, roles))
	}
	slices.SortFunc(g.groups, func(a, b *groupStory) int { return strings.Compare(a.name, b.name) })
	return g
}

// newGroup makes the members of a group of roles such as "target a", with their zone.
func (g *grouper) newGroup(name string, roles []string) *groupStory {
	s := &groupStory{name: fmt.Sprintf("p%d%s", g.n, name), alone: name == "alone"}
	for n, role := range roles {
		m := &memberStory{key: fmt.Sprintf("%sm%d", s.name, n), group: s, labels: map[string]string{"pool": fmt.Sprint(g.pool)}, hidden: map[*sent]bool{}}
		if m.labels["role"], m.labels["zone"], _ = strings.Cut(role, " "); !s.alone {
			m.labels["group"] = s.name
		}
		s.members = append(s.members, m)
	}
	return s
}

// run takes some steps and then has the sources of one zone end, so that what they hide has
// to be shown, while that of the other zone stays hidden.
func (g *grouper) run(ctx context.Context, steps int) {
	for range steps {
		if g.err = g.step(ctx); g.err != nil {
			return
		}
		g.o.steps.Add(1)
		if !pause(ctx, time.Duration(g.random.Int64N(int64(2*g.every)))) {
			return
		}
	}
	ends := []struct {
		roles  string
		status alert.Status
	}{{"source a, source b", alert.Firing}, {"target a, target b", alert.Firing}, {"source a", alert.Resolved}}
	for n := 0; n < len(ends) && g.err == nil; n++ {
		var batch []*sent
		for _, m := range g.members() {
			if strings.Contains(ends[n].roles, m.labels["role"]+" "+m.labels["zone"]) {
				batch = append(batch, g.sent(m, ends[n].status))
			}
		}
		g.err = g.tell(ctx, batch)
	}
}

// step makes one request.
func (g *grouper) step(ctx context.Context) error {
	switch dice := g.random.IntN(100); {
	case dice < 60:
		batch := make([]*sent, 1+g.random.IntN(5))
		for i := range batch {
			batch[i] = g.sent(g.some(g.members()), []alert.Status{alert.Firing, alert.Firing, alert.Resolved}[g.random.IntN(3)])
		}
		return g.tell(ctx, batch)
	case dice < 75: // all of a group
		status := []alert.Status{alert.Firing, alert.Resolved}[g.random.IntN(2)]
		var batch []*sent
		for _, m := range g.groups[g.random.IntN(len(g.groups))].members {
			batch = append(batch, g.sent(m, status))
		}
		return g.tell(ctx, batch)
	case dice < 85:
		return g.again(ctx, g.random.IntN(1<<30))
	}
	return g.person(ctx, g.groups[g.random.IntN(len(g.groups))])
}

func (g *grouper) members() (all []*memberStory) {
	for _, s := range g.groups {
		all = append(all, s.members...)
	}
	return all
}

func (g *grouper) some(all []*memberStory) *memberStory { return all[g.random.IntN(len(all))] }

// sent is an alert of a member that is to be told.
func (g *grouper) sent(m *memberStory, status alert.Status) *sent {
	a := g.alert(m.key, g.lane, status)
	a.labels, a.words = m.labels, min(a.words, 30)
	return a
}

// tell sends alerts and compares the receipts with what they have to do.
func (g *grouper) tell(ctx context.Context, batch []*sent) error {
	got, again, err := g.push(ctx, batch)
	if err != nil {
		return err
	}
	for i, a := range batch {
		a.receipt = got[i]
		m := g.member(a.key)
		want := g.add(m, a)
		if a.receipt.Effect == alert.EffectQueued {
			g.undecided, g.queuedAt = append(g.undecided, a), g.door
			continue
		}
		g.keyed = append(g.keyed, a)
		if effect := a.receipt.Effect; effect != want && (!again || effect != alert.EffectDuplicate) {
			return fmt.Errorf("alert %s of %s got the receipt %+v, want the effect %q", a.tag, a.key, a.receipt, want)
		}
		if m.group.incident == "" {
			m.group.incident = a.receipt.Incident
		}
		if a.receipt.Incident != m.group.incident {
			return fmt.Errorf("alert %s of %s went to incident %s, the group's is %s", a.tag, a.key, a.receipt.Incident, m.group.incident)
		}
	}
	return nil
}

func (g *grouper) member(key string) *memberStory {
	all := g.members()
	return all[slices.IndexFunc(all, func(m *memberStory) bool { return m.key == key })]
}

// add tells the story on and says what the receipt has to call it.
func (g *grouper) add(m *memberStory, a *sent) alert.Effect {
	s := m.group
	first, open, fired := !s.begun(), s.open(), m.firing
	m.alerts, m.closed = append(m.alerts, a), false
	if a.status == alert.Resolved {
		if m.firing = false; m.latest == nil {
			m.latest = a
		}
		if first || fired {
			return alert.EffectResolved
		}
		return alert.EffectFolded
	}
	m.latest = a
	g.fires(m)
	if must, _ := g.inhibits(m); len(must) > 0 {
		m.hidden[a] = true
	}
	switch {
	case first:
		return alert.EffectOpened
	case !open:
		s.acked = false
		return alert.EffectReopened
	}
	return alert.EffectFolded
}

// fires has a member fire, possibly again.
func (g *grouper) fires(m *memberStory) {
	g.events++
	if !m.firing {
		m.firing, m.since = true, g.events
	}
	m.lookedAt = g.events
}

// inhibits are the members that have to hide one that fires, and those that may: they
// began after it was looked at.
func (g *grouper) inhibits(m *memberStory) (must, may []*memberStory) {
	for _, other := range g.members() {
		switch {
		case !m.firing || m.labels["role"] != "target" || !other.firing || other.labels["role"] != "source" || other.labels["zone"] != m.labels["zone"]:
		case other.since < m.lookedAt:
			must = append(must, other)
		default:
			may = append(may, other)
		}
	}
	return must, may
}

func (s *groupStory) open() bool {
	return slices.ContainsFunc(s.members, func(m *memberStory) bool { return m.firing })
}

func (s *groupStory) begun() bool {
	return slices.ContainsFunc(s.members, func(m *memberStory) bool { return len(m.alerts) > 0 })
}

func (s *groupStory) hasClosed() bool {
	return slices.ContainsFunc(s.members, func(m *memberStory) bool { return m.closed })
}

// mayHide reports whether others can hide members of the group.
func (s *groupStory) mayHide() bool {
	return slices.ContainsFunc(s.members, func(m *memberStory) bool { return m.labels["role"] == "target" })
}

// person acknowledges a group, resolves it, or undoes that.
func (g *grouper) person(ctx context.Context, s *groupStory) error {
	verb := []alert.Verb{alert.VerbAck, alert.VerbResolve, alert.VerbReopen}[g.random.IntN(3)]
	if s.incident == "" || verb == alert.VerbReopen && (s.open() || !s.hasClosed()) {
		return nil
	}
	by := &sent{tag: fmt.Sprintf("%s %d of a person", verb, g.made), key: s.name}
	effect, err := g.insist(ctx, s.incident, verb, by)
	if err != nil {
		return err
	}
	if want := g.act(s, verb); effect != want {
		return fmt.Errorf("%s of the group %s had the effect %q, want %q", by.tag, s.name, effect, want)
	}
	return nil
}

// act tells the story on by what a person does, and says what the answer has to call it.
func (g *grouper) act(s *groupStory, verb alert.Verb) alert.ActEffect {
	switch {
	case verb != alert.VerbReopen && (!s.open() || verb == alert.VerbAck && s.acked):
		return alert.ActAlready
	case verb == alert.VerbAck:
		s.acked = true
	default:
		for _, m := range s.members {
			switch {
			case verb == alert.VerbResolve && m.firing:
				m.firing, m.closed = false, true
			case verb == alert.VerbReopen && m.closed:
				m.closed = false
				g.fires(m)
			}
		}
		s.acked = s.acked && verb == alert.VerbResolve
	}
	return alert.ActDone
}

func newPusher(o *oracle, n int) *pusher {
	p := &pusher{
		o: o, n: n, random: rand.New(rand.NewPCG(o.plan.seed, uint64(100+n))),
		door: n, every: o.plan.every, stories: map[string]*story{},
	}
	for _, d := range o.all {
		p.doors = append(p.doors, d.client())
	}
	return p
}
