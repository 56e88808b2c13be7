package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// shownMember is a line of a card about an alert: its sign, the number of the alert and the key.
var shownMember = regexp.MustCompile(`(?m)^(\S+) .*oracle a\d\d(\d{5}) of (\w+)`)

// listing is what a card says of one alert.
type listing struct {
	tag    int
	firing bool
}

// listings is what a card says of its alerts, by key.
func listings(m playground.Message) map[string]listing {
	all := map[string]listing{}
	for _, found := range shownMember.FindAllStringSubmatch(m.Text, -1) {
		tag, _ := strconv.Atoi(found[2])
		all[found[3]] = listing{tag, found[1] != "✅"}
	}
	return all
}

// grouped finds what is wrong with how groups are shown.
func (x *exhibit) grouped(groupers []*grouper) (all []string) {
	for _, g := range groupers {
		for _, s := range g.groups {
			if wrong := x.group(g, s); wrong != "" {
				all = append(all, fmt.Sprintf("group %s, incident %s, lane %s: %s\n%s", s.name, s.incident, g.lane, wrong, x.linesOfGroup(s)))
			}
		}
	}
	return all
}

// cardsOf are the posts of the card of a group, as they came.
func (x *exhibit) cardsOf(s *groupStory) (all []playground.Entry) {
	for _, m := range s.members {
		all = append(all, x.cards[m.key]...)
	}
	slices.SortFunc(all, func(a, b playground.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	return all
}

// group says what is wrong with how a group is shown, or is empty.
func (x *exhibit) group(g *grouper, s *groupStory) string {
	want, may := map[string]listing{}, map[string]listing{}
	for _, m := range s.members {
		if len(x.listed[m.key]) > 0 {
			return "STRAYED: a digest lists " + m.key
		}
		switch must, mayHide := g.inhibits(m); {
		case !m.firing || len(must) > 0:
		case len(mayHide) > 0:
			may[m.key] = listing{m.latest.number(), true}
		default:
			want[m.key] = listing{m.latest.number(), true}
		}
	}
	cards := x.cardsOf(s)
	switch {
	case len(cards) == 0 && len(want) > 0:
		return fmt.Sprintf("LOST: no card lists %v", want)
	case len(cards) == 0:
		return ""
	case len(cards) > 1:
		return fmt.Sprintf("TWICE: it has %d cards", len(cards))
	case cards[0].Channel != x.channels[g.lane]:
		return "STRAYED: its card is in " + cards[0].Channel
	}
	card := x.now[cards[0].Channel+" "+cards[0].Message.TS]
	if wrong := s.compare(card, want, may); wrong != "" {
		return wrong + ": " + card.Text
	}
	versions := append([]playground.Message{*cards[0].Message}, x.edits[spot(card)]...)
	if n := slices.IndexFunc(versions, func(m playground.Message) bool { return len(listings(m)) == 0 }); n >= 0 {
		return "NAMELESS: the card named no alert: " + versions[n].Text
	}
	return listsBackwards(versions)
}

// compare says how a card differs from the group's end. want are the alerts that it has to
// list as firing, may those that it can list or not.
func (s *groupStory) compare(card playground.Message, want, may map[string]listing) string {
	fires := listings(card)
	maps.DeleteFunc(fires, func(_ string, l listing) bool { return !l.firing })
	hidden := len(want) == 0 && s.open()
	if hidden && strings.Contains(card.Text, "nhibited by") {
		return ""
	}
	open := len(fires) > 0
	maps.DeleteFunc(fires, func(key string, l listing) bool { return may[key] == l })
	switch {
	case !maps.Equal(fires, want):
		return fmt.Sprintf("STALE: the card lists %v as firing, want %v", fires, want)
	case hidden && !open:
		return "STALE: the card does not say that all that fires is inhibited"
	case strings.Contains(card.Text, "Resolved") == s.open():
		return fmt.Sprintf("STALE: the card does not show resolved=%t", !s.open())
	case strings.Contains(card.Text, "Acknowledged by oracle") != (s.acked && s.open()):
		return fmt.Sprintf("STALE: the card does not show acknowledged=%t", s.acked && s.open())
	}
	return ""
}

// listsBackwards finds an edit that says something older of an alert than the one before. While
// all that fires is inhibited, the card goes on naming what was shown before that.
func listsBackwards(versions []playground.Message) string {
	said := map[string]listing{}
	for _, version := range versions {
		if strings.Contains(version.Text, "nhibited by") {
			continue
		}
		for key, now := range listings(version) {
			before, known := said[key]
			if known && (now.tag < before.tag || now.tag == before.tag && now.firing && !before.firing) {
				return fmt.Sprintf("OUT OF ORDER: the card said %+v and then %+v of %s", before, now, key)
			}
			said[key] = now
		}
	}
	return ""
}

// number is that of the tag.
func (a *sent) number() int {
	n, _ := strconv.Atoi(a.tag[len(a.tag)-5:])
	return n
}

// linesOfGroup are the journal's lines about its members, and what the daemon has logged.
func (x *exhibit) linesOfGroup(s *groupStory) string {
	var b strings.Builder
	for _, m := range s.members {
		for _, a := range m.alerts {
			fmt.Fprintf(&b, "    %s %s %s\n", a.pushed.Format(clockFormat), a.status, a.title())
		}
	}
	return b.String() + x.lines(s.incident) + x.loggedOf(s.incident)
}

// countGroups counts how the alerts of groups ended, and finds records that say otherwise.
func (o *oracle) countGroups(x *exhibit) (counts alert.Counts, found []string) {
	for _, g := range o.groupers {
		for _, s := range g.groups {
			delivered := counts.Delivered
			for _, m := range s.members {
				for _, a := range m.alerts {
					var rec alert.Record
					if err := o.daemon.ask("/v1/alerts/"+a.receipt.ID, &rec); err != nil {
						return counts, append(found, fmt.Sprintf("alert %s: %v", a.tag, err))
					}
					counts.Accepted++
					switch rec.Standing {
					case alert.StandDelivered:
						counts.Delivered++
					case alert.StandFolded:
						counts.Folded++
					case alert.StandSilenced:
						counts.Silenced++
					}
					if wrong := x.misrecordedMember(m, a, rec); wrong != "" {
						found = append(found, fmt.Sprintf("alert %s of %s: %s: %s\n%s", a.tag, m.key, wrong, asJSON(rec), x.linesOfGroup(s)))
					}
				}
			}
			if counts.Delivered > delivered+1 {
				found = append(found, fmt.Sprintf("TWICE: %d alerts of %s opened its card\n%s", counts.Delivered-delivered, s.name, x.linesOfGroup(s)))
			}
			if s.incident != "" {
				found = append(found, o.compareMembers(g, s)...)
			}
		}
	}
	return counts, found
}

// misrecordedMember says how the record of an alert of a group is wrong, or is empty.
func (x *exhibit) misrecordedMember(m *memberStory, a *sent, rec alert.Record) string {
	at := x.cardsOf(m.group)
	switch {
	case m.hidden[a] && rec.Standing != alert.StandSilenced:
		return "it had to be silenced"
	case rec.Standing == alert.StandSilenced && !m.group.mayHide():
		return "nothing can have silenced it"
	case rec.Standing == alert.StandSilenced && !strings.HasPrefix(rec.Reason, "inhibited by "):
		return "it is silenced by something else"
	case rec.Standing == alert.StandSilenced:
		return ""
	case len(at) == 0 || rec.TS != at[0].Message.TS || rec.Conversation != at[0].Channel:
		return "it is not shown there"
	}
	return ""
}

// compareMembers compares what the daemon tells of a group with its end.
func (o *oracle) compareMembers(g *grouper, s *groupStory) (found []string) {
	if s.alone {
		return nil
	}
	var detail incidentDetail
	if err := o.daemon.ask("/v1/incidents/"+s.incident+"?members=100", &detail); err != nil {
		return []string{fmt.Sprintf("group %s: %v", s.name, err)}
	}
	told := map[string]alert.GroupMember{}
	for _, m := range detail.Members {
		told[m.Key] = m
	}
	for _, m := range s.members {
		must, may := g.inhibits(m)
		got := told[m.key]
		known := slices.ContainsFunc(append(must, may...), func(source *memberStory) bool { return source.group.incident == got.InhibitedBy })
		if (got.Status == alert.Firing) != m.firing || len(must) > 0 && !known || got.InhibitedBy != "" && !known {
			found = append(found, fmt.Sprintf("member %s fires: %t, %d have to inhibit it and %d may; it is told to be %s\n%s",
				m.key, m.firing, len(must), len(may), asJSON(got), o.collect().linesOfGroup(s)))
		}
	}
	return found
}

func TestTheOracleKnowsWhatTheCardOfAGroupHasToList(t *testing.T) {
	fires := func(tags ...int) map[string]listing {
		all := map[string]listing{}
		for _, tag := range tags {
			all[fmt.Sprintf("p3plainm%d", tag)] = listing{tag, true}
		}
		return all
	}
	const head, first, second = "🟠 Error: p3plain: 2 firing\n", "🟠 oracle a0300001 of p3plainm1 · since\n", "🔵 oracle a0300002 of p3plainm2 · since\n"
	const ended = "✅ oracle a0300002 of p3plainm2 · resolved\n"
	open, over := &groupStory{members: []*memberStory{{firing: true}}}, &groupStory{members: []*memberStory{{}}}
	for _, c := range []struct {
		group     *groupStory
		text      string
		want, may map[string]listing
		ok        bool
	}{
		{open, head + first + second, fires(1, 2), nil, true},
		{open, head + first, fires(1, 2), nil, false},
		{open, head + first + second, fires(1), nil, false},
		{open, head + first + second, fires(1), fires(2), true},
		{open, head + first, fires(1), fires(2), true},
		{open, head + first + ended, fires(1), nil, true},
		{open, head + first + ended, fires(1, 2), nil, false},
		{open, head + ended, nil, nil, false},
		{open, head + ended + "inhibited by k7f2", nil, nil, true},
		{open, "✅ Resolved: p3plain: 1 resolved\n" + ended, fires(2), nil, false},
		{over, "✅ Resolved: p3plain: 1 resolved\n" + ended, nil, nil, true},
		{over, head + ended, nil, nil, false},
		{open, head + first + "Acknowledged by oracle", fires(1), nil, false},
	} {
		if wrong := c.group.compare(playground.Message{Text: c.text}, c.want, c.may); (wrong == "") != c.ok {
			t.Errorf("for %v and perhaps %v, it says %q of\n%s", c.want, c.may, wrong, c.text)
		}
	}
	for _, c := range []struct {
		before, after string
		ok            bool
	}{{second, ended, true}, {ended, second, false}, {ended, second + "inhibited by k7f2", true}, {second, strings.ReplaceAll(second, "02 of", "01 of"), false}, {ended, first, true}} {
		if wrong := listsBackwards([]playground.Message{{Text: c.before}, {Text: c.after}}); (wrong == "") != c.ok {
			t.Errorf("it says %q of %q and then %q", wrong, c.before, c.after)
		}
	}
}
