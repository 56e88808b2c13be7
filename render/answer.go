package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// Shell says how to push an alert from the daemon's own machine.
type Shell struct {
	// Server is the address of the HTTP API, http://127.0.0.1:8126, or empty when
	// there is only the Unix socket.
	Server string
	// Token says that the address asks for a bearer token.
	Token bool
}

// example is a block of code with a line for each way.
func (s Shell) example() string {
	lines := []string{`tocsin send --severity error "disk full on db-3"`}
	if server := strings.TrimRight(oneLine(s.Server), "/"); server != "" {
		auth := ""
		if s.Token {
			auth = `-H "Authorization: Bearer $TOCSIN_API_TOKEN" `
		}
		lines = append(lines, fmt.Sprintf("curl %s-d 'disk full on db-3' %s/v1/alerts", auth, server))
	}
	return code(lines...)
}

// StatusView is what status says.
type StatusView struct {
	Open    []alert.Incident
	More    bool
	Health  alert.Health
	Total   alert.Counts
	Version string
}

// Status says how delivery does, what is open, and where all alerts stand.
func Status(v StatusView) Message {
	fields := append(deliveryFields(v.Health), "*Open*\n"+tally(v.Open, v.More), "*Alerts so far*\n"+counts(v.Total))
	blocks := []slack.Block{section(verdict(v.Health)), fieldset(fields...)}
	blocks = append(blocks, problemBlocks(worries(v.Health), 10)...)
	blocks = append(blocks, small("Tocsin "+fit(literal(oneLine(v.Version)), 60)))
	lines := []string{verdict(v.Health)}
	for _, f := range fields {
		lines = append(lines, strings.Replace(f, "\n", ": ", 1))
	}
	return Message{Text: bounded(lines), Blocks: blocks}
}

// bounded joins lines and drops those at the end that a message can't hold.
func bounded(all []string) string {
	l := newLines(maxText)
	for _, line := range all {
		l.add(line)
	}
	return strings.Join(l.all, "\n")
}

func verdict(h alert.Health) string {
	switch {
	case oneLine(h.Held) != "":
		return "*Alerts are accepted and kept, but nothing is sent at the moment.*"
	case len(h.Problems) > 0:
		return "*I am at work, but something needs a person.*"
	case h.Connections == 0:
		return "*Alerts are sent, but I can't hear anybody in Slack.*"
	case len(worries(h)) > 0:
		return "*Alerts are sent, but not everything where it was meant to be.*"
	case h.DeadLetters > 0:
		return "*Alerts are sent, but some could not be delivered.*"
	}
	return "*All is well.*"
}

