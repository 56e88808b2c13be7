package render

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// Card draws an incident as the one message that shows it in lane. Above are the
// headline and whom it pings (alert.Incident.Mentions); behind a bar in the
// colour of its severity and state are text (the first page, alert.Pages),
// labels, who is at it, buttons, links, and a line of facts. Its Text is
// PlainCard's, because that is all a screen reader gets. Lines of unescaped small
// print go under the headline.
//
// The buttons are among the first five blocks behind the bar, for Slack may hide
// what comes later behind "Show more".
func Card(i alert.Incident, lane string, aside ...string) Message {
	name := title(i.Title)
	headline := sign(i) + " " + name
	top := smallPrint(header(headline), aside)
	if who := ping(i.Mentions[lane]); who != "" {
		top = append(top, section(who))
	}
	return Message{
		Text:   PlainCard(i, lane, aside...).Text,
		Blocks: top,
		Attachments: []slack.Attachment{{
			Color:    colour(i),
			Fallback: fit(summary(i), maxFallback),
			Blocks:   slack.Blocks{BlockSet: cardBody(i, headline)},
		}},
	}
}

func cardBody(i alert.Incident, headline string) []slack.Block {
	var blocks []slack.Block
	if alert.EscapedLen(headline) > maxHeader {
		blocks = append(blocks, slack.NewSectionBlock(plain(fit(title(i.Title), maxSection)), nil, nil))
	}
	blocks = append(blocks, textBlocks(i.Text)...)
	blocks = append(blocks, labelBlocks(i)...)
	if status := standing(i, shown); len(status) > 0 {
		blocks = append(blocks, small(status...))
	}
	blocks = append(blocks, cardActions(i)...)
	if more := moreLine(i); more != "" {
		blocks = append(blocks, small(more))
	}
	return append(blocks, small(append(facts(i), origin(i)...)...))
}

// moreLine says what of an incident is not on its card.
func moreLine(i alert.Incident) string {
	var parts []string
	if all := labelsOf(i); len(all) > maxLabelFields {
		parts = append(parts, pairs(all[maxLabelFields:], maxMoreLabels))
	}
	if len(alert.Pages(i.Text)) > 1 {
		parts = append(parts, "The text goes on in the thread.")
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
	first := strings.TrimRight(clean(alert.Pages(text)[0]), " \t\n")
	if !visible(first) {
		return nil
	}
	return []slack.Block{section(fit(first, maxSection))}
}

// cardActions are the buttons of a card: what can be done, and where to go for
// more. They share a row once there is next to nothing left to do.
func cardActions(i alert.Incident) []slack.Block {
	actions, links := incidentElements(i), linkButtons(i.Links)
	if i.State == alert.StateResolved {
		links = links[:min(len(links), maxActions-len(actions))]
		return actionRow(append(links, actions...))
	}
	return append(actionRow(actions), actionRow(links)...)
}

func actionRow(elements []slack.BlockElement) []slack.Block {
	if len(elements) == 0 {
		return nil
	}
	return []slack.Block{slack.NewActionBlock("", elements...)}
}

// linkButtons draws links as buttons, two of one name as well. An address that
// is none of the web's is left out.
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

// facts is how an incident stands: severity, state, count, when.
func facts(i alert.Incident) []string {
	var parts []string
	switch i.State {
	case alert.StateResolved:
		if i.Count == 0 {
			return []string{"*Resolved*", fired(0)}
		}
		state := "*Resolved*"
		if !i.ResolvedAt.IsZero() && !i.FirstAt.IsZero() {
			state += " after " + span(i.ResolvedAt.Sub(i.FirstAt))
		}
		parts = append(parts, state, "was "+strings.ToLower(severityWord(i.Severity)))
	case alert.Acked:
		// Who acknowledged it is said by standing.
		parts = append(parts, "*"+severityWord(i.Severity)+"*")
	default:
		parts = append(parts, "*"+severityWord(i.Severity)+"*", "open")
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

// standing is what people have done about an incident: who is at it, who closed
// it, and how long it is kept quiet.
func standing(i alert.Incident, who func(alert.Person) string) []string {
	var parts []string
	switch {
	case i.State == alert.StateResolved && !nobody(i.ResolvedBy):
		parts = append(parts, "✅ Resolved by "+who(i.ResolvedBy))
	case i.State == alert.Acked:
		line := "✋ Acknowledged" + by(i.AckedBy, who)
		if !i.AckedAt.IsZero() {
			line += " " + date(i.AckedAt)
		}
		parts = append(parts, line)
	}
	if i.State != alert.StateResolved && !nobody(i.Assignee) && !i.Assignee.Is(i.AckedBy) {
		parts = append(parts, "👤 Assigned to "+who(i.Assignee))
	}
	if i.State != alert.StateResolved && i.Silence != "" {
		parts = append(parts, quiet(i))
	}
	return parts
}

func quiet(i alert.Incident) string {
	line := "🔕 Quiet"
	if !i.SilencedUntil.IsZero() {
		line += " until " + date(i.SilencedUntil)
	}
	return line + " by silence " + quoted(i.Silence)
}

// origin is where an incident comes from, whom it is for, and its name.
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
