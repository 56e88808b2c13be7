package render

import (
	"github.com/slack-go/slack"

	"tocsin/alert"
)

// CallbackTest names the dialog that sends a test alert. Its inputs are the
// blocks InputChannel, InputSeverity and InputTitle, each with one element of
// the same action id.
const (
	CallbackTest  = "test_alert"
	InputChannel  = "channel"
	InputSeverity = "severity"
	InputTitle    = "title"
)

// MaxTestTitle is how long the title of a test alert may be.
const MaxTestTitle = 150

// TestModal draws the dialog that sends a test alert. defaultChannel is where
// it goes when no channel is named, for the hint.
func TestModal(defaultChannel string) Modal {
	return Modal{
		Type:       slack.VTModal,
		CallbackID: CallbackTest,
		Title:      plain("Send a test alert"),
		Submit:     plain("Send"),
		Close:      plain("Cancel"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			section("It takes the full path to Slack, and I tell you how long each step took."),
			channelInput(defaultChannel),
			severityInput(),
			titleInput(),
		}},
	}
}

func channelInput(defaultChannel string) slack.Block {
	hint := "Leave it empty for the default channel."
	if name := oneLine(defaultChannel); visible(name) && !slackID(name) {
		hint = "Leave it empty for " + fit(name, 100) + "."
	}
	element := slack.NewPlainTextInputBlockElement(plain("#ops, @ann or C0123ABCD"), InputChannel)
	return slack.NewInputBlock(InputChannel, plain("Channel"), plain(hint), element).WithOptional(true)
}

func severityInput() slack.Block {
	var options []*slack.OptionBlockObject
	for _, s := range alert.Severities() {
		options = append(options, slack.NewOptionBlockObject(string(s), plain(severitySign(s)+" "+severityWord(s)), nil))
	}
	element := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, nil, InputSeverity, options...)
	element.InitialOption = options[alert.Info.Rank()]
	return slack.NewInputBlock(InputSeverity, plain("Severity"), nil, element)
}

func titleInput() slack.Block {
	element := slack.NewPlainTextInputBlockElement(nil, InputTitle)
	element.InitialValue = "Test alert"
	return slack.NewInputBlock(InputTitle, plain("Title"), nil, element)
}
