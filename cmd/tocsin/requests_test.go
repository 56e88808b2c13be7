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

	"tocsin/playground"
)

const signingSecret = "0123456789abcdef0123456789abcdef"

func TestWithoutSocketModeCommandsComeByHTTP(t *testing.T) {
	t.Parallel()
	const secret = signingSecret
	s := slack(t, playground.Options{})
	file := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(file, []byte("slack:\n  mode: http\n  listen: 127.0.0.1:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := prepare(t, s, map[string]string{"TOCSIN_CONFIG": file, "SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": secret})
	p.start()
	var body readyBody
	if err := p.ask("/readyz", &body); err != nil || !body.Ready || body.RequestsAt == "" {
		t.Fatalf("it is not ready: %s, %v", asJSON(body), err)
	}
	form := url.Values{
		"command": {"/notify-test"}, "text": {"critical"}, "user_id": {"U0ANN"}, "user_name": {"ann"}, "team_id": {"T0PLAYGROUND"},
		"channel_id": {"C0ALERTS"}, "channel_name": {"alerts"}, "trigger_id": {"1.2.3"}, "response_url": {s.URL() + "/nothing"},
	}.Encode()
	send := func(key string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+body.RequestsAt+"/slack/commands", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte("v0:" + stamp + ":" + form))
		r.Header.Set("X-Slack-Request-Timestamp", stamp)
		r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
		a, err := (&http.Client{Timeout: patience}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Body.Close(); err != nil {
			t.Error(err)
		}
		return a.StatusCode
	}
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
	if status := send(secret); status != http.StatusOK {
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
	if log := p.log.String(); strings.Contains(log, secret) {
		t.Error("the log holds the signing secret")
	}
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
