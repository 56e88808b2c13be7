package render

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// Note draws a message in the thread of an incident's card: more of its text, what
// people did, that it is resolved, reopened, worse or not acknowledged. It begins
// with whom it pings (n.Mention). People are named; one whose name is not known is
// shown in an attachment, where nobody is pinged.
func Note(i alert.Incident, n alert.Note) Message {
	who := ping(n.Mention)
	if who != "" {
		who += " "
	}
	if n.Topic == alert.TopicMore {
		return Message{Text: who + fit(noteText(n.Text), maxText-utf8.RuneCountInString(who))}
	}
	head := who + noteHead(i, n)
	if n.Topic == alert.TopicHidden {
		head += "\nFurther ones are only counted: `/notify silences` shows how many alerts it hides."
	}
	if text := clean(n.Text); visible(text) {
		head += "\n" + fit(text, maxText-1-utf8.RuneCountInString(head))
	}
	return Message{Text: head, Attachments: unnamed(n.By, n.To)}
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
	return []slack.Attachment{{
		Color: colourAcked, Fallback: "Who it is", Blocks: slack.Blocks{BlockSet: []slack.Block{small(line)}},
	}}
}

func noteText(s string) string {
	if s = strings.Trim(clean(s), "\n"); visible(s) {
		return s
	}
	return "(nothing to show)"
}

// noteHead is a note's first line, escaped.
func noteHead(i alert.Incident, n alert.Note) string {
	return noteSign(i, n) + " " + noteWords(i, n) + ": " + fit(literal(title(i.Title)), 1000)
}

func noteSign(i alert.Incident, n alert.Note) string {
	sign, known := map[alert.Topic]string{
		alert.TopicResolved: "✅", alert.TopicAcked: "✋", alert.TopicAssigned: "👤", alert.TopicNote: "💬",
		alert.TopicSilenced: "🔕", alert.TopicHidden: "🔕", alert.TopicUnsilenced: "🔔",
		alert.TopicUnanswered: "⏰", alert.TopicReminder: "⏰",
	}[n.Topic]
	if known {
		return sign
	}
	return severitySign(cmp.Or(n.Severity, i.Severity))
}

func noteWords(i alert.Incident, n alert.Note) string {
	switch n.Topic {
	case alert.TopicResolved:
		return resolvedWords(n)
	case alert.TopicReopened, alert.TopicRefired, alert.TopicEscalated:
		return firingWords(i, n)
	case alert.TopicAcked, alert.TopicAssigned, alert.TopicNote:
		return peopleWords(n)
	case alert.TopicSilenced, alert.TopicHidden, alert.TopicUnsilenced:
		return silenceWords(n)
	case alert.TopicUnanswered:
		return "*Nobody has acknowledged this*" + after(n, " for ")
	case alert.TopicReminder:
		if n.After <= 0 {
			return "*Still open*, acknowledged" + by(n.By, called)
		}
		return "*Still open*, " + span(n.After) + " after " + ackedBy(n.By)
	}
	return fit(literal(oneLine(string(n.Topic))), 100) + by(n.By, called)
}

func ackedBy(p alert.Person) string {
	if nobody(p) {
		return "it was acknowledged"
	}
	return called(p) + " acknowledged it"
}

func after(n alert.Note, word string) string {
	if n.After <= 0 {
		return ""
	}
	return word + span(n.After)
}

func resolvedWords(n alert.Note) string {
	words := "*Resolved*" + by(n.By, called) + after(n, " after ")
	if n.Count > 1 {
		words += ", fired " + times(n.Count)
	}
	return words
}

func firingWords(i alert.Incident, n alert.Note) string {
	switch n.Topic {
	case alert.TopicReopened:
		if n.After > 0 {
			return "*Firing again*, " + span(n.After) + " after it was resolved"
		}
		return "*Firing again*"
	case alert.TopicEscalated:
		return "*Now " + strings.ToLower(severityWord(cmp.Or(n.Severity, i.Severity))) + "*" + by(n.By, called)
	}
	if n.Count > 1 {
		return "*Fired again*, " + times(n.Count) + " so far"
	}
	return "*Fired again*"
}

func peopleWords(n alert.Note) string {
	switch {
	case n.Topic == alert.TopicNote:
		return "*Note*" + by(n.By, called)
	case n.Topic == alert.TopicAcked:
		return "*Acknowledged*" + by(n.By, called)
	case n.By.Is(n.To) || nobody(n.By):
		return "*" + sentence(called(n.To)) + " is working on this*"
	}
	return "*" + sentence(called(n.By)) + " assigned this to " + called(n.To) + "*"
}

func silenceWords(n alert.Note) string {
	if n.Topic == alert.TopicUnsilenced {
		return "*No longer silenced*, still open"
	}
	if n.Topic == alert.TopicHidden {
		return "*A silence hides a critical alert*" + until(n.At) + by(n.By, called)
	}
	return "*Silenced*" + until(n.At) + by(n.By, called)
}
