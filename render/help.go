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
	rows  [][2]string
}

// grammar is everything that a person can write.
func grammar() []helpPart {
	return []helpPart{
		{"Alerts", [][2]string{
			{"list [matchers] [open|acked|resolved|all]", "what is open, worst first"},
			{"show ID", "one incident with its history"},
			{"ack ID… [note]", "acknowledge: you are working on it"},
			{"resolve ID…", "resolve: it is over"},
			{"assign ID @user", "assign it to somebody"},
			{"note ID text…", "add a note to its thread"},
			{"send [#channel] [severity] text…", "send an alert of your own"},
		}},
		{"Silences", [][2]string{
			{"silence MATCHERS for 2h [because …]", "keep alerts out of Slack for a while; `until 18:00` works too"},
			{"silences", "what is silenced, by whom and why"},
			{"unsilence ID", "end a silence"},
		}},
		{"You and your team", [][2]string{
			{"subscribe MATCHERS", "get alerts as direct messages"},
			{"unsubscribe", "stop getting them"},
			{"oncall", "who is notified of what, and who is working on what"},
			{"stats [24h|7d]", "how many, how fast, how noisy"},
		}},
		{"Tocsin", [][2]string{
			{"status", "whether delivery works, and what is open"},
			{"test [channel] [severity]", "send a test alert through the full path and see how long each step takes"},
			{"help [word]", "this list, or more about one word"},
		}},
	}
}

// examples are commands to copy, by their first word.
func examples(word string) []string {
	return map[string][]string{
		"list":        {"list", "list critical", `list service=db all`, `list service=~"db-.*" mine`},
		"show":        {"show k7f2"},
		"ack":         {"ack k7f2", "ack k7f2, k7f3 looking into it"},
		"resolve":     {"resolve k7f2", "resolve k7f2 k7f3 the disk was replaced"},
		"assign":      {"assign k7f2 @ann", "assign k7f2 me", "assign k7f2 @ann can you look?"},
		"note":        {"note k7f2 it is the backup"},
		"send":        {"send the disk is filling up", "send #ops warning the disk is filling up"},
		"silence":     {"silence service=db for 2h because we are moving it", `silence {host=~"db-.*", severity!="critical"} until tomorrow 9am`, "silence k7f2 for 30m"},
		"silences":    {"silences"},
		"unsilence":   {"unsilence s-k7f2"},
		"subscribe":   {"subscribe service=db", "subscribe critical", "subscribe"},
		"unsubscribe": {"unsubscribe"},
		"oncall":      {"oncall"},
		"stats":       {"stats", "stats 7d"},
		"status":      {"status"},
		"test":        {"test", "test #ops warning"},
	}[word]
}

// helpWord explains one command.
func helpWord(word, slash string) (Message, bool) {
	for _, part := range grammar() {
		for _, r := range part.rows {
			if first, _, _ := strings.Cut(r[0], " "); first != word {
				continue
			}
			lines := []string{"`" + slash + r[0] + "`", strings.ToUpper(r[1][:1]) + r[1][1:] + ".", "For example:"}
			for _, example := range examples(word) {
				lines = append(lines, "• `"+slash+example+"`")
			}
			if strings.Contains(r[0], "atchers") || strings.Contains(r[0], "MATCHERS") {
				lines = append(lines, matchersHelp)
			}
			if strings.Contains(r[1], "until") {
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
	lines := []string{intro}
	blocks := []slack.Block{section(intro)}
	for _, part := range grammar() {
		rows := []string{"*" + part.title + "*"}
		for _, r := range part.rows {
			// A test has a command of its own.
			words := strings.ReplaceAll(slash+r[0], "/notify test", "/notify-test")
			rows = append(rows, "• `"+words+"`  "+r[1])
		}
		lines = append(lines, rows...)
		blocks = append(blocks, unfolded(strings.Join(rows, "\n")))
	}
	matching := "MATCHERS are conditions such as `service=\"db\"` or `host=~\"db-.*\"`; an ID such as `k7f2` is on every card. " + foot
	shell := "*From the shell*\n" + v.Shell.example()
	return Message{
		Text:   bounded(append(lines, matching, shell)),
		Blocks: append(blocks, section(matching), section(shell), small("Tocsin "+fit(literal(oneLine(v.Version)), 60))),
	}
}
