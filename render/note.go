package render

import (
	"strings"
	"unicode/utf8"

	"tocsin/alert"
)

// Note draws what is said in the thread of an incident's card: more of its
// text, or that it is over, back, or worse.
func Note(i alert.Incident, n alert.Note) Message {
	if n.Topic == alert.TopicMore {
		return Message{Text: fit(noteText(n.Text), maxText)}
	}
	head := noteHead(i, n)
	if text := clean(n.Text); visible(text) {
		head += "\n" + fit(text, maxText-1-utf8.RuneCountInString(head))
	}
	return Message{Text: head}
}

func noteText(s string) string {
	if s = strings.Trim(clean(s), "\n"); visible(s) {
		return s
	}
	return "(nothing to show)"
}

// noteHead is a note's one line, escaped.
func noteHead(i alert.Incident, n alert.Note) string {
	about := ": " + fit(literal(title(i.Title)), 1000)
	switch n.Topic {
	case alert.TopicResolved:
		head := "✅ *Resolved*" + by(n.By)
		if n.After > 0 {
			head += " after " + span(n.After)
		}
		if n.Count > 1 {
			head += ", fired " + times(n.Count)
		}
		return head + about
	case alert.TopicReopened:
		head := severitySign(noteSeverity(i, n)) + " *Firing again*"
		if n.After > 0 {
			head += ", " + span(n.After) + " after it was resolved"
		}
		return head + about
	case alert.TopicEscalated:
		severity := noteSeverity(i, n)
		return severitySign(severity) + " *Now " + strings.ToLower(severityWord(severity)) + "*" + by(n.By) + about
	}
	return severitySign(noteSeverity(i, n)) + " " + fit(literal(oneLine(string(n.Topic))), 100) + by(n.By) + about
}

// noteSeverity is what the note says, or the incident's where it says nothing.
func noteSeverity(i alert.Incident, n alert.Note) alert.Severity {
	if n.Severity != "" {
		return n.Severity
	}
	return i.Severity
}
