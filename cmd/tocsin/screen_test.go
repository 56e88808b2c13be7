package main

import (
	"strings"
	"testing"
	"time"
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
		"narrow":        {screen{width: 20}, plain},
		"wide, colours": {screen{width: 200, color: true}, "\x1b[1mID\x1b[0m    \x1b[1mSEVERITY\x1b[0m  \x1b[1mTITLE\x1b[0m\n" + strings.NewReplacer("ID    SEVERITY  TITLE\n", "", "critical", "\x1b[1;31mcritical\x1b[0m", "warning", "\x1b[33mwarning\x1b[0m").Replace(plain)},
	} {
		if got := c.to.draw(text); got != c.want {
			t.Errorf("%s shows\n%q, want\n%q", name, got, c.want)
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
