package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"tocsin/alert"
	"tocsin/playground"
)

// What a digest says about its incidents.
var (
	saidIncidents = regexp.MustCompile(`^\S+ (\d+) incidents? at once`)
	saidSeverity  = regexp.MustCompile(`\*(\d+)\* (critical|error|warning|info)\b`)
	saidResolved  = regexp.MustCompile(`\*(\d+)\* resolved`)
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
