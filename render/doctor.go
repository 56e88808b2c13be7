package render

import (
	"strings"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// Doctor lists what was found wrong, each with its remedy, and counts the rest.
func Doctor(found alert.Checkup) Message {
	var wrong []alert.Problem
	well, skipped := 0, 0
	for _, c := range found.Checks {
		switch c.Result {
		case alert.CheckOK:
			well++
		case alert.CheckSkipped:
			skipped++
		default:
			wrong = append(wrong, alert.Problem{What: strings.TrimSpace(c.Name+" "+c.About) + ": " + c.Found, Fix: c.Fix})
		}
	}
	verdict := "*Nothing is wrong.*"
	if len(wrong) > 0 {
		verdict = "*" + plural(len(wrong), "finding") + "*"
	}
	rest := plural(well, "check") + " found nothing"
	if skipped > 0 {
		rest += ", " + plural(skipped, "check") + " could not be made"
	}
	blocks := append([]slack.Block{section(verdict)}, problemBlocks(wrong, 20)...)
	l := newLines(maxText)
	l.add(verdict)
	for _, p := range wrong {
		l.add(problem(p))
	}
	return Message{Text: said(l.text()), Blocks: append(blocks, small(rest))}
}
