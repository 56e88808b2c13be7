package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

func TestAnAlertBecomesACardIsEditedAndTurnsGreen(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	disk := firing("db-3/disk", "disk full on db-3")
	p.settle(p.mustPush(disk)...)
	top, _ := cards(s.Messages("#alerts"))
	if len(top) != 1 || !strings.Contains(top[0].Text, "disk full on db-3") || top[0].Metadata == nil {
		t.Fatalf("the channel shows %v", top)
	}
	before := shown(top[0])

	p.settle(p.mustPush(disk)...)
	top, _ = cards(s.Messages("#alerts"))
	if len(top) != 1 || shown(top[0]) == before || !strings.Contains(shown(top[0]), "2") {
		t.Errorf("after the second firing the channel shows %d cards: %s", len(top), shown(top[0]))
	}

	p.settle(p.mustPush(resolved(disk))...)
	until(t, s, "the thread to say it is over", func(sn *playground.Snapshot) bool {
		_, threads := cards(sn.Messages("#alerts"))
		return len(threads) == 1 && strings.Contains(strings.ToLower(threads[0].Text), "resolved")
	})
	top, _ = cards(s.Messages("#alerts"))
	if len(top) != 1 || !strings.Contains(strings.ToLower(top[0].Text), "resolved") {
		t.Errorf("after the end the card says %q", top[0].Text)
	}
	if l := p.ledger().Total; l.Accepted != 3 || l.Delivered != 1 || l.Folded != 2 || l.Pending != 0 {
		t.Errorf("the ledger is %+v", l)
	}
}

func TestTwoKeysInOneBatchAreTwoCards(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	p.settle(p.mustPush(firing("a", "first"), firing("b", "second"), firing("a", "first"))...)
	top, _ := cards(s.Messages("#alerts"))
	if len(top) != 2 || !strings.Contains(top[0].Text, "first") || !strings.Contains(top[1].Text, "second") {
		t.Errorf("the channel shows %v", top)
	}
	if calls := len(s.Calls()); calls > 6 {
		t.Errorf("it took %d calls to Slack", calls)
	}
}

func TestTenChannelsAtOnceKeepTheirOwnOrder(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	channels := addChannels(s, 10)
	p := prepare(t, s, nil)
	p.start()
	var batch []map[string]any
	for n := range 5 {
		for _, ch := range channels {
			batch = append(batch, inChannel(firing(fmt.Sprintf("%s/%d", ch, n), fmt.Sprintf("number %d", n)), ch))
		}
	}
	p.settle(p.mustPush(batch...)...)
	for _, ch := range channels {
		top, _ := cards(s.Messages(ch))
		if len(top) != 5 {
			t.Fatalf("%s shows %d cards", ch, len(top))
		}
		for n, m := range top {
			if !strings.Contains(m.Text, fmt.Sprintf("number %d", n)) {
				t.Errorf("%s: place %d shows %q", ch, n, m.Text)
			}
		}
	}
}

// fault switches a fault of s on.
func fault(t testing.TB, s *playground.Server, f playground.Fault) {
	t.Helper()
	if err := s.SetFault(f); err != nil {
		t.Fatal(err)
	}
}

func TestAThrottledConversationDoesNotSlowAnother(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	fault(t, s, playground.Fault{Kind: playground.FaultThrottle, Method: "chat.postMessage", Channel: "#ops", RetryAfter: 5, Times: 1})
	p := prepare(t, s, nil)
	p.start()
	slow := p.mustPush(inChannel(firing("ops", "throttled"), "#ops"))
	var rec alert.Record
	if err := p.ask("/v1/alerts/"+slow[0].ID, &rec); err != nil || rec.Standing != alert.StandPending {
		t.Errorf("the alert stands as %q, %v; want it pending", rec.Standing, err)
	}
	until(t, s, "the 429", func(sn *playground.Snapshot) bool { return sn.CallCount("chat.postMessage") == 1 })
	p.settle(p.mustPush(firing("free", "not throttled"))...)
	if top, _ := cards(s.Messages("#ops")); len(top) != 0 {
		t.Error("the throttled conversation was served first")
	}
	p.settle(slow...)
	calls := s.Calls()
	var first, again time.Time
	for _, c := range calls {
		if c.Method == "chat.postMessage" && strings.Contains(c.Args["channel"], "ops") {
			if first.IsZero() {
				first = c.At
			}
			again = c.At
		}
	}
	if again.Sub(first) < 5*time.Second {
		t.Errorf("it was tried again after %s, not after Retry-After", again.Sub(first))
	}
}

