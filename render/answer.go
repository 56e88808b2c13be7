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

// example has one line for each way to send.
func (s Shell) example() string {
	lines := []string{`tocsin send --severity error "disk full on db-3"`}
	if server := strings.TrimRight(cut(oneLine(s.Server), 200), "/"); server != "" {
		auth := ""
		if s.Token {
			auth = `-H "Authorization: Bearer $TOCSIN_API_TOKEN" `
		}
		lines = append(lines, fmt.Sprintf("curl %s-d 'disk full on db-3' %s/v1/alerts", auth, server))
	}
	return strings.Join(lines, "\n")
}

// StatusView is what status says.
type StatusView struct {
	// Counts counts the incidents that are not resolved.
	Counts map[alert.Severity]int
	// Unread says that Counts, Total and Heartbeats are unknown, because the store can't
	// be read.
	Unread bool
	Health alert.Health
	Total  alert.Counts
	// Heartbeats are all of them, as they are at Now.
	Heartbeats []alert.Heartbeat
	Now        time.Time
	Version    string
}

// Status says whether delivery works, what is open, and where all alerts stand.
func Status(v StatusView) Message {
	fields := deliveryFields(v.Health)
	if v.Unread {
		fields = append(fields, "*Open*: "+unread)
	} else {
		fields = append(fields, "*Open*: "+tally(v.Counts), "*Alerts so far*: "+counts(v.Total))
	}
	if len(v.Heartbeats) > 0 {
		fields = append(fields, "*Heartbeats*: "+heartbeatCounts(v.Heartbeats, v.Now))
	}
	blocks := []slack.Block{section(verdict(v.Health)), section(strings.Join(fields, "\n"))}
	blocks = append(blocks, problemBlocks(problems(v.Health), 10)...)
	blocks = append(blocks, small("Tocsin "+fit(oneLine(v.Version), 60)))
	l := newLines(maxText)
	l.add(verdict(v.Health))
	l.addAll(fields...)
	for _, p := range problems(v.Health) {
		l.add(problem(p))
	}
	return Message{Text: said(l.text()), Blocks: blocks}
}

// unread is shown in place of what the store can't be asked.
const unread = "I can't read what is open at the moment."

