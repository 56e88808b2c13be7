package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

func TestATerminalShowsColoursAndItsWidthAndAPipeNeither(t *testing.T) {
	text := table(func(line func(cells ...any)) {
		line("ID", "SEVERITY", "TITLE")
		line("k7f2", "critical", "日本語 the disk of the database is full")
		line("b22c", "warning", "\x1b[31mred\uFDD4 \u202E")
	})
	const plain = "ID    SEVERITY  TITLE\n" +
		"k7f2  critical  日本語 the disk of the database is full\n" +
		"b22c  warning   \\x1b[31mred\\ufdd4 \\u202e\n"
	for name, c := range map[string]struct {
		to   screen
		want string
	}{
		"a pipe":        {screen{}, plain},
		"NO_COLOR":      {screen{width: 49}, strings.NewReplacer("database is full", "database …").Replace(plain)},
		"narrow":        {screen{width: 20}, "ID  SEVERITY  TITLE\nk7f2  critical\n  日本語 the disk of\n  the database is\n  full\nb22c  warning\n  \\x1b[31mred\\ufdd4\n  \\u202e\n"},
		"wide, colours": {screen{width: 200, color: true}, "\x1b[1mID\x1b[0m    \x1b[1mSEVERITY\x1b[0m  \x1b[1mTITLE\x1b[0m\n" + strings.NewReplacer("ID    SEVERITY  TITLE\n", "", "critical", "\x1b[1;31mcritical\x1b[0m", "warning", "\x1b[33mwarning\x1b[0m").Replace(plain)},
	} {
		if got := c.to.draw(text); got != c.want {
			t.Errorf("%s shows\n%q, want\n%q", name, got, c.want)
		}
	}
}

func TestNoLineOfAListIsWiderThanTheTerminal(t *testing.T) {
	now := time.Now()
	i := alert.Incident{
		ID: "k7f2", State: alert.Open, Silence: "s-b22c", Severity: alert.Critical, Count: 1234, FirstAt: now.Add(-3*time.Hour - 4*time.Minute),
		AckedBy: alert.Person{Name: "ann.with.a.long.name"}, Lanes: []string{"#alerts", "#database-team"}, Title: strings.Repeat("the disk of the database is full ", 9),
	}
	s := alert.Silence{ID: "s-k7f2", Matchers: alert.Matchers{{Name: "service", Op: "=~", Value: "postgres-.*"}}, EndsAt: now.Add(2*time.Hour + time.Minute), By: i.AckedBy, Hidden: 123}
	long := s
	long.Why = i.Title
	until := "in 2h (" + clock(s.EndsAt) + ")"
	detail := incidentDetail{Incident: i, History: []alert.Event{{At: now, Verb: alert.VerbAck, By: i.AckedBy, Text: "the replica is rebuilt, which takes some hours"}}}
	detail.Title = "the disk of the database is full"
	onCall := onCallPage{Taken: []alert.Incident{i}}
	if err := json.Unmarshal([]byte(`[{"route": "payments", "matchers": "service=payments", "to": ["#payments"], "mention": ["@bob"], "steps": [{"after": "15m0s", "to": ["#ops"], "mention": ["@ann"]}]}]`), &onCall.Routes); err != nil {
		t.Fatal(err)
	}
	incidents := incidentPage{Incidents: []alert.Incident{i, {ID: "b22c", State: alert.Acked, Title: "short"}}, Total: 2}.text()
	for name, list := range map[string]struct {
		text  string
		shown map[int]string // by the columns of the terminal
	}{
		"incidents": {incidents, map[int]string{
			80: "k7f2  open (silenced)  critical  1234×  3h 4m  the disk",
			50: "ID    SEVERITY  TITLE\nk7f2  critical  the disk of the database is full …\nb22c            short\n",
			20: "k7f2  critical\n  the disk of the\n  database is full",
		}},
		"silences": {silencePage{[]alert.Silence{s}}.text(), map[int]string{
			80: "s-k7f2  " + until + "  service=~\"postgres-.*\"  now   123\n",
			60: "s-k7f2  " + until + "  service=~\"postgres-.*\"\n",
			50: "s-k7f2  " + until + "\n  service=~\"postgres-.*\"\n",
			20: "s-k7f2\n  in 2h (",
		}},
		"silences with reasons": {silencePage{[]alert.Silence{long}}.text(), map[int]string{60: "s-k7f2  " + until + "  service=~\"postgres-.*\"\n"}},
		"ledger":                {ledgerText(alert.Ledger{Lanes: []alert.LaneCounts{{Lane: "#a-channel-with-a-name", Counts: alert.Counts{Accepted: 13, Delivered: 5, Silenced: 8}}}}, 60), map[int]string{60: "#a-channel-with-a-name  13 accepted: 5 delivered, 8 silenced\ntotal                   0 accepted"}},
		"on call": {onCall.text(now), map[int]string{
			80: "          after 15m  #ops       @ann      while nobody acknowledges\n",
			40: "payments  at once  #payments  @bob\n  service=payments\n  after 15m  #ops  @ann\n  while nobody acknowledges\n",
			30: "ann.with.a.long.name  k7f2\n  critical\n  the disk",
		}},
		"one": {detail.text(), map[int]string{
			40: "title:       the disk of the database is\n             full\n",
			30: "    replica is rebuilt, which\n    takes some hours\n",
		}},
	} {
		for columns := 1; columns < 200; columns++ {
			for line := range strings.Lines(screen{width: columns, color: columns%2 == 0}.draw(list.text)) {
				if line = regexp.MustCompile("\x1b\\[[0-9;]*m|\n").ReplaceAllString(line, ""); width(line) > columns && strings.ContainsAny(line, " ") {
					t.Fatalf("in %d columns a line of %s is %q", columns, name, line)
				}
			}
		}
		for columns, shown := range list.shown {
			if got := (screen{width: columns}).draw(list.text); !strings.Contains(got, shown) {
				t.Errorf("%d columns show the %s as\n%swant %q", columns, name, got, shown)
			}
		}
	}
}

func TestAgesAreInTheirLargestUnits(t *testing.T) {
	now := time.Now()
	for want, d := range map[string]time.Duration{
		"0s": 0, "42s": 42 * time.Second, "3m": 3*time.Minute + 40*time.Second, "5h 10m": 5*time.Hour + 10*time.Minute, "5h": 5 * time.Hour,
		"30h": 30*time.Hour + time.Minute, "4d": 4*24*time.Hour + time.Hour, "in 10m": -10*time.Minute - time.Second, "in 2d": -50 * time.Hour,
	} {
		if got := age(now.Add(-d), now); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	if got := age(time.Time{}, now); got != "" {
		t.Errorf("no time is %q", got)
	}
}
