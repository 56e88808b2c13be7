package render

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// The dialogs, by callback id.
const (
	CallbackTest    = "test_alert"
	CallbackSilence = "silence"
	CallbackAssign  = "assign"
	CallbackNote    = "note"
	CallbackCopy    = "copy"
)

// The inputs of the dialogs: each is a block of this id with one element of
// the same action id.
const (
	InputMatchers = "matchers"
	InputDuration = "duration"
	InputUntil    = "until"
	InputBegins   = "begins"
	InputRepeat   = "repeat"
	InputReason   = "reason"
	InputPerson   = "person"
	InputText     = "text"
	InputChannel  = "channel"
	InputSeverity = "severity"
	InputTitle    = "title"
	InputID       = "id"
)

// DurationUntil is the option of InputDuration that says: until the time in
// InputUntil.
const DurationUntil = "until"

// The options of InputRepeat.
const (
	RepeatNever  = "never"
	RepeatDaily  = "daily"
	RepeatWeekly = "weekly"
)

// The most characters that a person may write in a dialog.
const (
	MaxMatchers = 3000
	MaxReason   = 300
	MaxNote     = 3000
	// MaxTestTitle is for the title of a test alert.
	MaxTestTitle = 150
)

// Durations are the other options of InputDuration, as alert.ParseDuration reads
// them.
func Durations() []string { return []string{"30m", "1h", "2h", "4h", "8h", "24h", "7d"} }

func durationWords(d string) string {
	return map[string]string{
		"30m": "30 minutes", "1h": "1 hour", "2h": "2 hours", "4h": "4 hours", "8h": "8 hours", "24h": "1 day", "7d": "1 week",
	}[d]
}

// SilenceView is what the dialog for a silence shows.
type SilenceView struct {
	// Matchers are what it begins with, at most MaxMatchers characters. Left is how many more
	// there are, for which it has no room.
	Matchers string
	Left     int
	// Matching is how many open incidents they match.
	Matching int
	// OfDigest is set for a silence of what a digest lists; Others is how many of the
	// matching incidents it does not list.
	OfDigest bool
	Others   int
	// Private comes back with the dialog, at most 3,000 characters.
	Private string
}

// SilenceModal draws the dialog for a silence. Enter in its matchers is reported
// as a click (InputMatchers as action id), so that the number can be updated.
func SilenceModal(v SilenceView) Modal {
	return dialog(CallbackSilence, "Silence alerts", "Silence", v.Private,
		section(matchingLine(v)+leftOut(v.Left)),
		matchersInput(v.Matchers),
		slack.NewInputBlock(InputBegins, plain("Begins"), plain("At once, if you leave it empty."), slack.NewDateTimePickerBlockElement(InputBegins)).WithOptional(true),
		durationInput(),
		slack.NewInputBlock(InputUntil, plain("Until"), plain("Only used if you chose “Until a time…” above."), slack.NewDateTimePickerBlockElement(InputUntil)).WithOptional(true),
		menu(InputRepeat, "Repeat", []*slack.OptionBlockObject{
			option(RepeatNever, "Never"), option(RepeatDaily, "Every day, at the same time"), option(RepeatWeekly, "Every week, on the same day"),
		}, 0),
		textInput(InputReason, "Reason", "Why, for anyone wondering where the alerts are", MaxReason, true),
		small("Matching alerts are kept, not lost. What is still open when the silence ends is shown then."),
	)
}

func matchingLine(v SilenceView) string {
	switch {
	case !visible(v.Matchers):
		return "These incidents have no label in common, and too many keys to list. Say which alerts to silence."
	case v.OfDigest && v.Others > 0:
		return fmt.Sprintf("This silences *%s*, *%d* of them not in this digest, and future alerts that match.", plural(v.Matching, "open incident"), v.Others)
	case v.OfDigest && v.Matching > 0:
		return fmt.Sprintf("This silences *%s*, all of them in this digest, and future alerts that match.", plural(v.Matching, "open incident"))
	case v.Matching == 0:
		return "No open incident matches now. Future alerts that match will be silenced."
	}
	return fmt.Sprintf("This silences *%s*, and future alerts that match.", plural(v.Matching, "open incident"))
}

// leftOut says how many matchers the dialog has no room for.
func leftOut(n int) string {
	if n == 0 {
		return ""
	}
	return "\n" + plural(n, "more condition") + " did not fit in; without them, this matches more."
}

func matchersInput(matchers string) slack.Block {
	element := slack.NewPlainTextInputBlockElement(plain(literal(`service="db", host=~"db-.*"`)), InputMatchers)
	element.MaxLength = MaxMatchers
	if visible(matchers) && utf8.RuneCountInString(matchers) <= MaxMatchers { // a matcher that is cut is another one
		element.InitialValue = clean(matchers)
	}
	element.DispatchActionConfig = &slack.DispatchActionConfig{TriggerActionsOn: []string{"on_enter_pressed"}}
	hint := plain(`All of them must match. You can use severity, source, key, title, channel and every label, with = != =~ !~. Press Enter to count again.`)
	block := slack.NewInputBlock(InputMatchers, plain("Which alerts"), hint, element)
	block.DispatchAction = true
	return block
}

