package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// storm sends n alerts of so many keys in requests of 500.
func storm(p *process, n, keys int) (receipts []alert.Accepted) {
	p.t.Helper()
	for from := 0; from < n; from += 500 {
		batch := make([]map[string]any, 0, 500)
		for i := from; i < min(from+500, n); i++ {
			a := firing(fmt.Sprint("key-", i%keys), fmt.Sprintf("disk full on db-%d", i%keys))
			a["labels"] = map[string]string{"host": fmt.Sprint("db-", i%keys), "service": []string{"postgres", "web", "queue"}[i%3]}
			batch = append(batch, a)
		}
		receipts = append(receipts, p.mustPush(batch...)...)
	}
	return receipts
}

// calm waits until the ledger has nothing pending, and checks that it balances.
func calm(p *process, accepted int) alert.Counts {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	for {
		c := p.ledger().Total
		if c.Pending == 0 && c.Accepted >= int64(accepted) {
			if c.Accepted != int64(accepted) || c.Delivered+c.Folded != c.Accepted {
				p.t.Fatalf("the ledger says %+v after %d alerts", c, accepted)
			}
			return c
		}
		if !pause(ctx, 20*time.Millisecond) {
			p.t.Fatalf("still pending: %+v", c)
		}
	}
}

// quiet waits until everything that is owed to Slack is done, also what shows no
// further alert, and returns the calls of Slack's methods that it took.
func quiet(t testing.TB, s *playground.Server) (calls int) {
	t.Helper()
	until(t, s, "the last edit", func(sn *playground.Snapshot) bool {
		for _, m := range sn.Messages("#alerts") {
			if strings.Contains(shown(m), "follows in the thread") {
				return false
			}
		}
		return true
	})
	for _, c := range s.Calls() {
		if c.Method != "apps.connections.open" && c.Method != "auth.test" {
			calls++
		}
	}
	return calls
}

// told is all that a channel says: its messages and its files.
func told(s *playground.Server, channel string) string {
	var b strings.Builder
	for _, m := range s.Messages(channel) {
		b.WriteString(shown(m))
		for _, f := range m.Files {
			data, _ := s.File(f.ID)
			b.Write(data)
		}
	}
	return b.String()
}

func TestAFloodIsADigestThatListsEveryAlert(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	storm(p, 600, 600)
	calm(p, 600)
	if calls := quiet(t, s); calls > 30 {
		t.Errorf("it took %d calls to Slack", calls)
	}
	all := told(s, "#alerts")
	for i := range 600 {
		if n := strings.Count(all, fmt.Sprintf("disk full on db-%d\\", i)) + strings.Count(all, fmt.Sprintf("disk full on db-%d\n", i)) +
			strings.Count(all, fmt.Sprintf("disk full on db-%d\"", i)); n == 0 {
			t.Errorf("alert %d is shown nowhere", i)
		}
	}
}

func TestTheFileOfADigestHoldsCompleteAlerts(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	batch := make([]map[string]any, 80)
	for i := range batch {
		labels := map[string]string{"wide": strings.Repeat("w", 3000) + fmt.Sprintf("-%d-end", i)}
		for l := range 60 {
			labels[fmt.Sprint("label-", l)] = fmt.Sprintf("value-%d-%d", l, i)
		}
		batch[i] = firing(fmt.Sprint("key-", i), fmt.Sprintf("disk full on db-%d", i))
		batch[i]["labels"] = labels
		batch[i]["links"] = []map[string]string{{"label": "Runbook", "url": fmt.Sprintf("https://wiki/db-%d/end", i)}}
		batch[i]["text"] = strings.Repeat("word ", 1500) + fmt.Sprintf("last-word-%d-end", i)
	}
	p.mustPush(batch...)
	calm(p, len(batch))
	quiet(t, s)
	all := told(s, "#alerts")
	listed := 0
	for i := range batch {
		if !strings.Contains(all, fmt.Sprintf("https://wiki/db-%d/end\n", i)) {
			continue // it got a card of its own before it was a flood
		}
		listed++
		for _, part := range []string{"-%d-end\n", "label-59=value-59-%d\n", "last-word-%d-end\n"} {
			if part = fmt.Sprintf(part, i); !strings.Contains(all, part) {
				t.Errorf("the file does not hold %q of alert %d", part, i)
			}
		}
	}
	if listed < alert.ListAsFile {
		t.Errorf("the file lists %d", listed)
	}
}

func TestAFewKeysThatFireOftenKeepTheirCards(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	storm(p, 3000, 6)
	calm(p, 3000)
	top, _ := cards(s.Messages("#alerts"))
	if len(top) != 6 {
		t.Errorf("6 keys have %d cards", len(top))
	}
	if calls := quiet(t, s); calls > 40 {
		t.Errorf("it took %d calls to Slack", calls)
	}
}

