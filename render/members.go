package render

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// The most characters that the members of a group have on a card, on a plain one, and in one
// line.
const (
	maxCardMembers  = 2000
	maxPlainMembers = 1500
	maxMemberLine   = 190
)

// topMembers lists the worst members of a group (alert.Group.Top), a line each, in at most
// so many characters, and says how many more there are. A single member is the card itself.
func topMembers(i alert.Incident, budget int) string {
	if i.Group == nil || i.Group.Total < 2 || len(i.Group.Top) == 0 {
		return ""
	}
	listed, where := i.Group.Shown(), "in Details"
	if i.InhibitedBy != "" {
		listed = i.Group.Total
	}
	if listed > alert.CardMembers {
		where = "in its thread and in Details"
	}
	const rest = " and 1000000 more, in its thread and in Details"
	l := newLines(budget - len(rest))
	for _, m := range i.Group.Top {
		if !l.add(memberLine(i, m, maxMemberLine)) {
			break
		}
	}
	if more := listed - len(l.all); more > 0 && len(l.all) > 0 {
		l.all = append(l.all, fmt.Sprintf("and %d more, %s", more, where))
	}
	return l.text()
}

// DetailMembers is how many members of a group a page of Details has.
const DetailMembers = 20

// detailMembers draws a page of a group's members, worst first, with buttons to the others.
func detailMembers(i alert.Incident) []slack.Block {
	if i.Group == nil || len(i.Group.Top) == 0 {
		return nil
	}
	g := i.Group
	var lines []string
	for _, m := range g.Top[:min(len(g.Top), DetailMembers)] {
		lines = append(lines, memberLine(i, m, maxMemberLine))
	}
	last := g.From + len(lines)
	head := fmt.Sprintf("Alerts %d to %d of %d, worst first", g.From+1, last, g.All())
	blocks := []slack.Block{small(head), section(strings.Join(lines, "\n"))}
	var buttons []slack.BlockElement
	if g.From > 0 {
		buttons = append(buttons, valued(ActionMembers+":newer", "◀ Back", i.ID+" "+strconv.Itoa(max(g.From-DetailMembers, 0))))
	}
	if last < g.All() {
		buttons = append(buttons, valued(ActionMembers+":older", "More ▶", i.ID+" "+strconv.Itoa(last)))
	}
	return append(blocks, actionRow(buttons)...)
}

// memberLine is a member of a group on one line of at most budget characters: what tells it
// from the others, and since when it is as it is.
func memberLine(i alert.Incident, m alert.GroupMember, budget int) string {
	return memberSign(m) + " " + fit(memberName(i, m), budget-size(memberState(m))-4) + dot + memberState(m)
}

func memberSign(m alert.GroupMember) string {
	switch {
	case m.Status != alert.Firing:
		return "✅"
	case m.Hidden():
		return "🔕"
	}
	return severitySign(m.Severity)
}

// memberName is a member's title, or the labels that tell it from others with the same title.
func memberName(i alert.Incident, m alert.GroupMember) string {
	if i.Group != nil && i.Group.Titles {
		return title(m.Title)
	}
	own := alert.Incident{Labels: maps.Clone(m.Labels), Severity: m.Severity}
	maps.DeleteFunc(own.Labels, func(name, value string) bool { return i.Labels[name] == value })
	if labels := labelsOf(own); len(labels) > 0 {
		return pairs(labels, maxMemberLine, 0)
	}
	return title(m.Title)
}

func memberState(m alert.GroupMember) string {
	switch {
	case m.Status == alert.Firing && m.Silence != "":
		return "silenced" + until(m.SilencedUntil)
	case m.Status == alert.Firing && m.InhibitedBy != "":
		return "inhibited by " + quoted(m.InhibitedBy)
	case m.Status == alert.Firing:
		return "since " + date(m.BeganAt)
	}
	return strings.ToLower(resolvedWord(m.Expired)) + " " + date(m.EndedAt)
}

// memberWords say what is new about a group.
func memberWords(n alert.Note) string {
	var parts []string
	switch {
	case n.From == 0 && n.Count > 0 && n.Over+n.Again == 0:
		parts = append(parts, "*All of the group*, in order of arrival")
	case n.Count+n.More > 0:
		parts = append(parts, fmt.Sprintf("*%d more*", n.Count+n.More))
	}
	if n.Again > 0 {
		parts = append(parts, fmt.Sprintf("*%d firing again*", n.Again))
	}
	if n.Over > 0 {
		parts = append(parts, fmt.Sprintf("%d resolved", n.Over))
	}
	return cmp.Or(strings.Join(parts, ", "), "*0 more*")
}

// Members draws a message in the thread of a group's card with those of its members that a
// note lists. In a message of at most 4,000 characters there is room for alert.MembersPage;
// of a list that Slack refused as a file the others are counted.
func Members(i alert.Incident, n alert.Note, members []alert.GroupMember) Message {
	n.Count = min(n.Count, len(members)) // some may be inhibited by now
	m := Note(i, n)
	l := newLines(maxText - size(m.Text) - len("and 1000000 more: Details lists them\n"))
	for _, one := range members {
		if !l.add(memberLine(i, one, maxMemberLine)) {
			break
		}
	}
	if more := len(members) - len(l.all) + n.More; more > 0 && len(members) > 0 {
		l.all = append(l.all, fmt.Sprintf("and %d more: Details lists them", more))
	}
	if len(l.all) == 0 {
		return m
	}
	return m.with(answer(l.text()), "\n")
}

// MembersTitle is the title of a file with members of a group.
func MembersTitle(n alert.Note) string {
	return fmt.Sprintf("Alerts %d to %d of the group, in order of arrival", n.From+1, n.From+n.Count)
}

// MembersFile is a list of members of a group as plain text, for a file, with everything that
// they say.
func MembersFile(i alert.Incident, n alert.Note, members []alert.GroupMember) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s\n", title(i.Title), MembersTitle(n))
	for _, m := range members {
		fmt.Fprintf(&b, "\n%-8s  %s\n          %s, since %s", strings.ToUpper(string(m.Severity)), title(m.Title), m.Status, utc(m.BeganAt))
		if !m.EndedAt.IsZero() {
			fmt.Fprintf(&b, ", until %s", utc(m.EndedAt))
		}
		fmt.Fprintf(&b, ", fired %s\n", times(m.Count))
		for _, name := range slices.Sorted(maps.Keys(m.Labels)) {
			fmt.Fprintf(&b, "          %s=%s\n", labelText(name), labelText(m.Labels[name]))
		}
		for _, link := range m.Links {
			fmt.Fprintf(&b, "          %s\n", oneLine(link.Label+" "+link.URL))
		}
		for line := range strings.Lines(clean(m.Text)) {
			fmt.Fprintf(&b, "          %s\n", strings.TrimRight(line, "\n"))
		}
	}
	if n.More > 0 {
		fmt.Fprintf(&b, "\nThere are %d more.\n", n.More)
	}
	return b.Bytes()
}