func verdict(h alert.Health) string {
	has := func(code string) bool {
		return slices.ContainsFunc(h.Notes, func(p alert.Problem) bool { return p.Code == code })
	}
	switch {
	case oneLine(h.Held) != "":
		return "*Alerts are accepted and kept, but nothing is sent at the moment.*"
	case len(h.Problems) > 0:
		return "*Something needs attention.*"
	case slices.ContainsFunc(h.Notes, func(p alert.Problem) bool { return p.Blocks }):
		return "*Alerts are sent, except to conversations that can't be reached.*"
	case has(alert.ProblemDestination):
		return "*Alerts are sent, but not all of them where they were meant to go.*"
	case has(alert.ProblemThrottled):
		return "*Alerts are sent, but some messages wait, because Slack asked for a long pause.*"
	case has(alert.ProblemConfig):
		return "*Delivery works, but by an older configuration: the new one has a mistake.*"
	case h.DeadLetters > 0:
		return "*Alerts are sent, but some could not be delivered.*"
	}
	return "*Delivery works.*"
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

// TestReport is what happened to an alert that a person sent.
type TestReport struct {
	// What is what to call it: "test alert".
	What string
	// Record is the alert as it stands.
	Record alert.Record
	// Asked is when the person asked for it, Kept when it was synced to disk.
	Asked, Kept time.Time
	// Permalink leads to the card, or is empty.
	Permalink string
	// Health explains why it is still waiting, if it is.
	Health alert.Health
}

// TestResult tells a person where their alert is and how long each step
// took.
func TestResult(r TestReport) Message {
	m := answer(testHead(r)...)
	if steps := steps(r); len(steps) > 0 {
		m.Text += "\n" + said(strings.Join(steps, ", "))
		m.Blocks = append(m.Blocks, small(steps...))
	}
	return m
}

func testHead(r TestReport) []string {
	where := cmp.Or(r.Record.Conversation, r.Record.Lane)
	what := "Your " + r.What
	reason := fit(oneLine(r.Record.Reason), 500)
	switch r.Record.Standing {
	case alert.StandDelivered, alert.StandFolded:
		line := "✅ " + what + " is in " + place(where) + "."
		if address, ok := ownAddress(r.Permalink); ok {
			line += " " + link("Open it", address)
		}
		return []string{line}
	case alert.StandDead:
		return []string{"❌ " + what + " could not be delivered to " + place(where) + ".", reason}
	case alert.StandSilenced:
		by := "a silence keeps it"
		if r.Record.Silence == "" {
			by = "it is kept"
		}
		return []string{"🔕 " + what + " was accepted, and " + by + " out of " + place(where) + ".", reason}
	}
	return []string{
		"⏳ " + what + " is accepted and stored, but still waiting to go to " + place(where) + ".",
		waitsFor(r) + " It will be sent as soon as possible; you don't need to send it again.",
	}
}

// waitsFor says in one sentence why an alert has not been delivered yet.
func waitsFor(r TestReport) string {
	held, reason, last := oneLine(r.Health.Held), oneLine(r.Record.Reason), oneLine(r.Health.LastError)
	broken, blocked := r.Health.Blocking(r.Record.Lane)
	switch {
	case held != "":
		return "Nothing is sent at the moment: " + withPeriod(held)
	case reason != "":
		return "Slack's last answer: " + named(withPeriod(reason), r.Record.Lane)
	case blocked:
		return "An earlier message there is waiting too: " + named(withPeriod(oneLine(broken.What+"; "+broken.Fix)), broken.Lane)
	case strings.HasPrefix(r.Health.LastError, r.Record.Lane+": ") && r.Health.LastErrorAt.After(r.Asked):
		return "The last error was: " + withPeriod(last)
	case !r.Record.StartedAt.IsZero():
		return "Slack has been asked and has not answered yet."
	case r.Health.Waiting > 1:
		return "Other messages go first: " + plural(r.Health.Waiting, "conversation") + " have messages to send."
	}
	return "It is still queued, or Slack has asked me to slow down."
}

func withPeriod(s string) string { return fit(strings.TrimRight(s, "."), 500) + "." }

// steps are how long each step took, as far as the alert has come.
func steps(r TestReport) []string {
	var parts []string
	from := r.Asked
	for _, step := range []struct {
		name string
		at   time.Time
	}{{"accepted", r.Kept}, {"queued", r.Record.StartedAt}, {"Slack", r.Record.DeliveredAt}} {
		if from.IsZero() || step.at.IsZero() {
			return parts
		}
		parts = append(parts, "*"+step.name+"* "+brief(step.at.Sub(from)))
		// The lane may have started before the sender's receipt came back.
		if step.at.After(from) {
			from = step.at
		}
	}
	return append(parts, "*total* "+brief(from.Sub(r.Asked)))
}

// Unknown answers an unknown command with the nearest known word or, if there is none,
// how to look for what was said, and with the command that lists all of them.
func Unknown(said, nearest, help string) Message {
	line := "I don't understand " + quoted(said) + "."
	if nearest != "" {
		line += " Did you mean " + quoted(nearest) + "?"
	} else {
		line += " " + quoted(strings.TrimSuffix(help, "help")+"list "+said) + " looks for it."
	}
	return answer(line, quoted(help)+" lists what I can do.")
}

// Refused says what is wrong with a request and what to write instead; hint may
// be empty.
func Refused(what, hint string) Message {
	lines := []string{"⚠️ " + fit(oneLine(what), 1000)}
	if hint = oneLine(hint); hint != "" {
		lines = append(lines, advice(hint, 1000))
	}
	return answer(lines...)
}

// Unreachable says that nothing was sent, because Slack refuses a conversation with
// this code, and what to do.
func Unreachable(lane, code, hint string) Message {
	lines := []string{"⚠️ Nothing was sent to " + place(lane) + ", " + unreachable(code) + "."}
	if hint = oneLine(hint); hint != "" {
		lines = append(lines, named(advice(hint, 1000), lane))
	}
	return answer(lines...)
}

// Greeting answers a message without words: an empty one, or only a file.
func Greeting() Message {
	return answer("Hello! I can only read text, not files or pictures.", "Write `help` to see what I can do.")
}

// Gone answers a click on a button that no longer works.
func Gone() Message {
	return answer("This button no longer works, perhaps because the message is from an older version.", "`/notify help` lists what I can do.")
}
