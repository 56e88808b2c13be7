package render

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// ActionLink begins the action ids of buttons that only open an address. Slack
// reports a click on them too; nothing has to be done about it.
const ActionLink = "open_link"

// Card draws an incident as the one message that shows it: a headline, and
// under it, behind a bar in the colour of its severity (green once it is
// resolved), labels, the first page of its text (alert.Pages), links as
// buttons, and a line of facts. Its Text is PlainCard's, because that is all a
// screen reader gets. Lines of unescaped small print go under the headline.
func Card(i alert.Incident, aside ...string) Message {
	name := title(i.Title)
	headline := sign(i) + " " + name
	var blocks []slack.Block
	if alert.EscapedLen(headline) > maxHeader {
		blocks = append(blocks, slack.NewSectionBlock(plain(fit(name, maxSection)), nil, nil))
	}
	blocks = append(blocks, labelBlocks(i)...)
	blocks = append(blocks, textBlocks(i.Text)...)
	blocks = append(blocks, linkBlocks(i.Links)...)
	blocks = append(blocks, small(append(facts(i), origin(i)...)...))
	return Message{
		Text:   PlainCard(i, aside...).Text,
		Blocks: smallPrint(header(headline), aside),
		Attachments: []slack.Attachment{{
			Color:    colour(i),
			Fallback: fit(summary(i), maxFallback),
			Blocks:   slack.Blocks{BlockSet: blocks},
		}},
	}
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
	pages := alert.Pages(text)
	var blocks []slack.Block
	if first := strings.TrimRight(clean(pages[0]), " \t\n"); visible(first) {
		blocks = append(blocks, section(fit(first, maxSection)))
	}
	if len(pages) > 1 {
		blocks = append(blocks, small("The text goes on in the thread."))
	}
	return blocks
}

// linkBlocks draws links as buttons, two of one name as well. An address that
// is none of the web's is left out.
func linkBlocks(links []alert.Link) []slack.Block {
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
	if len(buttons) == 0 {
		return nil
	}
	return []slack.Block{slack.NewActionBlock("", buttons...)}
}

// facts is how an incident stands: state, count, when.
func facts(i alert.Incident) []string {
	var parts []string
	switch i.State {
	case alert.StateResolved:
		state := "*Resolved*"
		if !i.ResolvedAt.IsZero() && !i.FirstAt.IsZero() {
			state += " after " + span(i.ResolvedAt.Sub(i.FirstAt))
		}
		parts = append(parts, state, "was "+strings.ToLower(severityWord(i.Severity)))
	case alert.Acked:
		parts = append(parts, "*"+severityWord(i.Severity)+"*", "acknowledged"+by(i.AckedBy))
	default:
		parts = append(parts, "*"+severityWord(i.Severity)+"*", "open")
	}
	parts = append(parts, "fired "+times(i.Count))
	switch {
	case i.FirstAt.IsZero():
	case i.Count > 1 && i.LastAt.After(i.FirstAt):
		parts = append(parts, "first "+date(i.FirstAt), "last "+date(i.LastAt))
	default:
		parts = append(parts, "began "+date(i.FirstAt))
	}
	return parts
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

func by(p alert.Person) string {
	if person := literal(oneLine(cmp.Or(p.Name, p.ID))); visible(person) {
		return " by " + fit(person, 100)
	}
	return ""
}

func orDash(s string) string {
	if !visible(oneLine(s)) {
		return "–"
	}
	return s
}
