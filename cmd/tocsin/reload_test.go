package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix" //nolint:depguard // the clock of what systemd is told

	"tocsin/alert"
	"tocsin/playground"
)

// reloadConfig is what a daemon of these tests starts with.
const reloadConfig = `default_channel: "#alerts"
permissions: {ack: everyone}
routes:
  - {name: db, match: service="db", to: "#alerts"}
`

// reloading starts a daemon with a configuration file.
func reloading(t *testing.T, s *playground.Server, extra map[string]string) *process {
	t.Helper()
	p := prepare(t, s, extra)
	p.env["SLACK_CHANNEL_ID"] = ""
	p.configure(reloadConfig)
	p.start()
	return p
}

// tryCommand runs a command and returns what it has printed, and its exit status.
func (p *process) tryCommand(args ...string) (out string, status int) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), p.path, args...)
	cmd.Env = []string{beTocsin + "=1", "HOME=" + p.dir, "TOCSIN_SOCKET=" + p.env["TOCSIN_SOCKET"]}
	text, _ := cmd.CombinedOutput() // the status says it
	return string(text), cmd.ProcessState.ExitCode()
}

// hangUp sends SIGHUP, and returns once the daemon has told its service manager that it has
// reloaded.
func (p *process) hangUp() {
	p.t.Helper()
	var began unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &began); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.t.Fatal(err)
	}
	// What it says of an earlier reload may still be on its way.
	reloads := func(said string) bool {
		var at int64
		_, err := fmt.Sscanf(said, "RELOADING=1\nMONOTONIC_USEC=%d", &at)
		return err == nil && at >= began.Nano()/1000
	}
	if !p.awaitNotification(reloads) || !p.awaitReady() {
		p.t.Fatal("the daemon did not say that it has reloaded")
	}
}

// replaced is reloadConfig with another text in place of one.
func replaced(old, now string) string { return strings.Replace(reloadConfig, old, now, 1) }

func TestAReloadChangesWhereAlertsGoAndSaysWhatIsDifferent(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := reloading(t, s, nil)
	db := func(key string) map[string]any {
		return map[string]any{"key": key, "title": "disk full: " + key, "labels": map[string]string{"service": "db"}}
	}
	old := p.mustPush(db("before"))
	p.settle(old...)

	p.configure(replaced(`to: "#alerts"`, `to: "#ops"`))
	out, status := p.tryCommand("config", "reload")
	if want := "The configuration is reloaded; changed:\n  routes: db is changed\n"; out != want || status != exitOK {
		t.Errorf("it ends with %d and says %q, want %q", status, out, want)
	}
	p.settle(p.mustPush(db("after"))...)
	if got := saying(s.Messages("#ops"), "disk full: after"); len(got) != 1 {
		t.Errorf("the new route's conversation shows %d cards", len(got))
	}
	p.settle(p.mustPush(resolved(db("before")))...) // in its own thread
	if got := saying(s.Messages("#alerts"), "disk full: before"); len(got) == 0 || len(saying(s.Messages("#ops"), "before")) > 0 {
		t.Errorf("an incident from before has moved")
	}
	if out, status = p.tryCommand("config", "reload"); !strings.HasSuffix(out, "nothing has changed.\n") || status != exitOK {
		t.Errorf("the same again ends with %d and says %q", status, out)
	}

	p.configure(reloadConfig)
	p.hangUp()
	p.settle(p.mustPush(db("third"))...)
	if got := saying(s.Messages("#alerts"), "disk full: third"); len(got) != 1 {
		t.Errorf("after SIGHUP the old conversation shows %d cards", len(got))
	}
}

