// Package render draws domain values as Block Kit: the card of an incident, the
// messages in its thread, the Home tab, the dialogs and the answers to people.
//
// It is pure: it does no I/O, reads no clock, and sends nothing. It escapes every
// text from outside, and no message or view exceeds a limit of Slack's
// (docs/slack.md §2.6), whatever it is given.
package render

import (
	"encoding/json"

	"github.com/slack-go/slack"
)

// Message is what a Slack message shows. Text is what notifications show and
// screen readers read; without Blocks and Attachments it is the whole message.
type Message struct {
	Text        string
	Blocks      []slack.Block
	Attachments []slack.Attachment
	// Passed are attachments as somebody else wrote them, in place of Attachments.
	Passed []json.RawMessage `json:",omitempty"`
	// Mrkdwn says that Text is mrkdwn. Otherwise it is shown as it is written.
	Mrkdwn bool `json:",omitempty"`
	// Waits is an error of the store because of which this is said, and need not be said if
	// it is tried again; nil otherwise.
	Waits error `json:"-"`
}

// HomeTab is a view of the Home tab, named here for packages that do not import
// slack-go.
type HomeTab = slack.HomeTabViewRequest

// Modal is the view of a dialog, named here for the same reason.
type Modal = slack.ModalViewRequest
