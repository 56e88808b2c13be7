package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// What a digest says about its incidents.
var (
	saidIncidents = regexp.MustCompile(`^\S+ (\d+) incidents? at once`)
	saidSeverity  = regexp.MustCompile(`(\d+) (critical|error|warning|info)\b`)
	saidResolved  = regexp.MustCompile(`(\d+) resolved`)
	saidAlerts    = regexp.MustCompile(`(?m)^(\d+) alerts?\b`)
	saidOwn       = regexp.MustCompile(`(\d+) shown separately`)
)

// census is what a digest counts.
type census struct {
	incidents, alerts, resolved, own int
	severities                       map[alert.Severity]int
}

func (c census) String() string {
	s := fmt.Sprintf("%d incidents, %d alerts, %d resolved, %d with a card of their own", c.incidents, c.alerts, c.resolved, c.own)
	for _, severity := range alert.Severities() {
		s += fmt.Sprintf(", %d %s", c.severities[severity], severity)
	}
	return s
}

// said reads what a digest shows.
func said(m playground.Message) census {
	c := census{
		incidents: numberIn(saidIncidents, m.Text), alerts: numberIn(saidAlerts, m.Text),
		resolved: numberIn(saidResolved, m.Text), own: numberIn(saidOwn, m.Text), severities: map[alert.Severity]int{},
	}
	for _, found := range saidSeverity.FindAllStringSubmatch(m.Text, -1) {
		c.severities[alert.Severity(found[2])], _ = strconv.Atoi(found[1])
	}
	return c
}

func numberIn(pattern *regexp.Regexp, text string) int {
	found := pattern.FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	n, _ := strconv.Atoi(found[1])
	return n
}

// take counts a story as it ended.
func (c *census) take(s *story, ownCard bool) {
	c.incidents++
	if ownCard {
		c.own++
		return
	}
	c.alerts += s.count
	if s.resolved {
		c.resolved++
		return
	}
	if c.severities == nil {
		c.severities = map[alert.Severity]int{}
	}
	c.severities[s.latest.severity]++
}

// miscounted finds digests that count something else than the stories that they
// list, and those that list nothing.
func (x *exhibit) miscounted(pushers []*pusher) []string {
	want := map[string]*census{}
	for at := range x.digests {
		want[at] = &census{}
	}
	for _, p := range pushers {
		for _, s := range p.order {
			for _, digest := range x.listed[s.key] {
				want[digest.Channel+" "+digest.Message.TS].take(s, len(x.cards[s.key]) > 0)
			}
		}
	}
	var all []string
	for _, at := range slices.SortedFunc(maps.Keys(want), func(a, b string) int { return cmp.Compare(x.digests[a].Seq, x.digests[b].Seq) }) {
		if channel := x.digests[at].Channel; channel == x.channels[shakyLane] || channel == x.channels[fallbackLane] {
			continue // nobody edits what nobody can see
		}
		now, listed := said(x.now[at]), *want[at]
		if now.String() != listed.String() {
			all = append(all, fmt.Sprintf("MISCOUNTED: the digest at %s says %s; it lists %s: %s\n%s", at, now, listed, x.now[at].Text, x.lines(deliveryOf(x.now[at]))))
		}
	}
	return all
}

// beforeItMoved returns the digest that was shown in the lane when this one, in
// the fallback, replaced it before its list was posted; anything else is returned
// as it is. No two other digests have a key in common.
func (x *exhibit) beforeItMoved(e playground.Entry) playground.Entry {
	if e.Message == nil || e.Channel != x.channels[fallbackLane] || !digestTitle.MatchString(e.Message.Text) {
		return e
	}
	for _, d := range x.digests {
		if d.Channel == x.channels[shakyLane] && d.Seq < e.Seq && shareKey(d.Message.Text, e.Message.Text) {
			return d
		}
	}
	return e
}

func shareKey(a, b string) bool {
	keys := shownKey.FindAllString(a, -1)
	return slices.ContainsFunc(shownKey.FindAllString(b, -1), func(key string) bool { return slices.Contains(keys, key) })
}

func TestTheOracleKnowsADigestThatMovedToTheFallback(t *testing.T) {
	x := &exhibit{channels: map[string]string{shakyLane: "C1", fallbackLane: "C2"}, digests: map[string]playground.Entry{}}
	digest := func(seq int64, channel, keys string) playground.Entry {
		e := playground.Entry{Seq: seq, Channel: channel, Message: &playground.Message{Text: "🔴 14 incidents at once\n" + keys}}
		x.digests[channel+keys] = e
		return e
	}
	other, before := digest(1, "C1", "oracle a0000001 of p0n1"), digest(2, "C1", "oracle a0000002 of p0n2")
	moved, alone := digest(3, "C2", "oracle a0000002 of p0n2"), digest(4, "C2", "oracle a0000003 of p0n3")
	for e, want := range map[*playground.Entry]int64{&other: 1, &before: 2, &moved: 2, &alone: 4} {
		if got := x.beforeItMoved(*e).Seq; got != want {
			t.Errorf("entry %d was first shown at %d, want %d", e.Seq, got, want)
		}
	}
}

func TestTheOracleTakesNoNoteInADigestsThreadForItsList(t *testing.T) {
	x := &exhibit{listed: map[string][]playground.Entry{}, files: func(string) []byte { return []byte("Complete list\n\noracle a0000002 of p0n2\n") }}
	for _, m := range []playground.Message{
		{Text: listBegin + ", 1 to 1, in order of arrival\n🟠 oracle a0000001 of p0n1"},
		{Text: "💬 Note by oracle: oracle a0000001 of p0n1\nseen"},
		{Files: []playground.File{{Name: "tocsin-d-1.txt"}}},
	} {
		x.list(playground.Entry{}, m)
	}
	if len(x.listed) != 2 || len(x.listed["p0n1"]) != 1 || len(x.listed["p0n2"]) != 1 {
		t.Errorf("the digest lists %v, want each of two once", x.listed)
	}
}

func TestTheOracleKnowsACardThatADigestHasReplacedInTheFallback(t *testing.T) {
	s := &story{key: "p0n1"}
	entry := func(seq int64, channel, text string) playground.Entry {
		return playground.Entry{Seq: seq, Channel: channel, Message: &playground.Message{Text: text}}
	}
	first, digest, second := entry(1, "C1", "🟠 Error"), entry(2, "C2", "🔴 14 incidents at once"), entry(3, "C1", "🔴 Critical")
	for name, listed := range map[string][]playground.Entry{"": {digest}, "TWICE: 2 cards show it in C1": nil} {
		x := &exhibit{
			channels: map[string]string{shakyLane: "C1", fallbackLane: "C2"},
			cards:    map[string][]playground.Entry{s.key: {first, second}}, listed: map[string][]playground.Entry{s.key: listed},
		}
		if got := x.shaky(s); got != name {
			t.Errorf("listed in %d digests, it is %q, want %q", len(listed), got, name)
		}
	}
}
