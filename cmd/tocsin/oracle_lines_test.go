package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/playground"
)

// mark is something the oracle did to the daemon or to Slack.
type mark struct {
	at   time.Time
	what string
	// until is when a daemon knew again what Slack says, where it did not from at on.
	until time.Time
}

// killMark is the mark of a kill, clockFormat how times are shown.
const (
	killMark    = "kill -9"
	clockFormat = "15:04:05.000"
)

// linesAround is how much of the time around a finding's own lines is shown.
const linesAround = 5 * time.Second

// lines are the journal's entries about a key, an incident or a delivery, and what the
// oracle did around them.
func (x *exhibit) lines(about string) string {
	deliveries := map[string]bool{}
	if strings.Contains(about, "-") {
		deliveries[about] = true
	}
	for _, e := range x.journal {
		if e.Message != nil && mentions(e.Message.Text, about) && deliveryOf(*e.Message) != "" {
			deliveries[deliveryOf(*e.Message)] = true
		}
	}
	var all []mark
	for _, e := range x.journal {
		if line := journalLine(e, about, deliveries); line != "" {
			all = append(all, mark{at: e.At, what: line})
		}
	}
	if len(all) == 0 {
		return "    the journal says nothing about " + about + "\n"
	}
	from, to := all[0].at.Add(-linesAround), all[len(all)-1].at.Add(linesAround)
	for _, m := range x.marks {
		if m.at.After(from) && m.at.Before(to) {
			all = append(all, mark{at: m.at, what: "-- " + m.what})
		}
	}
	slices.SortStableFunc(all, func(a, b mark) int { return a.at.Compare(b.at) })
	var b strings.Builder
	for _, m := range all {
		fmt.Fprintf(&b, "    %s %s\n", m.at.Format(clockFormat), m.what)
	}
	return b.String()
}

// logged is what the daemon has logged about the incident of a story.
func (x *exhibit) logged(s *story) string { return x.loggedOf(s.opened().receipt.Incident) }

func (x *exhibit) loggedOf(id string) string {
	incident := `"incident":"` + id + `"`
	var b strings.Builder
	for line := range strings.Lines(x.log) {
		if strings.Contains(line, incident) {
			b.WriteString("    " + line)
		}
	}
	return b.String()
}

// mentions says whether a text is about a key or an incident.
func mentions(text, about string) bool {
	return strings.Contains(text, "`"+about+"`") ||
		slices.ContainsFunc(shownKey.FindAllStringSubmatch(text, -1), func(found []string) bool { return found[1] == about })
}

// journalLine is what an entry of the journal says about a key or an incident, or of one of the
// deliveries; of a card as it was posted it is the whole text.
func journalLine(e playground.Entry, about string, deliveries map[string]bool) string {
	switch {
	case e.Message != nil:
		id := deliveryOf(*e.Message)
		if deliveries[id] || mentions(e.Message.Text, about) {
			text := e.Message.Text
			if e.Kind != playground.KindMessage || e.Message.ThreadTS != "" {
				text = text[:min(len(text), 80)]
			}
			return fmt.Sprintf("#%d %s %s ts=%s thread=%s delivery=%s %q", e.Seq, e.Kind, e.Channel, e.Message.TS, e.Message.ThreadTS, id, text)
		}
	case e.Call != nil:
		c := e.Call
		if mentions(c.Args["text"], about) || named(c.Args["metadata"], deliveries) {
			return fmt.Sprintf("#%d call %s %s status=%d error=%q fault=%q ts=%s", e.Seq, c.Method, e.Channel, c.Status, c.Error, c.Fault, c.TS)
		}
	}
	return ""
}

func named(metadata string, deliveries map[string]bool) bool {
	for id := range deliveries {
		if strings.Contains(metadata, id) {
			return true
		}
	}
	return false
}
