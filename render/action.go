package render

import (
	"regexp"
	"strings"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// The action ids of what people click. The value of a button is an incident's
// id; that of ActionExpire is a silence's, that of ActionPage the page to show.
// Slack wants the ids within one block to differ, so some go on behind a colon:
// ActionOf brings them back to these.
const (
	ActionAck     = "ack"
	ActionResolve = "resolve"
	ActionSilence = "silence"
	ActionMore    = "more"
	ActionExpire  = "expire"
	ActionPage    = "page"
	// ActionLink is of buttons that only open an address. Slack reports a click
	// on them too; nothing has to be done about it.
	ActionLink = "open_link"
)

// What an option of ActionMore begins with; the incident's id follows.
const (
	MoreAssign  = "assign:"
	MoreNote    = "note:"
	MoreDetails = "details:"
	MoreMute    = "mute:"
	MoreCopy    = "copy:"
)

// ActionOf is which of the actions an action id says.
func ActionOf(id string) string {
	action, _, _ := strings.Cut(id, ":")
	return action
}

var incidentID = regexp.MustCompile(`^[A-Za-z0-9-]{1,40}$`)

// incidentActions is the row of buttons under an incident.
func incidentActions(i alert.Incident) []slack.Block { return actionRow(incidentElements(i)) }

// incidentElements is what can be done with an incident: what comes next first,
// and an overflow with the rest.
func incidentElements(i alert.Incident) []slack.BlockElement {
	if !incidentID.MatchString(i.ID) {
		return nil
	}
	var elements []slack.BlockElement
	switch i.State {
	case alert.StateResolved:
	case alert.Acked:
		elements = append(elements, primary(valued(ActionResolve, "Resolve", i.ID)), valued(ActionSilence, "Silence…", i.ID))
	default:
		elements = append(elements, primary(valued(ActionAck, "Acknowledge", i.ID)), valued(ActionResolve, "Resolve", i.ID), valued(ActionSilence, "Silence…", i.ID))
	}
	return append(elements, overflow(i))
}

func overflow(i alert.Incident) slack.BlockElement {
	option := func(what, label string) *slack.OptionBlockObject {
		return slack.NewOptionBlockObject(what+i.ID, plain(label), nil)
	}
	details, note, copied := option(MoreDetails, "Details"), option(MoreNote, "Add a note…"), option(MoreCopy, "Copy id "+i.ID)
	if i.State == alert.StateResolved {
		return slack.NewOverflowBlockElement(ActionMore, details, note, copied)
	}
	return slack.NewOverflowBlockElement(ActionMore, option(MoreAssign, "Assign to…"), details, note, option(MoreMute, "Mute this key 1 h"), copied)
}

// next is the button for what comes next for an incident, or nil.
func next(i alert.Incident) *slack.Accessory {
	if !incidentID.MatchString(i.ID) {
		return nil
	}
	switch i.State {
	case alert.StateResolved:
		return nil
	case alert.Acked:
		return slack.NewAccessory(valued(ActionResolve, "Resolve", i.ID))
	}
	return slack.NewAccessory(valued(ActionAck, "Acknowledge", i.ID))
}

// valued is a button for one incident or silence. It says for which to who can't
// see where it stands.
func valued(action, label, id string) *slack.ButtonBlockElement {
	b := button(action, label)
	b.Value, b.AccessibilityLabel = id, strings.TrimSuffix(label, "…")+" "+id
	return b
}

func primary(b *slack.ButtonBlockElement) *slack.ButtonBlockElement {
	b.Style = slack.StylePrimary
	return b
}
