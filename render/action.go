package render

import (
	"regexp"
	"strings"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// The action ids of what people click. A button's value is an incident's id; for
// ActionExpire it is a silence's id, for ActionPage the page to show. Slack wants
// the ids within one block to differ, so some continue after a colon: ActionOf
// returns the part before it.
const (
	ActionAck     = "ack"
	ActionResolve = "resolve"
	ActionSilence = "silence"
	ActionMore    = "more"
	ActionExpire  = "expire"
	ActionDrop    = "drop"
	ActionPage    = "page"
	// ActionChoose is the answer to a question, or undoes something; its value says what to
	// do. ActionMute is the same for a silence, and ActionCancel for nothing.
	ActionChoose = "choose"
	ActionMute   = "mute_matchers"
	ActionCancel = "cancel"
	// ActionAckAll and ActionSilenceAll are for a digest, whose id is their value.
	ActionAckAll     = "ack_all"
	ActionSilenceAll = "silence_all"
	// ActionMembers shows another page of a group's members. Its value is the incident's id
	// and, behind a blank, how many come before the page.
	ActionMembers = "members"
	// ActionLink is the id of buttons that only open an address. Slack reports
	// clicks on them too; there is nothing to do.
	ActionLink = "open_link"
)

// The prefixes of ActionMore's options; the incident's id follows.
const (
	MoreAssign  = "assign:"
	MoreNote    = "note:"
	MoreDetails = "details:"
	MoreMute    = "mute:"
	MoreCopy    = "copy:"
	MoreUnack   = "unack:"
	MoreReopen  = "reopen:"
)

// ActionOf returns which of the actions above an action id stands for.
func ActionOf(id string) string {
	action, _, _ := strings.Cut(id, ":")
	return action
}

var incidentID = regexp.MustCompile(`^[A-Za-z0-9-]{1,40}$`)

func incidentActions(i alert.Incident) []slack.Block { return actionRow(incidentElements(i, 0)) }

// incidentElements are the buttons of an incident, the most likely one first, and
// a menu with the rest. moreLinks is how many of its links are only in Details.
func incidentElements(i alert.Incident, moreLinks int) []slack.BlockElement {
	if !incidentID.MatchString(i.ID) {
		return nil
	}
	resolve, rest := valued(ActionResolve, "Resolve", i.ID), overflow(i, moreLinks)
	switch i.State {
	case alert.StateResolved:
		return []slack.BlockElement{rest}
	case alert.Acked:
		return []slack.BlockElement{resolve, valued(ActionSilence, "Silence…", i.ID), rest}
	}
	return []slack.BlockElement{primary(valued(ActionAck, "Acknowledge", i.ID)), resolve, valued(ActionSilence, "Silence…", i.ID), rest}
}

func overflow(i alert.Incident, moreLinks int) slack.BlockElement {
	about := "Details"
	if moreLinks > 0 {
		about += ", " + plural(moreLinks, "more link")
	}
	details, note, copied := option(MoreDetails+i.ID, about), option(MoreNote+i.ID, "Add a note…"), option(MoreCopy+i.ID, "Copy id "+i.ID)
	switch i.State {
	case alert.StateResolved:
		return slack.NewOverflowBlockElement(ActionMore, option(MoreReopen+i.ID, "Reopen"), details, note, copied)
	case alert.Acked:
		return slack.NewOverflowBlockElement(ActionMore, option(MoreUnack+i.ID, "Unacknowledge"), option(MoreAssign+i.ID, "Assign to…"), details, note, copied)
	}
	return slack.NewOverflowBlockElement(ActionMore, option(MoreAssign+i.ID, "Assign to…"), details, note, option(MoreMute+i.ID, "Mute this key 1 h"), copied)
}

// maxHere bounds what the buttons of a list say about it.
const maxHere = 300

// next is the button of an incident's most likely next action, or nil; here is a ListView's.
func next(i alert.Incident, here string) *slack.Accessory {
	if !incidentID.MatchString(i.ID) {
		return nil
	}
	b := valued(ActionAck, "Acknowledge", i.ID)
	switch i.State {
	case alert.StateResolved:
		return nil
	case alert.Acked:
		b = valued(ActionResolve, "Resolve", i.ID)
	}
	// With a longer one in each row, the blocks would be too large.
	if here != "" && len(here) <= maxHere {
		b.Value = i.ID + " " + here
	}
	return slack.NewAccessory(b)
}

// valued is a button for one incident or silence. Its accessibility label says
// which one, for readers who can't see where it is.
func valued(action, label, id string) *slack.ButtonBlockElement {
	b := button(action, label)
	b.Value, b.AccessibilityLabel = id, strings.TrimSuffix(label, "…")+" "+id
	return b
}

func primary(b *slack.ButtonBlockElement) *slack.ButtonBlockElement {
	b.Style = slack.StylePrimary
	return b
}
