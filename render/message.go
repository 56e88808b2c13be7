// Package render draws domain values as Block Kit: the card of an incident,
// what is said in its thread, the App Home, the dialogs and the answers to
// people.
//
// It is pure: it refuses to do I/O, to read a clock, and to send anything. Every
// text from outside is escaped, and no view is over a limit of Slack's
// (slack-facts §2.6), whatever it is given.
package render

import "github.com/slack-go/slack"

// Message is what a Slack message shows. Text is what notifications and screen
// readers say; it is the whole message when there are no Blocks and no
// Attachments.
type Message struct {
	Text        string
	Blocks      []slack.Block
	Attachments []slack.Attachment
}

// Options says the message to slack-go, for a post as well as for an edit:
// blocks and attachments of an earlier version are cleared when this one has
// none. Names, links and channels in the text are not turned into mentions, and
// no link is unfurled.
func (m Message) Options() []slack.MsgOption {
	attachments := m.Attachments
	if attachments == nil {
		attachments = []slack.Attachment{}
	}
	return []slack.MsgOption{
		slack.MsgOptionText(m.Text, false),
		slack.MsgOptionBlocks(m.Blocks...),
		slack.MsgOptionAttachments(attachments...),
		slack.MsgOptionParse(false),
		slack.MsgOptionDisableLinkUnfurl(),
		slack.MsgOptionDisableMediaUnfurl(),
	}
}

// HomeTab is Slack's view in the App Home, by a name that packages which know
// no Slack library can use.
type HomeTab = slack.HomeTabViewRequest

// Modal is Slack's view in a dialog, named here for the same reason.
type Modal = slack.ModalViewRequest
