package render

import (
	"strings"

	"github.com/slack-go/slack"
)

// HelpView is what help says. Direct is for a direct message or a mention,
// where words stand without a slash.
type HelpView struct {
	Direct  bool
	Shell   Shell
	Version string
}

// helpPart is a few commands of one kind.
type helpPart struct {
	title string
	rows  [][2]string
}

// grammar is all that a person can write.
func grammar() []helpPart {
	return []helpPart{
		{"Alerts", [][2]string{
			{"list [matchers] [open|acked|resolved|all]", "what is open, worst first"},
			{"show ID", "all about one, with its history"},
			{"ack ID… [note]", "you take care of it"},
			{"resolve ID…", "it is over"},
			{"assign ID @user", "somebody else takes care of it"},
			{"send [#channel] [severity] text…", "send an alert yourself"},
		}},
		{"Peace", [][2]string{
			{"silence MATCHERS for 2h [because …]", "keep alerts out of Slack for a while; `until 18:00` works too"},
			{"silences", "what is silenced, by whom and why"},
			{"unsilence ID", "end a silence"},
		}},
		{"You and your team", [][2]string{
			{"subscribe MATCHERS", "get alerts as direct messages"},
			{"unsubscribe", "no more of them"},
			{"oncall", "who is told of what, and who is at what"},
			{"stats [24h|7d]", "how many, how fast, how noisy"},
		}},
		{"Me", [][2]string{
			{"status", "how delivery does, and what is open"},
			{"test [channel] [severity]", "send a test alert by the whole road and see how long each leg took"},
			{"help", "this list"},
		}},
	}
}

// Help lists what a person can do.
func Help(v HelpView) Message {
	slash, foot := "/notify ", "The same words work in a direct message to me, and behind my name in a channel."
	if v.Direct {
		slash, foot = "", "In any channel, the same words work behind `/notify`, and `/notify-test` sends a test."
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
		blocks = append(blocks, section(strings.Join(rows, "\n")))
	}
	matching := "MATCHERS are conditions such as `service=\"db\"` or `host=~\"db-.*\"`; an ID such as `k7f2` stands on every card. " + foot
	shell := "*From the shell*\n" + v.Shell.example()
	return Message{
		Text:   bounded(append(lines, matching, shell)),
		Blocks: append(blocks, section(matching), section(shell), small("Tocsin "+fit(literal(oneLine(v.Version)), 60))),
	}
}