func durationInput() slack.Block {
	var options []*slack.OptionBlockObject
	for _, d := range Durations() {
		options = append(options, option(d, durationWords(d)))
	}
	options = append(options, option(DurationUntil, "Until a time…"))
	return menu(InputDuration, "For how long", options, 1)
}

// AssignModal draws the dialog for assigning an incident to a person. private comes
// back with the dialog, at most 3,000 characters.
func AssignModal(i alert.Incident, private string) Modal {
	element := slack.NewOptionsSelectBlockElement(slack.OptTypeUser, plain("Choose a person"), InputPerson)
	return dialog(CallbackAssign, "Assign", "Assign", private,
		section(about(i)),
		slack.NewInputBlock(InputPerson, plain("Assign to"), plain("This also acknowledges it for them."), element),
		textInput(InputText, "Note", "What they should know", MaxNote, true),
	)
}

// NoteModal draws the dialog for a note in the thread of an incident; private is as
// in AssignModal.
func NoteModal(i alert.Incident, private string) Modal {
	return dialog(CallbackNote, "Add a note", "Add", private,
		section(about(i)),
		textInput(InputText, "Note", "What you found, or what you did", MaxNote, false),
		small("It goes into the thread of the card, with your name."),
	)
}

// CopyModal draws the dialog with an incident's id in a field, from which it can be
// copied. Submitting it does nothing, but Slack wants a button where there is a field.
func CopyModal(id string) Modal {
	id = strings.Map(func(r rune) rune { // it comes back from Slack, and ids have nothing else
		if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, id)
	element := slack.NewPlainTextInputBlockElement(nil, InputID)
	element.InitialValue, element.FocusOnLoad = fit(orDash(id), 100), true
	return dialog(CallbackCopy, "Copy id", "Done", "",
		slack.NewInputBlock(InputID, plain("Id of the incident"), nil, element).WithOptional(true),
		small("For example for `/notify show`, or for `tocsin show` in a shell."),
	)
}

// about is an incident in two lines, for the top of a dialog.
func about(i alert.Incident) string {
	parts := slices.Concat(handling(i, shown), facts(i, shown), []string{quoted(orDash(i.ID))})
	return sign(i) + " " + bold(title(i.Title), 300) + "\n" + strings.Join(parts, dot)
}

// TestModal draws the dialog that sends a test alert. defaultChannel is where
// it goes when no channel is named, for the hint.
func TestModal(defaultChannel string) Modal {
	hint := "Leave it empty for the default channel."
	if name := oneLine(defaultChannel); visible(name) && !slackID(name) {
		hint = "Leave it empty for " + fit(name, 100) + "."
	}
	channel := slack.NewPlainTextInputBlockElement(plain("#ops, @ann or C0123ABCD"), InputChannel)
	var options []*slack.OptionBlockObject
	for _, s := range alert.Severities() {
		options = append(options, option(string(s), severitySign(s)+" "+severityWord(s)))
	}
	name := slack.NewPlainTextInputBlockElement(nil, InputTitle)
	name.InitialValue = "Test alert"
	return dialog(CallbackTest, "Send a test alert", "Send", "",
		section("It takes the full path to Slack, and I tell you how long each step took."),
		slack.NewInputBlock(InputChannel, plain("Channel"), plain(hint), channel).WithOptional(true),
		menu(InputSeverity, "Severity", options, alert.Info.Rank()),
		slack.NewInputBlock(InputTitle, plain("Title"), nil, name),
	)
}

// menu is a choice of one of the options; chosen is the one it begins with.
func menu(id, label string, options []*slack.OptionBlockObject, chosen int) slack.Block {
	element := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, nil, id, options...)
	element.InitialOption = options[chosen]
	return slack.NewInputBlock(id, plain(label), nil, element)
}

func option(value, label string) *slack.OptionBlockObject {
	return slack.NewOptionBlockObject(value, plain(label), nil)
}

func textInput(id, label, placeholder string, most int, optional bool) slack.Block {
	element := slack.NewPlainTextInputBlockElement(plain(placeholder), id)
	element.Multiline, element.MaxLength = true, most
	return slack.NewInputBlock(id, plain(label), nil, element).WithOptional(optional)
}

// dialog is a view with a button that submits it.
func dialog(callback, name, submit, private string, blocks ...slack.Block) Modal {
	return Modal{
		Type: slack.VTModal, CallbackID: callback, PrivateMetadata: private,
		Title: plain(name), Submit: plain(submit), Close: plain("Cancel"),
		Blocks: slack.Blocks{BlockSet: blocks},
	}
}
