package main

import (
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
		"NO_COLOR":      {screen{width: 36}, strings.NewReplacer("of the database is full", "of …", `u202e`, "…").Replace(plain)},
		"narrow":        {screen{width: 20}, "ID    TITLE\nk7f2  日本語 the di…\nb22c  \\x1b[31mred\\u…\n"},
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
	s := alert.Silence{ID: "s-k7f2", Matchers: alert.Matchers{{Name: "service", Op: "=~", Value: "postgres-.*"}}, EndsAt: now.Add(2*time.Hour + time.Minute), By: i.AckedBy, Why: i.Title, Hidden: 123}
	lists := map[string]struct{ text, shown string }{
		"incidents": {incidentPage{[]alert.Incident{i, {ID: "b22c", State: alert.Acked, Title: "short"}}, 2}.text(), "k7f2  open (silenc…  critical  1234×  the disk of…"},
		"silences":  {silencePage{[]alert.Silence{s}}.text(), "s-k7f2  in 2h (20"},
		"ledger":    {ledgerText(alert.Ledger{Lanes: []alert.LaneCounts{{Lane: "#a-channel-with-a-name"}}}), "PENDING  DEAD\n#a-channel-with-a-name  "},
	}
	for name, list := range lists {
		for columns := 1; columns < 200; columns++ {
			for line := range strings.Lines(screen{width: columns, color: columns%2 == 0}.draw(list.text)) {
				if line = regexp.MustCompile("\x1b\\[[0-9;]*m|\n").ReplaceAllString(line, ""); width(line) > columns {
					t.Fatalf("in %d columns a line of %s is %q", columns, name, line)
				}
			}
		}
		if got := (screen{width: 50}).draw(list.text); !strings.Contains(got, list.shown) {
			t.Errorf("50 columns show the %s as\n%swant %q", name, got, list.shown)
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
