package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

func TestAnOutageIsReportedOnceWhenItBeginsAndOnceWhenItIsOver(t *testing.T) {
	t.Parallel()
	start := time.Unix(1795442000, 0)
	gone := []alert.Problem{{Code: alert.ProblemConnection, What: "no usable connection to Slack", Fix: "check the network", Since: start.Add(-time.Minute)}}
	disk := []alert.Problem{{Code: alert.ProblemStore, What: "the disk is full"}}
	token := []alert.Problem{{Code: alert.ProblemToken, What: "the bot token is missing"}} // at once, and since an unknown time
	var o outage
	for n, look := range []struct {
		after    time.Duration
		problems []alert.Problem
		fails    bool // the program
		want     string
	}{
		{0, disk, false, ""},
		{5 * time.Second, gone, true, "can't use Slack"},
		{10 * time.Second, gone, false, "since " + utc(start.Add(-time.Minute)) + ".\n\nProblem: no usable connection to Slack\nWhat to do: check the network\n"},
		{15 * time.Second, append(gone, disk...), false, ""},
		{20 * time.Second, disk, false, ""}, // it works, but not for long
		{60 * time.Second, gone, false, ""},
		{65 * time.Second, nil, false, ""},
		{124 * time.Second, nil, false, ""},
		{125 * time.Second, nil, true, "again"},
		{130 * time.Second, nil, false, "again, since " + utc(start.Add(65*time.Second))},
		{135 * time.Second, token, false, ""},
		{140 * time.Second, nil, false, ""},
		{143 * time.Second, gone, true, "can't use Slack"},
		{145 * time.Second, nil, false, ""}, // nobody heard of it
		{300 * time.Second, token, false, ""},
		{355 * time.Second, token, false, ""},
		{360 * time.Second, token, false, "since " + utc(start.Add(300*time.Second))},
	} {
		got := o.next(start.Add(look.after), look.problems, time.Minute)
		if (got == "") != (look.want == "") || !strings.Contains(got, look.want) {
			t.Errorf("look %d: reports %q, want %q", n, got, look.want)
		}
		if got != "" && !look.fails {
			o.done()
		}
	}
}

func TestTheLastResortHearsThatSlackIsGoneAndThatItIsBack(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	told := filepath.Join(p.dir, "told")
	p.configure(fmt.Sprintf("health: {delivery: 1s}\ndelivery:\n  last_resort: [%q, %q]\n", p.program("cat >> \"$1\""), told))
	p.start()
	p.untilReady()
	read := func() string {
		text, _ := os.ReadFile(told) // it may not be there yet
		return string(text)
	}
	fault(t, s, playground.Fault{Kind: playground.FaultRefuse})
	kept := p.mustPush(firing("a", "the machine room is on fire"))
	p.eventually("that Slack is gone", func() bool { return strings.Contains(read(), "reported, too") })
	if got := read(); !strings.Contains(got, "Tocsin can't use Slack, since ") || !strings.Contains(got, "What to do: ") {
		t.Errorf("it is told %s", got)
	}
	s.ClearFaults()
	p.settle(kept...)
	p.eventually("that Slack is back", func() bool { return strings.Contains(read(), "being delivered") })
	if got := read(); strings.Count(got, "can't use Slack") != 1 || strings.Count(got, "can use Slack again") != 1 {
		t.Errorf("it is told %s", got)
	}
}

func TestALastResortThatDoesNotHearThatSlackIsGoneIsCounted(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure(fmt.Sprintf("health: {delivery: 1s}\ndelivery:\n  last_resort: [%q]\n", p.program("exit 1")))
	p.start()
	fault(t, s, playground.Fault{Kind: playground.FaultRefuse})
	p.mustPush(firing("a", "the machine room is on fire"))
	p.eventually("that it failed", func() bool {
		return strings.Contains(p.metrics(), `tocsin_last_resort_total{result="failed"} 1`)
	})
}
