package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

const signingSecret = "0123456789abcdef0123456789abcdef"

func TestWithoutSocketModeCommandsComeByHTTP(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, byHTTP(t))
	p.start()
	var body readyBody
	if err := p.ask("/readyz", &body); err != nil || !body.Ready || body.RequestsAt == "" {
		t.Fatalf("it is not ready: %s, %v", asJSON(body), err)
	}
	send := func(key string) int { return p.signed(body.RequestsAt, testCommand(s), key) }
	if status := send("another secret"); status != http.StatusUnauthorized {
		t.Errorf("a request of somebody else: %d", status)
	}
	const refused = "requests from Slack are refused, because they are not signed with the signing secret: 1, the last at "
	if said := p.command("status"); !strings.Contains(said, refused) || !strings.Contains(said, "Basic Information > Signing Secret") {
		t.Errorf("tocsin status says\n%s", said)
	}
	if said, err := p.tocsin("doctor"); err == nil || !strings.Contains(said, "warning  connections") || !strings.Contains(said, refused) {
		t.Errorf("tocsin doctor says %v\n%s", err, said)
	}
	if h, err := p.health(); err != nil || !h.Ready {
		t.Errorf("a request of somebody else keeps it from being ready: %+v, %v", h.Problems, err)
	}
	if status := send(signingSecret); status != http.StatusOK {
		t.Errorf("Slack's request: %d", status)
	}
	until(t, s, "the test alert", func(sn *playground.Snapshot) bool {
		top, _ := cards(sn.Messages("#alerts"))
		return len(top) == 1
	})
	if status := p.command("status"); !strings.Contains(status, "requests from Slack at "+body.RequestsAt) || strings.Contains(status, refused) {
		t.Errorf("tocsin status says\n%s", status)
	}
	if n := len(s.Sockets()); n != 0 {
		t.Errorf("%d sockets were opened", n)
	}
	p.kill()
	if log := p.log.String(); strings.Contains(log, signingSecret) {
		t.Error("the log holds the signing secret")
	}
}

// byHTTP are the variables of a daemon that Slack sends requests to.
func byHTTP(t testing.TB) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(file, []byte("slack:\n  mode: http\n  listen: 127.0.0.1:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"TOCSIN_CONFIG": file, "SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": signingSecret}
}

// testCommand is a slash command that posts a test alert.
func testCommand(s *playground.Server) string {
	return url.Values{
		"command": {"/notify-test"}, "text": {"critical"}, "user_id": {"U0ANN"}, "user_name": {"ann"}, "team_id": {"T0PLAYGROUND"},
		"channel_id": {"C0ALERTS"}, "channel_name": {"alerts"}, "trigger_id": {alert.NewID()}, "response_url": {s.URL() + "/nothing"},
	}.Encode()
}

// signed sends a command as Slack does, signed with a secret.
func (p *process) signed(address, form, secret string) (status int) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://"+address+"/slack/commands", strings.NewReader(form))
	if err != nil {
		p.t.Fatal(err)
	}
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + stamp + ":" + form))
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	a, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := a.Body.Close(); err != nil {
		p.t.Error(err)
	}
	return a.StatusCode
}

func TestThePlaygroundSendsRequestsByHTTP(t *testing.T) {
	t.Parallel()
	address := freeAddress(t.Context(), "127.0.0.1:0")
	s := slack(t, playground.Options{RequestURL: "http://" + address})
	env := byHTTP(t)
	env["SLACK_SIGNING_SECRET"] = s.SigningSecret()
	if err := os.WriteFile(env["TOCSIN_CONFIG"], []byte("slack: {mode: http, listen: \""+address+"\"}"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := prepare(t, s, env)
	p.start()
	p.settle(p.mustPush(firing("disk", "disk full"))...)
	ann := s.User("ann")
	card := s.Messages("#alerts")[0]
	clicked, err := ann.Click(t.Context(), playground.AtMessage("#alerts", card.TS), "ack")
	if err != nil || !clicked.Acked {
		t.Fatalf("the click got %+v, %v", clicked, err)
	}
	until(t, s, "the acknowledged card", func(sn *playground.Snapshot) bool {
		return strings.Contains(shown(sn.Messages("#alerts")[0]), "cknowledged by")
	})
	if run, err := ann.Command(t.Context(), "#alerts", "/notify", "list"); err != nil || !run.Acked {
		t.Errorf("the command got %+v, %v", run, err)
	}
	if err := ann.OpenHome(); err != nil {
		t.Error(err)
	}
	p.eventually("the Home tab", func() bool { _, ok := ann.Home(); return ok })
}

func TestAStandbyTakesSlacksRequestsForTheActiveReplica(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	env := byHTTP(t)
	env["TOCSIN_STORE"] = sharedStore(t)
	first, second := prepare(t, s, env), prepare(t, s, env)
	first.start()
	second.start()
	h, err := second.health()
	if err != nil || !h.Standby || h.RequestsAt == "" {
		t.Fatalf("the standby says %s, %v", asJSON(h), err)
	}
	answered := 0
	send := func(when string) {
		t.Helper()
		if status := second.signed(h.RequestsAt, testCommand(s), signingSecret); status != http.StatusOK {
			t.Errorf("%s, Slack's request got %d", when, status)
		}
		answered++
		until(t, s, "the answer to the command", func(sn *playground.Snapshot) bool {
			top, _ := cards(sn.Messages("#alerts"))
			return len(top) == answered
		})
	}
	send("on standby")
	if status := second.signed(h.RequestsAt, testCommand(s), "another secret"); status != http.StatusUnauthorized {
		t.Errorf("a request of somebody else got %d", status)
	}
	if said := second.command("status"); !strings.Contains(said, "requests from Slack are refused") {
		t.Errorf("tocsin status says\n%s", said)
	}
	first.kill()
	send("while the other one is gone") // whoever connects meanwhile waits
	active(t, []*process{second})
	send("once it is active")
	second.supersede()
	second.eventually("it is superseded", func() bool { return strings.Contains(second.log.String(), "another replica has become active") })
	active(t, []*process{second})
	send("after it was a standby again")
}

func TestTheManifestForRequestsByHTTP(t *testing.T) {
	t.Parallel()
	manifest, err := manifestJSON(manifestFor("https://tocsin.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Features struct {
			Commands []struct{ URL string } `json:"slash_commands"`
		}
		Settings struct {
			SocketMode    bool `json:"socket_mode_enabled"`
			Interactivity struct {
				URL string `json:"request_url"`
			}
			Events struct {
				URL string `json:"request_url"`
			} `json:"event_subscriptions"`
		}
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		t.Fatal(err)
	}
	if m.Settings.SocketMode || m.Settings.Interactivity.URL != "https://tocsin.example.com/slack/interactive" || m.Settings.Events.URL != "https://tocsin.example.com/slack/events" {
		t.Errorf("the settings are %+v", m.Settings)
	}
	for _, c := range m.Features.Commands {
		if c.URL != "https://tocsin.example.com/slack/commands" {
			t.Errorf("a command's address is %q", c.URL)
		}
	}
	if len(m.Features.Commands) != 2 {
		t.Errorf("%d commands", len(m.Features.Commands))
	}
}