func TestSIGTERMDeliversWhatIsUnderWayAndEndsCleanly(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	fault(t, s, playground.Fault{Kind: playground.FaultSlow, Method: "chat.postMessage", Delay: time.Second})
	p := prepare(t, s, nil)
	p.start()
	until(t, s, "both connections", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) == 2 })
	p.mustPush(firing("a", "under way"))
	until(t, s, "the call", func(sn *playground.Snapshot) bool { return sn.MessageCount("#alerts") == 1 })
	began := time.Now()
	if err := p.terminate(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took) // the promise of the unit file's TimeoutStopSec, not a measurement
	}
	clean := 0
	for _, e := range s.Journal() {
		if e.Kind == playground.KindSocketClosed && e.Reason == playground.ClosedClean {
			clean++
		}
	}
	if clean != 2 {
		t.Errorf("%d of 2 connections were closed with a close frame", clean)
	}
	s.ClearFaults()
	p.start()
	p.settle(p.mustPush(firing("b", "after the restart"))...)
	top, _ := cards(s.Messages("#alerts"))
	if len(top) != 2 {
		t.Errorf("the channel shows %d cards, want the two", len(top))
	}
	if l := p.ledger().Total; l.Pending != 0 || l.Accepted != 2 {
		t.Errorf("the ledger is %+v", l)
	}
}

// A crash in the middle of 5,000 alerts whose senders try again with the same
// idempotency key: each is shown, and none twice.
func TestCrashDuringFiveThousandAlertsLosesNone(t *testing.T) {
	t.Parallel()
	// How many conversations a crash leaves in doubt depends on the machine, and
	// Slack lets us look into some fifty a minute.
	s := slack(t, playground.Options{Limits: playground.Limits{PostsPerMinute: 1 << 20, Tier3: 1 << 20}})
	channels := addChannels(s, 500)
	p := prepare(t, s, nil)
	p.start()
	back := make(chan struct{})
	receipts := pushFiveThousand(p, channels, back)
	until(t, s, "a tenth as many posts as alerts", func(sn *playground.Snapshot) bool { return sn.CallCount("chat.postMessage") >= senders*alertsEach/10 })
	p.kill()
	p.start()
	close(back)
	p.settle(<-receipts...)
	visible := map[string]int{}
	for _, ch := range channels {
		top, _ := cards(s.Messages(ch))
		for _, m := range top {
			for title := range titlesIn(m.Text) {
				visible[title]++
			}
		}
	}
	for sender := range senders {
		for n := range alertsEach {
			if title := crashTitle(sender, n); visible[title] != 1 {
				t.Errorf("%q was accepted and is shown %d times", title, visible[title])
			}
		}
	}
	if l := p.ledger().Total; l.Accepted != senders*alertsEach || l.Delivered+l.Folded != l.Accepted {
		t.Errorf("the ledger is %+v", l)
	}
}

const senders, alertsEach = 20, 250

func crashTitle(sender, n int) string { return fmt.Sprintf("alert %d of sender %d", n, sender) }

// pushFiveThousand pushes from many senders at once; one that gets no answer
// tries again, once back is closed. The channel gets all receipts at the end.
func pushFiveThousand(p *process, channels []string, back <-chan struct{}) <-chan []alert.Accepted {
	all := make(chan []alert.Accepted, 1)
	var mu sync.Mutex
	var receipts []alert.Accepted
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for n := range alertsEach {
				title := crashTitle(sender, n)
				a := inChannel(firing(title, title), channels[(sender*alertsEach+n)%len(channels)])
				a["idempotency_key"] = title
				got, err := p.push(a)
				if err != nil {
					<-back
					got, err = p.push(a)
				}
				if err != nil {
					p.t.Errorf("the second try of %q: %v", title, err)
					return
				}
				mu.Lock()
				receipts = append(receipts, got...)
				mu.Unlock()
			}
		})
	}
	go func() {
		group.Wait()
		all <- receipts
	}()
	return all
}

// titlesIn finds "alert N of sender M" in a card's text.
func titlesIn(text string) map[string]bool {
	found := map[string]bool{}
	for rest := text; ; {
		at := strings.Index(rest, "alert ")
		if at < 0 {
			return found
		}
		rest = rest[at:]
		var n, sender int
		if k, err := fmt.Sscanf(rest, "alert %d of sender %d", &n, &sender); k == 2 && err == nil {
			found[fmt.Sprintf("alert %d of sender %d", n, sender)] = true
		}
		rest = rest[len("alert "):]
	}
}

func TestWithoutAGoodTokenAlertsAreKeptAndGoOutOnceItIsThere(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"SLACK_BOT_TOKEN": "", "SLACK_APP_TOKEN": ""})
	secrets := filepath.Join(p.dir, "credentials")
	if err := os.Mkdir(secrets, 0o700); err != nil {
		t.Fatal(err)
	}
	p.env["CREDENTIALS_DIRECTORY"] = secrets
	p.start()
	kept := p.mustPush(firing("a", "kept"))
	var ready struct {
		Problems []alert.Problem `json:"problems"`
	}
	resp, err := p.client().http.Get("http://localhost/readyz")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(resp.Body).Decode(&ready); err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || len(ready.Problems) == 0 || !strings.Contains(fmt.Sprint(ready), "OAuth") {
		t.Errorf("/readyz answered %s with %+v, want where to find the token", resp.Status, ready)
	}
	for name, token := range map[string]string{"slack_bot_token": s.BotToken(), "slack_app_token": s.AppToken()} {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The daemon asks again at most a minute later.
	for range 3 {
		var rec alert.Record
		if err := p.ask("/v1/alerts/"+kept[0].ID+"?wait=40s", &rec); err != nil {
			t.Fatal(err)
		}
		if rec.Standing == alert.StandDelivered {
			return
		}
	}
	t.Error("the alert was not delivered after the token was put right")
}

