package render

import "tocsin/alert"

// Card draws an incident as the one message that shows it: a headline, and
// under it, behind a bar in the colour of its severity (green once it is
// resolved), labels, the first page of its text (alert.Pages), links as
// buttons, and a line of facts.
func Card(i alert.Incident) Message {
	return Message{Text: i.Title}
}

// PlainCard draws an incident as escaped text of at most 4,000 characters
// without blocks, for when Slack has refused the card.
func PlainCard(i alert.Incident) Message {
	return Message{Text: i.Title}
}

// Note draws what is said in the thread of an incident's card.
func Note(i alert.Incident, n alert.Note) Message {
	return Message{Text: n.Text}
}
