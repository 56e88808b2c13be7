package render

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// Card draws an incident as the one message that shows it in lane. At the top are
// the headline and whom it pings (alert.Incident.Mentions). Below, beside a bar in
// the colour of its severity and state, are text (the first page, alert.Pages),
// labels, buttons, links, and a line with who is working on it and facts. Its Text is
// PlainCard's, because that is all a screen reader gets. Lines of small print go under
// the headline.
//
// The buttons are among the first five blocks beside the bar, because Slack may
// hide later ones until "Show more" is clicked.
//
// An incident with a Message is drawn as that.
func Card(i alert.Incident, lane string, aside ...string) Message {
	if i.Message != nil {
		return passed(i, aside)
	}
	head := top(directed(sign(i)+" "+title(i.Headline())), aside, i.Mentions[lane])
	if i.Format == alert.FormatMarkdown {
		head = append(head, textBlocks(alert.Pages(i.Text, 1)[0], i.Format)...)
	}
	return Message{
		Text:        PlainCard(i, lane, aside...).Text,
		Blocks:      head,
		Attachments: barred(colour(i), summary(i), cardBody(i, lane)...),
	}
}

func cardBody(i alert.Incident, lane string) []slack.Block {
	var blocks []slack.Block
	left := maxBlocks
	if name := title(i.Headline()); alert.EscapedLen(name) > maxHeader-len("🔴 ") {
		name = shorter(name, alert.MaxTitle)
		left -= alert.EscapedLen(name)
		blocks = append(blocks, section(literal(directed(name))))
	}
	pages := alert.Pages(i.Text, 2)
	left -= alert.EscapedLen(pages[0])
	if i.Format != alert.FormatMarkdown {
		blocks = append(blocks, textBlocks(pages[0], i.Format)...)
	}
	if members := topMembers(i, min(left, maxCardMembers)); members != "" {
		left -= size(members)
		blocks = append(blocks, section(members))
	}
	labels := labelBlocks(cardLabels(i))
	blocks = append(blocks, labels...)
	left -= maxCardRest
	images, left := imageBlocks(i.Images, left)
	blocks = append(blocks, cardActions(i, left)...)
	blocks = append(blocks, images...)
	state := slices.Concat(handling(i, shown), facts(i, shown), origin(i, lane))
	switch {
	case len(pages) > 1 && i.Group != nil && i.Group.Plain != nil: // the thread has what it said at first
		state = append(state, "the text continues in Details")
	case len(pages) > 1:
		state = append(state, "the text continues in the thread")
	}
	return append(blocks, small(state...))
}

// maxCardRest bounds what a card has in addition to its title, text and links: labels,
// small print, mentions, buttons and facts.
const maxCardRest = maxBlocks - alert.CardRoom

// summary is an incident in one line of unescaped text: sign, severity, title.
func summary(i alert.Incident) string {
	word := string(i.Severity)
	if i.State == alert.StateResolved {
		word = "Resolved"
	} else if word != "" {
		word = strings.ToUpper(word[:1]) + word[1:]
	}
	return fmt.Sprintf("%s %s: %s", sign(i), word, title(i.Headline()))
}

// textBlocks draws a page of text in its format. Without one it is as it is written, with
// web addresses as links and fenced blocks as code.
func textBlocks(text string, format alert.Format) []slack.Block { return pageBlocks(text, format, 0) }

// pageBlocks is textBlocks for a page of which so many bytes continue an address.
func pageBlocks(text string, format alert.Format, within int) []slack.Block {
	if !visible(page(text)) {
		return nil
	}
	switch format {
	case alert.FormatMarkdown:
		return markdownBlocks(partsAsCode(page(text), within))
	case alert.FormatMrkdwn:
		return []slack.Block{slack.NewSectionBlock(markdown(inMrkdwn(shorter(page(text), maxSection), within)), nil, nil, slack.SectionBlockOptionExpand(true))}
	}
	if elements := passages(text); len(elements) > 0 {
		return []slack.Block{slack.NewRichTextBlock("", elements...)}
	}
	return nil
}

// moreText is textBlocks for a page that is not the first. It may begin within an address
// that is longer than a page, and what looks like another in that leads elsewhere.
func moreText(text string, format alert.Format) []slack.Block {
	blocks := pageBlocks(text, format, continued(page(text)))
	if format != "" || len(blocks) == 0 {
		return blocks
	}
	row, ok := blocks[0].(*slack.RichTextBlock).Elements[0].(*slack.RichTextSection)
	if !ok || len(row.Elements) < 2 {
		return blocks
	}
	first, ok := row.Elements[0].(*slack.RichTextSectionTextElement)
	inside, linked := row.Elements[1].(*slack.RichTextSectionLinkElement)
	if ok && linked && !strings.ContainsFunc(first.Text, unicode.IsSpace) {
		row.Elements[1] = slack.NewRichTextSectionTextElement(inside.URL, inside.Style)
	}
	return blocks
}

func passages(text string) []slack.RichTextElement {
	var all []slack.RichTextElement
	for n, p := range alert.Passages(clean(text)) {
		s := strings.TrimRight(p.Text, " \t\n")
		if n > 0 && !p.Code { // Slack leaves a space below a block of code
			s = strings.TrimPrefix(s, "\n")
		}
		switch {
		case !visible(s):
		case p.Code:
			all = append(all, preformatted(s))
		default:
			all = append(all, slack.NewRichTextSection(inline(outsideBegin+s+outsideEnd)...))
		}
	}
	return all
}