func TestAConfigurationWithAMistakeChangesNothingAndIsShownUntilAGoodOne(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{GhostFor: time.Nanosecond}) // what is cut hears no command
	p := reloading(t, s, nil)
	missing := func() { _ = os.Remove(p.env["TOCSIN_CONFIG"]) }
	for name, c := range map[string]struct {
		broken func()
		says   string
	}{
		"one mistake": {func() {
			p.configure(replaced(`to: "#alerts"`, `to: "#ops"`) + "  - {name: web, match: service=\"web\", too: \"#web\"}\n")
		}, "tocsin.yaml:5:39"},
		"no YAML":           {func() { p.configure("routes: [") }, "tocsin.yaml:1:"},
		"no file":           {missing, "there is no such file"},
		"an unreadable one": {func() { missing(); _ = os.Mkdir(p.env["TOCSIN_CONFIG"], 0o700) }, "cannot be read"},
		"a pipe":            {func() { missing(); _ = syscall.Mkfifo(p.env["TOCSIN_CONFIG"], 0o600) }, "is not a file"},
		"a template": {func() {
			p.configure(replaced(`to: "#alerts"`, `to: "#ops", title: "{{ .Nothing }"`))
		}, "tocsin.yaml:4:"},
	} {
		c.broken()
		out, status := p.tryCommand("config", "reload")
		if status != exitUsage || !strings.Contains(out, c.says) || !strings.Contains(out, unchanged) {
			t.Errorf("%s: it ends with %d and says %q", name, status, out)
		}
		p.hangUp()
		if !strings.Contains(p.log.String(), c.says) {
			t.Errorf("%s: the log does not say %q", name, c.says)
		}
		if out, status := p.tryCommand("status"); status != exitOK || !strings.Contains(out, "the configuration was not reloaded") || !strings.Contains(out, c.says) {
			t.Errorf("%s: the status ends with %d and says %q", name, status, out)
		}
		if name == "a pipe" {
			mustReconnect(t, s)
		}
		if name == "no YAML" {
			until(t, s, "a connection", func(sn *playground.Snapshot) bool { return len(sn.Sockets()) > 0 })
			p.mustTellPeople(s, alert.Problem{What: "the configuration was not reloaded", Fix: "tocsin config reload"})
		}
		p.settle(p.mustPush(map[string]any{"key": name, "title": "about " + name, "labels": map[string]string{"service": "db"}})...)
		if got := saying(s.Messages("#alerts"), "about "+name); len(got) != 1 {
			t.Errorf("%s: the route from before shows %d cards", name, len(got))
		}
		_ = os.Remove(p.env["TOCSIN_CONFIG"])
		p.configure(reloadConfig)
		if out, status := p.tryCommand("config", "reload"); status != exitOK {
			t.Errorf("%s: the good one again ends with %d and says %q", name, status, out)
		}
		if out, status := p.tryCommand("status"); status != exitOK || strings.Contains(out, "not reloaded") {
			t.Errorf("%s: after a good one the status says %q", name, out)
		}
	}
}

func TestWhatNeedsARestartIsNamedAndTheRestIsApplied(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	was := "listen: {tcp: off}\nstore: " + p.env["TOCSIN_STORE"] + "\n"
	for _, name := range []string{"SLACK_CHANNEL_ID", "TOCSIN_LISTEN", "TOCSIN_STORE"} {
		p.env[name] = ""
	}
	p.configure(reloadConfig + was)
	p.start()
	p.configure(replaced(`default_channel: "#alerts"`, `default_channel: "#ops"`) + "listen: {tcp: 127.0.0.1:0}\nslack: {mode: http}\nstore: sqlite:/nowhere/else.db\ndelivery: {max_pending: 10}\n")
	for range 2 { // it is still so the second time
		out, status := p.tryCommand("config", "reload")
		if status != exitOK || !strings.Contains(out, "restarted:\n  listen.tcp: off → 127.0.0.1:0\n  slack.mode: socket → http\n  store: sqlite:") {
			t.Errorf("it ends with %d and says %s", status, out)
		}
	}
	if !strings.Contains(p.log.String(), "these options change at the next start") {
		t.Error("the log does not name them")
	}
	p.untilReady() // without a signing secret, which the next start needs
	p.settle(p.mustPush(firing("x", "a title"))...)
	if got := saying(s.Messages("#ops"), "a title"); len(got) != 1 {
		t.Errorf("the new default conversation shows %d cards", len(got))
	}
}