// Under systemd the daemon has a copy of the tokens that never changes, and may read the
// files that it was made from.
func TestANewTokenIsUsedWithoutARestartAlthoughSystemdsCopyIsOld(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"SLACK_BOT_TOKEN": "", "SLACK_APP_TOKEN": ""})
	write := func(dir, name, token string) {
		t.Helper()
		path := filepath.Join(p.dir, dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(token+"\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for env, dir := range map[string]string{"CREDENTIALS_DIRECTORY": "copies", "CONFIGURATION_DIRECTORY": "tokens"} {
		p.env[env] = filepath.Join(p.dir, dir)
		write(dir, "slack_app_token", s.AppToken())
		write(dir, "slack_bot_token", s.BotToken())
	}
	p.start()
	p.settle(p.mustPush(firing("a", "by the old token"))...)
	s.Revoke(s.BotToken())
	held := p.mustPush(firing("b", "held until there is a new token"))
	p.eventually("the refusal", func() bool { return strings.Contains(p.log.String(), "all deliveries are held") })
	s.Accept("xoxb-new")
	write("tokens", "slack_bot_token", "xoxb-new")
	p.settle(held...)
	s.Revoke(s.AppToken())
	s.Accept("xapp-new")
	write("tokens", "slack_app_token", "xapp-new")
	mustReconnect(t, s)
}

func TestSecretsNeverAppearInTheLog(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"TOCSIN_API_TOKEN": "a-very-secret-api-token", "TOCSIN_LISTEN": "127.0.0.1:0"})
	p.env["TOCSIN_LOG_LEVEL"] = "debug"
	if err := os.WriteFile(filepath.Join(p.dir, "tocsin.yaml"), []byte("log: {level: debug}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.env["TOCSIN_CONFIG"] = filepath.Join(p.dir, "tocsin.yaml")
	p.start()
	until(t, s, "a connection", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) >= 1 })
	if run, err := s.User("ann").Command(t.Context(), "#alerts", "/notify-test", ""); err != nil || !run.Acked {
		t.Fatalf("the command got %+v, %v", run, err)
	}
	fault(t, s, playground.Fault{Kind: playground.FaultRefuse, Times: 2})
	p.settle(p.mustPush(firing("a", "over a broken connection"))...)
	for _, socket := range s.Sockets() {
		if err := s.Cut(socket.ID); err != nil {
			t.Fatal(err)
		}
	}
	until(t, s, "new connections", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) >= 3 })
	if err := p.terminate(); err != nil {
		t.Error(err)
	}
	log := p.log.String()
	for what, secret := range map[string]string{
		"bot token": s.BotToken(), "app token": s.AppToken(), "API token": "a-very-secret-api-token", "ticket": "ticket=", "socket's address": "ws://", "response_url": "/hooks/",
	} {
		if strings.Contains(log, secret) {
			t.Errorf("the log shows the %s", what)
		}
	}
	if !strings.Contains(log, `"msg":"ready"`) || !strings.HasPrefix(log, "{") {
		t.Errorf("the log is not JSON lines:\n%s", log)
	}
}

// What is tolerated of a token's spelling makes the daemon no less ready.
func TestATokenInQuotationMarksWorksAndIsNoProblem(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.env["SLACK_BOT_TOKEN"] = `"` + p.env["SLACK_BOT_TOKEN"] + `"`
	p.start()
	p.settle(p.mustPush(firing("quoted", "disk full on db-1"))...)
	p.eventually("readiness", func() bool {
		_, status := p.tryCommand("status")
		return status == exitOK
	})
}

// What a token looks like says less than Slack's answer.
func TestATokenThatSlackAcceptsIsNoProblemHoweverItLooks(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	const rotating = "xoxe.xoxb-1-rotating"
	s.Accept(rotating)
	p.env["SLACK_BOT_TOKEN"] = rotating
	p.start()
	p.settle(p.mustPush(firing("rotating", "disk full on db-1"))...)
	p.eventually("readiness and a note", func() bool {
		said, status := p.tryCommand("status")
		return status == exitOK && strings.Contains(said, "switch that off")
	})
	s.Revoke(rotating)
	p.mustPush(firing("revoked", "disk full on db-2"))
	p.eventually("a problem", func() bool {
		_, status := p.tryCommand("status")
		return status != exitOK
	})
}