// page is one of alert.Pages without blank lines at its end.
func page(text string) string { return strings.TrimRight(clean(text), " \t\n") }

// cardLinks is how many links a card has as buttons. The menu has no room for the others:
// Slack takes five options, and all of them are taken.
const cardLinks = 2

// cardActions are the buttons of a card: actions, and links with at most so many
// characters. All links are in Details, whose entry in the menu counts the others.
func cardActions(i alert.Incident, budget int) []slack.Block {
	links, more := linkButtons(i.Links, budget)
	actions := incidentElements(i, more)
	if i.State == alert.StateResolved {
		return actionRow(append(links, actions...))
	}
	return actionRow(append(actions, links...))
}

// imageBlocks draws the images that Slack can fetch with at most so many characters, and returns how many are
// left. Slack fetches images itself, and refuses a message with one that it can't have.
func imageBlocks(images []alert.Image, budget int) (blocks []slack.Block, left int) {
	for _, i := range images {
		address, ok := webAddress(i.URL)
		alt := said(fit(orDash(oneLine(i.Alt)), maxImageAlt))
		size := utf8.RuneCountInString(address + alt)
		if ok && !i.Fetch && len(blocks) < alert.MaxImages && size <= budget {
			budget -= size
			blocks = append(blocks, slack.NewImageBlock(address, alt, "", nil))
		}
	}
	return blocks, budget
}

// maxImageAlt is how much of what an image shows is told to those who can't see it.
const maxImageAlt = 200

func actionRow(elements []slack.BlockElement) []slack.Block {
	if len(elements) == 0 {
		return nil
	}
	return []slack.Block{slack.NewActionBlock("", elements...)}
}

// linkButtons draws the first links as buttons, also two with one name, and returns how many
// more there are. Addresses other than http and https are left out.
func linkButtons(links []alert.Link, budget int) (buttons []slack.BlockElement, more int) {
	for _, l := range links {
		address, ok := webAddress(l.URL)
		size := utf8.RuneCountInString(address)
		switch n := len(buttons); {
		case !ok:
		case n == cardLinks || size > budget:
			more++
		default:
			b := button(fmt.Sprintf("%s:%d", ActionLink, n), linkLabel(l))
			b.URL = address
			buttons = append(buttons, b)
			budget -= size
		}
	}
	return buttons, more
}

// facts are how many members of a group fire if its headline does not say that, how an
// incident ended, how often it fired, and when.
func facts(i alert.Incident, who func(alert.Person) string) []string {
	var parts []string
	if i.Group != nil && i.Group.Total > 1 && i.Titled() {
		parts = append(parts, i.MemberCounts())
	}
	if i.State == alert.StateResolved {
		parts = append(parts, ending(i, who))
		if i.Count == 0 {
			return append(parts, "never seen firing")
		}
		parts = append(parts, "was "+strings.ToLower(severityWord(i.Severity)))
	}
	if i.Count > 1 {
		parts = append(parts, "fired "+times(i.Count))
	}
	switch {
	case i.FirstAt.IsZero():
	case i.Count > 1 && minutes(i.LastBegan()).After(minutes(i.Began())):
		parts = append(parts, "first "+date(i.Began()), "last "+date(i.LastBegan()))
	default:
		parts = append(parts, "began "+date(i.Began()))
	}
	return append(parts, moreTimes(i)...)
}

// ending is how an incident ended: by whom, and after how long.
func ending(i alert.Incident, who func(alert.Person) string) string {
	words := "*" + resolvedWord(i.Expired) + "*" + by(i.ResolvedBy, who)
	if !i.ResolvedAt.IsZero() && !i.FirstAt.IsZero() && i.Count != 0 {
		words += " after " + span(i.Lasted())
	}
	return words
}

// minutes is a time as people see it.
func minutes(t time.Time) time.Time { return t.Truncate(time.Minute) }

// handling is what people have done about an open incident: who acknowledged it, who it
// is assigned to, and what hides it.
func handling(i alert.Incident, who func(alert.Person) string) []string {
	var parts []string
	if i.State == alert.Acked {
		acked := "✋ Acknowledged" + by(i.AckedBy, who)
		if !minutes(i.AckedAt).Equal(minutes(i.FirstAt)) {
			acked += when(i.AckedAt)
		}
		parts = append(parts, acked)
	}
	if i.State != alert.StateResolved && !nobody(i.Assignee) && !i.Assignee.Is(i.AckedBy) {
		parts = append(parts, "👤 Assigned to "+who(i.Assignee))
	}
	if i.State != alert.StateResolved && i.Hidden() {
		parts = append(parts, silenced(i))
	}
	return parts
}

// silenced says what hides an incident.
func silenced(i alert.Incident) string {
	if i.InhibitedBy != "" {
		return "🔕 Inhibited by " + quoted(i.InhibitedBy)
	}
	return "🔕 Silenced" + until(i.SilencedUntil) + " (" + quoted(i.Silence) + ")"
}

// origin is an incident's id, where it comes from, with which token, and whom its sender wanted to ping if
// its card in lane pings nobody.
func origin(i alert.Incident, lane string) []string {
	parts := []string{quoted(orDash(i.ID))}
	if source := oneLine(i.Source); visible(source) {
		parts = append(parts, "from "+fit(source, 100))
	}
	if token := oneLine(i.TokenName); visible(token) {
		parts = append(parts, "via "+fit(token, 100))
	}
	if mention := oneLine(i.Mention); visible(mention) && ping(i.Mentions[lane]) == "" {
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
