package render

import (
	"cmp"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// Note draws a message in the thread of an incident's card: more of its text, what
// people did, that it is resolved, reopened, worse or not acknowledged; or several of
// these. It begins with whom it pings (n.Mention). People are named; one whose name is
// not known is shown in an attachment, where nobody is pinged.
func Note(i alert.Incident, n alert.Note) Message {
	notes := n.Notes()
	var mention []string
	for _, one := range notes {
		mention = alert.Union(mention, one.Mention)
	}
	var all Message
	room := maxText
	if who := ping(mention); who != "" {
		all.Blocks = append(all.Blocks, pinging(who))
		all.Text = said(who) + " "
		room -= size(who) + len(" ")
	}
	about := titleIn(i.Title, 1000)
	if len(notes) == 1 {
		return all.with(oneNote(i, n, ": "+about, room), "")
	}
	all = all.with(Message{Text: said(about), Blocks: []slack.Block{section("*" + about + "*")}}, "")
	for _, one := range notes {
		all = all.with(oneNote(i, one, "", maxText-size(all.Text)-len("\n")), "\n")
	}
	return all
}

// with is m and another message below it. Rich text that follows rich text is one block.
func (m Message) with(other Message, between string) Message {
	m.Text += between + other.Text
	for _, b := range other.Blocks {
		next, ok := b.(*slack.RichTextBlock)
		if last := len(m.Blocks) - 1; ok && last >= 0 {
			if before, ok := m.Blocks[last].(*slack.RichTextBlock); ok {
				before.Elements = append(before.Elements, next.Elements...)
				continue
			}
		}
		m.Blocks = append(m.Blocks, b)
	}
	m.Attachments = append(m.Attachments, other.Attachments...)
	return m
}

// oneNote draws one note, with about behind its first line, in at most so many
// characters.
func oneNote(i alert.Incident, n alert.Note, about string, room int) Message {
	if n.Topic == alert.TopicMore {
		text := shorter(noteText(n.Text), room)
		return Message{Text: said(literal(text)), Blocks: moreText(text, i.Format)}
	}
	if n.Topic == alert.TopicImage {
		return MissingImage(n, "Slack does not take the file")
	}
	if n.Topic == alert.TopicText {
		return answer(unsharedText(i, n))
	}
	if n.Topic == alert.TopicOthers {
		return answer(otherTexts(n) + quoted(showCommand(i)))
	}
	if n.Title != "" {
		about = ": " + titleIn(n.Title, 300)
	}
	if n.Topic == alert.TopicHidden {
		return hiding(i, n, about)
	}
	head := noteSign(i, n) + " " + noteWords(i, n) + about
	m := Message{Text: said(head), Blocks: []slack.Block{section(head)}, Attachments: unnamed(n.By, n.To)}
	rest := ""
	if n.Cut {
		rest = "… the rest: " + quoted(showCommand(i))
	}
	if text := clean(n.Text); visible(text) {
		text = shorter(text, room-len("\n")-size(head)-len("\n")-size(rest))
		m = m.with(Message{Text: said(literal(text)), Blocks: textBlocks(text, noteFormat(i, n))}, "\n")
	}
	if n.Cut {
		m = m.with(answer(rest), "\n")
	}
	return m
}

// otherTexts are the words in front of where texts are that a thread does not say.
func otherTexts(n alert.Note) string {
	switch {
	case n.Count > 1:
		return "*" + plural(n.Count, "more alert") + "* said something else: "
	case n.Count == 1:
		return "*One more alert* said something else: "
	}
	return "*Earlier alerts* said something else: "
}

// hiding says that a silence hides a critical alert, with a button that ends it. The note's
// text is the silence's id, and its reason behind a colon.
func hiding(i alert.Incident, n alert.Note, about string) Message {
	id, why, _ := strings.Cut(oneLine(n.Text), ": ")
	end := endingNotice(alert.Silence{ID: id})
	from := quoted(id)
	if end == nil {
		from, why = "silence", oneLine(n.Text)
	}
	if !nobody(n.By) {
		from += " by " + called(n.By)
	}
	if visible(why) {
		from += ": " + fit(why, MaxReason)
	}
	line := noteSign(i, n) + " *A silence hides a critical alert* and further ones" + until(n.At) + about + " (" + from + ")"
	m := answer(line)
	if end != nil {
		m.Blocks = append(m.Blocks, slack.NewActionBlock("", end.ButtonElement))
	}
	m.Attachments = unnamed(n.By, n.To)
	return m
}

// noteFormat is how a note's text is written: as the alert's, unless it is a person's words,
// or ours.
func noteFormat(i alert.Incident, n alert.Note) alert.Format {
	if !nobody(n.By) && !ofAlert(n.Topic) || n.Topic == alert.TopicTemplate {
		return ""
	}
	return i.Format
}

// ofAlert reports whether a note's text is always that of an alert, whose source is By.
func ofAlert(t alert.Topic) bool {
	return t == alert.TopicFormer || t == alert.TopicRefired || t == alert.TopicReopened || t == alert.TopicEscalated
}

// unnamed shows the people whose names are not known.
func unnamed(by, to alert.Person) []slack.Attachment {
	var parts []string
	if nameless(by) {
		parts = append(parts, "by "+shown(by))
	}
	if nameless(to) {
		parts = append(parts, "to "+shown(to))
	}
	if len(parts) == 0 {
		return nil
	}
	return namesWithoutPing(strings.Join(parts, " "))
}

// namesWithoutPing is an attachment with a line in which mentions ping nobody.
func namesWithoutPing(line string) []slack.Attachment {
	return barred(colourAcked, "Who it is", small(line))
}

func noteText(s string) string {
	if s = strings.Trim(clean(s), "\n"); visible(s) {
		return s
	}
	return "(nothing to show)"
}

func noteSign(i alert.Incident, n alert.Note) string {
	sign, known := map[alert.Topic]string{
		alert.TopicResolved: "✅", alert.TopicAcked: "✋", alert.TopicAssigned: "👤", alert.TopicNote: "💬",
		alert.TopicUnacked: "↩️", alert.TopicUnresolved: "↩️",
		alert.TopicSilenced: "🔕", alert.TopicHidden: "🔕", alert.TopicUnsilenced: "🔔", alert.TopicUninhibited: "🔔",
		alert.TopicMembers: "➕", alert.TopicMemberFile: "➕",
		alert.TopicTemplate:   "⚠️",
		alert.TopicUnanswered: "⏰", alert.TopicReminder: "⏰",
	}[n.Topic]
	if n.Topic == alert.TopicStable && n.Severity == "" {
		return "✅"
	}
	if known {
		return sign
	}
	return severitySign(cmp.Or(n.Severity, i.Severity))
}

func noteWords(i alert.Incident, n alert.Note) string {
	if words := firingWords(n); words != "" {
		return words
	}
	switch n.Topic {
	case alert.TopicTemplate:
		return "*Shown without the route's templates*"
	case alert.TopicMembers, alert.TopicMemberFile:
		return memberWords(n)
	case alert.TopicUnsilenced, alert.TopicUninhibited:
		return "*No longer " + strings.TrimPrefix(string(n.Topic), "un") + "*, still open"
	case alert.TopicUnanswered:
		return "*Nobody has acknowledged this*" + after(n, " for ", "")
	case alert.TopicReminder:
		return reminderWords(n)
	case alert.TopicAssigned:
		return assignedWords(n)
	}
	return actWords(i, n) + by(n.By, called) + actDetails(n)
}

// firingWords say how an incident's alerts fire; empty for a note about something else.
func firingWords(n alert.Note) string {
	switch n.Topic {
	case alert.TopicReopened:
		return "*Firing again*" + nowWorse(n) + after(n, ", ", " after it was resolved") + hadAcked(n.To)
	case alert.TopicFormer:
		return "*Before*"
	case alert.TopicRefired:
		return refiredWords(n)
	case alert.TopicFlapping:
		return "*Flapping*, " + times(n.Count) + inTime(n) + ": this thread is quiet until it is stable or its severity changes"
	case alert.TopicStable:
		return stableWords(n)
	}
	return ""
}

// actDetails is what follows who did something.
func actDetails(n alert.Note) string {
	switch {
	case n.Topic == alert.TopicUnresolved:
		return after(n, ", ", " after it was resolved") + hadAcked(n.To)
	case n.Topic == alert.TopicResolved && n.Count > 1:
		return after(n, " after ", "") + ", fired " + times(n.Count)
	case n.Topic == alert.TopicResolved:
		return after(n, " after ", "")
	}
	return ""
}

func refiredWords(n alert.Note) string {
	if n.Count > 1 {
		return "*Fired again*, " + times(n.Count) + " so far"
	}
	return "*Fired again*"
}

// actWords say what was done; who did it follows.
func actWords(i alert.Incident, n alert.Note) string {
	switch n.Topic {
	case alert.TopicResolved:
		return "*" + resolvedWord(n.Expired) + "*"
	case alert.TopicAcked:
		return "*Acknowledged*"
	case alert.TopicUnacked:
		return "*No longer acknowledged*"
	case alert.TopicUnresolved:
		return "*Reopened*"
	case alert.TopicNote:
		return "*Note*"
	case alert.TopicEscalated:
		return "*Now " + strings.ToLower(severityWord(cmp.Or(n.Severity, i.Severity))) + "*"
	case alert.TopicSilenced:
		return "*Silenced*" + until(n.At)
	}
	return fit(oneLine(string(n.Topic)), 100)
}

func stableWords(n alert.Note) string {
	if n.Severity == "" {
		return "*Stable again*: resolved, fired " + times(n.Count)
	}
	return "*Stable again*: still firing, " + times(n.Count) + " so far"
}

func nowWorse(n alert.Note) string {
	if !n.Worse {
		return ""
	}
	return ", now " + strings.ToLower(severityWord(n.Severity))
}

func hadAcked(p alert.Person) string {
	if nobody(p) {
		return ""
	}
	return "; " + called(p) + " had acknowledged it"
}

// after is n.After between two texts, or empty if it is not known.
func after(n alert.Note, before, behind string) string {
	if n.After <= 0 {
		return ""
	}
	return before + span(n.After) + behind
}

// inTime is within how long an incident began to flap.
func inTime(n alert.Note) string {
	if n.After < time.Second {
		return " in less than a second"
	}
	return after(n, " in ", "")
}

func reminderWords(n alert.Note) string {
	switch {
	case n.After <= 0:
		return "*Still open*, acknowledged" + by(n.By, called)
	case nobody(n.By):
		return "*Still open*" + after(n, ", ", " after it was acknowledged")
	}
	return "*Still open*" + after(n, ", ", " after "+called(n.By)+" acknowledged it")
}

func assignedWords(n alert.Note) string {
	if n.By.Is(n.To) || nobody(n.By) {
		return "*" + sentence(called(n.To)) + " is working on this*"
	}
	return "*" + sentence(called(n.By)) + " assigned this to " + called(n.To) + "*"
}
