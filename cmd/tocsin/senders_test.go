package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// sender is a real program that sends alerts into a channel of its own.
type sender struct {
	name, channel string
	// title is that of its nth alert.
	title func(n int) string
	// send sends the nth alert, and returns an error if it was not accepted in the end.
	send func(ctx context.Context, n int) error
	// alertmanager is the address of Alertmanager, which sends by itself and in an order of
	// its own; empty for the others, which send one alert after the other.
	alertmanager string
}

// fromEach is how many alerts each sender sends: one while the daemon runs, and the next
// one when it has been killed.
const (
	killed   = 3
	fromEach = 2 * killed
)

// TestRealSendersLoseNothingThroughAStormAndCrashes has Debian's Alertmanager, FastAPI, curl
// and Python send while Slack throttles each channel and the daemon is killed again and
// again: what a sender calls sent is shown once, and in order.
func TestRealSendersLoseNothingThroughAStormAndCrashes(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	channels := addChannels(s, 5)
	p := overTCP(t, s, "delivery: {digest_above: 100, max_pending: 10}\n") // a card for each alert, and 429 for senders, too
	for _, channel := range channels {
		fault(t, s, playground.Fault{Kind: playground.FaultThrottle, Method: "chat.postMessage", Channel: channel, RetryAfter: 1, Times: 3})
	}
	fault(t, s, playground.Fault{Kind: playground.FaultThrottle, Method: "chat.postMessage", RetryAfter: 1, Percent: 50})
	senders := append(p.alertmanagers(channels), p.scripts(channels[2:])...)

	var accepted atomic.Int64
	done := make(chan error, len(senders))
	var dead [killed]chan struct{}
	for n := range dead {
		dead[n] = make(chan struct{})
	}
	for _, from := range senders {
		go func() {
			for n := range fromEach {
				if n%2 == 1 {
					<-dead[n/2]
				}
				if err := from.send(t.Context(), n); err != nil {
					done <- fmt.Errorf("%s: alert %d: %w", from.name, n, err)
					return
				}
				accepted.Add(1)
			}
			done <- nil
		}()
	}
	for kills := range killed {
		p.eventually("more alerts", func() bool { return accepted.Load() > int64(2*kills*len(senders)+2) }) // Alertmanager accepts at once
		p.kill()
		close(dead[kills])
		for _, from := range senders[:2] {
			from.meetsNobody(t, fromEach+kills)
		}
		p.start()
	}
	for range senders {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	p.eventually("that Slack throttles each channel", func() bool {
		return !slices.ContainsFunc(s.Faults(), func(f playground.Fault) bool { return f.Channel != "" })
	})
	s.ClearFaults()
	for _, from := range senders {
		p.hasShownOnceAndInOrder(s, from)
	}
}

// alertmanagers are Alertmanager with a webhook, and with Slack's.
func (p *process) alertmanagers(channels []string) []sender {
	p.t.Helper()
	all := []sender{
		{name: "webhook", alertmanager: p.startAlertmanager("alertmanager/alertmanager.yml", "/webhooks/alertmanager", "/webhooks/alertmanager?channel="+channels[0])},
		{name: "slack", alertmanager: p.startAlertmanager("alertmanager/alertmanager-slack.yml", "/slack/webhook/alerts", "/slack/webhook/"+channels[1])},
	}
	for n := range all {
		from := &all[n]
		from.channel = channels[n]
		from.title = func(n int) string { return fmt.Sprintf("Alert%02d", n) }
		from.send = func(ctx context.Context, n int) error {
			return tellTool(ctx, from.alertmanager+"/api/v2/alerts", alertmanagerAlert(from.title(n), ""))
		}
	}
	return all
}

// scripts are FastAPI, curl and Python, as in the examples.
func (p *process) scripts(channels []string) []sender {
	p.t.Helper()
	app := p.startFastAPI()
	script, err := filepath.Abs("../../examples/python/notify.py")
	if err != nil {
		p.t.Fatal(err)
	}
	server := "http://" + p.env["TOCSIN_LISTEN"]
	interpreter, curl, dir := python(p.t), debian(p.t, "curl"), p.t.TempDir()
	run := func(ctx context.Context, name string, args ...string) error {
		out, err := toolCommand(ctx, dir, []string{"TOCSIN_SERVER=" + server}, name, args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	numbered := func(n int) string { return fmt.Sprintf("payment of order %02d failed", n) }
	return []sender{
		{name: "FastAPI", channel: channels[0], title: numbered, send: func(ctx context.Context, n int) error {
			return tellTool(ctx, fmt.Sprintf("%s/orders/%02d/fail?channel=%s", app, n, channels[0]), "")
		}},
		{name: "curl", channel: channels[1], title: numbered, send: func(ctx context.Context, n int) error {
			return run(ctx, curl, "--fail-with-body", "--silent", "--show-error", "--retry", "8", "--retry-all-errors", "-H", "Content-Type: application/json",
				"-H", fmt.Sprint("Idempotency-Key: curl-", n), "-d", fmt.Sprintf(`{"title":%q,"channel":%q}`, numbered(n), channels[1]), server+"/v1/alerts")
		}},
		{name: "urllib", channel: channels[2], title: numbered, send: func(ctx context.Context, n int) error {
			return run(ctx, interpreter, script, numbered(n), "channel="+channels[2])
		}},
	}
}

// tellTool posts JSON to a tool, which has to accept it.
func tellTool(ctx context.Context, url, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %s: %s", resp.Status, said)
	}
	return err
}

// meetsNobody has Alertmanager send one more alert, and waits until it has found out that no
// daemon answers.
func (from sender) meetsNobody(t testing.TB, n int) {
	t.Helper()
	before := from.failures(t)
	if err := from.send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for from.failures(t) == before {
		if !pause(ctx, 20*time.Millisecond) {
			t.Fatalf("Alertmanager (%s) has not noticed that nobody answers", from.name)
		}
	}
}

// failures is how many of Alertmanager's requests have failed.
func (from sender) failures(t testing.TB) int {
	t.Helper()
	resp, err := http.Get(from.alertmanager + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`alertmanager_notification_requests_failed_total{integration="` + from.name + `"} (\d+)`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("Alertmanager does not count the requests of %s that fail", from.name)
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// hasShownOnceAndInOrder waits until all alerts of a sender are in its channel, and checks
// that each has one card there, in the order in which they were accepted.
func (p *process) hasShownOnceAndInOrder(s *playground.Server, from sender) {
	p.t.Helper()
	var want []string
	for n := range fromEach {
		want = append(want, from.title(n))
	}
	if from.alertmanager != "" {
		for kills := range killed {
			want = append(want, from.title(fromEach+kills))
		}
	}
	until(p.t, s, "the cards of "+from.name, func(now *playground.Snapshot) bool {
		top, _ := cards(now.Messages(from.channel))
		return len(top) >= len(want)
	})
	p.eventually("nothing is pending", func() bool { return p.ledger().Total.Pending == 0 })
	var got []string
	top, _ := cards(s.Messages(from.channel))
	for _, card := range top {
		n := slices.IndexFunc(want, func(title string) bool { return strings.Contains(shown(card), title) })
		if n < 0 {
			p.t.Fatalf("%s: the card %s is about nothing that was sent", from.name, shown(card))
		}
		got = append(got, want[n])
	}
	if from.alertmanager != "" {
		opened := p.opened(from.channel)
		if !slices.IsSortedFunc(got, func(a, b string) int { return opened(a).Compare(opened(b)) }) {
			p.t.Errorf("%s: shown are %v, in another order than they were accepted", from.name, got)
		}
		slices.Sort(got)
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("%s: shown are %v, want %v", from.name, got, want)
	}
}

// opened returns when the incident of a channel whose title contains a text was opened.
func (p *process) opened(channel string) func(title string) time.Time {
	p.t.Helper()
	var list struct{ Incidents []alert.Incident }
	if err := p.ask("/v1/incidents?limit=1000", &list); err != nil {
		p.t.Fatal(err)
	}
	return func(title string) time.Time {
		n := slices.IndexFunc(list.Incidents, func(i alert.Incident) bool {
			there := slices.ContainsFunc(i.Cards, func(c alert.Card) bool { return c.Conversation == channel })
			return there && strings.Contains(i.Title, title)
		})
		if n < 0 {
			p.t.Fatalf("there is no incident of %q", title)
		}
		return list.Incidents[n].OpenedAt
	}
}