func TestReloadsUnderLoadLoseNothing(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := reloading(t, s, nil)
	p.readNotifications()
	const senders, each = 4, 40
	var group sync.WaitGroup
	receipts := make([][]alert.Accepted, senders)
	for n := range senders {
		group.Go(func() {
			for k := range each {
				got, err := p.push(map[string]any{"key": fmt.Sprintf("%d-%d", n, k%10), "title": "t", "labels": map[string]string{"service": "db"}})
				if err != nil {
					t.Error(err)
					return
				}
				receipts[n] = append(receipts[n], got...)
			}
		})
	}
	for n := range 2 {
		group.Go(func() {
			for k := range 10 {
				if n == 0 {
					yaml := replaced(`to: "#alerts"`, []string{`to: "#ops"`, `to: "#alerts"`}[k%2])
					if err := os.WriteFile(p.env["TOCSIN_CONFIG"], []byte(yaml), 0o600); err != nil {
						t.Error(err)
					}
				}
				_ = p.cmd.Process.Signal(syscall.SIGHUP) // two at once, and those of the command
				if err := p.client().call(t.Context(), http.MethodPost, "/v1/config/reload", nil, &struct{}{}); err != nil && !strings.Contains(err.Error(), "read configuration") {
					t.Error(err) // the file may be half written
				}
			}
		})
	}
	group.Wait()
	for _, of := range receipts {
		if len(of) != each {
			t.Errorf("a sender has %d receipts of %d alerts", len(of), each)
		}
		p.settle(of...)
	}
	l := p.ledger().Total
	if l.Accepted != senders*each || l.Accepted != l.Pending+l.Delivered+l.Folded+l.Silenced+l.Dead || l.Pending+l.Dead > 0 {
		t.Errorf("the ledger is %+v", l)
	}
}

func TestAChangedTokenOfSlackIsCheckedBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	tokensChange(t, s, prepare(t, s, nil))
}

func TestAChangedTokenOfSlackIsCheckedBeforeAStandbyUsesIt(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	store := map[string]string{"TOCSIN_STORE": sharedStore(t)}
	tokensChange(t, s, prepare(t, s, store), prepare(t, s, store))
}

