package render

import (
	"strings"

	"github.com/slack-go/slack"
)

// HelpView is what help says. Direct is for a direct message or a mention, where
// commands have no slash.
type HelpView struct {
	Direct bool
	// Word is the command to explain; empty for all of them.
	Word    string
	Shell   Shell
	Version string
}

// helpPart is a section of the help: a few commands of one kind.
type helpPart struct {
	title string
	rows  []helpRow
}

type helpRow struct {
	usage, does string
	examples    []string
}

// grammar is everything that a person can write.
func grammar() []helpPart {
	return []helpPart{
		{"Alerts", []helpRow{
			{usage: "list [words] [matchers] [open|acked|resolved|all]", does: "what is open, worst first",
				examples: []string{"list", "list critical", "list db-3", `list service=db all`, `list service=~"db-.*" mine`, "what is open"}},
			{usage: "show INCIDENT", does: "one incident with its history", examples: []string{"show k7f2", "show disk", "show last"}},
			{usage: "ack INCIDENT… [note]", does: "acknowledge: you are working on it; `unack` undoes it",
				examples: []string{"ack k7f2", "ack last", "ack k7f2, k7f3 looking into it", "ack disk db-3: looking into it", "ack all critical"}},
			{usage: "resolve INCIDENT… [note]", does: "resolve: it is over; `reopen` undoes it",
				examples: []string{"resolve k7f2", "resolve k7f2 k7f3 the disk was replaced", "resolve service=db"}},
			{usage: "assign INCIDENT… @user", does: "assign it to somebody",
				examples: []string{"assign k7f2 bob", "assign k7f2 me", "assign last @ann can you look?", "assign all critical to bob"}},
			{usage: "note INCIDENT text…", does: "add a note to its thread", examples: []string{"note k7f2 it is the backup", "note disk: it is the backup"}},
			{usage: "send [#channel] [severity] text…", does: "send an alert of your own",
				examples: []string{"send the disk is filling up", "send to #ops: rebooting", "send rebooting to #ops", "send #ops warning the disk is filling up"}},
		}},
		{"Silences", []helpRow{
			{usage: "silence MATCHERS for 2h [because …]", does: "keep alerts out of Slack for a while; `until 18:00` works too; `mute` without a time is an hour",
				examples: []string{"silence postgres 2h", "silence service=db for 2h because we are moving it", `silence {host=~"db-.*", severity!="critical"} until tomorrow 9am`, "silence k7f2 for 30m", "mute db-3"}},
			{usage: "silences", does: "what is silenced, by whom and why", examples: []string{"silences"}},
			{usage: "unsilence ID|words", does: "end a silence", examples: []string{"unsilence s-k7f2", "unsilence db-3"}},
		}},
		{"You and your team", []helpRow{
			{usage: "subscribe MATCHERS", does: "get alerts as direct messages",
				examples: []string{"subscribe service=db", "subscribe critical", "subscribe"}},
			{usage: "unsubscribe", does: "stop getting them", examples: []string{"unsubscribe"}},
			{usage: "oncall", does: "who is notified of what, and who is working on what", examples: []string{"oncall"}},
			{usage: "stats [24h|7d]", does: "how many, how fast, how noisy", examples: []string{"stats", "stats 7d"}},
		}},
		{"Tocsin", []helpRow{
			{usage: "status", does: "whether delivery works, and what is open", examples: []string{"status"}},
			{usage: "doctor", does: "what is set up wrong, and how to mend it", examples: []string{"doctor"}},
			{usage: "heartbeats", does: "which senders have gone missing, and when each was last heard", examples: []string{"heartbeats"}},
			{usage: "queue [drop ID]", does: "what waits for Slack or was given up, and a way to drop it", examples: []string{"queue"}},
			{usage: "test [channel] [severity]", does: "send a test alert through the full path and see how long each step takes",
				examples: []string{"test", "test #ops warning"}},
			{usage: "help [word]", does: "this list, or more about one word", examples: []string{"help", "help silence"}},
		}},
	}
}

// moreGrammar is what the list leaves out, because another line mentions it.
func moreGrammar() helpPart {
	return helpPart{rows: []helpRow{
		{usage: "unack INCIDENT… [note]", does: "undo an acknowledgement; escalation continues where it was", examples: []string{"unack k7f2", "unack last"}},
		{usage: "reopen INCIDENT… [note]", does: "undo a resolution; within a minute everything is as before, later it is open for everybody", examples: []string{"reopen k7f2", "reopen last it is still full"}},
		{usage: "mute MATCHERS [for 2h] [because …]", does: "the same as `silence`, for an hour unless you say how long or `until` when", examples: []string{"mute db-3", "mute k7f2 for 30m", "snooze last"}},
	}}
}

// helpWord explains one command.
func helpWord(word, slash string) (Message, bool) {
	for _, part := range append(grammar(), moreGrammar()) {
		for _, r := range part.rows {
			if first, _, _ := strings.Cut(r.usage, " "); first != word {
				continue
			}
			lines := []string{"`" + slash + r.usage + "`", strings.ToUpper(r.does[:1]) + r.does[1:] + ".", "For example:"}
			for _, example := range r.examples {
				lines = append(lines, "• `"+slash+example+"`")
			}
			if strings.Contains(r.usage, "atchers") || strings.Contains(r.usage, "MATCHERS") {
				lines = append(lines, matchersHelp)
			}
			if strings.Contains(r.does, "until") {
				lines = append(lines, timesHelp)
			}
			return answer(lines...), true
		}
	}
	return Message{}, false
}

const (
	matchersHelp = "Matchers are `name=value`, `!=`, and with regular expressions `=~` and `!~`, on any label or on severity, source, key, title and channel. All of them must match."
	timesHelp    = "A time is `for 2h30m`, `for 1d`, `until 18:00`, `until tomorrow 9am`, `until monday` (9 am), each in your time zone, or `until 2027-01-31 18:00 UTC`."
)

// Help lists what a person can do, or explains one command.
func Help(v HelpView) Message {
	slash, foot := "/notify ", "The same commands work in a direct message to me, and after my name in a channel."
	if v.Direct {
		slash, foot = "", "In any channel, the same commands work after `/notify`, and `/notify-test` sends a test."
	}
	if m, ok := helpWord(v.Word, slash); ok {
		return m
	}
	intro := "*I bring alerts to Slack.* You can write:"
	l := newLines(maxText)
	l.add(intro)
	blocks := []slack.Block{section(intro)}
	for _, part := range grammar() {
		rows := []string{"*" + part.title + "*"}
		for _, r := range part.rows {
			// A test has a command of its own.
			words := strings.ReplaceAll(slash+r.usage, "/notify test", "/notify-test")
			rows = append(rows, "• `"+words+"`  "+r.does)
		}
		l.addAll(rows...)
		blocks = append(blocks, section(strings.Join(rows, "\n")))
	}
	matching := "An INCIDENT is an id such as `k7f2`, which is on every card, `last`, `all`, words of its title, key or labels, or MATCHERS such as `service=\"db\"` or `host=~\"db-.*\"`. In the thread of a card it can be left out. " + foot
	const shell = "*From the shell*"
	l.addAll(matching, shell, literal(v.Shell.example()))
	return Message{
		Text:   said(l.text()),
		Blocks: append(blocks, section(matching), section(shell), slack.NewRichTextBlock("", preformatted(v.Shell.example())), small("Tocsin "+fit(oneLine(v.Version), 60))),
	}
}
