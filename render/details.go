package render

import (
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// What Details shows at most.
const (
	maxDetailPages  = 3
	maxDetailLabels = 20 // fields; the rest is in lines
)

// Details draws everything about an incident as a dialog without inputs: text,
// labels, links, where it is shown, and its history.
func Details(i alert.Incident, history []alert.Event) Modal {
	blocks := []slack.Block{section(sign(i) + " " + bold(title(i.Title), 1000) + "\n" + strings.Join(append(facts(i), handling(i, shown)...), dot))}
	blocks = append(blocks, detailText(i)...)
	blocks = append(blocks, detailLabels(i)...)
	links := newLines(maxSection)
	if links.addLinks("🔗 ", i.Links); len(links.all) > 0 {
		blocks = append(blocks, section(links.text()))
	}
	blocks = append(blocks, small(append(origin(i), orDash(places(i)), "key "+quoted(orDash(i.Key)))...))
	if lines := historyText(history, shown, maxSection-1); lines != "" {
		blocks = append(blocks, slack.NewDividerBlock(), header("History"), unfolded(lines))
	}
	return Modal{
		Type: slack.VTModal, CallbackID: "details", Title: plain("Details"), Close: plain("Close"),
		Blocks: slack.Blocks{BlockSet: blocks},
	}
}

func detailText(i alert.Incident) []slack.Block {
	var blocks []slack.Block
	for at, text := range alert.Pages(i.Text) {
		if at == maxDetailPages {
			return append(blocks, small("The rest of the text is in the thread of its card."))
		}
		if text = page(text); visible(text) {
			blocks = append(blocks, unfolded(fit(text, maxSection)))
		}
	}
	return blocks
}

func detailLabels(i alert.Incident) []slack.Block {
	const perBlock = 10
	all := labelsOf(i)
	var blocks []slack.Block
	for part := range slices.Chunk(all[:min(len(all), maxDetailLabels)], perBlock) {
		blocks = append(blocks, labelFields(part, 500))
	}
	if rest := all[min(len(all), maxDetailLabels):]; len(rest) > 0 {
		blocks = append(blocks, section(pairs(rest, maxSection-len(" and 200 more labels"))))
	}
	return blocks
}