// tokensChange starts daemons that share their configuration, and has each read other tokens.
func tokensChange(t *testing.T, s *playground.Server, all ...*process) {
	t.Helper()
	last := all[len(all)-1]
	tokens := map[string]string{"app": s.AppToken(), "bot": s.BotToken()}
	file := func(kind string) string { return filepath.Join(last.dir, kind) }
	for kind, token := range tokens {
		if err := os.WriteFile(file(kind), []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range all {
		p.env["SLACK_APP_TOKEN"], p.env["SLACK_BOT_TOKEN"] = "", ""
		p.configure(fmt.Sprintf("slack: {app_token_file: %s, bot_token_file: %s}\n", file("app"), file("bot")))
		p.start()
	}
	sockets(t, s, 2*len(all))
	used := map[string]bool{}
	until(t, s, "the connections", func(sn *playground.Snapshot) bool {
		for _, k := range sn.Sockets() {
			used[k.ID] = true
		}
		return true
	})
	for kind, old := range tokens {
		wrong, right := strings.TrimRight(old, "0123456789abcdef")+"0000000000000000", strings.TrimRight(old, "0123456789abcdef")+"1111111111111111"
		if err := os.WriteFile(file(kind), []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			out, status := p.tryCommand("config", "reload")
			if status != exitUsage || !strings.Contains(out, "check the "+kind+" token") || strings.Contains(out, wrong) {
				t.Errorf("with a wrong %s token it ends with %d and says %q", kind, status, out)
			}
		}
		last.settle(last.mustPush(firing(kind, "still by the old one"))...)
		s.Accept(right)
		if err := os.WriteFile(file(kind), []byte(right), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			if out, status := p.tryCommand("config", "reload"); status != exitOK || !strings.Contains(out, "slack."+kind+"_token: another secret") {
				t.Errorf("with another %s token it ends with %d and says %q", kind, status, out)
			}
		}
		s.Revoke(old)
		last.settle(last.mustPush(firing("new "+kind, "by the new one"))...)
	}
	until(t, s, "other connections", func(sn *playground.Snapshot) bool {
		live := 0
		for _, k := range sn.Sockets() {
			if k.State == "live" && !used[k.ID] {
				live++
			}
		}
		return live == 2*len(all)
	})
	for _, p := range all {
		if strings.Contains(p.log.String(), "refuse") {
			t.Error("something was refused")
		}
	}
}

// freely lets everybody act and push, and holds what is about db; strictly does neither.
const (
	freely = `default_channel: "#alerts"
times: [{name: always, time_intervals: [{times: [{start_time: "00:00", end_time: "24:00"}]}]}]
routes:
  - {name: db, match: service="db", to: "#alerts", mute: [always]}
`
	strictly = `default_channel: "#alerts"
permissions: {ack: U0CAROL}
listen: {tokens: [{name: ci, hash: "HASH"}]}
ingest: {webhooks: [{name: bell, title: body.what}]}
routes:
  - {name: db, match: service="db", to: "#alerts"}
`
)

func TestAReloadChangesWhoMayActWhatIsTakenAndWhenPeopleHear(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"SLACK_CHANNEL_ID": "", "TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
	token, hash := p.newToken("ci")
	p.configure(freely)
	p.start()
	connected(t, s)
	reload := func(yaml string, changed ...string) {
		t.Helper()
		p.configure(yaml)
		out, status := p.tryCommand("config", "reload")
		for _, option := range changed {
			if status != exitOK || !strings.Contains(out, "\n  "+option) || strings.Contains(out, "restarted") {
				t.Errorf("a reload ends with %d and says %s, want %s", status, out, option)
			}
		}
	}
	taken := func(without, bell int) {
		t.Helper()
		for name, c := range map[string]struct {
			got  webhookAnswer
			want int
		}{
			"a push without a token": {p.request("", "POST", "/v1/alerts", "by anybody"), without},
			"a push with it":         {p.request(token, "POST", "/v1/alerts", "by ci"), http.StatusAccepted},
			"the webhook":            {p.webhook("/v1/webhooks/bell", []byte(`{"what": "smoke"}`)), bell},
		} {
			if c.got.status != c.want {
				t.Errorf("%s: answered %d %s, want %d", name, c.got.status, c.got.body, c.want)
			}
		}
	}

	p.mustPush(map[string]any{"key": "held", "title": "held back", "labels": map[string]string{"service": "db"}})
	p.settle(p.mustPush(firing("first", "the first"))...)
	press(t, s, "ann", cardOf(t, s, "the first").TS, "ack")
	showing(t, s, cardOf(t, s, "the first").TS, "Acknowledged by ann")
	if len(saying(s.Messages("#alerts"), "held back")) > 0 {
		t.Error("what its route mutes is shown")
	}
	taken(http.StatusAccepted, http.StatusNotFound)

	reload(strings.ReplaceAll(strictly, "HASH", hash), "permissions.ack", "listen.tokens", "ingest.webhooks", "times", "routes")
	held := cardOf(t, s, "held back")
	press(t, s, "ann", held.TS, "ack")
	privately(t, s, "ann", "you may not")
	taken(http.StatusUnauthorized, http.StatusAccepted)
	cardOf(t, s, "smoke")

	reload(freely, "permissions.ack", "listen.tokens", "ingest.webhooks", "times", "routes")
	press(t, s, "ann", held.TS, "ack")
	showing(t, s, held.TS, "Acknowledged by ann")
	taken(http.StatusAccepted, http.StatusNotFound)
}

// What delivers, and the log, follow without a restart.
func TestAReloadChangesHowAlertsAreDelivered(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := reloading(t, s, nil)
	archive(t, s.Archive, "#ops")
	told := filepath.Join(p.dir, "told")
	p.mustPush(inChannel(firing("a", "disk full"), "#ops"))
	p.eventually("that #ops can't be reached", func() bool { return strings.Contains(p.log.String(), "a conversation can't be reached") })

	reload := func(more string, changed ...string) {
		t.Helper()
		p.configure(reloadConfig + more)
		out, status := p.tryCommand("config", "reload")
		for _, option := range changed {
			if status != exitOK || !strings.Contains(out, "\n  "+option+": ") || strings.Contains(out, "restarted") {
				t.Errorf("it ends with %d and says %s, want %s", status, out, option)
			}
		}
	}
	lastResort := fmt.Sprintf("delivery: {digest_above: 9, give_up_after: 2d, probe_every: 300ms, retention: 60d, dead_retention: 90d, last_resort: [%q, %q]}\n", p.program("cat >> \"$1\""), told)
	reload(lastResort+"log: {level: debug}\n",
		"delivery.digest_above", "delivery.give_up_after", "delivery.probe_every", "delivery.retention", "delivery.dead_retention", "delivery.last_resort", "log.level")
	p.eventually("the last resort", func() bool { text, _ := os.ReadFile(told); return strings.Contains(string(text), "disk full") })
	p.eventually("more in the log", func() bool { return strings.Contains(p.log.String(), `"level":"debug"`) })

	reload("fallback_channel: '#random'\n"+lastResort, "fallback_channel", "log.level")
	p.settle(p.mustPush(inChannel(firing("b", "no route"), "#ops"))...)
	if found := titled(s, "#random", "no route"); len(found) != 1 {
		t.Errorf("the fallback shows %v", found)
	}
}