// BenchmarkStorm is how long it takes until 10,000 alerts that come at once
// into one conversation are accounted for and shown, within Slack's own limits,
// and how many calls to Slack that is.
func BenchmarkStorm(b *testing.B) {
	for _, keys := range []int{10_000, 10} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			for range b.N {
				s := slack(b, playground.Options{})
				p := prepare(b, s, nil)
				p.start()
				began := time.Now()
				storm(p, 10_000, keys)
				accepted := time.Since(began)
				calm(p, 10_000)
				took := time.Since(began)
				calls := quiet(b, s)
				top, _ := cards(s.Messages("#alerts"))
				b.ReportMetric(accepted.Seconds(), "accept-s")
				b.ReportMetric(took.Seconds(), "shown-s")
				b.ReportMetric(time.Since(began).Seconds(), "done-s")
				b.ReportMetric(float64(calls), "slack-calls")
				b.ReportMetric(float64(len(top)), "messages")
				b.ReportMetric(residentMB(b, p.cmd.Process.Pid), "rss-MB")
			}
		})
	}
}

// standIn finds the one message that stands for many.
func standIn(t *testing.T, s *playground.Server) playground.Message {
	t.Helper()
	top, _ := cards(s.Messages("#alerts"))
	for _, m := range top {
		if strings.Contains(m.Text, "incidents at once") {
			return m
		}
	}
	t.Fatalf("no digest among %d messages", len(top))
	return playground.Message{}
}

// severe is a storm's alert i, as severe as said.
func severe(i int, severity string) map[string]any {
	a := firing(fmt.Sprint("key-", i), fmt.Sprintf("disk full on db-%d", i))
	a["severity"] = severity
	return a
}

func TestIncidentsInADigestKeepWorking(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	storm(p, 60, 60)
	calm(p, 60)
	quiet(t, s)
	digest := standIn(t, s)
	before := len(s.Calls())
	var ends []map[string]any
	for i := 40; i < 60; i++ {
		ends = append(ends, resolved(severe(i, "error")))
	}
	p.settle(p.mustPush(ends...)...)
	p.settle(p.mustPush(severe(30, "error"))...)
	now, _ := s.Message("#alerts", digest.TS)
	if !strings.Contains(now.Text, "20 resolved") {
		t.Errorf("after 20 ends the digest says\n%s", now.Text)
	}
	if calls := len(s.Calls()) - before; calls > 8 {
		t.Errorf("20 ends and a re-fire took %d calls", calls)
	}
	p.settle(p.mustPush(severe(31, "critical"))...)
	top, _ := cards(s.Messages("#alerts"))
	if last := top[len(top)-1]; !strings.Contains(last.Text, "Critical: disk full on db-31") || strings.Contains(last.Text, "at once") {
		t.Errorf("a critical one that fires again is shown as\n%s", last.Text)
	}
	until(t, s, "the digest to tell it", func(sn *playground.Snapshot) bool {
		return strings.Contains(fmt.Sprint(sn.Messages("#alerts")), "1 shown separately")
	})
}

func TestCriticalsDoNotWaitForADigest(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	storm(p, 200, 200)
	p.settle(p.mustPush(severe(1000, "critical"), severe(1001, "critical"))...)
	calm(p, 202)
	quiet(t, s)
	digest := standIn(t, s)
	top, _ := cards(s.Messages("#alerts"))
	for _, m := range top {
		if strings.Contains(m.Text, "Critical: ") && !strings.Contains(m.Text, "at once") && m.TS > digest.TS {
			t.Errorf("a critical card came behind the digest: %s", m.Text)
		}
	}
}

func TestADozenCriticalsAtOnceAreADigest(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	var batch []map[string]any
	for n := range 12 {
		batch = append(batch, severe(n, "critical"))
	}
	p.settle(p.mustPush(batch...)...)
	if top, _ := cards(s.Messages("#alerts")); len(top) >= len(batch) {
		t.Errorf("%d messages show %d criticals", len(top), len(batch))
	}
	standIn(t, s)
}

func TestADigestIsShownOnceWhateverGetsLost(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	storm(p, 30, 30) // the first have cards, the rest are in one digest with a list in two parts
	until(t, s, "the first cards", func(sn *playground.Snapshot) bool { return sn.CallCount("chat.postMessage") >= 5 })
	fault(t, s, playground.Fault{Kind: playground.FaultLost, Method: "chat.postMessage", Times: 4})
	until(t, s, "the digest", func(sn *playground.Snapshot) bool {
		return strings.Contains(fmt.Sprint(sn.Messages("#alerts")), "incidents at once")
	})
	p.kill()
	fault(t, s, playground.Fault{Kind: playground.FaultLost, Method: "chat.update", Times: 1})
	p.start()
	calm(p, 30)
	quiet(t, s)
	shownAt := map[string]int{}
	digests := 0
	for _, m := range s.Messages("#alerts") {
		switch {
		case strings.Contains(m.Text, "incidents at once"):
			digests++
		case strings.HasPrefix(m.Text, "Complete list"):
			for line := range strings.Lines(m.Text) {
				if _, title, ok := strings.Cut(line, "disk full on "); ok {
					shownAt[strings.Fields(title)[0]]++
				}
			}
		default:
			_, title, _ := strings.Cut(m.Text, "disk full on ")
			shownAt[strings.Fields(title)[0]]++
		}
	}
	for i := range 30 {
		if n := shownAt[fmt.Sprint("db-", i)]; n != 1 {
			t.Errorf("alert %d is shown %d times", i, n)
		}
	}
	if digests != 1 {
		t.Errorf("there are %d digests", digests)
	}
}
