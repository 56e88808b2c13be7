package render

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// Card draws an incident as the one message that shows it in lane. At the top are
// the headline and whom it pings (alert.Incident.Mentions). Below, beside a bar in
// the colour of its severity and state, are text (the first page, alert.Pages),
// labels, who is working on it, buttons, links, and a line of facts. Its Text is
// PlainCard's, because that is all a screen reader gets. Lines of unescaped small
// print go under the headline.
//
// The buttons are among the first five blocks beside the bar, because Slack may
// hide later ones until "Show more" is clicked.
func Card(i alert.Incident, lane string, aside ...string) Message {
	headline := sign(i) + " " + title(i.Title)
	return Message{
		Text:        PlainCard(i, lane, aside...).Text,
		Blocks:      top(headline, aside, i.Mentions[lane]),
		Attachments: barred(colour(i), summary(i), cardBody(i, headline)...),
	}
}

func cardBody(i alert.Incident, headline string) []slack.Block {
	var blocks []slack.Block
	if alert.EscapedLen(headline) > maxHeader {
		blocks = append(blocks, slack.NewSectionBlock(plain(fit(title(i.Title), maxSection)), nil, nil))
	}
	blocks = append(blocks, textBlocks(i.Text)...)
	blocks = append(blocks, labelBlocks(i)...)
	if status := handling(i, shown); len(status) > 0 {
		blocks = append(blocks, small(status...))
	}
	blocks = append(blocks, cardActions(i)...)
	blocks = append(blocks, imageBlocks(i.Images)...)
	if more := moreLine(i); more != "" {
		blocks = append(blocks, small(more))
	}
	return append(blocks, small(append(facts(i), origin(i)...)...))
}

func moreLine(i alert.Incident) string {
	var parts []string
	if all := labelsOf(i); len(all) > maxLabelFields {
		parts = append(parts, pairs(all[maxLabelFields:], maxMoreLabels))
	}
	if len(alert.Pages(i.Text)) > 1 {
		parts = append(parts, "The text continues in the thread.")
	}
	return strings.Join(parts, "\n")
}

// summary is an incident in one line of unescaped text: sign, severity, title.
func summary(i alert.Incident) string {
	word := string(i.Severity)
	if i.State == alert.StateResolved {
		word = "Resolved"
	} else if word != "" {
		word = strings.ToUpper(word[:1]) + word[1:]
	}
	return fmt.Sprintf("%s %s: %s", sign(i), word, title(i.Title))
}

func textBlocks(text string) []slack.Block {
	first := page(alert.Pages(text)[0])
	if !visible(first) {
		return nil
	}
	return []slack.Block{section(fit(first, maxSection))}
}

// page is one of alert.Pages without blank lines at its end.
func page(text string) string { return strings.TrimRight(clean(text), " \t\n") }

// cardActions are the buttons of a card: actions, and links. They share a row
// once the incident is resolved.
func cardActions(i alert.Incident) []slack.Block {
	actions, links := incidentElements(i), linkButtons(i.Links)
	if i.State == alert.StateResolved {
		links = links[:min(len(links), maxActions-len(actions))]
		return actionRow(append(links, actions...))
	}
	return append(actionRow(actions), actionRow(links)...)
}

// imageBlocks draws images. Slack fetches them itself, and refuses a message with one that
// it can't have.
func imageBlocks(images []alert.Image) []slack.Block {
	var blocks []slack.Block
	for _, i := range images {
		if address, ok := webAddress(i.URL); ok && len(blocks) < alert.MaxImages {
			blocks = append(blocks, slack.NewImageBlock(address, fit(orDash(oneLine(i.Alt)), maxAlt), "", nil))
		}
	}
	return blocks
}

func actionRow(elements []slack.BlockElement) []slack.Block {
	if len(elements) == 0 {
		return nil
	}
	return []slack.Block{slack.NewActionBlock("", elements...)}
}

// linkButtons draws links as buttons, also two with one name. Addresses other
// than http and https are left out.
func linkButtons(links []alert.Link) []slack.BlockElement {
	var buttons []slack.BlockElement
	for _, l := range links {
		if len(buttons) == maxActions {
			break
		}
		address, ok := webAddress(l.URL)
		if !ok {
			continue
		}
		b := button(fmt.Sprintf("%s:%d", ActionLink, len(buttons)), linkLabel(l))
		b.URL = address
		buttons = append(buttons, b)
	}
	return buttons
}

func facts(i alert.Incident) []string {
	parts := []string{"*" + severityWord(i.Severity) + "*", "open"}
	switch {
	case i.State == alert.StateResolved && i.Count == 0:
		return []string{"*Resolved*", fired(0)}
	case i.State == alert.StateResolved:
		parts = []string{"*Resolved*", "was " + strings.ToLower(severityWord(i.Severity))}
		if !i.ResolvedAt.IsZero() && !i.FirstAt.IsZero() {
			parts[0] += " after " + span(i.ResolvedAt.Sub(i.FirstAt))
		}
	case i.State == alert.Acked:
		parts = parts[:1] // handling says who acknowledged it
	}
	parts = append(parts, fired(i.Count))
	switch {
	case i.FirstAt.IsZero():
	case i.Count > 1 && i.LastAt.After(i.FirstAt):
		parts = append(parts, "first "+date(i.FirstAt), "last "+date(i.LastAt))
	default:
		parts = append(parts, "began "+date(i.FirstAt))
	}
	return parts
}

// handling is what people have done about an incident: who acknowledged or
// resolved it, who it is assigned to, and how long it is silenced.
func handling(i alert.Incident, who func(alert.Person) string) []string {
	var parts []string
	switch {
	case i.State == alert.StateResolved && !nobody(i.ResolvedBy):
		parts = append(parts, "✅ Resolved by "+who(i.ResolvedBy))
	case i.State == alert.Acked:
		parts = append(parts, "✋ Acknowledged"+by(i.AckedBy, who)+when(i.AckedAt))
	}
	if i.State != alert.StateResolved && !nobody(i.Assignee) && !i.Assignee.Is(i.AckedBy) {
		parts = append(parts, "👤 Assigned to "+who(i.Assignee))
	}
	if i.State != alert.StateResolved && i.Silence != "" {
		parts = append(parts, silenced(i))
	}
	return parts
}

func silenced(i alert.Incident) string {
	return "🔕 Silenced" + until(i.SilencedUntil) + " (" + quoted(i.Silence) + ")"
}

// origin is an incident's id, where it comes from, and whom it concerns.
func origin(i alert.Incident) []string {
	parts := []string{quoted(orDash(i.ID))}
	if source := literal(oneLine(i.Source)); visible(source) {
		parts = append(parts, "from "+fit(source, 100))
	}
	if mention := literal(oneLine(i.Mention)); visible(mention) {
		parts = append(parts, "for "+fit(mention, 100))
	}
	return parts
}

func orDash(s string) string {
	if !visible(oneLine(s)) {
		return "–"
	}
	return s
}
