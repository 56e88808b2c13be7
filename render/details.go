package render

import (
	"strings"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// What Details shows at most.
const (
	maxDetailPages  = 3
	maxDetailLabels = 20 // lines; the rest is in one
	// maxDetailLinks are characters: those of all links of an alert.
	maxDetailLinks = alert.CardRoom + alert.MaxLinks*2*maxButton
)

// Details draws everything about an incident as a dialog without inputs: text,
// labels, links, where it is shown, its history, and a page of a group's members
// (alert.Group.Top).
func Details(i alert.Incident, history []alert.Event) Modal {
	blocks := []slack.Block{section(sign(i) + " " + bold(title(i.Headline()), 1000) + "\n" + strings.Join(append(handling(i, shown), facts(i, shown)...), dot))}
	blocks = append(blocks, detailText(i)...)
	blocks = append(blocks, detailMembers(i)...)
	blocks = append(blocks, detailLabels(i)...)
	links := newLines(maxDetailLinks)
	if links.addLinks("🔗 ", i.Links); len(links.all) > 0 {
		blocks = append(blocks, section(links.text()))
	}
	blocks = append(blocks, small(append(origin(i, ""), orDash(places(i)), "key "+quoted(orDash(i.Key)))...))
	if lines := historyText(history, shown, maxSection-1); lines != "" {
		blocks = append(blocks, slack.NewDividerBlock(), header("History"), section(lines))
	}
	return Modal{
		Type: slack.VTModal, CallbackID: "details", Title: plain("Details"), Close: plain("Close"),
		Blocks: slack.Blocks{BlockSet: blocks},
	}
}

func detailText(i alert.Incident) []slack.Block {
	var blocks []slack.Block
	for at, text := range alert.Pages(i.Text, maxDetailPages+1) {
		if at == maxDetailPages {
			return append(blocks, small("The rest of the text is in the thread of its card."))
		}
		draw := textBlocks
		if at > 0 {
			draw = moreText
		}
		blocks = append(blocks, draw(text, onView(i.Format))...)
	}
	return blocks
}

// onView is a text's format where Slack takes no Markdown.
func onView(f alert.Format) alert.Format {
	if f == alert.FormatMarkdown {
		return ""
	}
	return f
}

func detailLabels(i alert.Incident) []slack.Block {
	all := labelsOf(i)
	if len(i.Fields) > 0 {
		all = append(cardLabels(i), all...)
	}
	var lines []string
	for _, l := range all[:min(len(all), maxDetailLabels)] {
		lines = append(lines, bold(l.name, maxLabelName)+"  "+fit(l.value, maxLabelLink))
	}
	if rest := all[len(lines):]; len(rest) > 0 {
		lines = append(lines, pairs(rest, maxSection, 0))
	}
	if len(lines) == 0 {
		return nil
	}
	return []slack.Block{section(strings.Join(lines, "\n"))}
}
