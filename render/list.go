package render

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// ListRows is how many incidents one page of a list shows.
const ListRows = 10

// ListView is one page of a list of incidents.
type ListView struct {
	// Title says what is listed: "Open incidents".
	Title string
	// Incidents are those of the page; more than ListRows are left out.
	Incidents []alert.Incident
	// From is how many come before the page. Total is how many there are in all.
	From, Total int
	// Newer and Older are the values of the buttons to the previous and the next
	// page; empty for none.
	Newer, Older string
	// Here is that of this page. The buttons of its incidents have it behind the id and a
	// blank, so that a click can show the page as it is then; empty for none.
	Here string
	// Hint is what an empty list suggests; it may be empty.
	Hint string
}

// List draws one page of a list of incidents, each with the button of its next
// action, and buttons to page.
func List(v ListView) Message {
	name := title(v.Title)
	if len(v.Incidents) == 0 {
		lines := []string{"*" + fit(name, maxHeader) + "*", "There are none."}
		if v.Hint != "" {
			lines = append(lines, advice(oneLine(v.Hint), 500))
		}
		m := answer(lines...)
		m.Blocks = append(m.Blocks, pages(v)...)
		return m
	}
	rows := v.Incidents[:min(len(v.Incidents), ListRows)]
	blocks := []slack.Block{header(name), small(rangeLine(v, len(rows)))}
	l := newLines(maxText)
	l.add("*" + fit(name, maxHeader) + "*, " + rangeLine(v, len(rows)))
	for _, i := range rows {
		blocks = append(blocks, slack.NewSectionBlock(plain(rowTitle(i)), nil, next(i, v.Here)), small(rowFacts(i, called)...))
		l.add(strings.ReplaceAll(row(i, called), "\n", dot))
	}
	return Message{Text: said(l.text()), Blocks: append(blocks, pages(v)...)}
}

// Above is an answer with a list below it.
func Above(first, list Message) Message {
	m := Message{Text: first.Text, Blocks: append(slices.Clone(first.Blocks), list.Blocks...)}
	if whole := first.Text + "\n" + list.Text; utf8.RuneCountInString(whole) <= maxText {
		m.Text = whole
	}
	return m
}

func rangeLine(v ListView, n int) string {
	if v.From == 0 && n >= v.Total {
		return plural(n, "incident")
	}
	return fmt.Sprintf("%d to %d of %d", v.From+1, v.From+n, v.Total)
}

// row is an incident in two lines.
func row(i alert.Incident, who func(alert.Person) string) string {
	return "*" + rowTitle(i) + "*\n" + strings.Join(rowFacts(i, who), dot)
}

func rowTitle(i alert.Incident) string {
	return literal(directed(sign(i) + " " + shorter(title(i.Headline()), 150)))
}

func rowFacts(i alert.Incident, who func(alert.Person) string) []string {
	parts := []string{quoted(orDash(i.ID))}
	switch i.State {
	case alert.StateResolved:
		parts = append(parts, "resolved"+by(i.ResolvedBy, who))
	case alert.Acked:
		parts = append(parts, "acknowledged"+by(i.AckedBy, who))
	}
	if i.Count != 1 {
		parts = append(parts, fired(i.Count))
	}
	if !i.LastAt.IsZero() {
		parts = append(parts, ago(minutes(i.LastAt)))
	}
	return append(parts, rowNotes(i, who)...)
}

// rowNotes are the rest of a row: who it is assigned to, and why it is not shown.
func rowNotes(i alert.Incident, who func(alert.Person) string) []string {
	if i.State == alert.StateResolved {
		return nil
	}
	var parts []string
	if !nobody(i.Assignee) && !i.Assignee.Is(i.AckedBy) {
		parts = append(parts, "assigned to "+who(i.Assignee))
	}
	switch {
	case i.Hidden():
		parts = append(parts, silenced(i))
	case !i.HeldUntil.IsZero():
		parts = append(parts, "🌙 waits until "+date(i.HeldUntil))
	}
	return parts
}

// pages are the buttons to the previous and the next page.
func pages(v ListView) []slack.Block {
	var buttons []slack.BlockElement
	for _, b := range []struct{ id, label, value string }{{":newer", "◀ Back", v.Newer}, {":older", "More ▶", v.Older}} {
		if b.value != "" && len(b.value) <= maxValue {
			page := button(ActionPage+b.id, b.label)
			page.Value = b.value
			buttons = append(buttons, page)
		}
	}
	return actionRow(buttons)
}

// Show draws one incident with its history, as an answer to a person; permalink
// leads to its card, or is empty.
func Show(i alert.Incident, history []alert.Event, permalink string) Message {
	m := Card(i, "")
	lines := newLines(maxText - utf8.RuneCountInString(m.Text) - len("\n"))
	for _, e := range history {
		lines.add(eventLine(e, called))
	}
	if len(lines.all) > 0 {
		m.Text += "\n" + said(lines.text())
	}
	var blocks []slack.Block
	// A card leaves room for the history, if it is not one of long addresses.
	if text := historyText(history, shown, min(maxSection, maxBlocks-weight(m))); text != "" {
		blocks = append(blocks, section("*History*\n"+text))
	}
	if address, ok := ownAddress(permalink); ok {
		blocks = append(blocks, section(link("Open its card", address)))
	}
	if len(blocks) > 0 {
		m.Attachments = append(m.Attachments, barred(colour(i), "History", blocks...)...)
	}
	return m
}

// historyText is as much of a history as fits, oldest first; if it is too long,
// the oldest lines are left out.
func historyText(history []alert.Event, who func(alert.Person) string, budget int) string {
	lines := newLines(budget - len("*History*\n… 100000 earlier lines\n"))
	for at, e := range slices.Backward(history) {
		if !lines.add(eventLine(e, who)) {
			slices.Reverse(lines.all)
			return "… " + plural(at+1, "earlier line") + "\n" + lines.text()
		}
	}
	slices.Reverse(lines.all)
	return lines.text()
}

func eventLine(e alert.Event, who func(alert.Person) string) string {
	line := eventWords(e, who)
	if !e.At.IsZero() {
		line = date(e.At) + "  " + line
	}
	if text := oneLine(e.Text); visible(text) {
		line += ": " + fit(text, 300)
	}
	return line
}

func eventWords(e alert.Event, who func(alert.Person) string) string {
	line, known := map[alert.Verb]string{
		alert.VerbOpen: "🚨 opened", alert.VerbReopen: "🚨 opened again", alert.VerbRefire: "🚨 fired again", alert.VerbAck: "✋ acknowledged", alert.VerbResolve: "✅ resolved",
		alert.VerbUnack: "↩️ no longer acknowledged", alert.VerbAssign: "👤 assigned", alert.VerbNote: "💬 note", alert.VerbSilence: "🔕 silenced", alert.VerbUnsilence: "🔔 silence ended",
		alert.VerbEscalate: "⏰ not acknowledged, so others were notified", alert.VerbRemind: "⏰ reminded",
		alert.VerbHold: "🌙 held back", alert.VerbShow: "📣 shown", alert.VerbExpire: "⌛ expired",
		alert.VerbInhibit: "🔕 hidden",
	}[e.Verb]
	if !known {
		line = fit(oneLine(string(e.Verb)), 100)
	}
	if e.Verb == alert.VerbAssign && !nobody(e.To) {
		line += " to " + who(e.To)
	}
	if e.Silence != "" {
		line += " (" + quoted(e.Silence) + ")"
	}
	return line + by(e.By, who)
}