// counts is the ledger in words; accepted is the sum of the rest.
func counts(c alert.Counts) string {
	parts := []string{fmt.Sprintf("%d accepted", c.Accepted)}
	for _, p := range []struct {
		n    int64
		word string
	}{{c.Pending, "pending"}, {c.Delivered, "delivered"}, {c.Folded, "folded"}, {c.Silenced, "silenced"}, {c.Dead, "dead"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	return strings.Join(parts, ", ")
}

// TestReport is what became of an alert that a person sent.
type TestReport struct {
	// What it is called; empty means "test alert".
	What string
	// Record is the alert as it stands.
	Record alert.Record
	// Asked is when the person asked for it, Kept when it was safe on disk.
	Asked, Kept time.Time
	// Permalink leads to the card, or is empty.
	Permalink string
	// Health explains why it still waits, if it does.
	Health alert.Health
}

// TestResult tells a person where their test alert is and how long each leg of
// its way took.
func TestResult(r TestReport) Message {
	head := testHead(r)
	m := answer(head...)
	if legs := legs(r); len(legs) > 0 {
		m.Text += "\n" + strings.Join(legs, ", ")
		m.Blocks = append(m.Blocks, small(legs...))
	}
	return m
}

func testHead(r TestReport) []string {
	where := r.Record.Conversation
	if where == "" {
		where = r.Record.Lane
	}
	what := "Your " + cmp.Or(r.What, "test alert")
	reason := fit(literal(oneLine(r.Record.Reason)), 500)
	switch r.Record.Standing {
	case alert.StandDelivered, alert.StandFolded:
		line := "✅ " + what + " is in " + place(where) + "."
		if address, ok := ownAddress(r.Permalink); ok {
			line += " " + linkText(address, "Open it")
		}
		return []string{line}
	case alert.StandDead:
		return []string{"❌ " + what + " could not be delivered to " + place(where) + ".", reason}
	case alert.StandSilenced:
		return []string{"🔕 " + what + " was accepted, and a silence keeps it out of " + place(where) + ".", reason}
	}
	return []string{
		"⏳ " + what + " is accepted and kept, but it still waits to go to " + place(where) + ".",
		waitsFor(r) + " It is sent as soon as it can be; there is no need to send it again.",
	}
}

// waitsFor says in one sentence why an alert has not been delivered yet.
func waitsFor(r TestReport) string {
	held := fit(literal(oneLine(r.Health.Held)), 500)
	reason := fit(literal(oneLine(r.Record.Reason)), 500)
	last := fit(literal(oneLine(r.Health.LastError)), 500)
	broken := slices.IndexFunc(r.Health.Problems, func(p alert.Problem) bool { return p.Lane != "" && p.Lane == r.Record.Lane })
	switch {
	case held != "":
		return "Nothing is sent at the moment: " + stop(held)
	case reason != "":
		return "Slack's last word on it: " + named(stop(reason), r.Record.Lane)
	case broken >= 0:
		p := r.Health.Problems[broken]
		return "An earlier message there waits too: " + named(stop(fit(literal(oneLine(p.What+"; "+p.Fix)), 500)), p.Lane)
	case strings.HasPrefix(r.Health.LastError, r.Record.Lane+": ") && r.Health.LastErrorAt.After(r.Asked):
		return "The last error was: " + stop(last)
	case !r.Record.StartedAt.IsZero():
		return "Slack has been asked and has not answered yet."
	case r.Health.Waiting > 1:
		return "Other messages go first: " + plural(r.Health.Waiting, "conversation") + " have something to send."
	}
	return "It has not had its turn yet, or Slack has asked me to slow down."
}

func stop(s string) string { return strings.TrimRight(s, ".") + "." }

// legs are the times of an alert's way, as far as it has come.
func legs(r TestReport) []string {
	var parts []string
	from := r.Asked
	for _, leg := range []struct {
		name string
		at   time.Time
	}{{"accepted", r.Kept}, {"queued", r.Record.StartedAt}, {"Slack", r.Record.DeliveredAt}} {
		if from.IsZero() || leg.at.IsZero() {
			return parts
		}
		parts = append(parts, "*"+leg.name+"* "+brief(leg.at.Sub(from)))
		// The lane may have begun before the person's own receipt came back.
		if leg.at.After(from) {
			from = leg.at
		}
	}
	return append(parts, "*together* "+brief(from.Sub(r.Asked)))
}

// Unknown answers what nobody understood: the nearest word that would have been
// (or none), and where all of them are listed.
func Unknown(said, nearest, help string) Message {
	line := "I don't know what to do with " + quoted(said) + "."
	if nearest != "" {
		line += " Did you mean " + quoted(nearest) + "?"
	}
	return answer(line, quoted(help)+" lists what I can do.")
}

// Refused says what is wrong with what a person asked for and what to write
// instead; hint may be empty.
func Refused(what, hint string) Message {
	lines := []string{"⚠️ " + fit(literal(oneLine(what)), 1000)}
	if hint = oneLine(hint); hint != "" {
		lines = append(lines, fit(hint, 1000))
	}
	return answer(lines...)
}

// Greeting answers a message without words: an empty one, or only a file.
func Greeting() Message {
	return answer("Hello! I read words only, no files or pictures.", "Write `help` to see what I can do.")
}

// Gone answers a click on something that does nothing any more.
func Gone() Message {
	return answer("This button does nothing any more, perhaps because the message is from an older version of me.", "`/notify help` lists what I can do.")
}
