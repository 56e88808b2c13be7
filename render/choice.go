package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// ChoiceRows is how many incidents a question lists.
const ChoiceRows = 5

// ChoiceView asks which of several incidents are meant, and confirms that all are.
type ChoiceView struct {
	Verb alert.Verb
	// To is who they are assigned to.
	To alert.Person
	// Incidents are the first ChoiceRows; One are the values of their buttons, All that
	// of the button for all of them, empty for none, and Total how many these are.
	Incidents []alert.Incident
	One       []string
	All       string
	Total     int
}

// Choice draws the question, with a button for each incident and one for all.
func Choice(v ChoiceView) Message {
	question := choiceQuestion(v)
	blocks := []slack.Block{section("*" + question + "*")}
	l := newLines(maxText)
	l.add("*" + question + "*")
	for n, i := range v.Incidents {
		var b *slack.Accessory
		if n < len(v.One) && len(v.One[n]) <= maxValue {
			b = slack.NewAccessory(chosen(fmt.Sprintf("%s:%d", ActionChoose, n), verbButton(v.Verb), v.One[n]))
		}
		blocks = append(blocks, slack.NewSectionBlock(plain(rowTitle(i)), nil, b), small(rowFacts(i, called)...))
		l.add(strings.ReplaceAll(row(i, called), "\n", dot))
	}
	if more := v.Total - len(v.Incidents); more > 0 {
		line := "… and " + plural(more, "other")
		blocks = append(blocks, small(line))
		l.add(line)
	}
	return Message{Text: said(l.text()), Blocks: append(blocks, choiceButtons(v)...)}
}

func choiceQuestion(v ChoiceView) string {
	if v.Verb == "show" || v.All == "" {
		return "Which of these " + plural(v.Total, "incident") + "?"
	}
	question := verbButton(v.Verb) + " " + plural(v.Total, "incident")
	if v.Verb == alert.VerbNote {
		question = "Add the note to " + plural(v.Total, "incident")
	}
	if !nobody(v.To) {
		question += " to " + called(v.To)
	}
	return question + "?"
}

func choiceButtons(v ChoiceView) []slack.Block {
	var buttons []slack.BlockElement
	if v.Verb != "show" && v.All != "" && len(v.All) <= maxValue {
		all := chosen(ActionChoose+":all", fmt.Sprintf("%s all %d", verbButton(v.Verb), v.Total), v.All)
		if v.Verb != alert.VerbResolve { // it hides what may still be broken
			all = primary(all)
		}
		buttons = append(buttons, all)
	}
	return actionRow(append(buttons, button(ActionCancel, "Cancel")))
}

// maxValue is the most characters of a button's value (docs/slack.md §2.6).
const maxValue = 2000

func chosen(action, label, value string) *slack.ButtonBlockElement {
	b := button(action, label)
	b.Value = value
	return b
}

// verbButton is a verb on a button.
func verbButton(verb alert.Verb) string {
	switch verb {
	case alert.VerbAck:
		return "Acknowledge"
	case alert.VerbUnack:
		return "Unacknowledge"
	case alert.VerbResolve:
		return "Resolve"
	case alert.VerbReopen:
		return "Reopen"
	case alert.VerbAssign:
		return "Assign"
	case alert.VerbNote:
		return "Add note"
	}
	return "Show"
}

// WithUndo adds a button to an answer that undoes what it tells; value is as in Choice.
func WithUndo(m Message, value string) Message {
	if len(value) > maxValue {
		return m
	}
	if len(m.Blocks) == 0 {
		m.Blocks = []slack.Block{section(literal(m.Text))}
	}
	m.Blocks = append(m.Blocks, actionRow([]slack.BlockElement{chosen(ActionChoose+":undo", "Undo", value)})...)
	return m
}

// TooLateToUndo tells a person that an answer's button does not undo any more, and what
// does: verb, for these incidents.
func TooLateToUndo(verb alert.Verb, ids []string) Message {
	where := "in the menu of its card"
	if len(ids) > 1 {
		where = "in the menu of each card"
	}
	return Refused("The minute to undo this here is over: nothing was changed.",
		"Choose “"+verbButton(verb)+"” "+where+", or write `/notify "+string(verb)+" "+strings.Join(ids[:min(len(ids), 10)], " ")+"`.")
}

// Unchanged tells a person who has cancelled that nothing was done.
func Unchanged() Message { return answer("Nothing was changed.") }

// SilenceOption is one thing that words to silence may mean.
type SilenceOption struct {
	Matchers alert.Matchers
	// Matching is how many open incidents they match.
	Matching int
	// Value is that of its button.
	Value string
}

// SilenceChoiceView asks what to silence.
type SilenceChoiceView struct {
	Options []SilenceOption
	Until   time.Time
}

// SilenceChoice draws the question, with a button for each option.
func SilenceChoice(v SilenceChoiceView) Message {
	question := "*Silence what*" + until(v.Until) + "?"
	blocks := []slack.Block{section(question)}
	l := newLines(maxText)
	l.add(question)
	for n, o := range v.Options {
		line := matchers(o.Matchers, 1000) + dot + matchedBy(o)
		var b *slack.Accessory
		if len(o.Value) <= maxValue {
			b = slack.NewAccessory(chosen(fmt.Sprintf("%s:%d", ActionMute, n), "Silence", o.Value))
		}
		blocks = append(blocks, slack.NewSectionBlock(plain(line), nil, b))
		l.add("• " + line)
	}
	return Message{Text: said(l.text()), Blocks: append(blocks, actionRow([]slack.BlockElement{button(ActionCancel, "Cancel")})...)}
}

func matchedBy(o SilenceOption) string {
	return plural(o.Matching, "open incident")
}
